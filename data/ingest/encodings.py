"""Text in any encoding a shop declares, as UTF-8 with line feeds and nothing else; never mojibake."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from data.ingest.faults import DeliveryRefused, Fault

__all__ = ["Normalised", "normalised"]

_UTF8_BOM = codecs.BOM_UTF8
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)  # the first begins as UTF-16's does
_UTF8_NAMES = frozenset({"utf-8", "utf8", "utf_8", "utf-8-sig", "utf_8_sig", "ascii"})
_GUESSES = ("gb18030", "big5", "shift_jis", "cp1252")  # in the order in which a shop's exports have them
_MIXED_SHARE = 0.1  # of the lines that are not plain ASCII: so many in UTF-8 beside others are no accident


@dataclass
class Normalised:
    """How a text had to be changed; ``changes`` stays empty where the bytes could be read as they are."""

    changes: set[str] = field(default_factory=set)


def normalised(
    open_pieces: Callable[[], Iterator[bytes]], *, encoding: str, name: str, source: str, found: Normalised
) -> Iterator[bytes]:
    """Yield a text as UTF-8 with line feeds, without byte-order mark.

    Args:
        open_pieces: opens the decompressed bytes afresh; called again to find out what is wrong.
        encoding: as declared for the source.
        name: of the file, for messages.
        source: of the file, for messages.
        found: filled with what was changed: ``bom``, ``encoding``, ``line_ends``.

    Raises:
        DeliveryRefused: ``ENCODING`` with a hint, or ``ENCODING_MIXED`` with the byte offset.
    """
    pieces = _as_utf8(open_pieces, encoding=encoding, name=name, source=source, found=found)
    yield from _line_feeds(pieces, found)


def _as_utf8(
    open_pieces: Callable[[], Iterator[bytes]], *, encoding: str, name: str, source: str, found: Normalised
) -> Iterator[bytes]:
    pieces = open_pieces()
    first = next(pieces, b"")
    declared = encoding.lower()
    if first.startswith(_UTF32_BOMS):
        declared = "utf-32"
    elif first.startswith(_UTF16_BOMS):
        declared = "utf-16"
    elif first.startswith(_UTF8_BOM):
        declared = "utf-8"
        while first.startswith(_UTF8_BOM):  # two of them, where a file with one was marked again
            first = first[len(_UTF8_BOM) :]
        found.changes.add("bom")
    elif declared not in _UTF8_NAMES and _is_utf8_beyond_ascii(open_pieces()):
        declared = "utf-8"  # declared GBK, delivered UTF-8: reading it as GBK would be mojibake
    if declared not in _UTF8_NAMES:
        yield from _transcoded(_chained(first, pieces), declared, name=name, source=source, found=found)
        return
    if _has_wide_characters(first):
        raise _diagnosis(first, name=name, source=source)
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    for piece in _chained(first, pieces):
        if not (piece.isascii() and not decoder.getstate()[0]):
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise _diagnosis(b"".join(open_pieces()), name=name, source=source) from error
        yield piece
    if decoder.getstate()[0]:
        raise DeliveryRefused(Fault.TRUNCATED, "the text ends within a UTF-8 character", source=source, file=name)


def _chained(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _transcoded(
    pieces: Iterator[bytes], encoding: str, *, name: str, source: str, found: Normalised
) -> Iterator[bytes]:
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
    except LookupError as error:
        raise DeliveryRefused(Fault.ENCODING, f"unknown encoding {encoding!r}", source=source, file=name) from error
    found.changes.add("encoding")
    offset = 0
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8")
            offset += len(piece)
        yield decoder.decode(b"", final=True).encode("utf-8")
    except UnicodeError as error:
        raise DeliveryRefused(
            Fault.ENCODING,
            f"declared {encoding}, but not readable as that near byte {offset:,}: {error}",
            source=source,
            file=name,
        ) from error


def _line_feeds(pieces: Iterator[bytes], found: Normalised) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        text = held + piece
        held = b""
        if text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        if b"\r" in text:
            found.changes.add("line_ends")
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if text:
            yield text
    if held:
        found.changes.add("line_ends")
        yield b"\n"


def _is_utf8_beyond_ascii(pieces: Iterator[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    beyond = False
    try:
        for piece in pieces:
            beyond = beyond or not piece.isascii()
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return beyond


def _has_wide_characters(text: bytes) -> bool:
    """Return whether more than a quarter of the bytes are zero, as in UTF-16: plain ASCII so written is valid UTF-8."""
    head = text[:4096]
    return head.count(0) > len(head) // 4


def _diagnosis(text: bytes, *, name: str, source: str) -> DeliveryRefused:
    """Say what a text that is not UTF-8 is instead."""
    if _has_wide_characters(text):
        kind = "utf-16-le" if text[1:4096:2].count(0) >= text[0:4096:2].count(0) else "utf-16-be"
        return DeliveryRefused(
            Fault.ENCODING,
            f"looks like UTF-16 without a byte-order mark; declare `encoding: {kind}`",
            source=source,
            file=name,
        )
    utf8, other, change = _lines_by_encoding(text)
    if utf8 and other and min(utf8, other) >= 1 and utf8 / (utf8 + other) >= _MIXED_SHARE:
        return DeliveryRefused(
            Fault.ENCODING_MIXED,
            f"UTF-8 and another encoding in one file; it changes at byte offset {change}",
            source=source,
            file=name,
        )
    for guess in _GUESSES:
        try:
            text.decode(guess)
        except UnicodeDecodeError:
            continue
        hint = f"it reads as {guess}: declare `encoding: {guess}` for this source"
        break
    else:
        hint = "no known encoding reads it"
    return DeliveryRefused(Fault.ENCODING, f"declared utf-8, but it is not; {hint}", source=source, file=name)


def _lines_by_encoding(text: bytes) -> tuple[int, int, int]:
    """Return lines in UTF-8 beyond ASCII, lines that are not UTF-8, and the offset where the first change lies."""
    utf8 = other = change = 0
    offset = 0
    for line in text.split(b"\n"):
        if not line.isascii():
            try:
                line.decode("utf-8")
                utf8 += 1
                first_of_kind = utf8 == 1 and other > 0
            except UnicodeDecodeError:
                other += 1
                first_of_kind = other == 1 and utf8 > 0
            if first_of_kind and not change:
                change = offset + next(i for i, byte in enumerate(line) if byte > 127)
        offset += len(line) + 1
    return utf8, other, change
