"""Write models*.npz: what the reference computes for every head of every tiny model.

Needs torch and transformers==4.46.3 (a later one for architectures it lacks); run from anywhere:
    python make_models.py [model_cases model_cases_encoders ...]
Weights follow from their names (tests/tiny.py), so only answers are stored.
"""

from __future__ import annotations

import copy
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
from model_cases import answers, keeps_attentions, options, padded_rows
from tiny import fill_reference

# arrays of the reference that are computed, not learned
BUFFERS = ("position_ids", "token_type_ids", ".attn.bias", ".crossattention.bias", ".inv_freq")


def answer(name: str, fields: dict, inputs: dict) -> tuple[list[str], dict[str, Any]]:
    """-> (names of the parameters, the output)"""
    kind = getattr(transformers, name)
    how = "eager" if keeps_attentions(name, inputs) else "sdpa"
    model = fill_reference(
        kind(kind.config_class(**copy.deepcopy(fields), attn_implementation=how))
    )
    given = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in inputs.items()}
    with torch.no_grad():
        output = model(**options(name, given))
    fixed = {name for name, p in model.named_parameters() if not p.requires_grad}
    keys = [k for k in model.state_dict() if not k.endswith(BUFFERS) and k not in fixed]
    return sorted(keys), output


def main(modules: list[str]) -> None:
    transformers.logging.set_verbosity_error()
    for module in modules:
        out = {}
        cases = importlib.import_module(module).CASES
        for case, (name, fields, inputs) in cases.items():
            keys, output = answer(name, fields, inputs)
            for field, value in answers(output).items():
                out[f"{case}/{field}"] = padded_rows(np.asarray(value, np.float32), inputs)
            out[f"{case}/keys"] = np.array("\n".join([*keys, "", *output]))
        path = Path(__file__).with_name(f"{module.replace('model_cases', 'models')}.npz")
        np.savez_compressed(path, **out)
        print(len(cases), "cases,", path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or ["model_cases"])
