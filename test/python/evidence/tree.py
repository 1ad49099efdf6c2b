"""Merkle trees of RFC 6962 and RFC 9162, and multiproofs with cuts; section "Tree"."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Optional, Sequence

from .problem import require

MAX_SIZE = 2**53 - 1
MAX_LEAVES = 4096
MAX_CUTS = 16


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_of(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


@dataclass
class Tree:
    """A tree that grows: the roots of its complete subtrees, largest first."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, hashed: bytes) -> None:
        """One leaf hash more."""
        require(self.size < MAX_SIZE, "tree-full", "a log of 2^53-1 leaves")
        size = self.size
        while size & 1:
            hashed = node_hash(self.peaks.pop(), hashed)
            size >>= 1
        self.peaks.append(hashed)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves."""
        require(self.size > 0, "tree-empty", "an empty tree has no root here")
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


def from_frontier(size: int, peaks: Sequence[bytes]) -> Tree:
    """A tree of a size, by the roots of its complete subtrees, largest first."""
    whole = len(peaks) == size.bit_count() and _are_hashes(*peaks)
    require(whole, "tree-frontier", f"{len(peaks)} peaks for {size} leaves")
    return Tree(size, list(peaks))


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over some leaf hashes."""
    tree = Tree()
    for hashed in hashes:
        tree.append(hashed)
    return tree.root()


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == 32 for value in values)


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2; `leaf` is a leaf hash."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def verify_consistency(sizes: tuple[int, int], roots: tuple[bytes, bytes], path: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2, and the case of equal trees; nothing is ever signed over an empty one."""
    first, second = sizes
    if not 0 < first <= second or not _are_hashes(*roots, *path):
        return False
    if first == second:
        return not path and roots[0] == roots[1]
    if not path:
        return False
    steps = list(path) if first & (first - 1) else [roots[0], *path]
    return _fold_consistency((first - 1, second - 1), steps) == roots


def _fold_consistency(ends: tuple[int, int], path: list[bytes]) -> Optional[tuple[bytes, bytes]]:
    fn, sn = ends
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return (old, new) if sn == 0 else None


class _Fold:
    """One walk down from (0, size), which consumes the proof's hashes in order."""

    def __init__(self, leaves: dict[int, bytes], cuts: Sequence[int], hashes: Sequence[bytes]) -> None:
        self.leaves = leaves
        self.indices = sorted(leaves)
        self.cuts = cuts
        self.hashes = list(hashes)
        self.used = 0
        self.known: dict[tuple[int, int], bytes] = {}

    def roots(self, start: int, end: int) -> bytes:
        """roots(from, to) of the document; every range that was computed is kept for the cuts."""
        self.known[start, end] = self._range(start, end)
        return self.known[start, end]

    def _range(self, start: int, end: int) -> bytes:
        leaf_inside = bisect_left(self.indices, start) < bisect_left(self.indices, end)
        if not leaf_inside and not any(start < cut < end for cut in self.cuts):
            return self._next()
        if end - start == 1:
            return self.leaves[start]
        middle = start + split_of(end - start)
        left = self.roots(start, middle)
        return node_hash(left, self.roots(middle, end))

    def _next(self) -> bytes:
        require(self.used < len(self.hashes), "proof-shape", "too few hashes")
        self.used += 1
        return self.hashes[self.used - 1]

    def cut_root(self, start: int, cut: int, end: int) -> bytes:
        """The root of [start, cut), an earlier size within the range [start, end)."""
        middle = start + split_of(end - start)
        if cut < middle:
            return self.cut_root(start, cut, middle)
        left = self.known[start, middle]
        return left if cut == middle else node_hash(left, self.cut_root(middle, cut, end))


@dataclass(frozen=True)
class Folded:
    """What a multiproof gives: the root, and the root at each cut."""

    root: bytes
    cuts: dict[int, bytes]


def fold_multiproof(size: int, leaves: Sequence[tuple[int, bytes]], cuts: Sequence[int], hashes: bytes) -> Folded:
    """The roots that leaves (index, leaf hash) and hashes (back to back) give."""
    require(1 <= size <= MAX_SIZE, "proof-shape", f"size {size}")
    _check_shape(size, [index for index, _ in leaves], cuts)
    require(len(hashes) % 32 == 0, "proof-shape", f"{len(hashes)} bytes of hashes")
    fold = _Fold(dict(leaves), cuts, [hashes[at : at + 32] for at in range(0, len(hashes), 32)])
    root = fold.roots(0, size)
    require(fold.used == len(fold.hashes), "proof-shape", "hashes left over")
    return Folded(root, {cut: fold.cut_root(0, cut, size) for cut in cuts})


def _check_shape(size: int, indices: list[int], cuts: Sequence[int]) -> None:
    few = 1 <= len(indices) <= MAX_LEAVES and len(cuts) <= MAX_CUTS
    require(few, "proof-shape", "no leaf, or too many leaves or cuts")
    ascending = all(a < b for a, b in zip(indices, indices[1:])) and all(a < b for a, b in zip(cuts, cuts[1:]))
    require(ascending, "proof-shape", "leaves and cuts ascend strictly")
    within = all(0 <= index < size for index in indices) and all(1 <= cut < size for cut in cuts)
    require(within, "proof-shape", "a leaf or cut outside the log")


def build_multiproof(hashes: Sequence[bytes], indices: Sequence[int], cuts: Sequence[int]) -> bytes:
    """The hashes that a multiproof over leaf hashes carries; for checks."""
    found: list[bytes] = []

    def walk(start: int, end: int) -> None:
        if not any(start <= i < end for i in indices) and not any(start < c < end for c in cuts):
            found.append(root_of(hashes[start:end]))
        elif end - start > 1:
            middle = start + split_of(end - start)
            walk(start, middle)
            walk(middle, end)

    walk(0, len(hashes))
    return b"".join(found)
