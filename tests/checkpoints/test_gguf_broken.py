"""Broken and lying GGUF files: one ValueError that names the file, and the tensor at fault."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minitransformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from minitransformers.checkpoints import GGUFFile

HUGE = 2**62
F32, Q4_0 = 0, 2
CONFIG = {
    "general.architecture": "llama",
    "llama.block_count": 0,
    "llama.embedding_length": 32,
    "llama.attention.head_count": 4,
    "llama.feed_forward_length": 8,
}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, bytes):  # a type and what follows it, as they are
        return text(key) + value
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    return text(key) + struct.pack("<II", 4, value)


def tensor(name: str, shape: tuple[int, ...], kind: int = F32, offset: int = 0) -> bytes:
    """shape: in the file's order, the last axis first"""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def write(
    path: Path,
    pairs: list[bytes] | dict[str, Any] | None = None,
    tensors: list[bytes] | None = None,
    body: int = 4096,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> Path:
    """Write a file of these parts, its tensors being zeros."""
    pairs = CONFIG if pairs is None else pairs
    pairs = [entry(*item) for item in pairs.items()] if isinstance(pairs, dict) else pairs
    tensors = tensors or []
    counts = counts or (len(tensors), len(pairs))
    data = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(pairs + tensors)
    path.write_bytes(data + bytes(-len(data) % 32) + bytes(body))
    return path


