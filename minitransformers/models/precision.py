"""How a model keeps its weights: as the checkpoint does, in float32, or in fewer bits.

Computing is in float32 always; see `core.packed` for what a matrix in fewer bits is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np

from ..checkpoints import StoredTensor
from ..core.codes import Codes, Reordered
from ..core.module import Module
from ..core.packed import BFloat16, Float16, Int4, Int8, Packed
from ..device import check_dtype
from .prequantised import unpacked

_METHOD = "minitransformers"  # quant_method of checkpoints that hold what is defined here
_HALVES = {"BF16": BFloat16, "F16": Float16}
_ROUNDED = {"bfloat16": BFloat16, "float16": Float16}


@dataclass
class BitsAndBytesConfig:
    """Which weights to quantise while loading, with the field names of bitsandbytes.

    load_in_8bit: 8-bit integers and a factor for each output
    load_in_4bit: 4-bit integers with a step and an offset for each 32 weights of an output;
        embeddings and the language model's head in 8 bits
    bnb_4bit_quant_type: with "nf4", the 4 bits are bitsandbytes' own: a table of 16 values, a
        factor for each 64 weights; embeddings and the head stay as they are
    bnb_4bit_use_double_quant: round these factors, too
    llm_int8_skip_modules: names, or parts of names between dots, of modules to leave as they are
    The other fields say how bitsandbytes computes on a GPU, and change nothing here.
    """

    load_in_8bit: bool = False
    load_in_4bit: bool = False
    llm_int8_threshold: float = 6.0
    llm_int8_skip_modules: list[str] | None = None
    llm_int8_enable_fp32_cpu_offload: bool = False
    llm_int8_has_fp16_weight: bool = False
    bnb_4bit_compute_dtype: Any = None
    bnb_4bit_quant_type: str = "fp4"
    bnb_4bit_use_double_quant: bool = False
    bnb_4bit_quant_storage: Any = None

    quant_method: ClassVar[str] = "bitsandbytes"

    def __post_init__(self) -> None:
        if self.load_in_8bit and self.load_in_4bit:
            raise ValueError("load_in_4bit and load_in_8bit are both True: choose one of them")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> BitsAndBytesConfig:
        """Raises TypeError for a field that there is not."""
        known = {f.name for f in fields(cls)}
        other = [n for n in config if n not in known and n != "quant_method" and n[:1] != "_"]
        if other:
            raise TypeError(f"quantization_config has unknown fields {other}; known: {known}")
        return cls(**{name: value for name, value in config.items() if name in known})

    def to_dict(self) -> dict[str, Any]:
        return {"quant_method": self.quant_method} | vars(self)


@dataclass(frozen=True)
class Precision:
    """How to keep weights.

    bits: 8 or 4 to quantise matrices, None not to
    nf4: None, or with 4 bits "once" or "twice": see `Codes.nf4`
    dtype: "float32", "bfloat16" or "float16" to convert the others to, None to keep them as stored,
        "auto" for what the configuration says
    skip: modules not to quantise, see `BitsAndBytesConfig`
    """

    bits: int | None = None
    dtype: str | None = None
    nf4: str | None = None
    skip: tuple[str, ...] = field(default=())

    @classmethod
    def take(cls, options: dict[str, Any]) -> Precision:
        """From keywords of `from_pretrained`, which are removed.

        Raises ValueError for a dtype or a quantisation that is not supported.
        """
        dtype = options.pop("torch_dtype", None)
        dtype = options.pop("dtype", dtype)
        dtype = dtype if isinstance(dtype, str) and dtype == "auto" else check_dtype(dtype)
        asked = {
            name: bool(options.pop(name))
            for name in ("load_in_8bit", "load_in_4bit")
            if options.get(name) is not None
        }
        config = options.pop("quantization_config", None)
        if config is None:
            config = BitsAndBytesConfig(**asked)
        elif any(asked.values()):
            raise ValueError("give either quantization_config or load_in_8bit / load_in_4bit")
        config = config if isinstance(config, Mapping) else config.to_dict()
        if config.get("quant_method", "bitsandbytes") != BitsAndBytesConfig.quant_method:
            raise ValueError(
                f"quantization_config of {config['quant_method']!r} is not supported: use "
                "load_in_8bit=True, load_in_4bit=True or a BitsAndBytesConfig"
            )
        known = BitsAndBytesConfig.from_dict(config)
        bits = 8 if known.load_in_8bit else 4 if known.load_in_4bit else None
        twice = "twice" if known.bnb_4bit_use_double_quant else "once"
        nf4 = twice if bits == 4 and known.bnb_4bit_quant_type == "nf4" else None
        return cls(bits, dtype, nf4, tuple(known.llm_int8_skip_modules or ()))

    def settled(self, config: Any) -> Precision:
        """With a dtype in place of "auto": the configuration's, or as stored if that has none."""
        if self.dtype != "auto":
            return self
        named = str(getattr(config, "torch_dtype", None)).removeprefix("torch.")
        return replace(self, dtype=named if named == "float32" or named in _ROUNDED else None)

    def describe(self) -> dict[str, Any]:
        """What config.json says of a model that was quantised here."""
        described = {"quant_method": _METHOD, "bits": self.bits}
        return described | ({"llm_int8_skip_modules": list(self.skip)} if self.skip else {})

    def keep(self, name: str, owner: Module, stored: Any, head: bool = False) -> Any:
        """One weight as it shall be kept: an array, or a Packed.

        name: its full name; owner: the Module whose attribute it becomes
        stored: an array, a Packed or something with `dtype`, `shape` and `.numpy(dtype)`
        head: whether it is an embedding or a language model's head
        """
        if isinstance(stored, Packed):
            whole = owner.packs is None or (self.dtype == "float32" and stored.trainable)
            return stored.numpy() if whole else stored
        matrix = owner.packs is not None and len(stored.shape) == 2 and name.endswith("weight")
        left = self.skips(name) or (head and self.nf4 is not None)
        if matrix and self.bits is not None and not left:
            bits = 8 if head else self.bits
            return _quantised(_as_stored(stored), owner.packs == "columns", bits, self.nf4)
        if matrix and self.dtype is None:
            return _as_stored(stored)
        values = _float32(stored)
        if self.dtype not in _ROUNDED:
            return values
        rounded = _round(values, self.dtype)
        return rounded if matrix else rounded.numpy().reshape(values.shape)

    def skips(self, name: str) -> bool:
        """Whether a weight, of this full name, is one not to quantise."""
        path = f".{name}"
        return any(f".{skipped}." in path for skipped in self.skip)


