"""What a folder of sentence-transformers does with the vectors of tokens: modules.json, read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from .. import checkpoints, hub
from ..core import ops
from ..json_files import parse_json
from .pooling import pool, unit

# Keys of a pooling module's configuration, in the order in which their vectors are joined.
_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "last",
}
# What a configuration calls a mode that is the only one, "pooling_mode".
_MODE_NAMES = {how: how for how in _MODES.values() if how not in ("last", "mean_sqrt_len")} | {
    "lasttoken": "last",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
}
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x,
    "Tanh": ops.tanh,
    "ReLU": ops.relu,
    "GELU": ops.gelu,
    "Sigmoid": ops.sigmoid,
    "SiLU": ops.silu,
}
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# {"token_embeddings": (batch, seq, hidden), "attention_mask": (batch, seq), and where they are
# known "prompt_length", "all_layer_embeddings", "sentence_embedding": (batch, hidden)}
Features = dict[str, Any]


class Step:
    """A module after the transformer: a call changes the features.

    kind: its class in sentence-transformers
    """

    kind: ClassVar[str]

    def __call__(self, features: Features) -> None:
        raise NotImplementedError

    def width(self, width: int) -> int:
        """Elements of a vector that this step makes of one of `width` elements.

        Raises ValueError if it takes others.
        """
        return width

    def files(self, width: int) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        """-> its configuration and its arrays, as they are saved. width: of what it is given"""
        return None, {}


def _check_width(step: Step, taken: int, width: int) -> None:
    if taken != width:
        raise ValueError(f"{step.kind} takes vectors of {taken} elements and is given {width}")


@dataclass(frozen=True)
class Pooling(Step):
    """modes: names of `pooling`, whose vectors are joined; include_prompt: whether it counts"""

    modes: tuple[str, ...] = ("mean",)
    include_prompt: bool = True

    kind = "Pooling"

    def __call__(self, features: Features) -> None:
        x, mask = features["token_embeddings"], features["attention_mask"]
        if not self.include_prompt and "prompt_length" in features:
            mask = mask * (np.arange(mask.shape[1]) >= features["prompt_length"])
        parts = [x[:, 0] if how == "cls" else pool(x, mask, how) for how in self.modes]
        features["sentence_embedding"] = np.concatenate(parts, axis=-1)

    def width(self, width: int) -> int:
        return width * len(self.modes)

    def files(self, width: int) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        modes = {key: how in self.modes for key, how in _MODES.items()}
        facts = {"word_embedding_dimension": width, "include_prompt": self.include_prompt}
        return modes | facts, {}


@dataclass(frozen=True)
class Dense(Step):
    """weight: (out, in); bias: (out,) or None; activation: the name of torch's class"""

    weight: np.ndarray
    bias: np.ndarray | None
    activation: str

    kind = "Dense"

    def __call__(self, features: Features) -> None:
        x = ops.linear(features["sentence_embedding"], self.weight, self.bias)
        features["sentence_embedding"] = _ACTIVATIONS[self.activation](x)

    def width(self, width: int) -> int:
        _check_width(self, self.weight.shape[1], width)
        return len(self.weight)

    def files(self, width: int) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        outputs, inputs = self.weight.shape
        place = "linear" if self.activation == "Identity" else "activation"
        config = {
            "in_features": inputs,
            "out_features": outputs,
            "bias": self.bias is not None,
            "activation_function": f"torch.nn.modules.{place}.{self.activation}",
        }
        arrays = {"linear.weight": self.weight}
        return config, arrays if self.bias is None else arrays | {"linear.bias": self.bias}


@dataclass(frozen=True)
class LayerNorm(Step):
    weight: np.ndarray
    bias: np.ndarray

    kind = "LayerNorm"

    def __call__(self, features: Features) -> None:
        x = features["sentence_embedding"]
        features["sentence_embedding"] = ops.layer_norm(x, self.weight, self.bias, eps=1e-5)

    def width(self, width: int) -> int:
        _check_width(self, len(self.weight), width)
        return width

    def files(self, width: int) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        arrays = {"norm.weight": self.weight, "norm.bias": self.bias}
        return {"dimension": len(self.weight)}, arrays


