"""The generation loop, the same for every strategy that asks the model one token at a time.

A strategy decides; the loop runs the model, reorders its cache and appends. Contrastive and
assisted decoding, which ask the model differently, yield the same steps from files of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np


class Choice(NamedTuple):
    """What a strategy decided in one step.

    tokens: (rows,) the next token of each row
    rows: (rows,) the row each of them continues; None if every row continues itself
    scores: (rows, vocab) processed, as they were chosen from
    """

    tokens: np.ndarray
    rows: np.ndarray | None
    scores: np.ndarray


class Result(NamedTuple):
    """What a strategy has to show in the end.

    sequences: (results, length) ids, the prompt included
    scores: (results,) of beams; beam_indices: (results, generated) the row of each token, -1 behind
    """

    sequences: np.ndarray
    scores: np.ndarray | None = None
    beam_indices: np.ndarray | None = None


class Strategy(Protocol):
    """How the next tokens are chosen, and when to stop."""

    def choose(self, ids: np.ndarray, logits: np.ndarray) -> Choice:
        """ids: (rows, length) so far; logits: (rows, vocab) float32"""

    def finished(self, ids: np.ndarray, scores: np.ndarray) -> bool:
        """Whether to stop. ids: (rows, length), the tokens just chosen included"""

    def result(self, ids: np.ndarray) -> Result:
        """What came of it, after the last step."""


@dataclasses.dataclass
class Step:
    """One turn of the loop.

    tokens: (rows, new) what was appended; ids: (rows, length) the whole rows
    scores: (rows, vocab) processed; logits: (rows, vocab) as the model gave them
    hidden_states, attentions, cross_attentions: one a layer, if they were asked for
    """

    tokens: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    logits: np.ndarray
    hidden_states: tuple | None = None
    attentions: tuple | None = None
    cross_attentions: tuple | None = None


class OwnLoop(Protocol):
    """A strategy that asks the model in a way of its own."""

    def run(self, state: Any) -> Iterator[Step]:
        """As `run`, the function, does."""

    def result(self, ids: np.ndarray) -> Result:
        """What came of it, after the last step."""


def run(state: Any, strategy: Strategy, ids: np.ndarray | None = None) -> Iterator[Step]:
    """Decode until the strategy is finished.

    state: from `model.start`; ids: (rows, length) the text so far, the state's prompt by default
    """
    ids = state.prompt if ids is None else ids
    shared = 0  # positions in which the rows of an example agree: the prompt's
    done = False
    while not done:
        out = state.step(ids)
        shared = shared or state.length
        logits = out.pop("logits")[:, -1]
        tokens, rows, scores = strategy.choose(ids, logits)
        if rows is not None:
            ids = ids[rows]
        ids = np.concatenate([ids, tokens[:, None]], axis=1)
        done = strategy.finished(ids, scores)
        if rows is not None and not done:
            state.reorder(rows, shared)
        raw = out.pop("raw_logits", logits)  # where the logits were made of several layers'
        yield Step(tokens[:, None], ids, scores, raw, **out)
