"""Write training*.npz: gradients of every head, and losses of ten steps with dropout.

Needs torch and transformers==4.46.3; run from anywhere: python make_training.py
With a later version, `python make_training.py later` writes training_later.npz, of the heads that
4.46.3 lacks. `python make_training.py dropouts` writes training_dropouts.npz, of runs whose dropout
masks have layouts of their own; its gradients are of the first step, with dropout.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
from tiny import fill_reference
from training_cases import (
    LATER,
    OPTIMISER,
    SEED,
    dropouts,
    dropping,
    fingerprints,
    heads,
    losses,
)

import minitransformers


def build(name: str, fields: dict) -> Any:
    kind = getattr(transformers, name)
    return fill_reference(kind(kind.config_class(**copy.deepcopy(fields))))


def run(name: str, fields: dict, inputs: dict) -> list[float]:
    model = build(name, fields).train()
    optimiser = torch.optim.AdamW(model.parameters(), **OPTIMISER)
    torch.manual_seed(SEED)
    return losses(model, optimiser, inputs)


def main(kind: str) -> None:
    transformers.logging.set_verbosity_error()
    told: dict[str, Any] = {}  # of each head its loss, the names learned and those with a gradient
    gradients, runs = [], []
    for title, name, fields, inputs in dropouts() if kind == "dropouts" else heads():
        if name.startswith(LATER) is not (kind == "later"):
            continue
        given = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in inputs.items()}
        model = build(name, fields).train(kind == "dropouts")
        torch.manual_seed(SEED)
        loss = model(**given).loss
        loss.backward()
        learned = {n: p for n, p in model.named_parameters() if p.requires_grad}
        found = fingerprints({n: p.grad.numpy() for n, p in learned.items() if p.grad is not None})
        none = [n for n in learned if n not in found]
        told[title] = {"loss": loss.item(), "gradients": list(found), "none": none}
        gradients += found.values()
        if kind != "dropouts":
            ours = getattr(minitransformers, name).config_class(**copy.deepcopy(fields))
            fields = fields | dropping(ours)
        runs.append(run(name, fields, given))
    path = Path(__file__).with_name(f"training_{kind}.npz" if kind else "training.npz")
    heads_as_bytes = np.frombuffer(json.dumps(told).encode(), np.uint8)
    np.savez_compressed(
        path, heads=heads_as_bytes, gradients=np.stack(gradients), losses=np.float32(runs)
    )
    print(len(told), "heads,", path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main("".join(sys.argv[1:]))