@dataclass(frozen=True)
class WeightedLayerPooling(Step):
    """The tokens' vectors become the weighted mean of the layers' from `layer_start` on."""

    layer_start: int
    weights: np.ndarray

    kind = "WeightedLayerPooling"

    def __call__(self, features: Features) -> None:
        layers = np.stack(features["all_layer_embeddings"][self.layer_start :])
        mixed = np.tensordot(self.weights, layers, axes=1)
        features["token_embeddings"] = mixed / self.weights.sum()

    def files(self, width: int) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        count = self.layer_start + len(self.weights) - 1
        config = {"layer_start": self.layer_start, "num_hidden_layers": count}
        return config | {"word_embedding_dimension": width}, {"layer_weights": self.weights}


@dataclass(frozen=True)
class Normalize(Step):
    kind = "Normalize"

    def __call__(self, features: Features) -> None:
        features["sentence_embedding"] = unit(features["sentence_embedding"])


@dataclass(frozen=True)
class SentenceModules:
    """What a folder says beside its transformer and tokenizer.

    steps: what follows the transformer, in order
    subfolder: where in the folder the transformer is
    max_length: tokens of a text, None if not stated; lower: whether texts are made lower case
    prompts: {name: what is put before each text}; default_prompt_name: the one used otherwise
    similarity: the name of how vectors are compared, None if not stated
    """

    steps: tuple[Step, ...] = (Pooling(),)
    subfolder: str = ""
    max_length: int | None = None
    lower: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    similarity: str | None = None


def read_modules(name: str, where: dict[str, Any]) -> SentenceModules | None:
    """Read modules.json and what it names; None for a folder or repo that has none.

    where: `hub.Resolver` options. Raises ValueError for a module that is not known here, or files
    that are not sound.
    """
    resolve = hub.resolve(name, **where)
    listed = _json(resolve, "modules.json", list)
    if listed is None:
        return None
    modules, steps = SentenceModules(), []
    for module in listed:
        if not isinstance(module, dict) or not isinstance(module.get("type"), str):
            raise ValueError(f"{name}: modules.json must list objects with a type, not {module!r}")
        kind, path = module["type"].rpartition(".")[2], module.get("path", "")
        if not isinstance(path, str):
            raise ValueError(f"{name}: modules.json names {path!r}, which is no path")
        if kind == "Transformer":
            modules = replace(modules, subfolder=path, **_transformer(resolve, path))
        elif kind in _READERS:
            steps.append(_READERS[kind](_Folder(name, where, path, resolve)))
        elif kind != "Dropout":  # which does nothing but in training
            raise ValueError(
                f"{name}: modules.json asks for {module['type']}, which is not known; the known "
                f"modules are Transformer, Dropout, {', '.join(_READERS)}"
            )
    extra = _json(resolve, "config_sentence_transformers.json", dict) or {}
    return replace(
        modules,
        steps=tuple(steps),
        prompts=dict(extra.get("prompts") or {}),
        default_prompt_name=extra.get("default_prompt_name"),
        similarity=extra.get("similarity_fn_name"),
    )


def write_modules(folder: str, modules: SentenceModules, width: int) -> None:
    """Write modules.json and what it names, but not the transformer, which is in `folder`.

    width: of the transformer's hidden states
    """
    package = "sentence_transformers.models"
    listed = [{"idx": 0, "name": "0", "path": "", "type": f"{package}.Transformer"}]
    for i, step in enumerate(modules.steps, 1):
        path = f"{i}_{step.kind}"
        listed.append({"idx": i, "name": str(i), "path": path, "type": f"{package}.{step.kind}"})
        os.makedirs(os.path.join(folder, path), exist_ok=True)
        config, arrays = step.files(width)
        width = step.width(width)
        if config is not None:
            _write(os.path.join(folder, path, "config.json"), config)
        if arrays:
            checkpoints.write_safetensors(os.path.join(folder, path, "model.safetensors"), arrays)
    _write(os.path.join(folder, "modules.json"), listed)
    limits = {"max_seq_length": modules.max_length, "do_lower_case": modules.lower}
    _write(os.path.join(folder, "sentence_bert_config.json"), limits)
    extra = {
        "prompts": modules.prompts,
        "default_prompt_name": modules.default_prompt_name,
        "similarity_fn_name": modules.similarity,
    }
    _write(os.path.join(folder, "config_sentence_transformers.json"), extra)


