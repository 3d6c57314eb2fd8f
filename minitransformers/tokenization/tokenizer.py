"""The tokenizer: text to ids and back, with every option of a call."""

from __future__ import annotations

import copy
import threading
from typing import Any

from tokenizers import AddedToken, Tokenizer

from .backend import Backend
from .chat import ChatMixin
from .decoding import DecodingMixin
from .deprecated import DeprecatedMixin
from .loading import LoadingMixin
from .retraining import RetrainingMixin
from .saving import SavingMixin
from .strategies import VERY_LARGE_INTEGER, logger
from .vocabulary import VocabularyMixin

_SIDES = ("right", "left")


class PreTrainedTokenizerFast(
    DeprecatedMixin,
    DecodingMixin,
    VocabularyMixin,
    ChatMixin,
    SavingMixin,
    RetrainingMixin,
    LoadingMixin,
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
