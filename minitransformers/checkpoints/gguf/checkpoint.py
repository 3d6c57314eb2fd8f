"""A GGUF file as a checkpoint: config.json's fields, tensors under the names that models use."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..safetensors import StoredTensor
from .file import ChangedTensor, GGUFFile, GGUFTensor, QuantizedTensor
from .layouts import Fields
from .models import Architecture, Facts, architecture_of

if TYPE_CHECKING:
    from ..sharding import Resolve

_IN_BLOCK = re.compile(r"(enc\.|dec\.|)blk\.(\d+)\.(.+)\.(weight|bias)")
_SPLIT = re.compile(r"(.*-)(\d{5})(-of-)(\d{5})(\.gguf)")
# Tables of angles: what they say is in the configuration.
_ANGLES = ("rope_freqs", "rope_factors_long", "rope_factors_short", "attn_rot_embd")
_MAX_PIECES = 1024  # experts, or heads with a norm each
_MAX_WIDTH = 8192  # of a head
# GGUF's name of a special token -> ours.
_TOKEN_IDS = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
_ENDS_OF_TURNS = ("eot", "eom")


class GGUFCheckpoint(NamedTuple):
    """What one GGUF file, or a set of split ones, says about its model.

    config: fields of config.json
    tensors: name that the model uses -> tensor
    """

    config: Fields
    tensors: dict[str, GGUFTensor]


def locate_gguf(name: str, gguf_file: str | None = None) -> tuple[str, str | None]:
    """Split the path of a .gguf file. -> (folder or repository, name of the file there or None)"""
    if gguf_file is None and name.endswith(".gguf") and os.path.isfile(name):
        folder, gguf_file = os.path.split(name)
        return folder or os.curdir, gguf_file
    return name, gguf_file


def gguf_parts(name: str) -> list[str]:
    """The files of a model split into name-00001-of-00003.gguf and so on, given any; or `name`."""
    if not (match := _SPLIT.fullmatch(name)):
        return [name]
    stem, _, of, count, suffix = match.groups()
    return [f"{stem}{n:05d}{of}{count}{suffix}" for n in range(1, int(count) + 1)] or [name]


def open_gguf(resolve: Resolve, name: str) -> GGUFCheckpoint:
    """Map a GGUF file and read its header; tensors are expanded when they are asked for.

    Of a model split into several files, any stands for all.
    Raises OSError if a file is missing, ValueError if one is not sound or of no known architecture.
    """
    path, facts = _read(resolve, name)
    if (kind := facts.metadata.get("general.type", "model")) != "model":
        raise ValueError(f"{path} holds no model: its general.type is {kind!r}")
    try:
        architecture = architecture_of(facts)
        _check_sizes(facts)
        config = _config(facts, architecture)
        tensors = dict(_named(facts, architecture, config))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return GGUFCheckpoint(config, tensors)


def _read(resolve: Resolve, name: str) -> tuple[str, Facts]:
    """-> the path of the first part, the facts of all"""
    metadata: dict[str, Any] = {}
    tensors: dict[str, GGUFTensor] = {}
    first = ""
    for part in gguf_parts(name):
        path = resolve(part)
        assert path is not None  # a required file
        file = GGUFFile(path)
        if twice := file.tensors.keys() & tensors.keys():
            raise ValueError(f"{path}: tensor {min(twice)!r} is in an earlier part too")
        metadata, first = metadata or file.metadata, first or path
        tensors |= file.tensors
    return first, Facts(metadata, tensors)


def _check_sizes(facts: Facts) -> None:
    """Refuse sizes that the tensors belie, before a model is built to them."""
    blocks = {m[2] for name in facts.tensors if (m := _IN_BLOCK.fullmatch(name)) and m[1] != "dec."}
    heads, width = facts("attention.head_count"), facts("embedding_length")
    groups, experts = facts("attention.head_count_kv", heads), facts("expert_count", 0)
    named = {
        "block_count": (facts("block_count"), 0, len(blocks) if blocks else 1000),
        "embedding_length": (width, 1, facts.length("token_embd.weight", 2**31, axis=-1)),
        "attention.head_count": (heads, 1, width),
        "attention.head_count_kv": (groups, 1, heads),
        "attention.key_length": (facts("attention.key_length", 1), 1, _MAX_WIDTH),
        "rope.dimension_count": (facts("rope.dimension_count", 1), 1, _MAX_WIDTH),
        "expert_count": (experts, 0, _MAX_PIECES),
        "decoder_block_count": (facts("decoder_block_count", 0), 0, 1000),
    }
    for key, (value, least, most) in named.items():
        if type(value) is not int or not least <= value <= most:
            raise ValueError(
                f"{facts.architecture}.{key} is {value!r}, expected from {least} to {most}"
            )
    if heads % groups:
        raise ValueError(f"{heads} heads cannot share {groups} key-value heads equally")


def _config(facts: Facts, architecture: Architecture) -> Fields:
    config: Fields = {
        "model_type": architecture.model_type,
        "architectures": [architecture.model],
    }
    for key, field in architecture.fields.items():
        if (value := facts(key)) is not None:
            kinds = int if key.endswith(("_count", "_length")) else (int, float)
            least = 1e-9 if key == "rope.freq_base" else 0
            if not (isinstance(value, kinds) and value >= least):  # nor NaN
                raise ValueError(f"{facts.architecture}.{key} is {value!r}, not such a number")
            config[field] = value
    # the table of tokens may be longer than the vocabulary
    tokens = facts.metadata.get("tokenizer.ggml.tokens") or []
    vocabulary = facts.length("token_embd.weight", facts("vocab_size", len(tokens)))
    config["vocab_size"] = vocabulary
    config |= _token_ids(facts, vocabulary)
    further = architecture.complete(facts, config)
    config |= {name: value for name, value in further.items() if value is not None}
    if "rope.freq_base" in architecture.fields and (scaling := _rope_scaling(facts, config)):
        config["rope_scaling"] = scaling
    if "output" in architecture.names:
        config["tie_word_embeddings"] = _is_tied(facts)
    return config


def _token_ids(facts: Facts, vocabulary: int) -> Fields:
    """The special tokens; those outside the vocabulary are none, as for llama.cpp."""
    ids = {
        kind: token
        for kind in (*_TOKEN_IDS, *_ENDS_OF_TURNS)
        if type(token := facts.metadata.get(f"tokenizer.ggml.{kind}_token_id")) is int
        and 0 <= token < vocabulary
    }
    fields: Fields = {
        f"{_TOKEN_IDS[kind]}_token_id": ids[kind] for kind in _TOKEN_IDS if kind in ids
    }
    ends = list(dict.fromkeys(ids[kind] for kind in ("eos", *_ENDS_OF_TURNS) if kind in ids))
    return fields | ({"eos_token_id": ends} if len(ends) > 1 else {})


def _is_tied(facts: Facts) -> bool:
    """Whether the head has no table of its own, or the same bytes once more."""
    table, head = (facts.tensors.get(f"{part}.weight") for part in ("token_embd", "output"))
    if head is None:
        return True
    if table is None or (table.dtype, table.shape) != (head.dtype, head.shape):
        return False
    return all(map(np.array_equal, _blocks(table), _blocks(head)))


def _blocks(tensor: Any) -> Iterator[np.ndarray]:
    """A few rows at a time, so that a difference shows early."""
    for start in range(0, len(tensor.data), 256):
        yield tensor.data[start : start + 256].view(np.uint8)


def _rope_scaling(facts: Facts, config: Fields) -> Fields | None:
    """How angles are slowed down for long texts, from tensors of factors or from metadata."""
    short, long, every = (
        _factors(facts, name) for name in ("rope_factors_short", "rope_factors_long", "rope_freqs")
    )
    if short is not None and long is not None:
        return {
            "type": "longrope",
            "short_factor": short.tolist(),
            "long_factor": long.tolist(),
        }
    if every is not None:
        return _llama3_scaling(every, config)
    kind, factor = facts("rope.scaling.type"), facts("rope.scaling.factor")
    if kind not in ("linear", "yarn") or not factor:
        return None
    scaling = {"rope_type": kind, "factor": factor}
    if kind == "yarn" and (trained := facts("rope.scaling.original_context_length")):
        scaling["original_max_position_embeddings"] = trained
    return scaling


def _factors(facts: Facts, name: str) -> np.ndarray | None:
    tensor = facts.tensors.get(f"{name}.weight")
    if tensor is None:
        return None
    if len(tensor.shape) != 1 or tensor.shape[0] > _MAX_WIDTH // 2:
        raise ValueError(
            f"tensor '{name}.weight' of shape {list(tensor.shape)} is no row of factors"
        )
    return tensor.numpy(np.float32)


def _llama3_scaling(factors: np.ndarray, config: Fields) -> Fields:
    """The parameters of Llama 3.1 if they give these factors, else the factors themselves."""
    trained, low, high = 8192, 1.0, 4.0  # of every Llama since 3.1
    base, factor = config.get("rope_theta", 10000.0), float(factors.max())
    turns = trained / (2 * math.pi) * base ** (-np.arange(len(factors)) / len(factors))
    kept = np.clip((turns - low) / (high - low), 0, 1)
    if np.allclose(1 / ((1 - kept) / factor + kept), factors, rtol=1e-3):
        return {
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": trained,
        }
    always = factors.tolist()
    return {
        "rope_type": "longrope",
        "short_factor": always,
        "long_factor": always,
        "attention_factor": 1.0,
    }


def _named(
    facts: Facts, architecture: Architecture, config: Fields
) -> Iterator[tuple[str, GGUFTensor]]:
    """The tensors under the checkpoint's names, in its layouts; unknown ones as they are."""
    for name, tensor in facts.tensors.items():
        part, prefix, kind = _taken_apart(name, architecture)
        if part in _ANGLES or (part == "output" and config.get("tie_word_embeddings")):
            continue
        target = architecture.names.get(part)
        if match := re.fullmatch(r"(ffn_\w+)\.(\d+)", part):  # experts, before they were stacked
            target = str(architecture.names.get(f"{match[1]}_exps", "")).format(match[2])
        try:
            if not target:
                yield name, tensor
            elif isinstance(target, str) and "{}" not in target:
                change = architecture.changes.get(part)
                yield f"{prefix}{target}.{kind}", change(tensor, config) if change else tensor
            else:
                for path, piece in _pieces(tensor, target):
                    yield f"{prefix}{path}.{kind}", piece
        except ValueError as error:
            raise ValueError(
                f"tensor {name!r} of shape {list(tensor.shape)} does not fit the metadata: {error}"
            ) from error


