"""Scaled dot-product attention (Vaswani et al., 2017) with grouped heads (Ainslie et al., 2023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..masks import Mask
from ..primitive import primitive
from ..threads import spread, spread_range
from .shape import unbroadcast

_SCORES = 1 << 19  # scores computed at a time: 2 MB
_LONG = 1 << 18  # scores from which blocks are worth it
_QUERIES = 128  # queries of a block under a causal mask, whose later keys are left out


@primitive
def attention(
    q,
    k,
    v,
    bias=None,
    *,
    scale,
    softcap=None,
    mask=None,
    drop=None,
    head_mask=None,
    keep=None,
    record=False,
):
    """Mix values by how well their keys answer the queries.

    q: (batch, heads, seq, head_dim)
    k, v: (batch, kv_heads, total, head_dim); heads is a multiple of kv_heads
    bias: (1 or batch, heads, 1 or seq, total) added to the scores, such as T5's position bias
    scale: factor of the scores, usually head_dim ** -0.5
    softcap: squash the scores into (-softcap, softcap) by a tanh, as Gemma-2 does
    mask: a Mask, or what to add to the scores, broadcastable to (batch, heads, seq, total)
    drop: dropout mask of the probabilities, (batch, heads, seq, total)
    head_mask: factor of the probabilities, broadcastable to (batch, heads, 1, 1)
    keep: a list to append the probabilities to, (batch, heads, seq, total)
    -> (batch, heads, seq, head_dim)
    """
    batch, heads, seq, head_dim = q.shape
    kv_heads, total = k.shape[1:3]
    plain = record or keep is not None or drop is not None
    if not plain and batch * heads * seq * total >= _LONG:
        return _in_blocks(q, k, v, bias, scale, softcap, mask, head_mask), None
    if isinstance(mask, Mask):
        mask = mask.additive()
    p = np.empty((batch, heads, seq, total), q.dtype)
    out = np.empty(q.shape[:-1] + v.shape[-1:], q.dtype)

    def mix(kv: slice, mine: slice) -> None:
        # queries of one group share their keys: stacking them makes one product of the whole group
        scores, keys = p[:, mine], k[:, kv]
        stacked = (batch, keys.shape[1], -1)
        queries = (q[:, mine] * scale).reshape(*stacked, head_dim)
        np.matmul(queries, keys.swapaxes(-1, -2), out=scores.reshape(*stacked, total))
        if softcap is not None:
            np.tanh(np.divide(scores, softcap, out=scores), out=scores)
            scores *= softcap
        if bias is not None:
            scores += _of_heads(bias, mine)
        if mask is not None:
            scores += _of_heads(mask, mine)
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        used = _used(scores, drop, head_mask, mine)
        out[:, mine] = (used.reshape(*stacked, total) @ v[:, kv]).reshape(out[:, mine].shape)

    _over_heads(mix, p.size, heads, kv_heads)
    if keep is not None:
        keep.append(_used(p, drop, head_mask, slice(None)))
    return out, (q, k, v, bias, p, drop, head_mask, scale, softcap)


@attention.defvjp
def _(saved, g):
    q, k, v, bias, p, drop, head_mask, scale, softcap = saved
    batch, heads = p.shape[:2]
    kv_heads = k.shape[1]
    gq, gk, gv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    gbias = None if bias is None else np.empty_like(bias)

    def part(kv: slice, mine: slice) -> None:
        keys, probabilities = k[:, kv], p[:, mine]

        def grouped(x):
            return x.reshape(batch, keys.shape[1], -1, x.shape[-1])

        g_mine = grouped(g[:, mine])
        used = grouped(_used(probabilities, drop, head_mask, mine))
        np.matmul(used.swapaxes(-1, -2), g_mine, out=gv[:, kv])
        gp = (g_mine @ v[:, kv].swapaxes(-1, -2)).reshape(probabilities.shape)
        if head_mask is not None:
            gp *= _of_heads(head_mask, mine)
        if drop is not None:
            gp *= drop[:, mine]
        gp -= np.einsum("...i,...i->...", gp, probabilities)[..., None]
        gp *= probabilities  # the gradient of the scores
        if gbias is not None:
            gbias[:, mine] = unbroadcast(gp, gbias[:, mine].shape)
        queries = q[:, mine]
        if softcap is not None:  # d tanh = 1 - tanh^2, of the scores as they were
            squashed = np.tanh(grouped(queries * (scale / softcap)) @ keys.swapaxes(-1, -2))
            gp *= 1.0 - np.square(squashed).reshape(gp.shape)
        gq[:, mine] = (grouped(gp) @ keys).reshape(queries.shape) * scale
        gk[:, kv] = grouped(gp).swapaxes(-1, -2) @ grouped(queries) * scale

    _over_heads(part, p.size, heads, kv_heads)
    return gq, gk, gv, gbias


def _over_heads(
    task: Callable[[slice, slice], None], scores: int, heads: int, kv_heads: int
) -> None:
    """Call task(heads of keys, heads of queries) until all are done, on threads if it pays."""
    if scores < _LONG:
        return task(slice(None), slice(None))
    group = heads // kv_heads

    def some(start: int, stop: int) -> None:
        task(slice(start, stop), slice(start * group, stop * group))

    spread_range(some, kv_heads)


def _of_heads(x: np.ndarray, mine: slice) -> np.ndarray:
    """These heads' part of what broadcasts to (batch, heads, seq, total)."""
    return x if x.ndim < 3 or x.shape[-3] == 1 else x[..., mine, :, :]


