"""The vocabulary of a tokenizer: tokens to ids and back, and what is added to it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer

from .special_tokens import SpecialTokensMixin
from .strategies import InputTypeError, PreconditionError

_TEXT = -1  # stands for an id of a text


class VocabularyMixin(SpecialTokensMixin):
    """Tokens, ids, and the special tokens around texts."""

    # Whether `get_special_tokens_mask` answers for ids without special tokens.
    masks_texts = False
    _lock: threading.Lock

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The Rust tokenizer; changes made to it are seen by the next call."""
        self._backend.lent = True
        return self._backend.tokenizer

    _tokenizer = backend_tokenizer

    @property
    def decoder(self) -> Any:
        """The Rust decoder."""
        return self._backend.tokenizer.decoder

    @property
    def vocab_size(self) -> int:
        """Size of the vocabulary without the added tokens."""
        return self._backend.tokenizer.get_vocab_size(with_added_tokens=False)

    def __len__(self) -> int:
        """Size of the vocabulary with the added tokens."""
        return self._backend.tokenizer.get_vocab_size(with_added_tokens=True)

    def __bool__(self) -> bool:
        return True

    def get_vocab(self) -> dict[str, int]:
        """Return token -> id, added tokens included."""
        return self._backend.tokenizer.get_vocab(with_added_tokens=True)

    @property
    def vocab(self) -> dict[str, int]:
        """Token -> id, added tokens included."""
        return self.get_vocab()

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Id -> added token."""
        return self._backend.tokenizer.get_added_tokens_decoder()

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """Added token -> id, in the order of the ids."""
        return {token.content: i for i, token in sorted(self.added_tokens_decoder.items())}

    def get_added_vocab(self) -> dict[str, int]:
        """Return added token -> id."""
        return self.added_tokens_encoder

    def add_tokens(
        self,
        new_tokens: str | AddedToken | Sequence[str | AddedToken],
        special_tokens: bool = False,
    ) -> int:
        """Add tokens that the vocabulary lacks, at its end; return how many were new.

        The model's embeddings must grow along: `model.resize_token_embeddings(len(tokenizer))`.
        """
        if not new_tokens:
            return 0
        if not isinstance(new_tokens, (list, tuple)):
            new_tokens = [new_tokens]  # type: ignore[list-item]
        wrong = [token for token in new_tokens if not isinstance(token, (str, AddedToken))]
        if wrong:
            raise InputTypeError(
                f"new_tokens must be str or AddedToken, got {wrong[0]!r} of type "
                f"{type(wrong[0]).__name__}"
            )
        with self._lock:
            return self._backend.add_tokens(new_tokens, special=special_tokens)

    def convert_tokens_to_ids(self, tokens: str | Sequence[str] | None) -> Any:
        """Return the id of a token, or the ids of a list; unknown ones give the id of unk."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            return self._token_to_id(tokens)
        return [self._token_to_id(token) for token in tokens]

    def _token_to_id(self, token: str) -> int | None:
        index = self._backend.tokenizer.token_to_id(token)
        if index is None and self._unk_token is not None:
            index = self._backend.tokenizer.token_to_id(str(self._unk_token))
        return index

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the token of an id, or the tokens of a list or array of ids."""
        to_token = self._backend.tokenizer.id_to_token
        if isinstance(ids, (int, np.integer)):
            return to_token(_index(ids))
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [to_token(_index(index)) for index in ids if int(index) not in skipped]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join tokens into text."""
        return self._backend.tokenizer.decoder.decode(tokens)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return how many special tokens a text (or a pair) gets."""
        return self._backend.tokenizer.num_special_tokens_to_add(pair)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with the special tokens around them."""
        return [*token_ids_0, *(token_ids_1 or [])]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return the token types of `build_inputs_with_special_tokens`."""
        return [0] * len(token_ids_0) + [1] * len(token_ids_1 or [])

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 1 for special ids and 0 for others, of ids that hold special tokens already.

        Some classes also tell where special tokens will stand around ids that hold none.
        Raises ValueError otherwise.
        """
        if self.masks_texts and not already_has_special_tokens:
            second = None if token_ids_1 is None else [_TEXT] * len(token_ids_1)
            ids = self.build_inputs_with_special_tokens([_TEXT] * len(token_ids_0), second)
            return [int(index != _TEXT) for index in ids]
        if not already_has_special_tokens or token_ids_1 is not None:
            raise PreconditionError(
                "get_special_tokens_mask() needs already_has_special_tokens=True and one list of "
                "ids; for texts, call the tokenizer with return_special_tokens_mask=True."
            )
        special = set(self.all_special_ids)
        return [int(token in special) for token in token_ids_0]

    @property
    def max_len_single_sentence(self) -> int:
        """How many tokens of a text fit in the model."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """How many tokens of a pair of texts fit in the model."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)


def _index(value: Any) -> int:
    index = int(value)
    if index < 0:
        raise ValueError(f"Token ids must not be negative, got {index}.")
    return index
