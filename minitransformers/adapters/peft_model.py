"""PeftModel: a model and its adapters, with PEFT's methods and names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from .. import hub
from ..core.module import Module
from ..core.parameter import Parameter
from ..sharing import Shareable, pushing
from . import adaptable, card, injection, state
from .config import LoraConfig, PeftConfig, TaskType
from .lora import LoraLayer
from .lora_model import LoraModel
from .wrapper import row_adapters


class PeftModel(Module, Shareable):
    """A model with adapters. What PEFT's has, it has; everything else is the base model's.

    model: the base model, which is changed: its layers now have adapters
    peft_config: how the first adapter is made; adapter_name: what it is called
    base_model: what holds the adapters; base_model.model is the base model

    `print_trainable_parameters`, `merge_and_unload`, `set_adapter` and so on are the methods below
    and those of `LoraModel`.
    """

    heads: ClassVar[tuple[str, ...]] = ()  # modules of the task, which are trained as a whole
    saving_options = ("safe_serialization",)

    def __init__(
        self,
        model: Any,
        peft_config: PeftConfig,
        adapter_name: str = "default",
        autocast_adapter_dtype: bool = True,
        low_cpu_mem_usage: bool = False,
    ):
        self.base_model = LoraModel(model)
        self.add_adapter(adapter_name, peft_config)
        injection.set_active(model, adapter_name)
        if peft_config.inference_mode:
            injection.mark_trainable(model, ())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "base_model" not in vars(self):
            raise AttributeError(name)
        return getattr(self.base_model, name)

    def slots(self, prefix: str = "") -> Iterator[tuple[str, Module, str]]:
        for name, owner, attribute in state.peft_slots(self.base_model.model):
            yield f"{prefix}base_model.model.{name}", owner, attribute

    def get_base_model(self) -> Any:
        """The model that is adapted."""
        return self.base_model.model

    @property
    def peft_config(self) -> dict[str, LoraConfig]:
        """{name of an adapter: its configuration}"""
        return self.base_model.model.peft_config

    @property
    def peft_type(self) -> Any:
        return next(iter(self.peft_config.values())).peft_type

    @property
    def active_adapters(self) -> list[str]:
        """The adapters in force."""
        return self.base_model.active_adapters

    @property
    def active_adapter(self) -> str:
        """The first adapter in force."""
        return next(iter(self.active_adapters), "default")

    @property
    def active_peft_config(self) -> LoraConfig:
        return self.peft_config[self.active_adapter]

    @property
    def modules_to_save(self) -> set[str] | None:
        """The modules that adapters have whole copies of."""
        names = {n for c in self.peft_config.values() for n in c.modules_to_save or ()}
        return names or None

    # calling

    def __call__(
        self, *args: Any, adapter_names: Sequence[str] | None = None, **kwargs: Any
    ) -> Any:
        """Call the base model with the adapters in force.

        adapter_names: instead, the adapter of each input, "__base__" for none
        """
        with self._by_row(adapter_names):
            return self.get_base_model()(*args, **kwargs)

    def generate(
        self, *args: Any, adapter_names: Sequence[str] | None = None, **kwargs: Any
    ) -> Any:
        """Generate by the base model; adapter_names as in a call."""
        with self._by_row(adapter_names):
            return self.get_base_model().generate(*args, **kwargs)

    @contextlib.contextmanager
    def _by_row(self, names: Sequence[str] | None) -> Iterator[None]:
        if names is None:
            yield
            return
        if self.training:
            raise ValueError("Cannot pass `adapter_names` when the model is in training mode.")
        if unknown := sorted(set(names) - set(self.peft_config) - {"__base__"}):
            raise ValueError(
                f"Trying to infer with non-existing adapter(s): {', '.join(unknown)}; there are "
                f"{', '.join(self.peft_config)} and __base__"
            )
        layers = [m for m in injection.wrappers(self) if isinstance(m, LoraLayer)]
        if any(layer.merged_adapters for layer in layers):
            raise ValueError(
                "Cannot pass `adapter_names` when there are merged adapters, please call "
                "`unmerge_adapter` first."
            )
        token = row_adapters.set(tuple(names))
        try:
            yield
        finally:
            row_adapters.reset(token)

    @contextlib.contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """A context in which the model computes as without adapters."""
        self.base_model.disable_adapter_layers()
        try:
            yield
        finally:
            self.base_model.enable_adapter_layers()

    # adapters

    def add_adapter(
        self, adapter_name: str, peft_config: PeftConfig, low_cpu_mem_usage: bool = False
    ) -> None:
        """Add a fresh adapter. It is not put in force."""
        model = self.get_base_model()
        before = injection.active(model)
        injection.inject(model, self._with_heads(peft_config), adapter_name)
        injection.set_active(model, before)

    def _with_heads(self, config: PeftConfig) -> LoraConfig:
        """The configuration, with the modules of the task among modules_to_save."""
        if not isinstance(config, LoraConfig):
            raise TypeError(f"peft_config must be a LoraConfig, not {type(config).__name__}")
        if self.heads:
            named = [*(config.modules_to_save or ()), *self.heads]
            config.modules_to_save = list(dict.fromkeys(named))
        return config

    def set_adapter(self, adapter_name: str | list[str]) -> None:
        """Put an adapter in force, and train it. Raises ValueError for one that is not there."""
        names = [adapter_name] if isinstance(adapter_name, str) else list(adapter_name)
        if unknown := [name for name in names if name not in self.peft_config]:
            raise ValueError(f"Adapter {', '.join(unknown)} not found in {list(self.peft_config)}.")
        injection.set_active(self.get_base_model(), names)

    def load_adapter(
        self,
        model_id: str | os.PathLike,
        adapter_name: str,
        is_trainable: bool = False,
        torch_device: Any = None,
        autocast_adapter_dtype: bool = True,
        ephemeral_gpu_offload: bool = False,
        low_cpu_mem_usage: bool = False,
        **kwargs: Any,
    ) -> state.IncompatibleKeys:
        """Load another adapter from a folder or a Hub repo. It is not put in force.

        is_trainable: whether it is trained further
        kwargs: revision, token, cache_dir, subfolder, local_files_only, force_download
        -> the names that are missing and unexpected. Raises OSError if files cannot be had,
        ValueError or RuntimeError for an adapter of another model; the model is then as before.
        """
        where, _ = hub.split_options(kwargs)
        return self._load(
            model_id,
            adapter_name,
            PeftConfig.from_pretrained(model_id, **where),
            is_trainable,
            where,
        )

    def _load(
        self, model_id: Any, name: str, config: Any, is_trainable: bool, where: dict[str, Any]
    ) -> state.IncompatibleKeys:
        model = self.get_base_model()
        before = injection.active(model)
        weights = state.load_peft_weights(model_id, **where)
        config = self._with_heads(config)
        keys = adaptable.put_in(model, config, name, weights, is_trainable)
        if before:
            injection.set_active(model, before)
            frozen = all(model.peft_config[n].inference_mode for n in before)
            injection.mark_trainable(model, () if frozen else before)
        state.tell(model_id, keys)
        return keys

    # loading and saving

    @classmethod
    def from_pretrained(
        cls,
        model: Any,
        model_id: str | os.PathLike,
        adapter_name: str = "default",
        is_trainable: bool = False,
        config: PeftConfig | None = None,
        autocast_adapter_dtype: bool = True,
        ephemeral_gpu_offload: bool = False,
        low_cpu_mem_usage: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load an adapter from a folder or a Hub repo into a model; see `load_adapter`.

        model: the base model; config: to use instead of adapter_config.json
        -> a PeftModel of the adapter's task
        """
        where, _ = hub.split_options(kwargs)
        config = config or PeftConfig.from_pretrained(model_id, **where)
        peft_model = object.__new__(class_of(config, cls))
        peft_model.base_model = LoraModel(model)
        peft_model._load(model_id, adapter_name, config, is_trainable, where)
        return peft_model if is_trainable else peft_model.eval()

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        safe_serialization: bool = True,
        selected_adapters: list[str] | None = None,
        save_embedding_layers: str | bool = "auto",
        is_main_process: bool = True,
        state_dict: dict[str, Any] | None = None,
        push_to_hub: bool = False,
        **kwargs: Any,
    ) -> None:
        """Write each adapter as PEFT does, the one called "default" into the folder itself and
        others into folders of their names.

        selected_adapters: names of those to write, all by default
        save_embedding_layers: whether the tables of tokens are written too; "auto" does it where
            they are adapted or the vocabulary was changed
        push_to_hub: upload the files as well; other keywords as those of `push_to_hub`
        Raises ValueError for an adapter that is not there.
        """
        names = list(self.peft_config) if selected_adapters is None else selected_adapters
        if unknown := [name for name in names if name not in self.peft_config]:
            raise ValueError(
                "You passed an invalid `selected_adapters` arguments, current supported adapter "
                f"names are {list(self.peft_config)} - got {unknown}."
            )
        if not is_main_process:
            return
        with pushing(self, save_directory, push_to_hub, kwargs):
            card.write_card(self, os.fspath(save_directory))
            for name in names:
                folder = os.fspath(save_directory)
                state.save_adapter(
                    self.get_base_model(),
                    name,
                    folder if name == "default" else os.path.join(folder, name),
                    save_embedding_layers=save_embedding_layers,
                    safe_serialization=safe_serialization,
                    state_dict=state_dict and {_inside(k): v for k, v in state_dict.items()},
                )

    def card_tags(self) -> list[str]:
        return ["lora"]

    # counting

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        """-> how many numbers are trained, and how many there are"""
        parameters: list[Parameter] = list(self.parameters())
        trained = sum(p.size for p in parameters if p.requires_grad)
        return trained, sum(p.size for p in parameters)

    def print_trainable_parameters(self) -> None:
        """Print how many numbers are trained, and how many there are."""
        trained, count = self.get_nb_trainable_parameters()
        print(
            f"trainable params: {trained:,d} || all params: {count:,d} || "
            f"trainable%: {100 * trained / count:.4f}"
        )


