"""Thrift's compact protocol, in which the footer of a Parquet file is written: values in, the same values out.

A struct is a dict from a field's number to its type and value; a list is its element type and its values. Only what
footers hold is known: no maps, no sets.
"""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["BINARY", "I32", "I64", "LIST", "STRUCT", "Struct", "ThriftError", "dumped", "loaded"]

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_WHOLE = (I16, I32, I64)
_LONG_LIST = 15
_MAX_DEPTH = 32
_MAX_BITS = 70  # of a number in groups of seven bits

Struct = dict[int, tuple[int, Any]]
"""Number of a field -> its type, its value."""


class ThriftError(ValueError):
    """These bytes are no struct, or hold what is not known here."""


def loaded(data: bytes) -> Struct:
    """Return the struct that ``data`` begins with.

    Raises:
        ThriftError: there is none.
    """
    try:
        return _Reader(data).struct(0)
    except (IndexError, struct.error) as error:
        raise ThriftError("it breaks off") from error


def dumped(value: Struct) -> bytes:
    """Return the bytes of a struct.

    >>> loaded(dumped({1: (I32, -3), 7: (LIST, (BINARY, [b"a"])), 99: (TRUE, True)}))
    {1: (5, -3), 7: (9, (8, [b'a'])), 99: (1, True)}
    """
    out = bytearray()
    _write_struct(out, value)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > _MAX_BITS:
                raise ThriftError("a number without end")

    def whole(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self, depth: int) -> Struct:
        if depth > _MAX_DEPTH:
            raise ThriftError("too many structs within each other")
        found: Struct = {}
        number = 0
        while (head := self.data[self.at]) != 0:
            self.at += 1
            step, kind = head >> 4, head & 0x0F
            number = number + step if step else self.whole()
            found[number] = (kind, kind == TRUE if kind in (TRUE, FALSE) else self.value(kind, depth))
        self.at += 1
        return found

    def value(self, kind: int, depth: int) -> Any:
        if kind in _WHOLE:
            return self.whole()
        if kind == BINARY:
            return self.taken(self.varint())
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind == LIST:
            return self.list(depth)
        if kind == DOUBLE:
            return self.taken(8)
        if kind in (TRUE, FALSE, BYTE):
            return self.taken(1)
        raise ThriftError(f"type {kind} is not known here")

    def taken(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ThriftError("it breaks off")
        self.at += size
        return self.data[self.at - size : self.at]

    def list(self, depth: int) -> tuple[int, list[Any]]:
        (head,) = self.taken(1)
        size, kind = head >> 4, head & 0x0F
        size = self.varint() if size == _LONG_LIST else size
        if size > len(self.data) - self.at:
            raise ThriftError("it breaks off")
        return kind, [self.value(kind, depth + 1) for _ in range(size)]


def _write_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_whole(out: bytearray, value: int) -> None:
    _write_varint(out, value << 1 if value >= 0 else ~value << 1 | 1)


def _write_struct(out: bytearray, value: Struct) -> None:
    before = 0
    for number in sorted(value):
        kind, content = value[number]
        step = number - before
        if 0 < step < 16:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            _write_whole(out, number)
        before = number
        if kind not in (TRUE, FALSE):
            _write_value(out, kind, content)
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in _WHOLE:
        _write_whole(out, value)
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind == LIST:
        element, values = value
        out.append(min(len(values), _LONG_LIST) << 4 | element)
        if len(values) >= _LONG_LIST:
            _write_varint(out, len(values))
        for item in values:
            _write_value(out, element, item)
    else:
        out += value
