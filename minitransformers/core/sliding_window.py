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
    """Some queries, the keys near them, and the mask over the global keys and these."""

    queries: slice
    keys: slice
    mask: Mask
    most: int
    side: int

    def of_band(self, band: np.ndarray) -> np.ndarray:
        """What the band has for these, zeros out of reach. -> (batch, heads, queries, keys)"""
        part = np.zeros((*band.shape[:2], self.mask.seq, self.mask.total), band.dtype)
        for here, there in self._same(part, band):
            here[...] = there
        return part

    def to_band(self, part: np.ndarray, band: np.ndarray) -> None:
        """The other way round."""
        for here, there in self._same(part, band):
            there[...] = here

    def _same(self, part: np.ndarray, band: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views of the same things in both: of the global keys, and of each query's neighbours."""
        most, side = self.most, self.side
        yield part[..., :most], band[:, :, self.queries, :most]
        for row in range(self.queries.start, self.queries.stop):
            first, last = max(row - side, self.keys.start), min(row + side + 1, self.keys.stop)
            here = slice(most + first - self.keys.start, most + last - self.keys.start)
            there = slice(most + side + first - row, most + side + last - row)
            yield part[:, :, row - self.queries.start, here], band[:, :, row, there]


class Sight:
    """Which tokens are global and which are padding: what all layers of one pass share.

    window: the length is filled up with padding to a multiple of it, or of the widest of several,
    as the reference's always is; only in training it shows, where dropout is drawn for padding too
    shown, is_global: (batch, seq) bool; places: (batch, most) positions of the global tokens, of
    which `real` exist in that row; seq: with the filling, of which there are `filled`
    """

    def __init__(
        self, x: Any, attention_mask: Any, global_attention_mask: Any, window: int | list = 1
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
            apart = np.abs(np.arange(start, stop)[:, None] - np.arange(low, high))
            near = (apart <= side) & local[:, None, low:high]
            known = np.broadcast_to(self.real[:, None], (*near.shape[:2], self.most))
            allowed = np.concatenate([known, near], axis=2)[:, None]
            mask = Mask(stop - start, allowed.shape[-1], allowed=allowed)
            yield Chunk(slice(start, stop), slice(low, high), mask, self.most, side)

    def band(self, side: int, parts: list[np.ndarray]) -> np.ndarray:
        """What chunks have, (batch, heads, queries, keys) each, as a band: zeros for queries that
        are global or padding.
        """
        width = self.most + 2 * side + 1
        band = np.zeros((*parts[0].shape[:2], self.seq, width), np.float32)
        for chunk, part in zip(self.chunks(side), parts):
            chunk.to_band(part, band)
        band *= (self.shown & ~self.is_global)[:, None, :, None]
        return band

    def of_globals(self, x: Any) -> Any:
        """(batch, seq, hidden) -> (batch, most, hidden)"""
        return x[self.rows, self.places]

    def back(self, of_globals: Any) -> Any:
        """Put the global tokens in their places, zeros elsewhere. -> (batch, seq, hidden)"""
        slot = (self.is_global.cumsum(1) - 1).clip(0)
        return of_globals[self.rows, slot] * self.is_global.astype(np.float32)[:, :, None]

    def fill(self, x: Any) -> Any:
        """Append zeros up to seq. x: None or (1 or batch, length, ...) -> (1 or batch, seq, ...)"""
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
