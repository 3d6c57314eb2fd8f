"""Write models.npz: what the reference computes for every head of every tiny model.

Needs torch and transformers==4.46.3; run from anywhere. Weights follow from their names (tests/tiny.py),
so only answers are stored.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from model_cases import CASES, answers, keeps_attentions, padded_rows
from tiny import fill_reference

transformers.logging.set_verbosity_error()
out = {}
for case, (name, fields, inputs) in CASES.items():
    kind = getattr(transformers, name)
    attentions = keeps_attentions(name, inputs)
    how = "eager" if attentions else "sdpa"
    model = fill_reference(kind(kind.config_class(**fields, attn_implementation=how)))
    tensors = {key: torch.tensor(value) for key, value in inputs.items()}
    with torch.no_grad():
        output = model(**tensors, output_hidden_states=True, output_attentions=attentions)
    for field, value in answers(output).items():
        out[f"{case}/{field}"] = padded_rows(np.asarray(value, np.float32), inputs)
    buffers = ("position_ids", ".attn.bias", ".crossattention.bias")
    keys = [k for k in model.state_dict() if not k.endswith(buffers)]
    out[f"{case}/keys"] = np.array("\n".join([*sorted(keys), "", *output]))
np.savez_compressed(Path(__file__).with_name("models.npz"), **out)
print(len(CASES), "cases,", Path(__file__).with_name("models.npz").stat().st_size, "bytes")
