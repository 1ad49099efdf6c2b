"""Judging a claim against what a verifier trusts; section "Judging" and "Verdict"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional, Sequence

from .claim import Claim, Edge
from .key_life import Enrolled, Revocation, enrolled_key, open_revocation, revoked_device_key
from .objects import Receipt
from .problem import Problem, require
from .proof_file import Part, ProofFile

TOLERANCE_MS = 120_000
KNOWN_RULE_VERSION = 1


@dataclass(frozen=True)
class Policy:
    """What is trusted; it comes from outside the file."""

    device_keys: frozenset[bytes] = frozenset()
    node_keys: frozenset[bytes] = frozenset()
    network: Optional[str] = None
    witnesses: int = 1
    revocations: tuple[bytes, ...] = ()
    registrars: frozenset[bytes] = frozenset()
    tolerance_ms: int = TOLERANCE_MS


@dataclass(frozen=True)
class Bounds:
    """Between which instants an edge was written, by trusted nodes' clocks; None where nothing bounds it."""

    edge: Edge
    not_before: Optional[int] = None
    not_after: Optional[int] = None

    @property
    def contradicted(self) -> bool:
        """Whether the device's clock lies outside, if only by what the tolerance allows."""
        early = self.not_before is not None and self.edge.time < self.not_before
        return early or (self.not_after is not None and self.edge.time > self.not_after)


@dataclass(frozen=True)
class Judgement:
    """What the policy makes of a claim."""

    trust: str
    witnesses: int
    standing: str
    bounds: tuple[Bounds, ...]
    enrolled_by: Optional[bytes] = None
    enrolled_tier: Optional[int] = None


def check_enrolment(proof: ProofFile) -> Optional[Enrolled]:
    """Step 14: sound under the node key that it names, and leading to the device key."""
    if not proof.enrolment:
        return None
    require(len(proof.enrolment) >= 2, "proof-enrolment", "a statement without its countersignature")
    enrolled = enrolled_key(proof.enrolment)
    part = proof.parts[0]
    leads = enrolled.network == part.network and part.key in enrolled.keys
    require(leads, "proof-enrolment", "the enrolment does not lead to the device key")
    return enrolled


def judge(proof: ProofFile, claim: Claim, policy: Policy) -> Judgement:
    """Section "Judging", in its order."""
    parts = proof.parts
    require(policy.network in (None, parts[0].network), "wrong-network", f"network {parts[0].network}")
    if not policy.device_keys and not policy.node_keys:
        return Judgement("none", 0, "device-asserted", tuple(Bounds(edge) for edge in claim.edges))
    enrolled = _trusted_enrolment(proof, policy)
    _check_trusted_key(parts, enrolled, policy)
    _check_revocations(parts, claim, enrolled, policy)
    witnesses = min(len(_witness_times(part, claim.span_of(i)[2], policy)) for i, part in enumerate(parts))
    bounds = tuple(_bounds(edge, parts, policy) for edge in claim.edges)
    for bound in bounds:
        _check_time(bound, policy.tolerance_ms)
    trust = "device" if parts[0].key in policy.device_keys else "enrolled"
    node = enrolled.node_key if enrolled is not None and trust == "enrolled" else None
    tier = None if enrolled is None else enrolled.tier
    return Judgement(trust, witnesses, standing_of(witnesses, policy.witnesses), bounds, node, tier)


def standing_of(witnesses: int, asked: int) -> str:
    """The table of section "Verdict"."""
    if witnesses == 0:
        return "device-asserted"
    return "witnessed" if witnesses >= asked else "single witness"


def _trusted_enrolment(proof: ProofFile, policy: Policy) -> Optional[Enrolled]:
    enrolled = check_enrolment(proof)
    return enrolled if enrolled is not None and enrolled.node_key in policy.node_keys else None


