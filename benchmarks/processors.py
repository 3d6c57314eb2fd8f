"""Microseconds a step of each logits processor, alone, for GPT-2's vocabulary.

    python benchmarks/processors.py [--rows 1 8] [--length 200]

The scores are normal, the text has `length` tokens, and the fastest of several rounds counts.
"after top_k" is the usual case in sampling: all but 50 scores are -inf.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minitransformers.generation import processors as p
from minitransformers.generation.config import GenerationConfig
from minitransformers.generation.stopping import build_criteria

VOCAB = 50257


def microseconds(function: Callable, *arguments: Any, budget: float = 0.15) -> float:
    function(*arguments)
    best, until = np.inf, time.perf_counter() + budget
    while time.perf_counter() < until:
        start = time.perf_counter()
        function(*arguments)
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def cases(ids: np.ndarray) -> dict[str, Any]:
    length = ids.shape[1]
    eos = np.array([50256])
    words = [[i] for i in range(100)] + [[i, i + 1, i + 2] for i in range(20)]
    return {
        "temperature": p.TemperatureLogitsWarper(0.7),
        "top_k 50": p.TopKLogitsWarper(50),
        "top_p 0.9": p.TopPLogitsWarper(0.9),
        "top_p 0.9, after top_k": p.TopPLogitsWarper(0.9),
        "min_p 0.05": p.MinPLogitsWarper(0.05),
        "typical_p 0.9": p.TypicalLogitsWarper(0.9),
        "typical_p 0.9, after top_k": p.TypicalLogitsWarper(0.9),
        "epsilon_cutoff 3e-4": p.EpsilonLogitsWarper(3e-4),
        "eta_cutoff 3e-4": p.EtaLogitsWarper(3e-4),
        "top_h 0.5": p.TopHLogitsWarper(0.5),
        "repetition_penalty 1.2": p.RepetitionPenaltyLogitsProcessor(1.2),
        "encoder_repetition_penalty 1.2": p.EncoderRepetitionPenaltyLogitsProcessor(1.2, ids),
        "no_repeat_ngram_size 3": p.NoRepeatNGramLogitsProcessor(3),
        "encoder_no_repeat_ngram_size 3": p.EncoderNoRepeatNGramLogitsProcessor(3, ids),
        "sequence_bias, 120 entries": p.SequenceBiasLogitsProcessor({tuple(w): 1.5 for w in words}),
        "bad_words_ids, 120 entries": p.NoBadWordsLogitsProcessor(words, eos),
        "prefix_allowed_tokens_fn": p.PrefixConstrainedLogitsProcessor(lambda i, t: [1, 2, 3], 1),
        "diversity_penalty": p.HammingDiversityLogitsProcessor(1.0, 2, 2),
        "forced_eos_token_id": p.ForcedEOSTokenLogitsProcessor(length + 1, eos),
        "remove_invalid_values": p.InfNanRemoveLogitsProcessor(),
        "exponential_decay_length_penalty": p.ExponentialDecayLengthPenalty((5, 1.1), eos, 5),
        "renormalize_logits": p.LogitNormalization(),
        "suppress_tokens, 90": p.SuppressTokensLogitsProcessor(range(90)),
        "min_length": p.MinLengthLogitsProcessor(length + 9, eos),
        "watermark, lefthash": p.WatermarkLogitsProcessor(VOCAB),
        "watermark, selfhash": p.WatermarkLogitsProcessor(VOCAB, seeding_scheme="selfhash"),
        "SynthID, 9 layers": p.SynthIDTextWatermarkLogitsProcessor(
            5, [654, 400, 836, 123, 340, 443, 597, 160, 57], 2**16, 0, 1024
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--length", type=int, default=200)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table: dict[str, list[float]] = {}
    for rows in options.rows:
        ids = rng.integers(0, VOCAB, (rows, options.length))
        ids[:, -2:] = ids[:, :2]  # so that an n-gram is found
        scores = (rng.normal(size=(rows, VOCAB)) * 3).astype(np.float32)
        few = p.TopKLogitsWarper(50)(ids, scores)
        for name, processor in cases(ids).items():
            extra = (np.repeat(ids[:, -1], 2), 1) if name == "diversity_penalty" else ()
            given = few if "after top_k" in name else scores
            table.setdefault(name, []).append(microseconds(processor, ids, given, *extra))
        config = GenerationConfig(do_sample=True, temperature=0.7, top_k=50, top_p=0.9)
        config.repetition_penalty, config.no_repeat_ngram_size, config.max_length = 1.2, 3, 999
        usual = p.build_processors(config, prompt_length=1, eos=np.array([50256]))
        table.setdefault("usual sampling, all five", []).append(microseconds(usual, ids, scores))
        criteria = build_criteria(config, eos=np.array([50256]))
        table.setdefault("stopping: length and eos", []).append(microseconds(criteria, ids, scores))
    print(f"{'microseconds a step':34}", *(f"{rows:>4} rows" for rows in options.rows))
    for name, times in table.items():
        print(f"{name:34}", *(f"{t:9,.0f}" for t in times))


if __name__ == "__main__":
    main()
