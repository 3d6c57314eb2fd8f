"""Weights that other tools quantised: GPTQ, AWQ, bitsandbytes, compressed-tensors, fp8.

A file holds several tensors for each such layer. They become one `Packed` that stands for the same
values, the (out, in) matrix of a Linear, and takes as little memory. Activations are not quantised,
also where the tool does that. Facts: the formats' own packages (auto_gptq, autoawq, bitsandbytes,
compressed_tensors), and what they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..checkpoints import StoredTensor
from ..core.blocks import over_blocks
from ..core.codes import Codes, Reordered
from ..core.packed import Float16, Int4, Int8, Packed
from ..json_files import parse_json
from ..logging import progress

Tensors = dict[str, Any]  # what belongs to one layer, by the ends of their names


class Format(NamedTuple):
    """How the tensors of a layer are named, and what they make.

    parts: the ends of their names; the first one tells that a layer is quantised
    read: (tensors, quantization_config) -> the layer's (out, in) weight; an exception where the
        tensors do not fit together
    """

    parts: tuple[str, ...]
    read: Callable[[Tensors, Mapping[str, Any]], Packed | np.ndarray]


def unpacked(
    stored: Mapping[str, Any], how: Mapping[str, Any], columns: Collection[str], source: str
) -> dict[str, Any]:
    """Put the tensors of each quantised layer together.

    stored: {name: tensor}; how: the configuration's quantization_config
    columns: names of layers that keep their weights as (in, out)
    -> {name: stored tensor, or Packed or array in its place}
    Raises ValueError for an unknown method, and for tensors that do not fit.
    """
    method = how.get("quant_method")
    if method is None and (how.get("load_in_4bit") or how.get("load_in_8bit")):
        method = "bitsandbytes"  # before it was written
    if method not in _FORMATS:
        raise ValueError(
            f"{source} holds weights quantised by {method!r}, which are not read (those of "
            f"{', '.join(_FORMATS)} are): load the checkpoint they were made from, with "
            "load_in_8bit=True or load_in_4bit=True"
        )
    whole = dict(stored)
    read = 0
    for form in _FORMATS[method]:
        layers = [
            name.removesuffix(form.parts[0]) for name in whole if name.endswith(form.parts[0])
        ]
        read += len(layers)
        for layer in progress(layers, "Reading quantised weights") if layers else ():
            found = {p: whole.pop(layer + p) for p in form.parts if layer + p in whole}
            try:
                weight = form.read({part: _array(part, x) for part, x in found.items()}, how)
            except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
                shapes = {part: (x.dtype, tuple(x.shape)) for part, x in found.items()}
                raise ValueError(
                    f"{source}: the tensors of {layer!r} are not a weight quantised by {method} "
                    f"({error}): {shapes}"
                ) from error
            whole[f"{layer}.weight"] = weight.T if layer.rpartition(".")[2] in columns else weight
    if not read and how.get("format") != "dense":
        named = how.get("checkpoint_format", how.get("format"))
        raise ValueError(
            f"{source} should hold weights quantised by {method}, and has no tensor named "
            f"...{' or ...'.join(form.parts[0] for form in _FORMATS[method])}: it is of another "
            f"format{f', {named!r},' if named else ''} which is not read"
        )
    return whole


def _array(part: str, x: Any) -> Any:
    """Integers as they are, 16-bit floats as float32; weights are what the file has."""
    if isinstance(x, StoredTensor) and part == ".weight":
        return x if x.dtype.startswith("F8") else x.data
    array = np.asarray(x if isinstance(x, np.ndarray) else x.numpy())
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


# Integers of a few bits


def _codes(words: np.ndarray, bits: int) -> np.ndarray:
    """Numbers of `bits` bits, least significant first in each row's words; uint8."""
    stream = np.ascontiguousarray(words).view(np.uint8)
    if bits == 8:
        return stream
    if bits == 4:
        return np.stack([stream & 15, stream >> 4], axis=-1).reshape(len(stream), -1)
    single = np.unpackbits(stream, axis=1, bitorder="little")
    single = single[:, : single.shape[1] // bits * bits].reshape(len(stream), -1, bits)
    return (single << np.arange(bits, dtype=np.uint8)).sum(-1, dtype=np.uint8)


def _from_codes(
    codes: Callable[[int, int], np.ndarray],
    width: int,
    bits: int,
    step: np.ndarray,
    zero: np.ndarray,
    group_of: np.ndarray | None = None,
) -> Packed | np.ndarray:
    """The matrix step * (codes - zero).

    codes: (start, stop) -> (stop - start, width) uint8, these rows
    step, zero: (rows, groups) float32, of groups of neighbours unless `group_of` says which group
        each column is in: (width,) integers
    """
    rows, groups = step.shape
    _need(width > 0 and groups > 0, "it is empty")
    _need(group_of is None or group_of.shape == (width,), "g_idx")
    if group_of is None and width % groups == 0 and width % 2 == 0:
        if bits <= 4:
            halves = np.empty((rows, width // 2), np.uint8)

            def halve(start: int, stop: int) -> None:
                some = codes(start, stop)
                halves[start:stop] = some[:, : width // 2] | some[:, width // 2 :] << 4

            over_blocks(halve, rows, width)
            return Int4(halves, step, -step * zero)
        middle = 2 ** (bits - 1)
        if (zero == middle).all():
            signed = np.empty((rows, width), np.int8)

            def put(start: int, stop: int) -> None:
                np.subtract(codes(start, stop), middle, out=signed[start:stop].view(np.uint8))

            over_blocks(put, rows, width)
            return _signed(signed, step)
    if group_of is not None and _evenly(group_of, groups):
        order = np.argsort(group_of, kind="stable")

        def ordered(start: int, stop: int) -> np.ndarray:
            return codes(start, stop)[:, order]

        inner = _from_codes(ordered, width, bits, step, zero)
        if isinstance(inner, Packed) and not isinstance(inner, Float16):
            return Reordered(inner, order)
    # no small form: 8 bits with any zeros, or groups of different sizes
    chosen = np.arange(width) // -(-width // groups) if group_of is None else group_of
    _need(0 <= chosen.min() <= chosen.max() < groups, "g_idx")
    values = np.empty((rows, width), np.float16)

    def expand(start: int, stop: int) -> None:
        numbers = codes(start, stop) - zero[start:stop, chosen]
        numbers *= step[start:stop, chosen]
        with np.errstate(over="ignore"):
            values[start:stop] = numbers

    over_blocks(expand, rows, width)
    return Float16(values)


def _evenly(group_of: np.ndarray, groups: int) -> bool:
    """Whether each group has as many columns as another."""
    if group_of.ndim != 1 or group_of.dtype.kind != "i" or group_of.min() < 0:
        return False
    return np.array_equal(np.sort(group_of), np.arange(len(group_of)) * groups // len(group_of))


def _signed(integers: np.ndarray, step: np.ndarray) -> Packed | np.ndarray:
    """The matrix step * integers. integers: (rows, width) int8; step: (rows, groups) float32"""
    if step.shape[1] == 1:
        return Int8(integers, step[:, 0])
    table = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32)
    return _looked_up(integers.view(np.uint8), table, step)


def _looked_up(stored: np.ndarray, table: np.ndarray, step: np.ndarray) -> Packed | np.ndarray:
    """A matrix of table[stored] * step. stored: (rows, bytes); step: (rows, groups)"""
    codes = Codes(stored, table, step)
    if stored.shape[1] % 2 == 0 and codes.width % step.shape[1] == 0:
        return codes
    _need(codes.width == stored.shape[1], "rows of an odd number of bytes")
    return table[stored] * step[:, np.arange(codes.width) // -(-codes.width // step.shape[1])]


# GPTQ and AWQ


def _gptq(tensors: Tensors, how: Mapping[str, Any]) -> Packed | np.ndarray:
    words, scales = tensors[".qweight"], tensors[".scales"]
    bits = int(how.get("bits", 4))
    _need(bits in (2, 3, 4, 8) and words.dtype == np.int32 and words.ndim == 2, "bits or qweight")
    width, rows = words.shape[0] * 32 // bits, words.shape[1]
    groups = len(scales)
    _need(scales.shape == (groups, rows) and words.shape[0] * 32 % bits == 0, "scales")
    zero = _codes(tensors[".qzeros"], bits)
    _need(zero.shape == (groups, rows), "qzeros")
    if how.get("checkpoint_format", "gptq") != "gptq_v2":
        zero = (zero + 1) & (2**bits - 1)  # they are stored less one
    group_of = tensors.get(".g_idx")
    if group_of is not None and np.array_equal(group_of, np.arange(width) * groups // width):
        group_of = None

    def codes(start: int, stop: int) -> np.ndarray:
        return _codes(words[:, start:stop].T, bits)

    return _from_codes(codes, width, bits, _turned(scales), _turned(zero), group_of)


_AWQ = [0, 4, 1, 5, 2, 6, 3, 7]  # where in a word the eight neighbours are


def _awq(tensors: Tensors, how: Mapping[str, Any]) -> Packed | np.ndarray:
    words, scales = tensors[".qweight"], tensors[".scales"]
    version = str(how.get("version", "gemm")).lower()
    _need(version == "gemm" and how.get("bits", how.get("w_bit", 4)) == 4, f"version {version}")
    _need(words.dtype == np.int32 and words.ndim == 2, "qweight")
    width, rows = len(words), words.shape[1] * 8

    def neighbours(words: np.ndarray) -> np.ndarray:
        """(n, words) -> (n, 8 * words)"""
        return _codes(words, 4).reshape(len(words), -1, 8)[..., _AWQ].reshape(len(words), -1)

    zero = neighbours(tensors[".qzeros"])
    _need(scales.shape == zero.shape == (len(scales), rows), "scales or qzeros")
    whole = np.empty((rows, width), np.uint8)  # a byte a number, for a while

    def put(start: int, stop: int) -> None:
        whole[8 * start : 8 * stop] = neighbours(words[:, start:stop]).T

    over_blocks(put, words.shape[1], 8 * width)
    return _from_codes(lambda i, j: whole[i:j], width, 4, _turned(scales), _turned(zero))


def _turned(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.T, np.float32)


# bitsandbytes


def _four_bits(tensors: Tensors, how: Mapping[str, Any]) -> Packed | np.ndarray:
    said = [x for part, x in tensors.items() if "quant_state" in part]
    _need(len(said) == 1, "quant_state")
    state = parse_json(said[0].astype(np.uint8).tobytes())
    rows, width = state["shape"]
    block, stored, steps = state["blocksize"], tensors[".weight"], tensors[".weight.absmax"]
    _need(rows > 0 and width > 0 and block > 0, "shape")
    blocks = -(-rows * width // block)
    _need(stored.nbytes == (rows * width + 1) // 2 and steps.size == blocks, "shape or absmax")
    table = tensors[".weight.quant_map"].astype(np.float32)
    _need(table.shape == (16,), "quant_map")
    if steps.dtype == np.uint8:  # quantised themselves
        inner, outer = (tensors[f".weight.nested_{n}"] for n in ("quant_map", "absmax"))
        _need(state["nested_blocksize"] > 0, "nested_blocksize")
        factors = outer[np.arange(steps.size) // state["nested_blocksize"]]
        steps = inner[steps.reshape(-1)] * factors + np.float32(state["nested_offset"])
    steps = steps.reshape(-1).astype(np.float32)
    stored = stored.view(np.uint8).reshape(-1)
    if Codes.fits(width, block):
        return Codes.in_blocks(stored, table, steps, block, width)
    values = table[np.stack([stored >> 4, stored & 15], axis=-1).reshape(-1)[: rows * width]]
    values *= steps[np.arange(rows * width) // block]
    return values.reshape(rows, width)


def _eight_bits(tensors: Tensors, how: Mapping[str, Any]) -> Packed:
    _need(not np.any(tensors.get(".weight_format", 0)), "an order of the weights for GPUs")
    integers, step = tensors[".weight"], tensors[".SCB"] / np.float32(127)
    _need(integers.dtype == np.int8 and integers.ndim == 2, "weight")
    _need(step.shape == (len(integers),), "SCB")
    return Int8(integers, step.astype(np.float32))


# compressed-tensors, and 8-bit floats


def _floats(tensors: Tensors, how: Mapping[str, Any]) -> Packed | np.ndarray:
    """8-bit floats with a factor for all, for each row, or for each block."""
    stored = tensors[".weight"]
    step = tensors.get(".weight_scale", tensors.get(".weight_scale_inv"))
    _need(isinstance(stored, StoredTensor) and len(stored.shape) == 2, "weight")
    table = StoredTensor("", stored.dtype, (256,), np.arange(256, dtype=np.uint8)).numpy(np.float32)
    rows, width = stored.shape
    step = step.reshape(len(step) if step.ndim else 1, -1)
    high, wide = -(-rows // len(step)), -(-width // step.shape[1])
    named = how.get("weight_block_size")
    if named and ".weight_scale_inv" in tensors:
        _need(step.shape == (-(-rows // named[0]), -(-width // named[1])), "weight_block_size")
        high, wide = named
    step = step[np.arange(rows) // high].astype(np.float32)
    if width % wide:  # the last block of a row is smaller
        return table[stored.data] * step[:, np.arange(width) // wide]
    return _looked_up(stored.data, table, step)


def _compressed(tensors: Tensors, how: Mapping[str, Any]) -> Packed | np.ndarray:
    """8-bit floats, 8-bit integers, or integers of fewer bits in words."""
    stored, step = tensors.get(".weight"), tensors[".weight_scale"]
    if isinstance(stored, StoredTensor):
        return _floats(tensors, how)
    zero = tensors.get(".weight_zero_point")
    if stored is not None:
        _need(stored.dtype == np.int8 and stored.ndim == 2, "weight")
        rows, width = stored.shape
        step = step.reshape(len(step) if step.ndim else 1, -1).astype(np.float32)
        step = np.ascontiguousarray(np.broadcast_to(step, (rows, step.shape[1])))
        if zero is None or not zero.any():
            return _signed(stored, step)
        zeros = np.broadcast_to(zero.reshape(len(zero) if zero.ndim else 1, -1), step.shape)

        def unsigned(start: int, stop: int) -> np.ndarray:
            return stored[start:stop].view(np.uint8) ^ 128

        return _from_codes(unsigned, width, 8, step, zeros.astype(np.float32) + 128)
    words = tensors[".weight_packed"]
    rows, width = (int(n) for n in tensors[".weight_shape"])
    fitting = [n for n in (4, 8, 2, 3, 5, 6, 7) if words.shape == (rows, -(-width * n // 32))]
    _need(words.dtype == np.int32 and len(fitting) > 0, "weight_shape")
    bits = fitting[0]
    _need(step.ndim == 2 and step.shape[0] == rows, "weight_scale")
    least = 2 ** (bits - 1)
    zeros = np.full(step.shape, least, np.float32)
    if zero is not None and zero.dtype == np.int32:
        zeros = _codes(zero.T, bits)[:, :rows].T.astype(np.float32)
    elif zero is not None:
        zeros += zero
    _need(zeros.shape == step.shape, "weight_zero_point")
    group_of = tensors.get(".weight_g_idx")
    if group_of is not None and (group_of < 0).any():  # there is none
        group_of = None

    def codes(start: int, stop: int) -> np.ndarray:
        return _codes(words[start:stop], bits)[:, :width]

    return _from_codes(codes, width, bits, step.astype(np.float32), zeros, group_of)


_COMPRESSED = (
    ".weight_scale", ".weight", ".weight_packed", ".weight_shape", ".weight_zero_point",
    ".weight_g_idx", ".input_scale", ".input_zero_point", ".input_global_scale",
)  # fmt: skip
_FORMATS: dict[Any, tuple[Format, ...]] = {
    "gptq": (Format((".qweight", ".qzeros", ".scales", ".g_idx"), _gptq),),
    "awq": (Format((".qweight", ".qzeros", ".scales"), _awq),),
    "bitsandbytes": (
        Format(
            (
                ".weight.absmax", ".weight", ".weight.quant_map", ".weight.nested_absmax",
                ".weight.nested_quant_map", ".weight.quant_state.bitsandbytes__nf4",
                ".weight.quant_state.bitsandbytes__fp4",
            ),
            _four_bits,
        ),
        Format((".SCB", ".weight", ".weight_format"), _eight_bits),
    ),
    "compressed-tensors": (Format(_COMPRESSED, _compressed),),
    "fp8": (Format((".weight_scale_inv", ".weight", ".activation_scale"), _floats),),
    "fbgemm_fp8": (Format((".weight_scale", ".weight", ".input_scale"), _floats),),
}  # fmt: skip
