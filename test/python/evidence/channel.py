"""The rules of one channel: readings, closes, breaks; sections "Interval closes" and "Breaks"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Optional

from .claim import BRIDGES, COARSE, ENDS, KNOWN_CLOCK, OPENS, boundary_reach
from .leaf import Leaf
from .problem import Problem, require

Registers = dict[str, int]

MIN_PAUSE_MS = 60_000
STATUS_MASK = 2**32 - 1
AT_METER_TIME = 16
LONGEST_LAG_MS = 60_000
SAME_METER = ("make", "model", "serial", "registers", "ctRatio", "vtRatio")


@dataclass(frozen=True)
class Mark:
    """A reading with registers, or the end of a close: where a chain stands."""

    seq: int
    time: int
    registers: Registers


@dataclass
class Chain:
    """A run of closes: where the next one opens, the last reading with registers, and what was counted since."""

    t0: int
    opening: Mark
    last: Mark
    opens: bool = True
    count: int = 0
    powers: list[int] = field(default_factory=list)
    status: int = 0
    stood: Optional[int] = None  # where it stood on the last known clock before one that was not
    lost_seq: int = -1  # the last clock step onto a clock that is not known

    def is_bridge(self) -> bool:
        """On a known clock: whether it goes on over a clock that was lost."""
        return self.stood is not None and self.stood <= self.t0

    def is_adrift(self) -> bool:
        """On a known clock: whether its last reading is from before the loss."""
        return self.is_bridge() and self.last.seq < self.lost_seq

    def has_moved(self) -> bool:
        """Whether a reading with registers was counted since it opened or last closed, by place."""
        return self.last.seq != self.opening.seq


@dataclass
class Channel:
    """What a log remembers of a channel."""

    manifest: Leaf
    chain: Optional[Chain] = None
    last_time: int = 0  # of its last leaf
    read_at: Optional[int] = None  # of its last reading or discontinuity
    last_registers: Optional[Registers] = None  # none behind a discontinuity
    awaited: Optional[Registers] = None  # what a discontinuity says that the next reading shows
    ended: bool = False  # by a partial close, and nothing has said why
    other_meter: bool = False  # the next reading with registers needs a discontinuity
    last_discontinuity: Optional[int] = None
    previous_close: Optional[int] = None
    last_clock_step: Optional[int] = None
    last_opaque: Optional[int] = None

    def quantities(self) -> list[str]:
        """The registers that the manifest in force names."""
        mask = self.manifest.fields["registers"]
        return [name for bit, name in ((1, "import"), (2, "export")) if mask & bit]

    def are_all(self, registers: Registers) -> bool:
        """Whether registers are exactly those of the manifest in force."""
        mask = sum({"import": 1, "export": 2}[name] for name in registers)
        return bool(mask == self.manifest.fields["registers"])

    def never_back(self, leaf: Leaf) -> None:
        """Rule 4, first half."""
        require(leaf.time >= self.last_time, "time-backwards", f"{leaf.time} after {self.last_time}")
        self.last_time = leaf.time


@dataclass(frozen=True)
class Context:
    """What of the log a channel's rules ask for."""

    interval_ms: int
    clock_known: bool


def registers_of(leaf: Leaf, prefix: str = "") -> Registers:
    """The registers that a leaf carries, by quantity."""
    found: Registers = {}
    for quantity in ("import", "export"):
        name = f"{prefix}{quantity.capitalize()}Mwh" if prefix else f"{quantity}Mwh"
        if name in leaf.fields:
            found[quantity] = leaf.fields[name]
    return found


