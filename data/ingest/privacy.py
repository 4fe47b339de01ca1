"""No person enters the warehouse: buyer references become keyed hashes on arrival, free text loses phone numbers.

The key lies outside the home folder (``MERCHCAST_BUYER_KEY``, else ``~/.config/merchcast/buyer.key``), so that the
home folder alone does not tell who bought what.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "KEY_VARIABLE",
    "buyer_key",
    "hmac_pads",
    "hmac_sql",
    "key_path",
    "masked",
    "masked_sql",
    "person_sql",
    "pseudonym",
    "pseudonym_sql",
    "pseudonyms",
    "random_pseudonym",
    "sealing_key",
    "set_key",
    "without_names",
]

KEY_VARIABLE = "MERCHCAST_BUYER_KEY"
_OTHER_VARIABLE = "MERCHCAST_PRIVACY_KEY"  # its other name
_HASH_BYTES = 9  # of HMAC-SHA256: two of 10 million buyers meet with a chance of 1e-8; 12 characters of base 64
MASK = "[masked]"
_BLOCK_BYTES = 64  # of SHA-256, RFC 2104
_KEY_BYTES = 32

# Numbers that call or name a person, in plain and in full-width digits: international ones with +, Chinese mobiles with
# or without 86, land lines with their area code, North American ones with separators, Chinese identity cards (place,
# day of birth, serial number), and what stands behind the name of a messenger.
_N, _NOT_N = "[0-9０-９]", "[^0-9０-９]"
_SEPARATOR = "[- .·－　]?"
_PHONES = (
    rf"(^|{_NOT_N})([+＋]{_N}{{1,3}}[ -]?[0-9０-９(]{_N[:-1]}() -]{{6,14}}{_N})({_NOT_N}|$)",
    rf"(^|{_NOT_N})((?:(?:00)?86[- ]?)?[1１][3-9３-９]{_N}{_SEPARATOR}{_N}{{4}}{_SEPARATOR}{_N}{{4}})({_NOT_N}|$)",
    rf"(^|{_NOT_N})([(]?{_N}{{3}}[)]?[ .-]{_N}{{3}}[ .-]{_N}{{4}})({_NOT_N}|$)",
    rf"(^|{_NOT_N})([(]?0{_N}{{2,4}}[)]?[ -]{_N}{{3,4}}[ -]?{_N}{{3,4}})({_NOT_N}|$)",
    rf"(^|{_NOT_N})([(（]0{_N}{{2,3}}[)）]{_N}{{3,4}}[ -]?{_N}{{4}})({_NOT_N}|$)",
    r"(^|[^0-9])([1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{5}[0-9Xx])([^0-9]|$)",
    r"((?i:微信|薇信|wechat|weixin)[号:： ]*)([A-Za-z][A-Za-z_-]{0,18}[0-9_][A-Za-z0-9_-]{2,})([^A-Za-z0-9_-]|$)",
    r"((?i:qq)[号:： ]*)([1-9][0-9]{4,10})([^0-9]|$)",
)
_PASSES = 2  # two numbers may share the one character between them
_LOOKS_SUSPICIOUS = "[0-9０-９][0-9０-９ ().·（）　－-]{5,}[0-9０-９]|@|(?i:微信|薇信|wechat|weixin|qq)"
_EMAIL = r"[A-Za-z0-9._%+一-鿿-]+@[A-Za-z0-9.一-鿿-]+[.][A-Za-z一-鿿]{2,}"
_JSON_HOLE = r"([:\[,][ ]*)\[masked\]([ ]*[,}\]])"  # a number of JSON that was masked becomes a text
# Names that buyers type into a remark: behind a title or a word that asks for somebody, or before a masked number.
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        r"((?i:\b(?:mr|mrs|ms|miss|dr|herr|frau|mme)\b)[.]? +)[A-Z][\w'-]+(?: [A-Z][\w'-]+)?",
        r"((?i:\b(?:call|ask for|contact|name is|i am|i'm|(?:ship|send) to)\b:?) +)[A-Z][\w'-]+(?: [A-Z][\w'-]+)?",
        r"()(?:\b[A-Z][\w'-]+ ){1,3}(?=\[masked\])",
        r"((?:联系人|收件人|收货人|姓名|我叫|请找)[:： ]*)[\u4e00-\u9fff]{2,3}",
        r"()[\u4e00-\u9fff]{1,3}(?=先生|女士|小姐|太太)",
    )
)
_PHONE_PATTERNS = tuple(re.compile(p) for p in _PHONES)
_EMAIL_PATTERN = re.compile(_EMAIL)
_SUSPICIOUS = re.compile(_LOOKS_SUSPICIOUS)
_WHOLE_NUMBER = re.compile(r"^([0-9]+)[.]0+$")


def key_path() -> Path:
    """Return where a generated key is kept: below ``XDG_CONFIG_HOME``, else ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "merchcast" / "buyer.key"


def buyer_key() -> bytes:
    """Return the secret key of buyer hashes: from the environment, else from its file, made on first use (0600)."""
    given = os.environ.get(KEY_VARIABLE) or os.environ.get(_OTHER_VARIABLE)
    if given:
        return given.encode("utf-8")
    path = key_path()
    if not path.is_file():
        _make_key(path)
    return path.read_text(encoding="ascii").strip().encode("ascii")


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # another run was quicker
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_BYTES) + "\n")


