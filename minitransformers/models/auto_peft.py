"""Load an adapter together with its base model, as PEFT's Auto classes do."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from .. import hub
from ..adapters import base_model, peft_model
from ..adapters.config import PeftConfig, TaskType
from . import auto


class AutoPeftModel:
    """An adapter with the base model it names, of the class it was made for."""

    _auto_class: ClassVar[type | None] = None
    _peft_class: ClassVar[type[peft_model.PeftModel]] = peft_model.PeftModel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        raise OSError(
            f"{name} is designed to be instantiated using the "
            f"`{name}.from_pretrained(pretrained_model_name_or_path)` method."
        )

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        adapter_name: str = "default",
        is_trainable: bool = False,
        config: PeftConfig | None = None,
        revision: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Load the base model and the adapter. -> a PeftModel

        config: instead of adapter_config.json; revision: of the adapter
        token, cache_dir, subfolder, local_files_only, force_download: where from; other keywords
        are for the base model's `from_pretrained`
        Raises OSError if files cannot be had, ValueError for an adapter of another task.
        """
        name = os.fspath(pretrained_model_name_or_path)
        where, rest = hub.split_options(kwargs | {"revision": revision})
        found = base_model.base_of(name, where)
        if found is None:
            raise OSError(f"{name} has no adapter_config.json: it is no adapter")
        config = config or PeftConfig.from_pretrained(name, **where)
        chosen = cls._base_class(config, name)
        model = base_model.load_base(chosen.from_pretrained, found, name, where, **rest)
        return cls._peft_class.from_pretrained(
            model, name, adapter_name, is_trainable, config, **where
        )

    @classmethod
    def _base_class(cls, config: PeftConfig, name: str) -> Any:
        """The class of the base model."""
        if config.task_type is not None:
            expected = peft_model.class_of(config)
            if cls._auto_class is None or not issubclass(cls._peft_class, expected):
                raise ValueError(
                    f"{name} is an adapter for {TaskType(config.task_type).value}: load it with "
                    f"Auto{expected.__name__}"
                )
        if cls._auto_class is not None:
            return cls._auto_class
        wanted = (config.auto_mapping or {}).get("base_model_class")
        for kind, classes in auto.MODELS.items():
            if wanted in classes.values():
                return auto._load(kind, wanted)
        raise ValueError(
            f"{name} says neither its task nor a class that is known here (it is {wanted!r}): load "
            "the base model and pass it, PeftModel.from_pretrained(model, name)"
        )


class AutoPeftModelForCausalLM(AutoPeftModel):
    _auto_class = auto.AutoModelForCausalLM
    _peft_class = peft_model.PeftModelForCausalLM


class AutoPeftModelForSeq2SeqLM(AutoPeftModel):
    _auto_class = auto.AutoModelForSeq2SeqLM
    _peft_class = peft_model.PeftModelForSeq2SeqLM


class AutoPeftModelForSequenceClassification(AutoPeftModel):
    _auto_class = auto.AutoModelForSequenceClassification
    _peft_class = peft_model.PeftModelForSequenceClassification


class AutoPeftModelForTokenClassification(AutoPeftModel):
    _auto_class = auto.AutoModelForTokenClassification
    _peft_class = peft_model.PeftModelForTokenClassification


class AutoPeftModelForQuestionAnswering(AutoPeftModel):
    _auto_class = auto.AutoModelForQuestionAnswering
    _peft_class = peft_model.PeftModelForQuestionAnswering


class AutoPeftModelForFeatureExtraction(AutoPeftModel):
    _auto_class = auto.AutoModel
    _peft_class = peft_model.PeftModelForFeatureExtraction
