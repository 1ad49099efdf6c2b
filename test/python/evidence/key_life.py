"""Enrolment, countersignature, rotation, revocation; section "The life of a key"."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Iterable, Optional, Sequence

from . import cose
from .identity import check_network, log_id
from .problem import require
from .record import Fields, spec

ENROLMENT = spec("""
1 network text128
2 deviceKey bytes32
3 nodeKey bytes32
4 nodeNonce bytes32
5 manifestHash bytes32
6 assuranceTier uint53
7 softwareVersion text128
8 nextKeyHash bytes32
9 recoveryKey bytes32
""")

COUNTERSIGNATURE = spec("""
1 statementHash bytes32
2 network text128
3 deviceKey bytes32
4 decidedAtMs uint53
5 decision uint53
""")

ROTATION = spec("1 acceptance bstr")

ACCEPTANCE = spec("""
1 network text128
2 oldKey bytes32
3 newKey bytes32
4 nextKeyHash bytes32
5 rotatedAtMs uint53
6 logId bytes32
7 epoch uint53
8 size uint53
""")

REVOCATION = spec("""
1 network text128
2 deviceKey bytes32
3 logId bytes32
4 epoch uint53
5 cutSize uint53
6 revokedAtMs uint53
7 reason text128
""")

ACCEPTED, REFUSED = 1, 2
MAX_ROTATIONS = 64
MAX_TIER = 3


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def open_enrolment(raw: bytes, expected: Optional[Fields] = None) -> Fields:
    """The statement's terms; `expected` has those that a node compares, by name."""
    signed = cose.open_object(raw, "enrolment", ENROLMENT)
    f = signed.fields
    cose.check_key(signed.kid, "device key")
    cose.check_signature(signed, signed.kid)
    require(f["deviceKey"] == signed.kid, "enrolment-device-key", "another device key than the signer's")
    check_network(f["network"])
    require(f["nodeKey"] != signed.kid, "enrolment-own", "the device is its own node")
    require(f["assuranceTier"] <= MAX_TIER, "enrolment-tier", f"tier {f['assuranceTier']}")
    cose.check_key(f["recoveryKey"], "recovery key")
    require(f["recoveryKey"] != signed.kid, "enrolment-recovery-key", "the device key as recovery key")
    spent = {_sha256(signed.kid), _sha256(f["recoveryKey"])}
    require(f["nextKeyHash"] not in spent, "enrolment-next-key", "the next key is already in use")
    _compare_terms(f, expected or {})
    return f


EXPECTED_TERMS = {
    "network": "enrolment-network",
    "deviceKey": "enrolment-device-key",
    "nodeKey": "enrolment-node-key",
    "nodeNonce": "enrolment-nonce",
    "manifestHash": "enrolment-manifest",
}


def _compare_terms(fields: Fields, expected: Fields) -> None:
    for name, value in expected.items():
        require(fields[name] == value, EXPECTED_TERMS[name], f"{name} is not the expected one")


def open_countersignature(
    raw: bytes, statement_raw: bytes, statement: Fields, node: Optional[bytes] = None
) -> tuple[bytes, Fields]:
    """The node key and the terms of the answer to exactly this statement, which has been verified."""
    signed = cose.open_object(raw, "enrolment-countersignature", COUNTERSIGNATURE)
    f = signed.fields
    require(node in (None, signed.kid), "cose-kid", "by another node")
    cose.check_key(signed.kid, "node key")
    cose.check_signature(signed, signed.kid)
    require(f["statementHash"] == _sha256(statement_raw), "countersignature-statement", "of another statement")
    require(f["network"] == statement["network"], "countersignature-network", "of another network")
    require(f["deviceKey"] == statement["deviceKey"], "countersignature-device-key", "of another device")
    require(signed.kid == statement["nodeKey"], "countersignature-node-key", "by another node than was asked")
    require(f["decision"] in (ACCEPTED, REFUSED), "countersignature-decision", f"decision {f['decision']}")
    return signed.kid, f


@dataclass(frozen=True)
class Rotation:
    """A rotation that leads on from a known key."""

    old_key: bytes
    new_key: bytes
    next_key_hash: bytes
    rotated_at: int
    log_id: bytes
    epoch: int
    size: int


def open_rotation(raw: bytes, network: str, old_key: bytes, committed: Optional[bytes]) -> Rotation:
    """A rotation away from `old_key`, to the key whose hash was signed before (`committed`, where it is known)."""
    outer = cose.open_object(raw, "rotation", ROTATION)
    require(outer.kid == old_key, "cose-kid", "the rotation is not by the known key")
    cose.check_key(old_key, "old key")
    cose.check_signature(outer, old_key)
    inner = cose.open_object(outer.fields["acceptance"], "rotation-acceptance", ACCEPTANCE)
    f = inner.fields
    cose.check_key(inner.kid, "new key")
    cose.check_signature(inner, inner.kid)
    _check_acceptance(f, inner.kid, network, old_key)
    require(committed in (None, _sha256(inner.kid)), "rotation-not-committed", "not the key whose hash was signed")
    spent = {_sha256(old_key), _sha256(inner.kid)}
    require(f["nextKeyHash"] not in spent, "rotation-next-key", "the next key is one of these two")
    named = f["epoch"] > 0 and f["logId"] == log_id(network, old_key, f["epoch"])
    require(named, "rotation-log", "not a log of the old key")
    require(f["size"] > 0, "rotation-size", "a log without a leaf")
    return Rotation(old_key, inner.kid, f["nextKeyHash"], f["rotatedAtMs"], f["logId"], f["epoch"], f["size"])


