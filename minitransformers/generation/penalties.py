"""Processors that raise or lower the scores of some tokens, without ruling them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .logits import (
    LogitsProcessor,
    check_positive_float,
    check_positive_int,
    log_softmax,
    token_ids,
)


def _penalised(scores: np.ndarray, ids: np.ndarray, penalty: float) -> np.ndarray:
    """Push the scores of `ids` down, once each however often they occur. ids: (rows, n)"""
    factor = np.float32(penalty)
    score = np.take_along_axis(scores, ids, axis=1)
    score = np.where(score < 0, score * factor, score / factor)
    out = scores.copy()
    np.put_along_axis(out, ids, score, axis=1)
    return out


class RepetitionPenaltyLogitsProcessor(LogitsProcessor):
    """Make tokens of the text less likely: positive scores are divided, negative ones multiplied.

    "CTRL", arXiv 1909.05858. Raises ValueError unless penalty is a float above zero; one below 1
    rewards repetition.
    """

    def __init__(self, penalty: float):
        check_positive_float("penalty", penalty)
        self.penalty = penalty

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _penalised(scores, input_ids, self.penalty)


class EncoderRepetitionPenaltyLogitsProcessor(LogitsProcessor):
    """Make tokens of the encoder's input more likely, for a penalty above 1.

    encoder_input_ids: (examples, seq)
    """

    def __init__(self, penalty: float, encoder_input_ids: np.ndarray):
        check_positive_float("penalty", penalty)
        self.penalty = 1 / penalty
        self.encoder_input_ids = np.asarray(encoder_input_ids)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        # Where an example has several rows, the reference changes only the first rows of the batch,
        # as many as there are examples. Tokens are to be the same, so we do as well.
        n = len(self.encoder_input_ids)
        changed = _penalised(scores[:n], self.encoder_input_ids, self.penalty)
        return changed if n == len(scores) else np.concatenate([changed, scores[n:]])


class SequenceBiasLogitsProcessor(LogitsProcessor):
    """Add a bias to a token when it would complete a sequence.

    sequence_bias: {tuple of ids: float}, or a list of [list of ids, float]. The bias of a single id
    always applies.
    Raises ValueError for other shapes, and at the first call for ids outside the vocabulary.
    """

    def __init__(self, sequence_bias: Any):
        self.sequence_bias = _bias_table(sequence_bias)
        self._single: np.ndarray | None = None  # (vocab,) made at the first call
        self._longer = list(_by_length(self.sequence_bias))

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        if self._single is None:
            self._single = self._bias_of_single_ids(scores.shape[1])
        bias = shared = self._single[None]
        for prefixes, tokens, values in self._longer:
            n = prefixes.shape[1]
            if n >= input_ids.shape[1]:
                break
            row, which = (input_ids[:, None, -n:] == prefixes).all(-1).nonzero()
            if len(row):
                if bias is shared:  # what other steps use must not change
                    bias = np.repeat(shared, len(scores), axis=0)
                np.add.at(bias, (row, tokens[which]), values[which])
        with np.errstate(invalid="ignore"):
            return scores + bias

    def _bias_of_single_ids(self, vocab: int) -> np.ndarray:
        beyond = [i for ids in self.sequence_bias for i in ids if i >= vocab]
        if beyond:
            raise ValueError(
                f"The model vocabulary size is {vocab}, but the following tokens were being "
                f"biased: {beyond}"
            )
        out = np.zeros(vocab, np.float32)
        for ids, bias in self.sequence_bias.items():
            if len(ids) == 1:
                out[ids[0]] = bias
        return out


def _by_length(table: dict[tuple[int, ...], float]) -> Iterator[tuple[np.ndarray, ...]]:
    """Sequences of several ids, those of one length together, the shortest first.

    -> prefixes (n, length - 1), last ids (n,), biases (n,)
    """
    for length in sorted({len(ids) for ids in table} - {1}):
        group = np.array([ids for ids in table if len(ids) == length], np.int64)
        values = [bias for ids, bias in table.items() if len(ids) == length]
        yield group[:, :-1], group[:, -1], np.array(values, np.float32)


def _is_sequence(ids: Any) -> bool:
    """Whether there is an id in it, and nothing but ids."""
    return len(ids) > 0 and all(isinstance(i, (int, np.integer)) and i >= 0 for i in ids)


def _bias_table(given: Any) -> dict[tuple[int, ...], float]:
    if not isinstance(given, (dict, list)) or not given:
        raise ValueError(
            f"`sequence_bias` has to be a non-empty dictionary, or non-empty list of lists but is "
            f"{given!r}."
        )
    if isinstance(given, list):
        pairs = given
        if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
            raise ValueError(
                f"Each element of the list `sequence_bias` has to be [token ids, bias], but it is "
                f"{given!r}."
            )
    else:
        pairs = list(given.items())
    kind = list if isinstance(given, list) else tuple
    for ids, bias in pairs:
        if not isinstance(ids, kind) or not _is_sequence(ids):
            raise ValueError(
                f"Each sequence in `sequence_bias` has to be a non-empty {kind.__name__} of "
                f"non-negative integers, but one is {ids!r}."
            )
        if not isinstance(bias, (float, np.floating)):
            raise ValueError(
                f"Each bias in `sequence_bias` has to be a float, but one is {bias!r}."
            )
    return {tuple(ids): float(bias) for ids, bias in pairs}


class NoBadWordsLogitsProcessor(SequenceBiasLogitsProcessor):
    """Never complete one of these sequences.

    bad_words_ids: list of lists of ids; those that only end the text are passed over
    Raises ValueError for other shapes.
    """

    def __init__(
        self, bad_words_ids: list[list[int]], eos_token_id: int | Iterable[int] | None = None
    ):
        if not isinstance(bad_words_ids, list) or not bad_words_ids:
            raise ValueError(
                f"`bad_words_ids` has to be a non-empty list, but is {bad_words_ids!r}."
            )
        if not all(isinstance(ids, list) and _is_sequence(ids) for ids in bad_words_ids):
            raise ValueError(
                "`bad_words_ids` has to be a list of non-empty lists of non-negative integers, but "
                f"is {bad_words_ids!r}."
            )
        self.bad_word_ids = bad_words_ids
        ends = [] if eos_token_id is None else [[i] for i in token_ids(eos_token_id).tolist()]
        banned = {tuple(ids): -np.inf for ids in bad_words_ids if ids not in ends}
        super().__init__(banned or {(0,): 0.0})


class HammingDiversityLogitsProcessor(LogitsProcessor):
    """Lower the scores of tokens that earlier groups of beams have chosen in this step.

    "Diverse Beam Search", arXiv 1610.02424.
    Raises ValueError unless the penalty is a float above zero and there are two groups or more.
    """

    def __init__(self, diversity_penalty: float, num_beams: int, num_beam_groups: int):
        check_positive_float("diversity_penalty", diversity_penalty)
        check_positive_int("num_beams", num_beams, at_least=2)
        check_positive_int("num_beam_groups", num_beam_groups, at_least=2)
        if num_beam_groups > num_beams:
            raise ValueError(
                f"`num_beam_groups` ({num_beam_groups}) has to be smaller or equal to `num_beams` "
                f"({num_beams})."
            )
        self.diversity_penalty, self.num_beams = diversity_penalty, num_beams
        self.group_size = num_beams // num_beam_groups

    def __call__(  # type: ignore[override]
        self,
        input_ids: np.ndarray,
        scores: np.ndarray,
        current_tokens: np.ndarray,
        beam_group_idx: int,
    ) -> np.ndarray:
        """current_tokens: (examples * beams,) chosen in this step, by groups already decided

        scores: (examples * group size, vocab) of the group that beam_group_idx counts from 0
        """
        decided = beam_group_idx * self.group_size
        if decided == 0:
            return scores
        chosen = current_tokens.reshape(-1, self.num_beams)[:, :decided]
        examples, vocab = len(chosen), scores.shape[1]
        cells, times = np.unique(chosen + vocab * np.arange(examples)[:, None], return_counts=True)
        example, token = np.divmod(cells, vocab)
        penalty = np.float32(self.diversity_penalty) * times.astype(np.float32)
        out = scores.copy()
        out.reshape(examples, -1, vocab)[example, :, token] -= penalty[:, None]
        return out


class ExponentialDecayLengthPenalty(LogitsProcessor):
    """Raise the end-of-sequence score ever faster once the text has some length.

    exponential_decay_length_penalty: (new tokens to wait for, factor)
    eos_token_id: one id or several; input_ids_seq_length: of the prompt
    """

    def __init__(
        self,
        exponential_decay_length_penalty: tuple[int, float],
        eos_token_id: int | Iterable[int],
        input_ids_seq_length: int,
    ):
        start, self.regulation_factor = exponential_decay_length_penalty
        self.regulation_start = start + input_ids_seq_length
        self.eos_token_id = checked_eos(eos_token_id)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        over = input_ids.shape[1] - self.regulation_start
        if over <= 0:
            return scores
        growth = np.float32(self.regulation_factor**over - 1)
        out = scores.copy()
        score = out[:, self.eos_token_id]
        with np.errstate(invalid="ignore", over="ignore"):
            out[:, self.eos_token_id] = score + np.abs(score) * growth
        return out


def checked_eos(ids: int | Iterable[int]) -> np.ndarray:
    """-> (n,) int64. Raises ValueError for what cannot be a token."""
    array = np.atleast_1d(np.asarray(ids if isinstance(ids, (int, np.ndarray)) else list(ids)))
    if array.dtype.kind not in "iu" or (array < 0).any():
        raise ValueError(
            f"`eos_token_id` has to be one or several non-negative integers, but is {ids!r}"
        )
    return array.astype(np.int64)


class LogitNormalization(LogitsProcessor):
    """Make the scores log probabilities again."""

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return log_softmax(scores)
