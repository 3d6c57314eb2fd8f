"""Put adapters into a model, choose among them and take them out again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from ..core.module import Module
from ..core.parameter import Parameter
from . import initial, targets
from .config import LoraConfig
from .lora import LoraConv1D, LoraLayer, adapted
from .wrapper import SavedModule, Wrapper


def check_name(name: Any) -> str:
    """Return an adapter's name. Raises ValueError if it cannot name an attribute and a folder."""
    if not isinstance(name, str) or not name or name[0] in "_." or set(name) & set("./\\:\0"):
        raise ValueError(
            f"{name!r} is no name for an adapter: it must be a text that does not begin with an "
            "underscore, without dots, slashes and colons"
        )
    if hasattr(Module, name) or name == "__base__":
        raise ValueError(
            f"{name!r} is no name for an adapter: it means something else. Take another"
        )
    return name


def places(module: Module, prefix: str = "") -> Iterator[tuple[str, Module, str, Module]]:
    """(full name, parent, attribute or attribute.index, child) of the model as it is without
    adapters, parents first. A wrapped child comes as its wrapper."""
    for path, child in module.named_children():
        name = f"{prefix}{path}"
        yield name, module, path, child
        inside = child
        while isinstance(inside, SavedModule):
            inside = inside.original_module
        if not isinstance(inside, LoraLayer):
            yield from places(inside, f"{name}.")


def put(parent: Module, path: str, child: Module) -> None:
    """Set a child. path: as `Module.children` names it"""
    attribute, _, index = path.partition(".")
    if index:
        getattr(parent, attribute)[int(index)] = child
    else:
        setattr(parent, attribute, child)


def wrappers(model: Module) -> list[Wrapper]:
    """Everything that was put into a model."""
    return [module for module in model.modules() if isinstance(module, Wrapper)]


def inject(model: Any, config: LoraConfig, name: str, loading: bool = False) -> None:
    """Put an adapter into a model; its config, targets filled in, joins `model.peft_config`.

    loading: leave the arrays placeholders, as those of a file are to be set
    Raises ValueError where the config fits no module, or a module that cannot be adapted; the
    model is left as it was.
    """
    check_name(name)
    configs = model.peft_config
    if name in configs:
        raise ValueError(f"Adapter with name {name} already exists. Please use a different name.")
    if configs and config.bias != "none":
        raise ValueError(
            "only one adapter of a model can have biases of its own: set bias to 'none' for all "
            f"adapters when there are several ({', '.join(configs)} and {name})"
        )
    initial.check(config.init_lora_weights, loading)
    config = copy.copy(config)
    targets.complete_targets(config, model)
    saved, chosen = _choose(model, config)
    made = {id(child): child for _, _, _, child in chosen if isinstance(child, LoraLayer)}
    for full, _, _, child in chosen:  # all of them before the model changes
        if id(child) not in made:
            made[id(child)] = adapted(child, full)
    try:
        for full, _, _, child in chosen:
            r = targets.for_module(config.rank_pattern, full, config.r)
            alpha = targets.for_module(config.alpha_pattern, full, config.lora_alpha)
            layer = made[id(child)]
            layer.add_adapter(name, r, alpha, config)
            if not loading:
                initial.initialise(layer, name, config.init_lora_weights)
            is_conv = isinstance(layer, LoraConv1D)
            config.fan_in_fan_out = bool(config.fan_in_fan_out) or is_conv
    except ValueError:
        for layer in made.values():
            layer.delete_adapter(name)
        raise
    switched_off = any(wrapper.disable_adapters for wrapper in wrappers(model))
    for _, parent, path, child in chosen:
        put(parent, path, made[id(child)])
    for _, parent, path, child in saved:
        wrapper = child if isinstance(child, SavedModule) else SavedModule(child)
        wrapper.add_adapter(name)
        put(parent, path, wrapper)
    enable(model, not switched_off)
    vars(model).setdefault("peft_config", {})[name] = config
    model._origin = None  # it can no longer be loaded again by its name alone


