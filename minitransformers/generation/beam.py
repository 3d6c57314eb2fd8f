"""Beam search: several continuations of each example, the best ones by their summed scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.random import default_generator
from .greedy import log_softmax, probabilities
from .loop import Choice, Result

_UNUSED = -1e9  # the score of a beam that has not begun: finite, so that sums of it stay ordered


class Hypothesis(NamedTuple):
    """A finished text. score: normalised; ids: (length,); rows: (generated,) where it ran"""

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


class Beams:
    """The running beams of each example, and the hypotheses they ended in.

    examples, size: how many, and how many beams each has
    eos: (n,) ids that finish a beam, or None
    prompt: length of the prompt; longest: the most tokens a text may have
    """

    def __init__(
        self,
        examples: int,
        size: int,
        *,
        eos: np.ndarray | None,
        prompt: int,
        longest: int,
        length_penalty: float = 1.0,
        early_stopping: Any = False,
    ):
        self.examples, self.size, self.prompt = examples, size, prompt
        self.eos = np.zeros(0, np.int64) if eos is None else eos
        self.hypotheses = [
            Hypotheses(size, length_penalty, early_stopping, longest - prompt)
            for _ in range(examples)
        ]
        self.done = np.zeros(examples, bool)
        self.totals = np.full((examples, size), _UNUSED, np.float32)
        self.totals[:, 0] = 0.0

    def summed(self, scores: np.ndarray) -> np.ndarray:
        """Scores of tokens, added to those of the beams. (examples * size, vocab) -> same"""
        return scores + self.totals.reshape(-1, 1)

    def candidates(self, summed: np.ndarray, sample: bool) -> tuple[np.ndarray, ...]:
        """The best continuations of each example, best first; or as many drawn ones.

        summed: (examples * size, vocab) -> totals, tokens and beams, (examples, candidates) each
        """
        vocab = summed.shape[-1]
        totals = summed.reshape(self.examples, -1)
        n = max(2, 1 + len(self.eos)) * self.size
        if sample:
            chosen = default_generator.multinomial(probabilities(totals), n)
        else:
            chosen = largest(totals, n)
        best = np.take_along_axis(totals, chosen, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        best, chosen = (np.take_along_axis(x, order, axis=1) for x in (best, chosen))
        return best, chosen % vocab, chosen // vocab

    def accepts(self, ids: np.ndarray) -> bool:
        """Whether a text may end here. ids: (length,)"""
        return True

    def advance(
        self,
        ids: np.ndarray,
        paths: np.ndarray,
        rows: np.ndarray,
        candidates: tuple[np.ndarray, ...],
        pad: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Set finished candidates aside and go on with the best of the others.

        ids: (examples * size, length) of these beams; paths: (examples * size, generated) the row
        of each token; rows: (examples * size,) the rows they run in now
        -> tokens and the beams they continue, (examples, size) each
        """
        totals, tokens, origin = candidates
        ends = np.isin(tokens, self.eos)
        length = ids.shape[1] + 1 - self.prompt
        in_time = ends & (np.arange(tokens.shape[1]) < self.size) & ~self.done[:, None]
        for example, i in np.argwhere(in_time).tolist():
            beam = example * self.size + int(origin[example, i])
            if self.accepts(ids[beam]):
                path = np.append(paths[beam], rows[beam])
                self.hypotheses[example].add(float(totals[example, i]), length, ids[beam], path)

        going = np.argsort(ends, axis=1, kind="stable")[:, : self.size]
        take = lambda x: np.take_along_axis(x, going, axis=1)
        was_done = self.done[:, None].copy()
        self.totals = np.where(was_done, np.float32(0.0), take(totals))
        for example in np.flatnonzero(~self.done).tolist():
            best = float(totals[example].max())
            self.done[example] = self.hypotheses[example].settled(best, length)
        return np.where(was_done, pad, take(tokens)), np.where(was_done, 0, take(origin))

    def close(self, ids: np.ndarray, paths: np.ndarray) -> None:
        """Count the running beams of unfinished examples among the hypotheses."""
        for example in np.flatnonzero(~self.done).tolist():
            for row in range(example * self.size, (example + 1) * self.size):
                self.close_beam(example, row, ids, paths)

    def close_beam(self, example: int, row: int, ids: np.ndarray, paths: np.ndarray) -> None:
        total, length = float(self.totals.reshape(-1)[row]), ids.shape[1] - self.prompt
        self.hypotheses[example].add(total, length, ids[row], paths[row])