def _float32(x: Any) -> np.ndarray:
    if isinstance(x, np.ndarray):
        return np.asarray(x, np.float32)
    array = x.numpy(np.float32)
    array.flags.writeable = False  # as views of the file are: unchanged weights can be told
    return array


def _as_stored(x: Any) -> Any:
    """A view of what is stored where that is float32, bfloat16 or float16; else float32."""
    if isinstance(x, np.ndarray):
        return Float16(np.ascontiguousarray(x)) if x.dtype == np.float16 else _float32(x)
    half = _HALVES.get(x.dtype)
    return _float32(x) if half is None else half(np.require(x.data, requirements="CA"))


def _round(values: np.ndarray, dtype: str) -> Packed:
    matrix = values.reshape(-1, values.shape[-1] if values.ndim else 1)
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return Float16(matrix.astype(np.float16))
    bits = np.ascontiguousarray(matrix).view(np.uint32)
    nearest = bits + (0x7FFF + (bits >> 16 & 1))  # ties to even
    return BFloat16((np.where(np.isnan(matrix), bits, nearest) >> 16).astype(np.uint16))


def alike(old: Any, new: np.ndarray) -> Any:
    """A matrix that takes another's place, in half precision if that one is."""
    for dtype, kind in _ROUNDED.items():
        if isinstance(old, kind):
            return _round(np.asarray(new, np.float32), dtype)
    return new


def half_of(weights: Mapping[str, Any]) -> str | None:
    """The half precision that the first of a model's matrices is kept in, None if none is."""
    kinds = {kind: dtype for dtype, kind in _ROUNDED.items()}
    return next((kinds[type(x)] for x in weights.values() if type(x) in kinds), None)


def narrowed(name: str, array: np.ndarray, dtype: str | None) -> np.ndarray | StoredTensor:
    """A tensor for a file: in that half precision if it loses nothing by it, as what a half
    precision file held does not; else the array."""
    if dtype is None or array.dtype != np.float32 or not array.size:
        return array
    half = _round(array, dtype)
    if not np.array_equal(half.numpy().reshape(array.shape), array, equal_nan=True):
        return array
    stored = half.stored.reshape(array.shape)
    return StoredTensor(name, "BF16", array.shape, stored) if dtype == "bfloat16" else stored


