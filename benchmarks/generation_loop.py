"""Time the generation loop itself: everything in a step but the model, in microseconds.

    python benchmarks/generation_loop.py [vocabulary]

A stand-in for the model answers at once with random logits; medians of five runs of 100 steps.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from minitransformers import GPT2Config, GPT2LMHeadModel
from minitransformers.generation.generate import generate_steps

PROMPT = 32
WAYS: dict[str, dict] = {
    "greedy": {},
    "sampling, top_k 50": {"do_sample": True},
    "beam search, 5 beams": {"num_beams": 5},
    "greedy, many processors": {
        "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 3,
        "min_length": 200,
        "bad_words_ids": [[5], [6, 7]],
        "suppress_tokens": [8, 9],
        "sequence_bias": {(10,): 1.0, (11, 12): -1.0},
        "renormalize_logits": True,
    },
    "sampling, many warpers": {
        "do_sample": True,
        "temperature": 0.8,
        "top_p": 0.95,
        "min_p": 0.01,
        "typical_p": 0.95,
        "epsilon_cutoff": 1e-4,
    },
}


class Stub:
    """A decoding state that costs nothing."""

    def __init__(self, rows: int, vocab: int):
        self.prompt = np.ones((rows, PROMPT), np.int64)
        self.length, self.encoded, self.cache = PROMPT, None, None
        self.logits = [
            np.random.default_rng(i).standard_normal((rows, 1, vocab)).astype(np.float32)
            for i in range(8)
        ]
        self.turn = 0

    def step(self, ids: np.ndarray) -> dict:
        self.turn += 1
        nothing = {"hidden_states": None, "attentions": None, "cross_attentions": None}
        return {"logits": self.logits[self.turn % 8], **nothing}

    def reorder(self, rows: np.ndarray, start: int = 0) -> None:
        pass


def main() -> None:
    vocab = int(sys.argv[1]) if len(sys.argv) > 1 else 50257
    config = GPT2Config(vocab_size=vocab, n_layer=1, n_embd=4, n_head=1, eos_token_id=None)
    model = GPT2LMHeadModel(config)
    for name, how in WAYS.items():
        times = []
        for _ in range(5):
            steps = generate_steps(
                model, np.ones((1, PROMPT), np.int64), max_new_tokens=100, pad_token_id=0, **how
            )
            steps.state = Stub(how.get("num_beams", 1), vocab)
            start = time.perf_counter()
            for _ in steps:
                pass
            times.append((time.perf_counter() - start) / 100)
        print(f"{1e6 * statistics.median(times):8.0f} us  {name}")


if __name__ == "__main__":
    main()
