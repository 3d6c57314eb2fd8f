"""Zero-shot classification: labels that are chosen at the call, judged by textual entailment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..logging import warning_once
from ..models import auto
from . import texts
from .base import ChunkPipeline, Params
from .text_classification import softmax

_OWN = ("candidate_labels", "hypothesis_template", "multi_label", "multi_class", "batch_size")


class ZeroShotClassificationPipeline(ChunkPipeline):
    """Label texts: `pipeline("zero-shot-classification")(text, ["politics", "sport"])`.

    The model judges whether the text entails "This example is politics." (Yin et al., 2019); all
    labels of a text go through it together.
    -> {"sequence", "labels", "scores"}, best first; of a list, one such dictionary a text

    candidate_labels: a list, or a text with commas
    hypothesis_template: the sentence that a label is put in, at {}
    multi_label: each label holds or not by itself; else the scores of all add up to one
    A text that is too long for the model is cut, a hypothesis is not.
    """

    parts_at_once = 16

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("sequence-classification"))
        if self.entailment_id == -1:
            warning_once(
                "Failed to determine 'entailment' label id from the label2id mapping in the model "
                "config. Setting to -1. Define a descriptive label2id mapping in the model config "
                "to ensure correct outputs."
            )

    @property
    def entailment_id(self) -> int:
        """The output that says entailment; -1 if no label does."""
        labels = self.model.config.label2id.items()
        return next((i for label, i in labels if label.lower().startswith("entail")), -1)

    def _sanitize_parameters(
        self,
        candidate_labels: Any = None,
        hypothesis_template: str | None = None,
        multi_label: bool | None = None,
        multi_class: bool | None = None,
        **unknown: Any,
    ) -> Params:
        texts.check_keywords(type(self).__name__, unknown, _OWN)
        if multi_class is not None:
            warning_once("The `multi_class` argument has been deprecated: it is `multi_label` now.")
            multi_label = multi_class
        if isinstance(candidate_labels, str):
            candidate_labels = [x.strip() for x in candidate_labels.split(",") if x.strip()]
        preprocess = {
            "candidate_labels": candidate_labels,
            "hypothesis_template": hypothesis_template,
        }
        preprocess = {name: x for name, x in preprocess.items() if x is not None}
        return preprocess, {}, {} if multi_label is None else {"multi_label": multi_label}

    def __call__(self, inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
        inputs = kwargs.pop("sequences", inputs)
        if args and (len(args) > 1 or "candidate_labels" in kwargs):
            raise ValueError(f"Unable to understand extra arguments {args}")
        if args:
            kwargs["candidate_labels"] = args[0]
        return super().__call__(inputs, **kwargs)

    def preprocess(
        self,
        inputs: str,
        candidate_labels: list[str] | None = None,
        hypothesis_template: str = "This example is {}.",
    ) -> Iterator[dict[str, Any]]:
        text = texts.check_text(self.task, inputs)
        if not candidate_labels or not text:
            raise ValueError("You must include at least one label and at least one sequence.")
        if hypothesis_template.format(candidate_labels[0]) == hypothesis_template:
            raise ValueError(
                f'The provided hypothesis_template "{hypothesis_template}" was not able to be '
                "formatted with the target labels. Make sure the passed template includes "
                "formatting syntax such as {} where the label should go."
            )
        limit = texts.longest_allowed(self)
        options: dict[str, Any] = {"return_tensors": "np", "verbose": False}
        for label in candidate_labels:
            pair = (text, hypothesis_template.format(label))
            encoded = self.tokenizer(*pair, **options)
            length = encoded["input_ids"].shape[1]
            if limit is not None and length > limit:
                texts.warn_of_cut(self, length, limit, "shorten the labels")
                encoded = self.tokenizer(
                    *pair, truncation="only_first", max_length=limit, **options
                )
            yield {"candidate_label": label, "sequence": text, **encoded}

    def _forward(self, inputs: Any) -> Any:
        names = self.tokenizer.model_input_names
        given = {name: inputs[name] for name in names if name in inputs}
        kept = {name: inputs[name] for name in ("candidate_label", "sequence")}
        return {"logits": texts.run_model(self.model, given)["logits"]} | kept

    def postprocess(
        self, model_outputs: list[dict[str, Any]], multi_label: bool = False
    ) -> dict[str, Any]:
        labels = [output["candidate_label"] for output in model_outputs]
        logits = np.concatenate([output["logits"] for output in model_outputs])
        entailment = self.entailment_id
        if multi_label or len(labels) == 1:
            contradiction = -1 if entailment == 0 else 0
            scores = softmax(logits[:, [contradiction, entailment]])[:, 1]
        else:
            scores = softmax(logits[:, entailment])
        order = scores.argsort()[::-1]
        return {
            "sequence": model_outputs[0]["sequence"],
            "labels": [labels[i] for i in order],
            "scores": scores[order].tolist(),
        }
