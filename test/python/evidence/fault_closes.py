"""The rules of section "Rules for leaves" that closes can break, and all rules in their order."""

from __future__ import annotations

from typing import Callable, Optional

from . import fault_rules as rules
from .channel import registers_of, stated_time
from .claim import BRIDGES, COARSE, ENDS, KNOWN_CLOCK, OPENS, boundary_reach
from .fault_rules import Shown, is_counter, status_of
from .leaf import CHANNEL_MANIFEST, CLOCK_STEP, CLOSE, DISCONTINUITY, READING, Leaf

Rule = Callable[[Shown, Leaf], bool]


def _shape(close: Leaf) -> int:
    return int(close.fields.get("shape", 0))


def _counter_of(close: Leaf) -> Callable[[Leaf], bool]:
    channel = close.fields["channel"]
    return lambda leaf: is_counter(leaf) and leaf.fields["channel"] == channel


def close_itself(shown: Shown, close: Leaf) -> bool:
    """What one close alone contradicts."""
    return _order_wrong(close) or _times_wrong(close) or _values_wrong(close)


def _order_wrong(close: Leaf) -> bool:
    f = close.fields
    opening, closing, ends = f["openingSeq"], f["closingSeq"], bool(_shape(close) & ENDS)
    bridges = bool(_shape(close) & BRIDGES)
    return (
        closing >= close.seq
        or opening > closing
        or (opening == closing and ends)
        or f.get("lastDiscontinuitySeq", -1) >= opening
        or ("previousCloseSeq" not in f and not _shape(close) & OPENS)
        or (bridges and not (_shape(close) & OPENS and f.get("lastClockStepSeq", -1) > opening))
        or f["count"] > close.seq - opening - 1
    )


def _times_wrong(close: Leaf) -> bool:
    t0, t1, ends = close.fields["t0Ms"], close.fields["t1Ms"], bool(_shape(close) & ENDS)
    in_order = t0 <= t1 <= close.time if ends else t0 < t1 < close.time
    return not rules.is_known(close) or not in_order


def _values_wrong(close: Leaf) -> bool:
    f = close.fields
    if f.get("shape") == 0 or f.get("statusUnion") == 0:
        return True
    opening, closing = registers_of(close, "opening"), registers_of(close, "closing")
    if set(opening) != set(closing) or any(closing[name] < opening[name] for name in opening):
        return True
    low, high = f.get("minPowerMw"), f.get("maxPowerMw")
    if low is None and high is None:
        return False
    return low is None or high is None or bool(low > high) or f["count"] == 0


def close_manifest(shown: Shown, close: Leaf) -> bool:
    """A close under another manifest."""
    return rules.manifest_wrong(shown, close)


def close_discontinuity(shown: Shown, close: Leaf) -> bool:
    """Another last discontinuity."""
    return rules.names_wrongly(shown, close, close.get("lastDiscontinuitySeq"), rules.of(close, DISCONTINUITY))


def _open(shown: Shown, close: Leaf) -> int:
    """From where on the channel is open for sure."""
    channel = close.fields["channel"]
    first = next(leaf.seq for leaf in shown.leaves if leaf.get("channel") == channel)
    f = close.fields
    named = (f["manifestSeq"], f["openingSeq"], f.get("previousCloseSeq", first))
    return int(min(first, *named))


def close_clock_step(shown: Shown, close: Leaf) -> bool:
    """Another last clock step."""
    named = close.get("lastClockStepSeq")
    return rules.names_wrongly(shown, close, named, rules.is_clock_step, _open(shown, close))


def close_opaque(shown: Shown, close: Leaf) -> bool:
    """Another last leaf of kinds 32 to 63."""
    named = close.get("lastOpaqueSeq")
    return rules.names_wrongly(shown, close, named, rules.is_opaque, _open(shown, close))


def close_previous(shown: Shown, close: Leaf) -> bool:
    """Another previous close."""
    return rules.names_wrongly(shown, close, close.get("previousCloseSeq"), rules.of(close, CLOSE))


def opens_at_reading(close: Leaf) -> bool:
    """Whether the first counter behind the discontinuity opened the chain."""
    previous = close.get("previousCloseSeq")
    return previous is None or close.fields.get("lastDiscontinuitySeq", -1) > previous


def _reading_wrong(shown: Shown, close: Leaf, end: str) -> bool:
    reading = shown.at.get(close.fields[f"{end}Seq"])
    if reading is None:
        return False
    return not _counter_of(close)(reading) or registers_of(reading) != registers_of(close, end)


def close_opening(shown: Shown, close: Leaf) -> bool:
    """Not the opening reading, or not the first one."""
    if _reading_wrong(shown, close, "opening"):
        return True
    low = close.fields.get("lastDiscontinuitySeq", -1)
    earlier = shown.between(low, close.fields["openingSeq"], _counter_of(close))
    return opens_at_reading(close) and next(earlier, None) is not None


def close_closing(shown: Shown, close: Leaf) -> bool:
    """Not the closing reading, or not the last one."""
    if _reading_wrong(shown, close, "closing"):
        return True
    return next(shown.between(close.fields["closingSeq"], close.seq, _counter_of(close)), None) is not None


