"""The detector of SynthID Text's watermarks: a small trained model of what they leave.

"Scalable watermarking for identifying large language model outputs", "BayesianScore",
https://www.nature.com/articles/s41586-024-08025-4
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.module import Module, placeholder
from ..core.random import Generator
from ..core.state import State
from ..generation.synthid import SynthIDTextWatermarkLogitsProcessor
from .config import PretrainedConfig
from .modeling import PreTrainedModel
from .outputs import ModelOutput

_SURE = 1e-5  # probabilities closer to 0 or 1 than this are not told apart


class BayesianDetectorConfig(PretrainedConfig):
    """watermarking_depth: layers of the tournament; base_rate: how many texts are marked

    model_name, watermarking_config: whose marks it was trained to find
    """

    watermarking_depth: int | None = None
    base_rate: float = 0.5
    model_name: str | None = None
    watermarking_config: Any = None

    def set_detector_information(self, model_name: str, watermarking_config: Any) -> None:
        self.model_name, self.watermarking_config = model_name, watermarking_config


class BayesianWatermarkDetectorModelOutput(ModelOutput):
    """posterior_probabilities: (batch,) of being marked"""

    loss: Any = None
    posterior_probabilities: Any = None


class BayesianDetectorWatermarkedLikelihood(Module):
    """How likely two different tokens met in a match, by the results of the matches before it.

    beta: (1, 1, depth); delta: (1, 1, depth, depth), of which what is below the diagonal counts
    """

    def __init__(self, depth: int):
        self.beta, self.delta = placeholder(1, 1, depth), placeholder(1, 1, depth, depth)

    def __call__(self, g: np.ndarray) -> Any:
        """g: (batch, length, depth) 0 or 1 -> (batch, length, depth)"""
        depth = g.shape[-1]
        before = np.tril(np.ones((depth, depth), np.float32), -1)
        delta = ops.reshape(self.delta, shape=(depth, depth)) * before
        return ops.sigmoid(ops.linear(g, delta) + self.beta)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        fresh = draw.normal(getattr(self, attribute).shape, std=0.001)
        return fresh - np.float32(2.5) if attribute == "beta" else fresh


class BayesianDetectorModel(PreTrainedModel):
    """The probability that a text is marked, by Bayes' rule."""

    config_class = BayesianDetectorConfig
    base_model_prefix = "model"
    main_input_name = "g_values"
    inputs = ("g_values", "mask")
    targets = ("labels", "loss_batch_weight")
    output_class = BayesianWatermarkDetectorModelOutput

    def __init__(self, config: BayesianDetectorConfig):
        super().__init__(config)
        if not config.watermarking_depth:
            raise ValueError("the configuration must say the watermarking_depth, a positive number")
        self.likelihood_model_watermarked = BayesianDetectorWatermarkedLikelihood(
            config.watermarking_depth
        )
        self.prior = placeholder(1)

    def __call__(
        self,
        g_values: np.ndarray,
        mask: np.ndarray,
        labels: np.ndarray | None = None,
        loss_batch_weight: float = 1,
        return_dict: bool = False,
    ) -> Any:
        """Detect.

        g_values: (batch, length, depth) 0 or 1; mask: (batch, length) which of them count
        labels: (batch,) 1 for marked texts; loss_batch_weight: of delta's square in the loss
        -> (probabilities,) of shape (batch,), or (probabilities, loss); a record if return_dict
        """
        given = {"g_values": g_values, "mask": mask, "labels": labels}
        out = super().__call__(**given, loss_batch_weight=loss_batch_weight, return_dict=True)
        if return_dict:
            return out
        return (out.posterior_probabilities,) if labels is None else out.to_tuple()[::-1]

    def forward(self, state: State, g_values: Any, mask: Any) -> dict[str, Any]:
        g, half = np.asarray(g_values, np.float32), np.float32(0.5)
        # heads are 1/2 of one coin's tosses, 3/4 of those of the better of two
        odds = ops.log1p(self.likelihood_model_watermarked(g) * (g - half))
        prior = ops.clip(self.prior - half, limit=0.5 - _SURE)
        surprisal = ops.log1p(prior - half) - ops.log1p(-prior - half)
        shown = np.broadcast_to(np.asarray(mask, np.float32)[..., None], g.shape)
        surprisal = surprisal + ops.einsum(odds, shown, subscripts="bld,bld->b")
        return {"posterior_probabilities": ops.sigmoid(surprisal), "surprisal": surprisal}

    def loss(
        self, values: dict[str, Any], labels: Any = None, loss_batch_weight: Any = 1
    ) -> dict[str, Any]:
        if labels is None:
            return {}
        sure = math.log((1 - _SURE) / _SURE)
        target = np.asarray(labels, np.float32)
        loss = ops.bce_with_logits(ops.clip(values["surprisal"], limit=sure), target=target)
        delta = self.likelihood_model_watermarked.delta
        square = ops.einsum(delta, delta, subscripts="abcd,abcd->")
        return {"loss": loss + square * float(loss_batch_weight)}

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return np.full(1, self.config.base_rate, np.float32)


class SynthIDTextWatermarkDetector:
    """Whether texts are marked.

    detector_module: trained on texts with and without the marks of logits_processor
    tokenizer: whose end-of-sequence token ends a text
    """

    def __init__(
        self,
        detector_module: BayesianDetectorModel,
        logits_processor: SynthIDTextWatermarkLogitsProcessor,
        tokenizer: Any,
    ):
        self.detector_module, self.logits_processor = detector_module, logits_processor
        self.tokenizer = tokenizer

    def __call__(self, tokenized_outputs: np.ndarray) -> Any:
        """tokenized_outputs: (batch, length) ids -> what the module says, ((batch,) probabilities,)

        Tokens count up to the first end of sequence, and where their context is new.
        """
        marks, ids = self.logits_processor, np.asarray(tokenized_outputs)
        before_end = marks.compute_eos_token_mask(ids, self.tokenizer.eos_token_id)
        mask = marks.compute_context_repetition_mask(ids) & before_end[:, marks.ngram_len - 1 :]
        return self.detector_module(marks.compute_g_values(ids), mask)
