"""Read the files that torch.save writes, without torch: zip archives and the older single stream.

Either holds a pickle, which describes each tensor as a view (offset, shape, strides) of a storage,
and the storages' bytes. The pickle is interpreted without running anything it names (`pickles`).
Storages stay in the mapped file, and tensors that share one there share it here. A file is
untrusted: every view is checked against its storage before it is made.
"""

import io
import math
import mmap
import os
from typing import Any, NamedTuple

import numpy as np

from .archive import ZipArchive
from .pickles import Call, Global, interpret
from .safetensors import _MAX_AXES, _VIEWED_AS, StoredTensor

_MAGIC = 0x1950A86A20F9469CFC6C  # of the single stream
_PROTOCOL = 1001
# Inflated entries, or a tensor that repeats its elements by strides of zero, may take this many
# bytes more than the file has.
_SLACK = 256 * 2**20
_MAX_PICKLE = 100_000_000  # bytes; the pickle of a shard with 1,000 tensors has 150,000

# torch's dtype -> the name in safetensors' manner
_DTYPES = {
    **{"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"},
    **{"int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "bool": "BOOL"},
    **{"uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8"},
    **{"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0"},
    **{"complex64": "C64", "complex128": "C128"},
}
_STORAGES = {
    **{"DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16"},
    **{"BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32"},
    **{"ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8"},
    **{"BoolStorage": "bool", "UntypedStorage": "uint8"},
    **{"ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128"},
}
_CODES = _VIEWED_AS | {"C128": "<c16"}

# What a tensor's pickle calls -> where the arguments after (storage, offset, size, stride) hold its
# dtype, if the storage has none, and its conjugate and negative bits.
_REBUILD = {
    "torch._utils._rebuild_tensor": (None, None),
    "torch._utils._rebuild_tensor_v2": (None, 6),
    "torch._utils._rebuild_tensor_v3": (6, 7),
}
# Calls around a tensor's: as their first argument or, of a tensor with attributes, as their parts.
_PARAMETERS = (
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
)
_WITH_ATTRIBUTES = "torch._tensor._rebuild_from_type_v2"
_REFUSED = {
    "torch._utils._rebuild_qtensor": "quantized by torch: dequantize() it before saving",
    "torch._utils._rebuild_sparse_tensor": "sparse: save to_dense() of it",
    "torch._utils._rebuild_nested_tensor": "nested",
    "torch._utils._rebuild_meta_tensor_no_storage": "on the meta device: the file lacks its values",
    "torch._utils._rebuild_wrapper_subclass": "of a subclass of torch.Tensor",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": "of an accelerator: save cpu() of it",
}
# Storages of dtypes that cannot be read -> bytes of an element.
_OTHER_STORAGES = {
    **{"QInt8Storage": 1, "QUInt8Storage": 1, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1},
    **{"QInt32Storage": 4, "ComplexHalfStorage": 4},
}
_ALLOWED = {
    *_REBUILD,
    *_PARAMETERS,
    *_REFUSED,
    _WITH_ATTRIBUTES,
    *(f"torch.{name}" for name in (*_DTYPES, "complex32", "float8_e4m3fnuz", "float8_e5m2fnuz")),
    *(f"{module}.{name}" for module in ("torch", "torch.cuda", "torch.storage")
      for name in (*_STORAGES, *_OTHER_STORAGES)),
    *("torch.Size", "torch.device", "torch.Tensor", "torch.serialization._get_layout"),
    *(f"torch.per_{kind}" for kind in ("tensor_affine", "tensor_symmetric", "channel_affine",
      "channel_symmetric", "channel_affine_float_qparams")),
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *("builtins.set", "builtins.complex", "builtins.bytearray"),
}  # fmt: skip
# What training scripts save around a state_dict, if its tensors are not at the top.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")


class _Storage(NamedTuple):
    """A storage as the pickle refers to it.

    key: its name in the file; kind: torch's class, such as "FloatStorage"; numel: elements
    """

    key: str
    kind: str
    numel: int

    @property
    def itemsize(self) -> int:
        dtype = _STORAGES.get(self.kind)
        return _code(dtype).itemsize if dtype else _OTHER_STORAGES[self.kind]


class _Description(NamedTuple):
    """What a tensor is: a view of a storage; offset and strides count elements of its dtype."""

    storage: _Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_bin(path: str | os.PathLike[str]) -> dict[str, StoredTensor]:
    """Map a file of torch.save and return the tensors of its state_dict by name.

    Names of one view are the same StoredTensor; what is no tensor is left out. Raises ValueError,
    naming file and tensor, if the file is not sound or asks for what tensors do not need.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 4:
            raise ValueError(f"{path}: {size} bytes are too few for a file of torch.save")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        source = _Archive(mapped) if mapped[:4] == b"PK\3\4" else _Stream(mapped)
        state = _find_state(source.root)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    views = _Views(source, size + _SLACK)
    tensors = {}
    for name, call in state:
        try:
            if not isinstance(name, str):
                raise ValueError("its name is not text")
            tensors[name] = views.tensor(name, call)
        except ValueError as error:
            raise ValueError(f"{path}: tensor {name!r:.200}: {error}") from error
    return tensors


class _Archive:
    """A zip archive: data.pkl, and each storage an entry data/<key>."""

    def __init__(self, mapped: mmap.mmap):
        self._zip = ZipArchive(mapped, inflatable=len(mapped) + _SLACK)
        self._folder = next(iter(self._zip), "").split("/")[0]
        if f"{self._folder}/constants.pkl" in self._zip:
            raise ValueError("a TorchScript program, not a state_dict: save its state_dict()")
        pickle = self._zip.read(f"{self._folder}/data.pkl")
        if len(pickle) > _MAX_PICKLE:
            raise ValueError(f"its pickle has {len(pickle)} bytes; at most {_MAX_PICKLE}")
        order = f"{self._folder}/byteorder"
        written = bytes(self._zip.read(order)[:9]) if order in self._zip else b"little"
        if written not in (b"little", b"big"):
            raise ValueError(f"written in the unknown byte order {written!r}")
        self.big_endian = written == b"big"
        self.root = interpret(io.BytesIO(pickle), _ALLOWED, _read_storage_id)

    def storage(self, key: str) -> memoryview:
        return self._zip.read(f"{self._folder}/data/{key}")


class _Stream:
    """What torch before 1.6 wrote: pickles, then each storage's count and bytes."""

    big_endian = False  # whatever machine wrote it

    def __init__(self, mapped: mmap.mmap):
        begin = bytes(mapped[:16])
        try:
            known = interpret(mapped) == _MAGIC
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"not a file that torch.save wrote: it begins with {begin!r}")
        if interpret(mapped) != _PROTOCOL:
            raise ValueError("written with an unknown protocol of torch.save")
        interpret(mapped)  # the writer's byte order and sizes, which readers ignore
        found: dict[str, _Storage] = {}

        def persistent(identity: Any) -> _Storage:
            storage = _read_storage_id(identity)
            found.setdefault(storage.key, storage)
            return storage

        self.root = interpret(mapped, _ALLOWED, persistent)
        self._bytes = self._find_storages(mapped, interpret(mapped), found)

    @staticmethod
    def _find_storages(mapped: mmap.mmap, keys: Any, found: dict) -> dict[str, memoryview]:
        if not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
            raise ValueError("its list of storages is malformed")
        data, here = memoryview(mapped), mapped.tell()
        storages: dict[str, memoryview] = {}
        for key in keys:
            if key not in found or key in storages:
                raise ValueError(f"the storage {key!r} is listed, but not used or listed before")
            count = int.from_bytes(data[here : here + 8], "little")
            stop = here + 8 + count * found[key].itemsize
            if stop > len(data):
                raise ValueError(f"the storage {key!r} ends outside the file; it may be truncated")
            storages[key] = data[here + 8 : stop]
            here = stop
        return storages

    def storage(self, key: str) -> memoryview:
        if key not in self._bytes:
            raise ValueError(f"its storage {key!r} is not in the file")
        return self._bytes[key]


