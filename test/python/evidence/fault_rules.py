"""What shown leaves tell, and the rules that they can break; section "Rules for leaves"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Iterator, Optional

from .channel import SAME_METER, STATUS_MASK, Registers, registers_of
from .claim import BRIDGES, COARSE, ENDS, KNOWN_CLOCK, OPENS
from .leaf import (
    CHANNEL_MANIFEST,
    CLOCK_STEP,
    CLOSE,
    DISCONTINUITY,
    FLEXIBILITY,
    LOG_MANIFEST,
    OPAQUE_KINDS,
    READING,
    Leaf,
)
from .objects import Checkpoint

MASKS = {"import": 1, "export": 2}
MIN_INTERVAL_MS = 1000
MIN_PAUSE_MS = 60_000
KNOWN_SHAPES = COARSE | OPENS | ENDS | BRIDGES


def mask_of(registers: Registers) -> int:
    """1 for import and 2 for export, added."""
    return sum(MASKS[name] for name in registers)


def is_known(leaf: Leaf) -> bool:
    """A time quality of 2 or more."""
    return bool(leaf.fields["timeQuality"] >= KNOWN_CLOCK)


def moved(time: int, step: Leaf) -> int:
    """A time, on the clock behind a clock step."""
    if step.fields["beforeQuality"] >= KNOWN_CLOCK and not is_known(step):
        return step.time
    return max(step.time + min(time - int(step.fields["beforeMs"]), 0), 0)


@dataclass(frozen=True)
class Told:
    """What a run tells of a channel before one of its leaves; None for what it does not tell."""

    last: Optional[int] = None
    heard: Optional[int] = None
    registers: Optional[Registers] = None
    broken: Optional[Leaf] = None
    counts: Optional[int] = None


@dataclass
class Shown:
    """The leaves of a file, and what follows from them."""

    network: str
    key: bytes
    epoch: int
    checkpoint: Checkpoint
    leaves: list[Leaf]
    at: dict[int, Leaf] = field(default_factory=dict)
    told: dict[int, Told] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = {leaf.seq: leaf for leaf in self.leaves}
        channels: dict[int, Told] = {}
        for leaf in self.leaves:
            if leaf.seq - 1 not in self.at:
                channels = {}
            if "channel" in leaf.fields:
                self.told[leaf.seq] = channels.get(leaf.fields["channel"], Told())
            self._take(leaf, channels)

    def _take(self, leaf: Leaf, channels: dict[int, Told]) -> None:
        if leaf.kind == CLOCK_STEP:
            for number, told in channels.items():
                last = None if told.last is None else moved(told.last, leaf)
                heard = None if told.heard is None else moved(told.heard, leaf)
                channels[number] = Told(last, heard, told.registers, told.broken, told.counts)
        elif "channel" in leaf.fields:
            channels[leaf.fields["channel"]] = _after(self.told[leaf.seq], leaf)

    @property
    def interval(self) -> Optional[int]:
        """I, where leaf 0 tells it."""
        first = self.at.get(0)
        if first is None or first.kind != LOG_MANIFEST or first.fields["intervalMs"] < MIN_INTERVAL_MS:
            return None
        return int(first.fields["intervalMs"])

    def between(self, low: int, high: int, wanted: Callable[[Leaf], bool]) -> Iterator[Leaf]:
        """Shown leaves behind `low` and before `high` of a kind that is wanted."""
        return (leaf for leaf in self.leaves if low < leaf.seq < high and wanted(leaf))

    def all_shown(self, low: int, high: int) -> bool:
        """Whether there is no hole from `low` to `high`."""
        return high - low < len(self.leaves) and all(seq in self.at for seq in range(low, high + 1))

    def now(self, time: int, seq: int, close: Leaf) -> Optional[int]:
        """A time that the leaf at `seq` tells, on the clock of a close; None where no rule uses it."""
        step_seq = close.get("lastClockStepSeq")
        if step_seq is None or step_seq < seq:
            return time
        if not self.all_shown(seq, close.seq):
            return None
        for step in self.between(seq, close.seq, lambda leaf: leaf.kind == CLOCK_STEP):
            time = moved(time, step)
        return time

    def stood(self, time: int, seq: int, close: Leaf) -> Optional[int]:
        """Where a chain stood that began then, by the first clock that was lost before a close; None for no such clock."""
        found: Optional[int] = None
        for step in self.between(seq, close.seq, lambda leaf: leaf.kind == CLOCK_STEP):
            if step.fields["beforeQuality"] >= KNOWN_CLOCK and not is_known(step):
                found = time if found is None else min(found, time)
            time = moved(time, step)
        return None if found is None or found > time else found


def _after(told: Told, leaf: Leaf) -> Told:
    """What is told behind a leaf of a channel."""
    last, heard, registers, broken, counts = told.last, told.heard, told.registers, told.broken, told.counts
    last = leaf.time
    if leaf.kind in (READING, DISCONTINUITY):
        heard = leaf.time
    if leaf.kind == CHANNEL_MANIFEST:
        counts = leaf.fields["registers"]
    elif leaf.kind == DISCONTINUITY:
        registers, broken = None, leaf
    elif is_counter(leaf):
        registers, broken = registers_of(leaf), None
        counts = mask_of(registers)
    return Told(last, heard, registers, broken, counts)


def is_counter(leaf: Leaf) -> bool:
    """A reading with at least one register."""
    return leaf.kind == READING and bool(registers_of(leaf))


def manifest_missing(shown: Shown, leaf: Leaf) -> bool:
    """Leaf 0 is no log manifest."""
    return leaf.seq == 0 and leaf.kind != LOG_MANIFEST


def manifest_identity(shown: Shown, leaf: Leaf) -> bool:
    """Leaf 0 names another network, epoch or key."""
    named = (leaf.get("network"), leaf.get("epoch"), leaf.get("deviceKey"))
    return leaf.seq == 0 and leaf.kind == LOG_MANIFEST and named != (shown.network, shown.epoch, shown.key)


def manifest_interval(shown: Shown, leaf: Leaf) -> bool:
    """Leaf 0 names an interval that is too short."""
    return leaf.seq == 0 and leaf.kind == LOG_MANIFEST and leaf.fields["intervalMs"] < MIN_INTERVAL_MS


def manifest_twice(shown: Shown, leaf: Leaf) -> bool:
    """A log manifest above 0."""
    return leaf.seq > 0 and leaf.kind == LOG_MANIFEST


def checkpoint_manifest(shown: Shown, leaf: Leaf) -> bool:
    """Leaf 0 is not the one that the checkpoint names."""
    return leaf.seq == 0 and leaf.hash != shown.checkpoint.manifest_hash


def checkpoint_time(shown: Shown, leaf: Leaf) -> bool:
    """The last leaf has another time than the checkpoint says."""
    return leaf.seq == shown.checkpoint.size - 1 and leaf.time != shown.checkpoint.time


def time_quality(shown: Shown, leaf: Leaf) -> bool:
    """The clock becomes known or unknown from one leaf to the next, which is no clock step."""
    before = shown.at.get(leaf.seq - 1)
    return before is not None and leaf.kind != CLOCK_STEP and is_known(before) != is_known(leaf)


def clock_step(shown: Shown, leaf: Leaf) -> bool:
    """A clock step from another quality."""
    before = shown.at.get(leaf.seq - 1)
    if before is None or leaf.kind != CLOCK_STEP:
        return False
    return bool(leaf.fields["beforeQuality"] != before.fields["timeQuality"])


def time_backwards(shown: Shown, leaf: Leaf) -> bool:
    """Earlier than the channel's last leaf."""
    last = shown.told[leaf.seq].last if leaf.seq in shown.told else None
    return last is not None and leaf.time < last