def _choose(model: Any, config: LoraConfig) -> tuple[list, list]:
    """The places of modules to save whole, and of those to adapt."""
    saved, chosen, excluded = [], [], []
    seen: set[int] = set()
    for place in places(model):
        full, _, _, child = place
        if id(child) in seen:  # a module in two places: as in torch, the first one counts
            continue
        seen.add(id(child))
        if any(full.endswith(ending) for ending in config.modules_to_save or ()):
            if isinstance(child, LoraLayer):
                raise ValueError(f"modules_to_save cannot be {full}: another adapter adapts it")
            saved.append(place)
        elif targets.is_excluded(config, full):
            excluded.append(full)
        elif targets.is_target(config, full):
            chosen.append(place)
    if not chosen:
        told = f", without those that exclude_modules means: {excluded[:5]}" if excluded else ""
        raise ValueError(
            f"Target modules {config.target_modules} not found in the base model{told}. Please "
            "check the target modules and try again; the last names of this model's modules are "
            f"{sorted({full.rpartition('.')[2] for full, *_ in places(model)})}"
        )
    return saved, chosen


# Which adapters are in force, and what is trained


def set_active(model: Any, names: str | Iterable[str]) -> None:
    """Put adapters in force, and make them the ones that are trained."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for module in wrappers(model):
        if isinstance(module, LoraLayer) and module.merged_adapters:
            module.unmerge()
        module.set_adapter(names)
    mark_trainable(model, names)


def active(model: Any) -> list[str]:
    """The adapters in force."""
    return next((module.active_adapters for module in wrappers(model)), [])


def enable(model: Any, enabled: bool) -> None:
    """Switch all adapters on or off."""
    for module in wrappers(model):
        module.enable_adapters(enabled)


def mark_trainable(model: Any, names: Iterable[str]) -> None:
    """Freeze everything but these adapters, the modules they save, and their biases."""
    trained = {id(p) for name in names for p in parameters_of(model, name)}
    for _, parameter in model.named_parameters():
        parameter.requires_grad = id(parameter) in trained


def parameters_of(model: Any, name: str) -> Iterator[Parameter]:
    """The parameters that training an adapter changes."""
    bias = model.peft_config[name].bias if name in model.peft_config else "none"
    for module in wrappers(model):
        yield from module.adapter_parameters(name)
        if bias == "lora_only" and isinstance(module, LoraLayer):
            yield from (p for full, p in module.base_layer.named_parameters() if full == "bias")
    if bias == "all":
        replaced = [m.original_module for m in wrappers(model) if isinstance(m, SavedModule)]
        frozen = {id(p) for module in replaced for p in module.parameters()}
        named = model.named_parameters()
        yield from (p for full, p in named if "bias" in full and id(p) not in frozen)


# Taking out


def delete(model: Any, name: str) -> None:
    """Drop an adapter. If it was in force, the others in force remain, or else the first there is.

    Raises ValueError if there is no such adapter.
    """
    if name not in model.peft_config:
        raise ValueError(f"Adapter {name} does not exist; there are {list(model.peft_config)}")
    left = [other for other in active(model) if other != name]
    remaining = sorted(other for other in model.peft_config if other != name)
    remove(model, name, left or remaining[:1])


def remove(model: Any, name: str, left: list[str]) -> None:
    """Drop an adapter's parts, and wrappers that have none any more. left: what is in force then"""
    for module in wrappers(model):
        module.delete_adapter(name)
    del model.peft_config[name]
    _unwrap(model, only_empty=True)
    set_active(model, left)


def merge(model: Any, safe_merge: bool = False, names: list[str] | None = None) -> None:
    """Put adapters into the weights they belong to; see `LoraLayer.merge`."""
    for module in wrappers(model):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge, names)


def unmerge(model: Any) -> None:
    """Take merged adapters out of the weights again."""
    for module in wrappers(model):
        if isinstance(module, LoraLayer):
            module.unmerge()


def unload(model: Any) -> Any:
    """Take every wrapper out, leaving the weights as they are. -> the model, as if never adapted

    Of a module that an adapter in force saves whole, its copy stays. Where only one of two tied
    weights was adapted they are tied no longer, nor in the configuration.
    """
    _unwrap(model)
    model.peft_config = {}
    model.requires_grad_(True)
    held = model.state_dict()
    if any(held[n] is not held[o] for n, o in model.ties().items() if n in held and o in held):
        model.config.tie_word_embeddings = False
    return model


def _unwrap(module: Module, only_empty: bool = False) -> None:
    for path, child in list(module.named_children()):
        while isinstance(child, Wrapper) and not (only_empty and child.adapter_names()):
            child = child._shown()
            put(module, path, child)
        _unwrap(child, only_empty)
