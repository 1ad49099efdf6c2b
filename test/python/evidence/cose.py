"""COSE_Sign1 in the document's one shape; sections "Signed objects" and "Signatures: profile S"."""

from __future__ import annotations

from dataclasses import dataclass

from . import cbor, ed25519
from .problem import Problem, require
from .record import Fields, Spec, fields_of

ALGORITHM = -19
MAX_OBJECT_BYTES = 8192


@dataclass(frozen=True)
class Signed:
    """An object whose shape, header and payload are sound; its signature is not yet checked."""

    raw: bytes
    protected: bytes
    kid: bytes
    payload: bytes
    fields: Fields
    signature: bytes


def open_object(raw: bytes, kind: str, payload_spec: Spec) -> Signed:
    """Shape, header (of the type "kilowitness/1 " and `kind`), payload, in this order."""
    protected, payload, signature = _split(raw)
    kid = _header(protected, f"kilowitness/1 {kind}")
    value = cbor.decode(payload, max_depth=4)
    require(isinstance(value, dict), "cbor-type", "the payload is no map")
    fields = fields_of(value, payload_spec)
    return Signed(raw, protected, kid, payload, fields, signature)


def check_signature(signed: Signed, key: bytes) -> None:
    """The signature under a key that has been checked."""
    structure: list[cbor.Value] = ["Signature1", signed.protected, b"", signed.payload]
    good = ed25519.verify(key, cbor.encode(structure), signed.signature)
    require(good, "cose-signature", "the signature does not verify")


def check_key(key: bytes, whose: str) -> None:
    """A key of profile S."""
    require(ed25519.is_key(key), "key-invalid", f"the {whose} is not of profile S")


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    require(len(raw) <= MAX_OBJECT_BYTES, "cose-shape", f"an object of {len(raw)} bytes")
    require(raw[:2] == b"\xd2\x84", "cose-shape", "does not begin with D2 84")
    protected, at = _bytes_at(raw, 2)
    require(raw[at : at + 1] == b"\xa0", "cose-shape", "the unprotected header is not empty")
    payload, at = _bytes_at(raw, at + 1)
    signature, at = _bytes_at(raw, at)
    require(len(signature) == 64, "cose-shape", f"a signature of {len(signature)} bytes")
    require(at == len(raw), "cose-shape", "bytes behind the object")
    return protected, payload, signature


def _bytes_at(raw: bytes, at: int) -> tuple[bytes, int]:
    value, end = cbor.decode_first(raw, at, max_depth=0)
    if not isinstance(value, bytes):
        raise Problem("cose-shape", f"no byte string at offset {at}")
    return value, end


def _header(protected: bytes, kind: str) -> bytes:
    """The kid of a protected header {1: -19, 4: kid, 16: type}."""
    header = cbor.decode(protected)
    if not isinstance(header, dict):
        raise Problem("cose-header", "the protected header is no map")
    require(header.get(1) == ALGORITHM, "cose-algorithm", f"algorithm {header.get(1)!r}")
    require(set(header) <= {1, 4, 16}, "cose-header", f"keys {sorted(header)}")
    kid = header.get(4)
    if not isinstance(kid, bytes) or len(kid) != 32:
        raise Problem("cose-kid", "a kid of other than 32 bytes")
    require(header.get(16) == kind, "cose-type", f"type {header.get(16)!r}, expected {kind!r}")
    return kid
