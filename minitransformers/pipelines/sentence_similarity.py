"""Sentence similarity, by the modules of a sentence-transformers folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checkpoints, hub
from ..core import ops
from . import texts
from .base import Params, Pipeline
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
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x,
    "Tanh": ops.tanh,
    "ReLU": ops.relu,
    "GELU": ops.gelu,
    "Sigmoid": ops.sigmoid,
    "SiLU": ops.silu,
}
_PLAIN: dict[str, Any] = {"pooling": ("mean",), "dense": (), "normalize": True}

Layer = tuple[np.ndarray, Any, str]  # weight (out, in), bias (out,) or None, activation


class SentenceSimilarityPipeline(Pipeline):
    """Compare sentences: `pipe({"source_sentence": "A dog.", "sentences": ["A cat.", "A car."]})`.

    -> the similarities of the source to each sentence, floats; of a list of such inputs, a list of
    them. `pipe.encode(texts)` gives the vectors themselves. Folders of sentence-transformers are
    read with their pooling, dense layers and normalisation; from other models come the means of the
    last hidden states.

    modules: {"pooling": names, "dense": layers, "normalize": bool, "similarity": a function's name,
        "prompt": text before each sentence, "max_length": tokens, "lower": bool}
    similarity: "cosine", "dot", "euclidean" or "manhattan", instead of the folder's
    """

    def __init__(self, *args: Any, modules: dict[str, Any] | None = None, **kwargs: Any):
        self.modules = _PLAIN | (modules or {})
        super().__init__(*args, **kwargs)

    @classmethod
    def prepare(cls, model: Any, where: dict, kwargs: dict) -> tuple[Any, dict, dict]:
        """Read what a folder says beside its model. -> model, where it is, keywords"""
        if not isinstance(model, str) or "modules" in kwargs:
            return model, where, kwargs
        modules, subfolder = read_modules(model, where)
        if subfolder:
            where = where | {"subfolder": subfolder}
        return model, where, kwargs | {"modules": modules}

    def _sanitize_parameters(self, similarity: str | None = None, **unknown: Any) -> Params:
        texts.check_keywords(type(self).__name__, unknown, ("similarity", "batch_size"))
        if similarity is None:
            return {}, {}, {}
        if similarity not in _SIMILARITIES:
            raise ValueError(
                f"similarity must be one of {', '.join(_SIMILARITIES)}, not {similarity!r}"
            )
        return {}, {}, {"similarity": similarity}

    def preprocess(self, inputs: Any) -> dict[str, Any]:
        if not isinstance(inputs, dict) or set(inputs) != {"source_sentence", "sentences"}:
            raise ValueError(
                'sentence-similarity: an input is {"source_sentence": text, "sentences": [texts]}; '
                f"got {inputs!r}"
            )
        sentences = inputs["sentences"]
        if not isinstance(sentences, (list, tuple)) or not sentences:
            raise ValueError(f"`sentences` must be a list of texts, got {sentences!r}")
        return {"texts": [inputs["source_sentence"], *sentences]}

    def _forward(self, model_inputs: Any) -> Any:
        batch = model_inputs["texts"]
        if isinstance(batch[0], list):  # several inputs
            return {"vectors": [self.encode(one) for one in batch]}
        return {"vectors": self.encode(batch)}

    def postprocess(self, model_outputs: Any, similarity: str | None = None) -> list[float]:
        vectors = model_outputs["vectors"]
        name = similarity or self.modules.get("similarity") or "cosine"
        return _SIMILARITIES[name](vectors[0], vectors[1:]).tolist()

    def encode(self, sentences: list[str], batch_size: int = 32) -> np.ndarray:
        """The vectors of sentences. -> (sentences, hidden) float32"""
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        vectors: list[Any] = [None] * len(sentences)
        for first in range(0, len(order), batch_size):
            chosen = order[first : first + batch_size]
            for i, vector in zip(chosen, self._encode([sentences[i] for i in chosen])):
                vectors[i] = vector
        return np.stack(vectors)

    def _encode(self, sentences: list[str]) -> np.ndarray:
        modules = self.modules
        prompt = modules.get("prompt") or ""
        sentences = [prompt + texts.check_text(self.task, text).strip() for text in sentences]
        if modules.get("lower"):
            sentences = [text.lower() for text in sentences]
        limits = [modules.get("max_length"), texts.longest_allowed(self)]
        limit = min((limit for limit in limits if limit), default=None)
        encoded = self.tokenizer(
            sentences,
            padding=len(sentences) > 1,
            truncation=limit is not None,
            max_length=limit,
            return_tensors="np",
        )
        hidden = texts.run_model(self.model, encoded)[0]
        mask = encoded["attention_mask"]
        vectors = np.concatenate([pool(hidden, mask, how) for how in modules["pooling"]], axis=-1)
        for weight, bias, activation in modules["dense"]:
            vectors = _ACTIVATIONS[activation](ops.linear(vectors, weight, bias))
        return unit(vectors) if modules["normalize"] else vectors


def _distances(x: np.ndarray, others: np.ndarray, power: int) -> np.ndarray:
    return -np.linalg.norm(others - x, ord=power, axis=-1)


# x: (hidden,); others: (n, hidden) -> (n,), the greater the more alike
_SIMILARITIES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": lambda x, others: unit(others) @ unit(x),
    "dot": lambda x, others: others @ x,
    "euclidean": lambda x, others: _distances(x, others, 2),
    "manhattan": lambda x, others: _distances(x, others, 1),
}


def read_modules(model: str, where: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Read modules.json and what it names. -> (modules, the folder of the model itself)

    Raises ValueError for a module that is not known here.
    """
    resolve = hub.resolve(model, **where)
    found = _json(resolve, "modules.json")
    if found is None:
        return dict(_PLAIN), ""
    modules: dict[str, Any] = {"pooling": (), "dense": (), "normalize": False}
    subfolder = ""
    for module in found:
        kind, path = module["type"].rpartition(".")[2], module.get("path", "")
        config = _json(resolve, f"{path}/config.json" if path else "config.json") or {}
        if kind == "Transformer":
            subfolder = path
            own = _json(resolve, f"{path}/sentence_bert_config.json".lstrip("/")) or {}
            modules |= {"max_length": own.get("max_seq_length"), "lower": own.get("do_lower_case")}
        elif kind == "Pooling":
            modules["pooling"] = tuple(how for key, how in _MODES.items() if config.get(key))
        elif kind == "Dense":
            modules["dense"] += (_dense(model, where, path, config),)
        elif kind == "Normalize":
            modules["normalize"] = True
        elif kind not in ("Dropout",):
            raise ValueError(
                f"{model}: modules.json asks for {module['type']}, which is not known; the known "
                "modules are Transformer, Pooling, Dense, Dropout and Normalize"
            )
    modules["pooling"] = modules["pooling"] or ("mean",)
    extra = _json(resolve, "config_sentence_transformers.json") or {}
    modules["similarity"] = extra.get("similarity_fn_name")
    modules["prompt"] = (extra.get("prompts") or {}).get(extra.get("default_prompt_name"))
    return modules, subfolder


def _json(resolve: Callable[..., str | None], name: str) -> Any:
    path = resolve(name, required=False)
    if path is None:
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _dense(model: str, where: dict[str, Any], path: str, config: dict[str, Any]) -> Layer:
    stored = checkpoints.open_checkpoint(hub.resolve(model, **where | {"subfolder": path}))
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    activation = activation.rpartition(".")[2]
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"{model}: {path} asks for the activation {activation}; the known ones are "
            f"{', '.join(_ACTIVATIONS)}"
        )
    weight = np.asarray(stored["linear.weight"].numpy(np.float32))
    has_bias = config.get("bias", True)
    bias = np.asarray(stored["linear.bias"].numpy(np.float32)) if has_bias else None
    return weight, bias, activation
