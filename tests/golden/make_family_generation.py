"""Write family_generation.json: what the reference generates with each generative architecture.

Needs torch and transformers==4.46.3 (a later one for architectures it lacks); run from anywhere.
    python make_family_generation.py [LlamaForCausalLM Gemma2ForCausalLM ...]
Answers of other classes, and of those that the installed reference lacks, are kept as they are.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import torch
import transformers

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
from test_family_generation import MODELS, MODES, fields_of, inputs_of
from tiny import fill_reference

transformers.logging.set_verbosity_error()
path = Path(__file__).with_name("family_generation.json")
answers = json.loads(path.read_text()) if path.exists() else {}
for name, kind in MODELS.items():
    if not hasattr(transformers, name) or name not in (sys.argv[1:] or MODELS):
        continue
    cls = getattr(transformers, name)
    how = {"attn_implementation": "eager"} if kind == "gemma2" else {}  # others leave the caps out
    config = cls.config_class(**copy.deepcopy(fields_of(name, kind)), **how)
    model = fill_reference(cls(config))
    inputs = {key: torch.tensor(value) for key, value in inputs_of(model.config).items()}
    for mode, options in MODES.items():
        out = model.generate(**inputs, **options)
        answers[f"{name} {mode}"] = out.tolist()
path.write_text(json.dumps(dict(sorted(answers.items()))).replace('], "', '],\n"') + "\n")
print(len(answers), "answers,", path.stat().st_size, "bytes")
