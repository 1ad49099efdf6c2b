"""The verdict of a proof file as plain values, for printing; section "Verdict"."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from .claim import COARSE, QUANTITIES, Claim, Segment, claim_id, claimed, energy_wh, meter_of, meter_runs, read_claim
from .identity import fingerprint
from .judge import Bounds, Judgement, Policy, check_enrolment, judge
from .proof_file import ProofFile, read_proof_file

ROLES = {1: "grid", 2: "generation", 3: "storage", 4: "load", 5: "compute"}
NOT_SHOWN = ("seq", "timeMs", "timeQuality", "status", "salt", "channel", "manifestSeq", "manifestHash")


def verify(raw: bytes, policy: Policy) -> dict[str, Any]:
    """The verdict of a valid proof; raises Problem for any other."""
    proof = read_proof_file(raw)
    claim = read_claim(proof.parts)
    check_enrolment(proof)
    judgement = judge(proof, claim, policy)
    names = ("opening", "closing") if claim.segments else ("reading",)
    return {
        "valid": True,
        **_who(proof, claim, judgement),
        **(_energy(proof, claim) if claim.segments else _flexibility(claim)),
        "edges": [_edge(name, bounds) for name, bounds in zip(names, judgement.bounds)],
    }


def sentence(verdict: dict[str, Any]) -> str:
    """What a verdict begins with."""
    if verdict["trust"] != "none":
        return str(verdict["standing"])
    return f"consistent, signed by an unknown key {fingerprint(bytes.fromhex(verdict['deviceKey']))}"


def _who(proof: ProofFile, claim: Claim, judgement: Judgement) -> dict[str, Any]:
    part, fields = proof.parts[0], claim.manifest.fields
    enrolled = judgement.enrolled_tier
    known = {
        "trust": judgement.trust,
        "standing": judgement.standing,
        "network": part.network,
        "deviceKey": part.key.hex(),
        "epochs": [p.epoch for p in proof.parts],
        "tier": min([p.tier for p in proof.parts] + ([] if enrolled is None else [enrolled])),
        "meter": {name: fields[name] for name in ("make", "model", "serial")},
        "channel": {
            "number": fields["channel"],
            "name": fields["name"],
            "role": ROLES.get(fields["role"], fields["role"]),
        },
    }
    by = judgement.enrolled_by
    return known if by is None else {**known, "enrolledBy": by.hex()}


def _energy(proof: ProofFile, claim: Claim) -> dict[str, Any]:
    segments = claim.segments
    found = {
        "claim": "energy",
        "fromMs": claim.edges[0].time,
        "toMs": claim.edges[1].time,
        "segments": len(segments),
        "coarse": any(end.fields.get("shape", 0) & COARSE for s in segments for end in (s.first, s.last)),
        "opaque": any(_holds_opaque(segments, index) for index in range(len(proof.parts))),
        "gaps": _gaps(proof, segments),
        "clockSteps": _clock_steps(segments),
    }
    return found | {quantity: _quantity(claim, quantity) for quantity in QUANTITIES if claimed(claim, quantity)}


def _quantity(claim: Claim, quantity: str) -> dict[str, Any]:
    first, last = claim.segments[0].registers(quantity), claim.segments[-1].registers(quantity)
    assert first is not None and last is not None
    return {
        "openingMwh": first[0],
        "closingMwh": last[1],
        "wh": energy_wh(claim, quantity),
        "claimIds": [_claim_id(run, quantity) for run in meter_runs(claim.segments)],
    }


def _claim_id(run: Sequence[Segment], quantity: str) -> dict[str, Any]:
    make, serial = meter_of(run[0])
    span = {"fromMs": run[0].t0, "toMs": run[-1].t1}
    return {"id": claim_id(quantity, run).hex(), "make": make, "serial": serial, **span}


def _between(before: Segment, after: Segment) -> dict[str, Any]:
    return {"fromMs": before.t1, "toMs": after.t0}


def _differ(before: Segment, after: Segment, name: str) -> bool:
    return bool(before.last.get(name) != after.first.get(name))


def _gaps(proof: ProofFile, segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """What lies between segments on both sides of a discontinuity or of an epoch."""
    found: list[dict[str, Any]] = []
    for before, after in zip(segments, segments[1:]):
        if before.part != after.part:
            found.append({**_between(before, after), "epoch": proof.parts[after.part].epoch})
        elif _differ(before, after, "lastDiscontinuitySeq"):
            clock_set = {"clockSet": True} if _differ(before, after, "lastClockStepSeq") else {}
            found.append({**_between(before, after), **clock_set})
    return found


def _clock_steps(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """Where the clock was set and the register went on."""
    pairs = [(a, b) for a, b in zip(segments, segments[1:]) if a.part == b.part and a.t1 != b.t0]
    return [_between(a, b) for a, b in pairs if not _differ(a, b, "lastDiscontinuitySeq")]


def _holds_opaque(segments: Sequence[Segment], part: int) -> bool:
    """Whether the last close of a part names a leaf of kinds 32 to 63 behind the part's opening reading."""
    of_part = [segment for segment in segments if segment.part == part]
    last: Optional[int] = of_part[-1].last.get("lastOpaqueSeq")
    return last is not None and last > of_part[0].first.fields["openingSeq"]


def _flexibility(claim: Claim) -> dict[str, Any]:
    leaf = claim.flexibility
    assert leaf is not None
    shown = {name: value for name, value in leaf.fields.items() if name not in NOT_SHOWN}
    plain = {name: value.hex() if isinstance(value, bytes) else value for name, value in shown.items()}
    return {"claim": "flexibility", "atMs": leaf.time, "flexibility": plain}


def _edge(name: str, bounds: Bounds) -> dict[str, Any]:
    times = {"timeMs": bounds.edge.time, "notBeforeMs": bounds.not_before, "notAfterMs": bounds.not_after}
    return {"edge": name, **{key: time for key, time in times.items() if time is not None}}
