"""Drafts from an assistant with another tokenizer: by way of the text."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .assisted import AssistantDrafts, Draft
from .loop import run

_WINDOW = 10  # tokens of the old text translated along, so that pieces at the seam can be aligned


class TranslatedDrafts(AssistantDrafts):
    """The text is translated for the assistant, and its draft back. Always checked by comparing:
    the assistant's probabilities are of other tokens.

    build: (parameters, ids) -> (processors, criteria) for a round of drafting
    """

    def __init__(
        self,
        assistant: Any,
        config: Any,
        build: Callable,
        tokenizer: Any,
        assistant_tokenizer: Any,
        pad: int | None,
    ):
        if assistant.config.is_encoder_decoder:
            raise ValueError("an assistant with a tokenizer of its own must be decoder-only")
        super().__init__(None, config, build, assistant.generation_config, pad)
        self.assistant, self.mine, self.theirs = assistant, tokenizer, assistant_tokenizer
        self.known: np.ndarray | None = None  # (1, length) the text in the assistant's tokens
        self.seen = 0  # how many of the model's tokens it covers

    def propose(self, ids: np.ndarray) -> Draft:
        n = int(self.n)
        if n <= 0 or ids.shape[1] + 1 >= self.config.max_length:
            return ids, None
        text = self.theirs_of(ids)
        parameters = copy.copy(self.config)
        parameters.max_length = text.shape[1] + n
        parameters.min_new_tokens = parameters.min_length = None
        parameters.forced_eos_token_id = None  # of the other vocabulary
        state = self.assistant.start({}, text, reserve=parameters.max_length)
        drafted = text
        for step in run(state, self.strategy(*self.build(parameters, text))):
            drafted = step.ids
        start = max(text.shape[1] - _WINDOW, 0)
        back = translate(drafted[:, start:], self.theirs, self.mine)
        _, new, _ = aligned(ids[:, -back.shape[1] :], back)
        draft = back if new is None else new
        return np.concatenate([ids, draft], axis=1)[:, : self.config.max_length], None

    def theirs_of(self, ids: np.ndarray) -> np.ndarray:
        """The text in the assistant's tokens, of which only the end is translated anew."""
        if self.known is None or self.seen <= _WINDOW:
            known = translate(ids, self.mine, self.theirs)
        else:
            window = translate(ids[:, self.seen - _WINDOW :], self.mine, self.theirs)
            stale, new, changed = aligned(self.known[:, -window.shape[1] :], window)
            known = self.known
            if new is None:
                new = window
            elif stale:
                known = np.concatenate([known[:, : known.shape[1] - stale], changed], axis=1)
            known = np.concatenate([known, new], axis=1)
        self.known, self.seen = known, ids.shape[1]
        return known


def translate(ids: np.ndarray, source: Any, target: Any) -> np.ndarray:
    """(1, n) ids of one tokenizer -> (1, m) ids of another"""
    text = source.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True)
    return np.asarray(target(text, add_special_tokens=True, return_tensors="np")["input_ids"])


def aligned(
    old: np.ndarray, window: np.ndarray
) -> tuple[int, np.ndarray | None, np.ndarray | None]:
    """Lay a window over the end of a text, along their longest common run.

    old: (1, n); window: (1, m) -> how many of old's last tokens the window has otherwise, the
    window's tokens beyond old, and those in place of the differing ones; None if nothing is common
    """
    same = window[0][:, None] == old[0][None, :]
    if not same.any():
        return 0, None, None
    run_length = np.zeros((same.shape[0] + 1, same.shape[1] + 1), np.int64)
    for i in range(same.shape[0] - 1, -1, -1):  # runs that start here, from those one further
        run_length[i, :-1] = np.where(same[i], run_length[i + 1, 1:] + 1, 0)
    row, column = np.unravel_index(run_length.argmax(), run_length.shape)
    length = int(run_length[row, column])
    end, stale = int(row) + length, old.shape[1] - int(column) - length
    return stale, window[:, end + stale :], window[:, end : end + stale]
