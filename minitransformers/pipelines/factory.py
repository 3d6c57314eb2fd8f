"""pipeline(): from the name of a task or a model to a pipeline that runs."""

from __future__ import annotations

import os
import re
from typing import Any

from .. import hub
from ..adapters.base_model import Adapted, base_of
from ..device import check_device
from ..layouts import into_transformer
from ..logging import get_logger, warning_once
from ..models import auto
from ..models.config import PretrainedConfig
from ..tokenization import AutoTokenizer
from . import registry

_logger = get_logger(__name__)

# What a headless model's results do not show, and many files lack.
_UNUSED = re.compile(r"(^|\.)pooler\.")
# Where a model is; a tokenizer from elsewhere is not there.
_OF_THE_MODEL = ("revision", "subfolder", "gguf_file")


def pipeline(
    task: str | None = None,
    model: Any = None,
    config: Any = None,
    tokenizer: Any = None,
    feature_extractor: Any = None,
    image_processor: Any = None,
    processor: Any = None,
    framework: str | None = None,
    revision: str | None = None,
    use_fast: bool = True,
    token: str | bool | None = None,
    device: Any = None,
    device_map: Any = None,
    torch_dtype: Any = None,
    trust_remote_code: bool | None = None,
    model_kwargs: dict[str, Any] | None = None,
    pipeline_class: Any = None,
    allow_missing: bool = False,
    **kwargs: Any,
) -> Any:
    """Make a pipeline.

    task: see `PIPELINE_REGISTRY.get_supported_tasks()`; left out, it is the one the Hub lists for
        the model, or that of the class in a folder's configuration
    model: a folder, an id on the Hub, or a model; left out, the task's default
    config, tokenizer: the same, where they are not the model's own
    revision, token: which version of the model, and the access to it
    device, device_map: the CPU, by any name; framework, use_fast: accepted, there is one
    torch_dtype, dtype: accepted, models compute in float32
    model_kwargs: more keywords for from_pretrained, such as cache_dir and local_files_only
    pipeline_class: a class to use instead of the task's
    allow_missing: take a model whose checkpoint lacks weights of the head the task needs; they are
        random, and so are the results
    other keywords: parameters of the task, as defaults for every call
    Raises KeyError for an unknown task, RuntimeError if task or model cannot be told, OSError if
    files cannot be had, ValueError for a model that has no head for the task.
    """
    if task is None and model is None:
        raise RuntimeError(
            "Impossible to instantiate a pipeline without either a task or a model being "
            "specified. Please provide a task class or a model"
        )
    for kind, part in (("tokenizer", tokenizer), ("feature_extractor", feature_extractor)):
        if model is None and part is not None:
            raise RuntimeError(
                f"Impossible to instantiate a pipeline with {kind} specified but not the model as "
                f"the provided {kind} may not be compatible with the default model. Please provide "
                "a PreTrainedModel class or a path/identifier to a pretrained model when providing "
                f"{kind}."
            )
    if trust_remote_code:
        raise ValueError(
            "trust_remote_code=True is refused: code from a repo is never executed. A pipeline of "
            "your own can be passed as pipeline_class, or registered with PIPELINE_REGISTRY"
        )
    check_device(device)
    check_device(device_map)
    model = os.fspath(model) if isinstance(model, os.PathLike) else model
    options = dict(model_kwargs or {})
    where, options = hub.split_options(
        options | {n: x for n, x in (("revision", revision), ("token", token)) if x is not None}
    )
    if "gguf_file" in options:  # it holds the configuration and the tokenizer too
        where["gguf_file"] = options.pop("gguf_file")
    dtype = kwargs.pop("dtype", torch_dtype)
    if dtype is not None:
        options["torch_dtype"] = dtype

    adapted = base_of(model, where) if isinstance(model, str) else None
    name_of_task = _task_of(model, where, adapted) if task is None else task
    normalized, entry, languages = registry.check_task(name_of_task)
    chosen_class = pipeline_class or registry.load_class(entry)
    default = model is None
    if default:
        model, where = _default(normalized, entry, languages, where)
    name = model if isinstance(model, str) else None
    try:
        if hasattr(chosen_class, "prepare"):  # more files than a model's and a tokenizer's
            model, where, kwargs = chosen_class.prepare(model, where, kwargs)
        if isinstance(model, str):
            if not adapted:
                where = into_transformer(model, where)
            elif config is None:
                config = auto.AutoConfig.from_pretrained(adapted.name, **adapted.where)
            model = _load_model(name_of_task, entry, model, config, where, options, allow_missing)
        wanted = tokenizer is None and getattr(chosen_class, "_load_tokenizer", True)
        if wanted or isinstance(tokenizer, (str, tuple, os.PathLike)):
            if adapted and tokenizer is None and name:
                tokenizer, where = _tokenizer_beside(name, where, adapted)
            tokenizer = _load_tokenizer(tokenizer, name and model, config, where)
    except hub.HubError as error:
        raise _unreachable(name_of_task, name, error) if default else error from None
    name_of_task = _translation_task(name_of_task, model.config)
    parts = {
        "feature_extractor": feature_extractor,
        "image_processor": image_processor,
        "processor": processor,
    }
    kwargs |= {part: x for part, x in parts.items() if x is not None}
    return chosen_class(
        model=model, tokenizer=tokenizer, task=name_of_task, device=device, **kwargs
    )


