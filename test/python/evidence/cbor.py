"""Deterministic CBOR (RFC 8949, 4.2.1) of the document's subset; section "Encoding"."""

from __future__ import annotations

from typing import Union

from .problem import Problem

Value = Union[int, bytes, str, list["Value"], dict[int, "Value"]]

MAX_INTEGER = 2**53 - 1
MAX_LENGTH = 4096  # of a leaf; a length beyond that and beyond the whole input is told from one that is cut short

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP = range(6)


class _Reader:
    """Reads items of the subset; `at` is the offset of the next byte."""

    def __init__(self, data: bytes, max_depth: int, at: int) -> None:
        self.data = data
        self.max_depth = max_depth
        self.at = at

    def fail(self, code: str, what: str, offset: int) -> Problem:
        return Problem(code, f"{what} at offset {offset}")

    def take(self, count: int, start: int) -> bytes:
        """The next `count` bytes; `start` is where the item began."""
        if count > len(self.data) - self.at:
            raise self.fail("cbor-truncated", f"needs {count} more bytes", start)
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def head(self) -> tuple[int, int, int]:
        """Major type, argument, offset of the head."""
        start = self.at
        initial = self.take(1, start)[0]
        major, info = initial >> 5, initial & 31
        if major > MAP:
            raise self.fail("cbor-type", f"major type {major} is outside the subset", start)
        if info < 24:
            return major, info, start
        if info > 27:
            raise self.fail("cbor-type", f"additional information {info}", start)
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width, start), "big")
        if argument < (24, 2**8, 2**16, 2**32)[info - 24]:
            raise self.fail("cbor-not-shortest", f"{argument} in {width} bytes", start)
        if argument > MAX_INTEGER:
            raise self.fail("cbor-integer", f"{argument} is beyond 2^53-1", start)
        return major, argument, start

    def item(self, depth: int) -> Value:
        """The next item; `depth` counts the containers around it."""
        major, argument, start = self.head()
        if major <= NEGATIVE:
            return self.integer(major, argument, start)
        if argument > MAX_LENGTH and argument > len(self.data):
            raise self.fail("cbor-length", f"a length of {argument}", start)
        if major == BYTES:
            return self.take(argument, start)
        if major == TEXT:
            return self.text(argument, start)
        if depth >= self.max_depth:
            raise self.fail("cbor-depth", f"deeper than {self.max_depth}", start)
        if major == ARRAY:
            return self.array(argument, depth + 1)
        return self.map(argument, depth + 1)

    def integer(self, major: int, argument: int, start: int) -> int:
        value = argument if major == UNSIGNED else -1 - argument
        if abs(value) > MAX_INTEGER:
            raise self.fail("cbor-integer", f"{value} is beyond 2^53-1", start)
        return value

    def text(self, length: int, start: int) -> str:
        raw = self.take(length, start)
        try:
            return raw.decode("utf-8", errors="strict")
        except UnicodeDecodeError as error:
            raise self.fail("cbor-text", "text is no UTF-8", start) from error

    def array(self, count: int, depth: int) -> list[Value]:
        found: list[Value] = []
        while len(found) < count:
            found.append(self.item(depth))
        return found

    def map(self, count: int, depth: int) -> dict[int, Value]:
        found: dict[int, Value] = {}
        last = -1
        for _ in range(count):
            last = self.key(last)
            found[last] = self.item(depth)
        return found

    def key(self, last: int) -> int:
        """The next key of a map, which must be above the one before it."""
        major, argument, start = self.head()
        if major != UNSIGNED:
            raise self.fail("cbor-key", "a key that is no unsigned integer", start)
        key = self.integer(major, argument, start)
        if key <= last:
            raise self.fail("cbor-key-order", f"key {key} after {last}", start)
        return key


def decode(data: bytes, max_depth: int = 4) -> Value:
    """The one value that `data` holds; whatever would not re-encode to the same bytes is refused."""
    value, end = decode_first(data, 0, max_depth)
    if end != len(data):
        raise Problem("cbor-trailing", f"{len(data) - end} bytes more at offset {end}")
    return value


def decode_first(data: bytes, at: int, max_depth: int = 4) -> tuple[Value, int]:
    """The value that begins at `at`, and the offset behind it."""
    reader = _Reader(data, max_depth, at)
    value = reader.item(0)
    return value, reader.at


def encode_head(major: int, argument: int) -> bytes:
    """The shortest head."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for index in range(4):
        width = 1 << index
        if argument < 1 << (8 * width):
            return bytes([major << 5 | 24 + index]) + argument.to_bytes(width, "big")
    raise Problem("cbor-encode", f"{argument} does not fit a head")


def encode(value: Value) -> bytes:
    """The one encoding of a value of the subset."""
    if isinstance(value, bool):
        raise Problem("cbor-encode", "a boolean")
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Problem("cbor-encode", f"{value} is beyond 2^53-1")
        return encode_head(UNSIGNED, value) if value >= 0 else encode_head(NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return encode_head(BYTES, len(value)) + value
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return encode_head(TEXT, len(raw)) + raw
    if isinstance(value, list):
        return encode_head(ARRAY, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = (encode(key) + encode(value[key]) for key in sorted(value))
        return encode_head(MAP, len(value)) + b"".join(pairs)
    raise Problem("cbor-encode", f"a {type(value).__name__}")
