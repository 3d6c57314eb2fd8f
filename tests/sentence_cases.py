"""Folders of sentence-transformers, whose vectors tests/golden/sentences.npz holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file
from tiny import weight

TEXTS = ["The quick brown fox", "Paris is the capital of France.", "My name", "", "  dog  "]
POOLING = (
    "cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens",
    "lasttoken",
)  # fmt: skip
PROMPTS = {"query": "question: ", "passage": "This text is about "}
MEAN = ("Pooling", {"pooling_mode_mean_tokens": True})


def one(mode: str) -> tuple:
    return ("Pooling", {"pooling_mode_mean_tokens": False, f"pooling_mode_{mode}": True})


def dense(inputs: int, outputs: int, activation: str = "activation.Tanh", bias: bool = True):
    return ("Dense", {
        "in_features": inputs, "out_features": outputs, "bias": bias,
        "activation_function": f"torch.nn.modules.{activation}",
    })  # fmt: skip


# case -> (checkpoint, steps, other files' fields, keywords of SentenceTransformer)
CASES: dict[str, tuple[str, list, dict[str, Any], dict[str, Any]]] = {
    **{mode: ("bert", [one(mode)], {}, {}) for mode in POOLING},
    "all modes": ("bert", [("Pooling", {f"pooling_mode_{m}": True for m in POOLING})], {}, {}),
    "no mode named": ("bert", [("Pooling", {})], {}, {}),
    "the mean too": ("bert", [("Pooling", {"pooling_mode_cls_token": True})], {}, {}),
    "by its name": ("bert", [("Pooling", {"pooling_mode": "LastToken"})], {}, {}),
    "dense": ("bert", [MEAN, dense(12, 5), ("Normalize", None)], {}, {}),
    "dense after normalize": ("bert", [
        MEAN, ("Normalize", None), dense(12, 7, "linear.Identity", False),
        dense(7, 4, "activation.GELU"),
    ], {}, {}),
    "norm and dropout": ("bert", [
        MEAN, ("LayerNorm", {"dimension": 12}), ("Dropout", {"dropout": 0.2})], {}, {}),
    "mix of layers": ("bert", [
        ("WeightedLayerPooling", {
            "word_embedding_dimension": 12, "num_hidden_layers": 2, "layer_start": 1}),
        MEAN], {"transformer": {"output_hidden_states": True}}, {}),
    "short": ("bert", [MEAN], {"limits": {"max_seq_length": 5, "do_lower_case": True}}, {}),
    "prompts": ("bert", [MEAN], {"extra": {
        "prompts": PROMPTS, "default_prompt_name": "query", "similarity_fn_name": "euclidean",
    }}, {}),
    "without the prompt": ("bert", [
        ("Pooling", {f"pooling_mode_{m}": m != "max_tokens" for m in POOLING}
                    | {"include_prompt": False}),
    ], {"extra": {"prompts": PROMPTS, "similarity_fn_name": "manhattan"}}, {}),
    "greatest without the prompt": ("bert", [
        ("Pooling", one("max_tokens")[1] | {"include_prompt": False})], {}, {}),
    "cut": ("bert", [MEAN], {"extra": {"similarity_fn_name": "dot"}}, {"truncate_dim": 5}),
    "in a folder": ("bert", [MEAN], {"inside": "0_Transformer"}, {}),
    "no modules": ("bert", [], {"plain": True}, {}),
    "decoder, padded left": ("lm-padded", [one("lasttoken")], {}, {}),
    "decoder, by weight": ("lm-padded", [one("weightedmean_tokens"), ("Normalize", None)], {}, {}),
    "encoder of T5": ("t5", [MEAN, dense(12, 6, "linear.Identity", False)], {}, {}),
}  # fmt: skip


def write(case: str, base: str, place: Path) -> str:
    """Write a case's folder. base: of its checkpoint -> the folder"""
    _, steps, more, _ = CASES[case]
    inside = more.get("inside", "")
    shutil.copytree(base, place / inside)
    if more.get("plain"):
        return str(place)
    kinds = [
        ("Transformer", inside),
        *((kind, f"{i}_{kind}") for i, (kind, _) in enumerate(steps, 1)),
    ]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    limits = more.get("limits", {"max_seq_length": 20, "do_lower_case": False})
    files = {"modules.json": modules, f"{inside}/sentence_bert_config.json".lstrip("/"): limits}
    if "extra" in more:
        files["config_sentence_transformers.json"] = more["extra"]
    if "transformer" in more:
        config = json.loads((place / inside / "config.json").read_text())
        files["config.json"] = config | more["transformer"]
    for (kind, config), (_, path) in zip(steps, kinds[1:]):
        (place / path).mkdir()
        if config is not None:
            width = {"word_embedding_dimension": 12} if kind == "Pooling" else {}
            files[f"{path}/config.json"] = width | config
        shapes = shapes_of(kind, config)
        arrays = {name: weight(f"{path}.{name}", shape) for name, shape in shapes.items()}
        if arrays:
            save_file(arrays, place / path / "model.safetensors", {"format": "pt"})
    for name, content in files.items():
        (place / name).write_text(json.dumps(content))
    return str(place)


def shapes_of(kind: str, config: Any) -> dict[str, tuple[int, ...]]:
    if kind == "Dense":
        shapes = {"linear.weight": (config["out_features"], config["in_features"])}
        return shapes | ({"linear.bias": (config["out_features"],)} if config["bias"] else {})
    if kind == "LayerNorm":
        return {"norm.weight": (config["dimension"],), "norm.bias": (config["dimension"],)}
    if kind == "WeightedLayerPooling":
        return {"layer_weights": (config["num_hidden_layers"] + 1 - config["layer_start"],)}
    return {}


def texts_of(case: str) -> list[str]:
    """The sentences; of nothing a decoder makes no tokens."""
    return [text for text in TEXTS if text or not case.startswith("decoder")]


def calls(case: str) -> dict[str, dict[str, Any]]:
    """The calls of `encode` that are compared."""
    found = {"plain": {}, "unit": {"normalize_embeddings": True, "batch_size": 2}}
    found["prompt"] = {"prompt": "This is "}
    if "extra" in CASES[case][2] and "prompts" in CASES[case][2]["extra"]:
        found["named"] = {"prompt_name": "passage"}
    if case == "all modes":  # of a width that is a multiple of eight
        for precision in ("int8", "uint8", "binary", "ubinary"):
            found[precision] = {"precision": precision}
    return found
