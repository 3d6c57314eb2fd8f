"""A new adapter made of several: sums, and sums of what pruning leaves.

The formulas are PEFT's: task arithmetic (Ilharco et al. 2022), TIES (Yadav et al. 2023) and DARE
(Yu et al. 2023), on the factors, or on their product, which is then factorised again.
"""

from __future__ import annotations

import copy
import functools
import math
from typing import Any

import numpy as np

from ..core.primitive import value_of
from ..core.random import default_generator
from . import initial, injection
from .lora import LoraLayer
from .wrapper import SavedModule

_PLAIN = ("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune")
_OF_PRODUCTS = ("svd", "ties_svd", "dare_linear_svd", "dare_ties_svd", "magnitude_prune_svd")


def combine(
    model: Any,
    adapters: list[str],
    weights: list[float],
    name: str,
    how: str = "svd",
    *,
    svd_rank: int | None = None,
    svd_clamp: float | None = None,
    density: float | None = None,
    majority_sign_method: str = "total",
) -> None:
    """Add the adapter `name` to a model, made of others with weights. It is not put in force.

    how: "cat" keeps all ranks, so that the effects add up exactly; "linear", "ties", "dare_linear",
        "dare_ties" and "magnitude_prune" mix A's and B's of one rank; with "_svd" behind (of
        "linear": "svd") they mix the products, whose best approximation of rank svd_rank is taken
    density: the share of the numbers that pruning leaves; svd_clamp: a quantile to cut at
    majority_sign_method: "total" or "frequency", how TIES elects signs
    Raises ValueError for adapters that are not there or do not go together.
    """
    if name in model.peft_config:
        return
    how = "linear" if len(adapters) == 1 else how
    config = _new_config(model, adapters, how, svd_rank)
    mix = functools.partial(
        _mix, how.removesuffix("_svd"), density=density, majority_sign_method=majority_sign_method
    )
    before = injection.active(model)
    injection.inject(model, config, name)
    config = model.peft_config[name]
    for full, module in list(model.named_modules()):
        if isinstance(module, SavedModule):
            _copy_saved(module, adapters, name)
        if not isinstance(module, LoraLayer) or name not in module.scaling:
            continue
        parts = [(n, w) for n, w in zip(adapters, weights, strict=True) if n in module.scaling]
        if how == "cat":
            a, b = _side_by_side(module, parts)
        elif how in _OF_PRODUCTS:
            a, b = _of_product(module, parts, mix, config.r, svd_clamp)
        else:
            a, b = _of_factors(module, parts, mix)
        module.set_factors(name, np.ascontiguousarray(a), np.ascontiguousarray(b))
        if len(a) != module.r[name]:  # where rank_pattern had given a part another rank
            module.r[name] = module.lora_alpha[name] = len(a)
            config.rank_pattern[full] = config.alpha_pattern[full] = len(a)
            module.scaling[name] = config.scaling(len(a), len(a))
    injection.set_active(model, before)


def _new_config(model: Any, adapters: list[str], how: str, svd_rank: int | None) -> Any:
    if unknown := [name for name in adapters if name not in model.peft_config]:
        raise ValueError(f"Adapter {', '.join(unknown)} does not exist")
    configs = [model.peft_config[name] for name in adapters]
    if not configs:
        raise ValueError("no adapters to combine: name at least one")
    if any(config.use_dora for config in configs):
        raise ValueError("adapters with use_dora cannot be combined: merge them one by one")
    ranks = {config.r for config in configs}
    if how in _PLAIN:
        if len(ranks) > 1:
            raise ValueError(
                f"All adapters must have the same r value when using combination_type {how}, not "
                f'{sorted(ranks)}: "cat" and "svd" take several'
            )
        rank = ranks.pop()
    elif how == "cat":
        rank = sum(config.r for config in configs)
    elif how in _OF_PRODUCTS:
        rank = svd_rank or max(ranks)
    else:
        raise ValueError(
            f"Invalid combination_type: {how!r}; there are cat, {', '.join(_PLAIN + _OF_PRODUCTS)}"
        )
    if len({isinstance(config.target_modules, str) for config in configs}) > 1:
        raise ValueError(
            "all adapter configs should follow the same target modules type: regular expressions "
            "and lists of names do not go together"
        )
    new = copy.copy(configs[0])
    if isinstance(new.target_modules, str):
        new.target_modules = "|".join(f"({config.target_modules})" for config in configs)
    else:
        new.target_modules = set().union(*(config.target_modules for config in configs))
    new.r = new.lora_alpha = rank
    new.rank_pattern, new.alpha_pattern = {}, {}
    if initial.changes_base(new.init_lora_weights):
        new.init_lora_weights = True
    return new


