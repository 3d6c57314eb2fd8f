"""Matrices kept in fewer bits than they are multiplied in.

NumPy multiplies float32 (and float64) fast and nothing else. So a matrix of bfloat16, of 8-bit or
of 4-bit numbers is expanded tile by tile into a scratch that stays in the cache, and multiplied
there: each weight is read from memory in its small form.

A packed matrix stands where an array would, as the weight of a Linear, a Conv1D or an Embedding.
It behaves as an array of the values it stands for; what is not a product with it or a row of it
is computed with all of them expanded.
"""

from __future__ import annotations

import functools
import itertools
import threading
from typing import Any, ClassVar

import numpy as np

from .blocks import over_blocks
from .threads import parts, spread

_TILE = 1 << 20  # weights expanded at a time: long enough a call to be worth sharing out
_WORTH = 1 << 18  # weights a thread: handing over fewer takes longer than they do
_LEAD = 1 << 17  # weights that the caller is through with when a helper begins
_SMALL = 1 << 18  # weights up to which a matrix is kept expanded once it is used: 1 MB
_scratch = threading.local()


def _scratch_of(rows: int, width: int) -> np.ndarray:
    """This thread's scratch, its contents undefined. -> (rows, width) float32"""
    have: np.ndarray | None = getattr(_scratch, "array", None)
    if have is None or have.size < rows * width:
        have = _scratch.array = np.empty(rows * width, np.float32)
    return have[: rows * width].reshape(rows, width)


# Which of three ways to multiply a few rows by the rows of a matrix in the cache is the fastest:
# measured, 768 wide, in ps a weight:
#   rows of x       2     4     8     9    16    64
#   one by one    150   290   590   660  1010
#   x @ m.T       380   310   410   540   560  1640
#   (m @ x.T).T   250   310   315   405   470  1620
_ONE_BY_ONE = 3  # rows up to which each is a product of its own
_TURNED = 64  # rows up to which the product is made the other way round


def few_rows(x: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """out = x @ matrix.T. x: (n, width); matrix: (rows, width); out: (n, rows)"""
    if len(x) <= _ONE_BY_ONE:
        for row, target in zip(x, out):
            # not `matmul`, which keeps the interpreter from other threads below 500 results
            np.dot(matrix, row, out=target)
    elif len(x) <= _TURNED:
        out[...] = (matrix @ x.T).T
    else:
        np.matmul(x, matrix.T, out=out)


def _from_half(x: np.ndarray, out: np.ndarray) -> None:
    """Put finite float16 numbers into `out`, float32; NumPy's own conversion takes far longer."""
    # Sign, exponent and fraction move to their places in a float32, whose exponent then lacks the
    # difference of the biases, 112. The product supplies it, also to subnormal numbers.
    bits = out.view(np.int32)
    np.copyto(bits, x.view(np.int16))  # extends the sign
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, -0x70002000, out=bits)  # 0x8fffe000
    out *= 2.0**112


