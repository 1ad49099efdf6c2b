"""How each object of the published vectors is checked: its input and policy to what is expected of it."""

from __future__ import annotations

from typing import Any, Callable

from . import cose, identity, key_life, log_rules, objects, tree
from .fault_judge import verify_fault
from .judge import TOLERANCE_MS, Policy
from .leaf import OPAQUE_KINDS, Leaf, decode_leaf
from .leaf_fields import KINDS
from .problem import require
from .verdict import verify

Given = dict[str, Any]


def _bytes(given: Given, name: str) -> bytes:
    return bytes.fromhex(given[name])


def _keys(given: Given, name: str) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(key) for key in given.get(name, ()))


def plain(value: Any) -> Any:
    """Bytes as hexadecimal text, in records and lists, too."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: plain(content) for name, content in value.items()}
    return [plain(content) for content in value] if isinstance(value, list) else value


def _self_described(value: Any) -> Any:
    """A value of the body of a leaf of kinds 32 to 63; section "JSON for people"."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {str(key): _self_described(content) for key, content in value.items()}
    return [_self_described(content) for content in value] if isinstance(value, list) else value


def leaf_json(leaf: Leaf) -> Given:
    """A leaf by its names; section "JSON for people"."""
    shown: Given = plain(leaf.fields)
    if leaf.extensions:
        shown["extensions"] = {str(key): content.hex() for key, content in leaf.extensions.items()}
    if leaf.kind in OPAQUE_KINDS:
        return {"kind": "opaque", "number": leaf.kind, **shown, "body": _self_described(leaf.body)}
    first, *rest = KINDS[leaf.kind][0].split("-")
    return {"kind": first + "".join(word.capitalize() for word in rest), **shown}


def leaf(given: Given, _: Given) -> Given:
    """One leaf."""
    found = decode_leaf(_bytes(given, "leaf"))
    return {"leaf": leaf_json(found), "leafHash": found.hash.hex()}


def log_id(given: Given, _: Given) -> Given:
    """The id of a log."""
    return {"logId": identity.log_id(given["network"], _bytes(given, "deviceKey"), given["epoch"]).hex()}


def checkpoint(given: Given, _: Given) -> Given:
    """A checkpoint of a log that is known."""
    key = _bytes(given, "deviceKey")
    cose.check_key(key, "device key")
    named = identity.log_id(given["network"], key, given["epoch"])
    objects.open_checkpoint(_bytes(given, "checkpoint"), key, named)
    f = cose.open_object(_bytes(given, "checkpoint"), "checkpoint", objects.CHECKPOINT).fields
    return _renamed(f, {"timeMs": "lastLeafMs"})


def receipt(given: Given, _: Given) -> Given:
    """A receipt of a node that is known."""
    found = objects.open_receipt(_bytes(given, "receipt"), node=_bytes(given, "nodeKey"))
    return dict(plain({
        "manifestHash": found.manifest_hash,
        "size": found.size,
        "root": found.root,
        "receivedAtMs": found.received_at,
        "ruleVersion": found.rule_version,
    }))  # fmt: skip


def hello(given: Given, _: Given) -> Given:
    """A hello of one of two sides, with all the terms of the connection."""
    names = ("deviceKey", "nodeKey", "deviceNonce", "nodeNonce")
    terms = {"network": given["network"], **{name: _bytes(given, name) for name in names}}
    objects.check_hello(_bytes(given, "hello"), given["role"], terms)
    return {}


def enrolment(given: Given, _: Given) -> Given:
    """A statement, and the terms that a node compares where they are given."""
    names = ("deviceKey", "nodeKey", "nodeNonce", "manifestHash")
    terms: Given = {name: _bytes(given, name) for name in names if name in given}
    if "network" in given:
        terms["network"] = given["network"]
    return dict(plain(key_life.open_enrolment(_bytes(given, "statement"), terms)))


def countersignature(given: Given, _: Given) -> Given:
    """The answer of a node that is known."""
    statement = _bytes(given, "statement")
    node = _bytes(given, "nodeKey")
    answered = key_life.open_enrolment(statement)
    return dict(plain(
        key_life.open_countersignature(_bytes(given, "countersignature"), statement, answered, node)[1]
    ))  # fmt: skip


def rotation(given: Given, _: Given) -> Given:
    """A rotation away from a key that is known."""
    return _rotation(
        key_life.open_rotation(
            _bytes(given, "rotation"), given["network"], _bytes(given, "oldKey"), _bytes(given, "nextKeyHash")
        ),
        given["network"],
    )


def _rotation(found: key_life.Rotation, network: str) -> Given:
    return dict(plain({
        "network": network,
        "oldKey": found.old_key,
        "newKey": found.new_key,
        "nextKeyHash": found.next_key_hash,
        "rotatedAtMs": found.rotated_at,
        "lastLogId": found.log_id,
        "lastEpoch": found.epoch,
        "lastSize": found.size,
    }))  # fmt: skip


