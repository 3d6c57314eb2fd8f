"""Beam search: several continuations of each example, the best ones by their summed scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.random import default_generator
from .greedy import log_softmax, softmax
from .loop import Choice, Result

_UNUSED = -1e9  # the score of a beam that has not begun: finite, so that sums of it stay ordered


class Hypothesis(NamedTuple):
    """A finished continuation. score: normalised; ids: (length,); rows: (generated,) where it ran"""

    score: float
    ids: np.ndarray
    rows: np.ndarray


class Hypotheses:
    """The best `size` finished continuations of one example."""

    def __init__(self, size: int, length_penalty: float, early_stopping: Any, longest: int):
        self.size, self.length_penalty = size, length_penalty
        self.early_stopping, self.longest = early_stopping, longest
        self.kept: list[Hypothesis] = []
        self.worst = 1e9

    def normalised(self, total: float, length: int) -> float:
        """A sum of log probabilities, by length. length: generated tokens"""
        return total / length**self.length_penalty

    def add(self, total: float, length: int, ids: np.ndarray, rows: np.ndarray) -> None:
        score = self.normalised(total, length)
        if len(self.kept) < self.size or score > self.worst:
            self.kept.append(Hypothesis(score, ids, rows))
            if len(self.kept) > self.size:
                self.kept.pop(min(range(len(self.kept)), key=lambda i: self.kept[i].score))
            self.worst = min([h.score for h in self.kept])

    def settled(self, best: float, length: int) -> bool:
        """Whether no running beam can still get in. best: its sum; length: generated tokens"""
        if len(self.kept) < self.size:
            return False
        if self.early_stopping is True:
            return True
        if self.early_stopping == "never" and self.length_penalty > 0.0:
            length = self.longest
        return self.worst >= self.normalised(best, length)

    def best(self, n: int) -> list[Hypothesis]:
        """The n best, the later added first where scores are equal."""
        return sorted(self.kept, key=lambda h: h.score)[::-1][:n]


class BeamSearch:
    """Beam search, and beam sampling.

    beams: how many a row's example has; returned: how many of them to return
    eos: (n,) ids that finish a beam, or None; pad: fills behind the end
    prompt: length of the prompt; longest: the most tokens a text may have
    sample: draw the candidates instead of taking the best
    """

    def __init__(
        self,
        processors: Any,
        criteria: Any,
        *,
        examples: int,
        beams: int,
        returned: int,
        eos: np.ndarray | None,
        pad: int | None,
        prompt: int,
        longest: int,
        length_penalty: float = 1.0,
        early_stopping: Any = False,
        sample: bool = False,
    ):
        self.processors, self.criteria = processors, criteria
        self.examples, self.beams, self.returned = examples, beams, returned
        self.eos = np.zeros(0, np.int64) if eos is None else eos
        self.pad, self.prompt, self.longest, self.sample = pad, prompt, longest, sample
        self.hypotheses = [
            Hypotheses(beams, length_penalty, early_stopping, longest - prompt)
            for _ in range(examples)
        ]
        self.done = np.zeros(examples, bool)
        self.totals = np.full((examples, beams), _UNUSED, np.float32)
        self.totals[:, 0] = 0.0
        self.rows = np.zeros((examples * beams, 0), np.int64)  # the row of each generated token

    def choose(self, ids: np.ndarray, logits: np.ndarray) -> Choice:
        scores = self.processors(ids, log_softmax(logits))
        candidates = self.candidates(scores)
        tokens, origin = self.advance(ids, *candidates)
        rows = (origin + self.first_rows()).reshape(-1)
        self.rows = np.concatenate([self.rows[rows], rows[:, None]], axis=1)
        return Choice(tokens.reshape(-1), rows, scores)

    def first_rows(self) -> np.ndarray:
        """-> (examples, 1) the row of each example's first beam"""
        return np.arange(0, self.examples * self.beams, self.beams)[:, None]

    def candidates(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best continuations of each example, best first.

        scores: (rows, vocab) -> totals, tokens and beams, (examples, candidates) each
        """
        vocab = scores.shape[-1]
        totals = (scores + self.totals.reshape(-1, 1)).reshape(self.examples, -1)
        n = max(2, 1 + len(self.eos)) * self.beams
        if self.sample:
            chosen = default_generator.multinomial(softmax(totals), n)
        else:
            chosen = largest(totals, n)
        best = np.take_along_axis(totals, chosen, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        best, chosen = (np.take_along_axis(x, order, axis=1) for x in (best, chosen))
        return best, chosen % vocab, chosen // vocab

    def advance(
        self, ids: np.ndarray, totals: np.ndarray, tokens: np.ndarray, origin: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Set finished candidates aside and go on with the best of the others.

        -> tokens and the beams they continue, (examples, beams) each
        """
        ends = np.isin(tokens, self.eos)
        rank = np.arange(tokens.shape[1])
        length = ids.shape[1] + 1 - self.prompt
        for example, i in np.argwhere(ends & (rank < self.beams) & ~self.done[:, None]).tolist():
            row = example * self.beams + int(origin[example, i])
            path = np.append(self.rows[row], row)
            self.hypotheses[example].add(float(totals[example, i]), length, ids[row], path)

        going = np.argsort(ends, axis=1, kind="stable")[:, : self.beams]
        take = lambda x: np.take_along_axis(x, going, axis=1)
        pad = 0 if self.pad is None else self.pad
        was_done = self.done[:, None]
        self.totals = np.where(was_done, np.float32(0.0), take(totals))
        for example in np.flatnonzero(~self.done):
            best = float(totals[example].max())
            self.done[example] = self.hypotheses[example].settled(best, length)
        return np.where(was_done, pad, take(tokens)), np.where(was_done, 0, take(origin))

    def finished(self, ids: np.ndarray, scores: np.ndarray) -> bool:
        return bool(self.done.all()) or bool(np.all(self.criteria(ids, scores)))

    def result(self, ids: np.ndarray) -> Result:
        for example in np.flatnonzero(~self.done):
            for beam in range(self.beams):
                row = example * self.beams + beam
                total, length = float(self.totals[example, beam]), ids.shape[1] - self.prompt
                self.hypotheses[example].add(total, length, ids[row], self.rows[row])
        best = [h for kept in self.hypotheses for h in kept.best(self.returned)]
        return self.collected(best)

    def collected(self, best: list[Hypothesis]) -> Result:
        """Pad hypotheses to one length. An end-of-sequence token follows each shorter one."""
        lengths = [len(h.ids) for h in best]
        width = min(max(lengths) + 1, self.longest)
        if min(lengths) < width and self.pad is None:
            raise ValueError("beams end at different lengths, but there is no pad_token_id: set one")
        sequences = np.full((len(best), width), 0 if self.pad is None else self.pad, np.int64)
        rows = np.full((len(best), width), -1, np.int64)
        for i, h in enumerate(best):
            sequences[i, : len(h.ids)] = h.ids
            if len(h.ids) < width and len(self.eos):
                sequences[i, len(h.ids)] = self.eos[0]
            rows[i, : len(h.rows)] = h.rows
        return Result(sequences, np.array([h.score for h in best], np.float32), rows)


def largest(x: np.ndarray, n: int) -> np.ndarray:
    """Columns of the n largest of each row, the largest first, the lowest column among equals.

    x: (rows, columns) -> (rows, n)
    """
    if n >= x.shape[1]:
        return np.argsort(-x, axis=1, kind="stable")[:, :n]
    # partition, then take everything that ties with the n-th, so that ties are settled by column
    threshold = -np.partition(-x, n - 1, axis=1)[:, n - 1 : n]
    out = np.empty((len(x), n), np.int64)
    for row in range(len(x)):
        above = np.flatnonzero(x[row] >= threshold[row])
        out[row] = above[np.argsort(-x[row, above], kind="stable")[:n]]
    return out
