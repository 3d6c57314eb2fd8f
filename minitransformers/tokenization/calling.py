"""From text to ids: a call, and the methods that are a call with fewer answers."""

from __future__ import annotations

from typing import Any

from tokenizers import Encoding

from .encoding import BatchEncoding, DeferredEncodings
from .preparation import PreparationMixin
from .strategies import (
    InputTypeError,
    PaddingStrategy,
    Plan,
    TruncationStrategy,
    resolve_strategies,
)
from .stride import Truncation


class EmptyBatchError(IndexError, ValueError):
    """A batch without rows."""


class CallingMixin(PreparationMixin):
    """Calling a tokenizer with texts."""

    split_special_tokens: bool
    is_fast: bool

    def _target_template(self) -> tuple[str, str] | None:
        """Return the template around target texts if it is another one; for subclasses."""
        return None

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
            rows = [self._row(text, text_pair)]
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

    def _row(self, text: Any, text_pair: Any) -> Any:
        """Return a text, or it and its second text."""
        # An empty second text is none in the reference's Rust tokenizers, but one in Python.
        paired = bool(text_pair) if self.is_fast else text_pair is not None
        return (text, text_pair) if paired else text

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
        encode = self._backend.encoder(
            rows,
            truncation=self._truncation(plan, stride),
            split_special_tokens=(
                self.split_special_tokens if split_special_tokens is None else split_special_tokens
            ),
            template=self._target_template() if as_target else None,
            add_special_tokens=add_special_tokens,
            is_pretokenized=is_split_into_words,
        )
        pad = self._padder(plan, pad_to_multiple_of, padding_side)

        def windows(offsets: bool) -> list[list[Encoding]]:
            encodings = encode(offsets)
            pad(encodings)
            if not return_overflowing_tokens:
                return [[encoding] for encoding in encodings]
            return [[encoding, *encoding.overflowing] for encoding in encodings]

        # Offsets take time and are rarely asked for: without need they are left for later. Windows
        # are encoded with them always, as their token types are wrong otherwise (tokenizers 0.23).
        wanted = return_overflowing_tokens or returned.get("return_offsets_mapping")
        skip = self._backend.can_skip_offsets and not wanted
        rows_of_windows = windows(not skip)
        encodings = [part for parts in rows_of_windows for part in parts]
        data = self._columns(encodings, **returned)
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = [
                row for row, parts in enumerate(rows_of_windows) for _ in parts
            ]
        if plan.max_length is None and verbose:
            self._warn_if_too_long(data["input_ids"])
        if not batched and return_tensors is None and not return_overflowing_tokens:
            data = {
                name: column[0] if isinstance(column[0], list) else column
                for name, column in data.items()
            }
        known: Any = encodings
        if skip:
            known = DeferredEncodings(
                encodings, lambda: [part for parts in windows(True) for part in parts]
            )
        return BatchEncoding(data, known, tensor_type=return_tensors)

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
        rows = [self._row(text, text_pair)]
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
        # Tokens are known where offsets are.
        options.update(add_special_tokens=add_special_tokens, return_offsets_mapping=True)
        return self.encode_plus(text, pair, **options).tokens()


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