def hmac_pads(key: bytes) -> tuple[bytes, bytes]:
    """Return the outer and inner padded key of HMAC-SHA256 (RFC 2104)."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return bytes(b ^ 0x5C for b in block), bytes(b ^ 0x36 for b in block)


def hmac_sql(text: str) -> str:
    """Return SQL for the first bytes of HMAC-SHA256 of ``text``, in base 64; the pads are variables of the session.

    ``set variable buyer_outer`` and ``buyer_inner`` to :func:`hmac_pads` first: the key never stands in a statement.
    """
    inner = f"unhex(sha256(getvariable('buyer_inner')::blob || encode({text})))"
    outer = f"sha256(getvariable('buyer_outer')::blob || {inner})"
    return f"to_base64(unhex(substr({outer}, 1, {2 * _HASH_BYTES})))"


def pseudonym(who: str, key: bytes) -> str:
    """Return the keyed hash of a buyer's reference, the same as :func:`pseudonym_sql` gives.

    >>> pseudonym("17850.0", b"k") == pseudonym(" 17850", b"k") != pseudonym("17851", b"k")
    True
    """
    plain = who.strip()
    if "." in plain:
        plain = _WHOLE_NUMBER.sub(r"\1", plain)
    return _shown(hmac.digest(key, plain.encode("utf-8"), "sha256")[:_HASH_BYTES])


def random_pseudonym() -> str:
    """Return a pseudonym of nobody."""
    return _shown(secrets.token_bytes(_HASH_BYTES))


def _shown(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def pseudonyms(who: pa.Array, key: bytes) -> pa.ChunkedArray:
    """Return the keyed hashes of plain references, in their order, on all cores."""
    import duckdb  # here: the child that opens files needs no database, and starts sooner without

    with duckdb.connect() as connection:
        set_key(connection, key)
        connection.register("people", pa.table({"who": who}))
        return connection.sql(f"select {pseudonym_sql('who')} as hashed from people").to_arrow_table().column(0)


def set_key(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give a session the key of the pseudonyms, as variables: it never stands in a statement."""
    outer, inner = hmac_pads(key)
    connection.execute("set variable buyer_outer = ?::blob", [outer])
    connection.execute("set variable buyer_inner = ?::blob", [inner])


def sealing_key(key: bytes) -> bytes:
    """Return the key that encrypts person parts: another one than that of the hashes, made from it."""
    return hmac.digest(key, b"merchcast person part", "sha256")


def person_sql(text: str) -> str:
    """Return SQL for the pseudonym of a person: of a surrogate, by the temporary table ``people``; else the hash.

    What landed before deliveries were split, and what a test writes into a frame, is no surrogate.
    """
    found = f"(select p.pseudonym from people p where p.ref = cast({text} as varchar))"
    return f"case when {text} is not null then coalesce({found}, {hmac_sql(_plain_sql(text))}) end"


def pseudonym_sql(text: str) -> str:
    """Return SQL for the keyed hash of a buyer's reference; ``17850.0`` and ``17850`` are one buyer."""
    return f"case when {text} is not null then {hmac_sql(_plain_sql(text))} end"


def _plain_sql(text: str) -> str:
    return f"regexp_replace(cast({text} as varchar), '^([0-9]+)[.]0+$', '\\1')"


def masked(text: str) -> str:
    """Return ``text`` with phone numbers and e-mail addresses masked, as :func:`masked_sql` does.

    >>> masked("Ring 13812345678 or anna@example.com")
    'Ring [masked] or [masked]'
    """
    if not _SUSPICIOUS.search(text):
        return text
    for pattern in _PHONE_PATTERNS * _PASSES:
        text = pattern.sub(rf"\1{MASK}\3", text)
    text = _EMAIL_PATTERN.sub(MASK, text)
    return re.sub(_JSON_HOLE, rf'\1"{MASK}"\2', text) if text.startswith("{") else text


def without_names(text: str) -> str:
    """Return ``text``, as :func:`masked` left it, without the names that stand where a buyer would write one.

    >>> without_names("too small, call Zhang Wei [masked]")
    'too small, call [masked] [masked]'
    >>> without_names("color of the Luna badge is off")
    'color of the Luna badge is off'
    """
    for pattern in _NAMES:
        text = pattern.sub(lambda m: f"{m[1]}{MASK}{' ' if m[0].endswith(' ') else ''}", text)
    return text


def masked_sql(text: str) -> str:
    """Return SQL for ``text`` with phone numbers and e-mail addresses masked."""
    text_now = text
    for phone in _PHONES * _PASSES:
        text_now = f"regexp_replace({text_now}, '{phone}', '\\1{MASK}\\3', 'g')"
    text_now = f"regexp_replace({text_now}, '{_EMAIL}', '{MASK}', 'g')"
    filled = f"regexp_replace({text_now}, '{_JSON_HOLE}', '\\1\"{MASK}\"\\2', 'g')"
    text_now = f"case when starts_with({text}, '{{') then {filled} else {text_now} end"
    suspicious = f"regexp_matches({text}, '{_LOOKS_SUSPICIOUS}')"
    return f"case when {suspicious} then {text_now} else {text} end"
