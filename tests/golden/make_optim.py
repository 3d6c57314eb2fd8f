"""Write optim.npz: where every optimiser and schedule of torch and the reference goes.

Needs torch and transformers==4.46.3; run from anywhere: python make_optim.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from optim_cases import (
    OPTIMISERS,
    PLATEAUS,
    SCHEDULES,
    STEPS,
    gradient,
    groups,
    metric,
    start,
)

CLASSES = {
    "AdamW": torch.optim.AdamW,
    "Adam": torch.optim.Adam,
    "SGD": torch.optim.SGD,
    "Adagrad": torch.optim.Adagrad,
    "RMSprop": torch.optim.RMSprop,
    "OldAdamW": transformers.optimization.AdamW,
    "Adafactor": transformers.optimization.Adafactor,
}


def main() -> None:
    warnings.simplefilter("ignore")
    out = {}
    for name, case in OPTIMISERS.items():
        params = {n: torch.nn.Parameter(torch.tensor(x)) for n, x in start().items()}
        optimiser = CLASSES[case[0]](groups(case, params))
        for step in range(STEPS):
            for n, p in params.items():
                g = gradient(n, step, p.detach().numpy())
                p.grad = None if g is None else torch.tensor(g)
            optimiser.step()
            if step in (4, STEPS - 1):
                for n, p in params.items():
                    out[f"{name}/{n}/{step}"] = p.detach().numpy().copy()
    for name, (kind, options) in SCHEDULES.items():
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
        schedule = transformers.get_scheduler(kind, optimiser, **options)
        rates = []
        for _ in range(STEPS):
            rates.append(optimiser.param_groups[0]["lr"])
            schedule.step()
        out[name] = np.array(rates)
    for name, options in PLATEAUS.items():
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
        schedule = transformers.get_scheduler(
            "reduce_lr_on_plateau", optimiser, scheduler_specific_kwargs=options
        )
        rates = []
        for step in range(STEPS):
            schedule.step(metric(step))
            rates.append(optimiser.param_groups[0]["lr"])
        out[name] = np.array(rates)
    path = Path(__file__).with_name("optim.npz")
    np.savez_compressed(path, **out)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
