"""The payloads of signed objects, and the two of them that stand in every proof: checkpoint and receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from . import cose
from .problem import require
from .record import Fields, spec

CHECKPOINT = spec("""
1 size uint53
2 root bytes32
3 timeMs uint53
4 issuedAtMs uint53
5 timeQuality uint53
6 bootCount uint53
7 manifestHash bytes32
""")

RECEIPT = spec("""
1 manifestHash bytes32
2 size uint53
3 root bytes32
4 receivedAtMs uint53
5 ruleVersion uint53
""")

HELLO = spec("""
1 role 1 / 2
2 network text128
3 deviceKey bytes32
4 nodeKey bytes32
5 deviceNonce bytes32
6 nodeNonce bytes32
7 version uint53
""")


@dataclass(frozen=True)
class Checkpoint:
    """What a device signed over its log."""

    log_id: bytes
    size: int
    root: bytes
    time: int
    issued_at: int
    manifest_hash: bytes


@dataclass(frozen=True)
class Receipt:
    """What a node signed over a log; `raw` is the whole object."""

    raw: bytes
    node: bytes
    manifest_hash: bytes
    size: int
    root: bytes
    received_at: int
    rule_version: int


def open_checkpoint(raw: bytes, key: bytes, log_id: bytes) -> Checkpoint:
    """A checkpoint under a checked device key: shape, header, payload, kid, signature, size, in this order."""
    signed = cose.open_object(raw, "checkpoint", CHECKPOINT)
    require(signed.kid == log_id, "cose-kid", "the kid is not this log")
    cose.check_signature(signed, key)
    f = signed.fields
    require(f["size"] > 0, "checkpoint-empty", "a checkpoint over nothing")
    return Checkpoint(log_id, f["size"], f["root"], f["timeMs"], f["issuedAtMs"], f["manifestHash"])


def open_receipt(raw: bytes, device_key: Optional[bytes] = None, node: Optional[bytes] = None) -> Receipt:
    """A receipt under the node key that it names, which is not the device's and is `node` where that is known."""
    signed = cose.open_object(raw, "receipt", RECEIPT)
    require(node in (None, signed.kid), "cose-kid", "by another node")
    cose.check_key(signed.kid, "node key of a receipt")
    require(signed.kid != device_key, "receipt-own", "the device receipts its own log")
    cose.check_signature(signed, signed.kid)
    f = signed.fields
    require(f["size"] > 0, "receipt-empty", "a receipt over nothing")
    return Receipt(raw, signed.kid, f["manifestHash"], f["size"], f["root"], f["receivedAtMs"], f["ruleVersion"])


ROLES = {"device": 1, "node": 2}
STREAM_VERSION = 1


def check_hello(raw: bytes, role: str, terms: Fields) -> None:
    """A hello by one of two sides; `terms` are all the others of the connection, by name."""
    key = terms[f"{role}Key"]
    signed = cose.open_object(raw, "hello", HELLO)
    require(signed.kid == key, "cose-kid", "not by the other side")
    cose.check_key(key, f"{role} key")
    cose.check_signature(signed, key)
    expected = {"role": ROLES[role], "version": STREAM_VERSION, **terms}
    for name, value in expected.items():
        require(signed.fields[name] == value, "hello-mismatch", f"{name} is not this connection's")
