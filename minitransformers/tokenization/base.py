"""What the parts of a tokenizer know about each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken

from .backend import Backend
from .strategies import Plan


class TokenizerBase:
    """The attributes that every part of a tokenizer may use; the parts define them."""

    model_input_names: list[str]
    padding_side: str
    truncation_side: str
    model_max_length: int
    init_kwargs: dict[str, Any]
    chat_template: str | dict[str, str] | None
    vocab_files_names: dict[str, str]
    saves_vocabulary: bool
    _backend: Backend
    _unk_token: str | AddedToken | None
    _pad_token: str | AddedToken | None
    _mask_token: str | AddedToken | None
    _additional_special_tokens: list[str | AddedToken] | None
    _pad_token_type_id: int

    if TYPE_CHECKING:

        @property
        def vocab_size(self) -> int: ...

        @property
        def added_tokens_decoder(self) -> dict[int, AddedToken]: ...

        @property
        def added_tokens_encoder(self) -> dict[str, int]: ...

        def __call__(self, text: Any, **options: Any) -> Any: ...

        def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int: ...

        def convert_tokens_to_ids(self, tokens: Any) -> Any: ...

        def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any: ...

        def num_special_tokens_to_add(self, pair: bool = False) -> int: ...

        def build_inputs_with_special_tokens(
            self, token_ids_0: list[int], token_ids_1: list[int] | None = None
        ) -> list[int]: ...

        def create_token_type_ids_from_sequences(
            self, token_ids_0: list[int], token_ids_1: list[int] | None = None
        ) -> list[int]: ...

        def get_special_tokens_mask(
            self,
            token_ids_0: Sequence[int],
            token_ids_1: Sequence[int] | None = None,
            already_has_special_tokens: bool = False,
        ) -> list[int]: ...

        def _plan(
            self,
            padding: Any,
            truncation: Any,
            max_length: int | None,
            pad_to_multiple_of: int | None,
            verbose: bool,
        ) -> Plan: ...

        def _warn_if_too_long(self, rows: list[list[int]]) -> None: ...

        def _remind(self, topic: str, message: str) -> None: ...