def gap_missing(shown: Shown, leaf: Leaf) -> bool:
    """A pause that is too long."""
    if leaf.kind != READING or shown.interval is None:
        return False
    heard = shown.told[leaf.seq].heard
    return heard is not None and leaf.time > heard + max(3 * shown.interval, MIN_PAUSE_MS)


def register_drop(shown: Shown, leaf: Leaf) -> bool:
    """A register that falls."""
    if leaf.kind != READING:
        return False
    before = shown.told[leaf.seq].registers or {}
    return any(value < before[name] for name, value in registers_of(leaf).items() if name in before)


def registers_mismatch(shown: Shown, leaf: Leaf) -> bool:
    """Other registers than the channel counts."""
    if leaf.kind not in (READING, DISCONTINUITY):
        return False
    counts = shown.told[leaf.seq].counts
    mask = mask_of(registers_of(leaf, "new" if leaf.kind == DISCONTINUITY else ""))
    return counts is not None and mask not in (0, counts)


def announced_registers(shown: Shown, leaf: Leaf) -> bool:
    """Not what the discontinuity before it announced."""
    broken = shown.told[leaf.seq].broken if is_counter(leaf) else None
    announced = {} if broken is None else registers_of(broken, "new")
    return bool(announced) and announced != registers_of(leaf)


