"""Fill-mask: what a masked token may have been."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..logging import warning_once
from ..models import auto
from . import texts
from .base import Params, Pipeline, PipelineException
from .text_classification import softmax

_OWN = ("top_k", "targets", "tokenizer_kwargs", "batch_size")


class FillMaskPipeline(Pipeline):
    """Fill in masked tokens: `pipeline("fill-mask")("Paris is the <mask> of France.")`.

    -> [{"score", "token", "token_str", "sequence"}], best first; one such list for each mask
    where a text has several. A list of one text gives what the text alone does.

    top_k: how many tokens
    targets: a text or several: only these tokens are considered. Of one that is not in the
        vocabulary its first part is taken, with a warning.
    tokenizer_kwargs: for the tokenizer
    Raises PipelineException for a text without a mask, or whose mask does not fit in the model.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("masked-lm"))

    def _sanitize_parameters(
        self,
        top_k: int | None = None,
        targets: Any = None,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **unknown: Any,
    ) -> Params:
        texts.check_keywords(type(self).__name__, unknown, _OWN)
        if self.tokenizer.mask_token_id is None:
            raise self._exception("The tokenizer does not define a `mask_token`.")
        preprocess: dict[str, Any] = {}
        if tokenizer_kwargs is not None:
            preprocess["tokenizer_kwargs"] = tokenizer_kwargs
        postprocess: dict[str, Any] = {}
        if targets is not None:
            postprocess["target_ids"] = self.get_target_ids(targets)
        if top_k is not None:
            postprocess["top_k"] = top_k
        return preprocess, {}, postprocess

    def _exception(self, reason: str) -> PipelineException:
        return PipelineException("fill-mask", self.model.base_model_prefix, reason)

    def get_target_ids(self, targets: Any) -> np.ndarray:
        """The tokens of these texts, each once. targets: a text or several -> (n,)"""
        vocab = self.tokenizer.get_vocab()
        ids = []
        for target in [targets] if isinstance(targets, str) else targets:
            if target in vocab:
                ids.append(vocab[target])
                continue
            parts = self.tokenizer(target, add_special_tokens=False)["input_ids"]
            missing = (
                f"The specified target token `{target}` does not exist in the model vocabulary."
            )
            if not parts:
                warning_once(
                    f"{missing} We cannot replace it with anything meaningful, ignoring it"
                )
                continue
            token = self.tokenizer.convert_ids_to_tokens(parts[0])
            warning_once(f"{missing} Replacing with `{token}`.")
            ids.append(parts[0])
        if not ids:
            raise ValueError("At least one target must be provided when passed.")
        return np.array(sorted(set(ids)))

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = super().__call__(inputs, *args, **kwargs)
        return outputs[0] if isinstance(inputs, (list, tuple)) and len(inputs) == 1 else outputs

    def preprocess(self, inputs: Any, tokenizer_kwargs: dict[str, Any] | None = None) -> Any:
        text = texts.check_text(self.task, inputs)
        encoded = texts.encode(self, text, **(tokenizer_kwargs or {}))
        mask = self.tokenizer.mask_token
        found = int((encoded["input_ids"] == self.tokenizer.mask_token_id).sum())
        if not found:
            raise self._exception(f"No mask_token ({mask}) found on the input")
        if found < text.count(mask):
            raise self._exception(
                f"A mask_token ({mask}) lies beyond what the model can take: shorten the input"
            )
        return encoded

    def _forward(self, model_inputs: Any) -> Any:
        outputs = texts.run_model(self.model, model_inputs)
        return {"logits": outputs["logits"], "input_ids": model_inputs["input_ids"]}

    def postprocess(
        self, model_outputs: Any, top_k: int = 5, target_ids: np.ndarray | None = None
    ) -> Any:
        """target_ids: (n,) the only tokens to choose among"""
        ids = model_outputs["input_ids"][0]
        masks = np.flatnonzero(ids == self.tokenizer.mask_token_id).tolist()
        probabilities = softmax(model_outputs["logits"][0, masks])
        candidates = np.arange(probabilities.shape[1]) if target_ids is None else target_ids
        probabilities = probabilities[:, candidates]
        best = _best(probabilities, top_k)
        results = [
            [
                self._proposition(ids, mask, int(candidates[i]), float(row[i]), len(masks) == 1)
                for i in order
            ]
            for mask, row, order in zip(masks, probabilities, best)
        ]
        return results[0] if len(masks) == 1 else results

    def _proposition(
        self, ids: np.ndarray, mask: int, token: int, score: float, single: bool
    ) -> dict[str, Any]:
        filled = ids.copy()
        filled[mask] = token
        if self.tokenizer.pad_token_id is not None:
            filled = filled[filled != self.tokenizer.pad_token_id]
        # beside other masks special tokens stay, as these are special too
        sequence = self.tokenizer.decode(filled, skip_special_tokens=single)
        token_str = self.tokenizer.decode([token])
        return {"score": score, "token": token, "token_str": token_str, "sequence": sequence}


def _best(x: np.ndarray, k: int) -> np.ndarray:
    """The places of the k greatest in each row, the greatest first. (rows, n) -> (rows, k)"""
    k = min(k, x.shape[1])
    found = np.sort(np.argpartition(-x, k - 1, axis=-1)[:, :k], axis=-1)
    order = np.argsort(-np.take_along_axis(x, found, axis=-1), axis=-1, kind="stable")
    return np.take_along_axis(found, order, axis=-1)
