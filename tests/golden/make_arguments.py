"""Write arguments.json: the reference's TrainingArguments.

    python tests/golden/make_arguments.py

Needs torch, accelerate and transformers==4.46.3. The cases are tests/training/arguments_cases.py.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from arguments_cases import CASES, defaults, describe
from transformers import Seq2SeqTrainingArguments, TrainingArguments


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    golden = {
        "defaults": defaults(TrainingArguments),
        "seq2seq": defaults(Seq2SeqTrainingArguments),
        "cases": [describe(TrainingArguments, case) for case in CASES],
    }
    path = Path(__file__).with_name("arguments.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
