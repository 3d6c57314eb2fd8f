"""BPE of whole words, whose pieces end in "@@" unless they end a word: the files of fastBPE.

Bertweet and PhoBERT number the pieces with the lines of vocab.txt, BlenderbotSmall with vocab.json.
The pieces of a word depend on the merges alone: a piece may be missing in the vocabulary.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

from tokenizers import Tokenizer, models

from .loading import read_json
from .python_tokenizer import PythonTokenizer, first_tokens, json_vocabulary
from .special_tokens import FAIRSEQ
from .tweets import normalize_tweet

END = "</w>"
Merges = dict[tuple[str, ...], int]

# Words known by their pieces; when there are as many, all are forgotten.
_KEPT = 1 << 16
# A word takes the line's end along.
_WORDS = re.compile(r"\S+\n?")


def merge_word(word: str, ranks: Merges) -> list[str]:
    """Return the pieces of a word, all but the last with "@@": the best merge first, everywhere."""
    symbols = [*word[:-1], word[-1] + END]
    while len(symbols) > 1:
        pairs = pairwise(symbols)
        best = min(pairs, key=lambda pair: ranks.get(pair, math.inf))
        if best not in ranks:
            break
        merged: list[str] = []
        position = 0
        while position < len(symbols):
            width = 2 if tuple(symbols[position : position + 2]) == best else 1
            merged.append("".join(symbols[position : position + width]))
            position += width
        symbols = merged
    return [*(f"{symbol}@@" for symbol in symbols[:-1]), symbols[-1].removesuffix(END)]


class WordBpeTokenizer(PythonTokenizer):
    """Cuts texts at whitespace and words by their merges."""

    _ranks: Merges

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        with open(options["merges_file"], encoding="utf-8") as file:
            self._ranks = self._read_merges(file.read().split("\n"))
        self._known: dict[str, list[str]] = {}

    @staticmethod
    def _read_merges(lines: list[str]) -> Merges:
        raise NotImplementedError

    def _word(self, word: str) -> list[str]:
        """Return the pieces of a word."""
        pieces = self._known.get(word)
        if pieces is None:
            if len(self._known) >= _KEPT:
                self._known = {}
            pieces = self._known[word] = merge_word(word, self._ranks)
        return pieces

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        return [piece for word in _WORDS.findall(text) for piece in self._word(word)]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join pieces into words, with spaces between them."""
        return " ".join(tokens).replace("@@ ", "").strip()


class PhobertTokenizer(WordBpeTokenizer):
    """PhoBERT: `<s> text </s>`, or `<s> text </s></s> text </s>`; texts are segmented words."""

    vocab_files_names = {"vocab_file": "vocab.txt", "merges_file": "bpe.codes"}
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    defaults: dict[str, Any] = FAIRSEQ

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds four special tokens and the lines of vocab.txt.

        Raises ValueError for a line without a token and a count.
        """
        vocabulary = first_tokens(options, ("bos", "pad", "eos", "unk"))
        path = options["vocab_file"]
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                token, space, _ = line.strip().rpartition(" ")
                if not space:
                    raise ValueError(f"{path}, line {number}: expected '<token> <count>'")
                vocabulary[token] = len(vocabulary)
        return Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))

    @staticmethod
    def _read_merges(lines: list[str]) -> Merges:
        # Behind each merge stands how often it occurred; behind the last line is nothing.
        return {tuple(line.split()[:-1]): rank for rank, line in enumerate(lines[:-1])}

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return `<s> text </s>` or `<s> text </s></s> text </s>`."""
        sep = self.sep_token_id
        second = [] if token_ids_1 is None else [sep, *token_ids_1, sep]
        return [self.cls_token_id, *token_ids_0, sep, *second]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return zeros."""
        return [0] * len(self.build_inputs_with_special_tokens(token_ids_0, token_ids_1))


class BertweetTokenizer(PhobertTokenizer):
    """BERTweet: like PhoBERT; with `normalization=True` tweets are normalised first.

    Names of users become @USER, links HTTPURL. Emoji stay as they are: the reference writes them
    out only where the package `emoji` is installed.
    """

    defaults = {**PhobertTokenizer.defaults, "normalization": False}

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self.normalization: bool = options["normalization"]

    def normalizeTweet(self, tweet: str) -> str:
        """Return a tweet as the model was trained on it."""
        return normalize_tweet(tweet)

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        return super()._pieces(normalize_tweet(text) if self.normalization else text)


class BlenderbotSmallTokenizer(WordBpeTokenizer):
    """BlenderbotSmall: lower-cased words, punctuation apart, no special tokens around texts.

    The reference has a fast class beside it, which cannot read the files of the checkpoints.
    """

    vocab_files_names = {"vocab_file": "vocab.json", "merges_file": "merges.txt"}
    defaults = {
        "bos_token": "__start__",
        "eos_token": "__end__",
        "unk_token": "__unk__",
        "pad_token": "__null__",
    }
    # The separators U+001C to U+001F are part of words here.
    _WORDS = re.compile("(?:\\S|[\x1c-\x1f])+\n?")
    _SPACES = re.compile("[^\\S\x1c-\x1f]{2,}")

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the vocabulary."""
        vocabulary = read_json(options["vocab_file"])
        return Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))

    @staticmethod
    def _read_merges(lines: list[str]) -> Merges:
        # The first line is a version; behind the last is nothing.
        return {tuple(line.split()): rank for rank, line in enumerate(lines[1:-1])}

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        words: list[str] = []
        for word in self._WORDS.findall(text):
            apart = re.sub(r"([.,!?()])", r" \1", word).replace("'", " ' ")
            words += self._SPACES.sub(" ", apart).replace("\n", " __newln__").split(" ")
        return [piece for word in words if word for piece in self._word(word.lower())]

    def _token_to_id(self, token: str) -> int | None:
        return super()._token_to_id(token if token in self._added else token.lower())

    def _vocabulary_files(self) -> dict[str, bytes]:
        merges = map(" ".join, sorted(self._ranks, key=self._ranks.__getitem__))
        return {
            "vocab_file": json_vocabulary(self._vocabulary),
            "merges_file": "\n".join(["#version: 0.2", *merges, ""]).encode(),
        }
