"""Read GGUF files: metadata as values, tensors as views of the mapped file, quantised or not.

The format is that of ggml's `docs/gguf.md`: a header of key-value pairs and of tensor descriptions,
then the tensors' bytes. A file is untrusted input: every count, offset and shape is held against
the file's size before anything is allocated for it. Quantised types are expanded by the package
gguf, tensor by tensor and only when asked; floats need no package.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ..safetensors import StoredTensor

MAGIC = b"GGUF"
_MAX_AXES = 4  # GGML_MAX_DIMS
_MAX_TENSORS = 100_000
# Python objects a header may ask for (entries, texts, inner arrays), as they outweigh their bytes.
_MAX_VALUES = 10_000_000
_REMEDY = "the file may be truncated: get it again, from the Hub with force_download=True"

# Type code of a metadata value -> how its bytes are viewed; 8 is a text, 9 an array.
_SCALARS = dict(enumerate(("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "?")))
_SCALARS |= {10: "<u8", 11: "<i8", 12: "<f8"}
_TEXT, _ARRAY = 8, 9

# dtype -> how its bytes are viewed, for tensors that are plain numbers (BF16: as bits).
_PLAIN = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8"}
_PLAIN |= {"I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}


class TensorType(NamedTuple):
    """A type of ggml: its name, how many numbers make a block, and the bytes a block takes."""

    name: str
    block: int
    bytes: int


# The code in a file -> its type. Codes that are missing were withdrawn from the format.
TENSOR_TYPES = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
}


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor whose numbers share scales by the block, along the last axis.

    name, dtype: the name in the file, and that of ggml's type: "Q4_0", "Q6_K", "IQ4_XS", ...
    shape: its axes, in NumPy's order
    data: (*shape[:-1], bytes of a row) read-only uint8 view of the file
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: np.ndarray

    def numpy(self, dtype: DTypeLike | None = None) -> np.ndarray:
        """Expand to float32, or to `dtype`. Raises ImportError if the package gguf is missing."""
        values = _dequantize(self.data, self.dtype, self.name).reshape(self.shape)
        return values.astype(dtype or np.float32, copy=False)


@dataclass(frozen=True)
class ChangedTensor:
    """A tensor which a model wants otherwise than its file has it: permuted, transposed, shifted.

    shape: the axes of what `change` returns
    change: from the stored values to those the model takes
    dtype: the stored type where that is a float and `change` only moves numbers, else "F32"
    """

    source: GGUFTensor
    shape: tuple[int, ...]
    change: Callable[[np.ndarray], np.ndarray]
    dtype: str = "F32"

    @property
    def data(self) -> np.ndarray:
        """The changed values as bits of `dtype`, as `StoredTensor` has them."""
        plain = isinstance(self.source, StoredTensor) and self.source.dtype == self.dtype
        return np.ascontiguousarray(self.change(self.source.data)) if plain else self.numpy()

    def numpy(self, dtype: DTypeLike | None = None) -> np.ndarray:
        """Return the changed values as float32, or as `dtype`."""
        values = np.ascontiguousarray(self.change(self.source.numpy(np.float32)))
        return values.astype(dtype or np.float32, copy=False)


GGUFTensor = StoredTensor | QuantizedTensor | ChangedTensor


class GGUFFile:
    """The contents of one file.

    metadata: key -> number, text, list of texts, or array of numbers
    tensors: name in the file -> tensor
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Map `path`. Raises ValueError, naming file and tensor, if the file is not sound."""
        self.path = os.fspath(path)
        with open(self.path, "rb") as file:
            if os.fstat(file.fileno()).st_size < 24:
                raise ValueError(f"{self.path} is not a readable GGUF file: it is too short")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.metadata, entries, start = _read_header(_Cursor(mapped))
            self.tensors = _view_tensors(entries, memoryview(mapped)[start:])
        except ValueError as error:
            raise ValueError(f"{self.path} is not a readable GGUF file: {error}") from error


def is_gguf(path: str | os.PathLike[str]) -> bool:
    """Whether a local file begins as GGUF files do."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


