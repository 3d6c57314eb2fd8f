"""Collators that hide tokens for a language model to predict."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.random import default_generator
from .collators import IGNORED, check_framework


class _TorchDraws:
    """Random numbers of torch's stream."""

    def bernoulli(self, p: np.ndarray) -> np.ndarray:
        return default_generator.bernoulli(p.astype(np.float32))

    def tokens(self, vocab: int, where: np.ndarray) -> np.ndarray:
        return default_generator.randint(vocab, where.shape)[where]

    def integer(self, low: int, high: int) -> int:
        """low <= n <= high"""
        return low + int(default_generator.randint(high - low + 1, (1,))[0])

    def shuffled(self, rows: np.ndarray) -> np.ndarray:
        return rows[default_generator.randperm(len(rows))]


class _NumPyDraws:
    """Random numbers of NumPy's and Python's global streams, as the reference draws for arrays."""

    def bernoulli(self, p: np.ndarray) -> np.ndarray:
        return np.random.binomial(1, p, size=p.shape).astype(bool)

    def tokens(self, vocab: int, where: np.ndarray) -> np.ndarray:
        return np.random.randint(0, vocab, size=np.count_nonzero(where), dtype=np.int64)

    def integer(self, low: int, high: int) -> int:
        return random.randint(low, high + 1)  # one more than of torch's: so does the reference

    def shuffled(self, rows: np.ndarray) -> np.ndarray:
        np.random.shuffle(rows := rows.copy())
        return rows


class _NumPyDrawsForWords(_NumPyDraws):
    """The same for whole words, where a token is drawn for every place, wanted or not."""

    def tokens(self, vocab: int, where: np.ndarray) -> np.ndarray:
        return np.random.randint(0, vocab, size=where.shape, dtype=np.int64)[where]


_DRAWS: dict[str, Any] = {"pt": _TorchDraws(), "np": _NumPyDraws()}


