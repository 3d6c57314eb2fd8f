"""Attention without some of its heads (Michel et al., 2019: most of them can go)."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..core.layers import Conv1D, Linear
from ..core.module import Module, is_placeholder, placeholder
from .precision import alike


class Counted(Module):
    """An attention that knows its heads.

    heads: how many it has; numbers: which of those it had at first, () for all
    """

    heads: int
    numbers: tuple[int, ...] = ()


class Heads(NamedTuple):
    """Where an architecture's heads are, in names below the headless model.

    attention: pattern of the names of the modules around them, in the order of the layers
    inputs: the layers, below such a module, that make queries, keys and values
    output: the layer that takes the heads' results
    counted: the `Counted` module, below such a module too; "" for itself
    """

    attention: str
    inputs: tuple[str, ...]
    output: str
    counted: str = ""

    def layers_of(self, base: Module) -> list[Module]:
        return [m for name, m in base.named_modules() if re.fullmatch(self.attention, name)]


class Prunable(Module):
    """A model whose heads can be left out, if it says in `attention_heads` where they are."""

    attention_heads: ClassVar[Heads | None] = None

    def prune_heads(self, heads_to_prune: Mapping[int, Iterable[int]]) -> None:
        """Leave heads out, for good: their weights go, and config.pruned_heads names them.

        heads_to_prune: {layer: numbers of heads, as they were when there were all of them}; those
            that are gone already are passed over
        Raises ValueError, and changes nothing, for heads that there are not, for all heads of a
        layer, and for architectures that do without.
        """
        self.leave_out(heads_to_prune)
        pruned = self.config.pruned_heads
        for layer, heads in heads_to_prune.items():
            pruned[layer] = sorted({*pruned.get(layer, ()), *heads})

    def leave_out(self, heads_to_prune: Mapping[int, Iterable[int]]) -> None:
        """Cut the heads' weights out; the configuration has to say so already, or later."""
        base = self.base_model
        where = base.attention_heads
        if where is None:
            raise ValueError(f"pruned_heads: {type(base).__name__} cannot do without some heads")
        layers = where.layers_of(base)
        cuts = []
        for layer, heads in heads_to_prune.items():
            if not 0 <= operator.index(layer) < len(layers):
                raise ValueError(f"pruned_heads: there are {len(layers)} layers, and no {layer}")
            try:
                flags = _staying(where, layers[layer], heads, base.config.num_attention_heads)
            except ValueError as error:
                raise ValueError(f"pruned_heads: layer {layer} {error}") from None
            cuts.append((layers[layer], flags))
        for attention, staying in cuts:
            _cut(where, attention, staying)


def _below(module: Module, path: str) -> Any:
    return operator.attrgetter(path)(module) if path else module


def _staying(where: Heads, attention: Module, heads: Iterable[int], n: int) -> np.ndarray:
    """Which of the heads an attention has now stay. n: how many it had at first -> (heads,) bool

    Raises ValueError for what cannot be.
    """
    gone = {operator.index(head) for head in heads}
    wrong = [head for head in sorted(gone) if not 0 <= head < n]
    if wrong:
        raise ValueError(f"has {n} heads, and no {wrong[0]}")
    numbers = _below(attention, where.counted).numbers or range(n)
    staying = np.array([number not in gone for number in numbers])
    if not staying.any():
        raise ValueError("would have no head left")
    for path in (*where.inputs, where.output):
        if type(_below(attention, path)) not in (Linear, Conv1D):
            raise ValueError(f"has an adapter around {path}: merge it first")
    return staying


def _cut(where: Heads, attention: Module, staying: np.ndarray) -> None:
    if staying.all():
        return
    counted = _below(attention, where.counted)
    output = _below(attention, where.output)
    width = output.weight.shape[_axes(output)[1]] // len(staying)
    columns = np.repeat(staying, width)  # of the output's, which are all heads side by side
    output.weight = _parts(output.weight, columns, _axes(output)[1])
    for layer in (_below(attention, path) for path in where.inputs):
        layer.weight = _parts(layer.weight, columns, _axes(layer)[0])
        if layer.bias is not None:
            layer.bias = _parts(layer.bias, columns, 0)
    numbers = counted.numbers or range(len(staying))
    counted.numbers = tuple(n for n, stays in zip(numbers, staying) if stays)
    counted.heads = len(counted.numbers)


def _axes(layer: Module) -> tuple[int, int]:
    """Of a layer's weight: which axis are its outputs, which its inputs."""
    return (0, 1) if layer.packs == "rows" else (1, 0)


def _parts(array: Any, staying: np.ndarray, axis: int) -> np.ndarray:
    """What stays along an axis, which may be several times as long: GPT-2 makes queries, keys and
    values in one. staying: bool"""
    index = np.flatnonzero(np.tile(staying, array.shape[axis] // len(staying)))
    if is_placeholder(array):
        shape = list(array.shape)
        shape[axis] = len(index)
        return placeholder(*shape)
    return alike(array, np.take(np.asarray(array), index, axis))
