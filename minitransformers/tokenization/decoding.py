"""From ids to text."""

from __future__ import annotations

from typing import Any

from .base import TokenizerBase
from .strategies import InputTypeError


class DecodingMixin(TokenizerBase):
    """`decode` and `batch_decode`."""

    clean_up_tokenization_spaces: bool

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **options: Any,
    ) -> str:
        """Return the text of ids (an int, a list, an array); unknown ids are left out.

        options: `spaces_between_special_tokens`, of tokenizers in Python; others change nothing.
        """
        text = self._decode_ids(_as_ids(token_ids), skip_special_tokens, **options)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return self.clean_up_tokenization(text) if clean_up_tokenization_spaces else text

    def _decode_ids(self, ids: list[int], skip_special_tokens: bool, **_: Any) -> str:
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
