"""Write trainer.json: what the reference's Trainer logs, predicts and saves.

    python tests/golden/make_trainer.py [case ...]

Needs torch, accelerate and transformers==4.46.3. The cases are tests/training/trainer_cases.py.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "training")]
import tiny
import torch
import trainer_cases
import transformers


class Stream(trainer_cases.Stream, torch.utils.data.IterableDataset):
    pass


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    path = Path(__file__).with_name("trainer.json")
    golden = json.loads(path.read_text()) if path.exists() else {}
    for name in sys.argv[1:] or trainer_cases.CASES:
        with tempfile.TemporaryDirectory() as folder:
            golden[name] = trainer_cases.run(
                transformers, tiny.fill_reference, torch.tensor, Stream, name, Path(folder)
            )
    path.write_text(json.dumps(golden, sort_keys=True, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
