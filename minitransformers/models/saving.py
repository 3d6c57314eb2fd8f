"""Saving a model: configurations and weights, made for any reader."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checkpoints
from ..checkpoints import StoredTensor
from ..core.packed import Packed
from .precision import half_of, narrowed, tensors_of

if TYPE_CHECKING:
    from .modeling import PreTrainedModel


def save(
    model: PreTrainedModel,
    folder: str,
    state_dict: Mapping[str, Any] | None,
    is_main_process: bool,
    max_shard_size: int | str,
    layout: checkpoints.Layout,
    variant: str | None,
) -> None:
    """Write what `PreTrainedModel.save_pretrained` says."""
    state_dict = model.state_dict() if state_dict is None else state_dict
    weights = _without_ties(model, state_dict, layout)
    config = model.config
    config.architectures = [type(model).__name__]
    config.torch_dtype = _dtype_name(weights) or config.torch_dtype
    if is_main_process:
        _as_written(config, state_dict, layout).save_pretrained(folder)
        if model.can_generate():
            model.generation_config.follows(config).save_pretrained(folder)
    checkpoints.save_sharded(
        folder,
        weights,
        max_shard_size,
        layout=layout,
        variant=variant,
        remove_stale=is_main_process,
    )


def _as_written(config: Any, state_dict: Mapping[str, Any], layout: checkpoints.Layout) -> Any:
    """The configuration, which says that weights are quantised only if those in the file are."""
    packed = [x for x in state_dict.values() if isinstance(x, Packed) and not x.trainable]
    if packed and not layout.keeps_ties:
        return config
    config = copy.copy(config)
    vars(config).pop("quantization_config", None)
    return config


def layout_of(
    safe_serialization: bool, save_function: Callable[[Any, str], Any] | None
) -> checkpoints.Layout:
    """safetensors, or torch's format; save_function: what writes {name: array} to a path instead"""
    if safe_serialization:
        return checkpoints.SAFETENSORS
    if save_function is None:
        return checkpoints.TORCH

    def write(path: str, shard: Mapping[str, Any]) -> None:
        save_function(
            {n: x.numpy() if isinstance(x, StoredTensor) else x for n, x in shard.items()}, path
        )

    return checkpoints.TORCH._replace(write=write)


def _without_ties(
    model: PreTrainedModel, state_dict: Mapping[str, Any], layout: checkpoints.Layout
) -> dict[str, Any]:
    """The tensors to write, without names that loading ties to another.

    A name whose array is not the other's, as in a state_dict of the caller's, is kept. Beside
    matrices in half precision the vectors, which are float32 in memory, are written in it too.
    """
    half = half_of(state_dict)
    ties = {} if layout.keeps_ties else model.ties()
    tensors: dict[str, Any] = {}
    first: dict[int, str] = {}  # id of an array -> the first name it has
    for name, array in state_dict.items():
        if name in ties and state_dict.get(ties[name]) is array:
            continue
        if layout.keeps_ties and id(array) in first:
            tensors[name] = tensors[first[id(array)]]
        elif isinstance(array, Packed) and (array.trainable or not layout.keeps_ties):
            tensors |= tensors_of(name, array)
        else:  # in torch's format quantised weights are expanded
            tensors[name] = narrowed(name, np.asarray(array), half)
        first.setdefault(id(array), name)
    return tensors


def _dtype_name(weights: Mapping[str, Any]) -> str | None:
    """The dtype of the first weight that is not a whole number."""
    names = (getattr(x.dtype, "name", x.dtype) for x in weights.values())
    return next(("bfloat16" if n == "BF16" else n for n in names if "F" in n.upper()), None)
