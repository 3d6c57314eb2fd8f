"""How the arrays of a fresh adapter begin: drawn as PEFT draws them, or factors of the weight."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ..core.random import Generator, default_generator
from .lora import LoraEmbedding, LoraLayer, row_norms

# Beginnings that need data or a quantiser; a trained adapter that had one loads all the same.
_TRAINED_ONLY = ("eva", "orthogonal")


def changes_base(how: Any) -> bool:
    """Whether a beginning takes the adapter's part out of the base weight, at loading too."""
    return isinstance(how, str) and how.lower().startswith(("pissa", "olora"))


def check(how: Any, loading: bool = False) -> None:
    """Raise ValueError for a beginning that is not known.

    loading: the arrays come from a file, so it need not be possible to make them
    """
    if isinstance(how, bool):
        return
    plain = re.fullmatch(r"gaussian|olora|pissa(_niter_\d{1,3})?", how, re.IGNORECASE)
    if not plain and not (loading and how.lower() in _TRAINED_ONLY):
        raise ValueError(
            f"init_lora_weights={how!r} is not supported: take True, False, 'gaussian', 'olora', "
            "'pissa' or 'pissa_niter_<n>'"
        )


def initialise(layer: LoraLayer, name: str, how: Any, draw: Generator | None = None) -> None:
    """Set an adapter's arrays in one layer.

    how: LoraConfig.init_lora_weights; draw: the stream of random numbers, the default one's
    """
    draw = draw or default_generator
    _draw(layer, name, how, draw)
    if changes_base(how):
        factorise(layer, name, how, draw)
    if layer.use_dora[name]:
        weight = layer.dense_weight() + layer.get_delta_weight(name)
        layer.lora_magnitude_vector[name].weight = row_norms(weight, layer.transposed)


def _draw(layer: LoraLayer, name: str, how: Any, draw: Generator) -> None:
    """Draw twice, as in PEFT: what torch's layers begin with, and then what LoRA does."""
    outputs, inputs = layer.features()
    r = layer.r[name]
    if isinstance(layer, LoraEmbedding):
        a, b = draw.normal((r, inputs)), draw.normal((outputs, r))
        if how is not False:
            a, b = np.zeros_like(a), draw.normal((outputs, r))
        layer.set_factors(name, a, b)
        return
    inward, outward = 1.0 / math.sqrt(inputs), 1.0 / math.sqrt(r)
    a = draw.uniform((r, inputs), -inward, inward)
    b = draw.uniform((outputs, r), -outward, outward)
    bias = draw.uniform((outputs,), -outward, outward) if layer.has_bias(name) else None
    if how is True:
        a = draw.uniform((r, inputs), -inward, inward)
    elif isinstance(how, str) and how.lower() == "gaussian":
        a = draw.normal((r, inputs), std=1.0 / r)
    if how is True or isinstance(how, str):
        b = np.zeros_like(b)
        bias = None if bias is None else np.zeros_like(bias)
    layer.set_factors(name, a, b)
    if bias is not None:
        layer.lora_B[name].bias = bias


def factorise(layer: LoraLayer, name: str, how: str, draw: Generator) -> None:
    """Begin with the weight's own leading part, which is taken out of the weight.

    OLoRA (Büyükakyüz 2024) takes it from a QR decomposition, PiSSA (Meng et al. 2024) from the
    singular vectors.
    """
    r, scaling = layer.r[name], layer.scaling[name]
    weight = layer.dense_weight()
    if how.lower() == "olora":
        if layer.transposed:
            raise ValueError("init_lora_weights='olora' is for weights stored as (out, in)")
        q, upper = np.linalg.qr(weight)
        a, b = upper[:r], q[:, :r]
    else:
        u, s, v = _leading(weight.T if layer.transposed else weight, r, how, draw)
        root = np.sqrt(s / np.float32(scaling))
        a, b = root[:, None] * v, u * root
    layer.set_factors(name, np.ascontiguousarray(a), np.ascontiguousarray(b))
    layer.base_layer.weight = weight - layer.get_delta_weight(name)


def _leading(weight: np.ndarray, r: int, how: str, draw: Generator) -> tuple:
    """The r largest singular values with their vectors. -> (out, r), (r,), (r, in)"""
    turns = re.search(r"_niter_(\d+)$", how.lower())
    if turns is None:
        u, s, v = np.linalg.svd(weight, full_matrices=False)
        return u[:, :r], s[:r], v[:r]
    # Halko, Martinsson and Tropp 2009, algorithms 4.4 and 5.1
    wide = weight.shape[0] < weight.shape[1]
    matrix = weight.T if wide else weight
    q, _ = np.linalg.qr(matrix @ draw.normal((matrix.shape[1], r)))
    for _ in range(int(turns[1])):
        q, _ = np.linalg.qr(matrix.T @ q)
        q, _ = np.linalg.qr(matrix @ q)
    u, s, v = np.linalg.svd(q.T @ matrix, full_matrices=False)
    u = q @ u
    return (v.T, s, u.T) if wide else (u, s, v)
