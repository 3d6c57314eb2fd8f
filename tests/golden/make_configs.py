"""Write configs.json: how the reference prints configurations. Needs transformers==4.46.3."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from config_cases import CASES

out = {}
for name, (kind, fields) in CASES.items():
    config = getattr(transformers, kind)(**fields)
    out[name] = {"diff": config.to_json_string(), "all": config.to_json_string(use_diff=False)}
    generation = transformers.GenerationConfig.from_model_config(config)
    out[name]["generation"] = generation.to_json_string()
text = json.dumps(out, indent=1) + "\n"
Path(__file__).with_name("configs.json").write_text(text)
