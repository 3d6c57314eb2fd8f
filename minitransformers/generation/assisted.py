"""Assisted decoding: cheap drafts, checked by the model all at once (Leviathan et al., 2022)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from ..core.random import default_generator
from .greedy import Greedy, Sample, probabilities, softmax
from .loop import Result, Step, run

Draft = tuple[np.ndarray, "np.ndarray | None"]


class Drafts(Protocol):
    """Where drafts come from."""

    def propose(self, ids: np.ndarray) -> Draft:
        """Continue a text. ids: (1, length)

        -> (1, length + n) with n >= 0 drafted tokens, and the processed scores they were chosen
        from, (n, vocab), or None if they were not chosen by probability
        """

    def learn(self, matched: int) -> None:
        """Take note of how many drafted tokens were right."""

    def close(self) -> None:
        """Take note of the end."""


class Assisted:
    """Accept drafted tokens as long as the model would have chosen them too.

    sample: the model draws tokens; drafts are then accepted so that they are distributed as if it
    had drawn them itself
    """

    def __init__(self, processors: Any, criteria: Any, drafts: Drafts, sample: bool, longest: int):
        self.processors, self.criteria = processors, criteria
        self.drafts, self.sample, self.longest = drafts, sample, longest

    def run(self, state: Any) -> Iterator[Step]:
        ids, first, done = state.prompt, True, False
        while not done:
            length = ids.shape[1]
            text, drafted = self.drafts.propose(ids)
            n = text.shape[1] - length
            ends = bool(np.all(self.criteria(text, None))) if n else False
            out = state.step(text, last=n + 1)
            logits = out["logits"][0]  # (n + 1, vocab)
            scores = np.concatenate(
                [self.processors(text[:, : length + i], logits[i : i + 1]) for i in range(n + 1)]
            )
            draft = text[0, length:]
            if self.sample and drafted is not None and n:
                tokens, matched = accept(draft, drafted[:n], scores, ends)
            else:
                tokens, matched = self.compare(draft, scores, ends)
            tokens = tokens[: self.longest - length]  # a copied draft may be longer than the rest
            state.crop(state.length - n + len(tokens) - 1)
            self.drafts.learn(matched)
            for i, token in enumerate(tokens):
                ids = np.concatenate([ids, [[token]]], axis=1)
                seen = length if first else 1
                kept = _part(out, slice(0, seen) if i == 0 else slice(seen + i - 1, seen + i), ids)
                yield Step(ids[:, -1:], ids, scores[i : i + 1], logits[i : i + 1], **kept)
            done = bool(np.all(self.criteria(ids, scores[: len(tokens)])))
            first = False
        self.drafts.close()

    def compare(self, draft: np.ndarray, scores: np.ndarray, ends: bool) -> tuple[np.ndarray, int]:
        """Choose a token at each position, and keep those up to the first that was not drafted.

        draft: (n,); scores: (n + 1, vocab) -> (accepted,) tokens, how many were drafted
        """
        if self.sample:
            chosen = default_generator.multinomial(probabilities(scores))[:, 0]
        else:
            chosen = scores.argmax(-1)
        matched = int(np.cumprod(draft == chosen[:-1]).sum())
        if ends and matched == len(draft):  # the draft ends the text: nothing may follow
            matched -= 1
        return chosen[: matched + 1], matched

    def result(self, ids: np.ndarray) -> Result:
        return Result(ids)


def accept(
    draft: np.ndarray, drafted: np.ndarray, scores: np.ndarray, ends: bool
) -> tuple[np.ndarray, int]:
    """Keep a drafted token with probability p / q, and replace the first rejected one by a draw
    from what p has beyond q (Leviathan et al., 2022, algorithm 1).

    draft: (n,); drafted: (n, vocab) scores it was drawn from; scores: (n + 1, vocab) the model's
    -> (accepted,) tokens, how many of them were drafted
    """
    n = len(draft)
    q, p = softmax(drafted), softmax(scores)
    places = np.arange(n)
    kept = default_generator.rand(n) <= p[places, draft] / q[places, draft]
    matched = int(np.cumprod(kept).sum())
    if ends and matched == n:
        return draft, n - 1
    rest = p[matched]
    if matched < n:
        rest = np.maximum(rest - q[matched], 0.0)
        rest = rest / rest.sum()
    token = default_generator.multinomial(rest[None])[0]
    return np.concatenate([draft[:matched], token]), matched


def _part(out: dict[str, Any], places: slice, ids: np.ndarray) -> dict[str, Any]:
    """What a step kept, of some positions only."""
    total = ids.shape[1] - 1
    cut = {
        "hidden_states": lambda x: x[:, places],
        "attentions": lambda x: x[:, :, places, :total],
        "cross_attentions": lambda x: x[:, :, places],
    }
    return {
        name: None if out[name] is None else tuple(take(layer) for layer in out[name])
        for name, take in cut.items()
    }


class AssistantDrafts:
    """Drafts from a smaller model.

    state: the assistant's, from its `start`; config: the call's parameters
    build: (parameters, ids) -> (processors, criteria) for a round of drafting
    settings: the assistant's generation_config, which says how many tokens to draft, and learns
    """

    def __init__(self, state: Any, config: Any, build: Callable, settings: Any, pad: int | None):
        self.state, self.config, self.build = state, config, build
        self.settings, self.pad = settings, pad
        self.n: float = settings.num_assistant_tokens
        self.threshold = settings.assistant_confidence_threshold or 0.0

    def propose(self, ids: np.ndarray) -> Draft:
        length = ids.shape[1]
        n = min(int(self.n), self.config.max_length - length - 1)
        if n <= 0:
            return ids, None
        parameters = copy.copy(self.config)
        parameters.max_length = length + n
        parameters.min_new_tokens = max(min(n, (self.config.min_length or 0) - length), 0)
        parameters.min_length = length + parameters.min_new_tokens
        strategy = self.strategy(*self.build(parameters, ids))
        self.state.crop(length - 1)  # what was rejected; the newest token is not in the cache yet
        scores = []
        for step in run(self.state, strategy, ids):
            scores.append(step.scores)
            ids = step.ids
        return ids, np.concatenate(scores)

    def strategy(self, processors: Any, criteria: Any) -> Greedy:
        sure = lambda ids, scores: criteria(ids, scores) | self.unsure(ids, scores)
        return (Sample if self.config.do_sample else Greedy)(processors, sure, self.pad)

    def unsure(self, ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Whether the last token was so unlikely that going on is not worth it. -> (1,)"""
        if self.threshold <= 0:
            return np.zeros(1, bool)
        return softmax(scores)[:, ids[0, -1]] < self.threshold

    def learn(self, matched: int) -> None:
        if self.settings.num_assistant_tokens_schedule in ("heuristic", "heuristic_transient"):
            self.n = self.n + 2.0 if matched == int(self.n) else max(1.0, self.n - 1.0)

    def close(self) -> None:
        if self.settings.num_assistant_tokens_schedule == "heuristic":
            self.settings.num_assistant_tokens = self.n


