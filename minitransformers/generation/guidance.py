"""Classifier-free guidance: move the scores away from what another prompt would have given."""

from __future__ import annotations

from typing import Any

import numpy as np

from .logits import LogitsProcessor, log_softmax


class UnbatchedClassifierFreeGuidanceLogitsProcessor(LogitsProcessor):
    """Guide a text by the model's own scores without the prompt, or with a negative one.

    "Stay on topic with Classifier-Free Guidance", arXiv 2306.17806.
    guidance_scale: 1 changes nothing, more pushes away from the other text, less towards it
    model: decodes the other text, beside the one generated
    unconditional_ids: (rows, seq) or (1, seq) that it begins with; if not given, the prompt's
        last token
    unconditional_attention_mask: of the same shape, 0 at padding
    Unlike other processors it follows one text from its first new token: make one for each text.
    """

    def __init__(
        self,
        guidance_scale: float,
        model: Any,
        unconditional_ids: np.ndarray | None = None,
        unconditional_attention_mask: np.ndarray | None = None,
        use_cache: bool = True,
    ):
        if getattr(model, "config", None) is not None and model.config.is_encoder_decoder:
            raise ValueError(
                "`guidance_scale` is for models without an encoder, which can continue a text that "
                f"they know nothing else of; {type(model).__name__} has one"
            )
        self.guidance_scale, self.model, self.use_cache = guidance_scale, model, use_cache
        self.unconditional_ids = unconditional_ids
        self.unconditional_attention_mask = unconditional_attention_mask
        self._stream: Any = None
        self._ids: np.ndarray | None = None  # (rows, length) the other text so far

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        scores = log_softmax(scores)
        if self.guidance_scale == 1:
            return scores
        other = log_softmax(self._other_logits(input_ids))
        with np.errstate(invalid="ignore"):  # both may be -inf
            return np.float32(self.guidance_scale) * (scores - other) + other

    def _other_logits(self, ids: np.ndarray) -> np.ndarray:
        """-> (rows, vocab) of the other text, which the last token of `ids` has just continued"""
        if self._ids is None:
            self._ids = self._start(ids)
        else:
            self._ids = np.concatenate([self._ids, ids[:, -1:]], axis=1)
        return self._stream.step(self._ids)["logits"][:, -1]

    def _start(self, ids: np.ndarray) -> np.ndarray:
        given = ids[:, -1:] if self.unconditional_ids is None else self.unconditional_ids
        other = _for_rows(np.asarray(given), len(ids), "negative_prompt_ids")
        inputs = {}
        if self.unconditional_attention_mask is not None:
            mask = np.asarray(self.unconditional_attention_mask)
            inputs["attention_mask"] = _for_rows(mask, len(ids), "negative_prompt_attention_mask")
        if "position_ids" in getattr(self.model, "inputs", ()):
            # as in the reference, padding counts here
            inputs["position_ids"] = np.broadcast_to(np.arange(other.shape[1]), other.shape)
        self._stream = self.model.start(inputs, other, use_cache=self.use_cache)
        return other


def _for_rows(x: np.ndarray, rows: int, name: str) -> np.ndarray:
    """As many rows as the text has, of one or more for each example."""
    if rows % len(x):
        raise ValueError(f"`{name}` has {len(x)} rows, which do not fit a text of {rows} rows")
    return np.repeat(x, rows // len(x), axis=0)


class ClassifierFreeGuidanceLogitsProcessor(LogitsProcessor):
    """Guide texts by scores without their prompts, which come as the second half of the batch.

    "Simple and Controllable Music Generation", arXiv 2306.05284.
    Raises ValueError unless guidance_scale is above 1.
    """

    def __init__(self, guidance_scale: float):
        if not guidance_scale > 1:
            raise ValueError(f"`guidance_scale` has to be above 1, but is {guidance_scale}.")
        self.guidance_scale = guidance_scale

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """scores: (2 * rows, vocab) with and without the prompt -> (rows, vocab)"""
        if len(scores) != 2 * len(input_ids):
            raise ValueError(
                f"there should be twice as many rows of scores as of ids, with and without the "
                f"prompts, but there are {len(scores)} and {len(input_ids)}"
            )
        given, other = np.split(scores, 2)
        with np.errstate(invalid="ignore"):
            return other + (given - other) * np.float32(self.guidance_scale)
