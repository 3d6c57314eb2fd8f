"""The base of tokenizers that the reference has in Python only: its rules for added tokens.

Added tokens are found in running text before the class cuts the rest; what is no added token is
looked up in a vocabulary, where whatever is unknown gets the id of unk. The Rust tokenizer below
holds the tokens and their ids, and cuts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer

from .segmented import SegmentedTokenizer


class PythonTokenizer(SegmentedTokenizer):
    """Splits texts at added tokens, and leaves the parts between them to `_pieces`."""

    def _pieces(self, text: str) -> list[str]:
        """Return the tokens of a text that holds no added token."""
        raise NotImplementedError

    # -- loading and saving ---------------------------------------------------------------------

    def _take_backend(self, kwargs: dict[str, Any]) -> Tokenizer:
        # Nothing but added tokens is read from a tokenizer.json, and those are known by now.
        kwargs.pop("tokenizer_file", None)
        tokenizer = super()._take_backend(kwargs)
        self._vocabulary = tokenizer.get_vocab(with_added_tokens=False)
        self._tokens = {index: token for token, index in self._vocabulary.items()}
        return tokenizer

    def _add_declared_tokens(self, added_tokens_decoder: dict[int, AddedToken]) -> None:
        additional = self._additional_special_tokens
        super()._add_declared_tokens(added_tokens_decoder)
        # Tokens of the configuration have their roles there; only later ones are given one.
        self._additional_special_tokens = additional

    def _finish(self, options: dict[str, Any]) -> None:
        self._learn_added_tokens()

    def _write(
        self, folder: str, legacy_format: bool | None, filename_prefix: str | None
    ) -> tuple[str, ...]:
        if legacy_format is False:
            raise ValueError(
                f"{type(self).__name__} is saved as its vocabulary files, there is no "
                "tokenizer.json of it: leave legacy_format unset or pass True."
            )
        return super()._write(folder, True, filename_prefix)

    # -- tokens and ids -------------------------------------------------------------------------

    def add_tokens(
        self,
        new_tokens: str | AddedToken | Sequence[str | AddedToken],
        special_tokens: bool = False,
    ) -> int:
        """Add tokens, or mark those of the vocabulary as added; return how many were new.

        Special ones without a role join `additional_special_tokens`.
        """
        size, roles, added = len(self), set(self.all_special_tokens), self.added_tokens_encoder
        given: Any = new_tokens if isinstance(new_tokens, (list, tuple)) else [new_tokens]
        tokens = [
            _flagged(token, special_tokens or token in roles)
            for token in given
            if not isinstance(token, str) or token not in added
        ]
        super().add_tokens(tokens)
        self._learn_added_tokens()
        roleless = [token for token in tokens if token.special and token.content not in roles]
        if roleless:
            self._additional_special_tokens = [*(self._additional_special_tokens or []), *roleless]
        return len(self) - size

    def _learn_added_tokens(self) -> None:
        """Prepare to find the added tokens in texts."""
        self._added = {token.content: token for token in self.added_tokens_decoder.values()}
        longest_first = sorted(filter(None, self._unsplit()), key=len, reverse=True)
        self._splitter = re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")

    def _unsplit(self) -> Iterable[str]:
        """Return the tokens that stand alone wherever a text has them."""
        return self._added

    def _token_to_id(self, token: str) -> int | None:
        if token in self._added:
            return self._backend.tokenizer.token_to_id(token)
        return self._vocabulary.get(token, self._vocabulary.get(str(self._unk_token)))

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the token of an id, or the tokens of a list or array; unk for unknown ids."""
        added = self.added_tokens_decoder

        def token_of(index: int) -> str | None:
            if index in added:
                return added[index].content
            return self._tokens.get(index, self.unk_token)

        if isinstance(ids, (int, np.integer)):
            return token_of(int(ids))
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [token_of(int(index)) for index in ids if int(index) not in skipped]

    # -- from text to tokens --------------------------------------------------------------------

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """Return the tokens of a text as strings; `split_special_tokens` is the only option."""
        return self._tokenize(text, **self._tokenizing(options, batched=False))

    def _tokenizing(self, options: dict[str, Any], batched: bool) -> dict[str, bool]:
        asked = options.get("split_special_tokens")
        how = super()._tokenizing(options, batched)
        # As in the reference, a batch follows the tokenizer's own setting whatever the call says.
        if batched or asked is None:
            asked = self.split_special_tokens
        return {**how, "split_special_tokens": asked}

    def _tokenize(
        self, text: str, as_target: bool = False, split_special_tokens: bool = False
    ) -> list[str]:
        if split_special_tokens:
            return self._pieces(text) if text else []
        tokens: list[str] = []
        for part in self._parts(text):
            tokens += [part] if part in self._added else self._pieces(part)
        return tokens

    def _parts(self, text: str) -> list[str]:
        """Split a text at the tokens that stand alone, which swallow spaces where they ask to."""
        parts = [part for part in self._splitter.split(text) if part]
        last = len(parts) - 1
        for position, part in enumerate(parts):
            token = self._added.get(part)
            if token is None:
                continue
            before = parts[position - 1] if position else ""
            after = parts[position + 1] if position < last else ""
            if token.rstrip and after:
                parts[position + 1] = after.lstrip()
            if token.lstrip and before:
                parts[position - 1] = before.rstrip()
            if token.single_word and before and not before.endswith(" "):
                parts[position - 1] += part
                parts[position] = ""
            elif token.single_word and after and not after.startswith(" "):
                parts[position + 1] = part + parts[position + 1]
                parts[position] = ""
        return [part for part in parts if part]

    # -- from ids to text -----------------------------------------------------------------------

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join tokens into text, with spaces between them."""
        return " ".join(tokens)

    def _decode_ids(
        self,
        ids: list[int],
        skip_special_tokens: bool,
        spaces_between_special_tokens: bool = True,
        **_: Any,
    ) -> str:
        special = self.all_special_tokens
        # Added tokens stand outside of what `convert_tokens_to_string` joins, but special ones
        # only if the vocabulary lacks them and they have no role.
        apart = (self._added.keys() - special) | {
            token
            for token in self.additional_special_tokens or ()
            if self.convert_tokens_to_ids(token) >= self.vocab_size
        }
        texts: list[str] = []
        run: list[str] = []
        for token in self.convert_ids_to_tokens(ids, skip_special_tokens):
            if skip_special_tokens and token in special:
                continue
            if token not in apart:
                run.append(token)
                continue
            if run and (text := self.convert_tokens_to_string(run)):
                texts.append(text)
            run = []
            texts.append(token)
        if run:
            texts.append(self.convert_tokens_to_string(run))
        return (" " if spaces_between_special_tokens else "").join(texts)


def _flagged(token: str | AddedToken, special: bool) -> AddedToken:
    """Return an added token of its own, special if it should be."""
    if isinstance(token, str):
        return AddedToken(token, normalized=not special, special=special)
    return AddedToken(
        token.content,
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=token.normalized,
        special=token.special or special,
    )
