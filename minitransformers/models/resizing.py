"""More tokens, or fewer: the table of tokens, the head and what else has an entry a token."""

from __future__ import annotations

import operator
from typing import Any, ClassVar

import numpy as np

from ..core.layers import Linear
from ..core.module import Module
from ..core.random import default_generator as draw
from .precision import alike


class Resizable(Module):
    """A model whose table of tokens, and the head with it, can be replaced and resized.

    input_embeddings: path of the table below the headless model
    per_token: {name of an array whose last axis is the vocabulary: what it grows by, "zeros" or the
        "mean"}, beside the table and the head
    draws_new_rows: whether rows are drawn as all its fresh weights are; else they are what torch
        makes a layer with
    """

    input_embeddings: ClassVar[str] = ""
    draws_new_rows: ClassVar[bool] = True
    per_token: ClassVar[dict[str, str]] = {}

    def get_input_embeddings(self) -> Any:
        """The token table, an Embedding."""
        return operator.attrgetter(self.input_embeddings)(self.base_model)

    def set_input_embeddings(self, value: Any) -> None:
        """Use another token table, an Embedding. A head that is tied follows at `tie_weights`."""
        owner, _, attribute = self.input_embeddings.rpartition(".")
        base = self.base_model
        old = self.get_input_embeddings().weight
        setattr(operator.attrgetter(owner)(base) if owner else base, attribute, value)
        for name, holder, slot in list(self.slots()):
            if name in self.always_tied and getattr(holder, slot) is old:
                setattr(holder, slot, value.weight)

    def get_output_embeddings(self) -> Any:
        """The language model's last layer, a Linear from hidden states to tokens, or None."""
        for name in self.tied:
            return operator.attrgetter(name.removesuffix(".weight"))(self)
        return getattr(self, "lm_head", None)

    def set_output_embeddings(self, value: Any) -> None:
        """Use another last layer, a Linear; other names of its bias follow."""
        old = self.get_output_embeddings()
        if old is None:
            raise ValueError(f"{type(self).__name__} has no output embeddings to replace")
        bias = old.bias
        for module in self.modules():
            for name, child in module.named_children():
                if child is old:
                    setattr(module, name, value)
        if bias is not None and value.bias is not None:
            replace(self, bias, value.bias)

    def resize_token_embeddings(
        self,
        new_num_tokens: int | None = None,
        pad_to_multiple_of: int | None = None,
        mean_resizing: bool = True,
    ) -> Any:
        """Make room for new_num_tokens tokens, or drop those at the end, in the table, the head and
        the configuration.

        new_num_tokens: None for as many as there are
        pad_to_multiple_of: round the number up to a multiple of this
        mean_resizing: new rows are the mean of the old ones, so that a head gives new tokens an
            average chance; False draws them as fresh weights are
        -> the table, an Embedding
        """
        if new_num_tokens is not None or pad_to_multiple_of is not None:
            resize_tokens(self, new_num_tokens, pad_to_multiple_of, mean_resizing)
        return self.get_input_embeddings()

    def get_position_embeddings(self) -> Any:
        """The table of positions, of an architecture whose table can be resized."""
        raise NotImplementedError(f"{type(self).__name__} has no table of positions to resize")

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Make room for longer texts. Raises NotImplementedError for most architectures."""
        raise NotImplementedError(f"{type(self).__name__} has no table of positions to resize")


def resize_tokens(model: Resizable, n: int | None, multiple: int | None, mean: bool) -> None:
    """Do what `PreTrainedModel.resize_token_embeddings` says."""
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    n = rows_wanted(table.weight.shape[0], n, multiple)
    for name, filling in model.per_token.items():
        resize_last_axis(model, name, n, filling)
    resize(model, table, n, mean)
    if head is not None and not model.config.tie_word_embeddings:
        resize(model, head, n, mean)
    elif head is not None and head.bias is not None:
        resize_last_axis(model, _name(model, head.bias), n, "zeros")
    model.config.get_text_config().vocab_size = n
    model.tie_weights()


def rows_wanted(now: int, n: int | None, multiple: int | None) -> int:
    """How many rows a table of `now` is to get, rounded up to a multiple. Raises ValueError."""
    if multiple is not None and (not isinstance(multiple, int) or multiple < 1):
        raise ValueError(f"pad_to_multiple_of must be a positive integer, not {multiple!r}")
    n = now if n is None else int(n)
    if n < 1:
        raise ValueError(f"new_num_tokens must be positive, not {n}")
    return -(-n // multiple) * multiple if multiple else n


def resize(model: Resizable, layer: Any, n: int, mean: bool) -> None:
    """Give a layer with a row a token n rows, and every name of its arrays with it.

    layer: an Embedding, or a Linear with or without bias
    mean: new rows are the mean of the old ones, else drawn as fresh ones are
    """
    old = layer.weight
    if n == old.shape[0]:
        return
    bias = layer.bias if isinstance(layer, Linear) else None
    if n > old.shape[0]:
        more, more_entries = _added(model, layer, n, mean)
    else:
        more, more_entries = np.zeros((0, old.shape[1]), np.float32), np.zeros(0, np.float32)
    replace(model, old, alike(old, np.concatenate([np.asarray(old)[:n], more])))
    if bias is not None:
        replace(model, bias, np.concatenate([bias[:n], more_entries]))
    padding = getattr(layer, "padding_idx", None)
    if padding is not None and padding >= n:
        layer.padding_idx = None


def resize_last_axis(model: Resizable, name: str, n: int, filling: str) -> None:
    """Give an array with a column a token n of them, if the model has it.

    filling: what new ones are, "zeros" or the "mean" of the old ones
    """
    old = model.state_dict().get(name)
    if old is None:
        return
    added = max(n - old.shape[-1], 0)
    new = np.zeros((*old.shape[:-1], added), np.float32)
    if filling == "mean":
        new += old.mean(-1, keepdims=True)
    replace(model, old, np.concatenate([old[..., :n], new], -1))


def replace(model: Resizable, old: Any, new: Any) -> None:
    """Put an array in the place of another wherever the model holds that."""
    for _, owner, attribute in list(model.slots()):
        if getattr(owner, attribute) is old:
            setattr(owner, attribute, new)


def _name(model: Resizable, array: Any) -> str:
    return next(name for name, x in model.state_dict().items() if x is array)


def _added(model: Resizable, layer: Any, n: int, mean: bool) -> tuple[np.ndarray, Any]:
    """The rows that make n of a layer's (rows, width), and the entries of its bias, None without"""
    old, bias = layer.weight, getattr(layer, "bias", None)
    rows, width = old.shape
    as_made = not mean and not model.draws_new_rows
    # What torch fills the larger layer with at first: it counts for what is drawn later.
    if isinstance(layer, Linear):
        if as_made:
            bound = width**-0.5
            made = draw.uniform((n, width), -bound, bound)[rows:]
            return made, None if bias is None else draw.uniform((n,), -bound, bound)[rows:]
        draw.words(n * width + (0 if bias is None else n))
    else:
        made = draw.normal((n, width))[rows:]
        if as_made:
            return made, None
    if not mean:
        added = draw.normal((n, width), std=model.initial_std(_name(model, old)))[rows:]
        return added, None if bias is None else np.zeros(n - rows, np.float32)
    added = np.broadcast_to(np.asarray(old).mean(0, dtype=np.float32), (n - rows, width))
    if bias is None:
        return added, None
    spread = 1e-9 * float(bias.std(ddof=1))
    return added, draw.normal((n - rows,), float(bias.mean()), spread)
