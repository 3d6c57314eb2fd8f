"""Write pipelines.json.gz and the tokenizers beside it: what the reference's pipelines answer.

Needs torch and transformers 4.46.3, and this library, which writes the checkpoints.
"""

from __future__ import annotations

import copy
import gzip
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "pipelines"), str(HERE.parent.parent)]

import pipeline_models
from pipeline_cases import GROUPS


def plain(x: Any) -> Any:
    """As JSON has it: six digits are more than the tests compare."""
    if isinstance(x, dict):
        return {name: plain(value) for name, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(value) for value in x]
    if hasattr(x, "tolist"):
        return plain(np.asarray(x).tolist())
    return float(f"{x:.6g}") if isinstance(x, float) else x


def ask(pipeline: Any, folder: Path, made: dict, case: tuple) -> Any:
    """The answer to a case, or the kind of the error it raises."""
    task, model, init, args, kwargs = case
    key = (task, model, json.dumps(init))
    try:
        if key not in made:
            made[key] = pipeline(task, pipeline_models.build(folder, model), **init)
        return plain(made[key](*copy.deepcopy(args), **copy.deepcopy(kwargs)))
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)[:150]}


def main() -> None:
    import transformers

    logging.disable()
    warnings.simplefilter("ignore")
    if "--train" in sys.argv:
        pipeline_models.train_tokenizers()
    made: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        answers = {
            group: [ask(transformers.pipeline, Path(folder), made, case) for case in cases]
            for group, cases in GROUPS.items()
        }
    for group, found in answers.items():
        errors = sorted({x["message"] for x in found if isinstance(x, dict) and "error" in x})
        print(group, len(found), *errors, sep="\n  ")
    data = json.dumps(answers, separators=(",", ":")).encode()
    (HERE / "pipelines.json.gz").write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    main()
