"""Attention to neighbours and to a few global tokens (Longformer, Beltagy et al., 2020).

Chunk by chunk: memory grows with the length, not with its square. What belongs to every query and
the keys it may see, such as probabilities, is told as a band: (batch, heads, seq, most + 2 * side +
1), of the `most` global tokens and then of neighbours, from the farthest before to the farthest
after.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from . import ops
from .masks import Mask
from .state import State


class Chunk(NamedTuple):
    """Some queries, the keys near them, and the mask over the global keys and these.

    columns: (queries, keys) where the band has them, -1 where a key is out of a query's reach
    """

    queries: slice
    keys: slice
    mask: Mask
    columns: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Of the band, to go with `columns`. -> (queries, 1)"""
        return np.arange(self.queries.start, self.queries.stop)[:, None]

    def of_band(self, band: np.ndarray) -> np.ndarray:
        """What the band has for these: anything, out of reach. -> (batch, heads, queries, keys)"""
        return band[:, :, self.rows, self.columns]


class Sight:
    """Which tokens are global and which are padding: what all layers of one pass share.

    window: the length is filled up with padding to a multiple of it, or of the widest of several
    shown, is_global: (batch, seq) bool; places: (batch, most) positions of the global tokens, of
    which `real` exist in that row; seq: with the filling, of which there are `filled`
    """

    def __init__(
        self,
        x: Any,
        attention_mask: Any,
        global_attention_mask: Any,
        window: int | list = 1,
    ):
        shape = x.shape[:2]
        self.filled = -shape[1] % int(np.max(window))
        self.seq = shape[1] + self.filled
        shown = np.ones(shape, bool) if attention_mask is None else attention_mask != 0
        asked = (
            np.zeros(shape, bool) if global_attention_mask is None else global_attention_mask > 0
        )
        self.shown, self.is_global = self.fill(shown), self.fill(asked & shown)
        self.most = int(self.is_global.sum(1).max())
        self.places = np.argsort(~self.is_global, axis=1, kind="stable")[:, : self.most]
        self.real = np.take_along_axis(self.is_global, self.places, axis=1)
        self.rows = np.arange(shape[0])[:, None]
        self.chunks = functools.cache(self._chunks)

    def _chunks(self, side: int) -> list[Chunk]:
        """Of layers that look so far to either side."""
        return list(self._cut(side))

    def _cut(self, side: int) -> Iterator[Chunk]:
        step = max(2 * side, 1)
        local = self.shown & ~self.is_global
        for start in range(0, self.seq, step):
            stop = min(start + step, self.seq)
            low, high = max(start - side, 0), min(stop + side, self.seq)
            after = np.arange(low, high) - np.arange(start, stop)[:, None]
            near = (np.abs(after) <= side) & local[:, None, low:high]
            known = np.broadcast_to(self.real[:, None], (*near.shape[:2], self.most))
            allowed = np.concatenate([known, near], axis=2)[:, None]
            mask = Mask(stop - start, allowed.shape[-1], allowed=allowed)
            columns = np.where(np.abs(after) <= side, self.most + side + after, -1)
            first = np.broadcast_to(np.arange(self.most), (stop - start, self.most))
            columns = np.concatenate([first, columns], axis=1)
            yield Chunk(slice(start, stop), slice(low, high), mask, columns)

    def band(self, side: int, parts: list[np.ndarray]) -> np.ndarray:
        """What chunks have, (batch, heads, queries, keys) each, as a band: zeros for queries that
        are global or padding.
        """
        width = self.most + 2 * side + 1
        band = np.zeros((*parts[0].shape[:2], self.seq, width + 1), np.float32)
        for chunk, part in zip(self.chunks(side), parts):
            band[:, :, chunk.rows, chunk.columns] = part
        return band[..., :width] * (self.shown & ~self.is_global)[:, None, :, None]

    def of_globals(self, x: Any) -> Any:
        """(batch, seq, hidden) -> (batch, most, hidden)"""
        return x[self.rows, self.places]

    def back(self, of_globals: Any) -> Any:
        """Put the global tokens in their places, zeros elsewhere. -> (batch, seq, hidden)"""
        slot = (self.is_global.cumsum(1) - 1).clip(0)
        return of_globals[self.rows, slot] * self.is_global.astype(np.float32)[:, :, None]

    def fill(self, x: Any) -> Any:
        """Append zeros up to the length `seq`. x: (batch, length, ...) or None"""
        if x is None or not self.filled:
            return x
        zeros = np.zeros((x.shape[0], self.filled, *x.shape[2:]), x.dtype)
        return ops.concatenate(x, zeros, axis=1)

    def cut(self, x: Any, state: State) -> Any:
        """Take the filling away again, from x and from what is kept for the caller. -> x"""
        if not self.filled:
            return x
        whole, own = slice(None), slice(self.seq - self.filled)
        for kept, index in (
            (state.hidden_states, (whole, own)),
            (state.attentions, (whole, whole, own)),
            (state.global_attentions, (whole, whole, own)),
        ):
            if kept:
                kept[:] = [part[index] for part in kept]
        return x[:, own]
