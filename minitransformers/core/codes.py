"""Forms of matrices that other tools' files need: small numbers that are places in a table (8-bit
floats, the 4-bit ones of QLoRA), and columns in another order (GPTQ's, by activation)."""

from __future__ import annotations

import functools

import numpy as np

from .packed import Packed


class Codes(Packed):
    """Places in a table of values, and a factor for each group of neighbours in a row.

    stored: (rows, width) uint8 of 256 values, or (rows, width / 2) of 16, the upper half first; a
        row is an even number of bytes
    table: (256,) or (16,) float32; step: (rows, groups) float32
    """

    names = ("table", "step")
    trainable = False

    def __init__(
        self, stored: np.ndarray, table: np.ndarray, step: np.ndarray, transposed: bool = False
    ):
        super().__init__(stored, stored.shape[1] * (2 if len(table) == 16 else 1), transposed)
        self.table, self.step = table, step
        if step.shape[1] == 1:
            self.scale = step[:, 0].astype(np.float32)

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        # looked up two bytes at a time: a look-up takes as long for four values as for one
        table = _by_word(self.table.tobytes(), self.table.dtype.str)
        words = self.stored[start:stop].view("<u2")
        # a mode, or `take` would fill a copy of `out` first; every word is a place in the table
        np.take(table, words, axis=0, mode="clip", out=out.reshape(*words.shape, -1))
        if self.scale is None:
            out.reshape(stop - start, self.step.shape[1], -1)[...] *= self.step[start:stop, :, None]

    def pick(self, rows: np.ndarray) -> Packed:
        return Codes(self.stored[rows], self.table, self.step[rows])


@functools.lru_cache(maxsize=8)
def _by_word(table: bytes, dtype: str) -> np.ndarray:
    """The values of every two bytes. -> (65536, 2 or 4) float32"""
    values = np.frombuffer(table, dtype).astype(np.float32)
    words = np.arange(1 << 16, dtype="<u2").view(np.uint8).reshape(-1, 2)
    if len(values) == 16:
        words = np.stack([words >> 4, words & 15], axis=-1).reshape(-1, 4)
    return values[words]


class Reordered(Packed):
    """A matrix whose columns are those of another one, in another order.

    inner: that one; order: (width,) integers, where each of its columns belongs
    """

    trainable = False

    def __init__(self, inner: Packed, order: np.ndarray, transposed: bool = False):
        super().__init__(inner.stored, inner.width, transposed)
        self.inner, self.order = inner, order
        self.scale = inner.scale

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return self.inner.arrays | {"order": self.order}

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        columns = np.empty_like(out)
        self.inner.expand(start, stop, columns)
        out[:, self.order] = columns

    def _onto_rows(self, x: np.ndarray) -> np.ndarray:
        return self.inner._onto_rows(x[:, self.order])

    def _along_rows(self, x: np.ndarray) -> np.ndarray:
        out = np.empty((len(x), self.width), np.float32)
        out[:, self.order] = self.inner._along_rows(x)
        return out

    def pick(self, rows: np.ndarray) -> Packed:
        return Reordered(self.inner.pick(rows), self.order)