def _copy_saved(module: SavedModule, adapters: list[str], name: str) -> None:
    having = [other for other in adapters if other in module.modules_to_save]
    if len(having) > 1:
        raise ValueError(
            f"Cannot add weighted adapters if they target the same module with modules_to_save: "
            f"{' and '.join(having)} do"
        )
    if having and name in module.modules_to_save:
        module.modules_to_save[name] = copy.deepcopy(module.modules_to_save[having[0]])


def _factors(module: LoraLayer, name: str) -> tuple[np.ndarray, np.ndarray]:
    a, b = module.factors(name)
    return value_of(a), value_of(b)


def _side_by_side(module: LoraLayer, parts: list[tuple[str, float]]) -> tuple:
    pairs = [(_factors(module, n), w * module.scaling[n]) for n, w in parts]
    return (
        np.concatenate([a * np.float32(weight) for (a, _), weight in pairs]),
        np.concatenate([b for (_, b), _ in pairs], axis=1),
    )


def _of_factors(module: LoraLayer, parts: list[tuple[str, float]], mix: Any) -> tuple:
    """Mix the A's, and the B's, each with the root of its weight."""
    shares = [w * module.scaling[n] for n, w in parts]
    if min(shares) < 0:
        raise ValueError(
            'a negative weight has no root, which mixing factors needs: take "cat" or "svd"'
        )
    roots = np.array([math.sqrt(share) for share in shares], np.float32)
    factors = [_factors(module, n) for n, _ in parts]
    return mix([a for a, _ in factors], roots), mix([b for _, b in factors], roots)


def _of_product(
    module: LoraLayer, parts: list[tuple[str, float]], mix: Any, r: int, clamp: float | None
) -> tuple:
    """Mix the products and factorise the result.

    As in PEFT, an adapter's scaling counts twice: in its product, and in its weight.
    """
    deltas = [module.get_delta_weight(n) for n, _ in parts]
    mixed = mix(deltas, np.array([w * module.scaling[n] for n, w in parts], np.float32))
    u, s, v = np.linalg.svd(mixed.T if module.transposed else mixed, full_matrices=False)
    b, a = u[:, :r] * s[:r], v[:r]
    if clamp is not None:
        high = np.float32(np.quantile(np.concatenate([b.reshape(-1), a.reshape(-1)]), clamp))
        a, b = np.clip(a, -high, high), np.clip(b, -high, high)
    return a, b


def _mix(
    how: str,
    parts: list[np.ndarray],
    weights: np.ndarray,
    density: float | None = None,
    majority_sign_method: str = "total",
) -> np.ndarray:
    """Add arrays of one shape with weights, pruned first unless `how` is "linear" or "svd"."""
    stack = np.stack(parts)
    if how not in ("linear", "svd"):
        if density is None or density < 0:
            raise ValueError(
                f"Density should be >= 0, got {density}: the share that pruning leaves"
            )
        prune = _random if how.startswith("dare") else _largest
        stack = np.stack([part if density >= 1 else prune(part, density) for part in parts])
    weighted = stack * weights.reshape(-1, *[1] * (stack.ndim - 1))
    if not how.endswith("ties"):
        return weighted.sum(0)
    signs = _majority(stack, majority_sign_method)
    return (weighted * signs).sum(0) / np.maximum(signs.sum(0), 1).astype(np.float32)


def _largest(x: np.ndarray, density: float) -> np.ndarray:
    """Keep the numbers that are largest in absolute value."""
    kept = np.zeros(x.size, np.float32)
    kept[np.argsort(-np.abs(x).reshape(-1), kind="stable")[: int(density * x.size)]] = 1.0
    return x * kept.reshape(x.shape)


def _random(x: np.ndarray, density: float) -> np.ndarray:
    """Keep numbers drawn by chance. As in PEFT, they are not scaled up."""
    return x * default_generator.bernoulli(np.full(x.shape, density, np.float32))


def _majority(stack: np.ndarray, method: str) -> np.ndarray:
    """Where a number has the sign that most have, by their sum or by their count."""
    signs = np.sign(stack)
    if method not in ("total", "frequency"):
        raise ValueError(f'majority_sign_method must be "total" or "frequency", not {method!r}')
    votes = (stack if method == "total" else signs).sum(0)
    return signs == np.where(votes >= 0, 1, -1)
