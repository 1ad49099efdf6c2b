"""What a proof claims: segments, gaps and edges; steps 8 to 13."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Optional, Sequence

from . import cbor
from .leaf import CHANNEL_MANIFEST, CLOSE, DISCONTINUITY, EPOCH_OPEN, FLEXIBILITY, ANCHOR, Leaf
from .problem import Problem, require
from .proof_file import Part

COARSE, OPENS, ENDS, BRIDGES = 1, 2, 4, 16
KNOWN_CLOCK = 2
MIN_REACH_MS = 30_000
MAX_SLACK_MS = 1_800_000
QUANTITIES = {"import": "Import", "export": "Export"}


@dataclass(frozen=True)
class Edge:
    """One end of a claim: the part and seq of its reading, and its time by the device's clock.

    Of energy also the seq of the close that names the reading, and by how much the reading may be older than
    the time.
    """

    part: int
    seq: int
    time: int
    close_seq: Optional[int] = None
    slack_ms: int = 0


@dataclass(frozen=True)
class Segment:
    """The part of one chain within the claim."""

    part: int
    first: Leaf
    last: Leaf
    manifest: Leaf

    @property
    def t0(self) -> int:
        """Where it opens, by the device's clock."""
        return int(self.first.fields["t0Ms"])

    @property
    def t1(self) -> int:
        """Where it closes."""
        return int(self.last.fields["t1Ms"])

    def registers(self, quantity: str) -> Optional[tuple[int, int]]:
        """Opening and closing register in mWh, where the segment has both."""
        opening = self.first.get(f"opening{QUANTITIES[quantity]}Mwh")
        closing = self.last.get(f"closing{QUANTITIES[quantity]}Mwh")
        return None if opening is None or closing is None else (opening, closing)


@dataclass(frozen=True)
class Claim:
    """Energy (segments) or one flexibility reading, with its edges and what each part claims last."""

    edges: tuple[Edge, ...]
    manifest: Leaf
    segments: tuple[Segment, ...] = ()
    flexibility: Optional[Leaf] = None

    def span_of(self, part: int) -> tuple[int, int, int]:
        """Seq of the first edge and of the last edge of a part, and of its last claimed leaf."""
        if self.flexibility is not None:
            return self.flexibility.seq, self.flexibility.seq, self.flexibility.seq
        of_part = [segment for segment in self.segments if segment.part == part]
        first, last = of_part[0].first, of_part[-1].last
        return first.fields["openingSeq"], last.fields["closingSeq"], last.seq


def read_claim(parts: Sequence[Part]) -> Claim:
    """The claim of checked parts."""
    _check_epochs(parts)
    if any(part.of_kind(FLEXIBILITY) for part in parts):
        claim = _flexibility(parts)
    else:
        claim = _energy(parts)
    _check_edges(parts, claim)
    return claim


def _check_epochs(parts: Sequence[Part]) -> None:
    """Step 8."""
    require(not parts[0].of_kind(EPOCH_OPEN), "proof-leaf", "an epoch open leaf in the first part")
    for before, part in zip(parts, parts[1:]):
        same = part.network == before.network and part.key == before.key and part.epoch > before.epoch
        require(same, "proof-epoch", "not a later epoch of the same key and network")
        opens = part.of_kind(EPOCH_OPEN)
        require(bool(opens), "proof-epoch", "a later part without its epoch open leaf")
        checkpoint = before.checkpoint
        named = tuple(opens[0].get(name) for name in ("oldLogId", "oldSize", "oldRoot"))
        continued = (checkpoint.log_id, checkpoint.size, checkpoint.root)
        require(named == continued, "proof-epoch", "the epoch continues another checkpoint")


def _flexibility(parts: Sequence[Part]) -> Claim:
    """Step 9."""
    require(len(parts) == 1, "proof-leaf", "a flexibility reading in one of several parts")
    part = parts[0]
    found = part.of_kind(FLEXIBILITY, CLOSE, DISCONTINUITY)
    require(len(found) == 1, "proof-leaf", "leaves beside the one flexibility reading")
    leaf = found[0]
    known = leaf.fields["timeQuality"] >= KNOWN_CLOCK
    require(known, "proof-time", "a flexibility reading by a clock that was not known")
    manifest = part.manifest(leaf.fields["manifestSeq"], leaf.fields["manifestHash"])
    _check_channel_manifest(leaf, manifest)
    require(len(part.manifests) == 2, "proof-leaf", "a channel manifest that nothing names")
    return Claim((Edge(0, leaf.seq, leaf.time),), manifest, flexibility=leaf)


