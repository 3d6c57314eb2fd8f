"""Compare gradients and training runs with the reference, live, over every head.

Needs torch and transformers==4.46.3; run from anywhere:
    python compare_training.py [part of a class name ...]
Prints a line for each head: the largest difference of a gradient, relative to its largest element,
in evaluation; and of the losses of a run of AdamW with every dropout on, from the same seed.
"""

from __future__ import annotations

import copy
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent), str(TESTS / "golden")]
from tiny import fill, fill_reference
from training_cases import OPTIMISER, SEED, dropping, heads, losses

import minitransformers
from minitransformers.training.grad import value_and_grad
from minitransformers.training.optim import AdamW


def theirs(name: str, fields: dict, **more: Any) -> Any:
    kind = getattr(transformers, name)
    return fill_reference(kind(kind.config_class(**copy.deepcopy(fields), **more)))


def tensors(inputs: dict) -> dict:
    return {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in inputs.items()}


def ours(name: str, fields: dict) -> Any:
    kind = getattr(minitransformers, name)
    return fill(kind(kind.config_class(**copy.deepcopy(fields))))


def compare_gradients(name: str, fields: dict, inputs: dict) -> tuple[float, str]:
    """-> the largest relative difference, and where; or what else differs"""
    model, reference = ours(name, fields), theirs(name, fields)
    loss = reference(**tensors(inputs)).loss
    loss.backward()
    wanted = {n: p.grad for n, p in reference.named_parameters() if p.requires_grad}
    value, got = value_and_grad(model)(**inputs)
    names = {n for n, p in model.named_parameters() if p.requires_grad}
    if names != set(wanted):
        return np.inf, f"names {sorted(names ^ set(wanted))}"
    largest = (abs(float(loss) - float(value)) / max(abs(float(loss)), 1e-3), "loss")
    # a key's bias moves no probability: its gradient is what rounding leaves
    least = max(1e-3, 1e-2 * max(float(g.abs().max()) for g in wanted.values() if g is not None))
    for n, g in wanted.items():
        if (g is None or not g.any()) and (n not in got or not np.abs(got[n]).max() > 1e-7):
            continue
        if (g is None) != (n not in got):
            return np.inf, f"{n} has {'no' if g is None else 'a'} gradient"
        g = g.numpy()
        scale = max(np.abs(g).max(), least)
        largest = max(largest, (float(np.abs(g - got[n]).max() / scale), n))
    return largest


def losses_of_reference(name: str, fields: dict, inputs: dict) -> list[float]:
    model = theirs(name, fields).train()
    optimiser = torch.optim.AdamW(model.parameters(), **OPTIMISER)
    torch.manual_seed(SEED)
    return losses(model, optimiser, tensors(inputs))


def losses_of_ours(name: str, fields: dict, inputs: dict) -> list[float]:
    model = ours(name, fields).train()
    optimiser = AdamW(model.parameters(), **OPTIMISER)
    minitransformers.set_seed(SEED)
    return losses(model, optimiser, inputs)


def main(parts: list[str]) -> None:
    transformers.logging.set_verbosity_error()
    bad = 0
    for title, name, fields, inputs in heads():
        if parts and not any(part in name for part in parts):
            continue
        if not hasattr(transformers, name):
            print(f"{title:40} the reference has no {name}")
            continue
        try:
            worst, where = compare_gradients(name, fields, inputs)
            config = getattr(minitransformers, name).config_class(**copy.deepcopy(fields))
            dropped = fields | dropping(config)
            wanted = np.array(losses_of_reference(name, dropped, inputs))
            apart = np.abs(wanted - losses_of_ours(name, dropped, inputs)) / np.abs(wanted)
        except Exception:
            print(f"{title:40} {traceback.format_exc()[-600:]}")
            bad += 1
            continue
        wrong = not (worst <= 1e-4 and apart.max() <= 1e-4)
        bad += wrong
        print(f"{title:40} gradients {worst:.1e} {where:40} losses {apart[0]:.1e} {apart.max():.1e}"
              f"{'  <--' if wrong else ''}", flush=True)  # fmt: skip
    print(bad, "differ")


if __name__ == "__main__":
    main(sys.argv[1:])
