"""Random arguments and inputs for each logits processor; NumPy only, shared by fuzzing and goldens.

A case is a function (rng, vocab, rows, length) -> {"class", "arguments", optionally "steps"}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator


def draw_ids(rng: Rng, vocab: int, rows: int, length: int) -> np.ndarray:
    """Few distinct tokens, so that they repeat."""
    return rng.integers(0, min(vocab, int(rng.integers(2, 9))), (rows, length))


def draw_scores(rng: Rng, vocab: int, rows: int) -> np.ndarray:
    """Rows of several kinds, most of them troublesome."""
    return np.stack([_row(rng, vocab) for _ in range(rows)])


def _row(rng: Rng, vocab: int) -> np.ndarray:
    row = (rng.normal(size=vocab) * rng.choice([0.3, 1.0, 5.0])).astype(np.float32)
    kind = rng.integers(0, 12)
    if kind in (1, 2):  # ties
        row = np.round(row)
    elif kind == 3:  # nothing but ties
        row[:] = row[0]
    elif kind in (4, 5):
        row[rng.random(vocab) < rng.random()] = -np.inf
    elif kind == 6:  # all but one
        row[np.arange(vocab) != rng.integers(vocab)] = -np.inf
    elif kind == 7:
        row[:] = -np.inf
    elif kind == 8:
        row[rng.integers(vocab)] = np.nan
    elif kind == 9:
        row[rng.integers(vocab)] = np.inf
    elif kind == 10:  # ties among what is left
        row = np.round(row)
        row[rng.random(vocab) < 0.7] = -np.inf
    return row


def eos(rng: Rng, vocab: int) -> Any:
    """One id, a list, or an array."""
    ids = rng.integers(0, vocab, int(rng.integers(1, 4)))
    return [int(ids[0]), ids.tolist(), ids][rng.integers(3)]


def _plain(kind: str, draw: Callable) -> Callable:
    """A case whose arguments a function draws."""
    return lambda rng, vocab, rows, length: {
        "class": kind,
        "arguments": draw(rng, vocab, rows, length),
    }


def _warper(kind: str, name: str, value: Callable) -> Callable:
    def draw(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
        arguments = {name: value(rng, vocab)}
        if rng.random() < 0.4:
            arguments["min_tokens_to_keep"] = int(rng.integers(1, 6))
        if rng.random() < 0.2:
            arguments["filter_value"] = -50.0
        return arguments

    return _plain(kind, draw)


def _share(rng: Rng, vocab: int) -> float:
    return float(rng.choice([0.1, 0.25, 0.5, 0.75, 0.9, 0.99, round(rng.random(), 3)]))


def _closed_share(rng: Rng, vocab: int) -> float:
    return float(rng.choice([0.0, 1.0, _share(rng, vocab), _share(rng, vocab)]))


def _small(rng: Rng, vocab: int) -> float:
    return float(rng.choice([3e-4, 0.01, 0.05, 0.1, 0.3, 0.9]))


def _sequences(rng: Rng, vocab: int, most: int = 5) -> list[list[int]]:
    few = min(vocab, 6)
    return [
        rng.integers(0, few, int(rng.choice([1, 1, 2, 2, 3, 4]))).tolist()
        for _ in range(int(rng.integers(1, most)))
    ]


def _bias(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    value = lambda: float(rng.choice([-np.inf, -2.5, 1.5, round(rng.normal(), 3)]))
    table = {tuple(ids): value() for ids in _sequences(rng, vocab, 9)}
    if rng.random() < 0.2:
        table[(1, vocab)] = 1.0  # outside the vocabulary
    if rng.random() < 0.2:
        return {"sequence_bias": [[[i + 1 for i in ids], b] for ids, b in table.items()]}
    return {"sequence_bias": table}


def _bad_words(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    ids = _sequences(rng, vocab, 8)
    end = [None, ids[0][0], [ids[0][0], 3], np.array([ids[0][0]])][rng.integers(4)]
    return {"bad_words_ids": ids, "eos_token_id": end}


def _allowed(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    beams = int(rng.choice([b for b in range(1, rows + 1) if rows % b == 0]))
    offset = int(rng.integers(1, 4))
    return {"prefix_allowed_tokens_fn": Neighbours(vocab, offset), "num_beams": beams}


class Neighbours:
    """A prefix_allowed_tokens_fn that can be written down."""

    def __init__(self, vocab: int, offset: int):
        self.vocab, self.offset = vocab, offset

    def __call__(self, example: int, ids: Any) -> list[int]:
        return [(example + int(ids[-1])) % self.vocab, (example + self.offset) % self.vocab]


def _hamming(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    groups, size = int(rng.integers(2, 4)), int(rng.integers(1, 4))
    beams = groups * size
    ids = draw_ids(rng, vocab, rows * size, length)
    current = rng.integers(0, min(vocab, 4), rows * beams)
    group = int(rng.integers(0, groups))
    return {
        "class": "HammingDiversityLogitsProcessor",
        "arguments": {
            "diversity_penalty": float(rng.choice([0.5, 1.7])),
            "num_beams": beams,
            "num_beam_groups": groups,
        },
        "steps": [(ids, draw_scores(rng, vocab, rows * size), current, np.int64(group))],
    }


def _guided(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    scores = draw_scores(rng, vocab, 2 * rows)
    return {
        "class": "ClassifierFreeGuidanceLogitsProcessor",
        "arguments": {"guidance_scale": float(rng.choice([0.5, 1.5, 3.0, 7.5]))},
        "steps": [(draw_ids(rng, vocab, rows, length), scores)],
    }


def _watermark(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    vocab = int(rng.integers(41, 90))  # the reference takes for granted that there are 40
    scheme = "selfhash" if rng.random() < 0.1 else "lefthash"
    # and that one of them is green
    ratio = float(rng.choice([0.25, 0.5, 0.9, 0.1 if scheme == "lefthash" else 0.4]))
    scores = draw_scores(rng, vocab, rows)
    scores = np.nan_to_num(scores + np.linspace(0, 1e-3, vocab, dtype=np.float32))
    return {
        "class": "WatermarkLogitsProcessor",
        "arguments": {
            "vocab_size": vocab,
            "device": "cpu",
            "greenlist_ratio": ratio,
            "bias": 2.5,
            "hashing_key": int(rng.choice([15485863, 17])),
            "seeding_scheme": scheme,
            "context_width": int(rng.integers(1, 4)),
        },
        "steps": [(rng.integers(0, vocab, (rows, length)), scores)],
    }


def _synthid(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
    ids = draw_ids(rng, vocab, rows, length + 6)
    scores = [np.nan_to_num(draw_scores(rng, vocab, rows), posinf=9, neginf=-9) for _ in range(6)]
    return {
        "class": "SynthIDTextWatermarkLogitsProcessor",
        "arguments": {
            "ngram_len": int(rng.integers(2, 6)),
            "keys": rng.integers(1, 1000, int(rng.integers(1, 5))).tolist(),
            "sampling_table_size": int(rng.choice([97, 2**10])),
            "sampling_table_seed": int(rng.integers(0, 5)),
            "context_history_size": int(rng.integers(1, 5)),
            "device": "cpu",
            "skip_first_ngram_calls": bool(rng.random() < 0.3),
            "debug_mode": bool(rng.random() < 0.2),
        },
        "steps": [(ids[:, : length + i], scores[i]) for i in range(6)],
    }


def _encoder(kind: str, name: str, value: Callable) -> Callable:
    def draw(rng: Rng, vocab: int, rows: int, length: int) -> dict[str, Any]:
        examples = int(rng.choice([e for e in range(1, rows + 1) if rows % e == 0]))
        source = draw_ids(rng, vocab, examples, int(rng.integers(1, 12)))
        return {name: value(rng, vocab), "encoder_input_ids": source}

    return _plain(kind, draw)


_penalty = lambda rng, vocab: float(rng.choice([0.5, 1.2, 2.0, 5.3]))
_size = lambda rng, vocab: int(rng.integers(1, 5))

CASES: dict[str, Callable] = {
    "temperature": _plain(
        "TemperatureLogitsWarper",
        lambda rng, *_: {"temperature": rng.choice([0.3, 0.7, 1.9, 0.0, 3, -1.0]).item()},
    ),
    "top_k": _warper("TopKLogitsWarper", "top_k", lambda rng, v: int(rng.integers(1, v + 9))),
    "top_p": _warper("TopPLogitsWarper", "top_p", _closed_share),
    "min_p": _warper("MinPLogitsWarper", "min_p", _closed_share),
    "typical_p": _warper("TypicalLogitsWarper", "mass", _share),
    "epsilon_cutoff": _warper("EpsilonLogitsWarper", "epsilon", _small),
    "eta_cutoff": _warper("EtaLogitsWarper", "epsilon", _small),
    "repetition_penalty": _plain(
        "RepetitionPenaltyLogitsProcessor", lambda rng, v, *_: {"penalty": _penalty(rng, v)}
    ),
    "encoder_repetition_penalty": _encoder(
        "EncoderRepetitionPenaltyLogitsProcessor", "penalty", _penalty
    ),
    "no_repeat_ngram_size": _plain(
        "NoRepeatNGramLogitsProcessor", lambda rng, v, *_: {"ngram_size": _size(rng, v)}
    ),
    "encoder_no_repeat_ngram_size": _encoder(
        "EncoderNoRepeatNGramLogitsProcessor", "encoder_ngram_size", _size
    ),
    "sequence_bias": _plain("SequenceBiasLogitsProcessor", _bias),
    "bad_words_ids": _plain("NoBadWordsLogitsProcessor", _bad_words),
    "prefix_allowed_tokens_fn": _plain("PrefixConstrainedLogitsProcessor", _allowed),
    "diversity_penalty": _hamming,
    "forced_bos_token_id": _plain(
        "ForcedBOSTokenLogitsProcessor", lambda rng, v, *_: {"bos_token_id": int(rng.integers(v))}
    ),
    "forced_eos_token_id": _plain(
        "ForcedEOSTokenLogitsProcessor",
        lambda rng, v, r, length: {
            "max_length": length + int(rng.integers(3)),
            "eos_token_id": eos(rng, v) if rng.random() < 0.9 else -1,
        },
    ),
    "remove_invalid_values": _plain("InfNanRemoveLogitsProcessor", lambda *_: {}),
    "exponential_decay_length_penalty": _plain(
        "ExponentialDecayLengthPenalty",
        lambda rng, v, r, length: {
            "exponential_decay_length_penalty": (
                int(rng.integers(4)),
                float(rng.choice([1.01, 1.6])),
            ),
            "eos_token_id": eos(rng, v) if rng.random() < 0.9 else [1.5],
            "input_ids_seq_length": int(rng.integers(0, length + 1)),
        },
    ),
    "renormalize_logits": _plain("LogitNormalization", lambda *_: {}),
    "suppress_tokens": _plain(
        "SuppressTokensLogitsProcessor",
        lambda rng, v, *_: {"suppress_tokens": rng.integers(-1, v + 5, 4).tolist()},
    ),
    "begin_suppress_tokens": _plain(
        "SuppressTokensAtBeginLogitsProcessor",
        lambda rng, v, r, length: {
            "begin_suppress_tokens": rng.integers(0, v, 3).tolist(),
            "begin_index": length + int(rng.integers(-1, 2)),
        },
    ),
    "min_length": _plain(
        "MinLengthLogitsProcessor",
        lambda rng, v, r, length: {
            "min_length": length + int(rng.integers(-3, 4)),
            "eos_token_id": eos(rng, v) if rng.random() < 0.9 else -1,
        },
    ),
    "min_new_tokens": _plain(
        "MinNewTokensLengthLogitsProcessor",
        lambda rng, v, r, length: {
            "prompt_length_to_skip": int(rng.integers(0, length + 1)),
            "min_new_tokens": int(rng.integers(-1, 6)),
            "eos_token_id": eos(rng, v),
        },
    ),
    "guided": _guided,
    "watermarking_config": _watermark,
    "synthid": _synthid,
}
