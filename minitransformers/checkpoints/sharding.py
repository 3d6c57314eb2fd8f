"""Find a checkpoint's weights among its files, in one file or in shards."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from ..json_files import parse_json
from ..logging import progress
from .gguf import open_gguf
from .safetensors import StoredTensor, read_safetensors
from .saving import SAFETENSORS, TORCH, kind_of
from .torch_bin import read_torch_bin


class Resolve(Protocol):
    """Turn the name of a checkpoint's file into a local path, or None if it may be missing and is.

    `hub.resolve(repo)` is one. Its `files()`, if it has any, names everything the checkpoint holds.
    """

    def __call__(self, filename: str, *, required: bool = True) -> str | None: ...


# A file's extension -> what reads it; a shard of any other name is torch's, as in the reference.
READERS: dict[str, Callable[[str], dict[str, StoredTensor]]] = {
    "safetensors": read_safetensors,
    "bin": read_torch_bin,
}

# What else a repository may hold: the pattern of its files, and how to convert them once.
_SAVE_AGAIN = (
    "where PyTorch and Transformers are installed, load it there and call "
    "model.save_pretrained(folder)"
)
UNSUPPORTED = {
    r"tf_model.*\.h5": f"TensorFlow weights: {_SAVE_AGAIN} (from_tf=True)",
    r"flax_model.*\.msgpack": f"Flax weights: {_SAVE_AGAIN} (from_flax=True)",
    r".*\.gguf": "GGUF weights: give gguf_file=, with the name of that file",
    r"adapter_model\.(safetensors|bin)": "a PEFT adapter only: merge it into its base model first",
}


def open_checkpoint(
    resolve: Resolve,
    variant: str | None = None,
    use_safetensors: bool | None = None,
    gguf_file: str | None = None,
) -> dict[str, Any]:
    """Open the weights that `resolve` finds and return every tensor by name.

    variant: the part "fp16" of model.fp16.safetensors
    use_safetensors: True looks for no file of torch's, False for no safetensors
    gguf_file: name of a GGUF file that holds them instead
    Raises OSError when there are none, or a shard is missing; ValueError when a file is not sound.
    """
    if gguf_file is not None:
        if tensors := open_gguf(resolve, gguf_file).tensors:
            return tensors
        raise ValueError(f"{gguf_file} holds no weights: it may be one of a vocabulary only")
    suffix = f".{variant}" if variant else ""
    layouts = {None: (SAFETENSORS, TORCH), True: (SAFETENSORS,), False: (TORCH,)}[use_safetensors]
    looked_for = []
    for layout in layouts:
        whole, index = layout.whole(suffix), layout.shard_index(suffix)
        if path := resolve(whole, required=False):
            return _read(path)
        if path := resolve(index, required=False):
            return _open_shards(resolve, path)
        looked_for += [whole, index]
    raise OSError(_nothing_to_open(resolve, looked_for, suffix, use_safetensors))


def _read(path: str) -> dict[str, StoredTensor]:
    return READERS.get(path.rpartition(".")[2], read_torch_bin)(path)


def _nothing_to_open(
    resolve: Resolve, looked_for: list[str], suffix: str, use_safetensors: bool | None
) -> str:
    where = getattr(resolve, "repo", "the checkpoint")
    story = f"{where} holds no weights to load: looked for {', '.join(looked_for)}"
    files = resolve.files() if hasattr(resolve, "files") else []
    kinds = {name: kind for name in files if (kind := kind_of(name))}
    if kinds:
        name = min(kinds, key=lambda name: kinds[name][1] != suffix)
        return f"{story}; found {name}: {_how_to_ask(*kinds[name], suffix, use_safetensors)}"
    for pattern, remedy in UNSUPPORTED.items():
        if matching := [name for name in files if re.fullmatch(pattern, name)]:
            return f"{story}; found {matching[0]}, {remedy}"
    return f"{story}; the files there are: {', '.join(files) or 'none'}"


def _how_to_ask(stem: str, other: str, suffix: str, use_safetensors: bool | None) -> str:
    """What to change so that weights of this stem and variant (".fp16") are found."""
    if other != suffix:
        return f"give variant={other[1:]!r}" if other else f"leave out variant={suffix[1:]!r}"
    if use_safetensors not in (None, stem == SAFETENSORS.stem):
        return f"leave out use_safetensors={use_safetensors}"
    return "a shard whose index is missing"


def _open_shards(resolve: Resolve, index: str) -> dict[str, StoredTensor]:
    """Open the shards that an index file names, each tensor from the shard it is assigned to.

    What else the shards hold is returned too, as the reference loads it.
    """
    weight_map = _read_index(index)
    shards = {}
    for shard in progress(sorted(set(weight_map.values())), "Loading checkpoint shards"):
        try:
            path = resolve(shard)
        except OSError as error:
            raise OSError(f"{index} names the shard {shard}, which is missing: {error}") from error
        assert path is not None  # a required file
        shards[shard] = _read(path)
    for name, shard in weight_map.items():
        if name not in shards[shard]:
            raise ValueError(f"{index}: tensor {name!r} is not in the shard {shard} it names")
    tensors = {name: shards[shard][name] for name, shard in weight_map.items()}
    for shard in shards.values():
        tensors = shard | tensors
    return tensors


def _read_index(path: str) -> dict[str, str]:
    """Return an index's map from tensor to shard; a shard is a plain file name and nothing else."""
    try:
        with open(path, "rb") as file:
            weight_map = parse_json(file.read(), unique=True)["weight_map"]
        pairs = list(weight_map.items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not an index of shards with a weight_map: {error!r}") from error
    for name, shard in pairs:
        # The index is untrusted: only a name without folders stays inside the checkpoint.
        if not (isinstance(shard, str) and re.fullmatch(r"[^/\\:\0]+", shard)) or shard == "..":
            raise ValueError(f"{path}: tensor {name!r} names the shard {shard!r}, not a file name")
    return weight_map
