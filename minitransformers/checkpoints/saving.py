"""Write weights as a checkpoint: one file, or shards and an index of what is where."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .files import replacing
from .safetensors import StoredTensor, write_safetensors
from .torch_writer import write_torch

Tensors = Mapping[str, np.ndarray | StoredTensor]


class Layout(NamedTuple):
    """A format: how its files are called, what writes one, whether it keeps a tied array once."""

    stem: str
    extension: str
    write: Callable[[str, Any], Any]
    keeps_ties: bool

    def whole(self, variant: str = "") -> str:
        return f"{self.stem}{variant}.{self.extension}"

    def shard(self, variant: str, n: int, count: int) -> str:
        return f"{self.stem}{variant}-{n:05d}-of-{count:05d}.{self.extension}"

    def shard_index(self, variant: str = "") -> str:
        return f"{self.stem}.{self.extension}.index{variant}.json"


SAFETENSORS = Layout("model", "safetensors", write_safetensors, keeps_ties=False)
TORCH = Layout("pytorch_model", "bin", write_torch, keeps_ties=True)


def save_sharded(
    folder: str | os.PathLike[str],
    tensors: Tensors,
    max_shard_size: int | str = "5GB",
    *,
    layout: Layout = SAFETENSORS,
    variant: str | None = None,
    remove_stale: bool = True,
) -> list[str]:
    """Write model.safetensors, or shards and their index where it would exceed `max_shard_size`.

    max_shard_size: bytes, or a text such as "5GB" (decimal) or "5GiB" (binary)
    layout: SAFETENSORS or TORCH, or one of them with another `write`
    variant: a part of the files' names, such as "fp16" in model.fp16.safetensors
    remove_stale: whether files of an earlier save there go, as they would be loaded in place of
        these
    -> the paths written, the index last. Raises ValueError for a malformed size or variant.
    """
    os.makedirs(folder, exist_ok=True)
    suffix = _suffix(variant)
    shards = _split(tensors, _parse_size(max_shard_size), layout.keeps_ties)
    count = len(shards)
    names = [layout.whole(suffix)]
    if count > 1:
        names = [layout.shard(suffix, n, count) for n in range(1, count + 1)]
    for name, shard in zip(names, shards, strict=True):
        layout.write(os.path.join(folder, name), shard)
    if count > 1:
        weight_map = {key: name for name, shard in zip(names, shards) for key in shard}
        # a tied array is counted as often as it is written
        stored = {id(x) if layout.keeps_ties else key: x for key, x in tensors.items()}
        total = sum(array.nbytes for array in stored.values())
        names.append(layout.shard_index(suffix))
        _write_index(os.path.join(folder, names[-1]), weight_map, total)
    if remove_stale:
        for stale in superseded(os.listdir(folder), names):
            os.remove(os.path.join(folder, stale))
    return [os.path.join(folder, name) for name in names]


def superseded(files: Iterable[str], written: Iterable[str]) -> list[str]:
    """Those of `files` that an earlier save left and that would be loaded in place of `written`.

    They are weights or an index of the same format and variant, under names not written now.
    """
    kinds = {kind for name in written if (kind := kind_of(name))}
    return [name for name in files if name not in written and kind_of(name) in kinds]


def kind_of(name: str) -> tuple[str, str] | None:
    """The stem and variant (".fp16") of a file of weights or an index; None for other files."""
    for layout in (SAFETENSORS, TORCH):
        stem, extension = layout.stem, layout.extension
        weights = re.fullmatch(rf"{stem}(\..+?)?(-\d{{5}}-of-\d{{5}})?\.{extension}", name)
        index = re.fullmatch(rf"{stem}\.{extension}\.index(\..+)?\.json", name)
        if found := weights or index:
            return layout.stem, found[1] or ""
    return None


def _suffix(variant: str | None) -> str:
    if variant and not re.fullmatch(r"[\w-]+(\.[\w-]+)*", variant):
        raise ValueError(f"variant={variant!r}: give a part of a file's name, such as 'fp16'")
    return f".{variant}" if variant else ""


def _split(tensors: Tensors, limit: int, keeps_ties: bool) -> list[dict[str, Any]]:
    """Fill shards in the tensors' order, none over `limit` bytes; a larger tensor has its own.

    keeps_ties: whether names of one array stand together and count once
    """
    shards: list[dict[str, Any]] = []
    filling: dict[str, Any] = {}
    filled = 0
    home: dict[int, dict[str, Any]] = {}  # id of an array -> the shard it is in
    for name, array in tensors.items():
        if keeps_ties and id(array) in home:
            home[id(array)][name] = array
            continue
        if array.nbytes > limit:
            shards.append({name: array})
            home[id(array)] = shards[-1]
            continue
        if filled + array.nbytes > limit:
            shards.append(filling)
            filling, filled = {}, 0
        filling[name] = array
        home[id(array)] = filling
        filled += array.nbytes
    return [*shards, filling] if filling or not shards else shards


def _parse_size(size: int | str) -> int:
    units = {"": 1, **{f"{unit}B": 1000 ** (n + 1) for n, unit in enumerate("KMGT")}}
    units |= {f"{unit}iB".upper(): 1024 ** (n + 1) for n, unit in enumerate("KMGT")}
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([A-Z]*)", str(size).strip().upper())
    limit = int(float(match[1]) * units[match[2]]) if match and match[2] in units else 0
    if not limit:
        raise ValueError(
            f"max_shard_size={size!r}: give bytes, or a text such as '5GB' or '200MiB'"
        )
    return limit


def _write_index(path: str, weight_map: dict[str, str], total_size: int) -> None:
    with replacing(path) as partial, open(partial, "w", encoding="utf-8") as file:
        index = {"metadata": {"total_size": total_size}, "weight_map": weight_map}
        file.write(json.dumps(index, indent=2, sort_keys=True) + "\n")
