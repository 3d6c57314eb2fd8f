"""Write pytorch_model.bin: what torch.save makes of a dictionary of tensors, without torch.

The file is a zip archive, nothing in it compressed, so that it can be mapped: `data.pkl` is the
pickled dictionary, in which every tensor is a call that rebuilds it from the storage `data/<n>`.
The calls are those `torch.load(weights_only=True)` allows. They are written opcode by opcode, as
pickle itself insists on importing what it names.
"""

import math
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from .files import replacing
from .safetensors import StoredTensor

_STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
    "BF16": "BFloat16Storage",  # a StoredTensor's, whose data are its bits
}
_ALIGNMENT = 64  # bytes, as torch aligns storages


Tensor = np.ndarray | StoredTensor


def write_torch(path: str | os.PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Write `tensors` to `path` for torch.load, replacing the whole file or nothing.

    Names of one tensor become tensors that share their storage. Raises ValueError for a dtype that
    torch lacks.
    """
    for name, tensor in tensors.items():
        if _dtype_of(tensor) not in _STORAGES:
            raise ValueError(
                f"{os.fspath(path)}: torch has no {_dtype_of(tensor)}, as tensor {name!r} has"
            )
    storages = {id(tensor): tensor for tensor in tensors.values()}
    keys = {identity: str(n) for n, identity in enumerate(storages)}
    entries = b"".join(
        _text(name) + _tensor(tensor, keys[id(tensor)]) for name, tensor in tensors.items()
    )
    table = _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    table += pickle.MARK + entries + pickle.SETITEMS
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        _add(archive, "data.pkl", pickle.PROTO + b"\x02" + table + pickle.STOP)
        _add(archive, "byteorder", sys.byteorder.encode())
        for identity, tensor in storages.items():
            _add(archive, f"data/{keys[identity]}", _bytes(tensor))
        _add(archive, "version", b"3\n")


def _dtype_of(tensor: Tensor) -> str:
    return tensor.dtype if isinstance(tensor, StoredTensor) else tensor.dtype.name


def _tensor(tensor: Tensor, key: str) -> bytes:
    """Opcodes that rebuild one tensor, contiguous, from the storage `key`."""
    shape = tensor.shape
    strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    storage = (
        *(_text("storage"), _global("torch", _STORAGES[_dtype_of(tensor)])),
        *(_text(key), _text("cpu"), _plain(math.prod(shape))),
    )
    arguments = (
        *(_tuple(*storage) + pickle.BINPERSID, _plain(0)),
        *(_plain(shape), _plain(strides), pickle.NEWFALSE),
        _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE,
    )
    return _global("torch._utils", "_rebuild_tensor_v2") + _tuple(*arguments) + pickle.REDUCE


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(encoded)) + encoded


def _plain(value: Any) -> bytes:
    """A number, or a tuple of numbers."""
    if isinstance(value, tuple):
        return _tuple(*map(_plain, value))
    if value < 2**31:
        return pickle.BININT + struct.pack("<i", value)
    return pickle.LONG1 + b"\x08" + struct.pack("<q", value)


def _bytes(tensor: Tensor) -> memoryview:
    array = tensor.data if isinstance(tensor, StoredTensor) else tensor
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return memoryview(native.reshape(-1).view(np.uint8))


def _add(archive: zipfile.ZipFile, name: str, content: bytes | memoryview) -> None:
    """Add an uncompressed file whose bytes begin at a multiple of the alignment."""
    entry = zipfile.ZipInfo(f"archive/{name}")
    assert archive.fp is not None
    start = archive.fp.tell() + 30 + len(entry.filename) + 4  # headers of the entry and the filler
    filler = -start % _ALIGNMENT
    entry.extra = b"FB" + struct.pack("<H", filler) + bytes(filler)
    archive.writestr(entry, content)
