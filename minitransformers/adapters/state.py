"""An adapter's arrays under PEFT's names, and the files they are kept in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import checkpoints, hub
from ..core.module import Module, is_placeholder
from ..core.primitive import value_of
from ..logging import warning_once
from . import initial, injection
from .config import LoraConfig
from .lora import LoraLayer

WEIGHTS_NAME = "adapter_model.bin"
SAFETENSORS_WEIGHTS_NAME = "adapter_model.safetensors"
PREFIX = "base_model.model."  # of the names in files
_EMBEDDINGS = ("embed_tokens", "lm_head")  # targets whose tables PEFT saves whole

Slot = tuple[Module, str]


class IncompatibleKeys(NamedTuple):
    """What of an adapter was not in its file, and what of the file is not in the model."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def peft_slots(model: Module) -> Iterator[tuple[str, Module, str]]:
    """`model.slots()` under PEFT's names, which tell a layer from its wrapper."""
    paths: dict[int, str] = {}
    for name, module in model.named_modules():
        paths.setdefault(id(module), f"{name}." if name else "")
    for _, owner, attribute in model.slots():
        yield f"{paths[id(owner)]}{attribute}", owner, attribute


def _adapter_slots(model: Any, name: str) -> dict[str, Slot]:
    """{name in a file: place} of what belongs to an adapter alone."""
    found = {}
    for full, owner, attribute in peft_slots(model):
        parts = full.split(".")
        if "original_module" in parts:
            continue
        if "modules_to_save" in parts:  # "head.modules_to_save.default.dense.weight"
            at = parts.index("modules_to_save")
            if parts[at + 1] != name:
                continue
            del parts[at : at + 2]
        elif "lora_" not in full:
            continue
        lora = next((i for i, part in enumerate(parts) if part.startswith("lora_")), None)
        if lora is not None:  # "query.lora_A.default.weight", "wte.lora_embedding_A.default"
            if parts[lora + 1] != name:
                continue
            end = lora + 3 if parts[lora] == "lora_magnitude_vector" else lora + 2
            del parts[lora + 1 : end]
        found[".".join(parts)] = (owner, attribute)
    return found


def _base_slots(model: Any) -> dict[str, Slot]:
    """{name: place} of the base model's arrays, under PEFT's names."""
    return {
        full: (owner, attribute)
        for full, owner, attribute in peft_slots(model)
        if "lora_" not in full and ".modules_to_save." not in full
    }


def get_peft_model_state_dict(
    model: Any,
    state_dict: Mapping[str, Any] | None = None,
    adapter_name: str = "default",
    unwrap_compiled: bool = False,
    save_embedding_layers: str | bool = "auto",
) -> dict[str, np.ndarray]:
    """An adapter's arrays as PEFT's files name them; of a PeftModel with the files' prefix.

    state_dict: arrays by PEFT's names in the whole model, to take in place of the model's own
    save_embedding_layers: whether the tables of tokens go with it; "auto" decides by target_modules
        and by whether the vocabulary was changed
    Raises ValueError if there is no such adapter.
    """
    if hasattr(type(model), "get_base_model"):
        inside = state_dict and {k.removeprefix(PREFIX): v for k, v in state_dict.items()}
        base_model = model.get_base_model()
        found = get_peft_model_state_dict(
            base_model, inside, adapter_name, unwrap_compiled, save_embedding_layers
        )
        return {PREFIX + name: array for name, array in found.items()}
    config = _config_of(model, adapter_name)
    wanted = _adapter_slots(model, adapter_name)
    base = _base_slots(model)
    if config.bias == "all":
        wanted |= {n: s for n, s in base.items() if "bias" in n and "original_module" not in n}
    elif config.bias == "lora_only":
        adapted = [n for n, m in model.named_modules() if isinstance(m, LoraLayer)]
        names = [f"{layer}.base_layer.bias" for layer in adapted]
        wanted |= {n: base[n] for n in names if n in base}
    tables = _embedding_names(model, config, save_embedding_layers)
    wanted |= {n: s for n, s in base.items() if n.rpartition(".")[0] in tables}
    if state_dict is None:
        return {n: value_of(getattr(*slot)) for n, slot in wanted.items()}
    full = {(id(o), a): n for n, o, a in peft_slots(model)}
    return {n: state_dict[full[id(slot[0]), slot[1]]] for n, slot in wanted.items()}


