"""Feature extraction: the hidden states of texts, or one vector for each text."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import texts
from .base import Params, Pipeline
from .pooling import POOLINGS, pool, unit

_OWN = {"truncation", "tokenize_kwargs", "return_tensors", "pooling", "normalize", "batch_size"}


class FeatureExtractionPipeline(Pipeline):
    """What a model makes of a text: `pipeline("feature-extraction")("A text.")`.

    -> nested lists [1][seq][hidden] a text; with `pooling`, the list [hidden]

    pooling: "mean", "cls", "max" or "last", over the tokens that are not padding
    normalize: make vectors of length one
    return_tensors: return arrays instead of lists
    truncation, tokenize_kwargs: for the tokenizer
    Texts longer than the model can take are cut, with a warning. In batches, the features of a text
    are as many as its tokens: padding is not returned.
    """

    padding_side = "right"  # nothing is continued, even by a model that could

    def _sanitize_parameters(
        self,
        truncation: Any = None,
        tokenize_kwargs: dict[str, Any] | None = None,
        return_tensors: Any = None,
        pooling: str | None = None,
        normalize: bool | None = None,
        **unknown: Any,
    ) -> Params:
        texts.check_keywords(type(self).__name__, unknown, _OWN)
        tokenize = dict(tokenize_kwargs or {})
        texts.check_keywords("the tokenizer", tokenize, texts.tokenizer_keywords(self.tokenizer))
        if truncation is not None:
            if "truncation" in tokenize:
                raise ValueError(
                    "truncation parameter defined twice (given as keyword argument as well as in "
                    "tokenize_kwargs)"
                )
            tokenize["truncation"] = truncation
        if pooling not in (None, *POOLINGS):
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")
        given = {"return_tensors": return_tensors, "pooling": pooling, "normalize": normalize}
        return tokenize, {}, {name: x for name, x in given.items() if x is not None}

    def preprocess(self, inputs: Any, **tokenize_kwargs: Any) -> Any:
        return texts.encode(self, texts.check_text(self.task, inputs), **tokenize_kwargs)

    def _forward(self, model_inputs: Any) -> Any:
        outputs = texts.run_model(self.model, model_inputs)
        mask = model_inputs.get("attention_mask")
        if mask is None:
            mask = np.ones(model_inputs["input_ids"].shape, np.int64)
        return {"features": outputs[0], "attention_mask": mask}

    def postprocess(
        self,
        model_outputs: Any,
        return_tensors: Any = False,
        pooling: str | None = None,
        normalize: bool = False,
    ) -> Any:
        features, mask = model_outputs["features"], model_outputs["attention_mask"]
        if pooling:
            features = pool(features, mask, pooling)[0]
        elif features.ndim == 3:
            features = features[:, mask[0].astype(bool)]
        if normalize:
            features = unit(features)
        return features if return_tensors else features.tolist()
