"""Layers: a parameter or two and the op that uses them.

Of a layer with random weights, `made` draws what torch does when it makes one, to be replaced, and
`initial` what a model starts with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ops
from .module import Module, placeholder
from .primitive import value_of
from .random import Generator, default_generator


class Linear(Module):
    """x W^T + b. weight: (out, in) as torch stores it; bias: (out,)"""

    packs = "rows"
    makes_bias = True  # False if torch's layer has none when it is made

    def __init__(self, inputs: int, outputs: int, bias: bool = True):
        self.weight = placeholder(outputs, inputs)
        self.bias = placeholder(outputs) if bias else None

    @property
    def in_features(self) -> int:
        return self.weight.shape[1]

    @property
    def out_features(self) -> int:
        return self.weight.shape[0]

    def __call__(self, x: Any) -> Any:
        return ops.linear(x, self.weight, self.bias)

    def made(self, draw: Generator) -> None:
        _skip_uniform(self, draw)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return _normal_or_zero(getattr(self, attribute).shape, attribute, std, draw)


class Conv1D(Module):
    """x W + b. weight: (in, out) as GPT-2's checkpoints store it; bias: (out,)"""

    packs = "columns"

    def __init__(self, inputs: int, outputs: int):
        self.weight = placeholder(inputs, outputs)
        self.bias = placeholder(outputs)

    def __call__(self, x: Any) -> Any:
        return ops.conv1d(x, self.weight, self.bias)

    def made(self, draw: Generator) -> None:
        draw.skip_normal(self.weight.size)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return _normal_or_zero(getattr(self, attribute).shape, attribute, std, draw)


class Convolution(Module):
    """torch's Conv1d, along the sequence. weight: (out, in / groups, kernel); bias: (out,)"""

    makes_bias = True

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int = 1, bias: bool = True):
        self.weight = placeholder(outputs, inputs // groups, kernel)
        self.bias = placeholder(outputs) if bias else None
        self.groups = groups

    def __call__(self, x: Any) -> Any:
        """(batch, seq, in) -> (batch, seq, out)"""
        return ops.convolution(x, self.weight, self.bias, groups=self.groups)

    def made(self, draw: Generator) -> None:
        _skip_uniform(self, draw)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return _normal_or_zero(getattr(self, attribute).shape, attribute, std, draw)


class Embedding(Module):
    """Rows of a table. weight: (vocab, hidden)

    padding_idx: the row that a fresh table has zeros in, and that is not trained
    """

    packs = "rows"

    def __init__(self, vocab: int, hidden: int, padding_idx: int | None = None):
        self.weight = placeholder(vocab, hidden)
        self.padding_idx = padding_idx

    @property
    def num_embeddings(self) -> int:
        return self.weight.shape[0]

    @property
    def embedding_dim(self) -> int:
        return self.weight.shape[1]

    def __call__(self, ids: np.ndarray) -> Any:
        """ids: (...) integers -> (..., hidden). Raises ValueError for an id outside the table."""
        vocab = self.weight.shape[0]
        if ids.size and (ids.min() < 0 or ids.max() >= vocab):
            wrong = ids[(ids < 0) | (ids >= vocab)].flat[0]
            raise ValueError(
                f"id {wrong} is outside the embedding table of {vocab} rows: does the tokenizer "
                "belong to this model, and is the input short enough for its positions?"
            )
        return ops.embedding(self.weight, ids=ids, padding_idx=self.padding_idx)

    def made(self, draw: Generator) -> None:
        draw.skip_normal(self.weight.size)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        table = draw.normal(self.weight.shape, std=std)
        if self.padding_idx is not None:
            table[self.padding_idx] = 0.0
        return table


class ScaledEmbedding(Embedding):
    """Rows of a table, multiplied by `scale`."""

    def __init__(self, vocab: int, hidden: int, padding_idx: int | None = None, scale: float = 1.0):
        super().__init__(vocab, hidden, padding_idx)
        self.scale = scale

    def __call__(self, ids: np.ndarray) -> Any:
        rows = super().__call__(ids)
        return rows if self.scale == 1.0 else rows * self.scale


class LayerNorm(Module):
    """Centred and scaled last axis. weight, bias: (hidden,)"""

    def __init__(self, hidden: int, eps: float = 1e-5, bias: bool = True):
        self.weight = placeholder(hidden)
        self.bias = placeholder(hidden) if bias else None
        self.eps = eps

    def __call__(self, x: Any) -> Any:
        return ops.layer_norm(x, self.weight, self.bias, eps=self.eps)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return np.full(self.weight.shape, attribute == "weight", np.float32)


class RMSNorm(Module):
    """Last axis scaled by its root mean square. weight: (hidden,)"""

    def __init__(self, hidden: int, eps: float = 1e-6):
        self.weight = placeholder(hidden)
        self.eps = eps

    def __call__(self, x: Any) -> Any:
        return ops.rms_norm(x, self.weight, eps=self.eps)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return np.ones(self.weight.shape, np.float32)


class Dropout(Module):
    """In training, zeros each element with probability p and scales the others by 1 / (1 - p).

    order: of the axes in which random numbers are drawn, where the reference has them in another
    """

    def __init__(self, p: float, order: tuple[int, ...] | None = None):
        self.p, self.order = p, order

    def __call__(self, x: Any) -> Any:
        keep = self.mask(x.shape)
        if keep is None:
            return x
        return ops.dropout(x, keep=keep.astype(value_of(x).dtype, copy=False))

    def mask(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """Draw what to multiply by: 0 or 1 / (1 - p). -> shape, or None where nothing is dropped"""
        if not self.rate:
            return None
        order = range(len(shape)) if self.order is None else self.order
        drawn = default_generator.keep(tuple(shape[axis] for axis in order), self.p)
        return drawn.transpose(np.argsort(order))

    @property
    def rate(self) -> float:
        """The probability in force: p in training, else 0. For attention, which drops inside."""
        return self.p if self.training else 0.0


class LayerDrop(Module):
    """In training, leaves out whole layers with probability p (Fan et al., 2019).

    always: whether a random number is drawn for each layer in evaluation too, as some models do
    """

    def __init__(self, p: float, always: bool = False):
        self.p, self.always = p, always

    def skips(self) -> bool:
        """Whether to leave out the layer that comes next."""
        if not (self.training or self.always):
            return False
        drawn = default_generator.rand()
        return self.training and bool(drawn < self.p)


def _skip_uniform(layer: Any, draw: Generator) -> None:
    draw.skip(layer.weight.size)
    if layer.bias is not None and layer.makes_bias:
        draw.skip(layer.bias.size)


def _normal_or_zero(shape: tuple, attribute: str, std: float, draw: Generator) -> np.ndarray:
    return draw.normal(shape, std=std) if attribute == "weight" else np.zeros(shape, np.float32)
