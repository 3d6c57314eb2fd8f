"""What a work costs at least: the products with its weights alone, against all of it.

    PYTHONPATH=benchmarks python -m speed.limits [--rounds N] [--cache FOLDER] [--write]

For each work, every weight of the model is multiplied by as many rows as the work has, as often as
the work does it, and nothing else: what BLAS takes, since NumPy has no faster product. The rest is
attention, element-wise operations and Python. "wanted" is the time that the work's target allows,
by the stored ratio (results.json), so that it does not count if the machine is slower today.
--write stores limits.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitransformers.core.layers import Conv1D, Linear
from minitransformers.core.packed import Int8

from .checkpoints import folder
from .contestants import CONTESTANTS, middle_of, seconds_of
from .works import WORKS, Work

CHOSEN = ("decode-1", "decode-8", "decode-32", "prefill", "bert-1x16", "bert-1x128", "bert-16x128",
          "llama-1", "llama-512", "int8-1", "int8-8")  # fmt: skip


def products(model: Any, work: Work) -> Callable[[], None]:
    """All products with weights that the work makes. The last layer sees the last tokens only."""
    rows, tokens = work.shape
    layers = [m for m in model.modules() if isinstance(m, (Linear, Conv1D))]
    head = model.get_output_embeddings()
    passes = [rows * tokens] + [rows] * max(0, work.new - 1)

    def run() -> None:
        for n in passes:
            for layer in layers:
                wide = layer.weight.shape[0 if isinstance(layer, Conv1D) else 1]
                x = inputs.setdefault((n, wide), np.ones((n, wide), np.float32))
                layer(x[:rows] if layer is head else x)

    inputs: dict[tuple[int, int], np.ndarray] = {}
    return run


def rates() -> dict[str, str]:
    """What this machine does at best with two threads, or as many as BLAS has."""
    draw = np.random.default_rng(0)
    weights = [draw.standard_normal((3072, 768), dtype=np.float32) for _ in range(16)]
    large = draw.standard_normal((32768, 768), dtype=np.float32)
    x = {n: draw.standard_normal((n, 768), dtype=np.float32) for n in (1, 8, 128, 2048)}
    packed = Int8.of(large)
    out = np.empty((1365, 768), np.float32)  # 4 MB
    times: dict[str, list[float]] = {}
    for i in range(16):
        w = weights[i]
        calls: dict[str, Callable[[], Any]] = {
            "128 rows": lambda w=w: x[128] @ w.T,
            "2048 rows": lambda w=w: x[2048] @ w.T,
            "memory": lambda: x[1] @ large.T,
            "expand": lambda i=i: packed.expand(1365 * i, 1365 * (i + 1), out),
            "multiply": lambda: out @ x[1][0],
        }
        for name, call in calls.items():
            times.setdefault(name, []).append(seconds_of(call))
    middle = {name: statistics.median(t) for name, t in times.items()}

    def gflops(rows: int) -> str:
        return f"{2e-9 * rows * 768 * 3072 / middle[f'{rows} rows']:.0f} GFLOP/s"

    def ps(name: str, weights: np.ndarray) -> str:
        return f"{1e12 * middle[name] / weights.size:.0f} ps a weight"

    return {
        "product of 128 rows": gflops(128),
        "product of 2,048 rows": gflops(2048),
        "product of one row with a matrix in memory": f"{ps('memory', large)}, "
        f"{1e-9 * large.nbytes / middle['memory']:.1f} GB/s",
        "8-bit weights made float32, one thread": ps("expand", out),
        "product of one row with them in the cache": ps("multiply", out),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="speed.limits")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "speed-models")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [f"- {name}: {value}" for name, value in rates().items()]
    lines += ["", "| work | all of it | wanted | products with weights alone | the rest, a step |",
              "|---|---|---|---|---|"]  # fmt: skip
    ratios = json.loads((Path(__file__).parent / "results.json").read_text())
    ours = CONTESTANTS["minitransformers"](options.cache, None)
    for key in CHOSEN:
        work = WORKS[key]
        folder(options.cache, work.model)
        whole = ours.prepare(work)
        part = products(ours.model(work), work)
        whole(), part()
        pairs = [(middle_of(whole), middle_of(part)) for _ in range(options.rounds)]
        total, alone = (1e3 * statistics.median(column) for column in zip(*pairs))
        wanted = total * ratios[f"{key}/{work.against}"] / (work.target or 1.0)
        rest = (total - alone) / max(work.new, 1)
        lines.append(
            f"| {work.title} | {total:.0f} ms | {wanted:.0f} ms | {alone:.0f} ms | {rest:.1f} ms |"
        )
        print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(text)
    if options.write:
        (Path(__file__).parent / "limits.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