def next_boundary(time: int, interval_ms: int) -> int:
    """The first multiple of the interval at or after a time."""
    return -(-time // interval_ms) * interval_ms


def due_boundary(channel: Channel, now: int, context: Context) -> Optional[int]:
    """The boundary at which a close is due when a leaf has the time `now`."""
    chain = channel.chain
    if chain is None or channel.ended or not context.clock_known or chain.is_adrift():
        return None
    boundary = next_boundary(chain.last.time, context.interval_ms)
    reach = boundary_reach(channel.manifest.fields["samplingMs"], context.interval_ms)
    near = boundary - chain.last.time <= reach
    return boundary if near and now > boundary > chain.t0 else None


def check_reading(channel: Channel, leaf: Leaf, context: Context) -> None:
    """Rules 4 to 6 for a reading."""
    _check_pause(channel, leaf, context)
    registers = registers_of(leaf)
    whole = not registers or channel.are_all(registers)
    require(whole, "registers-mismatch", "not the registers of the manifest")
    require(due_boundary(channel, leaf.time, context) is None, "close-missing", "a close is due")
    if registers:
        _check_registers(channel, registers)


def _check_pause(channel: Channel, leaf: Leaf, context: Context) -> None:
    limit = max(3 * context.interval_ms, MIN_PAUSE_MS)
    long = channel.read_at is not None and leaf.time - channel.read_at > limit
    require(not long, "gap-missing", "a pause without a discontinuity")


def _check_registers(channel: Channel, registers: Registers) -> None:
    require(not channel.ended, "discontinuity-missing", "a reading behind a partial close")
    require(not channel.other_meter, "discontinuity-missing", "another meter without a discontinuity")
    for quantity, value in registers.items():
        before = (channel.last_registers or {}).get(quantity, 0)
        require(value >= before, "register-drop", f"{quantity} falls from {before} to {value}")
    shown = channel.awaited is None or channel.awaited == registers
    require(shown, "leaf-mismatch", "not the registers that the discontinuity named")


def stated_time(leaf: Leaf) -> int:
    """The instant that a reading says its registers are of."""
    stated = leaf.get("meterTimeMs")
    if not leaf.fields.get("status", 0) & AT_METER_TIME or stated is None:
        return leaf.time
    believed = leaf.fields["timeQuality"] >= KNOWN_CLOCK and leaf.time - LONGEST_LAG_MS <= stated <= leaf.time
    return int(stated) if believed else leaf.time


def registers_time(leaf: Leaf, t0: Optional[int]) -> int:
    """The instant that a reading's registers count as of."""
    stated = stated_time(leaf)
    return leaf.time if t0 is None or stated == leaf.time else max(stated, t0)


def apply_reading(channel: Channel, leaf: Leaf) -> None:
    """Take a checked reading up."""
    registers = registers_of(leaf)
    channel.read_at = leaf.time
    mark = Mark(leaf.seq, registers_time(leaf, None if channel.chain is None else channel.chain.t0), registers)
    if registers:
        channel.last_registers, channel.awaited = registers, None
    if channel.chain is None:
        channel.chain = Chain(leaf.time, mark, mark) if registers else None
        return
    chain = channel.chain
    chain.last = mark if registers else chain.last
    chain.count += 1
    chain.status |= leaf.fields.get("status", 0) & STATUS_MASK
    if "activePowerMw" in leaf.fields:
        chain.powers.append(leaf.fields["activePowerMw"])


def extend_close(channel: Channel, leaf: Leaf, context: Context) -> None:
    """Check a close against what the leaves before give, and take it up."""
    chain = channel.chain
    if chain is None or channel.ended or not context.clock_known:
        raise Problem("close-unexpected", "no chain to close")
    if not leaf.fields.get("shape", 0) & BRIDGES:
        chain.stood = None
    t1 = due_boundary(channel, leaf.time, context)
    partial = t1 is None
    if t1 is None:
        wanted = chain.has_moved() and not chain.is_adrift() and leaf.fields.get("shape", 0) & ENDS
        require(bool(wanted), "close-unexpected", "no close is due here")
        t1 = chain.last.time
    expected = _close_fields(channel, chain, t1, context)
    if partial:
        expected["shape"] = expected.get("shape", 0) | ENDS
    for name in CLOSE_FIELDS:
        same = leaf.get(name) == expected.get(name)
        require(same, "leaf-mismatch", f"{name} is {leaf.get(name)!r}, not {expected.get(name)!r}")
    channel.previous_close = leaf.seq
    channel.ended = partial
    channel.chain = Chain(t1, replace(chain.last, time=t1), chain.last, opens=partial)


CLOSE_FIELDS = (
    "t0Ms", "t1Ms", "openingImportMwh", "closingImportMwh", "openingExportMwh", "closingExportMwh",
    "openingSeq", "closingSeq", "count", "minPowerMw", "maxPowerMw", "statusUnion", "lastDiscontinuitySeq",
    "manifestSeq", "manifestHash", "previousCloseSeq", "shape", "lastClockStepSeq", "lastOpaqueSeq",
)  # fmt: skip


def _close_fields(channel: Channel, chain: Chain, t1: int, context: Context) -> dict[str, Any]:
    """The table of section "Interval closes"; None and 0 where a field is absent."""
    shape = OPENS if chain.opens else 0
    shape |= BRIDGES if chain.is_bridge() else 0
    t0 = chain.stood if chain.is_bridge() and chain.stood is not None else chain.t0
    boundary = t0 // context.interval_ms * context.interval_ms
    shape |= COARSE if t1 - boundary > context.interval_ms else 0
    fields: dict[str, Any] = {
        "t0Ms": t0,
        "t1Ms": t1,
        "openingSeq": chain.opening.seq,
        "closingSeq": chain.last.seq,
        "count": chain.count,
        "minPowerMw": min(chain.powers, default=None),
        "maxPowerMw": max(chain.powers, default=None),
        "statusUnion": chain.status or None,
        "lastDiscontinuitySeq": channel.last_discontinuity,
        "manifestSeq": channel.manifest.seq,
        "manifestHash": channel.manifest.hash,
        "previousCloseSeq": channel.previous_close,
        "lastClockStepSeq": channel.last_clock_step,
        "lastOpaqueSeq": channel.last_opaque,
    }
    for quantity in channel.quantities():
        fields[f"opening{quantity.capitalize()}Mwh"] = chain.opening.registers[quantity]
        fields[f"closing{quantity.capitalize()}Mwh"] = chain.last.registers[quantity]
    return {**fields, "shape": shape} if shape else fields


def check_partial_close(channel: Channel, context: Context) -> None:
    """A break must not stand before the partial close of what was counted."""
    chain = channel.chain
    open_still = chain is not None and not channel.ended and chain.has_moved() and not chain.is_adrift()
    require(not (open_still and context.clock_known), "close-missing", "a partial close comes first")


def extend_discontinuity(channel: Channel, leaf: Leaf, context: Context) -> None:
    """Section "Breaks", discontinuity."""
    require(channel.read_at is not None, "discontinuity-unexpected", "there is nothing to break")
    require(due_boundary(channel, leaf.time, context) is None, "close-missing", "a close is due")
    check_partial_close(channel, context)
    _check_discontinuity(channel, leaf)
    channel.awaited = registers_of(leaf, "new") or None
    channel.last_discontinuity = leaf.seq
    channel.read_at = leaf.time
    channel.chain, channel.last_registers = None, None
    channel.ended = channel.other_meter = False


def _check_discontinuity(channel: Channel, leaf: Leaf) -> None:
    f = leaf.fields
    old, new = registers_of(leaf, "old"), registers_of(leaf, "new")
    require(old == (channel.last_registers or {}), "leaf-mismatch", "old registers are not those last read")
    require(f["gapFromMs"] == channel.read_at, "leaf-mismatch", "gapFrom is not the last reading's time")
    require(f["gapFromMs"] <= f["gapToMs"] <= leaf.time, "leaf-mismatch", "gapTo lies outside")
    same = leaf.get("previousDiscontinuitySeq") == channel.last_discontinuity
    require(same, "leaf-mismatch", "another previous discontinuity")
    whole = not new or channel.are_all(new)
    require(whole, "registers-mismatch", "new registers are not those of the manifest")


def extend_manifest(channel: Channel, leaf: Leaf, context: Context) -> None:
    """A further manifest of a channel: the same meter, or another one."""
    check_partial_close(channel, context)
    same = all(channel.manifest.get(name) == leaf.get(name) for name in SAME_METER)
    channel.manifest = leaf
    channel.ended = False
    if same:
        go_on(channel, context)
    else:
        channel.chain = None
        channel.other_meter = channel.last_registers is not None


def go_on(channel: Channel, context: Context) -> None:
    """On a known clock a new chain goes on from the last register at the last t1; on another one nothing ends."""
    chain = channel.chain
    if chain is None or not context.clock_known or (chain.is_adrift() and chain.has_moved()):
        return
    channel.chain = Chain(chain.t0, chain.last, chain.last, stood=chain.stood, lost_seq=chain.lost_seq)


def extend_clock_step(channel: Channel, leaf: Leaf, context: Context) -> None:
    """Every time that the channel remembers moves onto the new clock, but not where a lost one left a chain."""
    check_partial_close(channel, context)
    becomes_unknown = context.clock_known and leaf.fields["timeQuality"] < KNOWN_CLOCK
    shift = leaf.time - leaf.fields["beforeMs"]

    def moved(time: int) -> int:
        return leaf.time if becomes_unknown else max(min(time + shift, leaf.time), 0)

    channel.last_time = moved(channel.last_time)
    channel.read_at = None if channel.read_at is None else moved(channel.read_at)
    channel.last_clock_step = leaf.seq
    channel.ended = False
    go_on(channel, context)
    chain = channel.chain
    if chain is None:
        return
    if becomes_unknown:
        chain.stood = chain.t0 if chain.stood is None else min(chain.stood, chain.t0)
    if leaf.fields["timeQuality"] < KNOWN_CLOCK:
        chain.lost_seq = leaf.seq
    chain.t0 = moved(chain.t0)
    chain.last = replace(chain.last, time=moved(chain.last.time))
