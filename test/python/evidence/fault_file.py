"""Fault files: what they hold, and whether it is sound; section "Fault proofs", "Verification, in this order"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from . import cbor
from .cose import check_key, open_object
from .identity import log_id
from .key_life import REVOCATION, Enrolled, Revocation, enrolled_key, open_revocation
from .leaf import EPOCH_OPEN, KNOWN_KINDS, Leaf, decode_leaf, decode_leaves
from .objects import Checkpoint, open_checkpoint
from .problem import Problem, require
from .proof_file import MAX_FILE_BYTES, check_hashes
from .record import Fields, fields_of, spec
from .tree import fold_multiproof, leaf_hash

FORMAT = "kilowitness/1 fault"

HEAD = """
0 format text128
1 name text128
2 network text128
3 deviceKey bytes32
4 epoch uint53
5 checkpoint bstr
"""

TWO_LEAVES = ("leaf", "otherLeaf", "hashes", "otherHashes", "index")

KINDS = {
    "fork": spec(
        HEAD
        + """
6 otherCheckpoint bstr
?7 leaf bstr
?8 otherLeaf bstr
?9 hashes bstr
?10 otherHashes bstr
?11 index uint53
"""
    ),
    "two-epochs": spec(
        HEAD
        + """
6 laterCheckpoint bstr
8 leaf bstr
10 hashes bstr
12 laterEpoch uint53
"""
    ),
    "false-leaf": spec(
        HEAD
        + """
7 leaves bstr
9 hashes bstr
?11 index uint53
"""
    ),
    "key": spec(
        HEAD
        + """