def _used(
    p: np.ndarray, drop: np.ndarray | None, head_mask: np.ndarray | None, mine: slice
) -> np.ndarray:
    """The probabilities that values are mixed by. p: those of the heads `mine`"""
    if drop is not None:
        p = p * drop[:, mine]
    return p if head_mask is None else p * _of_heads(head_mask, mine)


def _in_blocks(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    bias: np.ndarray | None,
    scale: float,
    softcap: float | None,
    mask: Mask | np.ndarray | None,
    head_mask: np.ndarray | None,
) -> np.ndarray:
    """The same, without ever holding the scores of more than some queries of some heads."""
    batch, heads, seq, _ = q.shape
    kv_heads, total = k.shape[1:3]
    group = heads // kv_heads
    queries = min(seq, max(16, _SCORES // (group * total)))
    if isinstance(mask, Mask) and mask.causal:
        queries = min(queries, _QUERIES)
    some = max(1, _SCORES // (group * queries * total))
    blocks = [
        (row, slice(h, min(h + some, kv_heads)), slice(s, min(s + queries, seq)))
        for row in range(batch)
        for h in range(0, kv_heads, some)
        for s in reversed(range(0, seq, queries))  # the longest first
    ]
    out = np.empty(q.shape[:-1] + v.shape[-1:], q.dtype)

    def attend(i: int) -> None:
        row, kv, rows = blocks[i]
        mine = slice(kv.start * group, kv.stop * group)
        first, last, hidden = 0, total, None
        if isinstance(mask, Mask):
            first, last, hidden = mask.block(rows.start, rows.stop)
        elif mask is not None:
            hidden = _cut(mask, slice(None), slice(None), rows, slice(None))
        keys, n = slice(first, last), rows.stop - rows.start

        stacked = (kv.stop - kv.start, group * n)
        p = (q[row, mine, rows] * scale).reshape(*stacked, -1) @ k[row, kv, keys].swapaxes(-1, -2)
        p = p.reshape(-1, n, last - first)
        if softcap is not None:
            np.tanh(np.divide(p, softcap, out=p), out=p)
            p *= softcap
        if bias is not None:
            p += _cut(bias, row, mine, rows, keys)
        if hidden is not None:
            p += _cut(hidden, row, mine, slice(None), slice(None))
        p -= np.maximum.reduce(p, axis=-1, keepdims=True)
        np.exp(p, out=p)
        sums = np.add.reduce(p, axis=-1, keepdims=True)
        mixed = p.reshape(*stacked, last - first) @ v[row, kv, keys]
        mixed = mixed.reshape(-1, n, v.shape[-1])
        mixed /= sums  # fewer elements than there are probabilities
        if head_mask is not None:
            mixed *= _cut(head_mask, row, mine, slice(None), slice(None))
        out[row, mine, rows] = mixed

    spread(attend, len(blocks))
    return out


def _cut(x: np.ndarray, *index: Any) -> np.ndarray:
    """Take these parts of four axes, of an axis of length 1 the whole."""
    whole = (0 if isinstance(i, int) else slice(None) for i in index)
    return x[tuple(w if n == 1 else i for i, w, n in zip(index, whole, x.shape))]
