"""Write saving.json: which files the reference writes for a limit of their size, and what is where
(run with transformers 4.46.3 and torch installed).
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import transformers
from saving_cases import CASES
from tiny import CONFIGS, fill_reference

found = {}
for case, (name, kind, how) in CASES.items():
    made = getattr(transformers, name)
    model = fill_reference(made(made.config_class(**CONFIGS[kind])))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, **how)
        files = sorted(path.name for path in Path(folder).iterdir())
        indexes = [json.loads(path.read_text()) for path in Path(folder).glob("*.index*.json")]
    found[case] = {"files": files, "indexes": indexes}
path = Path(__file__).parent / "saving.json"
path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
