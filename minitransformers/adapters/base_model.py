"""From an adapter to the model it adapts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from .. import hub
from . import state
from .config import CONFIG_NAME, read_json_object

_REMEDY = "load the base model yourself and pass it, PeftModel.from_pretrained(model, name)"
# What the adapter holds that the base model being loaded may lack, such as a new head; None while
# no base model is being loaded.
_provided: ContextVar[frozenset[str] | None] = ContextVar("provided", default=None)


class Adapted(NamedTuple):
    """An adapter's base model: its name, where it is, and what adapter_config.json says."""

    name: str
    where: dict[str, Any]
    config: dict[str, Any]


def base_of(name: str | os.PathLike, where: dict[str, Any]) -> Adapted | None:
    """The base model of an adapter; None for what is no adapter.

    name: a folder or a Hub repo; where: `hub.Resolver` options
    Raises ValueError if adapter_config.json names none, or one where it should not look.
    """
    path = _config_path(name, where)
    if path is None:
        return None
    values = read_json_object(path)
    base = values.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ValueError(
            f"{path} names no base model (base_model_name_or_path is {base!r}): {_REMEDY}"
        )
    is_id = re.fullmatch(r"[\w.-]+(/[\w.-]+)?", base) and ".." not in base
    if not os.path.isdir(name) and (not is_id or os.path.isdir(base)):
        # what a stranger wrote does not choose among the folders of this machine
        raise ValueError(
            f"{os.fspath(name)!r} says that its base model is {base!r}, a path and not an id of "
            f"the Hub: {_REMEDY}"
        )
    kept = {k: v for k, v in where.items() if k not in ("revision", "subfolder")}
    revision = values.get("revision")
    if isinstance(revision, str) and revision:
        kept["revision"] = revision
    return Adapted(base, kept, values)


def _config_path(name: str | os.PathLike, where: dict[str, Any]) -> str | None:
    if os.path.isfile(name) or "gguf_file" in where:  # a GGUF file, which stands for itself
        return None
    try:
        resolve = hub.resolve(name, **where)
        if not os.path.isdir(name) and not resolve.force_download:
            cached = hub.list_cached(name, revision=resolve.revision, cache_dir=resolve.cache_dir)
            inside = lambda file: "/".join(filter(None, [resolve.subfolder, file]))
            if inside(CONFIG_NAME) not in cached and inside("config.json") in cached:
                return None  # a model that was used before is not asked about again
        return resolve(CONFIG_NAME, required=False)
    except hub.HubError:
        return None  # what is wrong is told when config.json is looked for


def load_base(
    load: Callable[..., Any],
    found: Adapted,
    adapter: str | os.PathLike,
    where: dict,
    **keywords: Any,
) -> Any:
    """Load an adapter's base model by `load`, with a vocabulary as large as the adapter's.

    adapter, where: the adapter's own files, whose weights the base model need not have
    """
    weights = state.load_peft_weights(adapter, **where)
    token = _provided.set(frozenset(key.removeprefix(state.PREFIX) for key in weights))
    try:
        loaded = load(found.name, **found.where, **keywords)
    finally:
        _provided.reset(token)
    model = loaded[0] if isinstance(loaded, tuple) else loaded
    rows = state.vocabulary_of(model, weights)
    if rows not in (None, model.get_input_embeddings().weight.shape[0]):
        model.resize_token_embeddings(rows)
    return loaded


def provided_by_adapter() -> frozenset[str]:
    """Names of weights that the base model being loaded need not have: its adapter has them."""
    return _provided.get() or frozenset()


def through_adapter(
    load: Callable[..., Any], name: str | os.PathLike, args: tuple, kwargs: dict[str, Any]
) -> Any:
    """Load an adapter's base model by `load`, and the adapter into it; None for what is no adapter.

    load: the `from_pretrained` that was called with `name`, args and kwargs
    """
    if _provided.get() is not None:
        return None
    where, rest = hub.split_options(kwargs)
    found = None if rest.get("gguf_file") else base_of(name, where)
    if found is None:
        return None
    bound = lambda base, **keywords: load(base, *args, **keywords)
    loaded = load_base(bound, found, name, where, **rest)
    model = loaded[0] if isinstance(loaded, tuple) else loaded
    model.load_adapter(name, adapter_kwargs=where)
    return loaded
