"""Fitting a checkpoint to a model: names, ties, what is missing."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..adapters.base_model import provided_by_adapter
from ..checkpoints import QuantizedTensor
from ..core.layers import Embedding
from ..core.packed import Packed
from ..logging import get_logger, progress, warning_once
from .fresh import initialise
from .precision import Precision, assembled
from .untrusted import check_fresh

if TYPE_CHECKING:
    from .modeling import PreTrainedModel

_logger = get_logger(__name__)

# How names of every architecture's old files differ from today's.
_WRAPPERS = ((r"^((module|_orig_mod)\.)+", ""),)  # torch's, for parallel and compiled models
# TensorFlow's names of a norm's parameters, in the first BERT files
_OF_NORMS = ((r"\.gamma$", ".weight"), (r"\.beta$", ".bias"))
# Buffers that files of many architectures hold and that are computed here.
_IGNORE = (
    "position_ids",
    "embeddings.token_type_ids",
    "rotary_emb.inv_freq",
    "attn.masked_bias",
    "num_batches_tracked",
)


def load(
    model: PreTrainedModel,
    stored: Mapping[str, Any],
    source: str,
    ignore_mismatched_sizes: bool = False,
    precision: Precision | None = None,
) -> dict[str, list]:
    """Put a checkpoint's arrays into a model; views of the file where their dtype allows.

    stored: {name: array, or something with `.numpy(dtype)`}; source: for messages
    precision: how to keep them, by default as they are stored
    -> {"missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"}, in the file's names
    Missing arrays are drawn afresh, with a warning. Raises RuntimeError for misshapen ones.
    """
    precision = (precision or Precision()).settled(model.config)
    columns = {n.split(".")[-2] for n, owner, _ in model.slots() if owner.packs == "columns"}
    stored = assembled(stored, model.config, source, columns)
    if packed := [x for x in stored.values() if isinstance(x, Packed)]:
        precision = replace(precision, bits=None)  # what is left was left on purpose
        bits = min(8 * x.stored.nbytes // x.size for x in packed)
        model.config.quantization_config = Precision(bits).describe()
    slots = {name: getattr(owner, attribute) for name, owner, attribute in model.slots()}
    named, unexpected = _match(model, stored, slots)
    absent = _absent(model, slots, named)
    mismatched = {
        name: (key, tuple(stored[key].shape), slots[name].shape)
        for name, key in named.items()
        if tuple(stored[key].shape) != slots[name].shape
    }
    if mismatched and not ignore_mismatched_sizes:
        raise RuntimeError(_misshapen(model, source, list(mismatched.values())))
    for name in mismatched:
        del named[name]
    _put(model, stored, named, precision)

    ties = model.ties()
    for name, origin in ties.items():  # a file may hold the tied array under the other name
        if origin not in named and name in named and slots[name].shape == slots[origin].shape:
            found = {origin: model.state_dict()[name]}
            model.load_state_dict(found, strict=False, assign=True)
            named[origin] = named[name]
    model.tie_weights()
    missing = [name for name in slots if name not in named and name not in ties]
    check_fresh([slots[name].shape for name in missing], stored.values(), source)
    initialise(model, missing)
    untold = provided_by_adapter()
    as_filed = _as_filed(model, slots, stored)
    report: dict[str, list] = {
        "missing_keys": sorted(
            as_filed(name)
            for name in absent
            if name not in untold and not name.endswith(model.optional)
        ),
        "unexpected_keys": sorted(unexpected),
        "mismatched_keys": list(mismatched.values()),
        "error_msgs": [],
    }
    _tell(model, source, report)
    return report


def _match(
    model: PreTrainedModel, stored: Iterable[str], slots: Mapping[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """{parameter: the checkpoint's name for it}, and the names that fit nothing."""
    prefix = f"{model.base_model_prefix}."
    meant = any(name.endswith((".gamma", ".beta")) for name in slots)  # not a norm's
    renames = _WRAPPERS + (() if meant else _OF_NORMS) + model.renames
    named: dict[str, str] = {}
    unexpected = []
    for key in stored:
        name = key
        for pattern, replacement in renames:
            name = re.sub(pattern, replacement, name)
        # a headless file in a model with a head, or the other way round
        fitting = [n for n in (name, prefix + name, name.removeprefix(prefix)) if n in slots]
        if fitting:
            named[fitting[0]] = key
        elif not (
            name.endswith(_IGNORE + model.ignore)
            or name.removeprefix(prefix).startswith(model.leaves_out)
        ):
            unexpected.append(key)
    return named, unexpected


def _absent(model: PreTrainedModel, slots: Iterable[str], named: Mapping[str, str]) -> list[str]:
    """The parameters a file has under none of their names."""
    ties = model.ties()
    found = {ties.get(name, name) for name in named}
    return [name for name in slots if ties.get(name, name) not in found]


def _as_filed(
    model: PreTrainedModel, slots: Iterable[str], stored: Iterable[str]
) -> Callable[[str], str]:
    """How a parameter that is missing would be named in the file: with the headless model's prefix
    if the file's names have it, without if they have not."""
    prefix = f"{model.base_model_prefix}."
    here, there = (any(n.startswith(prefix) for n in names) for names in (slots, stored))
    if here and not there:
        return lambda name: name.removeprefix(prefix)
    return (lambda name: prefix + name) if there and not here else lambda name: name


def _put(
    model: PreTrainedModel, stored: Mapping[str, Any], named: dict[str, str], precision: Precision
) -> None:
    """Give each slot in `named` its weight, kept as `precision` says."""
    head = model.get_output_embeddings()
    slots = {name: (owner, attribute) for name, owner, attribute in model.slots()}
    names: Iterable[str] = named
    if precision.dtype is not None:
        model.config.torch_dtype = precision.dtype
    if precision.nf4 is not None:
        precision = replace(precision, skip=_skipped(model, precision.skip))
    if precision.bits is not None:
        names = progress(list(named), "Quantising weights")
        model.config.quantization_config = precision.describe()
    elif any(isinstance(stored[key], QuantizedTensor) for key in named.values()):
        names = progress(list(named), "Expanding weights")
    # Names of one tensor, which a file of torch may have by the thousand, take its memory once.
    kept: dict[tuple, tuple[Any, Any]] = {}
    for name in names:
        owner, attribute = slots[name]
        outer = owner is head or isinstance(owner, Embedding)
        tensor = stored[named[name]]
        alike = (id(tensor), owner.packs, attribute, outer, precision.skips(name))
        if alike not in kept or isinstance(tensor, np.ndarray):
            kept[alike] = tensor, precision.keep(name, owner, tensor, outer)
        weight = kept[alike][1]
        again = weight.view() if isinstance(weight, np.ndarray) else copy.copy(weight)
        setattr(owner, attribute, again)


def _skipped(model: PreTrainedModel, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The modules that the reference has bitsandbytes leave as they are, beside the head.

    asked: what it was told to leave, in place of what is tied and of the last module
    """
    names = set(asked)
    if not asked:
        names = {name for pair in model.ties().items() for name in pair}
        if names or model.get_output_embeddings() is None:
            names.add([name for name, _, _ in model.slots()][-1])
    left = {name.removesuffix(".weight").removesuffix(".bias") for name in names}
    return (*sorted(left), *model.never_quantised)


def _misshapen(model: PreTrainedModel, source: str, mismatched: list) -> str:
    lines = "".join(
        f"\n\tsize mismatch for {name}: the checkpoint's shape is {found}, the model's is {wanted}."
        for name, found, wanted in mismatched
    )
    return (
        f"Error(s) in loading state_dict for {type(model).__name__} from {source}:{lines}\n\t"
        "You may consider adding `ignore_mismatched_sizes=True` in the model `from_pretrained` "
        "method."
    )


def _tell(model: PreTrainedModel, source: str, report: dict[str, list]) -> None:
    name = type(model).__name__
    if report["unexpected_keys"]:
        # news only where the file was made by this very class; a head left out on purpose is not
        made_by = model.config.architectures or []
        (warning_once if name in made_by else _logger.info)(
            f"Some weights of the model checkpoint at {source} were not used when initializing "
            f"{name}: {sorted(report['unexpected_keys'])}\nThis is expected if the checkpoint was "
            "made for another task or architecture, and an error if it was made by this class."
        )
    train = (
        "\nYou should probably TRAIN this model on a down-stream task to be able to use it for "
        "predictions and inference."
    )
    if report["missing_keys"]:
        warning_once(
            f"Some weights of {name} were not initialized from the model checkpoint at {source} "
            f"and are newly initialized: {sorted(report['missing_keys'])}{train}"
        )
    if report["mismatched_keys"]:
        shapes = "\n".join(
            f"- {n}: found shape {found} in the checkpoint and {wanted} in the model instantiated"
            for n, found, wanted in report["mismatched_keys"]
        )
        warning_once(
            f"Some weights of {name} were not initialized from the model checkpoint at {source} "
            f"and are newly initialized because the shapes did not match:\n{shapes}{train}"
        )
