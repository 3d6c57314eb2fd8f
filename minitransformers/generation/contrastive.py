"""Contrastive search: likely tokens that do not repeat what has been said (Su et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .beam import largest
from .greedy import Greedy, softmax
from .loop import Choice, Step


class Contrastive(Greedy):
    """Each of the `top_k` best tokens is tried; the one wins that is likely and new.

    alpha: how much being new counts, between 0 and 1
    one_by_one: try them one after the other, in less memory
    """

    def __init__(
        self, processors: Any, criteria: Any, pad: int | None, top_k: int, alpha: float,
        one_by_one: bool = False,
    ):  # fmt: skip
        super().__init__(processors, criteria, pad)
        self.top_k, self.alpha, self.one_by_one = top_k, alpha, one_by_one

    def run(self, state: Any) -> Iterator[Step]:
        """As `loop.run`: here the model is asked about candidates before one is chosen."""
        keep_hidden, state.hidden = state.hidden, True
        ids, out = state.prompt, state.step(state.prompt)
        context = out["hidden_states"][-1]  # (rows, length, hidden)
        done = False
        while not done:
            logits = out["logits"][:, -1]
            scores = self.processors(ids, logits)
            likely = largest(scores, min(self.top_k, scores.shape[1]))  # (rows, k)
            p = np.take_along_axis(softmax(scores), likely, axis=1)
            best, following = self.weigh(state, ids, likely, p, context)
            tokens = np.take_along_axis(likely, best[:, None], axis=1)[:, 0]
            if self.pad is not None and self.ended is not None:
                tokens = np.where(self.ended, self.pad, tokens)
            ids = np.concatenate([ids, tokens[:, None]], axis=1)
            done = self.finished(ids, scores)
            kept = {name: out[name] for name in ("attentions", "cross_attentions")}
            kept["hidden_states"] = out["hidden_states"] if keep_hidden else None
            yield Step(tokens[:, None], ids, scores, logits, **kept)
            out = following
            context = np.concatenate([context, out["hidden_states"][-1]], axis=1)

    def weigh(
        self, state: Any, ids: np.ndarray, likely: np.ndarray, p: np.ndarray, context: np.ndarray
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Try the candidates. -> (rows,) which of them wins, what the model says to the winners"""
        rows, k = likely.shape
        if self.one_by_one:
            hidden = []
            for i in range(k):
                out = state.step(np.concatenate([ids, likely[:, i : i + 1]], axis=1))
                hidden.append(out["hidden_states"][-1])
                state.crop(state.length - 1)
            best = self.rank(np.stack(hidden, axis=1)[:, :, 0], p, context, state.padding())
            chosen = np.take_along_axis(likely, best[:, None], axis=1)
            return best, state.step(np.concatenate([ids, chosen], axis=1))
        padding = state.padding()
        copies = np.repeat(np.arange(rows), k)
        state.reorder(copies)
        out = state.step(np.concatenate([ids[copies], likely.reshape(-1, 1)], axis=1))
        hidden = out["hidden_states"][-1].reshape(rows, k, -1)
        best = self.rank(hidden, p, context, padding)
        winners = np.arange(rows) * k + best
        state.reorder(winners)
        return best, _rows(out, winners)

    def rank(
        self, hidden: np.ndarray, p: np.ndarray, context: np.ndarray, padding: np.ndarray | None
    ) -> np.ndarray:
        """hidden: (rows, k, hidden) of the candidates; padding: (rows, start), true at padding

        -> (rows,) the best
        """
        alike = _unit(hidden) @ _unit(context).swapaxes(1, 2)  # (rows, k, length)
        if padding is not None:
            known = alike[:, :, : padding.shape[1]]
            known[np.broadcast_to(padding[:, None, : known.shape[2]], known.shape)] = -np.inf
        return ((1.0 - self.alpha) * p - self.alpha * alike.max(-1)).argmax(-1)

    def choose(self, ids: np.ndarray, logits: np.ndarray) -> Choice:
        raise NotImplementedError("contrastive search runs the model itself: see `run`")


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.einsum("...i,...i->...", x, x))[..., None]


def _rows(out: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Those rows of everything a step returned."""
    take = lambda x: None if x is None else tuple(layer[rows] for layer in x)
    return {name: x[rows] if name == "logits" else take(x) for name, x in out.items()}
