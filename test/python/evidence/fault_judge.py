"""The verdict of a fault file; section "Judging a fault"."""

from __future__ import annotations

from typing import Any, Optional

from .fault_closes import broken_rule
from .fault_file import (
    FaultFile,
    KeyRecord,
    fork_rule,
    key_record,
    raw_leaf_rule,
    read_fault_file,
    shown_leaves,
    two_epochs_rule,
)
from .fault_rules import Shown
from .judge import Policy
from .problem import Problem, require

GUILTY = {"retired-key": "holder of the retired key"}


def verify_fault(raw: bytes, policy: Policy) -> dict[str, Any]:
    """What a fault file shows, and for whom; raises Problem for a file that is not sound or shows nothing."""
    file = read_fault_file(raw)
    record = key_record(file) if file.name == "key" else KeyRecord()
    rule = _key_rule(file, record, policy) if file.name == "key" else _rule(file)
    f = file.fields
    return {
        "valid": True,
        "fault": file.name,
        "rule": rule,
        "guilty": GUILTY.get(rule, "nobody") if file.name == "key" else "device key",
        "network": f["network"],
        "deviceKey": f["deviceKey"].hex(),
        "epoch": f["epoch"],
        "trust": _trust(file, record, policy),
        "networkMeant": policy.network in (None, f["network"]),
    }


def _rule(file: FaultFile) -> str:
    if file.name == "fork":
        return fork_rule(file)
    if file.name == "two-epochs":
        return two_epochs_rule(file)
    if "index" in file.fields:
        return raw_leaf_rule(file)
    f = file.fields
    rule = broken_rule(Shown(f["network"], f["deviceKey"], f["epoch"], file.checkpoint, shown_leaves(file)))
    if rule is None:
        raise Problem("fault-nothing", "the leaves break no rule that can be shown")
    return rule


def _trust(file: FaultFile, record: KeyRecord, policy: Policy) -> str:
    if file.fields["deviceKey"] in policy.device_keys:
        return "device"
    enrolled = record.enrolled is not None and record.enrolled.node_key in policy.node_keys
    return "enrolled" if enrolled else "none"


def _key_rule(file: FaultFile, record: KeyRecord, policy: Policy) -> str:
    """The first of the list that applies."""
    f, size = file.fields, file.checkpoint.size
    if policy.network not in (None, f["network"]):
        return "wrong-network"
    left = record.enrolled.left_by(f["deviceKey"]) if record.enrolled is not None else None
    if left is not None and _is_beyond((f["epoch"], size), (left.epoch, left.size)):
        return "retired-key"
    if _trust(file, record, policy) == "none":
        return "unknown-key"
    recovery: Optional[bytes] = record.enrolled.recovery_key if record.enrolled is not None else None
    may_revoke = [r for r in record.revocations if r.signer == recovery or r.signer in policy.registrars]
    beyond = any(_is_beyond((f["epoch"], size), (r.epoch, r.cut)) for r in may_revoke)
    require(beyond, "fault-nothing", "the key may be used so")
    return "revoked-key"


def _is_beyond(used: tuple[int, int], allowed: tuple[int, int]) -> bool:
    """Whether an epoch and size lie in a later epoch, or above the size in that epoch."""
    return used > allowed
