"""Write pruning.npz: what the reference answers without some heads (run with transformers 4.46.3
and torch installed). Its faster attentions fail for GPT-2 without heads, hence the plain one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import transformers
from pruning_cases import IDS, NAMES, heads_of
from tiny import CONFIGS, fill_reference

found = {}
for name in NAMES:
    kind = getattr(transformers, name)
    config = kind.config_class(**CONFIGS[kind.config_class.model_type])
    model = fill_reference(kind._from_config(config, attn_implementation="eager"))
    model.prune_heads(heads_of(model))
    found[f"{name}/answer"] = model(torch.tensor(IDS))[0].detach().numpy()
    found[f"{name}/parameters"] = np.array(model.num_parameters())
np.savez_compressed(Path(__file__).parent / "pruning.npz", **found)
