"""What adapter_config.json says: PEFT's fields, read with suspicion, written for PEFT to read."""

from __future__ import annotations

import enum
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .. import hub
from ..checkpoints.files import replacing
from ..json_files import parse_json
from ..logging import warning_once

CONFIG_NAME = "adapter_config.json"


class PeftType(str, enum.Enum):
    """The methods there are: LoRA."""

    LORA = "LORA"


class TaskType(str, enum.Enum):
    """What the adapted model is for; it decides the class `get_peft_model` returns."""

    SEQ_CLS = "SEQ_CLS"
    SEQ_2_SEQ_LM = "SEQ_2_SEQ_LM"
    CAUSAL_LM = "CAUSAL_LM"
    TOKEN_CLS = "TOKEN_CLS"
    QUESTION_ANS = "QUESTION_ANS"
    FEATURE_EXTRACTION = "FEATURE_EXTRACTION"


@dataclass
class LoraRuntimeConfig:
    """What concerns a run and is never saved. ephemeral_gpu_offload: accepted, there is no GPU"""

    ephemeral_gpu_offload: bool = False


@dataclass
class PeftConfig:
    """What the configurations of all methods share.

    task_type: a `TaskType` or its name
    auto_mapping: {"base_model_class", "parent_library"} of an adapter without a task
    base_model_name_or_path, revision: the model that is adapted
    inference_mode: whether the adapter is loaded frozen
    """

    task_type: str | TaskType | None = None
    peft_type: str | PeftType | None = None
    auto_mapping: dict | None = None
    base_model_name_or_path: str | None = None
    revision: str | None = None
    inference_mode: bool = False

    is_prompt_learning = False
    is_adaption_prompt = False

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any
    ) -> LoraConfig:
        """Read adapter_config.json from a folder or a Hub repo.

        revision, token, cache_dir, subfolder, local_files_only, force_download: where from;
        other keywords override fields
        Raises OSError if there is no such file, ValueError if it is not sound or of another method.
        """
        where, changes = hub.split_options(kwargs)
        path = hub.resolve(pretrained_model_name_or_path, **where)(CONFIG_NAME)
        assert path is not None  # a required file
        return LoraConfig.from_json_file(path, **changes)

    @classmethod
    def from_json_file(cls, path: str | os.PathLike, **changes: Any) -> LoraConfig:
        """Read a file. Raises ValueError, naming it, where it is not sound."""
        values = read_json_object(path)
        method = values.get("peft_type")
        if method != PeftType.LORA:
            raise ValueError(
                f"{path}: an adapter of the method {method!r}; the only one known here is 'LORA'"
            )
        values.pop("runtime_config", None)
        known = {f.name for f in fields(LoraConfig)}
        unknown = sorted(name for name in values if name not in known and values[name])
        if unknown:
            warning_once(
                f"{path}: the fields {', '.join(unknown)} are not known and have no effect; the "
                "file was written by a later version of PEFT"
            )
        try:
            return LoraConfig(**{k: v for k, v in values.items() if k in known} | changes)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them; those that PEFT got later only where they are set."""
        values = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if not f.metadata.get("saved", True) or (f.metadata.get("later") and not value):
                continue
            if isinstance(value, enum.Enum):
                value = value.value
            values[f.name] = sorted(value) if isinstance(value, set) else value
        return values

    def save_pretrained(self, save_directory: str | os.PathLike, **changes: Any) -> None:
        """Write adapter_config.json. changes: fields to write otherwise than they are"""
        folder = os.fspath(save_directory)
        if os.path.isfile(folder):
            raise OSError(f"{folder} is a file, not a folder to save in")
        os.makedirs(folder, exist_ok=True)
        text = json.dumps(self.to_dict() | changes, indent=2, sort_keys=True)
        path = os.path.join(folder, CONFIG_NAME)
        with replacing(path) as partial, open(partial, "w", encoding="utf-8") as file:
            file.write(text)


# of fields that are never saved, and of those PEFT got after 0.14, whose files older ones refuse
_UNSAVED, _LATER = {"saved": False}, {"later": True}


@dataclass
class LoraConfig(PeftConfig):
    """How a model is adapted: output = W x + scaling B A x, with A and B of rank r.

    r: the rank; lora_alpha: scaling is lora_alpha / r, or lora_alpha / sqrt(r) if use_rslora
    target_modules: names (whole, or endings after a dot), a regular expression for whole names, or
        "all-linear"; None takes what is usual for the architecture
    exclude_modules: the same, of modules to leave alone
    modules_to_save: modules trained as a whole, such as a new head
    layers_to_transform, layers_pattern: indices of layers, and the name of the list they are in
    rank_pattern, alpha_pattern: {name or regular expression: its own r or lora_alpha}
    lora_dropout: probability of zeroing an input of A, in training
    bias: which biases are trained: "none", "all" or "lora_only"
    init_lora_weights: True (B zero), False (B random), "gaussian", "olora", "pissa",
        "pissa_niter_<n>"
    use_dora: train the lengths of W's rows apart from their directions (Liu et al. 2024)
    lora_bias: a bias for B
    fan_in_fan_out: found out from the layers
    Fields of methods that need another machine or library raise ValueError when they are set.
    """

    peft_type: str | PeftType | None = PeftType.LORA
    r: int = 8
    target_modules: Any = None
    exclude_modules: Any = None
    lora_alpha: float = 8
    lora_dropout: float = 0.0
    fan_in_fan_out: bool = False
    bias: str = "none"
    use_rslora: bool = False
    modules_to_save: list[str] | None = None
    init_lora_weights: bool | str = True
    layers_to_transform: list[int] | int | None = None
    layers_pattern: list[str] | str | None = None
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: dict[str, float] = field(default_factory=dict)
    megatron_config: dict | None = None
    megatron_core: str | None = "megatron.core"
    loftq_config: dict = field(default_factory=dict)
    eva_config: Any = None
    use_dora: bool = False
    layer_replication: list | None = None
    runtime_config: LoraRuntimeConfig = field(default_factory=LoraRuntimeConfig, metadata=_UNSAVED)
    lora_bias: bool = False
    corda_config: Any = field(default=None, metadata=_LATER)
    trainable_token_indices: Any = field(default=None, metadata=_LATER)
    target_parameters: Any = field(default=None, metadata=_LATER)
    use_qalora: bool = field(default=False, metadata=_LATER)
    qalora_group_size: int = field(default=16, metadata=_UNSAVED)
    arrow_config: Any = field(default=None, metadata=_LATER)
    alora_invocation_tokens: Any = field(default=None, metadata=_LATER)
    ensure_weight_tying: bool = field(default=False, metadata=_UNSAVED)
    peft_version: str | None = field(default=None, metadata=_UNSAVED)

    def __post_init__(self) -> None:
        self.peft_type = PeftType.LORA
        for name, meaning in _UNSUPPORTED.items():
            if getattr(self, name):
                raise ValueError(f"{name}={getattr(self, name)!r} is not supported: {meaning}")
        for name, (check, wanted) in _CHECKS.items():
            value = getattr(self, name)
            if not check(value):
                raise ValueError(f"{name} must be {wanted}, not {value!r}")
        if self.task_type is not None:
            self.task_type = TaskType(self.task_type)
        for name in ("target_modules", "exclude_modules"):
            if isinstance(getattr(self, name), (list, tuple)):
                setattr(self, name, set(getattr(self, name)))
        self.rank_pattern = dict(self.rank_pattern or {})
        self.alpha_pattern = dict(self.alpha_pattern or {})
        if isinstance(self.target_modules, str):
            for name in ("layers_to_transform", "layers_pattern"):
                if getattr(self, name) is not None:
                    raise ValueError(f"`{name}` cannot be used when `target_modules` is a str.")
        if self.lora_bias and (self.use_dora or self.init_lora_weights not in _WITH_BIAS):
            raise ValueError(
                "lora_bias=True goes with neither use_dora nor init_lora_weights="
                f"{self.init_lora_weights!r}"
            )
        if self.layers_pattern and self.layers_to_transform is None:
            raise ValueError(
                "When `layers_pattern` is specified, `layers_to_transform` must also be specified."
            )

    def scaling(self, r: int, alpha: float) -> float:
        """The factor of B A x."""
        return float(alpha) / (math.sqrt(r) if self.use_rslora else r)


def read_json_object(path: str | os.PathLike) -> dict[str, Any]:
    """Read a JSON file of one object. Raises ValueError, naming the file, for any other."""
    with open(path, "rb") as file:
        try:
            values = parse_json(file.read())
        except ValueError as error:
            raise ValueError(f"{path}: not a JSON file: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold a JSON object, not {type(values).__name__}")
    return values


_UNSUPPORTED = {
    "megatron_config": "Megatron's layers compute on several GPUs",
    "layer_replication": "layers are not repeated; save the grown model and adapt that",
    "trainable_token_indices": "single rows of a table are not trained; put the table among "
    "target_modules or modules_to_save",
    "target_parameters": "adapters are for layers, named in target_modules",
    "use_qalora": "QA-LoRA belongs to GPTQ's weights",
    "arrow_config": "adapters are not routed by token; set_adapter and adapter_names choose them",
    "alora_invocation_tokens": "adapters are in force for whole texts",
}


_WITH_BIAS = (True, False, "gaussian")


def _is_int(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool)


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


def _is_names(x: Any) -> bool:
    return isinstance(x, (list, tuple, set)) and all(isinstance(name, str) for name in x)


def _is_pattern_map(x: Any, is_value: Any) -> bool:
    return x is None or (
        isinstance(x, Mapping)
        and all(isinstance(k, str) for k in x)
        and all(is_value(v) for v in x.values())
    )


def _is_rank(x: Any) -> bool:
    return _is_int(x) and x > 0


# field -> (what it must fulfil, in words)
_CHECKS: dict[str, tuple[Any, str]] = {
    "r": (_is_rank, "a positive integer"),
    "lora_alpha": (_is_number, "a finite number"),
    "lora_dropout": (lambda x: _is_number(x) and 0 <= x <= 1, "a probability from 0 to 1"),
    "bias": (lambda x: x in ("none", "all", "lora_only"), "'none', 'all' or 'lora_only'"),
    "target_modules": (
        lambda x: x is None or isinstance(x, str) or _is_names(x),
        "a list of names, a regular expression or None",
    ),
    "exclude_modules": (
        lambda x: x is None or isinstance(x, str) or _is_names(x),
        "a list of names, a regular expression or None",
    ),
    "modules_to_save": (lambda x: x is None or _is_names(x), "a list of names or None"),
    "init_lora_weights": (lambda x: isinstance(x, (bool, str)), "True, False or a name"),
    "layers_to_transform": (
        lambda x: (
            x is None or _is_int(x) or (isinstance(x, (list, tuple)) and all(map(_is_int, x)))
        ),
        "an index, a list of indices or None",
    ),
    "layers_pattern": (
        lambda x: x is None or isinstance(x, str) or _is_names(x),
        "a name, a list of names or None",
    ),
    "rank_pattern": (
        lambda x: _is_pattern_map(x, _is_rank),
        "a mapping from names to positive integers",
    ),
    "alpha_pattern": (lambda x: _is_pattern_map(x, _is_number), "a mapping from names to numbers"),
    "task_type": (
        lambda x: x is None or (isinstance(x, str) and x in TaskType.__members__),
        f"one of {', '.join(TaskType.__members__)} or None",
    ),
    "base_model_name_or_path": (lambda x: x is None or isinstance(x, str), "a name or None"),
    "revision": (lambda x: x is None or isinstance(x, str), "a name or None"),
    "auto_mapping": (lambda x: x is None or isinstance(x, dict), "a mapping or None"),
}
