"""Permuted order (Yang et al., 2019): who sees whom, how far apart, and decoding place by place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.masks import Mask
from ..core.state import State
from .decoding import Decoding


class Outlook:
    """Who sees whom, how far apart and in which segment: what all layers of one pass share.

    h_mask, g_mask: of the two streams
    distances: (1, 2 or batch, places, hidden) sines and cosines, of `total` down to the farthest
    apart: (batch, 1, seq, total) 1 where a key is in another segment than the query, or None
    targets: (batch, predicted, seq) where in the sequence each prediction stands, or None
    """

    def __init__(self, config: Any, batch: int, seq: int, total: int, **inputs: Any):
        self.targets = inputs["target_mapping"]
        if self.targets is not None:
            self.targets = np.asarray(self.targets, np.float32)
        causal = config.attn_type == "uni"
        window = total - seq + 1 if causal and config.same_length else None
        allowed = _allowed(
            seq, total, inputs["attention_mask"], inputs["input_mask"], inputs["perm_mask"]
        )
        self.g_mask = Mask(seq, total, causal=causal, window=window, allowed=allowed)
        if allowed is not None:  # contents always see themselves
            allowed = allowed | np.eye(seq, total, total - seq, dtype=bool)
        self.h_mask = Mask(seq, total, causal=causal, window=window, allowed=allowed)
        self.distances = _sinusoids(config, batch, seq, total)
        self.apart = None
        types = inputs["token_type_ids"]
        if types is not None:  # what is remembered counts as the first segment
            keys = np.pad(types, ((0, 0), (total - seq, 0)))
            self.apart = (types[:, None, :, None] != keys[:, None, None]).astype(np.float32)


def _allowed(
    seq: int, total: int, attention_mask: Any, input_mask: Any, perm_mask: Any
) -> np.ndarray | None:
    """Masks of new positions, or of remembered ones too, as one. -> (batch, 1, 1 or seq, total)"""
    if attention_mask is not None and input_mask is not None:
        raise ValueError(
            "attention_mask and input_mask say the same with opposite signs: pass one of them"
        )
    shown = []
    if input_mask is not None:
        shown.append((input_mask <= 0)[:, None])
    if attention_mask is not None:
        shown.append((attention_mask >= 1)[:, None])
    if perm_mask is not None:
        shown.append(perm_mask <= 0)
    for mask in shown:
        if mask.shape[1] not in (1, seq) or mask.shape[2] not in (seq, total):
            raise ValueError(
                f"masks must be (batch, {seq}) or, with what is remembered, (batch, {total}), and "
                f"perm_mask (batch, {seq}, {seq}): one has the last axes {mask.shape[1:]}"
            )
    padded = [
        np.pad(x, ((0, 0), (0, 0), (total - x.shape[2], 0)), constant_values=True) for x in shown
    ]
    if not padded:
        return None
    return (padded[0] if len(padded) == 1 else padded[0] & padded[1])[:, None]


def _sinusoids(config: Any, batch: int, seq: int, total: int) -> np.ndarray:
    """Distances from `total` before a query to as far behind it as is seen. -> see `Outlook`"""
    farthest = seq - 1 if config.attn_type == "bi" else 0
    apart = np.arange(total, -farthest - 1, -1.0)[None]
    if config.bi_data:
        if batch % 2:
            raise ValueError(
                f"with bi_data the second half of a batch is read backwards: a batch of {batch} "
                "has no half"
            )
        apart = np.repeat(np.concatenate([apart, -apart]), batch // 2, axis=0)
    if config.clamp_len > 0:
        apart = apart.clip(-config.clamp_len, config.clamp_len)
    angles = apart[:, :, None] * 10000.0 ** -(np.arange(0, config.d_model, 2) / config.d_model)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=2).astype(np.float32)


def shift_to_keys(scores: Any, total: int) -> Any:
    """Scores by distance, largest first, as scores by key: row i moves left by seq - i places.

    Read with rows one longer, the numbers of row i begin i places later (Dai et al., 2019).
    scores: (batch, heads, seq, places) -> (batch, heads, seq, total)
    """
    batch, heads, seq, places = scores.shape
    scores = ops.reshape(scores, shape=(batch, heads, places, seq))[:, :, 1:]
    return ops.reshape(scores, shape=(batch, heads, seq, places - 1))[..., :total]


class PermutedDecoding(Decoding):
    """Each step asks for one place behind the text, which no token sees: the content that stands
    there does not matter. Remembered is all but the last two tokens, as in the reference: they were
    computed without the token that follows, so that they are worth computing again.
    """

    def __init__(self, model: Any, inputs: dict[str, Any], prompt: np.ndarray, **how: Any):
        if not prompt.shape[1]:
            raise ValueError("XLNet continues input_ids: inputs_embeds alone cannot be continued")
        remembers = inputs.get("use_mems")
        remembers = model.config.use_mems_eval if remembers is None else remembers
        self.remembers = remembers and how.pop("use_cache", True)
        self.mems: list | None = None
        # segments and permutations are of the prompt, and say nothing of how it goes on
        known = {name: inputs[name] for name in ("attention_mask",) if name in inputs}
        super().__init__(model, known, prompt, **how | {"use_cache": False})

    def step(self, ids: np.ndarray, last: int = 1) -> dict[str, Any]:
        new, mems = ids, None
        if self.mems is not None:
            new, mems = ids[:, -2:], [x[:-2] for x in self.mems]
        new = np.pad(new, ((0, 0), (0, 1)))
        rows, seq = new.shape
        is_last = np.broadcast_to(np.arange(seq) == seq - 1, (rows, seq)).astype(np.float32)
        state = State(hidden=self.hidden, attentions=self.attentions)
        logits = self.model.forward(
            state,
            input_ids=new,
            attention_mask=self._shown(ids.shape[1] + 1, seq + (len(mems[0]) if mems else 0)),
            mems=mems,
            perm_mask=np.repeat(is_last[:, None], seq, axis=1),
            target_mapping=is_last[:, None],
            use_mems=self.remembers,
        )["logits"]
        self.mems = state.mems
        return {
            "logits": logits,
            "hidden_states": state.hidden_states and tuple(state.hidden_states),
            "attentions": state.attentions and tuple(state.attentions),
            "cross_attentions": None,
        }

    def _shown(self, length: int, total: int) -> np.ndarray | None:
        """The mask of the last `total` positions of a text of this length."""
        if self._mask is None:
            return None
        behind = length - self._mask.shape[1]
        return np.pad(self._mask, ((0, 0), (0, behind)), constant_values=1)[:, -total:]

    def reorder(self, rows: np.ndarray, start: int = 0) -> None:
        super().reorder(rows, start)
        if self.mems is not None:
            self.mems = [x[:, rows] for x in self.mems]

    def crop(self, length: int) -> None:
        raise ValueError("XLNet cannot take tokens back, as drafts of an assistant must be")
