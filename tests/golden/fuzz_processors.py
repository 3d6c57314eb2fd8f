"""Compare each logits processor with the reference's, alone, on rows that make trouble.

    python tests/golden/fuzz_processors.py --draws 2000 --seed 0 [--only TopP]

Needs torch and transformers==4.46.3 beside this package. Rows have ties, -inf, NaN, +inf, and
nothing but one token left. Reported too: inputs written to, results not float32, warnings.

Among equal scores torch.sort promises no order unless asked, and newer releases have none. It is
asked here, which is also what older releases do; ours keeps the same order.
"""

from __future__ import annotations

import argparse
import functools
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers.generation import logits_process as reference

from minitransformers.generation import processors as ours
from minitransformers.generation import warpers

sys.path.insert(0, str(Path(__file__).parent))
from processor_cases import CASES, draw_ids, draw_scores

transformers.logging.set_verbosity_error()
torch.sort, torch.argsort = (functools.partial(f, stable=True) for f in (torch.sort, torch.argsort))
torch.Tensor.sort = functools.partialmethod(torch.Tensor.sort, stable=True)


def tensors(x: Any) -> Any:
    """Arrays in arguments as the reference takes them."""
    if isinstance(x, np.ndarray):
        return torch.tensor(x)
    return x


def call(make: Callable, convert: Callable, steps: list[tuple]) -> list | Exception:
    """The answers to each step, or the exception of making it or of a step."""
    try:
        processor = make()
        return [np.asarray(processor(*map(convert, step))) for step in steps]
    except Exception as error:
        return error


def problems(name: str, seed: int) -> Iterator[str]:
    rng = np.random.default_rng([seed, *name.encode()])
    case = CASES[name]
    vocab, rows = int(rng.integers(5, 60)), int(rng.integers(1, 6))
    length = int(rng.integers(1, 12))
    draw = case(rng, vocab, rows, length)
    kind, arguments = draw["class"], draw["arguments"]
    # twice, because a processor must not remember the first time
    steps = draw.get("steps") or 2 * [
        (draw_ids(rng, vocab, rows, length), draw_scores(rng, vocab, rows))
    ]
    copies = [tuple(np.copy(x) for x in step) for step in steps]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = call(
            lambda: getattr(reference, kind)(**{k: tensors(v) for k, v in arguments.items()}),
            tensors,
            copies,
        )
    warpers._HEAD = int(rng.integers(1, 80))  # so that small vocabularies see both ways
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = call(lambda: getattr(ours, kind)(**arguments), lambda x: x, steps)
    where = f"{kind} {arguments} seed {seed}"
    if isinstance(expected, Exception) or isinstance(got, Exception):
        if not (isinstance(expected, Exception) and isinstance(got, Exception)):
            yield f"{where}: one raises\n  {expected!r}\n  {got!r}"
        elif isinstance(expected, ValueError) and type(got) is not ValueError:
            yield f"{where}: {got!r} instead of ValueError"
        return
    for before, after in zip(copies, steps):
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after)):
            yield f"{where}: an input was written to"
    for (_, scores, *_), a, b in zip(copies, expected, got):
        if b.dtype != np.float32:
            yield f"{where}: {b.dtype}"
        # a tournament multiplies by 1 - mass, which leaves few digits where the mass is nearly 1
        if not same(a, b) and not (name == "synthid" and same(np.exp(a), np.exp(b))):
            yield f"{where}\n  scores   {scores}\n  expected {a}\n  got      {b}"


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=2e-5, atol=2e-6, equal_nan=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500, help="of each processor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names that contain this")
    parser.add_argument("--show", type=int, default=3, help="mismatches of each processor to show")
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed: Counter = Counter()
    for name in CASES:
        if options.only.lower() not in name.lower():
            continue
        for seed in range(options.seed, options.seed + options.draws):
            for problem in problems(name, seed):
                failed[name] += 1
                if failed[name] <= options.show:
                    print(problem, flush=True)
        print(f"{name}: {options.draws} draws, {failed[name]} mismatches", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