def previous_of(shown: Shown, close: Leaf) -> Optional[Leaf]:
    """The shown close of the channel that a close names as its previous, unless it is of a later version."""
    found = shown.at.get(close.fields.get("previousCloseSeq", -1))
    return found if found is not None and rules.of(close, CLOSE)(found) and rules.is_close(found) else None


def close_chain(shown: Shown, close: Leaf) -> bool:
    """A close that does not follow the one before it."""
    before = previous_of(shown, close)
    if before is None:
        return False
    for name in ("lastDiscontinuitySeq", "lastClockStepSeq", "lastOpaqueSeq", "manifestSeq"):
        if close.get(name) != before.get(name) and (name not in close.fields or close.fields[name] <= before.seq):
            return True
    names = ("lastDiscontinuitySeq", "lastClockStepSeq", "manifestSeq")
    goes_on = all(close.get(name) == before.get(name) for name in names)
    if goes_on and (_shape(before) & ENDS or _shape(close) & OPENS):
        return True
    if not goes_on and not _shape(close) & OPENS:
        return True
    if close.get("lastDiscontinuitySeq") != before.get("lastDiscontinuitySeq"):
        return False
    same = close.fields["openingSeq"] == before.fields["closingSeq"]
    return not same or registers_of(close, "opening") != registers_of(before, "closing")


def close_meter(shown: Shown, close: Leaf) -> bool:
    """One chain over two meters."""
    before = previous_of(shown, close)
    if before is None or before.get("lastDiscontinuitySeq") != close.get("lastDiscontinuitySeq"):
        return False
    manifests = [shown.at.get(leaf.fields["manifestSeq"]) for leaf in (before, close)]
    shown_ones = [leaf for leaf in manifests if leaf is not None and leaf.kind == CHANNEL_MANIFEST]
    return len(shown_ones) == 2 and not rules.same_meter(*shown_ones)


def close_begin(shown: Shown, close: Leaf) -> bool:
    """t0 is neither the opening reading's time nor the t1 before."""
    told = _begin(shown, close)
    if told is None:
        return False
    time, seq = told
    if not _shape(close) & BRIDGES:
        begin = shown.now(time, seq, close)
        return begin is not None and bool(close.fields["t0Ms"] != begin)
    return shown.all_shown(seq, close.seq) and bool(close.fields["t0Ms"] != shown.stood(time, seq, close))


def _begin(shown: Shown, close: Leaf) -> Optional[tuple[int, int]]:
    """When the chain began, by the leaf that tells it, and that leaf's seq."""
    if opens_at_reading(close):
        reading = shown.at.get(close.fields["openingSeq"])
        return None if reading is None else (reading.time, reading.seq)
    before = previous_of(shown, close)
    if before is None or before.get("lastDiscontinuitySeq") != close.get("lastDiscontinuitySeq"):
        return None
    return int(before.fields["t1Ms"]), before.seq


def _last_reading(shown: Shown, close: Leaf) -> Optional[int]:
    """L, the closing reading's time on the clock of the close."""
    reading = shown.at.get(close.fields["closingSeq"])
    if reading is None:
        return None
    stated = stated_time(reading)
    is_opening = reading.seq == close.fields["openingSeq"]
    if stated == reading.time or (is_opening and opens_at_reading(close)):
        return shown.now(reading.time, reading.seq, close)
    if is_opening:
        return _last_before(shown, close)
    stand, now = _stand(shown, close), shown.now(stated, reading.seq, close)
    return None if stand is None or now is None else max(now, stand)


def _last_before(shown: Shown, close: Leaf) -> Optional[int]:
    """L of the close before, which ends at the same reading, on the clock of this one."""
    before = previous_of(shown, close)
    if before is None or before.fields["closingSeq"] != close.fields["openingSeq"]:
        return None
    last = _last_reading(shown, before)
    return None if last is None else shown.now(last, before.seq, close)


def _stand(shown: Shown, close: Leaf) -> Optional[int]:
    """Where the chain stood before the close, on its clock."""
    if not _shape(close) & BRIDGES:
        return int(close.fields["t0Ms"])
    begin = _begin(shown, close)
    return None if begin is None else shown.now(begin[0], begin[1], close)


def close_end(shown: Shown, close: Leaf) -> bool:
    """t1 before the closing reading, or elsewhere than it where the chain ends."""
    last, t1 = _last_reading(shown, close), close.fields["t1Ms"]
    if last is None:
        return False
    return bool(t1 < last or (t1 != last and _shape(close) & ENDS))