# What an adapter says it is for -> the task of a pipeline.
_TASK_OF_ADAPTER = {
    "CAUSAL_LM": "text-generation",
    "FEATURE_EXTRACTION": "feature-extraction",
    "QUESTION_ANS": "question-answering",
    "SEQ_2_SEQ_LM": "text2text-generation",
    "SEQ_CLS": "text-classification",
    "TOKEN_CLS": "token-classification",
}


def _task_of(model: Any, where: dict[str, Any], adapted: Adapted | None) -> str:
    """The task that the Hub lists for a model, or that of its class; that of an adapter."""
    if adapted:
        if adapted.config.get("task_type") in _TASK_OF_ADAPTER:
            return _TASK_OF_ADAPTER[adapted.config["task_type"]]
        model, where = adapted.name, adapted.where
    if not isinstance(model, str):
        raise RuntimeError(
            "Inferring the task automatically requires to check the hub with a model_id defined as "
            f"a `str`. {type(model).__name__} is a model: name the task"
        )
    if os.path.exists(model) or model in hub.BUNDLED:
        config = auto.AutoConfig.from_pretrained(model, **into_transformer(model, where))
        for name in config.architectures or []:
            for task, entry in registry.TASKS.items():
                heads = set(entry["models"]) - {"base"}
                if task != "conversational" and name in {
                    auto.MODELS.get(config.model_type, {}).get(head) for head in heads
                }:
                    return task
        raise RuntimeError(
            f"the task of {model} cannot be told from its config.json (architectures: "
            f"{config.architectures}): name it, pipeline(task, model)"
        )
    access = {n: where[n] for n in ("revision", "token") if n in where}
    try:
        tag = hub.model_tag(model, **access)
    except hub.HubError as error:
        raise RuntimeError(
            f"Inferring the task automatically requires to check the hub: {error}"
        ) from error
    if not tag:
        raise RuntimeError(
            f"The model {model} does not seem to have a correct `pipeline_tag` set to infer the "
            "task automatically: name it, pipeline(task, model)"
        )
    return tag


