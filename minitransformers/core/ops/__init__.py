"""Every operation on activations, each with its derivative next to it.

Arrays in give an array out; a `Tensor` among the positional arguments is recorded for `backward`.
All ops return float32 for float32, and never write to an input, except `activate`.
"""

from .activations import (
    ACTIVATIONS,
    activate,
    activation,
    clip,
    gelu,
    gelu_new,
    quick_gelu,
    relu,
    sigmoid,
    silu,
    softmax,
    tanh,
)
from .attention import attention
from .conv import convolution, fourier, windows
from .embedding import embedding
from .linear import conv1d, einsum, linear
from .loss import bce_with_logits, cross_entropy, mse
from .norm import layer_norm, rms_norm
from .rope import inverse_frequencies, rotary, rotary_table
from .shape import (
    add,
    concatenate,
    dropout,
    getitem,
    log1p,
    mean,
    merge_heads,
    mul,
    reshape,
    split,
    split_heads,
    transpose,
)

__all__ = [
    "ACTIVATIONS",
    "activate",
    "activation",
    "add",
    "attention",
    "bce_with_logits",
    "clip",
    "concatenate",
    "conv1d",
    "convolution",
    "cross_entropy",
    "dropout",
    "einsum",
    "embedding",
    "fourier",
    "gelu",
    "gelu_new",
    "getitem",
    "inverse_frequencies",
    "layer_norm",
    "linear",
    "log1p",
    "mean",
    "merge_heads",
    "mse",
    "mul",
    "quick_gelu",
    "relu",
    "reshape",
    "rms_norm",
    "rotary",
    "rotary_table",
    "sigmoid",
    "silu",
    "softmax",
    "split",
    "split_heads",
    "tanh",
    "transpose",
    "windows",
]