def _config_of(model: Any, name: str) -> LoraConfig:
    if name not in model.peft_config:
        raise ValueError(f"Adapter {name} does not exist; there are {list(model.peft_config)}")
    return model.peft_config[name]


def _embedding_names(model: Any, config: LoraConfig, save: str | bool) -> list[str]:
    """The modules whose tables are saved with an adapter."""
    targeted = any(name in config.target_modules for name in _EMBEDDINGS)
    if save == "auto":
        save = targeted or _changed_vocabulary(model, config)
    if not save:
        return []
    wanted = [model.get_input_embeddings(), model.get_output_embeddings()]
    if targeted:
        wanted = [module for module in wanted if isinstance(module, LoraLayer)]
    held = {id(getattr(module, "base_layer", module)) for module in wanted}
    return [name for name, module in model.named_modules() if id(module) in held]


def _changed_vocabulary(model: Any, config: LoraConfig) -> bool:
    """Whether the vocabulary is another than in the base model's file, if that is at hand."""
    base, size = config.base_model_name_or_path, getattr(model.config, "vocab_size", None)
    if not base or not size or not (os.path.isdir(base) or hub.list_cached(base)):
        return False
    try:
        values, _ = type(model.config).get_config_dict(base, local_files_only=True)
    except (OSError, ValueError):
        return False
    return values.get("vocab_size", size) != size


def set_peft_model_state_dict(
    model: Any,
    peft_model_state_dict: Mapping[str, Any],
    adapter_name: str = "default",
    ignore_mismatched_sizes: bool = False,
    low_cpu_mem_usage: bool = False,
) -> IncompatibleKeys:
    """Give an adapter its arrays, under the names of PEFT's files.

    peft_model_state_dict: arrays, or what has `.numpy(dtype)`
    Layers of which there is nothing are adapted no longer: a fresh adapter has no effect either.
    Raises RuntimeError for misshapen arrays, ValueError if of a layer only a part is there.
    """
    if hasattr(type(model), "get_base_model"):
        model = model.get_base_model()
    config = _config_of(model, adapter_name)
    slots = _base_slots(model)
    slots |= {n.replace(".base_layer.", "."): s for n, s in slots.items()}
    own = _adapter_slots(model, adapter_name)
    slots |= own
    given = {_plain(key): value for key, value in peft_model_state_dict.items()}
    unexpected = [key for key in given if key not in slots]
    known = {key: value for key, value in given.items() if key in slots}
    misshapen = {
        key: (tuple(value.shape), tuple(getattr(*slots[key]).shape))
        for key, value in known.items()
        if tuple(value.shape) != tuple(getattr(*slots[key]).shape)
    }
    if misshapen and not ignore_mismatched_sizes:
        lines = "".join(
            f"\n\tsize mismatch for {key}: the adapter's shape is {found}, the model's is {wanted}."
            for key, (found, wanted) in misshapen.items()
        )
        raise RuntimeError(
            f"Error(s) in loading the adapter {adapter_name} into {type(model).__name__}:{lines}\n"
            "\tDoes the adapter belong to this base model, and is the vocabulary as large?"
        )
    known = {key: value for key, value in known.items() if key not in misshapen}
    missing = [key for key in own if key not in known]
    if own and not known:
        raise ValueError(
            f"the adapter {adapter_name} holds nothing that fits {type(model).__name__}: its names "
            f"are such as {sorted(given)[:3]}, the model's such as {sorted(own)[:3]}"
        )
    _drop_absent(model, adapter_name, missing)
    _take_out(model, adapter_name, config, known)
    for key, value in known.items():
        setattr(*slots[key], _float32(value))
    return IncompatibleKeys(missing, unexpected)


def _plain(key: str) -> str:
    """A name without the prefix of files, and as DoRA's lengths were called in some versions."""
    key = key.removeprefix(PREFIX)
    return key.removesuffix(".weight") if key.endswith("lora_magnitude_vector.weight") else key