def _default(
    task: str, entry: dict[str, Any], languages: Any, where: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The default model of a task, and where to find it."""
    default = entry.get("default")
    if isinstance(default, dict):
        if languages is None:
            raise ValueError(
                "The task defaults can't be correctly selected. You probably meant "
                '"translation_XX_to_YY"'
            )
        if languages not in default:
            raise ValueError(
                f"The task does not provide any default models for options {languages}; it does "
                f"for {sorted(default)}"
            )
        default = default[languages]
    if default is None:
        raise ValueError(f"{task} has no default model: name one, pipeline({task!r}, model)")
    model, pinned = default
    revision = where.get("revision") or pinned or "main"
    cached = lambda revision: hub.list_cached(
        model, revision=revision, cache_dir=where.get("cache_dir")
    )
    if "revision" not in where and not cached(revision) and "config.json" in cached(None):
        revision = "main"  # what is at hand: releases before 4.45 fetched it in spite of the pin
    _logger.warning(
        f"No model was supplied, defaulted to {model} and revision {revision} "
        f"(https://huggingface.co/{model}).\nUsing a pipeline without specifying a model name and "
        "revision in production is not recommended."
    )
    return model, where | {"revision": revision}


def _unreachable(task: str, model: str | None, error: Exception) -> hub.HubError:
    bundled = ", ".join(hub.BUNDLED)
    return hub.HubError(
        f"pipeline({task!r}) stands for the model {model!r}, which could neither be downloaded nor "
        f"found in the cache. Name a model that is at hand; {bundled}, which generates text, comes "
        f'with the package and needs no network: pipeline("text-generation", "{bundled}").\n{error}'
    )


def _load_model(
    task: str,
    entry: dict[str, Any],
    name: str,
    config: Any,
    where: dict[str, Any],
    options: dict[str, Any],
    allow_missing: bool,
) -> Any:
    if not isinstance(config, PretrainedConfig):
        config = auto.AutoConfig.from_pretrained(config or name, **where)
    chosen = _model_class(task, entry, config)
    model, report = chosen.from_pretrained(
        name, config=config, output_loading_info=True, **where, **options
    )
    missing = report["missing_keys"]
    if entry["models"] == ("base",):
        missing = [name for name in missing if not _UNUSED.search(name)]
    if missing and not allow_missing:
        raise ValueError(
            f"{name} has no weights for {', '.join(missing)} of {type(model).__name__}, which "
            f"{task} needs: the results would be random. Take a checkpoint that was trained for "
            f"{task} (this one is of {', '.join(config.architectures or ['an unknown class'])}), "
            "or pass allow_missing=True"
        )
    return model


def _model_class(task: str, entry: dict[str, Any], config: Any) -> Any:
    heads = entry["models"]
    if heads == ("base",) and config.is_encoder_decoder:  # its encoder is what reads a text
        heads = ("text-encoding", "base")
    for head in heads:
        if isinstance(head, str):
            found = auto.model_class(config, head)
        elif hasattr(head, "_class_for"):
            found = auto.model_class(config, head.task)
        else:
            found = head
        if found is not None:
            return found
    supported = sorted(
        {n for head in heads for n in auto.class_names(getattr(head, "task", head)).values()}
    )
    raise ValueError(
        f"{task} has no model class for {config.model_type!r} checkpoints. Supported models are "
        f"{supported}."
    )


def _tokenizer_beside(
    adapter: str, where: dict[str, Any], adapted: Adapted
) -> tuple[str | None, dict[str, Any]]:
    """The name of an adapter's own tokenizer, None if it has none; and where that is."""
    own = hub.resolve(adapter, **where)("tokenizer_config.json", required=False)
    return (adapter, where) if own else (None, adapted.where)


def _load_tokenizer(given: Any, model: Any, config: Any, where: dict[str, Any]) -> Any:
    """The tokenizer of a name, of (name, keywords), or of the model's or configuration's name."""
    keywords: dict[str, Any] = {}
    if isinstance(given, tuple):
        given, keywords = given[0], {n: x for n, x in given[1].items() if n != "use_fast"}
    if given is None:
        given = model.name_or_path if model is not None else config
        if not isinstance(given, str) or not given:
            raise ValueError(
                "Impossible to guess which tokenizer to use. Please provide a PreTrainedTokenizer "
                "class or a path/identifier to a pretrained tokenizer."
            )
    else:  # another repository, to which the model's revision does not belong
        given = os.fspath(given)
        if model is None or given != model.name_or_path:
            where = {n: x for n, x in where.items() if n not in _OF_THE_MODEL}
    return AutoTokenizer.from_pretrained(given, **where, **keywords)


def _translation_task(task: str, config: Any) -> str:
    """For plain "translation", the first pair of languages that the configuration knows."""
    special = getattr(config, "task_specific_params", None) or {}
    found = next((name for name in special if name.startswith("translation")), None)
    if task != "translation" or found is None:
        return task
    warning_once(
        f'"translation" task was used, instead of "translation_XX_to_YY", defaulting to "{found}"'
    )
    return found
