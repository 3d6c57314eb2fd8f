"""Write fresh.npz: what the reference draws for every tiny model after the seed 0.

Needs torch and transformers==4.46.3; run from anywhere. Of each class are kept, by parameter, the
sum of its magnitudes, and the next number of the stream.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
from test_fresh import CASES, magnitudes

transformers.logging.set_verbosity_error()
out = {}
for case, (name, fields) in CASES.items():
    if not hasattr(transformers, name):
        continue
    kind = getattr(transformers, name)
    config = kind.config_class(**copy.deepcopy(fields))
    transformers.set_seed(0)
    weights = {n: x.numpy() for n, x in kind(config).state_dict().items()}
    out[case] = np.append(magnitudes(weights, sorted(weights)), torch.rand(1).numpy())
    out[f"{case}/names"] = np.array("\n".join(sorted(weights)))
path = Path(__file__).with_name("fresh.npz")
np.savez_compressed(path, **out)
print(len(out) // 2, "cases,", path.stat().st_size, "bytes")