def _check_channel_manifest(leaf: Leaf, manifest: Leaf) -> None:
    same = manifest.fields["channel"] == leaf.fields["channel"] and manifest.kind == CHANNEL_MANIFEST
    require(same, "proof-manifest", "the manifest of another channel")


def _energy(parts: Sequence[Part]) -> Claim:
    """Steps 10 to 12."""
    of_parts = [_segments_of(index, part) for index, part in enumerate(parts)]
    for part, segments in zip(parts, of_parts):
        _check_between_segments(part, segments)
    found = [segment for segments in of_parts for segment in segments]
    first, last = found[0], found[-1]
    for segment in found:
        _check_rising(segment)
        within = first.t0 <= segment.t0 and segment.t1 <= last.t1
        require(within, "proof-cover", "a segment reaches beyond the claim")
    for segments in of_parts[1:]:
        _check_between_parts(found[: found.index(segments[0])], segments[0])
    opening = _edge(parts, first, first.first, "opening")
    closing = _edge(parts, last, last.last, "closing")
    return Claim((opening, closing), last.manifest, segments=tuple(found))


def _edge(parts: Sequence[Part], segment: Segment, close: Leaf, which: str) -> Edge:
    sampling = segment.manifest.fields["samplingMs"]
    slack = min(boundary_reach(sampling, parts[segment.part].interval_ms), MAX_SLACK_MS)
    time = segment.t0 if which == "opening" else segment.t1
    return Edge(segment.part, close.fields[f"{which}Seq"], time, close.seq, slack)