@dataclass
class DataCollatorForLanguageModeling:
    """Pad rows and make labels of their tokens.

    mlm: hide some tokens, which are the labels; if not, every token is a label, padding excepted
    mlm_probability: of a token to be hidden, special ones excepted
    mask_replace_prob, random_replace_prob: of a hidden token to become the mask token or a random
        one; the others stay as they are
    return_tensors: "pt" draws from torch's stream, "np" from NumPy's
    Raises ValueError without a mask token unless mlm=False.
    """

    tokenizer: Any
    mlm: bool = True
    mlm_probability: float = 0.15
    pad_to_multiple_of: int | None = None
    tf_experimental_compile: bool = False
    return_tensors: str = "pt"
    mask_replace_prob: float = 0.8
    random_replace_prob: float = 0.1

    draws: ClassVar[dict[str, Any]] = _DRAWS

    def __post_init__(self) -> None:
        if self.mlm and self.tokenizer.mask_token is None:
            raise ValueError(
                "This tokenizer does not have a mask token which is necessary for masked language "
                "modeling. You should pass `mlm=False` to train on causal language modeling "
                "instead."
            )
        if self.mask_replace_prob + self.random_replace_prob > 1:
            raise ValueError("mask_replace_prob and random_replace_prob are together more than 1")

    def __call__(self, features: list[Any], return_tensors: str | None = None) -> Any:
        framework = return_tensors or self.return_tensors
        check_framework(framework)
        if isinstance(features[0], Mapping):
            batch = self.tokenizer.pad(
                features, return_tensors="np", pad_to_multiple_of=self.pad_to_multiple_of
            )
        else:
            batch = {"input_ids": collate(features, self.tokenizer, self.pad_to_multiple_of)}
        special = batch.pop("special_tokens_mask", None)
        if self.mlm:
            ids = batch["input_ids"]
            special = special_tokens(self.tokenizer, ids) if special is None else special != 0
            p = np.where(special, 0.0, self.mlm_probability)
            hidden = self.draws[framework].bernoulli(p)
            batch["input_ids"], batch["labels"] = self.hide(ids, hidden, framework)
        else:
            labels = batch["input_ids"].copy()
            if self.tokenizer.pad_token_id is not None:
                labels[labels == self.tokenizer.pad_token_id] = IGNORED
            batch["labels"] = labels
        return batch

    def hide(
        self, ids: np.ndarray, hidden: np.ndarray, framework: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """ids, hidden: (batch, seq) -> inputs and labels, (batch, seq)"""
        draw, ids = self.draws[framework], ids.copy()
        labels = np.where(hidden, ids, IGNORED)
        masked = draw.bernoulli(np.full(ids.shape, self.mask_replace_prob)) & hidden
        ids[masked] = self.tokenizer.mask_token_id
        rest = round(1.0 - self.mask_replace_prob, 12)  # exactly 0.2 of 0.8
        if rest <= 0.0 or self.random_replace_prob == 0.0:
            return ids, labels
        replaced = draw.bernoulli(np.full(ids.shape, self.random_replace_prob / rest))
        replaced &= hidden & ~masked
        ids[replaced] = draw.tokens(len(self.tokenizer), replaced)
        return ids, labels


@dataclass
class DataCollatorForWholeWordMask(DataCollatorForLanguageModeling):
    """Hide whole words. A token that begins with "##" continues a word, as BERT's do.

    Rows may have "chinese_ref", positions of tokens that continue a word without showing it.
    """

    draws = {"pt": _TorchDraws(), "np": _NumPyDrawsForWords()}

    def __call__(self, features: list[Any], return_tensors: str | None = None) -> Any:
        framework = return_tensors or self.return_tensors
        check_framework(framework)
        if not type(self.tokenizer).__name__.startswith("BertTokenizer"):
            warnings.warn(
                "DataCollatorForWholeWordMask is only suitable for BertTokenizer-like tokenizers: "
                "of others it hides single tokens",
                stacklevel=2,
            )
        rows = [f if isinstance(f, Mapping) else {"input_ids": f} for f in features]
        texts = [np.asarray(row["input_ids"]).tolist() for row in rows]
        ids = collate(texts, self.tokenizer, self.pad_to_multiple_of)
        chosen = [self.choose(text, row.get("chinese_ref", ())) for text, row in zip(texts, rows)]
        hidden = collate(chosen, self.tokenizer, self.pad_to_multiple_of, pad=0) != 0
        hidden &= ~special_tokens(self.tokenizer, ids)
        if self.tokenizer.pad_token_id is not None:
            hidden &= ids != self.tokenizer.pad_token_id
        ids, labels = self.hide(ids, hidden, framework)
        return {"input_ids": ids, "labels": labels}

    def choose(self, ids: list[int], continuing: Any, at_most: int = 512) -> list[int]:
        """Which tokens to hide: words in random order, until there are enough. -> 0 or 1 a token"""
        tokens = self.tokenizer.convert_ids_to_tokens(ids)
        continuing = set(np.asarray(continuing, np.int64).tolist())
        words: list[list[int]] = []
        for i, token in enumerate(tokens):
            if token in ("[CLS]", "[SEP]"):
                continue
            if words and (token.startswith("##") or i in continuing):
                words[-1].append(i)
            else:
                words.append([i])
        random.shuffle(words)
        wanted = min(at_most, max(1, round(len(tokens) * self.mlm_probability)))
        hidden: set[int] = set()
        for word in words:
            if len(hidden) + len(word) <= wanted:
                hidden.update(word)
        return [int(i in hidden) for i in range(len(tokens))]


@dataclass
class DataCollatorForPermutationLanguageModeling:
    """Hide spans of tokens, predicted in a random order, for XLNet.

    plm_probability: the share of tokens in spans; max_span_length: of the longest
    -> input_ids and labels (batch, seq); perm_mask (batch, seq, seq) 1 where a token may not see
    another; target_mapping (batch, seq, seq)
    Raises ValueError for an odd length, or without a mask token.
    """

    tokenizer: Any
    plm_probability: float = 1 / 6
    max_span_length: int = 5
    return_tensors: str = "pt"

    def __call__(self, features: list[Any], return_tensors: str | None = None) -> dict[str, Any]:
        framework = return_tensors or self.return_tensors
        check_framework(framework)
        if self.tokenizer.mask_token is None:
            raise ValueError(
                "This tokenizer does not have a mask token which is necessary for permutation "
                "language modeling. Please add a mask token if you want to use this tokenizer."
            )
        texts = [row["input_ids"] if isinstance(row, Mapping) else row for row in features]
        ids = collate(texts, self.tokenizer).copy()
        batch, seq = ids.shape
        if seq % 2:
            raise ValueError(
                "This collator requires that sequence lengths be even to create a leakage-free "
                "perm_mask: half of the text is permuted at a time"
            )
        draw = _DRAWS[framework]
        special = special_tokens(self.tokenizer, ids)
        if self.tokenizer.pad_token_id is not None:
            special |= ids == self.tokenizer.pad_token_id
        hidden = np.stack([self.spans(seq, draw.integer) for _ in ids]) & ~special
        labels = np.where(hidden, ids, IGNORED)
        ids[hidden] = self.tokenizer.mask_token_id
        perm_mask = np.zeros((batch, seq, seq), np.float32)
        for mask, masked, kept in zip(perm_mask, hidden, special):
            order = draw.shuffled(np.arange(seq).reshape(2, -1).T).T.reshape(-1)
            order[~masked & ~kept] = -1  # seen by all
            mask[:] = (order[:, None] <= order) & masked
        target_mapping = np.tile(np.eye(seq, dtype=np.float32), (batch, 1, 1))
        return {
            "input_ids": ids,
            "perm_mask": perm_mask,
            "target_mapping": target_mapping,
            "labels": labels,
        }

    def spans(self, seq: int, integer: Callable[[int, int], int]) -> np.ndarray:
        """Spans of random length, each in a context so long that their share is as wanted.

        -> (seq,) bool
        """
        hidden, start = np.zeros(seq, bool), 0
        while start < seq:
            span = integer(1, self.max_span_length)
            context = int(span / self.plm_probability)
            first = start + integer(0, context - span)
            hidden[first : first + span] = True
            start += context
        return hidden


def special_tokens(tokenizer: Any, ids: np.ndarray) -> np.ndarray:
    """Which tokens are special ones. (batch, seq) -> (batch, seq) bool"""
    rows = [
        tokenizer.get_special_tokens_mask(row, already_has_special_tokens=True)
        for row in ids.tolist()
    ]
    return np.array(rows, bool).reshape(ids.shape)


def collate(
    rows: Sequence[Any],
    tokenizer: Any,
    pad_to_multiple_of: int | None = None,
    pad: int | None = None,
) -> np.ndarray:
    """Pad rows of ids by the tokenizer's pad token, or `pad`. -> (batch, seq) int64

    Raises ValueError if padding is needed and there is no such token.
    """
    lengths = [len(row) for row in rows]
    length = max(lengths)
    if pad_to_multiple_of is not None:
        length = -(-length // pad_to_multiple_of) * pad_to_multiple_of
    if pad is None:
        pad = tokenizer.pad_token_id
    if pad is None and min(lengths) < length:
        raise ValueError(
            "You are attempting to pad samples but the tokenizer you are using "
            f"({type(tokenizer).__name__}) does not have a pad token."
        )
    out = np.full((len(rows), length), 0 if pad is None else pad, np.int64)
    for target, row in zip(out, rows):
        if tokenizer.padding_side == "right":
            target[: len(row)] = row
        else:
            target[length - len(row) :] = row
    return out
