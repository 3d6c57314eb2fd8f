"""Write resizing.npz: what the reference makes of resized vocabularies (run with transformers
4.46.3 and torch installed).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import transformers
from resizing_cases import CASES
from tiny import fill_reference

found = {}
for case, (name, fields, how) in CASES.items():
    kind = getattr(transformers, name)
    model = fill_reference(kind(kind.config_class(**fields)))
    before = {key: value.shape for key, value in model.state_dict().items()}
    paths = {id(module): path for path, module in model.named_modules()}
    head = model.get_output_embeddings()
    found[f"{case}/head"] = np.array("" if head is None else paths[id(head)])
    torch.manual_seed(0)
    model.resize_token_embeddings(**how)
    for key, value in model.state_dict().items():
        if value.shape != before[key]:
            found[f"{case}/{key}"] = value.numpy()
    counts = [model.num_parameters(), model.num_parameters(exclude_embeddings=True)]
    found[f"{case}/counts"] = np.array([*counts, model.config.vocab_size])
np.savez_compressed(Path(__file__).parent / "resizing.npz", **found)
