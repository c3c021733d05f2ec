"""The Merkle tree against published vectors, against the recursive definition, and pymerkle."""

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.ledger import merkle

# The eight leaves and the roots over the first 1, 2, ... of them that implementations of
# Certificate Transparency (RFC 6962, now 9162) are tested with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = range(71)


def hashes(size: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


# -- the definitions of RFC 9162, as they stand there


def defined_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return merkle.node_hash(defined_root(leaves[:k]), defined_root(leaves[k:]))


def defined_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*defined_path(m, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined_root(leaves[:k])]


def defined_proof(m: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [defined_root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*defined_proof(m, leaves[:k], whole), defined_root(leaves[k:])]
    return [*defined_proof(m - k, leaves[k:], False), defined_root(leaves[:k])]


def largest_power_below(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def paths(ranges: Sequence[tuple[int, int]], leaves: Sequence[bytes]) -> list[bytes]:
    """The roots over ranges, by places in the tree as a store of nodes would give them."""

    def hash_at(level: int, index: int) -> bytes:
        return defined_root(leaves[index << level : (index + 1) << level])

    return [merkle.range_root(start, end, hash_at) for start, end in ranges]


def test_published_roots() -> None:
    leaves = [merkle.leaf_hash(data) for data in LEAVES]
    assert [merkle.root(leaves[: size + 1]).hex() for size in range(8)] == ROOTS


def test_root_is_the_defined_one() -> None:
    for size in SIZES:
        assert merkle.root(hashes(size)) == defined_root(hashes(size))


def test_inclusion_paths_are_the_defined_ones_and_verify() -> None:
    for size in SIZES:
        leaves = hashes(size)
        root = defined_root(leaves)
        for index in range(size):
            path = paths(merkle.inclusion_ranges(index, size), leaves)
            assert path == defined_path(index, leaves)
            assert merkle.verify_inclusion(leaves[index], index, size, path, root)


def test_consistency_proofs_are_the_defined_ones_and_verify() -> None:
    for new in range(1, 71):
        leaves = hashes(new)
        root = defined_root(leaves)
        for old in range(1, new + 1):
            proof = paths(merkle.consistency_ranges(old, new), leaves)
            assert proof == defined_proof(old, leaves)
            old_root = defined_root(leaves[:old])
            assert merkle.verify_consistency(old, new, old_root, root, proof)
            other = merkle.node_hash(old_root, root)
            assert not merkle.verify_consistency(old, new, other, root, proof)
            if old != new:
                assert not merkle.verify_consistency(old, new, old_root, other, proof)


def test_wrong_inclusion_proofs_fail() -> None:
    for size in (1, 2, 3, 5, 8, 13, 70):
        leaves = hashes(size)
        root = defined_root(leaves)
        for index in range(size):
            path = defined_path(index, leaves)
            for wrong in range(size + 2):
                fits = merkle.verify_inclusion(leaves[index], wrong, size, path, root)
                assert fits == (wrong == index)
            assert not merkle.verify_inclusion(leaves[index], index, size, [*path, root], root)
            assert not path or not merkle.verify_inclusion(
                leaves[index], index, size, path[:-1], root
            )
            for place in range(len(path)):
                bent = [*path[:place], merkle.leaf_hash(path[place]), *path[place + 1 :]]
                assert not merkle.verify_inclusion(leaves[index], index, size, bent, root)


@given(st.lists(st.integers(0, 4), max_size=40))
def test_growing_by_subtrees_is_growing_by_leaves(levels: list[int]) -> None:
    by_subtree, by_leaf = merkle.Frontier(), merkle.Frontier()
    for level in levels:
        # Subtrees stand only at multiples of their size.
        while by_leaf.size % (1 << level):
            leaf = merkle.leaf_hash(by_leaf.size.to_bytes(4, "big"))
            by_leaf.append(leaf)
            by_subtree.append(leaf)
        part = [
            merkle.leaf_hash(number.to_bytes(4, "big"))
            for number in range(by_leaf.size, by_leaf.size + (1 << level))
        ]
        for leaf in part:
            by_leaf.append(leaf)
        nodes = by_subtree.append(defined_root(part), level)
        assert nodes[0][0] == level
        assert by_subtree.root() == by_leaf.root()
        assert by_subtree.size == by_leaf.size


def test_a_subtree_cannot_begin_inside_another() -> None:
    tree = merkle.Frontier()
    tree.append(merkle.leaf_hash(b""))
    with pytest.raises(ValueError, match="inside a subtree"):
        tree.append(merkle.leaf_hash(b""), 1)


def test_pymerkle_agrees() -> None:
    # GPL: only ever run as a program of its own.
    program = """
import json
from pymerkle import InmemoryTree
tree = InmemoryTree(algorithm="sha256")
roots = []
for number in range(70):
    tree.append_entry(number.to_bytes(2, "big"))
    roots.append(tree.get_state().hex())
print(json.dumps(roots))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [merkle.root(hashes(size)).hex() for size in range(1, 71)]