class Packed(np.lib.mixins.NDArrayOperatorsMixin):
    """The base: knows products and tiles; a kind of packing knows how to expand rows.

    stored: the matrix in its small form, (rows, ...)
    width: elements of an expanded row
    transposed: whether the weight is the transpose of what is stored
    """

    names: ClassVar[tuple[str, ...]] = ()  # of its arrays beside `stored`
    trainable: ClassVar[bool] = True
    scale: np.ndarray | None = None  # a factor a row that `expand` leaves out, (rows,)

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, stored: np.ndarray, width: int, transposed: bool = False):
        self.stored, self.width, self.transposed = stored, width, transposed
        self._whole: list[np.ndarray] = []  # the expanded matrix, of a small one; shared with `T`
        self._cuts: dict[int, list[list[tuple[int, int]]]] = {}  # tiles by the number of threads

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        """Put rows start to stop into `out`, (stop - start, width) float32."""
        raise NotImplementedError

    def pick(self, rows: np.ndarray) -> Packed:
        """The rows of these numbers, packed. rows: (n,) integers"""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, int]:
        rows = len(self.stored)
        return (self.width, rows) if self.transposed else (rows, self.width)

    @property
    def size(self) -> int:
        return len(self.stored) * self.width

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """{name: array} of everything that is stored, "" being the matrix"""
        return {"": self.stored} | {name: getattr(self, name) for name in self.names}

    @property
    def nbytes(self) -> int:
        """Bytes it takes as it is."""
        return sum(x.nbytes for x in self.arrays.values())

    @property
    def flags(self) -> Any:
        return self.stored.flags

    @property
    def T(self) -> Packed:
        other = object.__new__(type(self))
        other.__dict__ = self.__dict__ | {"transposed": not self.transposed}
        return other

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of what is stored, expanded. -> (stop - start, width) float32"""
        out = np.empty((stop - start, self.width), np.float32)
        self.expand(start, stop, out)
        if self.scale is not None:
            out *= self.scale[start:stop, None]
        return out

    def numpy(self) -> np.ndarray:
        """The whole matrix in float32."""
        out = self.rows(0, len(self.stored))
        return out.T if self.transposed else out

    # as an array: what is not done better below is done with the expanded matrix

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy().astype(dtype or np.float32, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc is np.matmul and method == "__call__" and not kwargs:
            x, weight = inputs
            if isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype == np.float32:
                return weight.product(x)
        arrays = (x.numpy() if isinstance(x, Packed) else x for x in inputs)
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("stored", "width", "transposed"):
            raise AttributeError(name)
        return getattr(self.numpy(), name)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Rows, expanded; any other index expands the whole matrix first."""
        if self.transposed or isinstance(index, tuple):
            return self.numpy()[index]
        rows = np.arange(len(self.stored))[index]
        return self.pick(rows.reshape(-1)).numpy().reshape(*rows.shape, self.width)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_whole": []}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, {self.nbytes} bytes)"

    # products

    def product(self, x: np.ndarray, turned: bool = False) -> np.ndarray:
        """x @ self, or x @ self.T. x: (n, shape[0]) -> (n, shape[1])"""
        x = x.astype(np.float32, copy=False)
        onto_rows = self.transposed is not turned
        if self.size <= _SMALL:
            if not self._whole:
                self._whole.append(self.rows(0, len(self.stored)))
            whole = self._whole[0].T if onto_rows else self._whole[0]
            out = np.empty((len(x), whole.shape[1]), np.float32)
            spread(lambda _: np.matmul(x, whole, out=out), 1, more_follows=True)
            return out
        return self._onto_rows(x) if onto_rows else self._along_rows(x)

    def _onto_rows(self, x: np.ndarray) -> np.ndarray:
        """Products with the stored rows. x: (n, width) -> (n, rows)"""
        out = np.empty((len(x), len(self.stored)), np.float32)
        shares = self._tiles()

        def part(i: int) -> None:
            for start, stop in shares[i]:
                self._times_rows(x, start, stop, out[:, start:stop])

        spread(part, len(shares), more_follows=True)
        if self.scale is not None:
            out *= self.scale
        return out

    def _times_rows(self, x: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
        """out = x @ rows(start, stop).T, without `scale`. x: (n, width); out: (n, stop - start)"""
        few_rows(x, self._expanded(start, stop), out)

    def _along_rows(self, x: np.ndarray) -> np.ndarray:
        """Sums of stored rows. x: (n, rows) -> (n, width)"""
        shares = self._tiles()
        sums = np.zeros((len(shares), len(x), self.width), np.float32)
        if self.scale is not None:
            x = x * self.scale

        def part(i: int) -> None:
            for start, stop in shares[i]:
                sums[i] += x[:, start:stop] @ self._expanded(start, stop)

        spread(part, len(shares), more_follows=True)
        return sums[0] if len(shares) == 1 else np.add.reduce(sums, axis=0)

    def _expanded(self, start: int, stop: int) -> np.ndarray:
        """Rows in the scratch, which the next ones take. -> (stop - start, width) float32"""
        tile = _scratch_of(stop - start, self.width)
        self.expand(start, stop, tile)
        return tile

    def _tiles(self) -> list[list[tuple[int, int]]]:
        """The rows of the tiles of each thread, of the caller first."""
        n = len(self.stored)
        share = parts(self.size, _WORTH)
        if share not in self._cuts:
            lead = _LEAD // self.width if share > 1 else 0
            ends = [lead + (n - lead) * (i + 1) // share for i in range(share)]
            self._cuts[share] = list(map(self._even_tiles, (0, *ends), ends))
        return self._cuts[share]

    def _even_tiles(self, start: int, stop: int) -> list[tuple[int, int]]:
        tiles = max(1, round((stop - start) * self.width / _TILE))
        cuts = [start + (stop - start) * i // tiles for i in range(tiles + 1)]
        return list(itertools.pairwise(cuts))


class BFloat16(Packed):
    """stored: (rows, width) uint16, the upper halves of float32 numbers"""

    def __init__(self, stored: np.ndarray, transposed: bool = False):
        super().__init__(stored, stored.shape[1], transposed)

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        # in two steps: a ufunc that casts keeps the interpreter from the helpers while it sets out
        bits = out.view(np.uint32)
        np.copyto(bits, self.stored[start:stop])
        np.left_shift(bits, 16, out=bits)

    def pick(self, rows: np.ndarray) -> Packed:
        return BFloat16(self.stored[rows])


class Float16(Packed):
    """stored: (rows, width) float16"""

    def __init__(self, stored: np.ndarray, transposed: bool = False):
        super().__init__(stored, stored.shape[1], transposed)

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        _from_half(self.stored[start:stop], out)
        if not self._finite:  # what stands for infinity became 65,536
            with np.errstate(over="ignore"):
                out *= 2.0**112
            out *= 2.0**-112

    @functools.cached_property
    def _finite(self) -> bool:
        return bool(np.all(self.stored.view(np.uint16) & 0x7FFF < 0x7C00))

    def pick(self, rows: np.ndarray) -> Packed:
        return Float16(self.stored[rows])


class Int8(Packed):
    """8-bit integers with a factor for each row.

    stored: (rows, width) int8; scale: (rows,) float32
    """

    names = ("scale",)
    scale: np.ndarray
    trainable = False

    def __init__(self, stored: np.ndarray, scale: np.ndarray, transposed: bool = False):
        super().__init__(stored, stored.shape[1], transposed)
        self.scale = scale

    @classmethod
    def of(cls, matrix: np.ndarray | Packed) -> Int8:
        """Round each row to the 255 multiples of a step that reach its largest absolute value."""
        n, width = matrix.shape
        stored, scale = np.empty((n, width), np.int8), np.empty(n, np.float32)

        def quantise(start: int, stop: int) -> None:
            rows, steps = np.asarray(matrix[start:stop]), scale[start:stop]
            np.divide(np.maximum(rows.max(1), -rows.min(1)), np.float32(127), out=steps)
            np.maximum(steps, np.float32(1e-30), out=steps)
            stored[start:stop] = np.rint(rows / steps[:, None])

        over_blocks(quantise, n, width)
        return cls(stored, scale)

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        np.copyto(out, self.stored[start:stop])

    def pick(self, rows: np.ndarray) -> Packed:
        return Int8(self.stored[rows], self.scale[rows])


def _float32(x: np.ndarray) -> np.ndarray:
    if x.dtype == np.float32:
        return x
    out = np.empty(x.shape, np.float32)
    _from_half(x, out)
    return out


class Int4(Packed):
    """4-bit integers with a step and a least value for each group of neighbours in a row.

    stored: (rows, width / 2) uint8; the lower halves of the bytes are the first half of the row
    step, least: (rows, groups) float16, or float32 where that lacks the range
    """

    names = ("step", "least")
    trainable = False

    def __init__(
        self, stored: np.ndarray, step: np.ndarray, least: np.ndarray, transposed: bool = False
    ):
        super().__init__(stored, 2 * stored.shape[1], transposed)
        self.step, self.least = step, least

    @staticmethod
    def group_of(width: int, group: int = 32) -> int | None:
        """The largest group up to `group` that divides rows of that width; None if below 16."""
        while group >= 16:
            if width % (2 * group) == 0:
                return group
            group //= 2
        return None

    @classmethod
    def of(cls, matrix: np.ndarray | Packed, group: int = 32) -> Int4:
        """Round each group of a row to 16 equally spaced values from its least to its greatest.

        Raises ValueError where a row has no groups of 16 or more.
        """
        n, width = matrix.shape
        size = cls.group_of(width, group)
        if size is None:
            raise ValueError(f"rows of {width} elements have no groups of 16 or more")
        stored = np.empty((n, width // 2), np.uint8)
        step, least = np.empty((2, n, width // size), np.float32)

        def quantise(start: int, stop: int) -> None:
            groups = np.asarray(matrix[start:stop]).reshape(stop - start, -1, size)
            steps, lows = step[start:stop], least[start:stop]
            groups.min(-1, out=lows)
            np.subtract(groups.max(-1), lows, out=steps)
            steps /= 15
            np.maximum(steps, np.float32(1e-30), out=steps)
            values = (groups - lows[..., None]) / steps[..., None]
            values = np.rint(values, out=values).astype(np.uint8).reshape(stop - start, width)
            stored[start:stop] = values[:, : width // 2] | values[:, width // 2 :] << 4

        over_blocks(quantise, n, width)
        if step.min() > 1e-4 and np.abs(least).max() < 6e4:
            step, least = step.astype(np.float16), least.astype(np.float16)
        return cls(stored, step, least)

    def expand(self, start: int, stop: int, out: np.ndarray) -> None:
        self._integers(start, stop, out)
        groups = out.reshape(stop - start, self.step.shape[1], -1)
        groups *= _float32(self.step[start:stop])[..., None]
        groups += _float32(self.least[start:stop])[..., None]

    def _integers(self, start: int, stop: int, out: np.ndarray) -> None:
        pairs, half = self.stored[start:stop], self.width // 2
        np.copyto(out[:, :half], pairs & 15)
        np.copyto(out[:, half:], pairs >> 4)

    def _times_rows(self, x: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
        if len(x) > _ONE_BY_ONE:
            return super()._times_rows(x, start, stop, out)
        # Integers are multiplied as they are, and the step and the least value of a group come in
        # after: putting them into 32 numbers at a time takes more than all the rest.
        tile = _scratch_of(stop - start, self.width)
        self._integers(start, stop, tile)
        step, least = _float32(self.step[start:stop]), _float32(self.least[start:stop])
        groups = step.shape[1]
        by_group = tile.reshape(stop - start, groups, -1).swapaxes(0, 1)
        for row, target in zip(x.reshape(len(x), groups, self.width // groups), out):
            sums = np.matmul(by_group, row[..., None])[..., 0]  # (groups, rows)
            np.einsum("gr,rg->r", sums, step, out=target)
            target += least @ row.sum(1)

    def pick(self, rows: np.ndarray) -> Packed:
        return Int4(self.stored[rows], self.step[rows], self.least[rows])
