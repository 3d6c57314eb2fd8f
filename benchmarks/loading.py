"""Time from_pretrained of a 2 GB checkpoint, and weigh its memory, against Transformers.

    python benchmarks/loading.py [--megabytes 2000] [--rounds 3] [--reference PYTHON]

PYTHON is an interpreter that has torch and transformers; without it only this package is measured.
A Llama with random float32 weights is written as model.safetensors and as pytorch_model.bin. Each
way of loading runs in a process of its own, the ways by turns; the table has medians. "load" is
from_pretrained, imports excluded; "first token" one forward pass after it, which touches every
weight. "own" is memory that only this process can hold (Private_Dirty); "cached" is the page cache
of the file (Private_Clean while this process is its only reader), which every process with the
same file shares and the system takes back when it needs the room. Linux only.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FORMATS = ("safetensors", "bin")
WAYS = ("minitransformers", "transformers")


def memory() -> np.ndarray:
    """Memory in MB of this process: its own, cached of files."""
    text = Path("/proc/self/smaps_rollup").read_text()
    kinds = ("Private_Dirty", "Private_Clean")
    kilobytes = [re.search(rf"{kind}:\s+(\d+) kB", text)[1] for kind in kinds]  # type: ignore[index]
    return np.array([1024 * int(count) / 1e6 for count in kilobytes])


def write_checkpoint(folder: Path, megabytes: int) -> None:
    """Write a Llama of about that size in both formats, each in a folder of its own."""
    from minitransformers import LlamaConfig, LlamaForCausalLM
    from minitransformers.checkpoints import SAFETENSORS, TORCH, save_sharded
    from minitransformers.models.fresh import awaiting_weights

    hidden, layers = 1280, max(1, round(megabytes / 83))  # a layer of that width has 79 MB
    config = LlamaConfig(
        vocab_size=16_000, hidden_size=hidden, intermediate_size=3456, num_hidden_layers=layers,
        num_attention_heads=20, num_key_value_heads=20, tie_word_embeddings=True,
        max_position_embeddings=2048, architectures=["LlamaForCausalLM"],
    )  # fmt: skip
    rng = np.random.default_rng(0)
    with awaiting_weights():
        model = LlamaForCausalLM(config)
    weights = {
        name: np.float32(0.02) * rng.standard_normal(getattr(owner, attribute).shape, np.float32)
        for name, owner, attribute in model.slots()
        if name not in model.ties()
    }
    for name, layout in zip(FORMATS, (SAFETENSORS, TORCH)):
        config.save_pretrained(folder / name)
        save_sharded(folder / name, weights, layout=layout)
    os.sync()  # pages of the cache that are not on the disk yet would count as a process's own


def measure(way: str, folder: str) -> None:
    """Load the checkpoint one way, take one step, and print what both took as JSON."""
    ids = np.array([[1]])
    if way == "minitransformers":
        from minitransformers import LlamaForCausalLM

        step = lambda model: model(ids)
    else:
        import torch
        from transformers import LlamaForCausalLM  # type: ignore[no-redef]

        step = lambda model: model(torch.from_numpy(ids))
    before, start = memory(), time.perf_counter()
    model: Any = LlamaForCausalLM.from_pretrained(folder)
    loaded = time.perf_counter()
    held = memory() - before
    step(model)
    stepped = time.perf_counter()
    print(json.dumps([loaded - start, *held, stepped - loaded, *(memory() - before)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference", metavar="PYTHON", help="has torch and transformers")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure)
    interpreters = dict(zip(WAYS, (sys.executable, options.reference)))
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), options.megabytes)
        taken: dict[tuple[str, str], list] = {}
        for turn in range(options.rounds + 1):  # the first warms the page cache
            for name in FORMATS:
                for way, python in interpreters.items():
                    if not python:
                        continue
                    command = [python, __file__, "--measure", way, f"{folder}/{name}"]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    if turn:
                        numbers = json.loads(done.stdout.splitlines()[-1])
                        taken.setdefault((name, way), []).append(numbers)
        size = sum(x.stat().st_size for x in (Path(folder) / FORMATS[0]).iterdir())
    print(f"{size / 1e6:.0f} MB      load s  own MB  cached MB   first token s  own MB  cached MB")
    for (name, way), runs in taken.items():
        load, own, cached, first, own_after, cached_after = map(statistics.median, zip(*runs))
        print(
            f"{name:11} {way:16} {load:8.3f} {own:7.0f} {cached:10.0f} "
            f"{first:15.2f} {own_after:7.0f} {cached_after:10.0f}"
        )


if __name__ == "__main__":
    main()
