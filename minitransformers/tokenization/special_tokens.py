"""The special tokens of a tokenizer by role: attributes, ids and setters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken

from .base import TokenizerBase

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
SPECIAL_TOKENS_ATTRIBUTES = [*(f"{role}_token" for role in ROLES), "additional_special_tokens"]

# The special tokens of models that were trained with fairseq.
FAIRSEQ = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}


def _token_property(role: str) -> property:
    name = f"_{role}_token"

    def get(self: Any) -> str | None:
        token = getattr(self, name)
        return None if token is None else str(token)

    def set(self: Any, value: str | AddedToken | None) -> None:
        if not isinstance(value, (str, AddedToken)) and value is not None:
            raise ValueError(
                f"Cannot set a non-string value as the {role.upper()} token, got {value!r}"
            )
        setattr(self, name, value)

    return property(get, set, doc=f"The {role} token as a str, None if there is none.")


def _id_property(role: str) -> property:
    name = f"_{role}_token"

    def get(self: Any) -> int | None:
        token = getattr(self, name)
        return None if token is None else self.convert_tokens_to_ids(str(token))

    def set(self: Any, value: int | None) -> None:
        setattr(self, name, None if value is None else self.convert_ids_to_tokens(value))

    return property(get, set, doc=f"The id of the {role} token, None if there is none.")


class SpecialTokensMixin(TokenizerBase):
    """The attributes `bos_token`, `bos_token_id`, ... `additional_special_tokens`."""

    SPECIAL_TOKENS_ATTRIBUTES = SPECIAL_TOKENS_ATTRIBUTES

    bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token = map(
        _token_property, ROLES
    )
    (
        bos_token_id,
        eos_token_id,
        unk_token_id,
        sep_token_id,
        pad_token_id,
        cls_token_id,
        mask_token_id,
    ) = map(_id_property, ROLES)

    _pad_token_type_id = 0

    def _set_special_tokens(self, tokens: dict[str, Any]) -> None:
        """Set the roles named in `tokens`; the others become None. Raises TypeError."""
        for role in ROLES:
            setattr(self, f"_{role}_token", None)
        self._additional_special_tokens: list[str | AddedToken] | None = []
        for name, value in tokens.items():
            if name not in SPECIAL_TOKENS_ATTRIBUTES or value is None:
                continue
            if name == "additional_special_tokens":
                _check_tokens(name, value)
            elif not isinstance(value, (str, AddedToken)):
                raise TypeError(
                    f"Special token {name} has to be either str or AddedToken "
                    f"but got: {type(value)}"
                )
            setattr(self, name, value)

    @property
    def pad_token_type_id(self) -> int:
        """The token type of padding."""
        return self._pad_token_type_id

    @property
    def additional_special_tokens(self) -> list[str] | None:
        """Special tokens without a role."""
        tokens = self._additional_special_tokens
        return None if tokens is None else [str(token) for token in tokens]

    @additional_special_tokens.setter
    def additional_special_tokens(self, value: Sequence[str | AddedToken] | None) -> None:
        self._additional_special_tokens = None if value is None else list(value)

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The ids of `additional_special_tokens`."""
        return self.convert_tokens_to_ids(self.additional_special_tokens)

    @additional_special_tokens_ids.setter
    def additional_special_tokens_ids(self, values: Sequence[int]) -> None:
        convert = self.convert_ids_to_tokens
        self._additional_special_tokens = [convert(value) for value in values]

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Role -> token, for the roles that are set, as plain strings."""
        values = ((name, getattr(self, name)) for name in SPECIAL_TOKENS_ATTRIBUTES)
        return {name: value for name, value in values if value}

    @property
    def special_tokens_map_extended(self) -> dict[str, Any]:
        """Like `special_tokens_map`, with AddedToken where the token is one."""
        values = ((name, getattr(self, f"_{name}")) for name in SPECIAL_TOKENS_ATTRIBUTES)
        return {name: value for name, value in values if value}

    def _special_tokens(self) -> dict[str, str | AddedToken]:
        tokens: dict[str, str | AddedToken] = {}
        for value in self.special_tokens_map_extended.values():
            for token in value if isinstance(value, (list, tuple)) else [value]:
                tokens.setdefault(str(token), token)
        return tokens

    @property
    def all_special_tokens_extended(self) -> list[str | AddedToken]:
        """Every special token once, in the order of the roles."""
        return list(self._special_tokens().values())

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once, as plain strings."""
        return list(self._special_tokens())

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def add_special_tokens(
        self,
        special_tokens_dict: dict[str, Any],
        replace_additional_special_tokens: bool = True,
    ) -> int:
        """Give roles to tokens, adding the unknown ones to the vocabulary; return how many.

        Raises ValueError for a name that is no role, or a value that is no token.
        """
        added: list[AddedToken] = []
        for name, value in (special_tokens_dict or {}).items():
            if name not in SPECIAL_TOKENS_ATTRIBUTES:
                raise ValueError(
                    f"Key {name} is not a special token, expected one of "
                    f"{', '.join(SPECIAL_TOKENS_ATTRIBUTES)}"
                )
            if name != "additional_special_tokens":
                if not isinstance(value, (str, AddedToken)):
                    raise ValueError(
                        f"Token {value} for key {name} should be a str or an AddedToken instance"
                    )
                token = _special(value)
                setattr(self, name, token)
                if token not in added:
                    added.append(token)
                continue
            _check_tokens(name, value)
            known = () if replace_additional_special_tokens else self.additional_special_tokens
            new = [_special(token) for token in value if str(token) not in (known or ())]
            if replace_additional_special_tokens and new:
                self.additional_special_tokens = new
            else:
                self._additional_special_tokens = [*(self._additional_special_tokens or []), *new]
            added += new
        return self.add_tokens(added, special_tokens=True)


def _special(token: str | AddedToken) -> AddedToken:
    if isinstance(token, AddedToken):
        return token
    return AddedToken(token, rstrip=False, lstrip=False, normalized=False, special=True)


def _check_tokens(name: str, value: Any) -> None:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(token, (str, AddedToken)) for token in value
    ):
        raise ValueError(f"Tokens {value} for key {name} should all be str or AddedToken instances")
