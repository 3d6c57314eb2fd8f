"""How cost grows with the sequence, the batch and the model: a table, and docs/figures/growth.svg.

    PYTHONPATH=benchmarks python -m speed.growth [--rivals] [--out FILE]

A Llama-like model with random weights. --rivals times torch + transformers as well, in turns, in
this process. The picture needs matplotlib.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FIGURE = Path(__file__).parents[2] / "docs/figures/growth.svg"
BASE = {
    "vocab_size": 8192,
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 8192,
}
AXES = {
    "tokens of a prompt": [
        (n, BASE, (1, n), 1) for n in (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    ],
    "rows of a batch, 8 new tokens": [(n, BASE, (n, 16), 8) for n in (1, 2, 4, 8, 16, 32, 64)],
    "width, 8 new tokens": [
        (n, BASE | {"hidden_size": n, "intermediate_size": 4 * n}, (1, 16), 8)
        for n in (128, 256, 512, 1024, 2048)
    ],
}


def contestants(config: dict[str, Any], rivals: bool) -> dict[str, Callable]:
    """{name: (ids, new tokens) -> the call}"""
    import minitransformers

    ours = minitransformers.LlamaForCausalLM(minitransformers.LlamaConfig(**config))
    found = {"minitransformers": lambda ids, how: ours.generate(ids, **how)}
    if rivals:
        import torch
        import transformers

        theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).eval()
        found["torch"] = lambda ids, how: theirs.generate(torch.from_numpy(ids), **how)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="speed.growth")
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FIGURE)
    options = parser.parse_args()
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for axis, points in AXES.items():
        curves[axis] = {}
        for n, config, shape, new in points:
            ids = np.random.default_rng(0).integers(5, 8000, shape)
            how = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False}
            calls = contestants(config, options.rivals)
            spent: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(options.rounds + 1):
                for name, call in calls.items():
                    start = time.perf_counter()
                    call(ids, how | {"pad_token_id": 0})
                    spent[name].append(time.perf_counter() - start)
            for name, times in spent.items():
                curves[axis].setdefault(name, []).append((n, statistics.median(times[1:])))
            row = (f"{name} {1e3 * p[-1][1]:.1f} ms" for name, p in curves[axis].items())
            print(f"{axis}: {n}: {', '.join(row)}", flush=True)
    draw(curves, options.out)


def draw(curves: dict[str, dict[str, list[tuple[int, float]]]], out: Path) -> None:
    try:
        import matplotlib
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(curves), figsize=(4 * len(curves), 3.2))
    for panel, (axis, lines) in zip(panels, curves.items()):
        for name, points in lines.items():
            panel.loglog(*zip(*points), marker="o", label=name)
        panel.set(xlabel=axis, ylabel="seconds")
        panel.grid(alpha=0.3)
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main()
