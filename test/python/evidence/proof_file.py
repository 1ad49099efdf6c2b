"""The proof file and its parts; section "Verification, in this order", steps 1 to 7."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Sequence

from . import cbor
from .cose import check_key
from .identity import log_id
from .leaf import (
    ANCHOR,
    CHANNEL_MANIFEST,
    CLOSE,
    DISCONTINUITY,
    EPOCH_OPEN,
    FLEXIBILITY,
    LOG_MANIFEST,
    Leaf,
    decode_leaves,
)
from .objects import Checkpoint, Receipt, open_checkpoint, open_receipt
from .problem import Problem, require
from .record import Fields, fields_of, spec
from .tree import fold_multiproof

FORMAT = "kilowitness/1 proof"
MAX_FILE_BYTES = 1_048_576

FILE = spec("""
0 format text128
1 parts [1*8 bstr]
?2 enrolment [1*8 bstr]
""")

PART = spec("""
1 checkpoint bstr
2 manifests bstr
3 leaves bstr
4 hashes bstr
?5 receipts [1*8 bstr]
?6 anchored [1*8 bstr]
""")

PROVING_KINDS = (CLOSE, DISCONTINUITY, ANCHOR, FLEXIBILITY)


@dataclass(frozen=True)
class Part:
    """One epoch of a proof, checked in itself."""

    network: str
    key: bytes
    epoch: int
    tier: int
    interval_ms: int
    log_id: bytes
    checkpoint: Checkpoint
    manifests: tuple[Leaf, ...]
    leaves: tuple[Leaf, ...]
    receipts: tuple[Receipt, ...]
    anchored: tuple[Receipt, ...]

    def of_kind(self, *kinds: int) -> list[Leaf]:
        """The leaves of some kinds, by ascending seq."""
        return [leaf for leaf in self.leaves if leaf.kind in kinds]

    def anchors(self) -> list[tuple[Leaf, Receipt]]:
        """The anchors, each with the receipt that it names."""
        named = {hashlib.sha256(receipt.raw).digest(): receipt for receipt in (*self.receipts, *self.anchored)}
        return [(leaf, named[leaf.fields["receiptHash"]]) for leaf in self.of_kind(ANCHOR)]

    def manifest(self, seq: int, hashed: bytes) -> Leaf:
        """The channel manifest that a leaf names by seq and leaf hash."""
        for leaf in self.manifests[1:]:
            if leaf.seq == seq and leaf.hash == hashed:
                return leaf
        raise Problem("proof-manifest", f"the channel manifest at seq {seq} is not among the manifests")


@dataclass(frozen=True)
class ProofFile:
    """The parts, and the objects of the enrolment, if there are any."""

    parts: tuple[Part, ...]
    enrolment: tuple[bytes, ...]


def read_proof_file(raw: bytes) -> ProofFile:
    """Decode a file and check each of its parts in itself."""
    require(len(raw) <= MAX_FILE_BYTES, "proof-format", f"a file of {len(raw)} bytes")
    value = _decode(raw)
    require(value.get(0) == FORMAT, "proof-format", "no proof of this version")
    fields = fields_of(value, FILE)
    parts = tuple(_read_part(part) for part in fields["parts"])
    return ProofFile(parts, tuple(fields.get("enrolment", ())))


def _decode(raw: bytes) -> dict[int, Any]:
    """The map of a file or of a part."""
    try:
        value = cbor.decode(raw, max_depth=2)
    except Problem as problem:
        raise Problem("proof-format", str(problem)) from problem
    if not isinstance(value, dict):
        raise Problem("proof-format", "no map")
    return value


def _read_part(raw: bytes) -> Part:
    fields = fields_of(_decode(raw), PART)
    check_hashes(fields["hashes"])
    manifests = decode_leaves(fields["manifests"])
    head = _log_manifest(manifests)
    key = head["deviceKey"]
    check_key(key, "device key")
    named = log_id(head["network"], key, head["epoch"])
    checkpoint = open_checkpoint(fields["checkpoint"], key, named)
    _check_manifests(manifests, checkpoint)
    receipts = [_receipt(raw, key, checkpoint) for raw in fields.get("receipts", ())]
    _check_order(receipts)
    anchored = [_receipt(raw, key, checkpoint) for raw in fields.get("anchored", ())]
    leaves = _proved_leaves(fields, checkpoint, receipts)
    _check_anchors([leaf for leaf in leaves if leaf.kind == ANCHOR], receipts, anchored)
    return Part(
        network=head["network"],
        key=key,
        epoch=head["epoch"],
        tier=head["assuranceTier"],
        interval_ms=head["intervalMs"],
        log_id=named,
        checkpoint=checkpoint,
        manifests=tuple(manifests),
        leaves=tuple(leaves),
        receipts=tuple(receipts),
        anchored=tuple(anchored),
    )


def check_hashes(hashes: bytes) -> None:
    """Hashes stand back to back."""
    require(len(hashes) % 32 == 0, "proof-format", "the hashes end within a hash")


def _log_manifest(manifests: Sequence[Leaf]) -> Fields:
    first = manifests[0] if manifests else None
    if first is None or first.kind != LOG_MANIFEST or first.seq != 0:
        raise Problem("proof-manifest", "the first manifest is not the log's at seq 0")
    return first.fields


def _check_manifests(manifests: Sequence[Leaf], checkpoint: Checkpoint) -> None:
    signed = checkpoint.manifest_hash == manifests[0].hash
    require(signed, "proof-manifest", "the checkpoint signs another log manifest")
    others = all(leaf.kind == CHANNEL_MANIFEST for leaf in manifests[1:])
    require(others, "proof-manifest", "a leaf among the manifests that is no channel manifest")
    ascending = all(a.seq < b.seq for a, b in zip(manifests, manifests[1:]))
    require(ascending, "proof-manifest", "manifests stand by ascending seq")


def _receipt(raw: bytes, device_key: bytes, checkpoint: Checkpoint) -> Receipt:
    receipt = open_receipt(raw, device_key)
    require(receipt.manifest_hash == checkpoint.manifest_hash, "receipt-mismatch", "a receipt over another log")
    require(receipt.size <= checkpoint.size, "receipt-mismatch", "a receipt over more than the checkpoint")
    return receipt


def _check_order(receipts: Sequence[Receipt]) -> None:
    places = [(receipt.size, receipt.node) for receipt in receipts]
    require(places == sorted(places), "proof-order", "receipts stand by size, then by node key")
    require(len(set(places)) == len(places), "receipt-twice", "two receipts of one node over one size")


def _proved_leaves(fields: dict[str, Any], checkpoint: Checkpoint, receipts: Sequence[Receipt]) -> list[Leaf]:
    """Step 5 and 6: the leaves under the signed root, and the receipts' roots at their sizes."""
    leaves = decode_leaves(fields["leaves"])
    cuts = sorted({receipt.size for receipt in receipts if receipt.size < checkpoint.size})
    hashes = [(leaf.seq, leaf.hash) for leaf in leaves]
    folded = fold_multiproof(checkpoint.size, hashes, cuts, fields["hashes"])
    require(folded.root == checkpoint.root, "proof-root", "leaves and hashes give another root")
    roots = {**folded.cuts, checkpoint.size: checkpoint.root}
    for receipt in receipts:
        require(receipt.root == roots[receipt.size], "receipt-mismatch", "a receipt over another root")
    for leaf in leaves:
        wanted = leaf.kind in PROVING_KINDS or (leaf.kind == EPOCH_OPEN and leaf.seq == 1)
        require(wanted, "proof-leaf", f"a leaf of kind {leaf.kind} at seq {leaf.seq}")
    return leaves


def _check_anchors(anchors: Sequence[Leaf], receipts: Sequence[Receipt], anchored: Sequence[Receipt]) -> None:
    """Step 7."""
    by_hash = {hashlib.sha256(receipt.raw).digest(): receipt for receipt in receipts}
    waiting = list(anchored)
    for anchor in anchors:
        receipt = by_hash.get(anchor.fields["receiptHash"])
        if receipt is None:
            require(bool(waiting), "proof-anchor", "an anchor that names no receipt of the file")
            receipt = waiting.pop(0)
        _check_anchor(anchor, receipt)
    require(not waiting, "proof-anchor", "a receipt that no anchor names")


def _check_anchor(anchor: Leaf, receipt: Receipt) -> None:
    f = anchor.fields
    same = (
        f["receiptHash"] == hashlib.sha256(receipt.raw).digest()
        and f["nodeKey"] == receipt.node
        and f["receivedAtMs"] == receipt.received_at
        and f["receiptSize"] == receipt.size
    )
    require(same, "proof-anchor", "an anchor that differs from its receipt")
    require(receipt.size <= anchor.seq, "proof-anchor", "an anchor above the leaves of its receipt")
