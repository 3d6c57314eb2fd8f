"""The base of tokenizers that the reference has in Python only: its rules for added tokens.

Added tokens are found in running text before the class cuts the rest; what is no added token is
looked up in a vocabulary, where whatever is unknown gets the id of unk. The Rust tokenizer below
holds the tokens and their ids, and cuts nothing: there is no alignment to the text (`is_fast` is
False), and truncation follows `prepare_for_model`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer

from .calling import EmptyBatchError
from .encoding import BatchEncoding
from .tokenizer import PreTrainedTokenizerFast


class PythonTokenizer(PreTrainedTokenizerFast):
    """Splits texts at added tokens, and leaves the parts between them to `_pieces`."""

    is_fast = False
    saves_vocabulary = True
    masks_texts = True
    vocab_files_names: dict[str, str] = {}
    model_input_names = ["input_ids", "attention_mask"]
    # What stands around the ids of a text.
    prefix_tokens: list[int] = []
    suffix_tokens: list[int] = []

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        """Return the tokens of a text (of the target side?) that holds no added token."""
        raise NotImplementedError

    # -- loading and saving ---------------------------------------------------------------------

    def _take_backend(self, kwargs: dict[str, Any]) -> Tokenizer:
        # Nothing but added tokens is read from a tokenizer.json, and those are known by now.
        kwargs.pop("tokenizer_file", None)
        tokenizer = super()._take_backend(kwargs)
        vocabulary = tokenizer.get_vocab(with_added_tokens=False)
        self._vocabulary = dict(sorted(vocabulary.items(), key=lambda item: item[1]))
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

    def _vocabulary_files(self) -> dict[str, bytes]:
        """Return the contents of vocabulary files by role: those that are known without a file."""
        return {}

    def save_vocabulary(
        self, save_directory: str | os.PathLike, filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the vocabulary files."""
        contents = self._vocabulary_files()
        if not contents:
            return super().save_vocabulary(save_directory, filename_prefix)
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        saved = []
        for role, data in contents.items():
            saved.append(os.path.join(save_directory, prefix + self.vocab_files_names[role]))
            with open(saved[-1], "wb") as file:
                file.write(data)
        return tuple(saved)

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
        added = self.added_tokens_decoder
        self._added = {token.content: token for token in added.values()}
        ids = {token.content: index for index, token in added.items()}
        self._ids = {**self._vocabulary, **ids}
        self._added_tokens = {index: token.content for index, token in added.items()}
        longest_first = sorted(filter(None, self._unsplit()), key=len, reverse=True)
        self._splitter = re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")

    def _unsplit(self) -> Iterable[str]:
        """Return the tokens that stand alone wherever a text has them."""
        return self._added

    def _token_to_id(self, token: str) -> int | None:
        index = self._ids.get(token)
        return self._ids.get(str(self._unk_token)) if index is None else index

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the token of an id, or the tokens of a list or array; unk for unknown ids."""
        added, tokens, unk = self._added_tokens, self._tokens, self.unk_token

        def token_of(index: int) -> str | None:
            token = added.get(index)
            return tokens.get(index, unk) if token is None else token

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
        """Take out of a call's options what `_tokenize` must know."""
        asked = options.pop("split_special_tokens", None)
        # As in the reference, a batch follows the tokenizer's own setting whatever the call says.
        if batched or asked is None:
            asked = self.split_special_tokens
        return {"as_target": options.pop("as_target", False), "split_special_tokens": asked}

    def _tokenize(
        self, text: str, as_target: bool = False, split_special_tokens: bool = False
    ) -> list[str]:
        if split_special_tokens:
            return self._pieces(text, as_target) if text else []
        tokens: list[str] = []
        for part in self._parts(text):
            tokens += [part] if part in self._added else self._pieces(part, as_target)
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

    # -- from texts to the model's inputs --------------------------------------------------------

    def _to_ids(self, text: Any, split: bool, how: dict[str, bool]) -> list[int]:
        """Return the ids of a text, of words, of tokens, or of ids themselves.

        how: the keywords of `_tokenize` that the call asks for.
        """
        if isinstance(text, str):
            tokens = self._tokenize(text, **how)
        elif split:
            tokens = [token for word in text for token in self._tokenize(word, **how)]
        elif text and isinstance(text[0], int):
            return list(text)
        else:
            tokens = list(text)
        return self._numbered(tokens, how["as_target"])

    def _numbered(self, tokens: list[str], as_target: bool) -> list[int]:
        return self.convert_tokens_to_ids(tokens)

    def _encode_rows(self, rows: list[Any], *, batched: bool, **options: Any) -> BatchEncoding:
        if options.pop("return_offsets_mapping", False):
            raise NotImplementedError(
                "return_offsets_mapping is not available: this tokenizer keeps no alignment "
                "between tokens and text."
            )
        if not rows:
            raise EmptyBatchError("The batch of texts is empty: there is nothing to encode.")
        split = options.pop("is_split_into_words", False)
        how = self._tokenizing(options, batched)
        pairs = [self._pair_of_ids(row, split, how) for row in rows]
        return_tensors = options.pop("return_tensors", None)
        if not batched:
            return self.prepare_for_model(
                *pairs[0],
                **options,
                return_tensors=return_tensors,
                prepend_batch_axis=return_tensors is not None,
            )
        plan = self._plan(
            options.pop("padding", False),
            options.pop("truncation", None),
            options.pop("max_length", None),
            options.get("pad_to_multiple_of"),
            options.get("verbose", True),
        )
        multiple, side = options.pop("pad_to_multiple_of", None), options.pop("padding_side", None)
        mask = options.pop("return_attention_mask", None)
        options |= {"truncation": plan.truncation, "max_length": plan.max_length}
        options["return_attention_mask"] = False
        encodings = [self.prepare_for_model(*pair, **options) for pair in pairs]
        data = {name: [row[name] for row in encodings] for name in encodings[0]}
        return self._pad_lists(data, plan, multiple, side, mask, return_tensors)

    def _pair_of_ids(
        self, row: Any, split: bool, how: dict[str, bool]
    ) -> tuple[list[int], list[int] | None]:
        """Return the ids of a row's first and second text."""
        words = split and not (isinstance(row, list) and row and isinstance(row[0], list))
        paired = isinstance(row, tuple) or (isinstance(row, list) and len(row) == 2 and not words)
        text, pair = row if paired else (row, None)
        ids = self._to_ids(text, split, how)
        return ids, None if pair is None else self._to_ids(pair, split, how)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return how many special tokens a text (or a pair) gets."""
        return len(self.build_inputs_with_special_tokens([], [] if pair else None))

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with the special tokens around them."""
        return [*self.prefix_tokens, *token_ids_0, *(token_ids_1 or []), *self.suffix_tokens]

    # -- from ids to text -----------------------------------------------------------------------

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join tokens into text, with spaces between them."""
        return " ".join(tokens)

    def _joined(self, tokens: list[str], **_: Any) -> str:
        """Join tokens as the options of `decode` say."""
        return self.convert_tokens_to_string(tokens)

    def _decode_ids(
        self,
        ids: list[int],
        skip_special_tokens: bool,
        spaces_between_special_tokens: bool = True,
        **how: Any,
    ) -> str:
        special = set(self.all_special_tokens)
        additional = set(self.additional_special_tokens or ())
        size = self.vocab_size

        def stands_apart(token: str) -> bool:
            # Added tokens stand outside of what `convert_tokens_to_string` joins, but special ones
            # only if the vocabulary lacks them and they have no role.
            if token not in self._added:
                return False
            return token not in special or (token in additional and self._ids[token] >= size)

        texts: list[str] = []
        run: list[str] = []
        for token in self.convert_ids_to_tokens(ids, skip_special_tokens):
            if skip_special_tokens and token in special:
                continue
            if not stands_apart(token):
                run.append(token)
                continue
            if run and (text := self._joined(run, **how)):
                texts.append(text)
            run = []
            texts.append(token)
        if run:
            texts.append(self._joined(run, **how))
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


def json_vocabulary(vocabulary: dict[str, int]) -> bytes:
    """Return the contents of a vocab.json."""
    return f"{json.dumps(vocabulary, indent=2, ensure_ascii=False)}\n".encode()


def first_tokens(options: dict[str, Any], roles: Sequence[str]) -> dict[str, int]:
    """Return a vocabulary of the special tokens that have the first ids."""
    # Whoever gave another token one of these roles has the first one's id in the configuration.
    declared = options.get("added_tokens_decoder") or {}
    tokens = (declared.get(i, options[f"{role}_token"]) for i, role in enumerate(roles))
    return {str(token): index for index, token in enumerate(tokens)}
