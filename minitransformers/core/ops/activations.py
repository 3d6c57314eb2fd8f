"""Activation functions, computed block by block so that temporaries stay in the cache."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..blocks import elementwise
from ..primitive import Primitive, primitive

_SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)

# log(Phi(x) / Phi(-x)) is x times this polynomial of x^2, highest power first: the minimax fit of
# x Phi(x), to 8e-8. exp is half the price of the tanh that NumPy has, and erf would need a dozen
# more operations.
_LOGIT_OF_NORMAL = (
    3.748759293316427e-09,
    -2.730976766682004e-07,
    8.040535986765192e-06,
    -1.1125475893343192e-04,
    -6.349842870730766e-05,
    7.266434541353964e-02,
    1.5957704568589608,
)


def _divide_by_logistic(x: np.ndarray, out: np.ndarray, t: np.ndarray) -> None:
    """out = x / (1 + exp(t)). Overwrites t; an overflow of exp gives the zero it should."""
    np.exp(t, out=t)
    t += 1.0
    np.divide(x, t, out=out)


def _logistic_slope(s: np.ndarray, t: np.ndarray, scratch: np.ndarray) -> None:
    """t = s + t s (1 - s): the derivative of x s, when t is x times that of the logistic's input"""
    np.subtract(1.0, s, out=scratch)
    t *= scratch
    t += 1.0
    t *= s


def _minus_logit(x: np.ndarray, square: np.ndarray, t: np.ndarray) -> None:
    """t = -log(Phi(x) / Phi(-x)); square = x^2"""
    np.multiply(x, x, out=square)
    np.multiply(square, -_LOGIT_OF_NORMAL[0], out=t)
    for coefficient in _LOGIT_OF_NORMAL[1:-1]:
        t -= coefficient
        t *= square
    t -= _LOGIT_OF_NORMAL[-1]
    t *= x


def _gelu_kernel(x: np.ndarray, out: np.ndarray, t: np.ndarray, square: np.ndarray) -> None:
    _minus_logit(x, square, t)
    _divide_by_logistic(x, out, t)


def _gelu_gradient(
    x: np.ndarray, g: np.ndarray, out: np.ndarray, t: np.ndarray, square: np.ndarray
) -> None:
    _minus_logit(x, square, t)
    np.exp(t, out=t)
    t += 1.0
    np.reciprocal(t, out=t)  # Phi(x)
    square *= -0.5
    np.exp(square, out=square)
    square *= _INV_SQRT_2PI
    square *= x
    t += square
    np.multiply(t, g, out=out)


@primitive
def gelu(x):
    """x Phi(x), with the exact normal distribution function (Hendrycks and Gimpel, 2016)."""
    return elementwise(_gelu_kernel, x, temporaries=2), x


@gelu.defvjp
def _(x, g):
    return (elementwise(_gelu_gradient, x, g, temporaries=2),)


def _gelu_new_kernel(x: np.ndarray, out: np.ndarray, t: np.ndarray) -> None:
    # (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u))
    np.multiply(x, x, out=t)
    t *= -2.0 * 0.044715 * _SQRT_2_OVER_PI
    t -= 2.0 * _SQRT_2_OVER_PI
    t *= x
    _divide_by_logistic(x, out, t)


def _gelu_new_gradient(
    x: np.ndarray, g: np.ndarray, out: np.ndarray, s: np.ndarray, t: np.ndarray
) -> None:
    np.multiply(x, x, out=t)
    np.multiply(t, 2.0 * 0.044715 * _SQRT_2_OVER_PI, out=s)
    s += 2.0 * _SQRT_2_OVER_PI
    s *= x
    _sigmoid_kernel(s, s)
    t *= 3.0 * 2.0 * 0.044715 * _SQRT_2_OVER_PI
    t += 2.0 * _SQRT_2_OVER_PI
    t *= x
    _logistic_slope(s, t, out)
    np.multiply(t, g, out=out)