class PromptLookup:
    """Drafts copied from the text itself, from behind an earlier occurrence of its last tokens.

    n: tokens to draft; ngram: the longest piece to look for; eos: (n,) ids not to draft, or None
    """

    def __init__(self, n: int, ngram: int | None, eos: np.ndarray | None, longest: int):
        self.n, self.ngram, self.eos, self.longest = n, ngram or 2, eos, longest
        if self.n <= 0 or self.ngram <= 0:
            raise ValueError(
                "prompt_lookup_num_tokens and max_matching_ngram_size must be positive, but are "
                f"{n} and {ngram}"
            )

    def propose(self, ids: np.ndarray) -> Draft:
        text = ids[0]
        if self.longest == len(text) + 1:
            return ids, None
        for size in range(min(self.ngram, len(text) - 1), 0, -1):
            windows = np.lib.stride_tricks.sliding_window_view(text[:-1], size)
            found = np.flatnonzero((windows == text[-size:]).all(axis=1))
            if found.size:
                draft = text[found[0] + size :][: self.n]
                if self.eos is not None and (ends := np.isin(draft, self.eos)).any():
                    draft = draft[: ends.argmax()]
                return np.concatenate([ids, draft[None]], axis=1), None
        return ids, None

    def learn(self, matched: int) -> None: ...

    def close(self) -> None: ...
