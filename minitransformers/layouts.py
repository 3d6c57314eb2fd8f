"""Folders whose model lies deeper: those of sentence-transformers, in 0_Transformer."""

from __future__ import annotations

import os
from typing import Any

from . import hub
from .json_files import parse_json

# What a model's or a tokenizer's own folder has, one of them at least.
_OWN = ("config.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt")


def into_transformer(name: str | os.PathLike, keywords: dict[str, Any]) -> dict[str, Any]:
    """Add `subfolder` to the keywords of a `from_pretrained` where modules.json says that the model
    is in one; only of a folder or repo that has no model's files itself.
    """
    where, _ = hub.split_options(keywords)
    if "subfolder" in where or keywords.get("gguf_file"):
        return keywords
    try:
        resolve = hub.resolve(name, **where)
        if any(resolve(file, required=False) for file in _OWN):
            return keywords
        path = resolve("modules.json", required=False)
    except hub.HubError:
        return keywords  # told when the model's own files are looked for
    if path is None:
        return keywords
    with open(path, "rb") as file:
        try:
            listed = parse_json(file.read())
        except ValueError as error:
            raise ValueError(f"{path}: not a JSON file: {error}") from error
    for module in listed if isinstance(listed, list) else []:
        inside = module.get("path") if isinstance(module, dict) else None
        if inside and isinstance(inside, str) and str(module.get("type")).endswith(".Transformer"):
            return keywords | {"subfolder": inside}
    return keywords
