"""Write processors.npz: what the reference's logits processors make of random scores.

    python tests/golden/make_processors.py

Needs torch and transformers==4.46.3 beside this package, as fuzz_processors.py does, which draws
the same cases. "cases" is JSON: the class, its arguments, the ids and the shapes of each; "given"
and "expected" hold the scores of all of them, one behind the other.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_processors import call, reference, tensors
from processor_cases import CASES, Neighbours, draw_ids, draw_scores

DRAWS = 6


def written(x: Any) -> Any:
    """Arguments as JSON, which has no tuples, tuple keys or functions."""
    if isinstance(x, Neighbours):
        return {"neighbours": [x.vocab, x.offset]}
    if isinstance(x, dict):
        return {"items": [[list(key), value] for key, value in x.items()]}
    if isinstance(x, tuple):
        return {"tuple": list(x)}
    return x.tolist() if isinstance(x, np.ndarray) else x


def main() -> None:
    cases, given, expected = [], [], []
    for name, case in CASES.items():
        seed = 0
        kept = 0
        while kept < DRAWS:
            rng = np.random.default_rng([seed, *name.encode()])
            seed += 1
            vocab, rows, length = (int(rng.integers(*span)) for span in ((9, 20), (1, 4), (2, 9)))
            draw = case(rng, vocab, rows, length)
            kind, arguments = draw["class"], draw["arguments"]
            ids = draw_ids(rng, vocab, rows, length)
            steps = draw.get("steps", [(ids, draw_scores(rng, vocab, rows))])[:3]
            made = {k: tensors(v) for k, v in arguments.items()}
            answer = call(lambda: getattr(reference, kind)(**made), tensors, steps)  # noqa: B023
            if isinstance(answer, Exception):
                continue
            kept += 1
            given += [scores.ravel() for _, scores, *_ in steps]
            expected += [x.ravel() for x in answer]
            cases.append(
                {
                    "name": name,
                    "class": kind,
                    "arguments": {k: written(v) for k, v in arguments.items()},
                    "steps": [
                        {
                            "ids": ids.tolist(),
                            "shapes": [scores.shape, result.shape],
                            "more": [np.asarray(x).tolist() for x in more],
                        }
                        for (ids, scores, *more), result in zip(steps, answer)
                    ],
                }
            )
    path = Path(__file__).with_name("processors.npz")
    np.savez_compressed(
        path,
        cases=np.frombuffer(json.dumps(cases).encode(), np.uint8),
        given=np.concatenate(given),
        expected=np.concatenate(expected),
    )
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
