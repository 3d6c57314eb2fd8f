"""When a text is finished.

A criterion is asked after each new token. Arrays, by axes:

    input_ids: (rows, length) int64, the new token included
    scores: (rows, vocab) what it was chosen from; a tuple of such, one a token so far, in a call of
        `generate` that keeps them (output_scores and return_dict_in_generate)
    -> (rows,) bool, true where the row is finished
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..logging import warning_once
from .logits import check_classes, softmax, token_ids
from .stop_strings import StopStrings


class StoppingCriteria:
    """Says which rows are finished. Subclass it, and define `__call__`."""

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> Any:
        """input_ids: (rows, length) -> (rows,) bool, or one bool for all rows"""
        raise NotImplementedError(
            f"{type(self).__name__} is an abstract class: define __call__(input_ids, scores)"
        )


class StoppingCriteriaList(list):
    """Finished is what any of its criteria says is."""

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> np.ndarray:
        """input_ids: (rows, length) -> (rows,) bool"""
        done = np.zeros(len(input_ids), bool)
        for criterion in self:
            done |= np.asarray(criterion(input_ids, scores, **kwargs), bool)
        return done

    @property
    def max_length(self) -> int | None:
        """That of the first MaxLengthCriteria, if there is one."""
        lengths = (c.max_length for c in self if isinstance(c, MaxLengthCriteria))
        return next(lengths, None)


class Informed:
    """Criteria that are told what the last token was chosen from, or `all_scores` so far."""

    def __init__(self, criteria: StoppingCriteriaList, all_scores: bool):
        self.criteria, self.all_scores = criteria, all_scores
        self.scores: tuple[np.ndarray, ...] = ()

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
        """scores: (rows, vocab); of a single row (tokens, vocab); None if it is but a draft"""
        told: Any = scores
        if scores is not None:
            rows, vocab = len(input_ids), scores.shape[-1]
            told = scores[-rows:]
            if self.all_scores:
                told = self.scores = (*self.scores, *scores.reshape(-1, rows, vocab))
        return self.criteria(input_ids, told)


class MaxLengthCriteria(StoppingCriteria):
    """Stop when the text has max_length tokens, the prompt's included.

    max_position_embeddings: length the model is made for; a longer text is warned of, once
    """

    def __init__(self, max_length: int, max_position_embeddings: int | None = None):
        self.max_length, self.max_position_embeddings = max_length, max_position_embeddings

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> np.ndarray:
        rows, length = input_ids.shape
        done, limit = length >= self.max_length, self.max_position_embeddings
        if limit is not None and not done and length >= limit:
            warning_once(
                "This is a friendly reminder - the current text generation call will exceed the "
                f"model's predefined maximum length ({limit}). Depending on the model, you may "
                "observe exceptions, performance degradation, or nothing at all."
            )
        return np.full(rows, done)


class MaxTimeCriteria(StoppingCriteria):
    """Stop once max_time seconds have passed since initial_timestamp (`time.time()`), or now."""

    def __init__(self, max_time: float, initial_timestamp: float | None = None):
        self.max_time = max_time
        self.initial_timestamp = time.time() if initial_timestamp is None else initial_timestamp

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> np.ndarray:
        return np.full(len(input_ids), time.time() - self.initial_timestamp > self.max_time)


class EosTokenCriteria(StoppingCriteria):
    """Stop behind one of these tokens. eos_token_id: one id or several"""

    def __init__(self, eos_token_id: int | Iterable[int]):
        self.eos_token_id = token_ids(eos_token_id)

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> np.ndarray:
        return (input_ids[:, -1:] == self.eos_token_id).any(1)


class StopStringCriteria(StoppingCriteria):
    """Stop when the last token completes one of these strings, wherever in the token it ends.

    tokenizer: tells the text of each token
    Raises ValueError if no token of the vocabulary can end any of the strings.
    """

    def __init__(self, tokenizer: Any, stop_strings: str | Iterable[str]):
        self.stop_strings = (stop_strings,) if isinstance(stop_strings, str) else (*stop_strings,)
        self._matcher = StopStrings(tokenizer, self.stop_strings)

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> np.ndarray:
        return self._matcher.completed(input_ids)


class ConfidenceCriteria(StoppingCriteria):
    """Stop an assistant that gave its last token less than this probability. One row only."""

    def __init__(self, assistant_confidence_threshold: float):
        self.assistant_confidence_threshold = assistant_confidence_threshold

    def __call__(self, input_ids: np.ndarray, scores: Any, **kwargs: Any) -> bool:
        """scores: (1, vocab) of the last step, or a sequence of such, one a step"""
        last = scores if isinstance(scores, np.ndarray) and scores.ndim == 2 else scores[-1]
        p = softmax(last)[0, input_ids[0, -1]]
        return bool(p < self.assistant_confidence_threshold)


def build_criteria(
    config: Any,
    *,
    eos: np.ndarray | None,
    custom: Iterable[Any] = (),
    tokenizer: Any = None,
    max_position_embeddings: int | None = None,
) -> StoppingCriteriaList:
    """The criteria that a GenerationConfig asks for, and the caller's own.

    eos: (n,) ids that end a text, or None; tokenizer: needed by stop_strings
    Raises ValueError for stop_strings without a tokenizer, and for a custom criterion of a class
    that the parameters ask for as well.
    """
    out = StoppingCriteriaList()
    if config.max_length is not None:
        out.append(MaxLengthCriteria(config.max_length, max_position_embeddings))
    if config.max_time is not None:
        out.append(MaxTimeCriteria(config.max_time))
    if config.stop_strings is not None:
        if tokenizer is None:
            raise ValueError(
                f"`stop_strings` (={config.stop_strings!r}) are given, but no tokenizer to find "
                "them with: pass the model's tokenizer to the `tokenizer` argument of `generate`."
            )
        out.append(StopStringCriteria(tokenizer, config.stop_strings))
    if eos is not None:
        out.append(EosTokenCriteria(eos))
    if config.is_assistant and (config.assistant_confidence_threshold or 0) > 0:
        out.append(ConfidenceCriteria(config.assistant_confidence_threshold))
    check_classes(out, custom, "stopping criteria")
    out += custom
    return out