@primitive
def gelu_new(x):
    """The tanh approximation of gelu that GPT-2 and T5 v1.1 were trained with."""
    return elementwise(_gelu_new_kernel, x, temporaries=1), x


@gelu_new.defvjp
def _(x, g):
    return (elementwise(_gelu_new_gradient, x, g, temporaries=2),)


def _sigmoid_kernel(x: np.ndarray, out: np.ndarray) -> None:
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1.0
    np.reciprocal(out, out=out)


@primitive
def sigmoid(x):
    """1 / (1 + exp(-x))"""
    out = elementwise(_sigmoid_kernel, x)
    return out, out


@sigmoid.defvjp
def _(out, g):
    return (g * out * (1.0 - out),)


def _silu_kernel(x: np.ndarray, out: np.ndarray, t: np.ndarray, *, slope: float = 1.0) -> None:
    np.multiply(x, -slope, out=t)
    _divide_by_logistic(x, out, t)


def _silu_gradient(
    x: np.ndarray,
    g: np.ndarray,
    out: np.ndarray,
    s: np.ndarray,
    t: np.ndarray,
    *,
    slope: float = 1.0,
) -> None:
    np.multiply(x, slope, out=t)
    _sigmoid_kernel(t, s)
    _logistic_slope(s, t, out)
    np.multiply(t, g, out=out)


@primitive
def silu(x):
    """x sigmoid(x), also called swish."""
    return elementwise(_silu_kernel, x, temporaries=1), x


@silu.defvjp
def _(x, g):
    return (elementwise(_silu_gradient, x, g, temporaries=2),)


_quick_gelu_kernel = functools.partial(_silu_kernel, slope=1.702)
_quick_gelu_gradient = functools.partial(_silu_gradient, slope=1.702)


@primitive
def quick_gelu(x):
    """x sigmoid(1.702 x), CLIP's approximation of gelu."""
    return elementwise(_quick_gelu_kernel, x, temporaries=1), x


@quick_gelu.defvjp
def _(x, g):
    return (elementwise(_quick_gelu_gradient, x, g, temporaries=2),)


def _relu_kernel(x: np.ndarray, out: np.ndarray) -> None:
    np.maximum(x, 0.0, out=out)


@primitive
def relu(x):
    """max(x, 0)"""
    return elementwise(_relu_kernel, x), x


@relu.defvjp
def _(x, g):
    return (g * (x > 0),)


def _tanh_kernel(x: np.ndarray, out: np.ndarray) -> None:
    np.tanh(x, out=out)


@primitive
def tanh(x):
    """The hyperbolic tangent."""
    out = elementwise(_tanh_kernel, x)
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


# how those that are computed in blocks are: kernel, temporaries
_KERNELS: dict[Any, tuple[Callable, int]] = {
    gelu: (_gelu_kernel, 2),
    gelu_new: (_gelu_new_kernel, 1),
    quick_gelu: (_quick_gelu_kernel, 1),
    relu: (_relu_kernel, 0),
    silu: (_silu_kernel, 1),
    sigmoid: (_sigmoid_kernel, 0),
    tanh: (_tanh_kernel, 0),
}


def activate(function: Any, x: Any, times: Any = None) -> Any:
    """function(x), an activation of an array that nothing else needs: it may be written over.

    times: a factor of the result, of x's shape: what a gated linear unit multiplies (Shazeer, 2020)
    """
    if type(x) is not np.ndarray or function not in _KERNELS:
        return function(x) if times is None else function(x) * times
    kernel, temporaries = _KERNELS[function]
    if times is None:
        return elementwise(kernel, x, temporaries=temporaries, over=True)

    def gated(x: np.ndarray, times: np.ndarray, out: np.ndarray, *scratch: np.ndarray) -> None:
        kernel(x, out, *scratch)
        out *= times

    return elementwise(gated, x, times, temporaries=temporaries, over=True)


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
