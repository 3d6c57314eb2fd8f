"""Find a checkpoint's weights among its files, in one file or in shards."""

import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from .safetensors import StoredTensor, read_safetensors

Reader = Callable[[str], dict[str, StoredTensor]]


class Resolve(Protocol):
    """Turn the name of a checkpoint's file into a local path, or None if it may be missing and is.

    `hub.resolve(repo)` is one. Its `files()`, if it has any, names everything the checkpoint holds.
    """

    def __call__(self, filename: str, *, required: bool = True) -> str | None: ...


class Weights(NamedTuple):
    """A way to store weights: the whole file's name, the name of an index of shards, the reader."""

    whole: str
    shard_index: str
    reader: Reader


# In order of preference; `{variant}` is empty or, for variant="fp16", ".fp16".
READERS = [
    Weights("model{variant}.safetensors", "model.safetensors.index{variant}.json", read_safetensors)
]

# What else a repository may hold: the pattern of its files, and how to convert them once.
_SAVE_AGAIN = (
    "where PyTorch and Transformers are installed, load it there and call "
    "model.save_pretrained(folder)"
)
UNSUPPORTED = {
    r"pytorch_model.*\.bin(\.index.*\.json)?": f"PyTorch pickles: {_SAVE_AGAIN}",
    r"tf_model.*\.h5": f"TensorFlow weights: {_SAVE_AGAIN} (from_tf=True)",
    r"flax_model.*\.msgpack": f"Flax weights: {_SAVE_AGAIN} (from_flax=True)",
    r".*\.gguf": f"GGUF weights: {_SAVE_AGAIN} (gguf_file=...)",
    r"adapter_model\.(safetensors|bin)": "a PEFT adapter only: merge it into its base model first",
}


def open_checkpoint(resolve: Resolve, variant: str | None = None) -> dict[str, StoredTensor]:
    """Open the weights that `resolve` finds and return every tensor by name.

    Raises OSError when there are none, or a shard is missing; ValueError when a file is not sound.
    """
    suffix = f".{variant}" if variant else ""
    looked_for = []
    for weights in READERS:
        whole, index = (
            name.format(variant=suffix) for name in (weights.whole, weights.shard_index)
        )
        if path := resolve(whole, required=False):
            return weights.reader(path)
        if path := resolve(index, required=False):
            return _open_shards(resolve, path, weights.reader)
        looked_for += [whole, index]
    raise OSError(_nothing_to_open(resolve, looked_for, variant))


def _nothing_to_open(resolve: Resolve, looked_for: list[str], variant: str | None) -> str:
    where = getattr(resolve, "repo", "the checkpoint")
    story = f"{where} holds no weights to load: looked for {' and '.join(looked_for)}"
    files = resolve.files() if hasattr(resolve, "files") else []
    for pattern, remedy in UNSUPPORTED.items():
        if found := [name for name in files if re.fullmatch(pattern, name)]:
            return f"{story}; found {found[0]}, {remedy}"
    if variant:
        return f"{story}; leave out variant={variant!r} if the checkpoint has no such files"
    return f"{story}; the files there are: {', '.join(files) or 'none'}"


def _open_shards(resolve: Resolve, index: str, reader: Reader) -> dict[str, StoredTensor]:
    """Open the shards that an index file names, each tensor from the shard it is assigned to."""
    weight_map = _read_index(index)
    shards = {}
    for shard in _progress(sorted(set(weight_map.values()))):
        try:
            path = resolve(shard)
        except OSError as error:
            raise OSError(f"{index} names the shard {shard}, which is missing: {error}") from error
        assert path is not None  # a required file
        shards[shard] = reader(path)
    for name, shard in weight_map.items():
        if name not in shards[shard]:
            raise ValueError(f"{index}: tensor {name!r} is not in the shard {shard} it names")
    return {name: shards[shard][name] for name, shard in weight_map.items()}


def _read_index(path: str) -> dict[str, str]:
    """Return an index's map from tensor to shard; a shard is a plain file name and nothing else."""
    try:
        with open(path, encoding="utf-8") as file:
            weight_map = json.load(file)["weight_map"]
        pairs = list(weight_map.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: not an index of shards with a weight_map: {error!r}") from error
    for name, shard in pairs:
        # The index is untrusted: only a name without folders stays inside the checkpoint.
        if not (isinstance(shard, str) and re.fullmatch(r"[^/\\:\0]+", shard)) or shard == "..":
            raise ValueError(f"{path}: tensor {name!r} names the shard {shard!r}, not a file name")
    return weight_map


def _progress(shards: list[str]) -> Any:
    """Show a bar on a terminal while shards are fetched, unless the Hub's variable forbids it."""
    quiet = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() in {"1", "ON", "YES", "TRUE"}
    if quiet or len(shards) < 2 or not sys.stderr.isatty():
        return shards
    from tqdm.auto import tqdm

    return tqdm(shards, desc="Loading checkpoint shards", leave=False)
