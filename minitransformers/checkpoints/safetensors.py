"""Read safetensors files as views of the mapped file, and write them.

Opening a file reads its header and nothing else: a tensor's bytes come from the disk when they
are first touched, belong to the page cache and not to the process, and are shared by every process
that opened the same file. The format is specified at https://huggingface.co/docs/safetensors: an
8-byte little-endian length, a JSON header of that length, and the tensors' bytes without a gap
between them. A file is untrusted input: whatever its header claims is checked before it is used.
"""

import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from ..json_files import parse_json
from .files import replacing

# The format's name of a dtype -> how its bytes are viewed: as bits where NumPy lacks the type.
_VIEWED_AS = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F8_E4M3": "u1",
    "F8_E5M2": "u1",
    "F8_E8M0": "u1",
    "BF16": "<u2",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
}
_MAX_HEADER = 100_000_000  # bytes; the cap that the format's own library has
_MAX_AXES = 32  # what every supported NumPy can shape
_REMEDY = "the file may be truncated: get it again, from the Hub with force_download=True"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as its file holds it.

    name: the key under which the file stores it
    dtype: the format's name of its type: "F32", "F16", "BF16", "I64", "U8", "BOOL", ...
    shape: its axes
    data: read-only view of the file, in that shape; BF16 as uint16 bits, FP8 as uint8 bits
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.data.nbytes

    def numpy(self, dtype: DTypeLike | None = None) -> np.ndarray:
        """Return the values as `dtype`.

        None means the stored type, or float32 where NumPy lacks it (BF16, FP8). Where the file
        already holds that type the result is `data` itself: read-only and not copied. The exception
        are bytes at an address not aligned for their type: copied here, or BLAS would copy them at
        every call.
        """
        expand = _EXPAND.get(self.dtype)
        values = self.data if expand is None else expand(self.data)
        values = values.astype(
            np.dtype(dtype) if dtype else values.dtype.newbyteorder("="), copy=False
        )
        return np.require(values, requirements="A")


class SafetensorsFile(Mapping[str, StoredTensor]):
    """The tensors of one file by name, in its header's order; `metadata` is the free text there.

    A name in the metadata that points at a stored tensor is a tied tensor which was written once
    (bart-large-cnn): it reads as that tensor.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Map `path`. Raises ValueError, naming file and tensor, if the file is not sound."""
        self.path = os.fspath(path)
        with open(self.path, "rb") as file:
            header, start = _read_header(file, self.path)
            # An empty file was refused above, so there is something to map.
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        metadata = header.pop("__metadata__", {})
        if not (isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())):
            raise ValueError(f"{self.path}: the header's __metadata__ must map text to text")
        self.metadata: dict[str, str] = metadata
        self._tensors = _view_tensors(header, memoryview(mapped)[start:], self.path)
        for alias, name in metadata.items():
            if name in self._tensors and alias != "format":
                self._tensors.setdefault(alias, self._tensors[name])

    def __getitem__(self, name: str) -> StoredTensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"SafetensorsFile({self.path!r}, {len(self)} tensors)"


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, StoredTensor]:
    """Map a file and return its tensors by name. Raises ValueError as `SafetensorsFile` does."""
    return dict(SafetensorsFile(path))


def write_safetensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, np.ndarray | StoredTensor],
    metadata: Mapping[str, str] | None = MappingProxyType({"format": "pt"}),
) -> None:
    """Write `tensors` to `path`, replacing the whole file or nothing.

    A file that is mapped stays intact under its views, so a model may be saved over the one it was
    loaded from. The reference refuses a file without the metadata {"format": "pt"}. Raises
    ValueError for a dtype that the format cannot hold, TypeError for metadata that is not text.
    """
    if not all(isinstance(text, str) for text in (metadata or {}).values()):
        raise TypeError(f"{os.fspath(path)}: metadata must map text to text, not {metadata}")
    # The format's own library takes no bfloat16 from NumPy, and the whole file as bytes in memory.
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    arrays, end = [], 0
    for name, tensor in sorted(tensors.items(), key=_widest_first):
        dtype, array = _storable(tensor, f"{os.fspath(path)}: tensor {name!r}")
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        arrays.append(array)
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as partial, open(partial, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays:
            file.write(np.asarray(array, order="C").data.cast("B") if array.size else b"")


def _widest_first(item: tuple[str, np.ndarray | StoredTensor]) -> tuple[int, str]:
    # so that every tensor starts at a multiple of its element's size
    name, tensor = item
    array = tensor.data if isinstance(tensor, StoredTensor) else tensor
    return -array.dtype.itemsize, name


def _storable(tensor: np.ndarray | StoredTensor, where: str) -> tuple[str, np.ndarray]:
    """The format's name of a dtype, and the array in little-endian order."""
    if isinstance(tensor, StoredTensor):
        return tensor.dtype, tensor.data
    little = tensor.dtype.newbyteorder("<")
    for name, kind in _VIEWED_AS.items():
        if np.dtype(kind) == little and name not in _EXPAND:
            return name, tensor.astype(little, copy=False)
    raise ValueError(f"{where}: safetensors cannot hold its dtype, {tensor.dtype}")


def _read_header(file: BinaryIO, path: str) -> tuple[dict[str, Any], int]:
    """Return the parsed header of an open file and the offset at which the tensors' bytes start."""
    size = os.fstat(file.fileno()).st_size
    if size < 8:
        raise ValueError(f"{path}: {size} bytes are too few for a safetensors file; {_REMEDY}")
    length = int.from_bytes(file.read(8), "little")
    if length > _MAX_HEADER:
        raise ValueError(
            f"{path}: not a safetensors file (a header of {length} bytes; at most {_MAX_HEADER})"
        )
    if length > size - 8:
        raise ValueError(
            f"{path}: the file ends inside its header ({size} bytes, header {length}); {_REMEDY}"
        )
    try:
        header = parse_json(file.read(length), unique=True)
    except ValueError as error:
        raise ValueError(f"{path}: the safetensors header is not valid: {error}") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path}: the safetensors header must be a JSON object")
    return header, 8 + length


