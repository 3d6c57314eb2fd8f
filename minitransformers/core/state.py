"""What one forward pass carries beside its activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .cache import KVCache
from .masks import Mask
from .primitive import value_of
from .random import default_generator


class State:
    """Masks, position bias, cache and what to keep for the caller. Nothing of it lives on a layer.

    cache: keys and values of earlier positions, extended as layers attend; None to keep none
    hidden, attentions: whether to keep hidden states and attention probabilities
    head_mask: (layers, heads) or (heads,) factors of the attention probabilities
    last: how many last positions the language model's head looks at; 0 means all
    """

    def __init__(
        self,
        cache: KVCache | None = None,
        *,
        hidden: bool = False,
        attentions: bool = False,
        head_mask: Any = None,
        source_head_mask: Any = None,
        last: int = 0,
    ):
        self.cache = cache
        self.past = cache.length if cache is not None else 0
        self.ids: Any = None  # (batch, seq) tokens, for positions that do not count padding
        self.mask: Mask | None = None
        self.bias: Any = None  # (1 or batch, heads, 1 or seq, total), T5's position bias or ALiBi
        self.rope: tuple | None = None  # cosines and sines of the new positions' angles
        self.ropes: tuple = ()  # several of them, of layers that turn differently
        self.router_logits: list = []  # of mixtures of experts, (batch * seq, experts) a layer
        self.source: Any = None  # (batch, source, hidden) encoder output for cross-attention
        self.source_mask: Mask | None = None
        self.hidden_states: list | None = [] if hidden else None
        self.attentions: list | None = [] if attentions else None
        self.cross_attentions: list | None = [] if attentions else None
        self.sight: Any = None  # of models whose tokens see their neighbours and global tokens
        self.mems: list | None = None  # (past, batch, hidden) a layer, of models that remember so
        self.global_attentions: list | None = [] if attentions else None
        self.head_mask, self.source_head_mask = head_mask, source_head_mask
        self.last = last

    def beside(self, **changes: Any) -> State:
        """A state for another stack of the same pass, keeping the same things for the caller."""
        keeps = {
            "hidden": self.hidden_states is not None,
            "attentions": self.attentions is not None,
        }
        return State(**(keeps | changes))

    def keep(self, x: Any) -> Any:
        """Note a hidden state, if the caller wants them. -> x"""
        if self.hidden_states is not None:
            self.hidden_states.append(x)
        return x

    def tail(self, x: Any) -> Any:
        """The positions the head looks at. x: (batch, seq, hidden) -> (batch, last, hidden)"""
        return x[:, -self.last :] if self.last and self.last < x.shape[1] else x

    def positions(self, x: Any, position_ids: Any = None) -> np.ndarray:
        """Positions of the new tokens. x: (batch, seq, ...) -> (1 or batch, seq)"""
        if position_ids is not None:
            return np.atleast_2d(position_ids)
        return np.arange(self.past, self.past + x.shape[1])[None]

    def positions_of(
        self, x: Any, input_ids: Any, pad: int, position_ids: Any = None
    ) -> np.ndarray:
        """Positions from pad + 1 on, counting tokens other than `pad`, which all stand at `pad`.

        x: (batch, seq, ...), whose tokens are input_ids, None if unknown -> (1 or batch, seq)
        """
        if position_ids is not None or input_ids is None:
            return self.positions(x, position_ids) + (0 if position_ids is not None else pad + 1)
        counted = input_ids != pad
        return (counted.cumsum(1) + self.past) * counted + pad

    def look_back(self, x: Any, attention_mask: Any) -> None:
        """Let each position of x see itself and what came before it."""
        seq = x.shape[1]
        self.mask = Mask.of(attention_mask, seq, self.past + seq, causal=True)

    def look_around(self, x: Any, attention_mask: Any) -> None:
        """Let each position of x see all positions."""
        self.mask = Mask.of(attention_mask, x.shape[1], x.shape[1])

    def look_at_source(self, source: Any, source_mask: Any) -> None:
        """Give cross-attention its encoder output. source: (batch, source, hidden)"""
        self.source = source
        if source is not None:
            keys = source.shape[1]
            if source_mask is not None and np.ndim(source_mask) == 2:
                self.source_mask = Mask.of(source_mask, keys, keys)
            else:
                rows = 1 if source_mask is None else np.shape(source_mask)[-2]
                self.source_mask = Mask.of(source_mask, rows, keys)

    def rotate(self, *parts: Any, interleaved: bool = False) -> tuple:
        """Turn queries and keys by their positions' angles. parts: (batch, heads, seq, head_dim)"""
        assert self.rope is not None
        cos, sin = self.rope
        return tuple(ops.rotary(x, cos=cos, sin=sin, interleaved=interleaved) for x in parts)

    def attend(
        self,
        layer: int,
        q: Any,
        k: Any,
        v: Any,
        scale: float,
        drop: float = 0.0,
        bias: Callable[[Any], Any] | None = None,
        window: int | None = None,
        softcap: float | None = None,
    ) -> Any:
        """Self-attention of one layer: extend the cache, mask, mix.

        q: (batch, heads, seq, head_dim); k, v: (batch, kv_heads, seq, head_dim); drop: probability
        bias: keys of all positions -> what to add to the scores, instead of the state's bias
        window: how many of the latest keys each query sees, None for all
        softcap: see `ops.attention`
        -> (batch, heads, seq, head_dim)
        """
        if self.cache is not None:
            k, v = self.cache.append(layer, k, v, window)
        added = self.bias if bias is None else bias(k)
        mask = None if self.mask is None else self.mask.within(window)
        return self._mix(layer, q, k, v, scale, drop, mask, added, self.head_mask,
                         self.attentions, softcap)  # fmt: skip

    def mix(
        self,
        layer: int,
        q: Any,
        k: Any,
        v: Any,
        scale: float,
        drop: float | np.ndarray | None,
        mask: Mask | None,
        bias: Any = None,
        keep: list | None = None,
    ) -> Any:
        """Attention to given keys only, where a model chooses them itself.

        q: (batch, heads, seq, head_dim); k, v: (batch, kv_heads, total, head_dim)
        drop: probability, or a dropout mask that the model drew itself, (batch, heads, seq, total)
        -> q's shape
        """
        return self._mix(layer, q, k, v, scale, drop, mask, bias, self.head_mask, keep)

    def attend_source(
        self, layer: int, q: Any, project: Callable[[Any], tuple], scale: float, drop: float = 0.0
    ) -> Any:
        """Cross-attention of one layer. project: source -> (k, v), called once and then cached

        q: (batch, heads, seq, head_dim) -> (batch, heads, seq, head_dim)
        """
        if self.cache is None:
            k, v = project(self.source)
        else:
            if layer not in self.cache.source:
                self.cache.source[layer] = project(self.source)
            k, v = self.cache.source[layer]
        return self._mix(layer, q, k, v, scale, drop, self.source_mask, None,
                         self.source_head_mask, self.cross_attentions)  # fmt: skip

    def _mix(
        self,
        layer: int,
        q: Any,
        k: Any,
        v: Any,
        scale: float,
        drop: float | np.ndarray | None,
        mask: Mask | None,
        bias: Any,
        head_mask: Any,
        keep: list | None,
        softcap: float | None = None,
    ) -> Any:
        if not isinstance(drop, np.ndarray):
            shape = (*q.shape[:3], k.shape[2])
            drop = default_generator.keep(shape, drop) if drop else None
        if drop is not None:
            drop = drop.astype(value_of(q).dtype, copy=False)
        return ops.attention(
            q,
            k,
            v,
            bias,
            scale=scale,
            softcap=softcap,
            mask=mask,
            drop=drop,
            head_mask=head_factors(head_mask, layer),
            keep=keep,
        )


def head_factors(head_mask: Any, layer: int) -> np.ndarray | None:
    """(heads,) or (layers, heads), entries possibly None -> (1, heads, 1, 1) or None"""
    if head_mask is None:
        return None
    if not isinstance(head_mask, (list, tuple)):
        head_mask = np.asarray(head_mask)
        factors = head_mask if head_mask.ndim == 1 else head_mask[layer]
    else:
        factors = head_mask[layer]
    return None if factors is None else np.asarray(factors, np.float32).reshape(1, -1, 1, 1)