def _quantised(values: Any, columns: bool, bits: int, nf4: str | None) -> Packed:
    if columns:
        values = np.ascontiguousarray(np.asarray(values).T)
    packed: Packed
    if bits == 4 and nf4 is not None and Codes.fits(values.shape[1], 64):
        packed = Codes.nf4(values, nf4 == "twice")
    elif bits == 4 and Int4.group_of(values.shape[1]) is not None:
        packed = Int4.of(values)
    else:
        packed = Int8.of(values)
    return packed.T if columns else packed


# Checkpoints of quantised weights: beside the matrix `name`, arrays `name_scale` and the like;
# where the weight is the transpose of the matrix, `name_columns_scale`.


def tensors_of(name: str, packed: Packed) -> dict[str, np.ndarray | StoredTensor]:
    """{name: tensor} that stand for a packed weight in a file."""
    if isinstance(packed, (BFloat16, Float16)):
        bits = packed.stored.T if packed.transposed else packed.stored
        half = isinstance(packed, BFloat16)
        return {name: StoredTensor(name, "BF16", bits.shape, bits) if half else bits}
    turned = "_columns" if packed.transposed else ""
    return {f"{name}{turned}_{n}" if n else name: array for n, array in packed.arrays.items()}


def assembled(
    stored: Mapping[str, Any], config: Any, source: str, columns: Collection[str] = ()
) -> Mapping[str, Any]:
    """Put what belongs to one quantised weight together. -> {name: stored tensor or Packed}

    config: of the model; nothing is done unless it says that the checkpoint is quantised
    columns: names of layers that keep their weights as (in, out)
    Raises ValueError for a quantisation that cannot be read.
    """
    how = getattr(config, "quantization_config", None)
    if not how:
        return stored
    how = how if isinstance(how, Mapping) else how.to_dict()
    if how.get("quant_method") != _METHOD:
        return unpacked(stored, how, columns, source)
    whole = dict(stored)
    for kind in (Int8, Codes, Int4):  # Codes have a step as well
        for turned in ("_columns", ""):
            suffixes = [f"{turned}_{name}" for name in kind.names]
            for name in [n.removesuffix(suffixes[0]) for n in whole if n.endswith(suffixes[0])]:
                arrays = [_array(whole.pop(name + s, None), name + s, source) for s in suffixes]
                matrix = _array(whole.get(name), name, source)
                where = f"{source}: {name}"
                packed = _checked(kind, matrix, arrays, bool(turned), where)
                order = whole.pop(f"{name}{turned}_order", None)
                whole[name] = packed if order is None else _reordered(packed, order, where)
    return whole


def _reordered(packed: Packed, order: Any, where: str) -> Packed:
    places = _array(order, "order", where)
    if places.dtype.kind != "i" or not np.array_equal(np.sort(places), np.arange(packed.width)):
        raise ValueError(f"{where}: its order is not one of {packed.width} columns")
    inner = packed.T if packed.transposed else packed
    return Reordered(inner, places, packed.transposed)


def _array(x: Any, name: str, source: str) -> np.ndarray:
    if x is None:
        raise ValueError(f"{source}: the tensor {name!r} of a quantised weight is missing")
    return x if isinstance(x, np.ndarray) else x.data


def _checked(
    kind: Any, matrix: np.ndarray, arrays: list[np.ndarray], transposed: bool, where: str
) -> Packed:
    rows = len(matrix) if matrix.ndim == 2 else -1
    if kind is Int8:
        sound = matrix.dtype == np.int8 and arrays[0].shape == (rows,)
    elif kind is Codes:
        table, step = arrays
        groups = step.shape[1] if step.ndim == 2 else 0
        width = matrix.shape[-1] * (2 if table.shape == (16,) else 1)
        sound = matrix.dtype == np.uint8 and table.shape in ((16,), (256,))
        sound = sound and step.shape == (rows, groups) and matrix.shape[-1] % 2 == 0
        sound = sound and groups > 0 and width % groups == 0
    else:
        step, least = arrays
        groups = step.shape[1] if step.ndim == 2 else 0
        width = 2 * matrix.shape[-1]
        sound = matrix.dtype == np.uint8 and step.shape == least.shape == (rows, groups)
        sound = sound and groups > 0 and width % groups == 0
    if not sound or any(x.dtype not in (np.float16, np.float32) for x in arrays):
        shapes = [(x.dtype.name, x.shape) for x in (matrix, *arrays)]
        raise ValueError(f"{where} is not a {kind.__name__} weight: its arrays are {shapes}")
    return kind(matrix, *arrays, transposed)
