"""Write generate.json: the reference's tokens for random draws of every strategy.

Needs torch and transformers==4.46.3. A draw is made from its number (draws.py), so only answers are
stored. Draws in which the reference raises, or answers what is its own bug or unspecified, are
listed with the reason and not compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "oracle")]
import draws
import numpy as np
from fuzz_generate import differences, ours, reason, reference

BASIC = ("greedy", "sample", "beam", "beam_sample")


def sequences(output: object) -> np.ndarray:
    return output if isinstance(output, np.ndarray) else output["sequences"]


out = []
for modes, numbers in ((BASIC, range(260)), *(((m,), range(25)) for m in draws.MODES[4:])):
    for number in numbers:
        case = draws.draw(number, modes)
        expected = reference(case)
        if isinstance(expected, Exception):
            continue
        ids = expected if hasattr(expected, "tolist") else expected["sequences"]
        entry = {"modes": modes, "seed": number, "sequences": ids.tolist()}
        got = ours(case)
        if isinstance(got, Exception) or not np.array_equal(ids.numpy(), sequences(got)):
            entry["differs"] = reason(case)
            assert entry["differs"], (differences(expected, got), case)
        out.append(entry)
lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in out)
(HERE / "generate.json").write_text(f"[\n{lines}\n]\n")
print(len(out), "draws,", sum("differs" in e for e in out), "not compared")