def discontinuity_registers(shown: Shown, leaf: Leaf) -> bool:
    """Old registers that are not those last read."""
    if leaf.kind != DISCONTINUITY:
        return False
    told, old = shown.told[leaf.seq], registers_of(leaf, "old")
    if told.registers is not None and old != told.registers:
        return True
    return told.broken is not None and bool(old)


def discontinuity_gap(shown: Shown, leaf: Leaf) -> bool:
    """A gap that does not begin at the last reading, or ends elsewhere."""
    if leaf.kind != DISCONTINUITY:
        return False
    heard, gap_from, gap_to = shown.told[leaf.seq].heard, leaf.fields["gapFromMs"], leaf.fields["gapToMs"]
    return (heard is not None and gap_from != heard) or not gap_from <= gap_to <= leaf.time


def names_wrongly(
    shown: Shown, leaf: Leaf, named: Optional[int], wanted: Callable[[Leaf], bool], begin: int = -1
) -> bool:
    """Whether a reference is broken "in the same way"; `begin` is what a missing one stands for."""
    if named is not None:
        there = shown.at.get(named)
        if named >= leaf.seq or (there is not None and not wanted(there)):
            return True
    low = begin if named is None else named
    return next(shown.between(low, leaf.seq, wanted), None) is not None


def of(leaf: Leaf, kind: int) -> Callable[[Leaf], bool]:
    """Leaves of a kind, of the same channel."""
    channel = leaf.fields["channel"]
    return lambda other: other.kind == kind and other.fields["channel"] == channel


def discontinuity_previous(shown: Shown, leaf: Leaf) -> bool:
    """A discontinuity that names another than the one before it."""
    if leaf.kind != DISCONTINUITY:
        return False
    return names_wrongly(shown, leaf, leaf.get("previousDiscontinuitySeq"), of(leaf, DISCONTINUITY))


def manifest_wrong(shown: Shown, leaf: Leaf) -> bool:
    named = leaf.fields["manifestSeq"]
    if names_wrongly(shown, leaf, named, of(leaf, CHANNEL_MANIFEST)):
        return True
    return named in shown.at and shown.at[named].hash != leaf.fields["manifestHash"]


def flexibility_manifest(shown: Shown, leaf: Leaf) -> bool:
    """A flexibility reading under another manifest."""
    return leaf.kind == FLEXIBILITY and manifest_wrong(shown, leaf)


def same_meter(first: Leaf, second: Leaf) -> bool:
    """Whether two manifests are of one meter."""
    return all(first.get(name) == second.get(name) for name in SAME_METER)


def status_of(leaf: Leaf) -> int:
    """The status bits that a close sums up."""
    return int(leaf.fields.get("status", 0)) & STATUS_MASK


def is_opaque(leaf: Leaf) -> bool:
    """Kinds 32 to 63."""
    return leaf.kind in OPAQUE_KINDS


def is_clock_step(leaf: Leaf) -> bool:
    """Kind 5."""
    return leaf.kind == CLOCK_STEP


def is_close(leaf: Leaf) -> bool:
    """A close that this version may judge."""
    return leaf.kind == CLOSE and not leaf.fields.get("shape", 0) & ~KNOWN_SHAPES
