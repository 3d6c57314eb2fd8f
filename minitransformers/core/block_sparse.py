"""Attention by blocks (BigBird, Zaheer et al., 2020): memory grows with the length of the text, not
with its square.

The first and the last block see all blocks and are seen by all. The others, the inner ones, see
besides themselves and their neighbours, and in training a few blocks drawn at random.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from . import ops
from .masks import Mask
from .primitive import value_of

# The authors' own experiments drew otherwise than their later code does for texts of other lengths.
PAPER_LENGTHS = (1024, 3072, 4096)


@functools.lru_cache(maxsize=256)
def drawn_blocks(
    seed: int, heads: int, blocks: int, size: int, count: int, longest: int
) -> np.ndarray:
    """The blocks that the inner ones see by chance: the same ones whenever the seed is the same.

    count: how many each sees; longest: max_position_embeddings -> (heads, blocks - 2, count)
    """
    stream = np.random.RandomState(seed)
    if blocks * size in PAPER_LENGTHS:
        choices = [
            _choice_of_paper(i, size, longest // size) for i in range(1, longest // size - 1)
        ]
        drawn = [[stream.permutation(choice)[:count] for choice in choices] for _ in range(heads)]
        return np.array(drawn)[:, : blocks - 2]
    first = 2 * count + 5  # blocks, which all draw from
    rows = [
        [[i for i in stream.permutation(first) if _may_draw(row, i, first)][:count]
         for _ in range(heads)]
        for row in range(1, blocks)
    ]  # fmt: skip
    return np.array(rows[:-1]).swapaxes(0, 1)


def _may_draw(row: int, other: int, first: int) -> bool:
    return not (
        abs(row - other) <= 1
        or other in (0, first - 1)
        or (row, other) in ((1, first - 2), (first - 2, 1))
    )


def _choice_of_paper(row: int, size: int, blocks: int) -> np.ndarray:
    inner = np.arange(1, blocks - 1)
    last = 1024 // size - 1 if 2 * size < 1024 else blocks - 1
    if row <= 2:
        return inner[row + 1 : last]
    if row >= blocks - 3 or row - 2 > last:
        return inner[:last]
    after = inner[:0] if row + 1 == last else inner[row + 1 : last]
    return np.concatenate([inner[: row - 2], after])


def _additive(allowed: np.ndarray) -> np.ndarray:
    """What to add to scores. allowed: (rows, heads, seq, total) bool -> the same, float32"""
    mask = Mask(*allowed.shape[2:], allowed=allowed).additive()
    assert mask is not None
    return mask


class Blocks:
    """How a text of whole blocks is seen: what all layers of one pass share.

    shown: (batch, seq) bool, false where padding; size: tokens a block
    copies: how often the first block counts for the inner ones
    """

    def __init__(self, shown: np.ndarray, size: int, copies: int):
        self.shown, self.size, self.copies = shown, size, copies
        self.batch, self.count = shown.shape[0], shown.shape[1] // size
        row = np.arange(1, self.count - 1)
        # (inner, 5) the one before, itself, the one after, the first, the last
        self.seen = np.stack([row - 1, row, row + 1, 0 * row, 0 * row + self.count - 1], axis=1)
        self.blocked = shown.reshape(self.batch, self.count, size)
        self.far = Mask(2 * size, shown.shape[1], padding=shown).additive()
        self.near = self._near()

    def _near(self) -> np.ndarray:
        """What to add to the inner blocks' scores. -> (batch * inner, 1, size, 5 * size)"""
        asking = self.blocked[:, 1:-1, :, None, None]
        allowed = self.blocked[:, self.seen][:, :, None].repeat(self.size, axis=2)
        allowed[:, 1:-1, :, :3] &= asking[:, 1:-1]  # padding sees no neighbours
        allowed[:, 0, :, 0] = allowed[:, -1, :, 2] = False  # the first, the last: seen already
        shape = (self.batch * (self.count - 2), 1, self.size, 5 * self.size)
        added = _additive(allowed.reshape(shape))
        first = added[..., 3 * self.size : 4 * self.size]
        first += np.float32(math.log(self.copies)) * asking.reshape(*shape[:3], 1)
        return added

    def attend(
        self,
        q: Any,
        k: Any,
        v: Any,
        heads: int,
        scale: float,
        drawn: np.ndarray | None = None,
        keep: list | None = None,
    ) -> Any:
        """Mix values by how well their keys answer the queries; zeros for padding.

        q, k, v: (batch, seq, hidden); scale: factor of the scores
        drawn: (heads, inner, drawn) blocks that the inner ones see besides, see `drawn_blocks`
        keep: a list to append the probabilities to, (batch, heads, seq, seq)
        -> (batch, seq, hidden)
        """

        def split(x: Any) -> Any:
            return ops.split_heads(x, heads=heads)

        kept: list | None = None if keep is None else []
        size = self.size
        ends = ops.concatenate(q[:, :size], q[:, -size:], axis=1)
        ends = ops.attention(split(ends), split(k), split(v), scale=scale, mask=self.far, keep=kept)
        near_k, near_v, mask = split(self._around(k)), split(self._around(v)), self.near
        if drawn is not None:
            near_k = ops.concatenate(near_k, self._drawn(split(k), drawn), axis=2)
            near_v = ops.concatenate(near_v, self._drawn(split(v), drawn), axis=2)
            mask = self._near_and(drawn)
        inner = ops.reshape(q[:, size:-size], shape=(-1, size, q.shape[-1]))
        inner = ops.attention(split(inner), near_k, near_v, scale=scale, mask=mask, keep=kept)
        if keep is not None and kept is not None:
            keep.append(self._probabilities(value_of(kept[0]), value_of(kept[1]), drawn))
        return self._joined(ops.merge_heads(ends), ops.merge_heads(inner))

    def _around(self, x: Any) -> Any:
        """What each inner block sees. (batch, seq, hidden) -> (batch * inner, 5 * size, hidden)"""
        blocks = ops.reshape(x, shape=(self.batch, self.count, -1))[:, self.seen]
        return ops.reshape(blocks, shape=(-1, 5 * self.size, x.shape[-1]))

    def _joined(self, ends: Any, inner: Any) -> Any:
        """(batch, 2 * size, hidden), (batch * inner, size, hidden) -> (batch, seq, hidden)"""
        inner = ops.reshape(inner, shape=(self.batch, -1, inner.shape[-1]))
        x = ops.concatenate(ends[:, : self.size], inner, ends[:, self.size :], axis=1)
        return x if self.shown.all() else x * self.shown.astype(np.float32)[:, :, None]

    def _drawn(self, x: Any, drawn: np.ndarray) -> Any:
        """What each head of each inner block sees by chance.

        (batch, heads, seq, head_dim) -> (batch * inner, heads, drawn * size, head_dim)
        """
        batch, heads, _, n = x.shape
        x = ops.reshape(x, shape=(batch, heads, self.count, self.size * n))
        x = x[:, np.arange(heads)[:, None, None], drawn]
        x = ops.transpose(x, axes=(0, 2, 1, 3, 4))
        return ops.reshape(x, shape=(-1, heads, drawn.shape[2] * self.size, n))

    def _near_and(self, drawn: np.ndarray) -> np.ndarray:
        """`near`, and the same for drawn blocks.

        -> (batch * inner, heads, size, (5 + drawn) * size)
        """
        keys = self.blocked[:, drawn].swapaxes(1, 2)  # (batch, inner, heads, drawn, size)
        allowed = keys[:, :, :, None] & self.blocked[:, 1:-1, None, :, None, None]
        added = _additive(allowed.reshape(len(self.near), len(drawn), self.size, -1))
        return np.concatenate([self.near.repeat(len(drawn), axis=1), added], axis=-1)

    def _probabilities(
        self, ends: np.ndarray, inner: np.ndarray, drawn: np.ndarray | None
    ) -> np.ndarray:
        """As the reference shows them: of the first block's copies only one, none to padding.

        ends: (batch, heads, 2 * size, seq); inner: (batch * inner, heads, size, keys)
        -> (batch, heads, seq, seq)
        """
        batch, heads, _, seq = ends.shape
        n, size = self.count, self.size
        p = np.zeros((batch, heads, n, size, n, size), np.float32)
        p[:, :, [0, -1]] = ends.reshape(batch, heads, 2, size, n, size)
        # the array indices' axes come first: (inner, seen, batch, heads, size, size)
        inner = inner.reshape(batch, n - 2, heads, size, -1, size).transpose(1, 4, 0, 2, 3, 5)
        row = np.arange(1, n - 1)
        p[:, :, row[:, None], :, self.seen] = inner[:, :5]
        if self.copies > 1:
            asking = self.blocked[:, None, 1:-1, :, None]
            p[:, :, 1:-1, :, 0] *= asking * np.float32(1 / self.copies)
        if drawn is not None:
            by_head = inner[:, 5:].transpose(3, 0, 1, 2, 4, 5)
            p[:, np.arange(heads)[:, None, None], row[:, None], :, drawn] = by_head
        return p.reshape(batch, heads, seq, seq)
