"""Compare stop strings, the watermark detector and the text streamer with the reference's.

    python tests/golden/fuzz_stopping.py --draws 2000 --seed 0

Needs torch and transformers==4.46.3 beside this package.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from minitransformers.generation import processors, stopping, streamers

sys.path.insert(0, str(Path(__file__).parent))
from stopping_cases import Tokenizer

transformers.logging.set_verbosity_error()


def attempt(function: Any) -> Any:
    try:
        return function()
    except Exception as error:
        return type(error)


def stop_strings(rng: np.random.Generator) -> tuple:
    tokenizer = Tokenizer.draw(rng)
    strings = [
        "".join(rng.choice(list("stop 你x"), int(rng.integers(1, 6))))
        for _ in range(int(rng.integers(1, 4)))
    ]
    ids = rng.integers(6, len(tokenizer.words), (int(rng.integers(1, 30)), int(rng.integers(1, 9))))
    theirs = lambda: transformers.StopStringCriteria(tokenizer, strings)(torch.tensor(ids), None)
    ours = lambda: stopping.StopStringCriteria(tokenizer, strings)(ids, None)
    return theirs, ours, (tokenizer.words, strings, ids)


class Config:
    def __init__(self, **values: Any):
        vars(self).update(values)


def detector(rng: np.random.Generator) -> tuple:
    vocab = int(rng.integers(10, 200))
    config = Config(
        bos_token_id=1, decoder_start_token_id=2, is_encoder_decoder=False, vocab_size=vocab
    )
    parameters = {
        "greenlist_ratio": float(rng.choice([0.25, 0.5])),
        "hashing_key": int(rng.choice([15485863, 7])),
        "seeding_scheme": "selfhash" if rng.random() < 0.1 else "lefthash",
        "context_width": int(rng.integers(1, 4)),
    }
    ids = rng.integers(0, vocab, (int(rng.integers(1, 4)), int(rng.integers(1, 20))))
    ids[0, 0] = rng.integers(0, 2)

    def theirs() -> Any:
        made = transformers.WatermarkingConfig(**parameters)
        out = transformers.WatermarkDetector(config, "cpu", made)(
            torch.tensor(ids), return_dict=True
        )
        return np.stack([np.asarray(x, float) for x in vars(out).values()])

    def ours() -> Any:
        made = processors.WatermarkingConfig(**parameters)
        out = processors.WatermarkDetector(config, "cpu", made)(ids, return_dict=True)
        return np.stack([np.asarray(x, float) for x in vars(out).values()])

    return theirs, ours, (parameters, ids, vocab)


def streamer(rng: np.random.Generator) -> tuple:
    tokenizer, skip = Tokenizer.draw(rng), bool(rng.random() < 0.5)
    prompt = rng.integers(0, len(tokenizer.words), (1, int(rng.integers(1, 5))))
    steps = rng.integers(0, len(tokenizer.words), (int(rng.integers(0, 15)), 1))

    def run(kind: type, convert: Any) -> list[str]:
        texts: list = []
        recorder = type(
            "Recorder", (kind,), {"on_finalized_text": lambda s, *a, **k: texts.append((a, k))}
        )
        one = recorder(tokenizer, skip_prompt=skip)
        for value in (prompt, *steps):
            one.put(convert(value))
        one.end()
        return texts

    return (
        lambda: run(transformers.TextStreamer, torch.tensor),
        lambda: run(streamers.TextStreamer, lambda x: x),
        (tokenizer.words, prompt, steps.ravel(), skip),
    )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, (type, list)):
        return a == b
    return not isinstance(b, type) and np.allclose(np.asarray(a, float), np.asarray(b, float))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = 0
    for case in (stop_strings, detector, streamer):
        wrong = 0
        for seed in range(options.seed, options.seed + options.draws):
            theirs, ours, what = case(np.random.default_rng(seed))
            a, b = attempt(theirs), attempt(ours)
            if not same(a, b):
                wrong += 1
                if wrong <= 3:
                    print(f"{case.__name__} {seed}: {what}\n  expected {a}\n  got {b}", flush=True)
        print(f"{case.__name__}: {options.draws} draws, {wrong} mismatches", flush=True)
        failed += wrong
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
