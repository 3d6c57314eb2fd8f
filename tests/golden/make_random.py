"""Write random.npz: what torch draws. Needs torch; run from anywhere."""

from pathlib import Path

import numpy as np
import torch

weights = np.random.RandomState(0).rand(3, 5).astype(np.float32)
p = torch.from_numpy(weights)
out = {"weights": weights}
for seed in (0, 42, 2**33 + 7):
    torch.manual_seed(seed)
    draws = {
        "rand": torch.rand(7),
        "one": torch.multinomial(p, 1),
        "several": torch.multinomial(p, 3),
        "exponential": torch.empty(4).exponential_(),
        "bernoulli": torch.bernoulli(p).bool(),
        "keep": torch.nn.functional.dropout(torch.ones(3, 5), 0.3),
        "randint": torch.randint(1000, (6,)),
        "randperm": torch.randperm(11),
        "normal few": torch.empty(5).normal_(),
        "normal many": torch.empty(4, 9).normal_(1.0, 2.0),
        "normal few again": torch.empty(2).normal_(),
        "after": torch.rand(3),
    }
    out |= {f"{seed} {name}": x.numpy() for name, x in draws.items()}
np.savez_compressed(Path(__file__).with_name("random.npz"), **out)
