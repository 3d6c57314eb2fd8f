"""DoLa: what the last layer knows beyond earlier ones (Chuang et al., 2023)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .greedy import log_softmax, softmax


class Dola:
    """A model's state whose logits are contrasted with those of an earlier layer.

    state: from `model.start`; layers: "low", "high" or a list of layers to contrast with
    """

    def __init__(self, state: Any, layers: Any):
        self.state, self.layers = state, _candidates(layers, *state.depth())
        self.keep_hidden, state.hidden = state.hidden, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.state, name)

    def step(self, ids: np.ndarray) -> dict[str, Any]:
        out = self.state.step(ids)
        final = out["logits"][:, -1]
        early = [self.state.head(out["hidden_states"][i][:, -1]) for i in self.layers]
        out["raw_logits"] = final
        out["logits"] = contrast(early, final)[:, None]
        if not self.keep_hidden:
            out["hidden_states"] = None
        return out


def _candidates(layers: Any, depth: int, tied: bool) -> list[int]:
    """The layers to contrast with. Raises ValueError for what is none of the forms."""
    start = 0
    if tied:  # the embeddings' own logits merely repeat the input
        start = 2 if depth > 2 else 1 if depth == 2 else 0
    if isinstance(layers, list):
        return [i for i in layers if i < depth]
    if layers == "low":
        if start == depth // 2:
            return [start]
        return list(range(start, depth // 2 if depth <= 40 else 20, 2))
    if layers == "high":
        return list(range(depth // 2 if depth <= 40 else depth - 20, depth, 2))
    raise ValueError(f"dola_layers must be 'low', 'high' or a list of layers, not {layers!r}")


def contrast(early: list[np.ndarray], final: np.ndarray, relative_top: float = 0.1) -> np.ndarray:
    """final minus the early logits that differ most from it, over what final finds plausible.

    early: of (rows, vocab) each; final: (rows, vocab) -> (rows, vocab)
    """
    chosen = early[0]
    if len(early) > 1:
        chosen = early[int(np.argmax([_divergence(final, e) for e in early]))]
    last, base = log_softmax(final), log_softmax(chosen)
    implausible = last < last.max(-1, keepdims=True) + math.log(relative_top)
    base = np.where(implausible, np.float32(-1e-3), base)
    return np.where(implausible, np.float32(-np.inf), last) - base


def _divergence(a: np.ndarray, b: np.ndarray) -> float:
    """Jensen-Shannon divergence, averaged as the reference averages it."""
    p, q = softmax(a), softmax(b)
    mixture = 0.5 * (p + q)
    kl = lambda x, log_x: (mixture * (np.log(mixture) - log_x)).mean(-1)
    return float((0.5 * (kl(p, log_softmax(a)) + kl(q, log_softmax(b)))).mean())