class BeamSearch:
    """Beam search, and beam sampling.

    beams: the bookkeeping; returned: how many hypotheses of each example to return
    pad: fills behind the end; longest: the most tokens a text may have
    sample: draw the candidates instead of taking the best
    """

    def __init__(
        self,
        processors: Any,
        criteria: Any,
        beams: Beams,
        *,
        returned: int,
        pad: int | None,
        longest: int,
        sample: bool = False,
    ):
        self.processors, self.criteria, self.beams = processors, criteria, beams
        self.returned, self.pad, self.longest, self.sample = returned, pad, longest, sample
        self.rows = np.arange(beams.examples * beams.size)
        self.paths = np.zeros((len(self.rows), 0), np.int64)

    def choose(self, ids: np.ndarray, logits: np.ndarray) -> Choice:
        scores = self.processors(ids, log_softmax(logits))
        summed = self.beams.summed(scores)
        tokens, origin = self.step(ids, summed)
        rows = (origin + self.rows[:: self.beams.size, None]).reshape(-1)
        self.paths = np.concatenate([self.paths[rows], rows[:, None]], axis=1)
        return Choice(tokens.reshape(-1), rows, self.shown(scores, summed))

    def shown(self, scores: np.ndarray, summed: np.ndarray) -> np.ndarray:
        """What the caller gets to see as scores."""
        return scores

    def step(self, ids: np.ndarray, summed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """-> tokens and the beams they continue, (examples, beams) each"""
        candidates = self.beams.candidates(summed, self.sample)
        return self.beams.advance(ids, self.paths, self.rows, candidates, self.pad or 0)

    def finished(self, ids: np.ndarray, scores: np.ndarray) -> bool:
        return bool(self.beams.done.all()) or bool(np.all(self.criteria(ids, scores)))

    def result(self, ids: np.ndarray) -> Result:
        self.beams.close(ids, self.paths)
        best = [h for kept in self.beams.hypotheses for h in kept.best(self.returned)]
        return collected(best, self.beams.eos, self.pad, self.longest)


def collected(best: list[Hypothesis], eos: np.ndarray, pad: int | None, longest: int) -> Result:
    """Pad hypotheses to one length; an end-of-sequence token follows each shorter one."""
    lengths = [len(h.ids) for h in best]
    width = min(max(lengths) + 1, longest)
    if min(lengths) < width and pad is None:
        raise ValueError("beams end at different lengths, but there is no pad_token_id: set one")
    sequences = np.full((len(best), width), pad or 0, np.int64)
    rows = np.full((len(best), width), -1, np.int64)
    for i, h in enumerate(best):
        sequences[i, : len(h.ids)] = h.ids
        if len(h.ids) < width and len(eos):
            sequences[i, len(h.ids)] = eos[0]
        rows[i, : len(h.rows)] = h.rows
    return Result(sequences, np.array([h.score for h in best], np.float32), rows)


def largest(x: np.ndarray, n: int) -> np.ndarray:
    """Columns of the n largest of each row, the largest first, the lowest column among equals.

    x: (rows, columns), NaN counting as the largest, as in torch -> (rows, n)
    """
    if np.isnan(x).any():
        x = np.where(np.isnan(x), np.float32(np.inf), x)
    if n >= x.shape[1]:
        return np.argsort(-x, axis=1, kind="stable")[:, :n]
    # partition, then take everything that ties with the n-th, so that ties are settled by column
    threshold = -np.partition(-x, n - 1, axis=1)[:, n - 1 : n]
    out = np.empty((len(x), n), np.int64)
    for row in range(len(x)):
        above = np.flatnonzero(x[row] >= threshold[row])
        out[row] = above[np.argsort(-x[row, above], kind="stable")[:n]]
    return out