def close_boundary(shown: Shown, close: Leaf) -> bool:
    """Not at the boundary where it is due."""
    interval, last, t1 = shown.interval, _last_reading(shown, close), close.fields["t1Ms"]
    if interval is None:
        return False
    ends = bool(_shape(close) & ENDS)
    if not ends and t1 % interval != 0:
        return True
    if last is None:
        return False
    boundary = -(-last // interval) * interval
    manifest = shown.at.get(close.fields["manifestSeq"])
    reach = None
    if manifest is not None and manifest.kind == CHANNEL_MANIFEST:
        reach = boundary_reach(manifest.fields["samplingMs"], interval)
    if not ends:
        return bool(t1 != boundary or (reach is not None and boundary - last > reach))
    if _shape(close) & BRIDGES and boundary == last:
        return False
    due = close.fields["t0Ms"] < boundary < close.time
    return due and reach is not None and boundary - last <= reach


def close_coarse(shown: Shown, close: Leaf) -> bool:
    """Coarse, or not, against what the boundaries say."""
    interval, t0, t1 = shown.interval, close.fields["t0Ms"], close.fields["t1Ms"]
    return interval is not None and bool(_shape(close) & COARSE) != (t1 - (t0 - t0 % interval) > interval)


def close_readings(shown: Shown, close: Leaf) -> bool:
    """A reading that was counted, and that minimum, maximum or status union leave out."""
    f = close.fields
    names = ("openingSeq", "manifestSeq", "previousCloseSeq", "lastClockStepSeq")
    low = max(f.get(name, -1) for name in names)
    return any(_is_left_out(close, reading) for reading in shown.between(low, close.seq, rules.of(close, READING)))


def _is_left_out(close: Leaf, reading: Leaf) -> bool:
    f, power = close.fields, reading.get("activePowerMw")
    if power is not None and not ("minPowerMw" in f and f["minPowerMw"] <= power):
        return True
    if power is not None and not ("maxPowerMw" in f and power <= f["maxPowerMw"]):
        return True
    return bool(status_of(reading) & ~int(f.get("statusUnion", 0)))


def close_count(shown: Shown, close: Leaf) -> bool:
    """Not what counting gives, where everything is shown."""
    f = close.fields
    if not shown.all_shown(f["openingSeq"], close.seq):
        return False
    readings: list[Leaf] = []
    closing = f["openingSeq"]
    for leaf in shown.between(f["openingSeq"], close.seq, lambda _: True):
        if _begins_again(leaf, f["channel"], closing > f["openingSeq"]):
            readings = []
        elif rules.of(close, READING)(leaf):
            readings.append(leaf)
            closing = leaf.seq if is_counter(leaf) else closing
    powers = [leaf.fields["activePowerMw"] for leaf in readings if "activePowerMw" in leaf.fields]
    status = 0
    for leaf in readings:
        status |= status_of(leaf)
    counted = (closing, len(readings), min(powers, default=None), max(powers, default=None), status)
    said = (f["closingSeq"], f["count"], close.get("minPowerMw"), close.get("maxPowerMw"), f.get("statusUnion", 0))
    return counted != said


def _begins_again(leaf: Leaf, channel: int, counted: bool) -> bool:
    if leaf.kind == CLOCK_STEP:
        return bool(leaf.fields["beforeQuality"] >= KNOWN_CLOCK) and not counted
    if leaf.get("channel") != channel:
        return False
    return leaf.kind == CLOSE or (leaf.kind == CHANNEL_MANIFEST and rules.is_known(leaf) and not counted)


LEAF_RULES: tuple[tuple[str, Rule], ...] = (
    ("manifest-missing", rules.manifest_missing),
    ("manifest-identity", rules.manifest_identity),
    ("manifest-interval", rules.manifest_interval),
    ("manifest-twice", rules.manifest_twice),
    ("checkpoint-manifest", rules.checkpoint_manifest),
    ("checkpoint-time", rules.checkpoint_time),
    ("time-quality", rules.time_quality),
    ("clock-step", rules.clock_step),
    ("time-backwards", rules.time_backwards),
    ("gap-missing", rules.gap_missing),
    ("register-drop", rules.register_drop),
    ("registers-mismatch", rules.registers_mismatch),
    ("announced-registers", rules.announced_registers),
    ("discontinuity-registers", rules.discontinuity_registers),
    ("discontinuity-gap", rules.discontinuity_gap),
    ("close-itself", close_itself),
    ("discontinuity-previous", rules.discontinuity_previous),
    ("flexibility-manifest", rules.flexibility_manifest),
    ("close-manifest", close_manifest),
    ("close-discontinuity", close_discontinuity),
    ("close-clock-step", close_clock_step),
    ("close-opaque", close_opaque),
    ("close-previous", close_previous),
    ("close-opening", close_opening),
    ("close-closing", close_closing),
    ("close-chain", close_chain),
    ("close-meter", close_meter),
    ("close-begin", close_begin),
    ("close-end", close_end),
    ("close-boundary", close_boundary),
    ("close-coarse", close_coarse),
    ("close-readings", close_readings),
    ("close-count", close_count),
)


def broken_rule(shown: Shown) -> Optional[str]:
    """The first rule that a shown leaf breaks: rules in their order, each of the leaves by ascending seq."""
    for code, rule in LEAF_RULES:
        for leaf in shown.leaves:
            if code.startswith("close-") and not rules.is_close(leaf):
                continue
            if rule(shown, leaf):
                return code
    return None
