"""`minitransformers info`"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

HELP = "what is in a checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="folder, Hub id or .gguf file")
    parser.add_argument("--gguf-file", metavar="NAME", help="the GGUF file there to look into")


def run(options: argparse.Namespace) -> None:
    from .. import hub
    from ..checkpoints import locate_gguf, open_checkpoint
    from ..models.auto import MODELS, AutoConfig

    where = {"revision": options.revision} if options.revision else {}
    config = AutoConfig.from_pretrained(options.model, gguf_file=options.gguf_file, **where)
    repo, gguf_file = locate_gguf(options.model, options.gguf_file)
    tensors = open_checkpoint(hub.resolve(repo, **where), gguf_file=gguf_file)
    distinct = list({id(stored(t).data): t for t in tensors.values()}.values())
    facts: dict[str, Any] = {
        "model": options.model,
        "model_type": config.model_type,
        "architectures": config.architectures or [],
        "tasks": sorted(set(MODELS.get(config.model_type, {})) - {"config", "base"}),
        "parameters": sum(math.prod(t.shape) for t in distinct),
        "tensors": len(tensors),
        "dtypes": sorted({stored(t).dtype for t in distinct}),
        "file_bytes": sum(stored(t).data.nbytes for t in distinct),
        "float32_bytes": sum(4 * math.prod(t.shape) for t in distinct),
    }
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:14} {text:,}" if isinstance(value, int) else f"{name:14} {text}")


def stored(tensor: Any) -> Any:
    """The tensor as its file has it, before a change of its layout."""
    return getattr(tensor, "source", tensor)
