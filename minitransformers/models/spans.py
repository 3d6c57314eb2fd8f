"""Answers found by a beam over starts and ends, as XLNet was trained for SQuAD 2.0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import LayerNorm, Linear
from ..core.module import Module
from ..core.primitive import value_of
from ..core.state import State
from .heads import Head, token_loss
from .outputs import ModelOutput

_NEVER = 1e30  # taken off the scores of positions where no answer can stand


def _without(scores: Any, p_mask: np.ndarray | None) -> Any:
    """Rule positions out. scores: (..., seq); p_mask: broadcastable to it, 1 where no answer is"""
    if p_mask is None:
        return scores
    p_mask = p_mask.astype(np.float32)
    return scores * (1.0 - p_mask) - _NEVER * p_mask


class PoolerStartLogits(Module):
    def __init__(self, config: Any):
        self.dense = Linear(config.hidden_size, 1)

    def __call__(self, x: Any, p_mask: np.ndarray | None) -> Any:
        """(batch, seq, hidden) -> (batch, seq)"""
        return _without(self.dense(x)[..., 0], p_mask)


class PoolerEndLogits(Module):
    def __init__(self, config: Any):
        n = config.hidden_size
        self.dense_0 = Linear(2 * n, n)
        self.LayerNorm = LayerNorm(n, config.layer_norm_eps)
        self.dense_1 = Linear(n, 1)

    def __call__(self, x: Any, starts: Any, p_mask: np.ndarray | None) -> Any:
        """x: (batch, seq, hidden); starts: (batch, n, hidden) where answers begin

        -> (batch, n, seq) scores of where each ends
        """
        batch, seq, n = x.shape
        pairs = np.zeros((batch, starts.shape[1], seq, 1), np.float32)
        x = ops.reshape(x, shape=(batch, 1, seq, n)) + pairs
        starts = ops.reshape(starts, shape=(batch, -1, 1, n)) + pairs
        y = self.LayerNorm(ops.tanh(self.dense_0(ops.concatenate(x, starts))))
        return _without(self.dense_1(y)[..., 0], None if p_mask is None else p_mask[:, None])


class PoolerAnswerClass(Module):
    def __init__(self, config: Any):
        n = config.hidden_size
        self.dense_0, self.dense_1 = Linear(2 * n, n), Linear(n, 1, bias=False)

    def __call__(self, start: Any, cls: Any) -> Any:
        """start, cls: (batch, hidden) -> (batch,) score of there being no answer"""
        return self.dense_1(ops.tanh(self.dense_0(ops.concatenate(start, cls))))[:, 0]


class SpanBeamsOutput(ModelOutput):
    """start_top_log_probs, start_top_index: (batch, starts), the probabilities (not logarithms,
    despite the name) and positions of the best starts; end_top_log_probs, end_top_index:
    (batch, ends * starts), of each start's best ends, the starts of one rank adjacent; cls_logits:
    (batch,) score of there being no answer. None of them where targets are given.
    """

    loss: Any = None
    start_top_log_probs: Any = None
    start_top_index: Any = None
    end_top_log_probs: Any = None
    end_top_index: Any = None
    cls_logits: Any = None


class SpanBeams(Head):
    """The best starts of an answer, for each of them the best ends, and whether there is any.

    config.start_n_top, config.end_n_top: how many, at most as many as there are positions
    cls_index: (batch,) the token to judge answerability by, the last by default
    p_mask: (batch, seq) 1 where no answer can start or end
    """

    targets = ("start_positions", "end_positions", "is_impossible")

    def __init__(self, config: Any):
        super().__init__(config)
        self.start_logits = PoolerStartLogits(config)
        self.end_logits = PoolerEndLogits(config)
        self.answer_class = PoolerAnswerClass(config)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        # ends are scored from the true start where it is known, so forward has to know it
        return inputs | targets

    def forward(
        self,
        state: State,
        cls_index: Any = None,
        p_mask: Any = None,
        start_positions: Any = None,
        end_positions: Any = None,
        is_impossible: Any = None,
        **inputs: Any,
    ) -> dict[str, Any]:
        x = self.hidden(state, **inputs)
        rows = np.arange(x.shape[0])
        cls = x[:, -1] if cls_index is None else x[rows, cls_index.reshape(-1)]
        if start_positions is None or end_positions is None:
            return self.search(x, cls, p_mask)
        start = x[rows, start_positions.reshape(-1)]
        starts = self.start_logits(x, p_mask)
        ends = self.end_logits(x, start[:, None], p_mask)[:, 0]
        losses = token_loss(starts, start_positions), token_loss(ends, end_positions)
        loss = ops.mul(losses[0] + losses[1], 0.5)
        if cls_index is not None and is_impossible is not None:
            target = is_impossible.reshape(-1).astype(np.float32)
            judged = ops.bce_with_logits(self.answer_class(start, cls), target=target)
            loss = loss + ops.mul(judged, 0.5)
        return {"loss": loss}

    def search(self, x: Any, cls: Any, p_mask: Any) -> dict[str, Any]:
        """x: (batch, seq, hidden); cls: (batch, hidden) -> fields of the output"""
        starts = value_of(ops.softmax(self.start_logits(x, p_mask)))
        start_index = _best(starts, self.config.start_n_top)
        states = x[np.arange(len(x))[:, None], start_index]
        ends = value_of(ops.softmax(self.end_logits(x, states, p_mask)))  # (batch, starts, seq)
        end_index = _best(ends, self.config.end_n_top)
        of_ends = np.take_along_axis(ends, end_index, axis=-1)
        flat = lambda y: y.swapaxes(1, 2).reshape(len(x), -1)
        return {
            "start_top_log_probs": np.take_along_axis(starts, start_index, axis=-1),
            "start_top_index": start_index,
            "end_top_log_probs": flat(of_ends),
            "end_top_index": flat(end_index),
            "cls_logits": self.answer_class(ops.einsum(x, starts, subscripts="bsh,bs->bh"), cls),
        }

    def loss(self, values: dict[str, Any], **targets: Any) -> dict[str, Any]:
        return {}  # `forward` has computed it


def _best(p: np.ndarray, n: int) -> np.ndarray:
    """Where the n largest of the last axis are, largest first. -> (..., at most n)"""
    return np.argsort(-p, axis=-1, kind="stable")[..., :n]
