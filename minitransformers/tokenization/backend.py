"""The Rust tokenizer, held so that no call ever changes it.

`enable_truncation` and `encode_special_tokens` are state of a Rust tokenizer, so two threads with
different arguments would disturb each other. Here every combination has a tokenizer of its own (a
variant). Variants share the model, the vocabulary and its cache with the base, so making one takes
about a tenth of a millisecond and next to no memory.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tokenizers import AddedToken, Encoding, Tokenizer

from .convert.templates import add_tokens, set_template
from .strategies import InputTypeError
from .stride import Truncation, check_stride

_VARIANTS_KEPT = 16
_PARALLELISM = "TOKENIZERS_PARALLELISM"


def _quiet_fork() -> None:
    """Let a forked child start without Rust threads, and without a warning about them.

    The threads of the parent's pool do not exist in the child, which would wait for them for ever;
    the library notices, but warns. The variable lives only while the fork lasts, and in the child.
    """

    ours = False

    def before() -> None:
        nonlocal ours
        ours = _PARALLELISM not in os.environ
        if ours:
            os.environ[_PARALLELISM] = "false"

    def after() -> None:
        if ours:
            os.environ.pop(_PARALLELISM, None)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after)


_quiet_fork()


class Variant(NamedTuple):
    """The state of a Rust tokenizer that a call chooses."""

    truncation: Truncation | None = None
    split_special_tokens: bool = False
    # (single, pair): other special tokens around the texts than the tokenizer's own.
    template: tuple[str, str] | None = None


class Backend:
    """A Rust tokenizer that answers any number of threads at once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        # Set once somebody outside holds `tokenizer` and may replace its parts at any time.
        self.lent = False
        self._variants: OrderedDict[Variant, Tokenizer] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer, "lent": self.lent}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.tokenizer, self.lent = state["tokenizer"], state["lent"]
        self._variants = OrderedDict()

    def add_tokens(self, tokens: Sequence[str | AddedToken], special: bool = False) -> int:
        """Add tokens to the vocabulary; return how many were new."""
        # Whoever holds the tokenizer must see the tokens; encodings under way must not.
        tokenizer = self.tokenizer if self.lent else _replicate(self.tokenizer)
        if special:
            added = tokenizer.add_special_tokens(list(tokens))
        else:
            added = add_tokens(tokenizer, tokens)
        self.tokenizer = tokenizer
        self.forget_variants()
        return added

    def forget_variants(self) -> None:
        """Say that `tokenizer` was changed, so that variants are made anew."""
        self._variants = OrderedDict()

    def variant(self, wanted: Variant) -> Tokenizer:
        """Return a tokenizer in the wanted state, which nobody may change."""
        if wanted == Variant():
            return self.tokenizer
        variants = self._variants
        found = None if self.lent else variants.get(wanted)
        if found is None:
            found = _replicate(self.tokenizer)
            if wanted.split_special_tokens:
                if not hasattr(Tokenizer, "encode_special_tokens"):
                    raise ValueError("split_special_tokens=True needs tokenizers 0.19 or later.")
                found.encode_special_tokens = True
            if wanted.template is not None:
                set_template(found, *wanted.template)
            if wanted.truncation is not None:
                found.enable_truncation(**wanted.truncation._asdict())
            variants[wanted] = found
            while len(variants) > _VARIANTS_KEPT:
                try:
                    variants.popitem(last=False)
                except KeyError:  # another thread was first
                    break
        return found

    @property
    def can_skip_offsets(self) -> bool:
        """Whether encoding without offsets is to be had, and repeatable with them later."""
        return not self.lent and hasattr(Tokenizer, "encode_batch_fast")

    def encoder(
        self,
        rows: Sequence[Any],
        *,
        truncation: Truncation | None = None,
        split_special_tokens: bool = False,
        template: tuple[str, str] | None = None,
        add_special_tokens: bool = True,
        is_pretokenized: bool = False,
    ) -> Callable[[bool], list[Encoding]]:
        """Return a function that encodes rows, with offsets or (faster) without.

        rows: each a text or a pair of texts (lists of words when pretokenized).
        Both raise ValueError where the Rust code panics: rows of a wrong type, a sequence too
        short for the cut, a stride that leaves no room.
        """
        if truncation is not None and (truncation.max_length < 0 or truncation.stride < 0):
            raise ValueError(
                f"max_length={truncation.max_length} and stride={truncation.stride} "
                "must not be negative."
            )
        options = {"add_special_tokens": add_special_tokens, "is_pretokenized": is_pretokenized}
        wanted = Variant(truncation, split_special_tokens, template)
        with _explained(rows, is_pretokenized, truncation):
            # Making the variant is the library's own check of the settings.
            tokenizer = self.variant(wanted)
            if truncation is not None and truncation.stride > 0:
                base = self.variant(wanted._replace(truncation=None))

                def count(texts: list[Any]) -> list[int]:
                    plain = {**options, "add_special_tokens": False}
                    return [len(encoding) for encoding in base.encode_batch(texts, **plain)]

                def added(pair: bool) -> int:
                    return base.num_special_tokens_to_add(pair) if add_special_tokens else 0

                pairs = [_as_pair(row, is_pretokenized) for row in rows]
                check_stride(truncation, pairs, count, added)

        def run(offsets: bool) -> list[Encoding]:
            encode = tokenizer.encode_batch if offsets else tokenizer.encode_batch_fast
            with _explained(rows, is_pretokenized, truncation):
                return encode(rows, **options)

        return run


