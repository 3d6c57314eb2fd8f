"""The tables of the Auto classes as mappings of classes, which training scripts go through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .auto import MODELS, class_names, config_class, model_class_of
from .config import PretrainedConfig


class ConfigMapping(Mapping[str, type[PretrainedConfig]]):
    """{model type: configuration class}"""

    def __init__(self) -> None:
        self.__doc__ = "The configuration class of each model type."

    def __getitem__(self, model_type: str) -> type[PretrainedConfig]:
        try:
            return config_class(model_type)
        except ValueError as error:
            raise KeyError(model_type) from error

    def __iter__(self) -> Iterator[str]:
        return iter(MODELS)

    def __len__(self) -> int:
        return len(MODELS)


class ModelMapping(Mapping[type[PretrainedConfig], type]):
    """{configuration class: model class} for one task"""

    def __init__(self, task: str):
        self.task = task
        self.__doc__ = f"The {task} model of each configuration class that has one."

    def __getitem__(self, config: type[PretrainedConfig]) -> Any:
        found = model_class_of(config, self.task)
        if found is None:
            raise KeyError(config)
        return found

    def __iter__(self) -> Iterator[type[PretrainedConfig]]:
        return map(config_class, class_names(self.task))

    def __len__(self) -> int:
        return len(class_names(self.task))


CONFIG_MAPPING = ConfigMapping()
MODEL_MAPPING = ModelMapping("base")
MODEL_FOR_CAUSAL_LM_MAPPING = ModelMapping("causal-lm")
MODEL_FOR_MASKED_LM_MAPPING = ModelMapping("masked-lm")
MODEL_FOR_MULTIPLE_CHOICE_MAPPING = ModelMapping("multiple-choice")
MODEL_FOR_NEXT_SENTENCE_PREDICTION_MAPPING = ModelMapping("next-sentence")
MODEL_FOR_PRETRAINING_MAPPING = ModelMapping("pretraining")
MODEL_FOR_QUESTION_ANSWERING_MAPPING = ModelMapping("question-answering")
MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING = ModelMapping("seq2seq-lm")
MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING = ModelMapping("sequence-classification")
MODEL_FOR_TEXT_ENCODING_MAPPING = ModelMapping("text-encoding")
MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING = ModelMapping("token-classification")
