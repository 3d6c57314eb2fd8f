"""Methods that tutorials still call and that newer ones replace."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .calling import CallingMixin
from .encoding import BatchEncoding

_target_mode: ContextVar[bool] = ContextVar("target_mode", default=False)


class DeprecatedMixin(CallingMixin):
    """`as_target_tokenizer`, `prepare_seq2seq_batch` and `sanitize_special_tokens`."""

    @contextmanager
    def as_target_tokenizer(self) -> Iterator[None]:
        """Encode texts as targets inside a `with` block; pass `text_target` instead."""
        warnings.warn(
            "`as_target_tokenizer` is deprecated: pass the targets as `text_target`.",
            FutureWarning,
            stacklevel=3,
        )
        token = _target_mode.set(True)
        try:
            yield
        finally:
            _target_mode.reset(token)

    def _encode_rows(self, rows: list[Any], *, batched: bool, **options: Any) -> BatchEncoding:
        if _target_mode.get():
            options["as_target"] = True
        return super()._encode_rows(rows, batched=batched, **options)

    def prepare_seq2seq_batch(
        self,
        src_texts: list[str],
        tgt_texts: list[str] | None = None,
        max_length: int | None = None,
        max_target_length: int | None = None,
        padding: str | bool = "longest",
        return_tensors: str | None = None,
        truncation: bool | str = True,
        **options: Any,
    ) -> BatchEncoding:
        """Encode source and target texts; call the tokenizer with `text_target` instead.

        src_lang and tgt_lang are set first, where the tokenizer knows languages.
        """
        warnings.warn(
            "`prepare_seq2seq_batch` is deprecated: call the tokenizer with `text_target`.",
            FutureWarning,
            stacklevel=2,
        )
        for name in ("src_lang", "tgt_lang"):
            value = options.pop(name, None)
            if value is not None and hasattr(self, name):
                setattr(self, name, value)
        options.update(padding=padding, truncation=truncation, return_tensors=return_tensors)
        encoded = self(src_texts, max_length=max_length, **options)
        if tgt_texts is not None:
            target = max_length if max_target_length is None else max_target_length
            labels = self(text_target=tgt_texts, max_length=target, **options)
            encoded["labels"] = labels["input_ids"]
        return encoded

    def sanitize_special_tokens(self) -> int:
        """Add the special tokens that the vocabulary lacks; return how many were new."""
        return self.add_tokens(self.all_special_tokens_extended, special_tokens=True)