def boundary_reach(sampling_ms: int, interval_ms: int) -> int:
    """How far a boundary reading may lie from its boundary; section "Interval closes"."""
    return min(max(2 * sampling_ms, MIN_REACH_MS), interval_ms // 2)


def _segments_of(index: int, part: Part) -> list[Segment]:
    """Step 10."""
    channels = {leaf.fields["channel"] for leaf in part.of_kind(CLOSE, DISCONTINUITY)}
    require(len(channels) <= 1, "proof-channel", "closes and discontinuities of several channels")
    runs: list[list[Leaf]] = []
    for close in part.of_kind(CLOSE):
        _check_ascending(close)
        if runs and _same_segment(runs[-1][-1], close):
            runs[-1].append(close)
            continue
        chained = not runs or close.get("previousCloseSeq") == runs[-1][-1].seq
        require(chained, "proof-chain", "a segment that does not follow the one before")
        runs.append([close])
    require(bool(runs), "proof-cover", "no close")
    segments = [_segment(index, part, run) for run in runs]
    named = {segment.manifest.seq for segment in segments}
    require(named == {leaf.seq for leaf in part.manifests[1:]}, "proof-leaf", "a manifest that nothing names")
    return segments


def _check_ascending(close: Leaf) -> None:
    """A close lies behind its closing reading, which is not before its opening one, and behind its discontinuity."""
    f = close.fields
    good = f["openingSeq"] <= f["closingSeq"] < close.seq and f["t0Ms"] <= f["t1Ms"]
    require(good, "proof-chain", "a close that ends before it begins")
    ahead = f.get("lastDiscontinuitySeq", -1) >= close.seq
    require(not ahead, "proof-chain", "a close that names a discontinuity behind itself")


def _same_segment(first: Leaf, second: Leaf) -> bool:
    names = ("lastDiscontinuitySeq", "lastClockStepSeq", "manifestSeq", "manifestHash")
    same = all(first.get(name) == second.get(name) for name in names)
    unbroken = not first.fields.get("shape", 0) & ENDS and not second.fields.get("shape", 0) & OPENS
    return same and unbroken and first.fields["t1Ms"] <= second.fields["t0Ms"]


def _segment(index: int, part: Part, run: Sequence[Leaf]) -> Segment:
    manifest = part.manifest(run[-1].fields["manifestSeq"], run[-1].fields["manifestHash"])
    _check_channel_manifest(run[-1], manifest)
    return Segment(index, run[0], run[-1], manifest)


def _check_rising(segment: Segment) -> None:
    for quantity in QUANTITIES:
        registers = segment.registers(quantity)
        require(registers is None or registers[0] <= registers[1], "proof-energy", f"{quantity} falls")


def _check_between_segments(part: Part, segments: Sequence[Segment]) -> None:
    """Step 11."""
    left = {leaf.seq: leaf for leaf in part.of_kind(DISCONTINUITY)}
    for before, after in zip(segments, segments[1:]):
        if not _walk_back(before.last, after.first, left):
            _check_goes_on(before.last, after.first)
        clock_set = before.last.get("lastClockStepSeq") != after.first.get("lastClockStepSeq")
        require(clock_set or before.t1 <= after.t0, "proof-chain", "a segment begins before the one before ended")
    require(not left, "proof-leaf", "a discontinuity that lies between no segments")


def _walk_back(before: Leaf, after: Leaf, left: dict[int, Leaf]) -> bool:
    """Take the discontinuities between two closes out of `left`; false if there are none."""
    known = before.get("lastDiscontinuitySeq")
    at, limit, found = after.get("lastDiscontinuitySeq"), after.seq, False
    while at != known:
        leaf = None if at is None or at >= limit else left.pop(at, None)
        if leaf is None:
            raise Problem("proof-chain", f"the discontinuity at seq {at} is missing")
        at, limit, found = leaf.get("previousDiscontinuitySeq"), leaf.seq, True
    return found


def _check_goes_on(before: Leaf, after: Leaf) -> None:
    """Without a discontinuity registers go on where they were, and the time does unless the clock was set."""
    for quantity in QUANTITIES.values():
        same = before.get(f"closing{quantity}Mwh") == after.get(f"opening{quantity}Mwh")
        require(same, "proof-chain", "registers do not go on, and no discontinuity says why")
    set_since = before.get("lastClockStepSeq") != after.get("lastClockStepSeq")
    same = before.fields["t1Ms"] == after.fields["t0Ms"]
    require(set_since or same, "proof-chain", "the time does not go on, and no clock step says why")


def _check_between_parts(before: Sequence[Segment], after: Segment) -> None:
    """Step 12, of all segments of the parts before and the first of the next part."""
    old, new = before[-1].manifest.fields, after.manifest.fields
    same = (old["name"], old["role"]) == (new["name"], new["role"])
    require(same, "proof-channel", "another channel in another epoch")
    require(after.t0 >= before[-1].t1, "proof-epoch", "an epoch opens before the one before it closed")
    of_meter = [segment for segment in before if meter_of(segment) == meter_of(after)]
    for quantity in QUANTITIES:
        if of_meter:
            _check_not_below(of_meter[-1].registers(quantity), after.registers(quantity))


def _check_not_below(before: Optional[tuple[int, int]], after: Optional[tuple[int, int]]) -> None:
    good = before is None or after is None or after[0] >= before[1]
    require(good, "proof-epoch", "a register opens below where the epoch before closed it")


def _check_edges(parts: Sequence[Part], claim: Claim) -> None:
    """Step 13."""
    for index, part in enumerate(parts):
        first, last, _ = claim.span_of(index)
        for anchor in part.of_kind(ANCHOR):
            require(anchor.seq < last, "proof-anchor", "an anchor above the last edge")
        for receipt in part.receipts:
            require(receipt.size > first, "receipt-mismatch", "a receipt below the first edge")


def meter_of(segment: Segment) -> tuple[str, str]:
    """Make and serial."""
    return segment.manifest.fields["make"], segment.manifest.fields["serial"]


def claimed(claim: Claim, quantity: str) -> bool:
    """Whether every segment has the quantity."""
    return bool(claim.segments) and all(segment.registers(quantity) is not None for segment in claim.segments)


def energy_wh(claim: Claim, quantity: str) -> Optional[int]:
    """The Wh of a claim, or nothing where it is not claimed."""
    if not claimed(claim, quantity):
        return None
    pairs = (segment.registers(quantity) for segment in claim.segments)
    return sum(pair[1] // 1000 - pair[0] // 1000 for pair in pairs if pair is not None)


def meter_runs(segments: Sequence[Segment]) -> list[list[Segment]]:
    """The runs of segments of one make and serial."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if runs and meter_of(runs[-1][-1]) == meter_of(segment):
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs


def claim_id(quantity: str, run: Sequence[Segment]) -> bytes:
    """SHA-256 over the CBOR array of the document, for one run."""
    make, serial = meter_of(run[0])
    terms: list[cbor.Value] = ["kilowitness/1 claim", make, serial, quantity, run[0].t0, run[-1].t1]
    return hashlib.sha256(cbor.encode(terms)).digest()
