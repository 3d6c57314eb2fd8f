"""ESM's tokenizer: every token of the vocabulary, an amino acid, stands alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, models

from .python_tokenizer import PythonTokenizer


class EsmTokenizer(PythonTokenizer):
    """Finds the tokens of vocab.txt in texts; whatever lies between them is unknown."""

    vocab_files_names = {"vocab_file": "vocab.txt"}
    defaults = {
        "unk_token": "<unk>",
        "cls_token": "<cls>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
        "eos_token": "<eos>",
    }

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the vocabulary."""
        with open(options["vocab_file"], encoding="utf-8") as file:
            tokens = [line.strip() for line in file.read().splitlines()]
        vocabulary = {token: index for index, token in enumerate(tokens)}
        return Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))

    @property
    def all_tokens(self) -> list[str]:
        """The tokens of the vocabulary in the order of their ids."""
        return list(self._tokens.values())

    def token_to_id(self, token: str) -> int | None:
        """Return the id of a token of the vocabulary, that of unk for others."""
        return self._vocabulary.get(token, self._vocabulary.get(str(self._unk_token)))

    def id_to_token(self, index: int) -> str | None:
        """Return the token of the vocabulary that has an id, unk if there is none."""
        return self._tokens.get(index, self.unk_token)

    def _unsplit(self) -> Iterable[str]:
        return {**self._vocabulary, **self._added}

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        return text.split()

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return `<cls> text <eos>` or `<cls> text <eos> text <eos>`.

        Raises ValueError for two texts without an eos token between them.
        """
        end = [] if self.eos_token is None else [self.eos_token_id]
        if token_ids_1 is None:
            return [self.cls_token_id, *token_ids_0, *end]
        if not end:
            raise ValueError("Cannot tokenize multiple sequences when EOS token is not set!")
        return [self.cls_token_id, *token_ids_0, *end, *token_ids_1, *end]

    def _vocabulary_files(self) -> dict[str, bytes]:
        return {"vocab_file": "\n".join(self.all_tokens).encode()}
