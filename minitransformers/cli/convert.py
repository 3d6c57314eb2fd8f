"""`minitransformers convert`: any checkpoint as safetensors with its configuration and tokenizer.

The source may be safetensors, PyTorch's .bin, GGUF or a LoRA adapter, which is merged into its
base.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from . import common

HELP = "write a checkpoint of any format as safetensors, in another precision if asked"
EXAMPLES = (
    "minitransformers convert model.Q4_K_M.gguf ./my-model --dtype bfloat16",
    "minitransformers convert org/old-model ./my-model --quantize 8bit",
    "minitransformers convert ./lora-adapter ./merged-model",
)
_HEADS = ("causal-lm", "seq2seq-lm", "masked-lm", "base")  # where a file names no class


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder, Hub id, .gguf file or LoRA adapter")
    parser.add_argument("target", help="folder to write, made if needed")
    common.add_model_options(parser)
    parser.add_argument(
        *("--dtype",),
        choices=("float32", "float16", "bfloat16"),
        help="of the weights, which are expanded if they are quantised (default: as stored)",
    )
    parser.add_argument("--max-shard-size", default="5GB", help="of a file (default: 5GB)")


def run(options: argparse.Namespace) -> None:
    from ..adapters.config import CONFIG_NAME

    if os.path.isfile(options.target):
        raise ValueError(f"{options.target} is a file: name a folder to write")
    if os.path.isfile(os.path.join(options.target, CONFIG_NAME)):
        raise ValueError(
            f"{options.target} holds an adapter, which would be loaded in place of what is written "
            "there: name another folder"
        )
    how = common.where(options)
    model, left_out, without_place = _load(options, how)
    if options.dtype and not options.quantize:  # as plain weights, of quantised ones, too
        model.dequantize().to(dtype=options.dtype)
    weights = {n: x for n, x in model.state_dict().items() if n not in left_out}
    model.save_pretrained(options.target, state_dict=weights, max_shard_size=options.max_shard_size)
    notes = [f"{name} is not in the source and is left out" for name in left_out]
    kind = type(model).__name__
    notes += [f"{name} has no place in {kind} and is left out" for name in without_place]
    notes += _convert_tokenizer(options.source, options.target, how)
    names = [n for n in sorted(os.listdir(options.target)) if n.endswith(".safetensors")]
    facts = {
        "model": options.target,
        "class": kind,
        "parameters": model.num_parameters(),
        "files": names,
        "file_bytes": sum(os.path.getsize(os.path.join(options.target, n)) for n in names),
        "notes": notes,
    }
    if options.json:
        common.print_json(facts)
        return
    for note in notes:
        print(f"minitransformers: {note}", file=sys.stderr)
    size = f"{facts['parameters']:,} parameters, {facts['file_bytes']:,} bytes"
    print(f"{options.target}: {facts['class']}, {size} in {', '.join(names)}")


def _load(options: argparse.Namespace, how: dict[str, Any]) -> tuple[Any, list[str], list[str]]:
    """The model, the names of weights the source does not have, and of those that only it has."""
    from .. import PeftModel
    from ..adapters.base_model import base_of

    precision = common.precision(options)
    if options.dtype:
        precision["torch_dtype"] = options.dtype
    where = {"revision": options.revision} if options.revision else {}
    base = None if options.gguf_file else base_of(options.source, where)
    if base is not None:
        chosen = class_of(base.name, base.where)
        model = chosen.from_pretrained(base.name, **base.where, **precision)
        return PeftModel.from_pretrained(model, options.source, **where).merge_and_unload(), [], []
    model, report = class_of(options.source, how).from_pretrained(
        options.source, output_loading_info=True, **how, **precision
    )
    return model, sorted(report["missing_keys"]), sorted(report["unexpected_keys"])


def class_of(source: str, how: dict[str, Any]) -> Any:
    """The class that the source names, or else the one of its architecture that has most in it."""
    import minitransformers

    from ..models import auto

    config = auto.AutoConfig.from_pretrained(source, **how)
    for name in config.architectures or []:
        named = getattr(minitransformers, str(name), None)
        if getattr(named, "config_class", None) is type(config):
            return named
    found = (auto.model_class(config, task) for task in _HEADS)
    chosen = next((c for c in found if c is not None), None)
    if chosen is None:
        raise ValueError(f"{source}: {config.model_type} has no model class to convert it with")
    return chosen


def _convert_tokenizer(source: str, target: str, how: dict[str, Any]) -> list[str]:
    """Write the tokenizer. -> notes on what could not be written"""
    from ..tokenization import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **how)
    except (OSError, ValueError) as error:
        return [f"no tokenizer is written: {error}"]
    tokenizer.save_pretrained(target)
    return []