def _float32(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value.astype(np.float32, copy=False)
    return value.numpy(np.float32)


def _drop_absent(model: Any, name: str, missing: list[str]) -> None:
    """Take an adapter from the layers of which its file has nothing."""
    for full, module in model.named_modules():
        if not isinstance(module, LoraLayer) or name not in module.scaling:
            continue
        lacking = [key for key in missing if key.startswith(f"{full}.lora_")]
        if not lacking:
            continue
        if len(lacking) < sum(1 for _ in module.adapter_parameters(name)):
            raise ValueError(f"the adapter {name} is incomplete: it lacks {', '.join(lacking)}")
        module.delete_adapter(name)


def _take_out(model: Any, name: str, config: LoraConfig, known: Mapping[str, Any]) -> None:
    """Take PiSSA's and OLoRA's beginnings out of the base weights, as was done before training."""
    if not initial.changes_base(config.init_lora_weights):
        return
    for module in injection.wrappers(model):
        if not isinstance(module, LoraLayer) or name not in module.scaling:
            continue
        if is_placeholder(module.factors(name)[0]):  # of a fresh adapter it was done already
            initial.initialise(module, name, config.init_lora_weights)


def vocabulary_of(model: Any, weights: Mapping[str, Any]) -> int | None:
    """The rows of the table of tokens that comes with an adapter; None if none does.

    weights: what has a `.shape`, by the names of PEFT's files
    """
    table = model.get_input_embeddings()
    for name, module in model.named_modules():
        if module is table:
            for key in (f"{PREFIX}{name}.weight", f"{PREFIX}{name}.base_layer.weight"):
                if key in weights:
                    return weights[key].shape[0]
    return None


def load_peft_weights(model_id: str | os.PathLike, **where: Any) -> dict[str, Any]:
    """Open adapter_model.safetensors, or else adapter_model.bin, of a folder or a Hub repo.

    where: revision, token, cache_dir, subfolder, local_files_only, force_download
    -> {name: what has `.shape` and `.numpy(dtype)`}. Raises OSError if there is neither.
    """
    options, _ = hub.split_options(where)
    resolve = hub.resolve(model_id, **options)
    if path := resolve(SAFETENSORS_WEIGHTS_NAME, required=False):
        return dict(checkpoints.read_safetensors(path))
    if path := resolve(WEIGHTS_NAME, required=False):
        return dict(checkpoints.read_torch_bin(path))
    raise OSError(
        f"{os.fspath(model_id)} holds no adapter to load: looked for {SAFETENSORS_WEIGHTS_NAME} "
        f"and {WEIGHTS_NAME}; the files there are: {', '.join(resolve.files()) or 'none'}"
    )


def save_adapter(
    model: Any,
    name: str,
    folder: str | os.PathLike,
    *,
    save_embedding_layers: str | bool = "auto",
    safe_serialization: bool = True,
    state_dict: Mapping[str, Any] | None = None,
) -> None:
    """Write adapter_config.json and the adapter's arrays into a folder, as PEFT does."""
    folder = os.fspath(folder)
    config = _config_of(model, name)
    if os.path.isfile(folder):
        raise ValueError(f"Provided path ({folder}) should be a directory, not a file")
    os.makedirs(folder, exist_ok=True)
    arrays = get_peft_model_state_dict(
        model, state_dict, name, save_embedding_layers=save_embedding_layers
    )
    arrays = {PREFIX + key: np.asarray(value) for key, value in arrays.items()}
    if safe_serialization:
        checkpoints.write_safetensors(os.path.join(folder, SAFETENSORS_WEIGHTS_NAME), arrays)
    else:
        checkpoints.TORCH.write(os.path.join(folder, WEIGHTS_NAME), arrays)
    changes: dict[str, Any] = {"inference_mode": True}
    if config.base_model_name_or_path is None:
        changes["base_model_name_or_path"] = model.name_or_path
    if config.task_type is None:
        changes["auto_mapping"] = {
            "base_model_class": type(model).__name__,
            "parent_library": "transformers",
        }
    config.save_pretrained(folder, **changes)


def tell(model_id: Any, keys: IncompatibleKeys) -> None:
    """Warn of what did not fit."""
    if keys.unexpected_keys:
        warning_once(
            f"Loading adapter weights from {model_id} led to unexpected keys not found in the "
            f"model: {keys.unexpected_keys}."
        )
    if keys.missing_keys:
        warning_once(
            f"Found missing adapter keys while loading the checkpoint {model_id}: "
            f"{keys.missing_keys}. The layers are left as they were without the adapter."
        )
