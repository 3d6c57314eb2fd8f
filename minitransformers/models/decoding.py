"""Decoding step by step: the protocol between a model and the generation loop.

The loop knows a model only by `model.start(inputs) -> Decoding`, and a Decoding by `step`,
`reorder` and `crop`. Whether there is an encoder is settled here and nowhere else.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..core.cache import KVCache, continued
from ..core.state import State
from ..core.threads import computing


class Decoding:
    """A model in the middle of a text: its cache, its masks, and its encoder's output.

    inputs: what `generate` was given for the model, arrays by name
    copies: how many rows decode each example
    prompt: (rows, seq) ids of the decoder's prompt; (rows, 0) where it is given as embeddings
    reserve: the length to make room for
    use_cache: False computes everything anew at each step
    """

    def __init__(
        self,
        model: Any,
        inputs: dict[str, Any],
        prompt: np.ndarray,
        *,
        copies: int = 1,
        reserve: int = 0,
        use_cache: bool = True,
        hidden: bool = False,
        attentions: bool = False,
    ):
        self.model, self.hidden, self.attentions = model, hidden, attentions
        self.encoded: Any = None
        inputs = dict(inputs)
        past = inputs.pop("past_key_values", None)
        if model.config.is_encoder_decoder:
            self._name = "decoder_"
            inputs = self._encode(inputs)
        else:
            self._name = ""
        self.prompt = _repeat(prompt, copies)
        self.inputs = {name: _repeat(x, copies) for name, x in inputs.items()}
        self.cache = continued(past)
        if self.cache is None and use_cache and model._caches():
            self.cache = KVCache()
        if self.cache is not None:
            if copies > 1 and len(self.cache):
                self.cache.reorder(np.repeat(np.arange(len(prompt)), copies))
            self.cache.reserve = reserve
        self._mask = self.inputs.pop(f"{self._name}attention_mask", None)
        if self._mask is not None and self._mask.all():
            self._mask = None
        self._embeds = self.inputs.pop(f"{self._name}inputs_embeds", None)
        self._positions = self.inputs.pop(f"{self._name}position_ids", None)

    def _encode(self, inputs: dict[str, Any]) -> dict[str, Any]:
        names = ("input_ids", "inputs_embeds", "head_mask", *self.model.encoder_inputs)
        own = {name: inputs.pop(name) for name in names if name in inputs}
        if "encoder_outputs" not in inputs:
            state = State(hidden=self.hidden, attentions=self.attentions)
            mask = inputs.get("attention_mask")
            inputs["encoder_outputs"] = self.model.encode(state, attention_mask=mask, **own)
        self.encoded = inputs["encoder_outputs"]
        return inputs

    @property
    def length(self) -> int:
        """Positions in the cache."""
        return self.cache.length if self.cache is not None else 0

    def depth(self) -> tuple[int, bool]:
        """-> how many layers decode, and whether the head uses the input embeddings"""
        return self.model.config.num_hidden_layers, self.model.config.tie_word_embeddings

    def head(self, hidden: np.ndarray) -> np.ndarray:
        """Logits from a hidden state of any layer. (rows, hidden) -> (rows, vocab)"""
        return self.model.get_output_embeddings()(hidden)

    def padding(self) -> np.ndarray | None:
        """Where the decoder's prompt is padding: (rows, prompt) bool, None if nowhere"""
        return None if self._mask is None else self._mask == 0

    def step(self, ids: np.ndarray, last: int = 1) -> dict[str, Any]:
        """Run the model on what it has not seen yet.

        ids: (rows, length) the whole text so far; last: logits of how many last positions
        -> {"logits": (rows, last, vocab), "hidden_states", "attentions", "cross_attentions"}
        """
        state = State(self.cache, hidden=self.hidden, attentions=self.attentions, last=last)
        given = self._new_inputs(ids, state.past)
        with computing():
            logits = self.model.forward(state, **given)["logits"]
        return {
            "logits": logits,
            "hidden_states": state.hidden_states and tuple(state.hidden_states),
            "attentions": state.attentions and tuple(state.attentions),
            "cross_attentions": state.cross_attentions and tuple(state.cross_attentions),
        }

    def _new_inputs(self, ids: np.ndarray, past: int) -> dict[str, Any]:
        """The inputs of a pass over the positions from `past` on."""
        name, given = self._name, dict(self.inputs)
        prefix = 0 if self._embeds is None else self._embeds.shape[1]
        total = prefix + ids.shape[1]
        if past < prefix:
            given[f"{name}inputs_embeds"] = self._embedded(ids)
        else:
            given[f"{name}input_ids"] = ids[:, past - prefix :]
        mask = self._mask
        if mask is not None:
            missing = total - mask.shape[1]
            if missing > 0:  # what was generated is never padding
                mask = np.concatenate([mask, np.ones((len(mask), missing), mask.dtype)], axis=1)
                self._mask = mask
            given[f"{name}attention_mask"] = mask = mask[:, :total]
        if not name:
            self._place(given, mask, past, total)
        if "token_type_ids" in given:  # a generated token is of the last one's type
            types = given["token_type_ids"]
            more = np.repeat(types[:, -1:], max(total - types.shape[1], 0), axis=1)
            given["token_type_ids"] = np.concatenate([types, more], axis=1)[:, past:total]
        return given

    def _place(self, given: dict[str, Any], mask: Any, past: int, total: int) -> None:
        """Positions count what is not padding, so that a padded row continues as it would alone."""
        if "position_ids" not in self.model.inputs or not self.model.positions_skip_padding:
            return
        if self._positions is not None:
            known = self._positions
            more = known[:, -1:] + np.arange(1, max(total - known.shape[1], 0) + 1)
            given["position_ids"] = np.concatenate([known, more], axis=1)[:, past:total]
        elif mask is not None and not mask.all():
            positions = np.where(mask == 0, 1, mask.cumsum(-1) - 1)
            given["position_ids"] = positions[:, past:]
        elif self.model.positions_from_zero:
            given["position_ids"] = np.arange(past, total)[None]

    def _embedded(self, ids: np.ndarray) -> np.ndarray:
        """The prompt's embeddings, followed by those of what was generated."""
        if not ids.shape[1]:
            return self._embeds
        table = self.model.get_input_embeddings()
        return np.concatenate([self._embeds, table(ids)], axis=1)

    def reorder(self, rows: np.ndarray, start: int = 0) -> None:
        """Row i continues what row rows[i] was. start: see `KVCache.reorder`"""
        if self.cache is not None:
            self.cache.reorder(rows, start)
        if start:
            return
        self.inputs = {name: _take(x, rows) for name, x in self.inputs.items()}
        self._mask = None if self._mask is None else self._mask[rows]
        self._embeds = None if self._embeds is None else self._embeds[rows]
        self._positions = None if self._positions is None else self._positions[rows]

    def joined(self, other: Decoding | None, rows: np.ndarray | None = None) -> Decoding:
        """Some rows of this and all of another, aligned at their last positions.

        rows: the rows to keep, all by default. Positions that are padding in every row are dropped.
        """
        parts = [(self, np.arange(len(self.seen())) if rows is None else rows)]
        if other is not None:
            parts.append((other, np.arange(len(other.seen()))))
        length = max(int(part.seen()[kept].sum(-1).max()) for part, kept in parts)
        new = copy.copy(self)
        new.cache = KVCache.joined([(part.cache, kept) for part, kept in parts], length)
        masks = [part.seen()[kept][:, -length:] for part, kept in parts]
        new._mask = np.concatenate([np.pad(m, ((0, 0), (length - m.shape[1], 0))) for m in masks])
        if new._mask.all():
            new._mask = None
        return new

    def seen(self) -> np.ndarray:
        """Which cached positions are text: (rows, length), 1 or 0"""
        if self._mask is not None:
            return self._mask[:, : self.length]
        assert self.cache is not None
        return np.ones((len(self.cache[0][0]), self.length), np.int64)

    def crop(self, length: int) -> None:
        """Forget the positions from `length` on."""
        if self.cache is not None:
            self.cache.crop(length)
        if self._mask is not None:
            self._mask = self._mask[:, :length]


def _repeat(x: Any, copies: int) -> Any:
    """Each row of an array, or of the arrays in a record, several times in a row."""
    return x if copies == 1 else _take(x, None, copies)


def _take(x: Any, rows: np.ndarray | None, copies: int = 1) -> Any:
    if isinstance(x, np.ndarray) and x.ndim:
        return np.repeat(x, copies, axis=0) if rows is None else x[rows]
    if isinstance(x, dict):
        return type(x)(**{name: _take(value, rows, copies) for name, value in x.items()})
    if isinstance(x, (tuple, list)):
        return tuple(_take(value, rows, copies) for value in x)
    return x
