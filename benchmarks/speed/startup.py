"""From nothing to the first token, process included, and what importing costs.

    PYTHONPATH=benchmarks python -m speed.startup CACHE [--python PATH] [--rounds N]

Each program runs in a fresh process; ours and the reference's take turns. --python names the
interpreter that has torch and transformers, if this one has not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .checkpoints import folder

IMPORT = "import {library}"
FIRST_TOKEN = """
from {library} import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained({path!r})
model.generate({ids}, max_new_tokens=1, do_sample=False, pad_token_id=0)
"""


def seconds(python: str, code: str) -> float:
    """Of a process that runs `code`; not a number where it fails."""
    start = time.perf_counter()
    done = subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True)
    return time.perf_counter() - start if done.returncode == 0 else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(prog="speed.startup")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    path = str(folder(options.cache, "gpt2"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    programs = {
        "Python and NumPy": (sys.executable, "import numpy"),
        "import minitransformers": (
            sys.executable,
            "import numpy; " + IMPORT.format(library="minitransformers"),
        ),
        "first token, minitransformers": (
            sys.executable,
            FIRST_TOKEN.format(library="minitransformers", path=path, ids=[[5, 6, 7]]),
        ),
        "import transformers": (options.python, IMPORT.format(library="transformers")),
        "first token, transformers": (
            options.python,
            "import torch"
            + FIRST_TOKEN.format(
                library="transformers", path=path, ids="torch.tensor([[5, 6, 7]])"
            ),
        ),
    }
    spent: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(options.rounds + 1):
        for name, (python, code) in programs.items():
            spent[name].append(seconds(python, code))
    middle = {name: statistics.median(times[1:]) for name, times in spent.items()}
    for name, took in middle.items():
        print(f"{name}: {took:.2f} s")
    beyond = middle["import minitransformers"] - middle["Python and NumPy"]
    ratio = middle["first token, transformers"] / middle["first token, minitransformers"]
    print(f"importing, beyond Python and NumPy: {beyond:.3f} s; first token: {ratio:.1f} x faster")


if __name__ == "__main__":
    main()
