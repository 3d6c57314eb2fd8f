"""Activation functions, computed block by block so that temporaries stay in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import Primitive, primitive

_BLOCK = 32768  # elements; with three float32 temporaries a block stays inside a 1 MB L2 cache
_SQRT_HALF = math.sqrt(0.5)
_SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


def _blockwise(kernel: Callable, x: np.ndarray, temporaries: int) -> np.ndarray:
    """Run `kernel(x, out, *temporaries)` over flat blocks of `x`. -> x's shape"""
    x = np.ascontiguousarray(x)
    out = np.empty_like(x)
    source, target = x.reshape(-1), out.reshape(-1)
    scratch = [np.empty(min(_BLOCK, x.size), x.dtype) for _ in range(temporaries)]
    for start in range(0, x.size, _BLOCK):
        block = source[start : start + _BLOCK]
        kernel(block, target[start : start + _BLOCK], *(t[: block.size] for t in scratch))
    return out


def _erfc_kernel(z: np.ndarray, out: np.ndarray, t: np.ndarray) -> None:
    """out = erfc(z) for z >= 0, to 1.5e-7 (Abramowitz and Stegun 7.1.26). Overwrites z."""
    np.multiply(z, 0.3275911, out=t)
    t += 1.0
    np.reciprocal(t, out=t)
    np.multiply(t, 1.061405429, out=out)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        out += coefficient
        out *= t
    np.multiply(z, z, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    out *= z


def _gelu_kernel(
    x: np.ndarray, out: np.ndarray, a: np.ndarray, t: np.ndarray, e: np.ndarray
) -> None:
    np.abs(x, out=a)
    a *= _SQRT_HALF
    _erfc_kernel(a, e, t)
    np.abs(x, out=a)
    e *= a
    e *= 0.5
    np.maximum(x, 0.0, out=out)
    out -= e  # x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, without cancellation


def _normal_cdf_kernel(x: np.ndarray, out: np.ndarray, a: np.ndarray, t: np.ndarray) -> None:
    np.abs(x, out=a)
    a *= _SQRT_HALF
    _erfc_kernel(a, out, t)
    out *= 0.5
    np.subtract(1.0, out, out=out, where=x > 0)


@primitive
def gelu(x):
    """x Phi(x), with the exact normal distribution function (Hendrycks and Gimpel, 2016)."""
    return _blockwise(_gelu_kernel, x, 3), x


@gelu.defvjp
def _(x, g):
    density = _INV_SQRT_2PI * np.exp(-0.5 * (x * x))
    return (g * (_blockwise(_normal_cdf_kernel, x, 2) + x * density),)


def _gelu_new_kernel(x: np.ndarray, out: np.ndarray, t: np.ndarray) -> None:
    np.multiply(x, x, out=t)
    t *= 0.044715 * _SQRT_2_OVER_PI
    t += _SQRT_2_OVER_PI
    t *= x
    np.tanh(t, out=t)
    t += 1.0
    np.multiply(x, 0.5, out=out)
    out *= t


@primitive
def gelu_new(x):
    """The tanh approximation of gelu that GPT-2 and T5 v1.1 were trained with."""
    return _blockwise(_gelu_new_kernel, x, 1), x


@gelu_new.defvjp
def _(x, g):
    squared = x * x
    t = np.tanh(_SQRT_2_OVER_PI * (x + 0.044715 * (squared * x)))
    slope = _SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * squared)
    return (g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope),)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # by tanh, which cannot overflow
    out = np.tanh(x * 0.5)
    out += 1.0
    out *= 0.5
    return out


@primitive
def sigmoid(x):
    """1 / (1 + exp(-x))"""
    out = _sigmoid(x)
    return out, out


@sigmoid.defvjp
def _(out, g):
    return (g * out * (1.0 - out),)


def _silu_kernel(x: np.ndarray, out: np.ndarray, *, slope: float = 1.0) -> None:
    np.multiply(x, 0.5 * slope, out=out)
    np.tanh(out, out=out)
    out += 1.0
    out *= 0.5
    out *= x


def _silu_gradient(x: np.ndarray, g: np.ndarray, slope: float) -> np.ndarray:
    s = _sigmoid(x * slope)
    return g * (s + slope * x * s * (1.0 - s))


@primitive
def silu(x):
    """x sigmoid(x), also called swish."""
    return _blockwise(_silu_kernel, x, 0), x


@silu.defvjp
def _(x, g):
    return (_silu_gradient(x, g, 1.0),)


@primitive
def quick_gelu(x):
    """x sigmoid(1.702 x), CLIP's approximation of gelu."""
    return _blockwise(lambda x, out: _silu_kernel(x, out, slope=1.702), x, 0), x


@quick_gelu.defvjp
def _(x, g):
    return (_silu_gradient(x, g, 1.702),)


@primitive
def relu(x):
    """max(x, 0)"""
    return np.maximum(x, 0.0), x


@relu.defvjp
def _(x, g):
    return (g * (x > 0),)


@primitive
def tanh(x):
    """The hyperbolic tangent."""
    out = np.tanh(x)
    return out, out


@tanh.defvjp
def _(out, g):
    return (g * (1.0 - out * out),)


@primitive
def clip(x, *, limit):
    """x, no further from zero than `limit`."""
    return np.clip(x, -limit, limit), (x, limit)


@clip.defvjp
def _(saved, g):
    x, limit = saved
    return (g * (np.abs(x) <= limit),)


@primitive
def softmax(x):
    """exp(x) over its sum along the last axis."""
    out = np.exp(x - x.max(-1, keepdims=True))
    out /= out.sum(-1, keepdims=True)
    return out, out


@softmax.defvjp
def _(out, g):
    return (out * (g - (g * out).sum(-1, keepdims=True)),)


@primitive
def identity(x):
    """x itself, for configurations that name the activation "linear"."""
    return x, None


@identity.defvjp
def _(saved, g):
    return (g,)


# config values -> op. Several names mean the same function; all of them occur in checkpoints.
ACTIVATIONS: dict[str, Primitive] = {
    "gelu": gelu,
    "gelu_python": gelu,
    "gelu_new": gelu_new,
    "gelu_fast": gelu_new,
    "gelu_pytorch_tanh": gelu_new,
    "gelu_accurate": gelu_new,
    "quick_gelu": quick_gelu,
    "linear": identity,
    "relu": relu,
    "sigmoid": sigmoid,
    "silu": silu,
    "swish": silu,
    "tanh": tanh,
}


def activation(name: Any) -> Any:
    """The op a configuration names; a callable is taken as it is.

    Raises ValueError for an unknown name.
    """
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise ValueError(
            f"unknown activation function {name!r}: the known ones are {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]