EMBEDDING = tensor("token_embd.weight", (32, 4))
LIES = {
    "empty": (dict(version=7), "its version is 7"),
    "big-endian": (dict(version=3 << 24), "big-endian"),
    "tensors": (dict(counts=(HUGE, 0)), f"announces {HUGE} tensors"),
    "entries": (dict(counts=(0, HUGE)), f"announces {HUGE} entries"),
    "text": (dict(pairs=[struct.pack("<Q", HUGE)]), "ends inside its header"),
    "array": (
        dict(pairs=[entry("a", struct.pack("<IIQ", 9, 4, HUGE))]),
        "ends inside its header",
    ),
    "texts": (dict(pairs=[entry("a", struct.pack("<IIQ", 9, 8, HUGE))]), "values in an array"),
    "nested": (
        dict(pairs=[entry("a", struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 9)]),
        "unknown type 9",
    ),
    "type": (dict(pairs=[entry("a", struct.pack("<IQ", 99, 0))]), "unknown type 99"),
    "key twice": (dict(pairs=[entry("a", 1), entry("a", 2)]), "'a' appears twice"),
    "alignment": (dict(pairs={"general.alignment": 0}), "alignment is 0"),
    "tensor twice": (dict(tensors=[EMBEDDING, EMBEDDING]), "'token_embd.weight' appears twice"),
    "axes": (dict(tensors=[tensor("t", (1,) * 9)]), "tensor 't': it has 9 axes"),
    "no numbers": (dict(tensors=[tensor("t", (HUGE, 0))]), "tensor 't'.*empty axis"),
    "code": (dict(tensors=[tensor("t", (4,), kind=4)]), "tensor 't'.*unknown code 4"),
    "blocks": (dict(tensors=[tensor("t", (40,), Q4_0)]), "tensor 't'.*rows of 40.*blocks of 32"),
    "odd offset": (dict(tensors=[tensor("t", (4,), offset=4)]), "tensor 't'.*multiple"),
    "outside": (dict(tensors=[tensor("t", (4,), offset=HUGE)]), "tensor 't'.*ends outside"),
    "too large": (dict(tensors=[tensor("t", (HUGE, 4))]), "tensor 't'.*ends outside"),
    "overflow": (dict(tensors=[tensor("t", (2**32, 2**32))]), "tensor 't'.*ends outside"),
    "overlap": (
        dict(tensors=[tensor("s", (32,)), tensor("t", (32,), offset=64)]),
        "tensor 't'.*overlaps",
    ),
}
DISAGREEING = {
    "architecture": ({"general.architecture": "mamba"}, [], "architecture is 'mamba'.*llama"),
    "none": ({"general.architecture": b"\x04\0\0\0\1\0\0\0"}, [], "architecture is '1'"),
    "layers": ({"llama.block_count": 10**6}, [EMBEDDING], "block_count is 1000000"),
    "width": ({"llama.embedding_length": 64}, [EMBEDDING], "embedding_length is 64"),
    "heads": ({"llama.attention.head_count": 2**31}, [EMBEDDING], "head_count is 2147483648"),
    "no heads": ({"llama.attention.head_count": 0}, [EMBEDDING], "head_count is 0"),
    "groups": ({"llama.attention.head_count_kv": 3}, [EMBEDDING], "4 heads cannot share 3"),
    "channels": ({"llama.rope.dimension_count": 2**31}, [EMBEDDING], "count is 2147483648"),
    "angles": ({}, [EMBEDDING, tensor("rope_freqs.weight", (9, 9), offset=512)], "no row of fac"),
    "text": ({"llama.feed_forward_length": "many"}, [EMBEDDING], "feed_forward_length is 'many'"),
    "rows": (
        {"llama.block_count": 1},
        [EMBEDDING, tensor("blk.0.attn_q.weight", (32, 6), offset=512)],
        r"tensor 'blk.0.attn_q.weight' of shape \[6, 32\] does not fit",
    ),
    "experts": (
        {"llama.block_count": 1, "llama.expert_count": 2},
        [EMBEDDING, tensor("blk.0.ffn_gate_exps.weight", (1, 1, 2000), kind=24, offset=512)],
        "'blk.0.ffn_gate_exps.weight'.*at most 1024",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_of_the_header(lie: str, tmp_path: Path) -> None:
    parts, message = LIES[lie]
    path = write(tmp_path / "model.gguf", **parts)
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"model\.gguf is not a readable GGUF file: .*{message}"):
        GGUFFile(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("case", DISAGREEING)
def test_metadata_against_tensors(case: str, tmp_path: Path) -> None:
    changes, tensors, message = DISAGREEING[case]
    path = write(tmp_path / "model.gguf", CONFIG | changes, tensors)
    for load in (AutoConfig.from_pretrained, AutoModelForCausalLM.from_pretrained):
        with pytest.raises(ValueError, match=rf"model\.gguf.*{message}"):
            load(path)


def test_no_model(tmp_path: Path) -> None:
    path = write(tmp_path / "model.gguf", CONFIG | {"general.type": "adapter"}, [EMBEDDING])
    with pytest.raises(ValueError, match=r"model\.gguf holds no model.*'adapter'"):
        AutoConfig.from_pretrained(path)
    path = write(tmp_path / "model.gguf")
    assert AutoConfig.from_pretrained(path).hidden_size == 32
    with pytest.raises(ValueError, match=r"model\.gguf holds no weights"):
        AutoModelForCausalLM.from_pretrained(path)


def test_layers_that_differ(tmp_path: Path) -> None:
    lengths = struct.pack("<IIQ2I", 9, 4, 2, 8, 16)
    path = write(tmp_path / "model.gguf", CONFIG | {"llama.feed_forward_length": lengths})
    with pytest.raises(ValueError, match=r"differs by layer: \[8, 16\]"):
        AutoConfig.from_pretrained(path)
    same = struct.pack("<IIQ2I", 9, 4, 2, 8, 8)
    path = write(tmp_path / "model.gguf", CONFIG | {"llama.feed_forward_length": same})
    assert AutoConfig.from_pretrained(path).intermediate_size == 8


def test_every_cut_is_told(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.gguf", tensors=[EMBEDDING], body=512).read_bytes()
    path = tmp_path / "model.gguf"
    assert len(GGUFFile(tmp_path / "whole.gguf").tensors) == 1
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"model\.gguf"):
            GGUFFile(path)


def test_mutated_files(tmp_path: Path) -> None:
    """Whatever the bytes, a correct load or a clear error."""
    pytest.importorskip("gguf", reason="writes the file")
    from gguf_files import write_model

    rng = np.random.default_rng(0)
    whole = write_model(tmp_path / "whole.gguf", "llama", "Q4_0").read_bytes()
    header = whole.rfind(b"weight") + 40
    path = tmp_path / "model.gguf"
    extremes = [0, 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
    outcomes = dict.fromkeys(("read", "refused", "unclear"), 0)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(0, header - 8))
            if rng.random() < 0.5:
                data[at] = rng.integers(256)
            else:
                struct.pack_into("<Q", data, at, extremes[rng.integers(len(extremes))])
        path.write_bytes(data)
        for load in (AutoTokenizer, AutoModelForCausalLM):
            try:
                load.from_pretrained(path)
                outcomes["read"] += 1
            except (ValueError, RuntimeError) as error:
                outcomes["refused" if "model.gguf" in str(error) else "unclear"] += 1
    assert outcomes["unclear"] == 0
    assert min(outcomes["read"], outcomes["refused"]) > 50
