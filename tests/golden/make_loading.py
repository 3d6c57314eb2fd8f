"""Write loading.json: what the reference reports when it loads files of one class into another (run
with transformers 4.46.3 and torch installed).
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import transformers
from loading_cases import CHANGES, CLASSES, pairs
from tiny import CONFIGS

transformers.logging.set_verbosity_error()
found = {}
with tempfile.TemporaryDirectory() as folder:
    for name in CLASSES:
        kind = getattr(transformers, name)
        model = kind(kind.config_class(**CONFIGS[kind.config_class.model_type]))
        model.save_pretrained(f"{folder}/{name}")
    for stored, name in pairs():
        for change in CHANGES:
            _, report = getattr(transformers, name).from_pretrained(
                f"{folder}/{stored}", output_loading_info=True, **CHANGES[change]
            )
            found[f"{stored} {name} {change}"] = [
                report["missing_keys"],
                report["unexpected_keys"],
                [[n, list(there), list(here)] for n, there, here in report["mismatched_keys"]],
            ]
text = json.dumps(found, separators=(",", ":")).replace('],"', '],\n"')
(Path(__file__).parent / "loading.json").write_text(text + "\n")
