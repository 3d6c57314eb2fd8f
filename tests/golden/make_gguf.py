"""Write gguf.json: what the reference makes of the files that gguf_files.py writes.

Needs torch, transformers==4.46.3 and gguf:
    PYTHONPATH=../.. python make_gguf.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from gguf_files import REFERENCE_CASES, digest, write_model

transformers.logging.set_verbosity_error()
# what it writes about itself, and fields of another architecture
NOISE = ("_name_or_path", "_model_name_or_path", "_attn_implementation_autoset", "architectures")
out = {}
for case, kind in REFERENCE_CASES:
    with tempfile.TemporaryDirectory() as folder:
        name = f"a-{case.removeprefix('falcon-')}-x.gguf"  # a Falcon's size is in its name
        write_model(Path(folder) / name, case, kind)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name)
    weights = {name: x.numpy() for name, x in model.state_dict().items()}
    plain = type(model.config)().to_dict()
    values = model.config.to_dict()
    config = {k: v for k, v in values.items() if k not in NOISE and v != plain.get(k, v is None)}
    out.setdefault(case, {"config": config, "digests": {}})["digests"][kind] = digest(weights)
path = Path(__file__).with_name("gguf.json")
path.write_text(json.dumps(out, indent=1, sort_keys=True) + "\n")