class _Views:
    """The tensors of a file, each view of its storages made once.

    limit: bytes that one tensor may take
    """

    def __init__(self, source: _Archive | _Stream, limit: int):
        self._source = source
        self._limit = limit
        self._shown = 0  # bytes of all tensors, each view once
        self._contents: dict[str, memoryview] = {}
        self._elements: dict[tuple[str, str], np.ndarray] = {}
        self._made: dict[tuple, StoredTensor] = {}

    def tensor(self, name: str, call: Call) -> StoredTensor:
        """Return the view that a call describes. Raises ValueError if it cannot be had."""
        described = _describe(call)
        key = (*described.storage, *described[1:])
        if key not in self._made:
            data = self._view(described)
            data.flags.writeable = False
            self._made[key] = StoredTensor(name, _DTYPES[described.dtype], data.shape, data)
        return self._made[key]

    def _view(self, described: _Description) -> np.ndarray:
        storage, dtype, offset, shape, strides = described
        elements = self._storage(storage, dtype)
        size = elements.itemsize
        numel = math.prod(shape)
        if not numel:
            return np.empty(shape, elements.dtype)
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides))
        if last >= elements.size:
            raise ValueError(
                f"its elements {offset} to {last} lie outside its storage of {elements.size}"
            )
        if numel * size > self._limit:
            raise ValueError(
                f"it repeats its storage to {numel * size} bytes, too many for the file's size"
            )
        self._shown += numel * size
        if self._shown > 2 * self._limit - _SLACK:  # each may be copied, to be as it is needed
            raise ValueError(
                f"with it the tensors show {self._shown} bytes, too many for the file's size"
            )
        # an axis of one element takes no step, however long it claims to be
        steps = [stride * size if n > 1 else size for n, stride in zip(shape, strides)]
        return np.ndarray(shape, elements.dtype, elements, offset * size, steps)

    def _storage(self, storage: _Storage, dtype: str) -> np.ndarray:
        """The elements of a storage, as they are in the file."""
        if storage.key not in self._contents:
            self._contents[storage.key] = self._source.storage(storage.key)
        content = self._contents[storage.key]
        if len(content) != storage.numel * storage.itemsize:
            raise ValueError(
                f"its storage {storage.key!r} has {len(content)} bytes, not the "
                f"{storage.numel} elements of a {storage.kind}"
            )
        key = (storage.key, dtype)
        if key not in self._elements:
            code = _code(dtype)
            whole = content[: len(content) // code.itemsize * code.itemsize]
            if self._source.big_endian:
                swapped = np.frombuffer(whole, code.newbyteorder(">"))
                self._elements[key] = swapped.astype(code)
            else:
                self._elements[key] = np.frombuffer(whole, code)
        return self._elements[key]


def _code(dtype: str) -> np.dtype:
    """How the bytes of torch's dtype are viewed."""
    return np.dtype(_CODES[_DTYPES[dtype]])


def _read_storage_id(identity: Any) -> _Storage:
    """Check the persistent id of a storage: (storage, class, key, device, count[, part of it])"""
    malformed = ValueError("a storage's description is malformed")
    if not (isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage"):
        raise malformed
    _, kind, key, _, count, *part = identity
    if not (isinstance(kind, Global) and isinstance(key, str) and _are_counts((count,))):
        raise malformed
    name = kind.name.rpartition(".")[2]
    if name not in _STORAGES and name not in _OTHER_STORAGES:
        raise malformed
    if part not in ([], [None]):
        raise ValueError(
            f"the storage {key!r} is a part of another, as only early versions of torch write it"
        )
    return _Storage(key, name, count)


def _find_state(root: Any) -> list[tuple[Any, Call]]:
    """The tensors of a state_dict, at the top or in what a training script saved around it."""
    if not isinstance(root, dict):
        kind = "a single tensor" if isinstance(root, Call) else f"a {type(root).__name__}"
        raise ValueError(f"it holds {kind}, not a state_dict of tensors by name")
    for state in (root, *(root.get(name) for name in _WRAPPERS)):
        if isinstance(state, dict):
            tensors = [(name, value) for name, value in state.items() if _is_tensor(value)]
            if tensors:
                return tensors
    return []


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Call) and (
        value.function in (*_REBUILD, *_PARAMETERS, *_REFUSED, _WITH_ATTRIBUTES)
    )


def _describe(call: Call) -> _Description:
    """Check and take the arguments of the call that makes a tensor."""
    call = _unwrap(call)
    dtype_at, bits_at = _REBUILD[call.function]
    storage, offset, shape, strides, *_ = call.arguments + 4 * (None,)
    axes = (shape, strides)
    if not (
        isinstance(storage, _Storage)
        and all(isinstance(lengths, tuple) and _are_counts(lengths) for lengths in axes)
        and _are_counts((offset,))
        and len(shape) == len(strides) <= _MAX_AXES
    ):
        raise ValueError("its description is malformed")
    dtype: str | None = _STORAGES.get(storage.kind, storage.kind)
    if dtype_at is not None:
        given = call.arguments[dtype_at] if len(call.arguments) > dtype_at else None
        dtype = given.name.removeprefix("torch.") if isinstance(given, Global) else None
    if dtype not in _DTYPES:
        raise ValueError(f"its dtype {dtype} is not supported; supported are {', '.join(_DTYPES)}")
    bits = call.arguments[bits_at] if bits_at and len(call.arguments) > bits_at else None
    if bits:
        raise ValueError("it is conjugated or negated when read: save resolve_conj() of it")
    return _Description(storage, dtype, offset, shape, strides)


def _unwrap(call: Call) -> Call:
    """The call that makes the tensor itself, inside those that make a parameter of it."""
    inner: Any = call
    while isinstance(inner, Call) and inner.function not in _REBUILD:
        if inner.function in _REFUSED:
            raise ValueError(f"it is {_REFUSED[inner.function]}")
        arguments = inner.arguments
        if inner.function in _PARAMETERS:
            inner = arguments[0] if arguments else None
        elif inner.function == _WITH_ATTRIBUTES and len(arguments) >= 3:
            function, _, parts = arguments[:3]
            sound = isinstance(function, Global) and isinstance(parts, tuple)
            inner = Call(function.name, parts) if sound else None
        else:
            inner = None
    if inner is None or not isinstance(inner, Call):
        raise ValueError("its description is malformed")
    return inner


def _are_counts(numbers: tuple) -> bool:
    return all(type(n) is int and 0 <= n < 2**63 for n in numbers)
