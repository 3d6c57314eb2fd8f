"""Find strings at the end of token sequences, by the text that each token adds."""

from __future__ import annotations

from typing import Any

import numpy as np

_BEFORE = "abcdef"  # a token's text is what it adds behind this: no prefix space is lost or gained


class StopStrings:
    """Strings to look for in what a tokenizer's tokens say.

    Texts of tokens are looked up when they first occur, since a vocabulary has many and a
    generation meets few.
    Raises ValueError if no token can end any of the strings.
    """

    def __init__(self, tokenizer: Any, strings: tuple[str, ...]):
        self.tokenizer, self.strings = tokenizer, strings
        before = tokenizer(_BEFORE, add_special_tokens=False)["input_ids"]
        self._before = tokenizer.convert_ids_to_tokens(list(before))
        self._texts: dict[int, str] = {}
        self._span = max(map(len, strings), default=0)  # each token adds a character, or nothing
        if not self._reachable():
            raise ValueError(
                f"No token of the tokenizer ends any of the stop strings {list(strings)}: they may "
                "have characters that are not in its vocabulary"
            )

    def completed(self, ids: np.ndarray) -> np.ndarray:
        """Where a string ends inside the last token. ids: (rows, length) -> (rows,) bool"""
        return np.array([self._ends(row) for row in ids[:, -self._span :].tolist()], bool)

    def _ends(self, row: list[int]) -> bool:
        last = self.text(row[-1])
        if not any(self._overlaps(last, string) for string in self.strings):
            return False
        text = "".join(map(self.text, row))
        return any(
            text.rfind(string) + len(string) > len(text) - len(last)
            for string in self.strings
            if string in text
        )

    def text(self, token: int) -> str:
        """What a token adds to a text."""
        if token not in self._texts:
            self._texts[token] = self._look_up(token)
        return self._texts[token]

    def _look_up(self, token: int) -> str:
        name = self.tokenizer.convert_ids_to_tokens(token)
        if name is None:  # the model's vocabulary may be larger than the tokenizer's
            return ""
        text = self.tokenizer.convert_tokens_to_string([*self._before, name])
        return text[text.index(_BEFORE) + len(_BEFORE) :]

    @staticmethod
    def _overlaps(text: str, string: str) -> bool:
        """Whether some beginning of a token's text is an end of the string, or holds it."""
        if string in text:
            return True
        return any(string.endswith(text[:n]) for n in range(1, min(len(text), len(string)) + 1))

    def _reachable(self) -> bool:
        """Whether some token can end some string; mostly its own last token can."""
        for string in self.strings:
            ids = self.tokenizer(string, add_special_tokens=False)["input_ids"]
            if len(ids) and self._overlaps(self.text(ids[-1]), string):
                return True
        return any(
            self._overlaps(self.text(token), string)
            for token in self.tokenizer.get_vocab().values()
            for string in self.strings
        )
