"""Text to token ids and back: tokenizers, encodings, chat templates."""

from .auto import AutoTokenizer
from .encoding import BatchEncoding, CharSpan, TokenSpan
from .tokenizer import PreTrainedTokenizerFast

PreTrainedTokenizer = PreTrainedTokenizerFast

__all__ = [
    "AutoTokenizer",
    "BatchEncoding",
    "CharSpan",
    "PreTrainedTokenizer",
    "PreTrainedTokenizerFast",
    "TokenSpan",
]
