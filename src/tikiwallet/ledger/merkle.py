"""The Merkle tree of RFC 9162, section 2.1, with SHA-256. Pure: hashes in, hashes out.

Places in the tree are (level, index): level 0 are leaves, a node at `level` covers the leaves from
`index << level` up to `(index + 1) << level`. Ranges are half open.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(_NODE + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """One level up; `hashes` are an even number of nodes side by side."""
    return [
        sha256(_NODE + left + right).digest()
        for left, right in zip(hashes[::2], hashes[1::2], strict=True)
    ]


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees that stand side by side, largest first."""
    if not hashes:
        return EMPTY_ROOT
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


class Frontier:
    """A tree that grows at its right edge, kept as the hashes of its complete subtrees."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """`peaks` are the hashes at the places `subtrees(0, size)`."""
        if len(peaks) != size.bit_count():
            raise ValueError(f"{len(peaks)} peaks for a tree of {size} leaves")
        self.size = size
        self.peaks = list(peaks)

    def copy(self) -> "Frontier":
        """Another tree with the same leaves."""
        return Frontier(self.size, self.peaks)

    def append(self, hash: bytes, level: int = 0) -> list[tuple[int, int, bytes]]:
        """Add a complete subtree of 2^level leaves; the tree must end at a multiple of that.

        Gives the nodes that became complete, (level, index, hash), from the bottom.
        """
        index, rest = divmod(self.size, 1 << level)
        if rest:
            raise ValueError(f"{self.size} leaves end inside a subtree of level {level}")
        self.size += 1 << level
        done = [(level, index, hash)]
        while index & 1:
            hash = node_hash(self.peaks.pop(), hash)
            index >>= 1
            level += 1
            done.append((level, index, hash))
        self.peaks.append(hash)
        return done

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return fold(self.peaks)


def subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Places of the complete subtrees that make up the leaves from `start` to `end`, left to right.

    `start` must be a multiple of the largest of them, as it is for every part of a tree.
    """
    places = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start & ((1 << level) - 1):
            raise ValueError("not a part of a tree")
        places.append((level, start >> level))
        start += 1 << level
    return places


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots prove that leaf `index` is in a tree of `size`."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots prove that a tree of `new` leaves continues one of `old`."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} cannot continue one of {old}")
    start, end, ranges, whole = 0, new, [], True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
            whole = False
    if not whole:
        ranges.append((start, end))
    return ranges[::-1]


def range_root(start: int, end: int, hash_at: Callable[[int, int], bytes]) -> bytes:
    """The root over a range that the two functions above gave; `hash_at(level, index)`."""
    return fold([hash_at(level, index) for level, index in subtrees(start, end)])


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes
) -> bool:
    """Does `path` lead from the hash of leaf `index` to the root of a tree of `size`? (2.1.3.2)"""
    if not 0 <= index < size:
        return False
    position, last, result = index, size - 1, leaf
    for hash in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(hash, result)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, hash)
        position >>= 1
        last >>= 1
    return last == 0 and result == expected


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Does `path` show that a tree of `new` leaves begins with the one of `old`? (2.1.4.2)"""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_result = new_result = hashes[0]
    for hash in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_result = node_hash(hash, old_result)
            new_result = node_hash(hash, new_result)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new_result = node_hash(new_result, hash)
        position >>= 1
        last >>= 1
    return last == 0 and old_result == old_root and new_result == new_root
