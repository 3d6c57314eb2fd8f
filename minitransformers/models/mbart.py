"""mBART (Liu et al., 2020): BART with norms before the parts of a layer, in many languages."""

from __future__ import annotations

import numpy as np

from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartForQuestionAnswering,
    BartForSequenceClassification,
    BartLikeConfig,
    BartModel,
    BartStack,
)


class MBartConfig(BartLikeConfig):
    model_type = "mbart"
    classifier_dropout: float = 0.0
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    forced_eos_token_id: int | None = 2


class MBartStack(BartStack):
    pre_norm = True


class MBartModel(BartModel):
    config_class = MBartConfig
    stack_class = MBartStack

    def shifted(self, ids: np.ndarray) -> np.ndarray:
        """Move the last token, which names the language, to the front."""
        pad = self.config.pad_token_id
        if pad is None:
            raise ValueError("decoder inputs are derived with config.pad_token_id: set it")
        ids = np.where(ids == -100, pad, ids)
        last = (ids != pad).sum(1) - 1
        return np.concatenate([ids[np.arange(len(ids)), last][:, None], ids[:, :-1]], axis=1)


class MBartForConditionalGeneration(BartForConditionalGeneration):
    config_class = MBartConfig
    base_class = MBartModel


class MBartForSequenceClassification(BartForSequenceClassification):
    config_class = MBartConfig
    base_class = MBartModel


class MBartForQuestionAnswering(BartForQuestionAnswering):
    config_class = MBartConfig
    base_class = MBartModel


class MBartForCausalLM(BartForCausalLM):
    config_class = MBartConfig
    stack_class = MBartStack