def _taken_apart(name: str, architecture: Architecture) -> tuple[str, str, str]:
    """ "blk.3.attn_q.weight" -> "attn_q", "model.layers.3.", "weight" """
    if match := _IN_BLOCK.fullmatch(name):
        stack, layer, part, kind = match.groups()
        return f"{stack}{part}", f"{architecture.names.get(f'{stack}blk')}.{layer}.", kind
    part, _, kind = name.rpartition(".")
    return part, "", kind


def _pieces(tensor: GGUFTensor, target: str | tuple[str, ...]) -> Iterator[tuple[str, GGUFTensor]]:
    """One tensor of the file as several of the checkpoint, each a view of its share of bytes."""
    if isinstance(tensor, ChangedTensor) or not tensor.shape:
        raise ValueError("it has no axis to take apart")
    rows = tensor.shape[0]
    if isinstance(target, str):
        if rows > _MAX_PIECES:
            raise ValueError(f"its first axis should have at most {_MAX_PIECES} parts")
        for n in range(rows):
            yield target.format(n), _slice(tensor, n, tensor.shape[1:])
        return
    share, rest = divmod(rows, len(target))
    if rest:
        raise ValueError(f"{rows} rows cannot become {len(target)} tensors")
    for n, path in enumerate(target):
        piece = slice(n * share, (n + 1) * share)
        yield path, _slice(tensor, piece, (share, *tensor.shape[1:]))


def _slice(
    tensor: StoredTensor | QuantizedTensor, index: int | slice, shape: tuple[int, ...]
) -> GGUFTensor:
    return replace(tensor, shape=shape, data=tensor.data[index])
