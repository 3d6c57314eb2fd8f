"""Write collators.json: batches of the reference's collators.

Needs torch and transformers==4.46.3; run from anywhere: python make_collators.py
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from collator_cases import CASES, fresh, seed_others, write_vocabulary


def plain(value: Any) -> Any:
    if value is None:
        return None
    array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return {"dtype": str(array.dtype), "values": array.tolist()}


def main() -> None:
    warnings.simplefilter("ignore")
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = write_vocabulary(Path(folder))
        for side in ("right", "left"):
            tokenizer = transformers.BertTokenizerFast(path, padding_side=side)
            for name, (kind, options, rows) in CASES.items():
                for framework in ("pt", "np"):
                    if framework == "np" and name == "tokens without":
                        continue  # the reference fails
                    takes = {} if kind.startswith(("Default", "DataCollatorWithF")) else {
                        "tokenizer": tokenizer}  # fmt: skip
                    collator = getattr(transformers, kind)(
                        **takes, **options, return_tensors=framework
                    )
                    seed_others()
                    torch.manual_seed(7)
                    batch = collator(fresh(rows))
                    out[f"{name}/{side}/{framework}"] = {k: plain(v) for k, v in batch.items()}
    path = Path(__file__).with_name("collators.json")
    path.write_text(json.dumps(out), encoding="utf-8")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