@contextmanager
def _explained(
    rows: Sequence[Any], is_pretokenized: bool, truncation: Truncation | None
) -> Iterator[None]:
    """Turn what the Rust code raises into ValueErrors that name the argument."""
    try:
        yield
    except TypeError as error:
        raise InputTypeError(_explain_type(rows, is_pretokenized)) from error
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(_explain(error, truncation)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(_explain(error, truncation)) from None


def _as_pair(row: Any, is_pretokenized: bool) -> tuple[Any, Any]:
    """Return (text, pair or None) of one row."""
    if is_pretokenized:
        paired = len(row) == 2 and not any(isinstance(part, str) for part in row)
    else:
        paired = isinstance(row, (tuple, list)) and len(row) == 2
    return (row[0], row[1]) if paired else (row, None)


def _replicate(base: Tokenizer) -> Tokenizer:
    """Return a tokenizer that shares everything with `base` but its mutable state."""
    added = base.get_added_tokens_decoder()
    replica = Tokenizer(base.model)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        value = getattr(base, part)
        if value is not None:
            setattr(replica, part, value)
    add_tokens(replica, [added[index] for index in sorted(added)])
    if _described(replica.get_added_tokens_decoder()) != _described(added):
        # Ids that adding in order does not reproduce: pay for a full copy.
        replica = Tokenizer.from_str(base.to_str())
    return replica


def _described(added: dict[int, AddedToken]) -> list[tuple[int, str]]:
    return sorted((index, repr(token)) for index, token in added.items())


def _explain(error: BaseException, truncation: Truncation | None) -> str:
    settings = "" if truncation is None else f" ({json.dumps(truncation._asdict())})"
    return f"The text cannot be encoded with these arguments: {error}{settings}"


def _explain_type(rows: Sequence[Any], is_pretokenized: bool) -> str:
    wanted = "a list of words (str)" if is_pretokenized else "a str"
    for number, row in enumerate(rows):
        for part in _as_pair(row, is_pretokenized) if isinstance(row, (list, tuple)) else (row,):
            words = part if is_pretokenized and isinstance(part, (list, tuple)) else [part]
            wrong = [word for word in words if not isinstance(word, str) and word is not None]
            if wrong:
                return (
                    f"Row {number} of the text holds {wrong[0]!r} of type "
                    f"{type(wrong[0]).__name__}; every text must be {wanted} or a pair of those."
                )
    return f"Every text must be {wanted} or a pair (tuple or list of two) of those."
