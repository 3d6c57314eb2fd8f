"""Constrained beam search: beams compete by constraints fulfilled (Post and Vilar, 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .beam import Beams, BeamSearch
from .constraints import Constraint, DisjunctiveConstraint, PhrasalConstraint, Progress


class ConstrainedBeams(Beams):
    """Beams whose texts may end only when they fulfil every constraint."""

    def __init__(self, examples: int, size: int, constraints: list[Constraint], **how: Any):
        super().__init__(examples, size, **how)
        self.constraints, self.returned = constraints, 1

    def accepts(self, ids: np.ndarray) -> bool:
        return Progress.of(self.constraints, ids.tolist()).completed

    def close(self, ids: np.ndarray, paths: np.ndarray) -> None:
        for example in np.flatnonzero(~self.done).tolist():
            rows = range(example * self.size, (example + 1) * self.size)
            fulfilled = [row for row in rows if self.accepts(ids[row])]
            # where constraints could not all be met, the best of the others are better than none
            if len(fulfilled) < self.returned:
                fulfilled += [row for row in rows if row not in fulfilled]
            for row in fulfilled:
                self.close_beam(example, row, ids, paths)

    def with_forced(
        self, example: int, ids: np.ndarray, summed: np.ndarray, tokens: np.ndarray, origin: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Let candidates that advance a constraint compete with those chosen by score.

        ids: (size, length) of this example; summed: (size, vocab); tokens, origin: (size,)
        -> tokens and origin of the winners; `totals` follows
        """
        texts = [[*ids[o].tolist(), t] for o, t in zip(origin.tolist(), tokens.tolist())]
        progress = [Progress.of(self.constraints, text) for text in texts]
        scores = self.totals[example].tolist()
        chosen, beams = tokens.tolist(), origin.tolist()
        for beam, text in enumerate(ids.tolist()):
            before = Progress.of(self.constraints, text)
            if before.completed:
                continue
            for token in before.advance():
                after = before.copy()
                after.add(token)
                if [*text, token] not in texts:
                    texts.append([*text, token])
                    progress.append(after)
                    scores.append(float(summed[beam, token]))
                    chosen.append(token)
                    beams.append(beam)
        if len(texts) > self.size:
            banks = np.array([p.bank() for p in progress])
            winners = in_turn(banks, np.array(scores, np.float32))[: self.size]
            self.totals[example] = np.array(scores, np.float32)[winners]
            return np.array(chosen)[winners], np.array(beams)[winners]
        return tokens, origin


def in_turn(banks: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The best of each bank in turn, from the fullest bank down, then the second best of each.

    banks, scores: (n,) -> (n,) indices
    """
    order = np.argsort(-(banks * 100 + scores), kind="stable")
    ranked = banks[order]
    starts = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    place = np.arange(len(order))
    place -= np.maximum.accumulate(np.where(starts, place, 0))
    return order[np.argsort(place, kind="stable")]


class ConstrainedBeamSearch(BeamSearch):
    """Beam search over `ConstrainedBeams`."""

    beams: ConstrainedBeams

    def shown(self, scores: np.ndarray, summed: np.ndarray) -> np.ndarray:
        return summed  # in this one strategy the reference shows sums

    def step(self, ids: np.ndarray, summed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        was_done = self.beams.done.copy()
        self.beams.returned = self.returned
        tokens, origin = super().step(ids, summed)
        size = self.beams.size
        for example in np.flatnonzero(~was_done).tolist():
            own = slice(example * size, (example + 1) * size)
            tokens[example], origin[example] = self.beams.with_forced(
                example, ids[own], summed[own], tokens[example], origin[example]
            )
        return tokens, origin


def constraints_of(force_words_ids: Any, constraints: Any) -> list[Constraint]:
    """From `force_words_ids`: each entry a phrase, or a list of phrases of which one must occur."""
    made = list(constraints or [])
    if force_words_ids is not None:
        problem = ValueError(
            "`force_words_ids` has to either be a `List[List[List[int]]]` or `List[List[int]]` of "
            f"positive integers, but is {force_words_ids}."
        )
        if not isinstance(force_words_ids, list) or not force_words_ids:
            raise problem
        for words in force_words_ids:
            if not isinstance(words, list) or not words:
                raise problem
            kind = DisjunctiveConstraint if isinstance(words[0], list) else PhrasalConstraint
            made.append(kind(words))
    return made