def _view_tensors(header: dict[str, Any], body: memoryview, path: str) -> dict[str, StoredTensor]:
    """Check every entry, then view its bytes. Together they cover the body from end to end."""
    entries = {name: _check_entry(name, entry, path) for name, entry in header.items()}
    tensors, end = {}, 0
    for name, (dtype, shape, (begin, stop)) in sorted(entries.items(), key=lambda item: item[1][2]):
        where = f"{path}: tensor {name!r} (bytes {begin} to {stop})"
        if begin != end:
            fault = "overlaps" if begin < end else "leaves a gap after"
            raise ValueError(f"{where} {fault} its neighbour, which ends at {end}")
        if stop > len(body):
            raise ValueError(f"{where} ends outside the {len(body)} bytes of tensors; {_REMEDY}")
        view = np.frombuffer(body[begin:stop], _VIEWED_AS[dtype])
        try:
            tensors[name] = StoredTensor(name, dtype, shape, view.reshape(shape))
        except (ValueError, OverflowError) as error:  # empty, with an axis beyond NumPy's counting
            raise ValueError(f"{where} cannot have the shape {list(shape)}: {error}") from error
        end = stop
    if end != len(body):
        raise ValueError(
            f"{path}: {len(body) - end} bytes after the last tensor belong to none; {_REMEDY}"
        )
    return {name: tensors[name] for name in header}


def _check_entry(name: str, entry: Any, path: str) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Return the dtype, shape and (begin, stop) of one entry: sound, and fitting each other."""
    where = f"{path}: tensor {name!r}"
    if not (isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}):
        raise ValueError(f"{where} must have exactly dtype, shape and data_offsets in the header")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not (isinstance(dtype, str) and dtype in _VIEWED_AS):
        raise ValueError(
            f"{where} has the unknown dtype {dtype!r}; known are {', '.join(_VIEWED_AS)}"
        )
    if not (_is_counts(shape) and len(shape) <= _MAX_AXES):
        raise ValueError(f"{where} has the malformed shape {shape!r}")
    if not (_is_counts(offsets) and len(offsets) == 2):
        raise ValueError(f"{where} has the malformed data_offsets {offsets!r}")
    need = math.prod(shape) * np.dtype(_VIEWED_AS[dtype]).itemsize
    if offsets[1] - offsets[0] != need:
        raise ValueError(
            f"{where}: {dtype} of shape {shape} takes {need} bytes, not those of {offsets}"
        )
    return dtype, tuple(shape), (offsets[0], offsets[1])


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _expand_bfloat16(bits: np.ndarray) -> np.ndarray:
    # bfloat16 is the upper half of float32.
    return np.asarray(np.left_shift(bits, 16, dtype=np.uint32)).view(np.float32)


def _expand_e5m2(bits: np.ndarray) -> np.ndarray:
    # E5M2 is the upper half of float16.
    return np.asarray(np.left_shift(bits, 8, dtype=np.uint16)).view(np.float16).astype(np.float32)


def _expand_e4m3(bits: np.ndarray) -> np.ndarray:
    # The "fn" variant of https://arxiv.org/abs/2209.05433: no infinities, all ones is NaN.
    code = np.arange(128)
    exponent, fraction = code >> 3, (code & 7) / 8
    table = np.where(exponent > 0, np.ldexp(1 + fraction, exponent - 7), np.ldexp(fraction, -6))
    table[127] = np.nan
    return np.concatenate([table, -table]).astype(np.float32)[bits]


def _expand_e8m0(bits: np.ndarray) -> np.ndarray:
    # A bare exponent, the scale of an MX block: 2 ** (bits - 127), all ones is NaN.
    powers = np.ldexp(np.float32(1), np.arange(-127, 128))
    return np.append(powers, np.float32(np.nan))[bits]


_EXPAND = {
    "BF16": _expand_bfloat16,
    "F8_E4M3": _expand_e4m3,
    "F8_E5M2": _expand_e5m2,
    "F8_E8M0": _expand_e8m0,
}
