"""Special tokens in a Rust tokenizer: adding them, and where they stand around texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tokenizers import AddedToken, Tokenizer, processors

from ..strategies import InputTypeError


def add_tokens(tokenizer: Tokenizer, tokens: Sequence[str | AddedToken]) -> int:
    """Add tokens in order, each special if it says so; return how many were new.

    Before tokenizers 0.20, `Tokenizer.add_tokens` forgets that a token is special.
    """

    def is_special(token: str | AddedToken) -> bool:
        return isinstance(token, AddedToken) and token.special

    return sum(
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(list(run))
        for special, run in groupby(tokens, key=is_special)
    )


def set_template(tokenizer: Tokenizer, single: str, pair: str) -> None:
    """Give `tokenizer` a template such as "[CLS]:0 $A:0 [SEP]:0"; tokens contain no spaces.

    Raises ValueError if a token of the template is not in the vocabulary.
    """
    tokens = {
        part.rsplit(":", 1)[0] if part.rsplit(":", 1)[-1].isdigit() else part
        for part in f"{single} {pair}".split(" ")
        if not part.startswith("$")
    }
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(token, token_id(tokenizer, token)) for token in sorted(tokens) if token],
    )


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that must exist, or ValueError."""
    index = tokenizer.token_to_id(str(token))
    if index is None:
        raise InputTypeError(
            f"The special token {str(token)!r} is not in the vocabulary, but the model's format "
            "puts it around every text."
        )
    return index