?13 statement bstr
?14 countersignature bstr
?15 rotations bstr
?16 revocations [1*8 bstr]
"""
    ),
}


@dataclass(frozen=True)
class FaultFile:
    """A decoded fault file, with its checkpoint verified."""

    fields: Fields
    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        """Which of the four it is."""
        return str(self.fields["name"])


@dataclass(frozen=True)
class KeyRecord:
    """What a file says of the life of its key, checked as if all who signed it were trusted."""

    enrolled: Optional[Enrolled] = None
    revocations: tuple[Revocation, ...] = field(default_factory=tuple)


def read_fault_file(raw: bytes) -> FaultFile:
    """Steps 1 to 3."""
    fields = _decode(raw)
    check_key(fields["deviceKey"], "device key")
    named = log_id(fields["network"], fields["deviceKey"], fields["epoch"])
    return FaultFile(fields, open_checkpoint(fields["checkpoint"], fields["deviceKey"], named))


def _decode(raw: bytes) -> Fields:
    require(len(raw) <= MAX_FILE_BYTES, "fault-format", f"a file of {len(raw)} bytes")
    try:
        value = cbor.decode(raw, max_depth=2)
    except Problem as problem:
        raise Problem("fault-format", str(problem)) from problem
    if not isinstance(value, dict) or value.get(0) != FORMAT:
        raise Problem("fault-format", "no fault file of this version")
    name = value.get(1)
    if not isinstance(name, str) or name not in KINDS:
        raise Problem("fault-format", f"no fault {name!r}")
    return fields_of(value, KINDS[name])


def fork_rule(file: FaultFile) -> str:
    """Which rule two checkpoints of one log break."""
    f = file.fields
    other = open_checkpoint(f["otherCheckpoint"], f["deviceKey"], file.checkpoint.log_id)
    there = [name in f for name in TWO_LEAVES]
    require(all(there) or not any(there), "fault-format", "some of the five that show two leaves, and not all")
    if not any(there):
        differ = other.size == file.checkpoint.size and other.root != file.checkpoint.root
        require(differ, "fault-nothing", "two checkpoints of one history")
        return "two-roots"
    _check_under(file.checkpoint, f["index"], f["leaf"], f["hashes"])
    _check_under(other, f["index"], f["otherLeaf"], f["otherHashes"])
    require(f["leaf"] != f["otherLeaf"], "fault-nothing", "both hold the same leaf")
    return "two-leaves"


def _check_under(checkpoint: Checkpoint, index: int, leaf: bytes, hashes: bytes) -> None:
    check_hashes(hashes)
    folded = fold_multiproof(checkpoint.size, [(index, leaf_hash(leaf))], [], hashes)
    require(folded.root == checkpoint.root, "fault-root", f"no such leaf at index {index}")


def two_epochs_rule(file: FaultFile) -> str:
    """Which rule a checkpoint and the opening of a later epoch break."""
    f = file.fields
    require(f["laterEpoch"] > f["epoch"], "fault-nothing", "the other epoch is not later")
    named = log_id(f["network"], f["deviceKey"], f["laterEpoch"])
    later = open_checkpoint(f["laterCheckpoint"], f["deviceKey"], named)
    _check_under(later, 1, f["leaf"], f["hashes"])
    leaf = decode_leaf(f["leaf"])
    opens = leaf.kind == EPOCH_OPEN and leaf.get("oldLogId") == file.checkpoint.log_id
    require(opens, "fault-nothing", "the later epoch does not continue this log")
    signed, size = leaf.get("oldSignedSize"), leaf.fields.get("oldSize", 0)
    beyond = signed is not None and file.checkpoint.size > max(signed, size)
    require(beyond, "fault-nothing", "nothing beyond what the later epoch knows of")
    return "signed-after-close"


def raw_leaf_rule(file: FaultFile) -> str:
    """Which rule one leaf, as it stands at an index, breaks."""
    f = file.fields
    _check_under(file.checkpoint, f["index"], f["leaves"], f["hashes"])
    try:
        leaf = decode_leaf(f["leaves"])
    except Problem as problem:
        require(not _may_be_newer(f["leaves"]), "fault-newer", problem.what)
        return "leaf-unlawful"
    require(leaf.seq != f["index"], "fault-nothing", "a leaf that stands where it says")
    return "leaf-seq"


def _may_be_newer(raw: bytes) -> bool:
    """Whether a later version might take what this one refuses."""
    try:
        value = cbor.decode(raw, max_depth=4)
    except Problem:
        return False
    if not isinstance(value, dict):
        return False
    kind, quality = value.get(0, 0), value.get(3)
    if isinstance(kind, int) and 1 <= kind <= 31 and kind not in KNOWN_KINDS:
        return True
    if isinstance(quality, int) and quality > 4:
        return True
    known = KNOWN_KINDS.get(kind) if isinstance(kind, int) else None
    return known is not None and any(key not in known and 0 < key < 64 for key in value)


def shown_leaves(file: FaultFile) -> list[Leaf]:
    """The leaves of a false-leaf file without an index, each at its seq under the checkpoint."""
    check_hashes(file.fields["hashes"])
    leaves = decode_leaves(file.fields["leaves"])
    places = [(leaf.seq, leaf.hash) for leaf in leaves]
    folded = fold_multiproof(file.checkpoint.size, places, [], file.fields["hashes"])
    require(folded.root == file.checkpoint.root, "fault-root", "the leaves are not under the checkpoint")
    return leaves


def key_record(file: FaultFile) -> KeyRecord:
    """The life of the key, as the file shows it."""
    f = file.fields
    half = ("statement" in f) != ("countersignature" in f) or ("rotations" in f and "statement" not in f)
    require(not half, "fault-format", "an enrolment that is not whole")
    enrolled = None
    if "statement" in f:
        enrolled = enrolled_key([f["statement"], f["countersignature"], *_byte_strings(f.get("rotations", b""))])
        same = enrolled.network == f["network"] and f["deviceKey"] in enrolled.keys
        require(same, "fault-record", "the enrolment of another key or network")
    return KeyRecord(enrolled, tuple(_revocation(raw, f) for raw in f.get("revocations", ())))


def _byte_strings(raw: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(raw):
        value, at = _next_value(raw, at)
        if not isinstance(value, bytes):
            raise Problem("fault-format", "a rotation that is no byte string")
        found.append(value)
    return found


def _next_value(raw: bytes, at: int) -> tuple[cbor.Value, int]:
    try:
        return cbor.decode_first(raw, at, max_depth=0)
    except Problem as problem:
        raise Problem("fault-format", str(problem)) from problem


def _revocation(raw: bytes, f: dict[str, Any]) -> Revocation:
    """A revocation under the key that it names."""
    signer = open_object(raw, "revocation", REVOCATION).kid
    return open_revocation(raw, f["network"], f["deviceKey"], [signer])