def _check_acceptance(f: Fields, new_key: bytes, network: str, old_key: bytes) -> None:
    require(f["oldKey"] == old_key, "rotation-old-key", "the acceptance names another old key")
    require(f["network"] == network, "rotation-network", "the acceptance is of another network")
    require(f["newKey"] == new_key, "rotation-new-key", "the acceptance names another new key")
    require(new_key != old_key, "rotation-same-key", "a rotation to the same key")


@dataclass(frozen=True)
class Enrolled:
    """The keys that an enrolment leads to: the first one, and the rotations since."""

    network: str
    node_key: bytes
    first_key: bytes
    recovery_key: bytes
    first_next_key_hash: bytes
    decided_at: int
    tier: int
    rotations: tuple[Rotation, ...]

    @property
    def key(self) -> bytes:
        """The newest key of the rotations shown."""
        return self.rotations[-1].new_key if self.rotations else self.first_key

    @property
    def next_key_hash(self) -> bytes:
        """The hash of the key after the newest one."""
        return self.rotations[-1].next_key_hash if self.rotations else self.first_next_key_hash

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys, oldest first."""
        return (self.first_key, *(rotation.new_key for rotation in self.rotations))

    def left_by(self, key: bytes) -> Optional[Rotation]:
        """The rotation that left a key."""
        return next((rotation for rotation in self.rotations if rotation.old_key == key), None)


def enrolled_key(objects: Sequence[bytes], trusted_nodes: Optional[Iterable[bytes]] = None) -> Enrolled:
    """Statement, countersignature and rotations, oldest first; without trusted nodes any node will do."""
    statement = open_enrolment(objects[0])
    node, answer = open_countersignature(objects[1], objects[0], statement)
    require(trusted_nodes is None or node in set(trusted_nodes), "enrolled-untrusted", "by a node not trusted")
    require(answer["decision"] == ACCEPTED, "enrolled-refused", "the node refused the device")
    rotations = _follow(objects[2:], statement, node)
    return Enrolled(
        network=statement["network"],
        node_key=node,
        first_key=statement["deviceKey"],
        recovery_key=statement["recoveryKey"],
        first_next_key_hash=statement["nextKeyHash"],
        decided_at=answer["decidedAtMs"],
        tier=statement["assuranceTier"],
        rotations=tuple(rotations),
    )


def _follow(objects: Sequence[bytes], statement: Fields, node: bytes) -> list[Rotation]:
    require(len(objects) <= MAX_ROTATIONS, "rotation-count", f"{len(objects)} rotations")
    found: list[Rotation] = []
    key, committed = statement["deviceKey"], statement["nextKeyHash"]
    used = [key, statement["recoveryKey"], node]
    for raw in objects:
        rotation = open_rotation(raw, statement["network"], key, committed)
        _check_unused(rotation, used)
        require(not found or found[-1].rotated_at <= rotation.rotated_at, "rotation-time", "back in time")
        found.append(rotation)
        key, committed = rotation.new_key, rotation.next_key_hash
        used.append(key)
    return found


def _check_unused(rotation: Rotation, used: Sequence[bytes]) -> None:
    require(rotation.new_key not in used, "rotation-used-key", "a rotation to a key that has another part")
    spent = {_sha256(key) for key in used}
    require(rotation.next_key_hash not in spent, "rotation-used-key", "a rotation towards such a key")


@dataclass(frozen=True)
class Revocation:
    """A revocation by a key that may revoke."""

    signer: bytes
    network: str
    device_key: bytes
    log_id: bytes
    epoch: int
    cut: int
    revoked_at: int
    reason: str


def open_revocation(raw: bytes, network: str, device_key: bytes, signers: Iterable[bytes]) -> Revocation:
    """A revocation of this device key in this network, by one of `signers`."""
    signed = cose.open_object(raw, "revocation", REVOCATION)
    f = signed.fields
    require(signed.kid != device_key, "revocation-own", "a key that revokes itself")
    require(signed.kid in set(signers), "revocation-signer", "by one who may not revoke")
    cose.check_key(signed.kid, "key that revokes")
    cose.check_signature(signed, signed.kid)
    require(f["network"] == network, "revocation-network", "of another network")
    require(f["deviceKey"] == device_key, "revocation-device-key", "of another device key")
    named = f["epoch"] > 0 and f["logId"] == log_id(network, device_key, f["epoch"])
    require(named, "revocation-log", "not a log of that key")
    return Revocation(
        signed.kid, network, device_key, f["logId"], f["epoch"], f["cutSize"], f["revokedAtMs"], f["reason"]
    )


def revoked_device_key(raw: bytes) -> bytes:
    """The device key that a revocation names, before anything of it is checked."""
    return bytes(cose.open_object(raw, "revocation", REVOCATION).fields["deviceKey"])
