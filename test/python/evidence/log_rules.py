"""The rules of a log, leaf by leaf; section "Rules of a log"."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from . import tree
from .channel import (
    Channel,
    Context,
    apply_reading,
    check_reading,
    extend_clock_step,
    extend_close,
    extend_discontinuity,
    extend_manifest,
)
from .claim import KNOWN_CLOCK
from .identity import log_id
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
    decode_first_leaf,
)
from .objects import Checkpoint, open_checkpoint
from .problem import Problem, require

MAX_CHANNELS = 256
MIN_INTERVAL_MS = 1000
MAX_BATCH_LEAVES = 4096


@dataclass
class Log:
    """The state of a log of one network, key and epoch."""

    network: str
    key: bytes
    epoch: int
    interval_ms: int = 0
    tree: tree.Tree = field(default_factory=tree.Tree)
    manifest_hash: bytes = b""
    last_time: int = 0
    quality: int = 0
    channels: dict[int, Channel] = field(default_factory=dict)

    @property
    def id(self) -> bytes:
        """The log id."""
        return log_id(self.network, self.key, self.epoch)

    @property
    def context(self) -> Context:
        """What a channel's rules ask for."""
        return Context(self.interval_ms, self.quality >= KNOWN_CLOCK)


def extend(log: Log, leaf: Leaf) -> None:
    """One leaf more, or the Problem that refuses it; after a Problem the state must not be used."""
    require(leaf.seq == log.tree.size, "seq", f"seq {leaf.seq}, expected {log.tree.size}")
    if leaf.seq == 0:
        _open_log(log, leaf)
    else:
        _check_time_quality(log, leaf)
        _extend_kind(log, leaf)
    log.tree.append(leaf.hash)
    log.last_time, log.quality = leaf.time, leaf.fields["timeQuality"]


def _open_log(log: Log, leaf: Leaf) -> None:
    require(leaf.kind == LOG_MANIFEST, "manifest-missing", "leaf 0 is no log manifest")
    f = leaf.fields
    same = (f["network"], f["deviceKey"], f["epoch"]) == (log.network, log.key, log.epoch)
    require(same, "manifest-identity", "the manifest of another log")
    require(f["intervalMs"] >= MIN_INTERVAL_MS, "manifest-interval", f"an interval of {f['intervalMs']} ms")
    log.interval_ms, log.manifest_hash = f["intervalMs"], leaf.hash


def _check_time_quality(log: Log, leaf: Leaf) -> None:
    if leaf.kind == CLOCK_STEP:
        same = leaf.fields["beforeQuality"] == log.quality
        require(same, "clock-step", "not the quality that was before")
        return
    crosses = (leaf.fields["timeQuality"] >= KNOWN_CLOCK) != (log.quality >= KNOWN_CLOCK)
    require(not crosses, "time-quality", "the clock becomes known or unknown without a clock step")


def _extend_kind(log: Log, leaf: Leaf) -> None:
    require(leaf.kind != LOG_MANIFEST, "manifest-twice", "a second log manifest")
    if leaf.kind == CLOCK_STEP:
        for channel in log.channels.values():
            extend_clock_step(channel, leaf, log.context)
    elif leaf.kind == CHANNEL_MANIFEST:
        _extend_manifest(log, leaf)
    elif "channel" in leaf.fields:
        _extend_channel(_channel_of(log, leaf), leaf, log.context)
    if leaf.kind in OPAQUE_KINDS:
        for channel in log.channels.values():
            channel.last_opaque = leaf.seq


def _channel_of(log: Log, leaf: Leaf) -> Channel:
    """The channel of a leaf, in which time never goes back."""
    known = log.channels.get(leaf.fields["channel"])
    if known is None:
        raise Problem("channel-unknown", f"channel {leaf.fields['channel']} has no manifest")
    known.never_back(leaf)
    return known


def _extend_manifest(log: Log, leaf: Leaf) -> None:
    number = leaf.fields["channel"]
    if number in log.channels:
        extend_manifest(_channel_of(log, leaf), leaf, log.context)
        return
    require(len(log.channels) < MAX_CHANNELS, "channels", "more than 256 channels")
    log.channels[number] = Channel(leaf, last_time=leaf.time)


def _extend_channel(channel: Channel, leaf: Leaf, context: Context) -> None:
    if leaf.kind == READING:
        check_reading(channel, leaf, context)
        apply_reading(channel, leaf)
    elif leaf.kind == CLOSE:
        extend_close(channel, leaf, context)
    elif leaf.kind == DISCONTINUITY:
        extend_discontinuity(channel, leaf, context)
    elif leaf.kind == FLEXIBILITY:
        named = (leaf.fields["manifestSeq"], leaf.fields["manifestHash"])
        in_force = (channel.manifest.seq, channel.manifest.hash)
        require(named == in_force, "leaf-mismatch", "not the channel manifest in force")


def verify_batch(log: Log, checkpoint_raw: bytes, leaves: bytes) -> tuple[Log, Checkpoint]:
    """The log after a batch (leaves back to back), and its checkpoint; section "Batch verification", in its order."""
    checkpoint = open_checkpoint(checkpoint_raw, log.key, log.id)
    after = copy.deepcopy(log)
    number = at = 0
    while at < len(leaves):
        require(number < MAX_BATCH_LEAVES, "batch-size", f"more than {MAX_BATCH_LEAVES} leaves")
        at += _extend_numbered(after, number, leaves, at)
        number += 1
    require(checkpoint.size == after.tree.size, "checkpoint-size", f"{checkpoint.size}, not {after.tree.size}")
    require(checkpoint.root == after.tree.root(), "checkpoint-root", "another root")
    require(checkpoint.manifest_hash == after.manifest_hash, "checkpoint-manifest", "another log manifest")
    require(checkpoint.time == after.last_time, "checkpoint-time", "not the time of the last leaf")
    return after, checkpoint


def _extend_numbered(log: Log, number: int, leaves: bytes, at: int) -> int:
    """Extend by the leaf that begins at `at`; its length."""
    try:
        leaf = decode_first_leaf(leaves, at)
        extend(log, leaf)
    except Problem as problem:
        raise Problem(problem.code, f"leaf {number}: {problem.what}") from problem
    return len(leaf.raw)
