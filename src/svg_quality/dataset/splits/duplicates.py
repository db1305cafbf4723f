"""Which pictures show nearly the same: groups that must not be torn apart.

A JPEG copy and its original, or the same sign in two sizes, would be tested on what was learned.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

BITS: Final = 64  # of a perceptual hash
_FREE_CHUNKS: Final = 2  # that must agree exactly; with more, buckets shrink and passes grow
_MAX_CHUNKS: Final = 12  # 66 passes; further apart, chunks are too narrow to part the hashes
_BLOCK: Final = 256  # hashes compared with all others at once


def near_duplicate_groups(images: pd.DataFrame, max_distance: int) -> pd.Series[int]:
    """A group number for each picture, from 0 in the order in which groups first appear.

    Args:
        images: indexed by image_id, with ``perceptual_hash`` (hexadecimal) and
            ``derived_from`` (image_id or null).
        max_distance: bits in which the hashes of two of a group may differ. Groups are chains:
            two pictures further apart are together where others link them, so the largest group
            (`largest_group`) deserves a look.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    bits = np.array([int(text, 16) for text in images["perceptual_hash"]], dtype=np.uint64)
    distinct, hash_of = np.unique(bits, return_inverse=True)
    # Nodes: pictures, then their distinct hashes, then originals that are not among the pictures.
    n_images, n_hashes = len(images), len(distinct)
    copies = np.flatnonzero(images["derived_from"].notna().to_numpy())
    names = images["derived_from"].iloc[copies]
    original = images.index.get_indexer(pd.Index(names))
    absent = original < 0
    elsewhere, distinct_elsewhere = pd.factorize(names[absent])
    original[absent] = n_images + n_hashes + elsewhere
    left, right = close_pairs(distinct, max_distance)
    links = np.hstack(
        [
            [np.arange(n_images), n_images + hash_of],
            [n_images + left, n_images + right],
            [copies, original],
        ]
    )
    n_nodes = n_images + n_hashes + len(distinct_elsewhere)
    graph = coo_array((np.ones(links.shape[1], dtype=bool), links), shape=(n_nodes, n_nodes))
    component = connected_components(graph, directed=False)[1][:n_images]
    return pd.Series(pd.factorize(component)[0], index=images.index, dtype=int)


def largest_group(groups: pd.Series[int]) -> int:
    """Pictures in the largest group: a chain of near-duplicates may run through unlike logos."""
    return int(groups.value_counts().max()) if len(groups) else 0


def close_pairs(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of all pairs of hashes that differ in at most so many bits.

    Cut into ``max_distance + 2`` chunks, two such hashes agree exactly in at least two of them
    (pigeonhole): only hashes that share two chunks are compared, for each choice of two. The
    work grows nearly linearly with the number of hashes, not with its square.

    Args:
        hashes: uint64 ``(N,)``, all different.
        max_distance: bits.

    Returns:
        Two int64 arrays, left < right; a pair may come more than once.
    """
    n_chunks = max_distance + _FREE_CHUNKS
    if n_chunks > _MAX_CHUNKS or len(hashes) <= _BLOCK:
        found = [_in_block(hashes, start, max_distance) for start in range(0, len(hashes), _BLOCK)]
    else:
        chunks = _chunks(n_chunks)
        found = [
            _in_buckets(hashes, np.bitwise_or.reduce(chosen), max_distance)
            for chosen in combinations(chunks, _FREE_CHUNKS)
        ]
    empty = np.empty((2, 0), dtype=np.int64)
    left, right = np.hstack([empty, *found])
    return np.minimum(left, right), np.maximum(left, right)


def _chunks(n_chunks: int) -> list[np.uint64]:
    """Masks that part the 64 bits as evenly as can be, interleaved: neighbours are alike."""
    masks = [0] * n_chunks
    for bit in range(BITS):
        masks[bit % n_chunks] |= 1 << bit
    return [np.uint64(mask) for mask in masks]


def _in_buckets(hashes: np.ndarray, mask: np.uint64, max_distance: int) -> np.ndarray:
    """Close pairs ``(2, P)`` among hashes that agree under a mask."""
    keys = hashes & mask
    order = np.argsort(keys, kind="stable")
    keys, ordered = keys[order], hashes[order]
    found = []
    here = np.arange(len(keys))
    for step in range(1, len(keys)):  # each with the one so many places on, while in its bucket
        here = here[here + step < len(keys)]
        here = here[keys[here] == keys[here + step]]
        if not len(here):
            break
        close = here[np.bitwise_count(ordered[here] ^ ordered[here + step]) <= max_distance]
        found.append(np.array([order[close], order[close + step]]))
    return np.hstack(found) if found else np.empty((2, 0), dtype=np.int64)


def _in_block(hashes: np.ndarray, start: int, max_distance: int) -> np.ndarray:
    """Close pairs ``(2, P)`` of the hashes of a block with those after each."""
    block = hashes[start : start + _BLOCK, None]
    distance = np.bitwise_count(block ^ hashes[None, start:])
    pairs = np.array(np.nonzero(distance <= max_distance)) + start
    return pairs[:, pairs[0] < pairs[1]]
