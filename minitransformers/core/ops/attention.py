"""Scaled dot-product attention (Vaswani et al., 2017) with grouped heads (Ainslie et al., 2023)."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive
from .shape import unbroadcast


@primitive
def attention(
    q, k, v, bias=None, *, scale, softcap=None, mask=None, drop=None, head_mask=None, keep=None
):
    """Mix values by how well their keys answer the queries.

    q: (batch, heads, seq, head_dim)
    k, v: (batch, kv_heads, total, head_dim); heads is a multiple of kv_heads
    bias: (1 or batch, heads, 1 or seq, total) added to the scores, such as T5's position bias
    scale: factor of the scores, usually head_dim ** -0.5
    softcap: squash the scores into (-softcap, softcap) by a tanh, as Gemma-2 does
    mask: additive, broadcastable to (batch, heads, seq, total)
    drop: dropout mask of the probabilities, (batch, heads, seq, total)
    head_mask: factor of the probabilities, broadcastable to (batch, heads, 1, 1)
    keep: a list to append the probabilities to, (batch, heads, seq, total)
    -> (batch, heads, seq, head_dim)
    """
    batch, heads, seq, head_dim = q.shape
    kv_heads, total = k.shape[1:3]
    grouped = (batch, kv_heads, heads // kv_heads * seq, head_dim)

    # queries of one group share their keys: stacking them makes one product of the whole group
    p = (q * scale).reshape(grouped) @ k.swapaxes(-1, -2)
    p = p.reshape(batch, heads, seq, total)
    if softcap is not None:
        np.tanh(np.divide(p, softcap, out=p), out=p)
        p *= softcap
    if bias is not None:
        p += bias
    if mask is not None:
        p += mask
    p -= np.maximum.reduce(p, axis=-1, keepdims=True)
    np.exp(p, out=p)
    p /= np.add.reduce(p, axis=-1, keepdims=True)

    used = p if drop is None else p * drop
    if head_mask is not None:
        used = used * head_mask
    if keep is not None:
        keep.append(used)
    out = used.reshape(batch, kv_heads, -1, total) @ v
    return out.reshape(q.shape[:-1] + v.shape[-1:]), (
        q,
        k,
        v,
        bias,
        p,
        used,
        drop,
        head_mask,
        scale,
        softcap,
    )


@attention.defvjp
def _(saved, g):
    q, k, v, bias, p, used, drop, head_mask, scale, softcap = saved
    batch, heads, seq = p.shape[:3]
    kv_heads = k.shape[1]

    def grouped(x):
        return x.reshape(batch, kv_heads, heads // kv_heads * seq, x.shape[-1])

    gv = grouped(used).swapaxes(-1, -2) @ grouped(g)
    gp = (grouped(g) @ v.swapaxes(-1, -2)).reshape(p.shape)
    if head_mask is not None:
        gp *= head_mask
    if drop is not None:
        gp *= drop
    gp -= np.einsum("...i,...i->...", gp, p)[..., None]
    gp *= p  # the gradient of the scores
    gbias = None if bias is None else unbroadcast(gp, bias.shape)
    if softcap is not None:  # d tanh = 1 - tanh^2, of the scores as they were
        squashed = np.tanh(grouped(q * (scale / softcap)) @ k.swapaxes(-1, -2)).reshape(p.shape)
        gp = gp * (1.0 - squashed * squashed)
    gq = (grouped(gp) @ k).reshape(q.shape) * scale
    gk = grouped(gp).swapaxes(-1, -2) @ grouped(q) * scale
    return gq, gk, gv, gbias
