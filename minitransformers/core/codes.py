"""Forms of matrices that other tools' files need: small numbers that are places in a table (8-bit
floats, the 4-bit ones of QLoRA), and columns in another order (GPTQ's, by activation)."""

from __future__ import annotations

import functools
import math

import numpy as np

from .blocks import over_blocks
from .packed import Packed

# The 16 values of NF4: places of equally many numbers of a normal distribution each. QLoRA, arXiv
# 2305.14314, appendix E
NF4 = np.array(
    [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ],
    np.float32,
)  # fmt: skip
_BLOCK = 64  # weights of a factor of NF4
_BLOCKS = 256  # factors of a factor, where they are rounded themselves


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

    @staticmethod
    def fits(width: int, block: int) -> bool:
        """Whether rows of that width can have a factor for every `block` numbers of the matrix."""
        return width % 4 == 0 and math.gcd(width, block) >= 16

    @classmethod
    def in_blocks(
        cls, stored: np.ndarray, table: np.ndarray, step: np.ndarray, block: int, width: int
    ) -> Codes:
        """From rows one behind the other, with a factor for every `block` numbers.

        stored: bytes of two numbers each; step: (blocks,) float32; width: one that `fits`
        """
        rows, group = 2 * stored.size // width, math.gcd(width, block)  # in a row and in a block
        first = np.arange(rows * width // group) * group
        step = step[first // block].reshape(rows, -1)
        return cls(stored.reshape(rows, -1), table, step)

    @classmethod
    def nf4(cls, matrix: np.ndarray, twice: bool = False) -> Codes:
        """Round 64 neighbours at a time to the values of NF4, as bitsandbytes does.

        matrix: (rows, width), of a width that `fits` 64
        twice: round the factors as well, to 8 bits: "double quantisation"
        """
        rows, width = matrix.shape
        if width % _BLOCK:  # blocks go on in the next row
            blocks = np.zeros((-(-rows * width // _BLOCK), _BLOCK), np.float32)
            blocks.reshape(-1)[: rows * width] = np.asarray(matrix, np.float32).reshape(-1)
        else:
            blocks = matrix
        stored = np.empty((len(blocks), blocks.shape[1] // 2), np.uint8)
        step = np.empty((len(blocks), blocks.shape[1] // _BLOCK), np.float32)
        bounds = (NF4[:-1] + NF4[1:]) / 2

        def quantise(start: int, stop: int) -> None:
            some = np.asarray(blocks[start:stop], np.float32).reshape(-1, _BLOCK)
            largest = np.abs(some).max(1)
            step[start:stop] = largest.reshape(stop - start, -1)
            scaled = some * (np.float32(1) / np.maximum(largest, np.float32(1e-38)))[:, None]
            codes = np.searchsorted(bounds, np.clip(scaled, -1, 1)).astype(np.uint8)
            codes = codes.reshape(stop - start, -1)
            stored[start:stop] = codes[:, ::2] << 4 | codes[:, 1::2]

        over_blocks(quantise, *blocks.shape)
        factors = (_rounded(step) if twice else step).reshape(-1)
        return cls.in_blocks(stored.reshape(-1)[: rows * width // 2], NF4, factors, _BLOCK, width)

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


def _rounded(step: np.ndarray) -> np.ndarray:
    """Factors as they are after being kept in 8 bits: less their mean, in blocks, to a table."""
    mean = step.mean(dtype=np.float32)
    flat = np.zeros(-(-step.size // _BLOCKS) * _BLOCKS, np.float32)
    flat[: step.size] = step.reshape(-1) - mean
    blocks = flat.reshape(-1, _BLOCKS)
    largest = np.abs(blocks).max(1, keepdims=True)
    table = _dynamic()
    bounds = (table[:-1] + table[1:]) / 2
    scaled = blocks / np.maximum(largest, np.float32(1e-38))
    near = table[np.searchsorted(bounds, scaled)] * largest + mean
    return near.reshape(-1)[: step.size].reshape(step.shape)


@functools.cache
def _dynamic() -> np.ndarray:
    """8-bit numbers of a "dynamic" exponent: a sign, as many zeros as the power of ten has, and the
    rest of the bits for the fraction. arXiv 1511.04561 -> (256,) float32, ascending"""
    found = [0.0, 1.0]
    for power in range(7):
        edges = np.linspace(0.1, 1, 2**power + 1).astype(np.float32)
        means = (edges[:-1] + edges[1:]) / 2 * np.float32(10.0 ** (power - 6))
        found += [*means, *-means]
    return np.sort(np.array(found, np.float32))


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