class PeftModelForCausalLM(PeftModel):
    """A language model with adapters. See `PeftModel`."""


class PeftModelForSeq2SeqLM(PeftModel):
    """An encoder-decoder with adapters. See `PeftModel`."""


class PeftModelForFeatureExtraction(PeftModel):
    """A model without a head, with adapters. See `PeftModel`."""


class PeftModelForSequenceClassification(PeftModel):
    """A sequence classifier with adapters, whose head is trained too. See `PeftModel`."""

    heads = ("classifier", "score")


class PeftModelForTokenClassification(PeftModel):
    """A classifier of tokens with adapters, whose head is trained too. See `PeftModel`."""

    heads = ("classifier", "score")


class PeftModelForQuestionAnswering(PeftModel):
    """A model that finds answers, with adapters; its head is trained too. See `PeftModel`."""

    heads = ("qa_outputs",)


_CLASSES: dict[TaskType, type[PeftModel]] = {
    TaskType.CAUSAL_LM: PeftModelForCausalLM,
    TaskType.SEQ_2_SEQ_LM: PeftModelForSeq2SeqLM,
    TaskType.SEQ_CLS: PeftModelForSequenceClassification,
    TaskType.TOKEN_CLS: PeftModelForTokenClassification,
    TaskType.QUESTION_ANS: PeftModelForQuestionAnswering,
    TaskType.FEATURE_EXTRACTION: PeftModelForFeatureExtraction,
}


