"""Calls of every collator, whose results tests/golden/collators.json holds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

WORDS = "the cat sat on mat a dog ran far away un ##believ ##able ##s long ##er run ##ning"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()]


def write_vocabulary(folder: Path) -> str:
    """-> the path of a vocab.txt"""
    path = folder / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return str(path)


def rows(lengths: tuple[int, ...], **more: Any) -> list[dict[str, Any]]:
    """Texts of so many tokens, [CLS] and [SEP] included."""
    draw = np.random.RandomState(3)
    out = []
    for i, n in enumerate(lengths):
        ids = [2, *draw.randint(5, len(VOCABULARY), n - 2).tolist(), 3]
        row: dict[str, Any] = {"input_ids": ids, "attention_mask": [1] * n}
        out.append(row | {name: value(i, n) for name, value in more.items()})
    return out


LENGTHS = (9, 12, 4, 10)
PLAIN = rows(LENGTHS)
TAGGED = rows(LENGTHS, labels=lambda i, n: [j % 3 for j in range(n)])
TARGETS = rows(LENGTHS, labels=lambda i, n: list(range(5, 8 + i)))
CHOICES = [
    {"input_ids": [a["input_ids"], b["input_ids"]],
     "attention_mask": [a["attention_mask"], b["attention_mask"]], "label": i % 2}
    for i, (a, b) in enumerate(zip(PLAIN, PLAIN[::-1]))
]  # fmt: skip
EVEN = rows((12, 12, 12))
SPECIAL = rows(LENGTHS, special_tokens_mask=lambda i, n: [1] + [0] * (n - 2) + [1])
CHINESE = rows(LENGTHS, chinese_ref=lambda i, n: [2, 5])

# name -> (class, options, rows)
CASES: dict[str, tuple[str, dict, list]] = {
    "default": ("DefaultDataCollator", {}, [
        {"label": 1, "a": [1, 2], "b": 0.5, "text": "x", "none": None},
        {"label": 0, "a": [3, 4], "b": 1.5, "text": "y", "none": None}]),
    "default floats": ("DefaultDataCollator", {}, [{"label": 1.5, "a": True},
                                                   {"label": 0.0, "a": False}]),
    "default label_ids": ("DefaultDataCollator", {},
                          [{"label_ids": [1, 0]}, {"label_ids": [0, 0]}]),
    "default label_ids floats": ("DefaultDataCollator", {}, [
        {"label_ids": [1.0, 0.0], "labels2": 3}, {"label_ids": [0.0, 0.0], "labels2": 4}]),
    "padding": ("DataCollatorWithPadding", {}, [row | {"label": 1} for row in PLAIN]),
    "padding label_ids": ("DataCollatorWithPadding", {"pad_to_multiple_of": 8},
                          [row | {"label_ids": [0, 1]} for row in PLAIN]),
    "padding max_length": ("DataCollatorWithPadding", {"padding": "max_length", "max_length": 15},
                           PLAIN),
    "tokens": ("DataCollatorForTokenClassification", {}, TAGGED),
    "tokens multiple": ("DataCollatorForTokenClassification",
                        {"pad_to_multiple_of": 8, "label_pad_token_id": -1}, TAGGED),
    "tokens without": ("DataCollatorForTokenClassification", {}, PLAIN),
    "seq2seq": ("DataCollatorForSeq2Seq", {}, TARGETS),
    "seq2seq multiple": ("DataCollatorForSeq2Seq", {"pad_to_multiple_of": 4}, TARGETS),
    "seq2seq max_length": ("DataCollatorForSeq2Seq", {"padding": "max_length", "max_length": 14},
                           TARGETS),
    "seq2seq equal": ("DataCollatorForSeq2Seq", {"padding": False},
                      [TARGETS[0], TARGETS[0]]),
    "seq2seq without": ("DataCollatorForSeq2Seq", {}, PLAIN),
    "causal": ("DataCollatorForLanguageModeling", {"mlm": False}, PLAIN),
    "causal lists": ("DataCollatorForLanguageModeling", {"mlm": False, "pad_to_multiple_of": 8},
                     [row["input_ids"] for row in PLAIN]),
    "masked": ("DataCollatorForLanguageModeling", {}, PLAIN),
    "masked often": ("DataCollatorForLanguageModeling",
                     {"mlm_probability": 0.5, "pad_to_multiple_of": 8}, SPECIAL),
    "masked lists": ("DataCollatorForLanguageModeling", {"mlm_probability": 0.4},
                     [row["input_ids"] for row in PLAIN]),
    "words": ("DataCollatorForWholeWordMask", {}, PLAIN),
    "words often": ("DataCollatorForWholeWordMask", {"mlm_probability": 0.5}, CHINESE),
    "permuted": ("DataCollatorForPermutationLanguageModeling", {}, EVEN),
    "permuted padded": ("DataCollatorForPermutationLanguageModeling",
                        {"plm_probability": 0.4, "max_span_length": 3}, rows((12, 7, 10))),
    "flat": ("DataCollatorWithFlattening", {}, TARGETS),
    "flat plain": ("DataCollatorWithFlattening",
                   {"return_position_ids": False, "separator_id": -7}, PLAIN),
}  # fmt: skip


def fresh(features: list[Any]) -> list[Any]:
    """Copies: some collators of the reference change their rows."""
    return [dict(row) if isinstance(row, dict) else list(row) for row in features]


def seed_others() -> None:
    """The streams of Python and NumPy."""
    random.seed(7)
    np.random.seed(7)
