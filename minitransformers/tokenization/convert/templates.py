"""Where special tokens stand around one text or two."""

from __future__ import annotations

from tokenizers import Tokenizer, processors

from ..strategies import InputTypeError


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
