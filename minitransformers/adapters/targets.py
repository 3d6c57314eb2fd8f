"""Which modules of a model an adapter's configuration means."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from ..core.layers import Conv1D, Linear
from . import patterns
from .config import LoraConfig, TaskType

# What is adapted where the configuration does not say -> the architectures for which that is so.
_USUAL_TARGETS = {
    ("q_proj", "v_proj"): "bart gemma gemma2 gemma3_text gpt_neo gptj llama mistral mixtral opt "
    "qwen2 qwen3 stablelm",
    ("query", "value"): "bert electra roberta xlm-roberta",
    ("query_key_value",): "bloom falcon gpt_neox",
    ("c_attn",): "gpt2 gpt_bigcode",
    ("q", "v"): "mt5 t5",
    ("qkv_proj",): "codegen",
    ("in_proj",): "deberta",
    ("query_proj", "value_proj"): "deberta-v2",
    ("Wqkv",): "mpt",
    ("q_proj", "v_proj", "fc1", "fc2"): "phi",
}
DEFAULT_TARGETS = {kind: names for names, kinds in _USUAL_TARGETS.items() for kind in kinds.split()}
CLASSIFIERS = ("score", "classifier")


def complete_targets(config: LoraConfig, model: Any) -> None:
    """Replace None and "all-linear" by the names they stand for in this model.

    Raises ValueError for an architecture without usual targets.
    """
    if config.target_modules is None:
        kind = model.config.model_type
        if kind not in DEFAULT_TARGETS:
            raise ValueError(
                f"{kind} has no usual target modules: please specify `target_modules` in "
                "`peft_config`, a list of names, a regular expression or 'all-linear'"
            )
        config.target_modules = set(DEFAULT_TARGETS[kind])
    elif isinstance(config.target_modules, str) and config.target_modules.lower() == "all-linear":
        config.target_modules = _all_linear(config, model)


def _all_linear(config: LoraConfig, model: Any) -> set[str]:
    """The last names of all linear layers but the head's."""
    named = dict(model.named_modules())
    # a second adapter finds the layers under the first one
    bases = {name: getattr(module, "base_layer", module) for name, module in named.items()}
    linear = {
        name.removesuffix(".base_layer").rpartition(".")[2]
        for name, module in bases.items()
        if isinstance(module, (Linear, Conv1D)) and ".lora_" not in name
    }
    head = model.get_output_embeddings()
    if head is None and config.task_type == TaskType.SEQ_CLS:
        head = next((vars(model)[name] for name in CLASSIFIERS if name in vars(model)), None)
    return linear - {name for name, module in named.items() if module is head}


def is_excluded(config: LoraConfig, name: str) -> bool:
    """Whether exclude_modules means the module of that name."""
    return _means(config.exclude_modules, name) if config.exclude_modules else False


def is_target(config: LoraConfig, name: str) -> bool:
    """Whether target_modules, with layers_to_transform, means the module of that name."""
    targets = config.target_modules
    if isinstance(targets, str) or name in targets:
        return _means(targets, name)
    return _means(targets, name) and _is_in_layers(config, name)


def _means(names: str | Iterable[str], name: str) -> bool:
    if isinstance(names, str):
        return patterns.fullmatch(names, name)
    return name in names or any(name.endswith(f".{ending}") for ending in names)


def _is_in_layers(config: LoraConfig, name: str) -> bool:
    layers = config.layers_to_transform
    if layers is None or layers == []:
        return True
    index = _layer_index(name, config.layers_pattern)
    return index is not None and index in ([layers] if isinstance(layers, int) else layers)


def _layer_index(name: str, pattern: list[str] | str | None) -> int | None:
    """The index in a name such as "model.layers.7.mlp": the last number but after the pattern.

    As in PEFT, something must stand before the list's name and after the index.
    """
    parts = name.split(".")
    wanted = [pattern] if isinstance(pattern, str) else pattern
    for one in wanted or [None]:  # type: ignore[list-item]
        for start in reversed(range(1, len(parts))):
            ends = [start + 1] if not one else range(start + 1, len(parts) - 1)
            for i in ends:
                if i < len(parts) - 1 and parts[i].isdecimal():
                    listed = ".".join(parts[start:i])
                    if not one or patterns.fullmatch(one, listed):
                        return int(parts[i])
    return None


def for_module(values: dict[str, Any], name: str, default: Any) -> Any:
    """What rank_pattern or alpha_pattern says of a module: the first name or expression it ends in.

    An expression stands for a whole name or for what follows a dot.
    """
    for pattern, value in values.items():
        if _matches_ending(pattern, name):
            return value
    return default


@functools.lru_cache(maxsize=4096)
def _matches_ending(pattern: str, name: str) -> bool:
    endings = [name, *(name[i + 1 :] for i, c in enumerate(name) if c == ".")]
    return any(patterns.fullmatch(pattern, ending) for ending in endings)
