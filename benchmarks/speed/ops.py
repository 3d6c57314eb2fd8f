"""Time each operation alone, beside torch's where it is installed.

    PYTHONPATH=benchmarks python -m speed.ops [ROUNDS]

Shapes are those of BERT-base on 16 x 128 tokens and of a GPT-2 step. The two take turns in one
process, each with the threads it chooses; the ratio is torch's median over ours.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitransformers.core import ops
from minitransformers.core.masks import Mask
from minitransformers.core.packed import BFloat16, Float16, Int4, Int8, Packed

HIDDEN, INNER, HEADS = 768, 3072, 12


Call = Callable[[], Any]
Case = tuple[str, Call, Callable[[Any], Call]]  # name, our call, torch -> its call


def cases() -> Iterator[Case]:
    for rows in (1, 2, 3, 4, 8, 16, 32, 128, 512, 2048):
        yield f"linear {HIDDEN} to {INNER}, {rows} rows", *linear(rows, np.asarray)
    kinds: dict[str, Callable[[np.ndarray], Packed]] = {
        "bfloat16": lambda w: BFloat16((w.view(np.uint32) >> 16).astype(np.uint16)),
        "float16": lambda w: Float16(w.astype(np.float16)),
        "int8": Int8.of,
        "int4": Int4.of,
    }
    for name, pack in kinds.items():
        for rows in (1, 2, 8, 128):
            yield f"linear in {name}, {rows} rows (torch: float32)", *linear(rows, pack)
    for rows in (1, 128, 2048):
        yield f"gelu {rows} x {INNER}", *activation(rows, ops.gelu, "gelu")
        yield f"gelu_new {rows} x {INNER}", *activation(rows, ops.gelu_new, "gelu", "tanh")
        yield f"silu {rows} x {INNER}", *activation(rows, ops.silu, "silu")
        yield f"layer_norm {rows} x {HIDDEN}", *layer_norm(rows)
    for batch, seq, causal in ((16, 128, False), (1, 512, True), (1, 2048, True)):
        name = f"attention {batch} x {HEADS} x {seq}{', causal' if causal else ''}"
        yield name, *attention(batch, seq, causal)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def linear(rows: int, pack: Callable) -> tuple[Call, Callable[[Any], Call]]:
    # as many weights as a model has: what fits into a cache is not streamed from memory
    weights = itertools.cycle([pack(random(INNER, HIDDEN) * 0.02) for _ in range(16)])
    x, bias = random(rows, HIDDEN), random(INNER)

    def theirs(torch: Any) -> Call:
        many = itertools.cycle([torch.from_numpy(random(INNER, HIDDEN)) for _ in range(16)])
        a, b = torch.from_numpy(x), torch.from_numpy(bias)
        return lambda: torch.nn.functional.linear(a, next(many), b)

    return lambda: ops.linear(x, next(weights), bias), theirs


def activation(rows: int, op: Any, name: str, *how: str) -> tuple[Call, Callable[[Any], Call]]:
    x = random(rows, INNER)

    def theirs(torch: Any) -> Call:
        a, function = torch.from_numpy(x), getattr(torch.nn.functional, name)
        return lambda: function(a, **({"approximate": how[0]} if how else {}))

    return lambda: op(x), theirs


def layer_norm(rows: int) -> tuple[Call, Callable[[Any], Call]]:
    x, one = random(rows, HIDDEN), random(HIDDEN)

    def theirs(torch: Any) -> Call:
        a, b = torch.from_numpy(x), torch.from_numpy(one)
        return lambda: torch.nn.functional.layer_norm(a, (HIDDEN,), b, b, 1e-5)

    return lambda: ops.layer_norm(x, one, one, eps=1e-5), theirs


def attention(batch: int, seq: int, causal: bool) -> tuple[Call, Callable[[Any], Call]]:
    q, mask = random(batch, HEADS, seq, HIDDEN // HEADS), Mask(seq, seq, causal=causal)

    def theirs(torch: Any) -> Call:
        a = torch.from_numpy(q)
        mix = torch.nn.functional.scaled_dot_product_attention
        return lambda: mix(a, a, a, is_causal=causal)

    return lambda: ops.attention(q, q, q, scale=0.125, mask=mask), theirs


def seconds(call: Callable[[], Any], at_least: float = 0.02) -> float:
    """Of one call, in a loop of at least that long."""
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < at_least or not calls:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    try:
        import torch

        torch.set_grad_enabled(False)
    except ImportError:
        torch = None
    for name, ours, of_torch in cases():
        theirs = of_torch(torch) if torch else None
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times[0].append(seconds(ours))
            if theirs:
                times[1].append(seconds(theirs))
        mine = statistics.median(times[0])
        line = f"{name}: {1e6 * mine:.0f} us"
        if theirs:
            other = statistics.median(times[1])
            line += f", torch {1e6 * other:.0f} us, ratio {other / mine:.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
