"""Leaves: bytes to named fields, of every kind; section "Leaves"."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from . import cbor
from .leaf_fields import COMMON, KINDS
from .problem import Problem, require
from .record import Fields, fields_of, spec

MAX_LEAF_BYTES = 4096
FIRST_EXTENSION = 64
OPAQUE_KINDS = range(32, 64)
OPAQUE = spec(COMMON + "?4 channel uint53")

KNOWN_KINDS = {kind: frozenset(fields) for kind, (_, fields) in KINDS.items()}
READING, LOG_MANIFEST, CHANNEL_MANIFEST, CLOSE, DISCONTINUITY, CLOCK_STEP, ANCHOR = range(7)
EPOCH_OPEN, FLEXIBILITY = 9, 11


@dataclass(frozen=True)
class Leaf:
    """A decoded leaf; `fields` has what is present, by the document's names."""

    kind: int
    fields: Fields
    raw: bytes
    body: dict[int, Any] = field(default_factory=dict)  # the other keys below 64 of kinds 32 to 63
    extensions: dict[int, bytes] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        """Its index in the log."""
        return int(self.fields["seq"])

    @property
    def time(self) -> int:
        """timeMs."""
        return int(self.fields["timeMs"])

    @property
    def hash(self) -> bytes:
        """Its leaf hash (RFC 6962, 2.1)."""
        return hashlib.sha256(b"\x00" + self.raw).digest()

    def get(self, name: str) -> Any:
        """A field, or None where it is absent."""
        return self.fields.get(name)


def decode_leaf(raw: bytes) -> Leaf:
    """The leaf that `raw` holds, and nothing behind it."""
    leaf = decode_first_leaf(raw, 0)
    require(len(leaf.raw) == len(raw), "leaf-trailing", f"{len(raw) - len(leaf.raw)} bytes behind the leaf")
    return leaf


def decode_leaves(raw: bytes) -> list[Leaf]:
    """Leaves that stand back to back."""
    found: list[Leaf] = []
    at = 0
    while at < len(raw):
        found.append(decode_first_leaf(raw, at))
        at += len(found[-1].raw)
    return found


def decode_first_leaf(data: bytes, at: int) -> Leaf:
    """The leaf that begins at `at`."""
    value, end = cbor.decode_first(data, at, max_depth=4)
    require(end - at <= MAX_LEAF_BYTES, "leaf-size", f"a leaf of {end - at} bytes")
    if not isinstance(value, dict):
        raise Problem("leaf-type", "the leaf is no map")
    kind = _kind(value)
    extensions = _extensions(value)
    body: dict[int, Any] = {key: value[key] for key in value if 0 < key < FIRST_EXTENSION}
    if kind in OPAQUE_KINDS:
        fields = fields_of({key: body.pop(key) for key in OPAQUE if key in body}, OPAQUE)
    else:
        fields, body = fields_of(body, KINDS[kind][1], unknown="leaf-unknown-key"), {}
    _common_rules(fields)
    return Leaf(kind, fields, data[at:end], body, extensions)


def _extensions(value: dict[int, Any]) -> dict[int, bytes]:
    found = {key: content for key, content in value.items() if key >= FIRST_EXTENSION}
    for key, content in found.items():
        require(isinstance(content, bytes), "leaf-extension", f"extension {key} is no byte string")
    return found


def _kind(value: dict[int, Any]) -> int:
    kind = value.get(0, READING)
    known = isinstance(kind, int) and (kind in KINDS or kind in OPAQUE_KINDS)
    require(known and not (0 in value and kind == READING), "leaf-kind", f"kind {kind!r}")
    return int(kind)


def _common_rules(fields: Fields) -> None:
    require(fields["timeQuality"] <= 4, "leaf-time-quality", f"time quality {fields['timeQuality']}")
    require(fields.get("status") != 0, "leaf-zero-status", "a status of 0 is left out")