def _check_trusted_key(parts: Sequence[Part], enrolled: Optional[Enrolled], policy: Policy) -> None:
    key = parts[0].key
    by_enrolment = enrolled is not None and key in enrolled.keys
    require(key in policy.device_keys or by_enrolment, "untrusted-key", "the device key is not trusted")
    left = enrolled.left_by(key) if enrolled is not None else None
    if left is None:
        return
    for part in parts:
        within = part.epoch < left.epoch or (part.epoch == left.epoch and part.checkpoint.size <= left.size)
        require(within, "retired-key", "a checkpoint beyond what the rotation names")


def _check_revocations(
    parts: Sequence[Part], claim: Claim, enrolled: Optional[Enrolled], policy: Policy
) -> None:
    network, key = parts[0].network, parts[0].key
    signers = set(policy.registrars) | ({enrolled.recovery_key} if enrolled is not None else set())
    for raw in policy.revocations:
        if revoked_device_key(raw) != key:
            continue
        revocation = open_revocation(raw, network, key, signers)
        for index, part in enumerate(parts):
            times = _witness_times(part, claim.span_of(index)[2], policy)
            if not is_valid_under(part, times.values(), revocation, policy.witnesses):
                raise Problem("revoked-key", "the evidence is void under a revocation")


def is_valid_under(part: Part, times: Iterable[int], revocation: Revocation, asked: int) -> bool:
    """Whether evidence stays valid; `times` has the earliest receipt of each trusted node over it."""
    same_log = part.log_id == revocation.log_id and part.checkpoint.size <= revocation.cut
    before = sum(1 for time in times if time < revocation.revoked_at)
    return (same_log or part.epoch < revocation.epoch) and before >= max(asked, 1)


def _witness_times(part: Part, last_claimed_seq: int, policy: Policy) -> dict[bytes, int]:
    """The trusted nodes whose receipts cover the last claimed leaf, each with its earliest time."""
    times: dict[bytes, int] = {}
    for receipt in part.receipts:
        if receipt.size > last_claimed_seq and _counts(receipt, policy):
            times[receipt.node] = min(receipt.received_at, times.get(receipt.node, receipt.received_at))
    return times


def _bounds(edge: Edge, parts: Sequence[Part], policy: Policy) -> Bounds:
    above: dict[bytes, int] = {}
    below: dict[bytes, int] = {}
    for index, part in enumerate(parts):
        if index == edge.part and not _is_witnessed(edge, part, policy):
            continue
        for receipt in part.receipts:
            later = receipt.size > (edge.seq if index == edge.part else 1) and index >= edge.part
            if later and _counts(receipt, policy):
                above[receipt.node] = min(receipt.received_at, above.get(receipt.node, receipt.received_at))
        for anchor, receipt in part.anchors():
            earlier = index < edge.part or (index == edge.part and anchor.seq < edge.seq)
            if earlier and _counts(receipt, policy):
                below[receipt.node] = max(receipt.received_at, below.get(receipt.node, receipt.received_at))
    asked = max(policy.witnesses, 1)
    return Bounds(edge, _kth(sorted(below.values(), reverse=True), asked), _kth(sorted(above.values()), asked))


def _counts(receipt: Receipt, policy: Policy) -> bool:
    """Whether a receipt is by a trusted node, under rules that this verifier knows."""
    return receipt.node in policy.node_keys and receipt.rule_version == KNOWN_RULE_VERSION


def _is_witnessed(edge: Edge, part: Part, policy: Policy) -> bool:
    """Whether a trusted node holds the close that names the edge's reading."""
    close = edge.close_seq
    return close is None or any(receipt.size > close and _counts(receipt, policy) for receipt in part.receipts)


def _kth(times: Sequence[int], asked: int) -> Optional[int]:
    """The k-th of sorted times, or the last where there are fewer."""
    return times[min(asked, len(times)) - 1] if times else None


def _check_time(bound: Bounds, tolerance_ms: int) -> None:
    time = bound.edge.time
    early = bound.not_before is not None and time < bound.not_before - tolerance_ms
    late = bound.not_after is not None and time > bound.not_after + bound.edge.slack_ms + tolerance_ms
    require(not early and not late, "proof-time", "the device's clock is contradicted by trusted nodes")
