"""AutoTokenizer: the right class for a repository."""

from __future__ import annotations

import os
from typing import Any

from .tokenizer import PreTrainedTokenizerFast


class AutoTokenizer:
    """Loads a tokenizer of the class that the repository asks for."""

    def __init__(self) -> None:
        raise OSError(
            "AutoTokenizer is designed to be instantiated using the "
            "`AutoTokenizer.from_pretrained(pretrained_model_name_or_path)` method."
        )

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, *inputs: Any, **kwargs: Any
    ) -> PreTrainedTokenizerFast:
        """Load the tokenizer of a folder or repository; takes what its class takes."""
        return PreTrainedTokenizerFast.from_pretrained(
            pretrained_model_name_or_path, *inputs, **kwargs
        )
