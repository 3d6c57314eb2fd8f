"""Write loader.json: the orders in which torch's DataLoader and samplers draw rows.

Needs torch; run from anywhere: python make_loader.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, RandomSampler, random_split

ROWS = 37
LOADERS: dict[str, dict] = {
    "shuffled": {"batch_size": 5, "shuffle": True},
    "in order": {"batch_size": 8},
    "full batches": {"batch_size": 8, "shuffle": True, "drop_last": True},
    "rows": {"batch_size": None, "shuffle": True},
}
SAMPLERS = [[10, False], [37, False], [80, False], [10, True], [37, True], [64, True]]
SPLITS: list[list] = [[30, 7], [0.5, 0.3, 0.2], [0.9, 0.1]]


def main() -> None:
    rows, out = list(range(ROWS)), {}
    for name, options in LOADERS.items():
        for own in (False, True):
            torch.manual_seed(5)
            given: dict[str, Any] = {"generator": torch.Generator().manual_seed(3)} if own else {}
            loader = DataLoader(rows, **options, **given)
            epochs = [[torch.as_tensor(b).tolist() for b in loader] for _ in range(2)]
            out[f"{name}/{own}"] = {"epochs": epochs, "next": int(torch.randint(1000, (1,)))}
    for n, replacement in SAMPLERS:
        torch.manual_seed(5)
        out[f"sampler/{n}/{replacement}"] = list(RandomSampler(rows, replacement, n))
    for i, lengths in enumerate(SPLITS):
        torch.manual_seed(5)
        out[f"split/{i}"] = [list(part.indices) for part in random_split(rows, lengths)]
    path = Path(__file__).with_name("loader.json")
    cases = {"loaders": LOADERS, "samplers": SAMPLERS, "splits": SPLITS, "orders": out}
    path.write_text(json.dumps(cases), encoding="utf-8")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
