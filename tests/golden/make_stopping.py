"""Write stopping.json: what the reference says of stop strings, watermarks and streamed text.

    python tests/golden/make_stopping.py

Needs torch and transformers==4.46.3 beside this package, as fuzz_stopping.py does, which draws the
same cases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_stopping import attempt, detector, stop_strings, streamer

DRAWS = {"stop_strings": (stop_strings, 40), "detector": (detector, 25), "streamer": (streamer, 25)}


def plain(x: Any) -> Any:
    if isinstance(x, type):
        return {"raises": x.__name__}
    if isinstance(x, (list, tuple)):
        return [plain(y) for y in x]
    if isinstance(x, dict):
        return x
    return np.asarray(x).tolist() if hasattr(x, "shape") else x


def main() -> None:
    cases = {}
    for name, (draw, count) in DRAWS.items():
        cases[name] = []
        for seed in range(count):
            theirs, _, what = draw(np.random.default_rng(seed))
            cases[name].append({"given": plain(what), "expected": plain(attempt(theirs))})
    path = Path(__file__).with_name("stopping.json")
    path.write_text(json.dumps(cases) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
