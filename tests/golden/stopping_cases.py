"""A tokenizer of random words, shared by fuzzing, goldens and tests."""

from __future__ import annotations

from typing import Any

import numpy as np


class Tokenizer:
    """Tokens that are the given words; all that both libraries ask of a tokenizer here."""

    def __init__(self, words: list[str]):
        self.words = words

    @classmethod
    def draw(cls, rng: np.random.Generator, alphabet: str = "stop 你\n") -> Tokenizer:
        """Random strings of few letters. The letters of the probe "abcdef" are tokens too."""
        letters = sorted(set("abcdef" + alphabet))
        words = {
            "".join(rng.choice(list(alphabet), int(rng.integers(0, 6))))
            for _ in range(int(rng.integers(3, 25)))
        }
        return cls(letters + sorted(words - set(letters)))

    def get_vocab(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [self.words.index(c) for c in text if c in self.words]}

    def _convert_id_to_token(self, i: int) -> str:
        return self.words[i]

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        return self.words[ids] if isinstance(ids, int) else [self.words[i] for i in ids]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def decode(self, ids: list[int], **kwargs: Any) -> str:
        return "".join(self.words[i] for i in ids)
