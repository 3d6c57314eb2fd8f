"""Tokenizer throughput beside the reference's, in alternating subprocesses.

    python benchmarks/tokenization.py FOLDER --reference PYTHON [--rounds 5]

FOLDER holds a tokenizer; PYTHON is an interpreter that has transformers. Each round runs both
libraries on the same texts, one process each; the medians over the rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

WORKER = r"""
import importlib, json, random, sys, time, warnings
warnings.simplefilter("ignore")
library, folder = sys.argv[1:]
tokenizer = importlib.import_module(library).AutoTokenizer.from_pretrained(folder)
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
rng = random.Random(0)
words = "the of machine learning, été naïve 你好 Привет running jumped 2024 ' doesn't (see)".split()
texts = [" ".join(rng.choices(words, k=rng.randint(20, 60))) for _ in range(1000)]
long = " ".join(texts[:100])
pairs = [text[:60] for text in texts]
ids = tokenizer(texts)["input_ids"]
chat = {"max_length": 384, "stride": 128, "truncation": "only_second", "padding": "max_length"}
jobs = {
    "single": lambda: [tokenizer(text) for text in texts[:300]],
    "single, np": lambda: [tokenizer(text, return_tensors="np") for text in texts[:300]],
    "single, long": lambda: tokenizer(long),
    "batch": lambda: tokenizer(texts),
    "batch, padded np": lambda: tokenizer(texts, padding=True, return_tensors="np"),
    "batch, truncated": lambda: tokenizer(texts, truncation=True, max_length=32),
    "batch, offsets": lambda: tokenizer(texts, return_offsets_mapping=True),
    "pairs, windows": lambda: tokenizer(
        pairs[:200], [long[:4000]] * 200, return_overflowing_tokens=True,
        return_offsets_mapping=True, **chat
    ),
    "decode": lambda: tokenizer.batch_decode(ids, skip_special_tokens=True),
    "pad": lambda: tokenizer.pad({"input_ids": ids}),
}
result = {}
for name, job in jobs.items():
    job()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    result[name] = min(seconds)
print(json.dumps(result))
"""


def measure(python: str, library: str, folder: str) -> dict[str, float]:
    """Return job -> seconds, measured in a process of its own."""
    done = subprocess.run(
        [python, "-c", WORKER, library, folder], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--reference", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(measure(sys.executable, "minitransformers.tokenization", options.folder))
        theirs.append(measure(options.reference, "transformers", options.folder))
    print(f"{'':20}{'ours, ms':>10}{'reference':>12}{'speed':>8}")
    for name in ours[0]:
        a, b = (statistics.median(run[name] for run in runs) * 1e3 for runs in (ours, theirs))
        print(f"{name:20}{a:10.1f}{b:12.1f}{b / a:7.2f}x")


if __name__ == "__main__":
    main()