def _write(path: str, content: Any) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)


def _json(resolve: Callable[..., str | None], name: str, kind: type) -> Any:
    path = resolve(name, required=False)
    if path is None:
        return None
    with open(path, "rb") as file:
        try:
            content = parse_json(file.read())
        except ValueError as error:
            raise ValueError(f"{path}: not a JSON file: {error}") from error
    if not isinstance(content, kind):
        raise ValueError(f"{path}: must hold a {kind.__name__}, not a {type(content).__name__}")
    return content


def _transformer(resolve: Callable[..., str | None], path: str) -> dict[str, Any]:
    for name in _TRANSFORMER_CONFIGS:
        own = _json(resolve, f"{path}/{name}".lstrip("/"), dict)
        if own is not None:
            limit = own.get("max_seq_length")
            return {"max_length": limit or None, "lower": bool(own.get("do_lower_case"))}
    return {}


@dataclass(frozen=True)
class _Folder:
    """Where a module's files are."""

    name: str
    where: dict[str, Any]
    path: str
    resolve: Callable[..., str | None]

    def config(self) -> dict[str, Any]:
        return _json(self.resolve, f"{self.path}/config.json".lstrip("/"), dict) or {}

    def arrays(self, *names: str) -> list[np.ndarray]:
        inside = self.where | {"subfolder": self.path}
        stored = checkpoints.open_checkpoint(hub.resolve(self.name, **inside))
        if missing := [name for name in names if name not in stored]:
            raise ValueError(f"{self.name}: {self.path} lacks {', '.join(missing)}")
        return [np.asarray(stored[name].numpy(np.float32)) for name in names]


def _pooling(folder: _Folder) -> Pooling:
    # What a configuration leaves out is as in the class: the mean is taken unless it says no.
    config = {"pooling_mode_mean_tokens": True} | folder.config()
    modes = tuple(how for key, how in _MODES.items() if config.get(key))
    if config.get("pooling_mode"):
        modes = (_MODE_NAMES.get(str(config["pooling_mode"]).lower(), ""),)
    if not all(modes):
        raise ValueError(
            f"{folder.name}: {folder.path} pools by {config['pooling_mode']!r}; the modes are "
            f"{', '.join(_MODE_NAMES)}"
        )
    if not modes:
        raise ValueError(f"{folder.name}: {folder.path} pools by nothing: every mode is false")
    return Pooling(modes, bool(config.get("include_prompt", True)))


def _dense(folder: _Folder) -> Dense:
    config = folder.config()
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"{folder.name}: {folder.path} asks for the activation {activation}; the known ones "
            f"are {', '.join(_ACTIVATIONS)}"
        )
    names = ["linear.weight", *["linear.bias"] * bool(config.get("bias", True))]
    weight, *bias = folder.arrays(*names)
    if weight.ndim != 2 or any(b.shape != weight.shape[:1] for b in bias):
        raise ValueError(
            f"{folder.name}: {folder.path} holds a weight of shape {weight.shape} with a bias of "
            f"shape {[b.shape for b in bias]}, which is no dense layer"
        )
    return Dense(weight, bias[0] if bias else None, activation)


def _layer_mix(folder: _Folder) -> WeightedLayerPooling:
    (weights,) = folder.arrays("layer_weights")
    return WeightedLayerPooling(int(folder.config().get("layer_start", 4)), weights)


_READERS: dict[str, Callable[[_Folder], Step]] = {
    "Pooling": _pooling,
    "Dense": _dense,
    "Normalize": lambda folder: Normalize(),
    "LayerNorm": lambda folder: LayerNorm(*folder.arrays("norm.weight", "norm.bias")),
    "WeightedLayerPooling": _layer_mix,
}
