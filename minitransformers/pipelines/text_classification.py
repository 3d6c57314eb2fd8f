"""Text classification: labels for texts and pairs of texts."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from ..logging import warning_once
from ..models import auto
from . import texts
from .base import Params, Pipeline


class ClassificationFunction(str, enum.Enum):
    """What makes scores of logits."""

    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"
    NONE = "none"


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


class TextClassificationPipeline(Pipeline):
    """Label texts: `pipeline("text-classification")("We are glad.")`.

    An input is a text, or a pair as {"text": ..., "text_pair": ...}.
    -> for a text [{"label", "score"}]; for a list one such dictionary a text. With `top_k` in the
    call a text gives its labels, best first, and a list one such list a text; with `top_k` given to
    the constructor, a text gives them in one more list. So does the reference.

    top_k: how many labels; None for all
    function_to_apply: "sigmoid", "softmax" or "none"; left out, a regression has none, several
        labels that may hold at once and a single label have the sigmoid, others the softmax
    return_all_scores: old name of top_k=None, unsorted
    other keywords: the tokenizer's, such as truncation and max_length
    Texts longer than the model can take are cut, with a warning.
    """

    return_all_scores = False
    function_to_apply = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("sequence-classification"))

    def _sanitize_parameters(
        self,
        return_all_scores: bool | None = None,
        function_to_apply: Any = None,
        top_k: Any = "",
        **tokenizer_kwargs: Any,
    ) -> Params:
        accepted = texts.tokenizer_keywords(self.tokenizer)
        own = {"top_k", "function_to_apply", "return_all_scores", "batch_size"}
        texts.check_keywords(type(self).__name__, tokenizer_kwargs, accepted | own)
        postprocess: dict[str, Any] = {}
        if return_all_scores is None:
            return_all_scores = getattr(self.model.config, "return_all_scores", None)
        if top_k is None or isinstance(top_k, int):
            postprocess |= {"top_k": top_k, "_legacy": False}
        elif top_k != "":
            raise ValueError(f"top_k must be an integer or None, not {top_k!r}")
        elif return_all_scores is not None:
            warning_once(
                "`return_all_scores` is now deprecated,  if want a similar functionality use "
                "`top_k=None` instead of `return_all_scores=True` or `top_k=1` instead of "
                "`return_all_scores=False`."
            )
            postprocess["top_k"] = None if return_all_scores else 1
        if function_to_apply is not None:
            postprocess["function_to_apply"] = _function(function_to_apply)
        return tokenizer_kwargs, {}, postprocess

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        result = super().__call__(inputs, *args, **kwargs)
        return [result] if isinstance(inputs, str) and "top_k" not in kwargs else result

    def preprocess(self, inputs: Any, **tokenizer_kwargs: Any) -> Any:
        if isinstance(inputs, dict):
            return texts.encode(self, **inputs, **tokenizer_kwargs)
        if isinstance(inputs, (list, tuple)):
            nested = len(inputs) == 1 and isinstance(inputs[0], (list, tuple))
            if nested and len(inputs[0]) == 2:  # [[text, pair]], an old way to give pairs
                return texts.encode(self, *inputs[0], **tokenizer_kwargs)
            raise ValueError(
                "The pipeline received invalid inputs, if you are trying to send text pairs, you "
                'can try to send a dictionary `{"text": "My text", "text_pair": "My pair"}` in '
                "order to send a text pair."
            )
        return texts.encode(self, texts.check_text(self.task, inputs), **tokenizer_kwargs)

    def _forward(self, model_inputs: Any) -> Any:
        return texts.run_model(self.model, model_inputs)

    def postprocess(
        self,
        model_outputs: Any,
        function_to_apply: ClassificationFunction | None = None,
        top_k: int | None = 1,
        _legacy: bool = True,
    ) -> Any:
        logits: np.ndarray = np.asarray(model_outputs["logits"][0], np.float32)
        function = function_to_apply or self._default_function()
        if function is ClassificationFunction.SIGMOID:
            scores: np.ndarray = 1.0 / (1.0 + np.exp(-logits))
        else:
            scores = softmax(logits) if function is ClassificationFunction.SOFTMAX else logits
        names = self.model.config.id2label
        labels = [{"label": names[i], "score": x} for i, x in enumerate(scores.tolist())]
        if _legacy:
            return labels[int(scores.argmax())] if top_k == 1 else labels
        labels.sort(key=lambda label: label["score"], reverse=True)
        return labels if top_k is None else labels[:top_k]

    def _default_function(self) -> ClassificationFunction:
        config = self.model.config
        if self.function_to_apply is not None:
            return _function(self.function_to_apply)
        if config.problem_type == "regression":
            return ClassificationFunction.NONE
        if config.problem_type == "multi_label_classification" or config.num_labels == 1:
            return ClassificationFunction.SIGMOID
        return ClassificationFunction.SOFTMAX


def _function(name: Any) -> ClassificationFunction:
    name = getattr(name, "value", name)
    try:
        return ClassificationFunction(name.lower())
    except (ValueError, AttributeError):
        raise ValueError(
            f"Unrecognized `function_to_apply` argument: {name!r}; it is one of "
            f"{', '.join(f.value for f in ClassificationFunction)}"
        ) from None