def enrolled_key(given: Given, policy: Given) -> Given:
    """The key that an enrolment leads to."""
    parts = [given["statement"], given["countersignature"], *given["rotations"]]
    found = key_life.enrolled_key([bytes.fromhex(part) for part in parts], _keys(policy, "nodeKeys"))
    former = [
        {
            "deviceKey": left.old_key,
            "lastLogId": left.log_id,
            "lastEpoch": left.epoch,
            "lastSize": left.size,
            "rotatedAtMs": left.rotated_at,
        }
        for left in found.rotations
    ]
    return dict(plain({
        "network": found.network,
        "nodeKey": found.node_key,
        "enrolledAtMs": found.decided_at,
        "recoveryKey": found.recovery_key,
        "deviceKey": found.key,
        "nextKeyHash": found.next_key_hash,
        "formerKeys": former,
    }))  # fmt: skip


def revocation(given: Given, policy: Given) -> Given:
    """A revocation of a key that is known."""
    signers = _keys(policy, "registrarKeys")
    if "recoveryKey" in given:
        signers |= {_bytes(given, "recoveryKey")}
    found = key_life.open_revocation(
        _bytes(given, "revocation"), given["network"], _bytes(given, "deviceKey"), signers
    )
    return dict(plain({
        "network": found.network,
        "deviceKey": found.device_key,
        "logId": found.log_id,
        "epoch": found.epoch,
        "cutSize": found.cut,
        "revokedAtMs": found.revoked_at,
        "reason": found.reason,
    }))  # fmt: skip


def inclusion(given: Given, _: Given) -> Given:
    """One leaf under a root."""
    path = [bytes.fromhex(text) for text in given["proof"]]
    place = (given["leafIndex"], given["treeSize"])
    good = tree.verify_inclusion(*place, _bytes(given, "leafHash"), path, _bytes(given, "root"))
    require(good, "inclusion", "the path does not lead to the root")
    return {}


def consistency(given: Given, _: Given) -> Given:
    """A log that grew."""
    path = [bytes.fromhex(text) for text in given["proof"]]
    sizes = (given["size1"], given["size2"])
    good = tree.verify_consistency(sizes, (_bytes(given, "root1"), _bytes(given, "root2")), path)
    require(good, "consistency", "the path does not lead to both roots")
    return {}


def multiproof(given: Given, _: Given) -> Given:
    """Several leaves under a root, and the roots at cuts."""
    leaves = [(found["index"], _bytes(found, "hash")) for found in given["leaves"]]
    hashes = b"".join(bytes.fromhex(text) for text in given["proof"])
    folded = tree.fold_multiproof(given["size"], leaves, given["cuts"], hashes)
    require(folded.root == _bytes(given, "root"), "proof-root", "another root")
    return {"cutRoots": [{"size": cut, "root": root.hex()} for cut, root in folded.cuts.items()]}


def frontier(given: Given, _: Given) -> Given:
    """Leaves appended to a tree of which only the peaks are known."""
    grown = tree.from_frontier(given["size"], [bytes.fromhex(peak) for peak in given["peaks"]])
    for raw in given["leaves"]:
        grown.append(tree.leaf_hash(bytes.fromhex(raw)))
    root = grown.root()
    return {"size": grown.size, "root": root.hex(), "peaks": [peak.hex() for peak in grown.peaks]}


def batch(given: Given, _: Given) -> Given:
    """Batches of one log, one after another."""
    key = _bytes(given, "deviceKey")
    cose.check_key(key, "device key")
    log = log_rules.Log(given["network"], key, given["epoch"])
    for sent in given["batches"]:
        log = log_rules.verify_batch(log, _bytes(sent, "checkpoint"), _bytes(sent, "leaves"))[0]
    return {"size": log.tree.size, "root": log.tree.root().hex(), "lastLeafMs": log.last_time}


def proof(given: Given, policy: Given) -> Given:
    """A proof file."""
    return verify(_bytes(given, "proof"), policy_of(policy))


def fault(given: Given, policy: Given) -> Given:
    """A fault file."""
    return verify_fault(_bytes(given, "fault"), policy_of(policy))


def policy_of(policy: Given) -> Policy:
    """What is trusted, as a vector says it."""
    return Policy(
        device_keys=_keys(policy, "deviceKeys"),
        node_keys=_keys(policy, "nodeKeys"),
        network=policy.get("network"),
        witnesses=policy["witnesses"],
        revocations=tuple(bytes.fromhex(text) for text in policy.get("revocations", ())),
        registrars=_keys(policy, "registrarKeys"),
        tolerance_ms=policy.get("clockToleranceMs", TOLERANCE_MS),
    )


def _renamed(fields: Given, names: dict[str, str]) -> Given:
    return {names.get(name, name): plain(value) for name, value in fields.items()}


OBJECTS: dict[str, Callable[[Given, Given], Given]] = {
    "leaf": leaf,
    "log-id": log_id,
    "checkpoint": checkpoint,
    "receipt": receipt,
    "hello": hello,
    "enrolment": enrolment,
    "countersignature": countersignature,
    "rotation": rotation,
    "enrolled-key": enrolled_key,
    "revocation": revocation,
    "inclusion": inclusion,
    "consistency": consistency,
    "multiproof": multiproof,
    "frontier": frontier,
    "batch": batch,
    "proof": proof,
    "fault": fault,
}
