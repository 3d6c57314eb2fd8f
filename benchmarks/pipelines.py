"""Classify 2,000 short and long texts in batches, against the reference's pipeline.

    python benchmarks/pipelines.py [rounds]

Needs torch and transformers 4.46.3 beside this library. Both read the same checkpoint (BERT with 4
layers of 256, random weights) and the same list of texts in mixed order with batch_size=32; they
take turns, and the medians are compared. Also printed: one text after the other, and that both find
the same labels.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "pipelines")]

import pipeline_models  # noqa: E402

import minitransformers  # noqa: E402

SIZE = dict(
    hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
    max_position_embeddings=256,
)  # fmt: skip


def texts(count: int) -> list[str]:
    """Most of them short, some long, as mail and comments are."""
    words = pipeline_models.TEXT.split()
    draw = random.Random(0)
    lengths = [min(int(draw.lognormvariate(2.6, 0.9)) + 2, 60) for _ in range(count)]
    return [" ".join(draw.choices(words, k=n)) for n in lengths]


def seconds(pipe: Any, inputs: list[str], **options: Any) -> tuple[float, list]:
    start = time.perf_counter()
    found = pipe(inputs, **options)
    return time.perf_counter() - start, found


def main() -> None:
    import transformers

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    tokenizer, kind, config, fields, _ = pipeline_models.MODELS["classes"]
    pipeline_models.MODELS["large"] = (tokenizer, kind, config, fields | SIZE, 0)
    pipeline_models.TOKENIZERS[tokenizer]["model_max_length"] = SIZE["max_position_embeddings"]
    with tempfile.TemporaryDirectory() as folder:
        name = pipeline_models.build(Path(folder), "large")
        ours = minitransformers.pipeline("text-classification", name)
        theirs = transformers.pipeline("text-classification", name, device="cpu")
        inputs = texts(2000)
        for title, some, options in (
            ("2000 texts, batch_size=32", inputs, {"batch_size": 32}),
            ("100 texts, one by one", inputs[:100], {}),
        ):
            times: dict[str, list[float]] = {"minitransformers": [], "transformers": []}
            for _ in range(rounds):
                answers = []
                for who, pipe in (("minitransformers", ours), ("transformers", theirs)):
                    spent, found = seconds(pipe, some, truncation=True, **options)
                    times[who].append(spent)
                    answers.append([x["label"] for x in found])
                assert answers[0] == answers[1]
            mine, other = (statistics.median(spent) for spent in times.values())
            print(f"{title}: {mine:.2f} s, transformers {other:.2f} s, ratio {other / mine:.2f}")


if __name__ == "__main__":
    main()