def class_of(config: PeftConfig, otherwise: type[PeftModel] = PeftModel) -> type[PeftModel]:
    """The class for an adapter's task."""
    return otherwise if config.task_type is None else _CLASSES[TaskType(config.task_type)]


def _inside(name: str) -> str:
    return name.removeprefix(state.PREFIX)


def get_peft_model(
    model: Any,
    peft_config: PeftConfig,
    adapter_name: str = "default",
    mixed: bool = False,
    autocast_adapter_dtype: bool = True,
    revision: str | None = None,
    low_cpu_mem_usage: bool = False,
) -> PeftModel:
    """Put a fresh adapter into a model. -> a PeftModel of the configuration's task

    model: the base model, which is changed; peft_config: a LoraConfig; adapter_name: what it is
    called; revision: of the base model, noted for who loads the adapter
    Raises ValueError where the configuration fits no module of the model.
    """
    if mixed:
        raise ValueError("mixed=True is for several kinds of adapters; there is LoRA only")
    peft_config.base_model_name_or_path = getattr(model, "name_or_path", None)
    if revision is not None:
        peft_config.revision = revision
    return class_of(peft_config)(model, peft_config, adapter_name)


def prepare_model_for_kbit_training(
    model: Any,
    use_gradient_checkpointing: bool = True,
    gradient_checkpointing_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Freeze a model; of one in 8 or 4 bits, compute residuals anew in training. -> the model"""
    model.requires_grad_(False)
    packed = any(not isinstance(getattr(o, a), np.ndarray) for _, o, a in model.slots())
    if packed and use_gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs)
    return model


def inject_adapter_in_model(
    peft_config: LoraConfig,
    model: Any,
    adapter_name: str = "default",
    low_cpu_mem_usage: bool = False,
) -> Any:
    """Put a fresh adapter into a model, in force and trained. -> the model itself"""
    injection.inject(model, peft_config, adapter_name)
    injection.set_active(model, adapter_name)
    return model
