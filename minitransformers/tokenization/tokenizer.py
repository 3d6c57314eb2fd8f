"""The tokenizer: text to ids and back, with every option of a call."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Encoding, Tokenizer

from .backend import Backend
from .chat import ChatMixin
from .encoding import BatchEncoding
from .loading import LoadingMixin
from .preparation import PreparationMixin
from .retraining import RetrainingMixin
from .saving import SavingMixin
from .strategies import (
    VERY_LARGE_INTEGER,
    InputTypeError,
    PaddingStrategy,
    Plan,
    PreconditionError,
    TruncationStrategy,
    logger,
    resolve_strategies,
)
from .stride import Truncation

_SIDES = ("right", "left")


class EmptyBatchError(IndexError, ValueError):
    """A batch without rows."""


class PreTrainedTokenizerFast(
    PreparationMixin, ChatMixin, SavingMixin, RetrainingMixin, LoadingMixin
):
    """A tokenizer around the `tokenizers` library; safe to share between threads.

    tokenizer_object: a `tokenizers.Tokenizer`, copied; or tokenizer_file: path of a
    tokenizer.json; subclasses also build one from their own vocabulary files.
    Other keywords: `model_max_length`, `padding_side`, `truncation_side`, `model_input_names`,
    `clean_up_tokenization_spaces`, `split_special_tokens`, `chat_template`, `bos_token`, ...
    `additional_special_tokens`. Whatever else is passed is kept in `init_kwargs`.
    """

    # The first name is the one that `pad` measures.
    model_input_names: list[str] = ["input_ids", "token_type_ids", "attention_mask"]
    padding_side: str = "right"
    truncation_side: str = "right"
    is_fast: bool = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = self._complete(args, kwargs)
        tokenizer = self._take_backend(kwargs)
        added_tokens_decoder = kwargs.pop("added_tokens_decoder", None) or {}
        _adopt_stored_settings(tokenizer, kwargs)
        self._backend = Backend(tokenizer)
        self.init_inputs = ()
        self.init_kwargs = copy.deepcopy(kwargs)
        self.name_or_path: str = kwargs.get("name_or_path", "")
        limit = kwargs.get("model_max_length", kwargs.get("max_len"))
        self.model_max_length: int = VERY_LARGE_INTEGER if limit is None else limit
        self.padding_side = _side("padding_side", kwargs.get("padding_side", self.padding_side))
        self.truncation_side = _side(
            "truncation_side", kwargs.get("truncation_side", self.truncation_side)
        )
        self.model_input_names = kwargs.get("model_input_names", self.model_input_names)
        self.clean_up_tokenization_spaces = kwargs.get("clean_up_tokenization_spaces", False)
        self.split_special_tokens: bool = kwargs.get("split_special_tokens", False)
        self.verbose: bool = kwargs.get("verbose", False)
        self._set_chat_template(kwargs.get("chat_template"))
        self._reminded: set[str] = set()
        self._lock = threading.Lock()
        self._set_special_tokens(kwargs)
        self._add_declared_tokens(added_tokens_decoder)
        self._finish(kwargs)

    def _finish(self, options: dict[str, Any]) -> None:
        """Adjust a loaded tokenizer to its constructor's options; for subclasses."""

    def _target_template(self) -> tuple[str, str] | None:
        """Return the template around target texts if it is another one; for subclasses."""
        return None

    def _add_declared_tokens(self, added_tokens_decoder: dict[int, AddedToken]) -> None:
        """Add the tokens of the configuration that the vocabulary file does not hold yet."""
        present = self.added_tokens_decoder
        reprs = {repr(token) for token in present.values()}
        tokens: list[str | AddedToken] = [
            token for _, token in sorted(added_tokens_decoder.items()) if repr(token) not in reprs
        ]
        names = {token.content for token in present.values()} | set(map(str, tokens))
        # A special token given with flags goes in again: its flags win over the file's.
        tokens += [
            token
            for token in self.all_special_tokens_extended
            if (isinstance(token, AddedToken) or token not in names) and token not in tokens
        ]
        special = set(self.all_special_tokens)
        for position, token in enumerate(tokens):
            if isinstance(token, str):
                tokens[position] = AddedToken(token, special=token in special)
            else:
                token.special = token.special or token.content in special
        if tokens:
            self.add_tokens(tokens)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        added = "\n\t".join(f"{i}: {token!r}," for i, token in self.added_tokens_decoder.items())
        return (
            f"{type(self).__name__}(name_or_path='{self.name_or_path}',"
            f" vocab_size={self.vocab_size}, model_max_length={self.model_max_length},"
            f" is_fast={self.is_fast}, padding_side='{self.padding_side}',"
            f" truncation_side='{self.truncation_side}',"
            f" special_tokens={self.special_tokens_map},"
            f" clean_up_tokenization_spaces={self.clean_up_tokenization_spaces}), "
            f" added_tokens_decoder={{\n\t{added}\n}}"
        )

    def _remind(self, topic: str, message: str) -> None:
        """Log `message` the first time this tokenizer meets `topic`."""
        if topic not in self._reminded:
            self._reminded.add(topic)
            logger.warning(message)

    # -- vocabulary -----------------------------------------------------------------------------

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
        """Return 1 for special ids and 0 for others, of ids that hold special tokens already."""
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

    # -- text to ids ----------------------------------------------------------------------------

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        **kwargs: Any,
    ) -> BatchEncoding:
        """Encode a text, a batch of texts, or pairs of them.

        text: a str, a list of str (a batch; with is_split_into_words the words of one text), or
            a list of lists of str (a batch of pairs; with is_split_into_words of texts in words).
        text_pair: the second texts, shaped like `text`.
        text_target: encoded as the target side; alone it is the result, beside `text` its ids
            become "labels".
        padding: True or "longest", "max_length", False. truncation: True or "longest_first",
            "only_first", "only_second", False.
        stride: how many tokens the windows of return_overflowing_tokens share.
        return_tensors: "np" (or any framework's name) for arrays (batch, seq) of int64.
        Raises ValueError for inputs of a wrong type or shape and for lengths that cannot be met.
        """
        options = {
            "add_special_tokens": add_special_tokens,
            "padding": padding,
            "truncation": truncation,
            "max_length": max_length,
            "stride": stride,
            "is_split_into_words": is_split_into_words,
            "pad_to_multiple_of": pad_to_multiple_of,
            "padding_side": padding_side,
            "return_tensors": return_tensors,
            "return_token_type_ids": return_token_type_ids,
            "return_attention_mask": return_attention_mask,
            "return_overflowing_tokens": return_overflowing_tokens,
            "return_special_tokens_mask": return_special_tokens_mask,
            "return_offsets_mapping": return_offsets_mapping,
            "return_length": return_length,
            "verbose": verbose,
            **kwargs,
        }
        if text is None and text_target is None:
            raise ValueError("You need to specify either `text` or `text_target`.")
        if text is None:
            return self._encode(text_target, text_pair_target, as_target=True, **options)
        encoded = self._encode(text, text_pair, **options)
        if text_target is not None:
            target = self._encode(text_target, text_pair_target, as_target=True, **options)
            encoded["labels"] = target["input_ids"]
        return encoded

    def _encode(
        self, text: Any, text_pair: Any, *, is_split_into_words: bool, **options: Any
    ) -> BatchEncoding:
        """Tell a batch from a single text, and encode either."""
        _check_text(text)
        if text_pair is not None:
            _check_text(text_pair)
        batched = isinstance(text, (list, tuple))
        if is_split_into_words:
            batched = batched and bool(text) and isinstance(text[0], (list, tuple))
        if not batched:
            rows = [(text, text_pair)] if text_pair else [text]
        elif text_pair is None:
            rows = list(text)
        else:
            if isinstance(text_pair, str):
                raise InputTypeError(
                    "when tokenizing batches of text, `text_pair` must be a list or tuple with the "
                    f"same length as `text`, got the str {text_pair!r}"
                )
            if len(text) != len(text_pair):
                raise ValueError(
                    f"batch length of `text`: {len(text)} does not match batch length of "
                    f"`text_pair`: {len(text_pair)}."
                )
            rows = list(zip(text, text_pair))
        return self._encode_rows(
            rows, batched=batched, is_split_into_words=is_split_into_words, **options
        )

    def _encode_rows(
        self,
        rows: list[Any],
        *,
        batched: bool,
        add_special_tokens: bool = True,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_overflowing_tokens: bool = False,
        verbose: bool = True,
        split_special_tokens: bool | None = None,
        as_target: bool = False,
        **returned: Any,
    ) -> BatchEncoding:
        plan = self._plan(padding, truncation, max_length, pad_to_multiple_of, verbose)
        if not rows:
            raise EmptyBatchError("The batch of texts is empty: there is nothing to encode.")
        encodings = self._backend.encode(
            rows,
            truncation=self._truncation(plan, stride),
            split_special_tokens=(
                self.split_special_tokens if split_special_tokens is None else split_special_tokens
            ),
            template=self._target_template() if as_target else None,
            add_special_tokens=add_special_tokens,
            is_pretokenized=is_split_into_words,
        )
        self._pad_encodings(encodings, plan, pad_to_multiple_of, padding_side)
        sources = None
        if return_overflowing_tokens:
            windows = [[encoding, *encoding.overflowing] for encoding in encodings]
            sources = [row for row, parts in enumerate(windows) for _ in parts]
            encodings = [part for parts in windows for part in parts]
        data = self._columns(encodings, **returned)
        if sources is not None:
            data["overflow_to_sample_mapping"] = sources
        if plan.max_length is None and verbose:
            self._warn_if_too_long(data["input_ids"])
        if not batched and return_tensors is None and not return_overflowing_tokens:
            data = {
                name: column[0] if isinstance(column[0], list) else column
                for name, column in data.items()
            }
        return BatchEncoding(data, encodings, tensor_type=return_tensors)

    def _plan(
        self,
        padding: bool | str | PaddingStrategy,
        truncation: bool | str | TruncationStrategy | None,
        max_length: int | None,
        pad_to_multiple_of: int | None,
        verbose: bool,
    ) -> Plan:
        return resolve_strategies(
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            model_max_length=self.model_max_length,
            has_pad_token=self._pad_token is not None,
            remind=self._remind if verbose else lambda topic, message: None,
            verbose=verbose,
        )

    def _truncation(self, plan: Plan, stride: int) -> Truncation | None:
        if plan.truncation is TruncationStrategy.DO_NOT_TRUNCATE or plan.max_length is None:
            return None
        return Truncation(plan.max_length, stride, plan.truncation.value, self.truncation_side)

    def _columns(
        self,
        encodings: list[Encoding],
        *,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
    ) -> dict[str, list[Any]]:
        """Read the asked-for fields of all rows, in the order users see them."""
        if return_token_type_ids is None:
            return_token_type_ids = "token_type_ids" in self.model_input_names
        if return_attention_mask is None:
            return_attention_mask = "attention_mask" in self.model_input_names
        data: dict[str, list[Any]] = {"input_ids": [encoding.ids for encoding in encodings]}
        if return_token_type_ids:
            data["token_type_ids"] = [encoding.type_ids for encoding in encodings]
        if return_attention_mask:
            data["attention_mask"] = [encoding.attention_mask for encoding in encodings]
        if return_special_tokens_mask:
            data["special_tokens_mask"] = [encoding.special_tokens_mask for encoding in encodings]
        if return_offsets_mapping:
            data["offset_mapping"] = [encoding.offsets for encoding in encodings]
        if return_length:
            data["length"] = [len(encoding) for encoding in encodings]
        return data

    def _warn_if_too_long(self, rows: list[list[int]]) -> None:
        longest = max(map(len, rows))
        if longest > self.model_max_length:
            self._remind(
                "too long",
                "Token indices sequence length is longer than the specified maximum sequence "
                f"length for this model ({longest} > {self.model_max_length}). Running this "
                "sequence through the model will result in indexing errors",
            )

    def encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """Encode one text or pair; like calling the tokenizer, which is preferred."""
        rows = [(text, text_pair)] if text_pair else [text]
        return self._encode_rows(rows, batched=False, **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Any, **options: Any) -> BatchEncoding:
        """Encode a batch of texts or pairs; like calling the tokenizer, which is preferred."""
        if not isinstance(batch_text_or_text_pairs, (list, tuple)):
            raise InputTypeError(
                "batch_text_or_text_pairs has to be a list or a tuple "
                f"(got {type(batch_text_or_text_pairs)})"
            )
        return self._encode_rows(list(batch_text_or_text_pairs), batched=True, **options)

    def encode(self, text: Any, text_pair: Any = None, *args: Any, **options: Any) -> Any:
        """Return only the ids of one text or pair; takes the options of a call."""
        names = ("add_special_tokens", "padding", "truncation", "max_length", "stride")
        options.update(zip(names, args))
        return self.encode_plus(text, text_pair, **options)["input_ids"]

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """Return the tokens of a text (or a pair) as strings."""
        options["add_special_tokens"] = add_special_tokens
        return self.encode_plus(text, pair, **options).tokens()

    # -- ids to text ----------------------------------------------------------------------------

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **_: Any,
    ) -> str:
        """Return the text of ids (an int, a list, an array); unknown ids are left out."""
        text = self._decode_ids(_as_ids(token_ids), skip_special_tokens)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return self.clean_up_tokenization(text) if clean_up_tokenization_spaces else text

    def _decode_ids(self, ids: list[int], skip_special_tokens: bool) -> str:
        return self._backend.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **options: Any,
    ) -> list[str]:
        """Return the text of every row of ids."""
        return [
            self.decode(row, skip_special_tokens, clean_up_tokenization_spaces, **options)
            for row in sequences
        ]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Remove the spaces before English punctuation and contractions."""
        for spaced, clean in _CLEAN_UPS:
            out_string = out_string.replace(spaced, clean)
        return out_string


_CLEAN_UPS = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


def _side(name: str, value: str) -> str:
    if value not in _SIDES:
        raise ValueError(
            f"{name} should be selected between 'right' and 'left', current value: {value}"
        )
    return value


def _adopt_stored_settings(tokenizer: Tokenizer, kwargs: dict[str, Any]) -> None:
    """Take over the padding and truncation that a tokenizer.json asks for, as defaults."""
    if (stored := tokenizer.truncation) is not None:
        kwargs.setdefault("max_length", stored["max_length"])
        kwargs.setdefault("truncation_side", stored["direction"])
        kwargs.setdefault("stride", stored["stride"])
        kwargs.setdefault("truncation_strategy", stored["strategy"])
    if (stored := tokenizer.padding) is not None:
        kwargs.setdefault("pad_token", stored["pad_token"])
        kwargs.setdefault("pad_token_type_id", stored["pad_type_id"])
        kwargs.setdefault("padding_side", stored["direction"])
        kwargs.setdefault("max_length", stored["length"])
        kwargs.setdefault("pad_to_multiple_of", stored["pad_to_multiple_of"])


def _check_text(text: Any) -> None:
    """Raise ValueError unless `text` looks like a text, a batch or a batch of word lists."""
    if isinstance(text, str):
        return
    if isinstance(text, (list, tuple)):
        first = text[0] if text else ""
        if isinstance(first, (list, tuple)):
            first = first[0] if first else ""
        if isinstance(first, str):
            return
    raise ValueError(
        "text input must be of type `str` (single example), `List[str]` (batch or single "
        "pretokenized example) or `List[List[str]]` (batch of pretokenized examples), "
        f"got {type(text).__name__}."
    )


def _index(value: Any) -> int:
    index = int(value)
    if index < 0:
        raise ValueError(f"Token ids must not be negative, got {index}.")
    return index


def _as_ids(token_ids: Any) -> list[int]:
    """Return one row of ids as a list of non-negative int."""
    if hasattr(token_ids, "tolist"):
        token_ids = token_ids.tolist()
    if isinstance(token_ids, int):
        token_ids = [token_ids]
    try:
        ids = [int(index) for index in token_ids]
    except TypeError as error:
        raise InputTypeError(
            f"token_ids must be an int or one row of ints, got {token_ids!r}; "
            "use batch_decode for several rows."
        ) from error
    if ids and min(ids) < 0:
        raise ValueError(
            f"token_ids holds the negative id {min(ids)}; replace padding such as -100 first."
        )
    return ids
