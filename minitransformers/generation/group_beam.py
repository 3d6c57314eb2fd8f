"""Group beam search: groups that avoid each other's tokens (Vijayakumar et al., 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .beam import Beams, collected
from .greedy import log_softmax
from .loop import Choice, Result


class GroupBeamSearch:
    """Groups choose one after the other; processors may look at what earlier groups chose.

    groups: the bookkeeping of each; rows of an example are adjacent, group after group
    processors: (ids, scores, current_tokens=, beam_group_idx=) -> scores
    """

    def __init__(
        self,
        processors: Any,
        criteria: Any,
        groups: list[Beams],
        *,
        returned: int,
        pad: int | None,
        longest: int,
    ):
        self.processors, self.criteria, self.groups = processors, criteria, groups
        self.returned, self.pad, self.longest = returned, pad, longest
        size, examples = groups[0].size, groups[0].examples
        every = np.arange(examples * len(groups) * size).reshape(examples, len(groups), size)
        self.rows = [every[:, g].reshape(-1) for g in range(len(groups))]
        self.paths = np.zeros((every.size, 0), np.int64)

    def choose(self, ids: np.ndarray, logits: np.ndarray) -> Choice:
        scores = log_softmax(logits)
        processed = np.zeros_like(scores)
        tokens = np.zeros(len(ids), np.int64)
        rows = np.zeros(len(ids), np.int64)
        for g, (beams, own) in enumerate(zip(self.groups, self.rows)):
            processed[own] = self.processors(
                ids[own], scores[own], current_tokens=tokens, beam_group_idx=g
            )
            candidates = beams.candidates(beams.summed(processed[own]), sample=False)
            chosen, origin = beams.advance(
                ids[own], self.paths[own], own, candidates, self.pad or 0
            )
            tokens[own] = chosen.reshape(-1)
            rows[own] = (origin + own[:: beams.size, None]).reshape(-1)
        self.paths = np.concatenate([self.paths[rows], rows[:, None]], axis=1)
        return Choice(tokens, rows, processed)

    def finished(self, ids: np.ndarray, scores: np.ndarray) -> bool:
        done = all(beams.done.all() for beams in self.groups)
        return done or bool(np.all(self.criteria(ids, scores)))

    def result(self, ids: np.ndarray) -> Result:
        for beams, own in zip(self.groups, self.rows):
            beams.close(ids[own], self.paths[own])
        best = []
        for kept in zip(*(beams.hypotheses for beams in self.groups)):
            pooled = [h for hypotheses in kept for h in hypotheses.kept]
            best += sorted(pooled, key=lambda h: h.score)[::-1][: self.returned]
        return collected(best, self.groups[0].eos, self.pad, self.longest)