class _Cursor:
    """Reads a header from front to back, never beyond the file's end."""

    def __init__(self, data: mmap.mmap):
        self.data, self.size, self.position, self.values = data, len(data), 0, 0

    def take(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > self.size:
            raise ValueError(f"it ends inside its header; {_REMEDY}")
        return self.data[start : self.position]

    def number(self, form: str) -> int:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0]

    def count(self, what: str, least: int) -> int:
        """A number of things that take `least` bytes each, so that a lie shows at once."""
        count = self.number("Q")
        self.values += count
        if count * least > self.size - self.position or self.values > _MAX_VALUES:
            raise ValueError(f"it announces {count} {what}, more than fit into it")
        return count

    def text(self) -> str:
        # not `count`: the bytes of a text are no objects
        return self.take(self.number("Q")).decode("utf-8", errors="replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind in _SCALARS:
            return self.numbers(kind, 1)[0].item()
        if kind != _ARRAY or depth > 2:
            raise ValueError(f"it holds a value of unknown type {kind}")
        item = self.number("I")
        if item in _SCALARS:
            return self.numbers(item, self.number("Q"))
        count = self.count("values in an array", 8)
        if item == _TEXT:
            return self.texts(count)
        return [self.value(item, depth + 1) for _ in range(count)]

    def texts(self, count: int) -> list[str]:
        """As `text`, without its calls: a vocabulary has hundreds of thousands."""
        data, size, position = self.data, self.size, self.position
        unpack, found = struct.Struct("<Q").unpack_from, []
        for _ in range(count):
            start = position + 8
            if start > size or (position := start + unpack(data, position)[0]) > size:
                raise ValueError(f"it ends inside its header; {_REMEDY}")
            found.append(data[start:position].decode("utf-8", errors="replace"))
        self.position = position
        return found

    def numbers(self, kind: int, count: int) -> np.ndarray:
        dtype = np.dtype(_SCALARS[kind])
        return np.frombuffer(self.take(count * dtype.itemsize), dtype)


class _Entry(NamedTuple):
    """What a header says about a tensor: ggml's name of its type, axes, place after the header."""

    type: TensorType
    shape: tuple[int, ...]
    start: int
    stop: int


def _read_header(cursor: _Cursor) -> tuple[dict[str, Any], dict[str, _Entry], int]:
    """-> metadata, entries of tensors, where the tensors' bytes start"""
    if cursor.take(4) != MAGIC:
        raise ValueError("it does not begin with GGUF")
    version = cursor.number("I")
    if version not in (2, 3):
        swapped = version in (2 << 24, 3 << 24)
        raise ValueError(
            "it is for big-endian machines"
            if swapped
            else f"its version is {version}, expected 2 or 3"
        )
    tensors, pairs = cursor.count("tensors", 24), cursor.count("entries", 13)
    if tensors > _MAX_TENSORS:
        raise ValueError(f"it announces {tensors} tensors, at most {_MAX_TENSORS} are read")
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.text()
        if key in metadata:
            raise ValueError(f"the entry {key!r} appears twice")
        metadata[key] = cursor.value(cursor.number("I"))
    alignment = metadata.get("general.alignment", 32)
    if not (type(alignment) is int and alignment > 0 and alignment % 8 == 0):
        raise ValueError(f"its alignment is {alignment!r}, not a multiple of 8")
    entries: dict[str, _Entry] = {}
    for _ in range(tensors):
        name = cursor.text()
        if name in entries:
            raise ValueError(f"the tensor {name!r} appears twice")
        try:
            entries[name] = _read_entry(cursor, alignment)
        except ValueError as error:
            raise ValueError(f"tensor {name!r}: {error}") from error
    padding = -cursor.position % alignment
    return metadata, entries, min(cursor.position + padding, cursor.size)


def _read_entry(cursor: _Cursor, alignment: int) -> _Entry:
    axes = cursor.number("I")
    if axes > _MAX_AXES:
        raise ValueError(f"it has {axes} axes, at most {_MAX_AXES} are allowed")
    shape = tuple(cursor.number("Q") for _ in range(axes))[::-1]
    code, start = cursor.number("I"), cursor.number("Q")
    if code not in TENSOR_TYPES:
        known = ", ".join(kind.name for kind in TENSOR_TYPES.values())
        raise ValueError(f"its type has the unknown code {code}; known are {known}")
    if 0 in shape:
        raise ValueError(f"its shape {list(shape)} has an empty axis")
    kind, row = TENSOR_TYPES[code], shape[-1] if shape else 1
    if row % kind.block:
        raise ValueError(
            f"its rows of {row} numbers cannot be {kind.name}, which has blocks of {kind.block}"
        )
    if start % alignment:
        raise ValueError(f"its offset {start} is not a multiple of the alignment {alignment}")
    return _Entry(kind, shape, start, start + math.prod(shape) // kind.block * kind.bytes)


def _view_tensors(entries: dict[str, _Entry], body: memoryview) -> dict[str, GGUFTensor]:
    """Check that every tensor lies in the body and apart from its neighbours, and view it."""
    end, tensors = 0, {}
    for name, (kind, shape, start, stop) in sorted(entries.items(), key=lambda item: item[1][2:]):
        where = f"tensor {name!r} (bytes {start} to {stop})"
        if stop > len(body):
            raise ValueError(f"{where} ends outside the {len(body)} bytes of tensors; {_REMEDY}")
        if start < end:
            raise ValueError(f"{where} overlaps its neighbour, which ends at {end}")
        tensors[name] = _view(name, kind, shape, body[start:stop])
        end = stop
    return {name: tensors[name] for name in entries}


def _view(name: str, kind: TensorType, shape: tuple[int, ...], data: memoryview) -> GGUFTensor:
    if kind.name in _PLAIN:
        view = np.frombuffer(data, _PLAIN[kind.name]).reshape(shape)
        return StoredTensor(name, kind.name, shape, view)
    row = shape[-1] // kind.block * kind.bytes
    return QuantizedTensor(
        name, kind.name, shape, np.frombuffer(data, np.uint8).reshape(*shape[:-1], row)
    )


def _dequantize(data: np.ndarray, dtype: str, name: str) -> np.ndarray:
    try:
        import gguf
    except ImportError:
        raise ImportError(
            f"tensor {name!r} is quantised as {dtype}, which the package gguf expands: "
            "pip install minitransformers[gguf]"
        ) from None
    kind = getattr(gguf.GGMLQuantizationType, dtype, None)
    try:
        if kind is None:
            raise NotImplementedError
        with np.errstate(all="ignore"):  # scales of a damaged file may be infinite
            return gguf.quants.dequantize(data, kind)
    except NotImplementedError:
        raise ValueError(
            f"tensor {name!r} is quantised as {dtype}, which the installed package gguf cannot "
            "expand: pip install -U gguf"
        ) from None
