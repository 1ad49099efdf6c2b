"""Records: maps with unsigned keys whose fields have names and types (the CDDL of the document)."""

from __future__ import annotations

from typing import Any, Callable

from .problem import Problem

Fields = dict[str, Any]
Spec = dict[int, tuple[str, str, bool]]  # key to name, type, optional


def _list(low: int, high: int, element: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, list) and low <= len(v) <= high and all(map(element, v))


def _bytes(size: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, bytes) and len(v) == size


def _text(size: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, str) and len(v.encode("utf-8")) <= size


def _is_int(v: Any) -> bool:
    return isinstance(v, int)


def _is_uint(v: Any) -> bool:
    return isinstance(v, int) and v >= 0


def _is_bytes(v: Any) -> bool:
    return isinstance(v, bytes)


TYPES: dict[str, Callable[[Any], bool]] = {
    "uint53": _is_uint,
    "int53": _is_int,
    "bstr": _is_bytes,
    "bytes16": _bytes(16),
    "bytes32": _bytes(32),
    "text128": _text(128),
    "text1024": _text(1024),
    "[1*8 uint53]": _list(1, 8, _is_uint),
    "[1*100 uint53]": _list(1, 100, _is_uint),
    "[1*100 int53]": _list(1, 100, _is_int),
    "[1*8 bstr]": _list(1, 8, _is_bytes),
    "1 / 2": lambda v: v in (1, 2),
}


def spec(text: str) -> Spec:
    """A specification from lines `key name type`, an optional field's key with a question mark before it."""
    found: Spec = {}
    for line in filter(None, text.splitlines()):
        key, name, kind = line.split(maxsplit=2)
        found[int(key.lstrip("?"))] = (name, kind, key.startswith("?"))
    return found


def fields_of(value: Any, fields: Spec, unknown: str = "unknown-key") -> Fields:
    """The named fields of a decoded map; `unknown` is the code for a key that the record does not have."""
    if not isinstance(value, dict):
        raise Problem("field", "the record is no map")
    for key in value:
        if key not in fields:
            raise Problem(unknown, f"key {key}")
    return {name: _field(value, key, fields) for key, (name, _, _) in fields.items() if _wanted(value, key, fields)}


def _wanted(value: dict[int, Any], key: int, fields: Spec) -> bool:
    name, _, optional = fields[key]
    if key in value:
        return True
    if optional:
        return False
    raise Problem("field", f"{name} is missing")


def _field(value: dict[int, Any], key: int, fields: Spec) -> Any:
    name, kind, _ = fields[key]
    if not TYPES[kind](value[key]):
        raise Problem("field", f"{name} is not of type {kind}")
    return value[key]
