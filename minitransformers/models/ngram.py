"""Streams that predict several tokens ahead (Qi et al., 2020).

Beside the main stream of what stands in the text, ProphetNet's decoder carries `ngram` streams that
predict: at each position, stream s foresees the next token from what stands s positions back. All
are rows of one array, the main stream first: (batch, (1 + ngram) * seq, hidden).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Linear
from ..core.masks import Mask
from ..core.module import Module
from ..core.state import State
from .t5 import position_buckets


class Streams:
    """What all layers of one pass of the decoder share: who sees whom, and how far back that is.

    seq: new positions, of each stream; masks: of each predicting stream, over the main stream's
    keys and its own; main_buckets: (seq, total), buckets: (seq, total + seq) of distances
    hidden_states, attentions: what is kept of the predicting streams, if the caller wants it
    """

    def __init__(self, config: Any, x: Any, attention_mask: Any, state: State):
        seq, total = x.shape[1], state.past + x.shape[1]
        kinds = (config.num_buckets, config.relative_max_distance, False)
        self.seq = seq
        self.main_buckets = position_buckets(seq, total, *kinds)
        # what is predicted stands one position on; of its own keys each query sees but its own
        back = position_buckets(seq, total + 1, *kinds)[:, :total]
        self.buckets = np.concatenate([back, np.zeros((seq, seq), back.dtype)], axis=1)
        # a stream foresees from so far back; in the reference from everything, where it is cached
        blind = [0 if state.past else s for s in range(config.ngram)]
        self.masks = [self.mask(n, seq, total, attention_mask) for n in blind]
        self.hidden_states: list | None = None if state.hidden_states is None else []
        self.attentions: list | None = None if state.attentions is None else []

    def mask(self, blind: int, seq: int, total: int, attention_mask: Any) -> Mask:
        """Of a stream that sees not the latest `blind` positions, but always the first."""
        key, query = np.arange(total), np.arange(total - seq, total)[:, None]
        seen = ((key <= query - blind) | (key == 0))[None]
        if attention_mask is not None:
            if np.ndim(attention_mask) != 2:
                raise ValueError(
                    f"ProphetNet's decoder takes masks of shape (batch, {total}), not "
                    f"{np.shape(attention_mask)}"
                )
            seen = seen & (np.asarray(attention_mask) != 0)[:, None]
        own = np.broadcast_to(np.eye(seq, dtype=bool), (len(seen), seq, seq))
        allowed = np.concatenate([seen, own], axis=2)[:, None]
        return Mask(seq, total + seq, allowed=allowed)


class NgramSelfAttention(Module):
    """All streams see the main one, whose keys alone are cached, and each predicting one itself."""

    def __init__(self, config: Any, layer: int):
        n, heads = config.hidden_size, config.num_decoder_attention_heads
        self.key_proj, self.value_proj = Linear(n, n), Linear(n, n)
        self.query_proj, self.out_proj = Linear(n, n), Linear(n, n)
        self.relative_pos_embeddings = Linear(n, config.num_buckets * heads)
        self.attention_dropout = Dropout(config.attention_dropout)
        self.dropout = Dropout(config.dropout)
        self.layer, self.heads, self.scale = layer, heads, (n // heads) ** -0.5

    def __call__(self, x: Any, state: State) -> Any:
        streams: Streams = state.sight
        q, k, v = (
            self.by_stream(ops.split_heads(part(x), heads=self.heads), streams.seq)
            for part in (self.query_proj, self.key_proj, self.value_proj)
        )
        main, ahead = self.relative(x, streams.seq, state.past)
        keys, values = k[0], v[0]
        if state.cache is not None:
            keys, values = state.cache.append(self.layer, keys, values)
        rows, every = np.arange(streams.seq)[:, None], slice(None)

        bias = main[every, every, rows, streams.main_buckets]
        out = [state.mix(self.layer, q[0], keys, values, self.scale, self.attention_dropout.rate,
                         state.mask, bias, state.attentions)]  # fmt: skip
        # the masks of the predicting streams are drawn as one, after the main stream's
        batch, total = x.shape[0], keys.shape[2] + streams.seq
        drops = self.attention_dropout.mask((batch, len(q) - 1, self.heads, streams.seq, total))
        kept: list | None = None if streams.attentions is None else []
        for s, mask in enumerate(streams.masks, 1):
            seen = ops.concatenate(keys, k[s], axis=2), ops.concatenate(values, v[s], axis=2)
            bias = ahead[:, s - 1][every, every, rows, streams.buckets]
            dropped = None if drops is None else drops[:, s - 1]
            out.append(state.mix(self.layer, q[s], *seen, self.scale, dropped, mask, bias, kept))
        if kept and streams.attentions is not None:
            streams.attentions.append(np.stack(kept, axis=1))
        out = ops.merge_heads(ops.concatenate(*out, axis=2))
        return self.dropout(self.out_proj(out))

    def by_stream(self, x: Any, seq: int) -> list:
        """(batch, heads, streams * seq, ...) -> (batch, heads, seq, ...) each"""
        return [x[:, :, start : start + seq] for start in range(0, x.shape[2], seq)]

    def relative(self, x: Any, seq: int, past: int) -> tuple[Any, Any]:
        """What each position adds to the scores of keys at each distance.

        -> of the main stream (batch, heads, seq, buckets), of the others (batch, ngram, heads, seq,
        buckets)
        """
        found = self.relative_pos_embeddings(x)
        found = ops.reshape(found, shape=(x.shape[0], -1, seq, found.shape[2] // self.heads,
                                          self.heads))  # fmt: skip
        main, ahead = ops.transpose(found[:, 0], axes=(0, 3, 1, 2)), found[:, 1:]
        if past:
            return main, ops.transpose(ahead, axes=(0, 1, 4, 2, 3))
        # The reference orders this one by positions, streams and heads, and reads it by streams,
        # heads and positions, so that with several positions each uses numbers of another. What is
        # trained with it has learned so; with a cache it goes on position by position, in order.
        ahead = ops.transpose(ahead, axes=(0, 2, 1, 4, 3))
        batch, _, streams, heads, buckets = ahead.shape
        return main, ops.reshape(ahead, shape=(batch, streams, heads, seq, buckets))
