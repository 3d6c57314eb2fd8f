"""Text to token ids and back: tokenizers, encodings, chat templates."""

from typing import Any

from tokenizers import AddedToken

from .auto import AutoTokenizer
from .encoding import BatchEncoding, CharSpan, TokenSpan
from .schema import get_json_schema
from .tokenizer import PreTrainedTokenizerFast

PreTrainedTokenizer = PreTrainedTokenizerBase = PreTrainedTokenizerFast

__all__ = [
    "AddedToken",
    "AutoTokenizer",
    "BatchEncoding",
    "CharSpan",
    "PreTrainedTokenizer",
    "PreTrainedTokenizerBase",
    "PreTrainedTokenizerFast",
    "TokenSpan",
    "get_json_schema",
]


def __getattr__(name: str) -> Any:
    """Find BertTokenizer, BertTokenizerFast, ... in the table of classes."""
    from .classes import tokenizer_class

    found = None if name.startswith("_") else tokenizer_class(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
