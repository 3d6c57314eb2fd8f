"""What a tokenizer call returns: a dictionary that also knows where its tokens came from."""

from __future__ import annotations

import warnings
from collections import UserDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding

from .strategies import InputTypeError, TensorType


class CharSpan(NamedTuple):
    """Characters [start, end) of the original text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens [start, end) of an encoded text."""

    start: int
    end: int


class DeferredEncodings:
    """Encodings made without offsets, to be made again with them if somebody asks.

    without_offsets: one a row. make: encodes the same rows with offsets.
    """

    def __init__(self, without_offsets: list[Encoding], make: Callable[[], list[Encoding]]) -> None:
        self.without_offsets = without_offsets
        self._make = make
        self._full: list[Encoding] | None = None

    def full(self) -> list[Encoding]:
        """Return the encodings with offsets."""
        if self._full is None:
            self._full = self._make()
        return self._full


# Methods that encodings without offsets can answer; newer versions leave out tokens and words, too.
_OFFSET_FREE = {"n_sequences", "sequence_ids", "token_to_sequence"}


class BatchEncoding(UserDict):
    """Token ids, masks and the like by name, and the alignment of tokens, words and characters.

    data: name -> list (of lists), or array (batch, seq) after `convert_to_tensors`.
    encoding: one `tokenizers.Encoding` a row; without it the alignment methods raise ValueError.
    tensor_type: "np", "pt", "tf", "jax" or "mlx": all of them give NumPy int64 arrays.
    """

    def __init__(
        self,
        data: dict[str, Any] | None = None,
        encoding: Encoding | Sequence[Encoding] | DeferredEncodings | None = None,
        tensor_type: str | TensorType | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        super().__init__(data)
        self._encodings: Sequence[Encoding] | DeferredEncodings | None = (
            [encoding] if isinstance(encoding, Encoding) else encoding
        )
        if n_sequences is None and encoding is not None and (rows := self._rows("n_sequences")):
            n_sequences = rows[0].n_sequences
        self._n_sequences = n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    @property
    def n_sequences(self) -> int | None:
        """1 for texts, 2 for pairs of texts, None when unknown."""
        return self._n_sequences

    @property
    def is_fast(self) -> bool:
        """Whether the alignment methods work."""
        return self._encodings is not None

    @property
    def encodings(self) -> Sequence[Encoding] | None:
        """The Rust encodings, one a row."""
        return self._rows("encodings")

    def __getitem__(self, item: str | int | slice) -> Any:
        if isinstance(item, str):
            return self.data[item]
        if self._encodings is not None:
            return self._rows("encodings")[item]  # type: ignore[index]
        if isinstance(item, slice):
            return {name: value[item] for name, value in self.data.items()}
        raise KeyError(
            "Invalid key. Only three types of key are available: (1) string, "
            "(2) integers for backend Encoding, and (3) slices for data subsetting."
        )

    def __getattr__(self, name: str) -> Any:
        # `data` itself is missing while an object is being unpickled or copied.
        data = self.__dict__.get("data")
        if data is not None and name in data:
            return data[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "encodings": self.encodings,
            "n_sequences": self._n_sequences,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.data = state["data"]
        self._encodings = state["encodings"]
        self._n_sequences = state.get("n_sequences")

    def keys(self):
        return self.data.keys()

    def values(self):
        return self.data.values()

    def items(self):
        return self.data.items()

    # -- alignment ------------------------------------------------------------------------------

    def _rows(self, method: str) -> Sequence[Encoding] | None:
        """Return the encodings as a method needs them."""
        if isinstance(self._encodings, DeferredEncodings):
            deferred = self._encodings
            return deferred.without_offsets if method in _OFFSET_FREE else deferred.full()
        return self._encodings

    def _row(self, batch_index: int, method: str) -> Encoding:
        rows = self._rows(method)
        if not rows:
            raise ValueError(
                f"{method}() is not available when using non-fast tokenizers: "
                "this encoding was made without alignment to its text."
            )
        return rows[batch_index]

    def _locate(self, method: str, first: int, second: int | None) -> tuple[Encoding, int]:
        """Read the two calling forms `(index)` and `(batch_index, index)`."""
        batch_index, index = (0, first) if second is None else (first, second)
        encoding = self._row(batch_index, method)
        if index < 0 and method in {"token_to_sequence", "token_to_word", "word_to_tokens"}:
            index += len(encoding)
        return encoding, index

    def tokens(self, batch_index: int = 0) -> list[str]:
        """Return the tokens of a row, special ones included."""
        return self._row(batch_index, "tokens").tokens

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return for each token 0 (first text), 1 (second text) or None (special)."""
        return self._row(batch_index, "sequence_ids").sequence_ids

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return for each token the index of its word, None for special tokens."""
        return self._row(batch_index, "word_ids").word_ids

    def words(self, batch_index: int = 0) -> list[int | None]:
        """Deprecated name of `word_ids`."""
        warnings.warn(
            "`BatchEncoding.words()` is deprecated, use `BatchEncoding.word_ids()`.",
            FutureWarning,
            stacklevel=2,
        )
        return self.word_ids(batch_index)

    def token_to_sequence(
        self, batch_or_token_index: int, token_index: int | None = None
    ) -> int | None:
        """Return which text (0 or 1) a token belongs to."""
        row, index = self._locate("token_to_sequence", batch_or_token_index, token_index)
        return row.token_to_sequence(index)

    def token_to_word(
        self, batch_or_token_index: int, token_index: int | None = None
    ) -> int | None:
        """Return the index of the word a token belongs to."""
        row, index = self._locate("token_to_word", batch_or_token_index, token_index)
        return row.token_to_word(index)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """Return the span of a word's tokens, None if it has none."""
        row, index = self._locate("word_to_tokens", batch_or_word_index, word_index)
        span = row.word_to_tokens(index, sequence_index)
        return None if span is None else TokenSpan(*span)

    def token_to_chars(
        self, batch_or_token_index: int, token_index: int | None = None
    ) -> CharSpan | None:
        """Return the span of a token's characters, None for special tokens."""
        row, index = self._locate("token_to_chars", batch_or_token_index, token_index)
        span = row.token_to_chars(index)
        return None if span is None else CharSpan(*span)

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """Return the token of a character, None for whitespace that no token holds."""
        row, index = self._locate("char_to_token", batch_or_char_index, char_index)
        return row.char_to_token(index, sequence_index)

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan:
        """Return the span of a word's characters; ValueError if no token belongs to the word."""
        row, index = self._locate("word_to_chars", batch_or_word_index, word_index)
        span = row.word_to_chars(index, sequence_index)
        if span is None:
            raise InputTypeError(
                f"word_to_chars(): sequence {sequence_index} has no word with index {index}."
            )
        return CharSpan(*span)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """Return the index of the word a character belongs to, None for whitespace."""
        row, index = self._locate("char_to_word", batch_or_char_index, char_index)
        return row.char_to_word(index, sequence_index)

    # -- arrays ---------------------------------------------------------------------------------

    def convert_to_tensors(
        self, tensor_type: str | TensorType | None = None, prepend_batch_axis: bool = False
    ) -> BatchEncoding:
        """Replace the lists by arrays, in place; return self.

        Rows of different lengths become an object array under "np" and a ValueError under every
        other name, which asks for padding and truncation.
        """
        if tensor_type is None:
            return self
        ragged_allowed = TensorType(tensor_type) is TensorType.NUMPY
        for name, value in self.items():
            batched = [value] if prepend_batch_axis else value
            if isinstance(batched, np.ndarray):
                continue
            self[name] = _as_array(name, batched, ragged_allowed)
        return self

    def to(self, device: Any, **_: Any) -> BatchEncoding:
        """Return self for the CPU; anything else is a ValueError, as arrays live in memory."""
        if str(device).split(":")[0] not in {"cpu", "None"}:
            raise ValueError(
                f"BatchEncoding.to({device!r}): minitransformers computes with NumPy on the CPU; "
                "use `.to('cpu')` or leave the call out."
            )
        return self


def _as_array(name: str, value: Any, ragged_allowed: bool) -> np.ndarray:
    """Return `value` (a scalar, a list, or a list of equally long lists) as an array."""
    try:
        array = np.asarray(value)
        # Without elements NumPy chooses floats.
        return array if array.size else array.astype(np.int64)
    except ValueError as error:
        if ragged_allowed:
            rows = np.empty(len(value), dtype=object)
            rows[:] = [np.asarray(row) for row in value]
            return rows
        raise ValueError(
            "Unable to create tensor, you should probably activate truncation and/or padding with "
            "'padding=True' 'truncation=True' to have batched tensors with the same length. "
            f"Perhaps your features (`{name}` in this case) have excessive nesting "
            "(inputs type `list` where type `int` is expected)."
        ) from error
