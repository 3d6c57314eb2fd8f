"""`minitransformers info`"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from collections.abc import Mapping
from typing import Any

from . import common

HELP = "what is in a checkpoint: architecture, parameters, precision, memory, files"
EXAMPLES = (
    "minitransformers info ./my-model",
    "minitransformers info model.Q4_K_M.gguf --tensors",
    "minitransformers info openai-community/gpt2 --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="folder, Hub id or .gguf file")
    parser.add_argument("--tensors", action="store_true", help="list each tensor's shape and type")
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repo")
    parser.add_argument("--gguf-file", metavar="NAME", help="the GGUF file there to look into")


def run(options: argparse.Namespace) -> None:
    from .. import hub
    from ..checkpoints import locate_gguf, open_checkpoint
    from ..core.packed import Packed
    from ..models.auto import MODELS, AutoConfig
    from ..models.precision import assembled

    where = {"revision": options.revision} if options.revision else {}
    config = AutoConfig.from_pretrained(options.model, gguf_file=options.gguf_file, **where)
    repo, gguf_file = locate_gguf(options.model, options.gguf_file)
    tensors = open_checkpoint(hub.resolve(repo, **where), gguf_file=gguf_file)
    distinct = list({id(stored(t).data): t for t in tensors.values()}.values())
    whole: Mapping[str, Any] = tensors
    with contextlib.suppress(ValueError):  # quantised by others: what the file has is all we know
        whole = assembled(tensors, config, options.model)
    weights = {
        id(t if isinstance(t, Packed) else stored(t).data): math.prod(t.shape)
        for t in whole.values()
    }
    facts: dict[str, Any] = {
        "model": options.model,
        "model_type": config.model_type,
        "architectures": config.architectures or [],
        "tasks": sorted(set(MODELS.get(config.model_type, {})) - {"config", "base"}),
        "parameters": sum(weights.values()),
        "tensors": len(tensors),
        "dtypes": sorted({stored(t).dtype for t in distinct}),
        "file_bytes": sum(stored(t).data.nbytes for t in distinct),
        "float32_bytes": 4 * sum(weights.values()),
        "cache_bytes_per_token": _cache_bytes(config),
        "files": _files(repo, gguf_file, where),
    }
    listing = [
        {"name": name, "shape": list(t.shape), "dtype": stored(t).dtype}
        for name, t in sorted(tensors.items())
        if options.tensors
    ]
    if options.json:
        common.print_json(facts | ({"list": listing} if options.tensors else {}))
        return
    facts["files"] = [f"{name} ({common.readable(n)})" for name, n in facts["files"].items()]
    common.print_facts({name: value for name, value in facts.items() if value is not None})
    for tensor in listing:
        shape = " x ".join(map(str, tensor["shape"])) or "scalar"
        print(f"{tensor['name']}  {shape}  {tensor['dtype']}")


def stored(tensor: Any) -> Any:
    """The tensor as its file has it, before a change of its layout."""
    return getattr(tensor, "source", tensor)


def _cache_bytes(config: Any) -> int | None:
    """What keys and values of one more token take in a decoder's cache; None of other models."""
    from ..models.auto import MODELS

    if not {"causal-lm", "seq2seq-lm"} & MODELS.get(config.model_type, {}).keys():
        return None
    heads, layers, hidden = (
        getattr(config, name, None)
        for name in ("num_attention_heads", "num_hidden_layers", "hidden_size")
    )
    if not (heads and layers and hidden):
        return None
    head_dim = getattr(config, "head_dim", None) or hidden // heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    return 2 * 4 * layers * kv_heads * head_dim


def _files(repo: str, gguf_file: str | None, where: dict[str, Any]) -> dict[str, int]:
    """{file that is here: its bytes}, of a folder, the cache or a single file"""
    from .. import hub
    from ..checkpoints import gguf_parts

    resolver = hub.resolve(repo, **where)
    names = gguf_parts(gguf_file) if gguf_file else hub.list_cached(repo, **where)
    paths = {name: resolver(name, required=False) for name in names}
    return {name: os.path.getsize(path) for name, path in paths.items() if path}
