"""Compare runs of the Trainer with the reference's, live: random arguments, equal logs.

    python tests/oracle/fuzz_trainer.py [first seed] [how many]

Needs torch, accelerate and transformers==4.46.3 beside this package.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "training")]
import tiny
import torch
import trainer_cases
import transformers
from test_trainer_golden import assert_alike

import minitransformers


class Stream(trainer_cases.Stream, torch.utils.data.IterableDataset):
    pass


MODELS: list[dict[str, Any]] = [
    dict(kind="classes"),
    dict(kind="classes", model="DistilBertForSequenceClassification"),
    dict(kind="classes", model="RobertaForSequenceClassification"),
    dict(kind="classes", model="AlbertForSequenceClassification"),
    dict(kind="tokens", model="BertForTokenClassification", labels=3),
    dict(kind="tokens", model="ElectraForTokenClassification", labels=3),
    dict(kind="causal", model="BertForMaskedLM"),
    dict(kind="causal", model="GPT2LMHeadModel"),
    dict(kind="causal", model="LlamaForCausalLM"),
    dict(kind="causal", model="Qwen2ForCausalLM"),
    dict(kind="causal", model="MistralForCausalLM"),
    dict(kind="seq2seq", model="T5ForConditionalGeneration"),
    dict(kind="seq2seq", model="BartForConditionalGeneration"),
]


def draw(seed: int) -> dict[str, Any]:
    """A case for `trainer_cases.run`"""
    pick = random.Random(seed)
    case = dict(pick.choice(MODELS), rows=pick.randint(3, 26), ragged=pick.random() < 0.5)
    name = case.get("model", "Bert").split("For")[0].removesuffix("LMHeadModel").lower()
    # (the decoders' own have windows, which the reference leaves out with its default attention)
    causal = case.get("model", "").endswith("ForCausalLM")
    case["config"] = dict(tiny.DECODER if causal else tiny.CONFIGS[name])
    if labels := case.pop("labels", None):
        case["config"]["num_labels"] = labels
    when = pick.choice(["no", "epoch", "steps"])
    steps = pick.choice([1, 2, 3])
    args: dict[str, Any] = dict(
        learning_rate=pick.choice([1e-4, 1e-3, 1e-2]),
        per_device_train_batch_size=pick.randint(1, 7),
        per_device_eval_batch_size=pick.randint(1, 5),
        gradient_accumulation_steps=pick.choice([1, 1, 2, 3, 5]),
        seed=pick.randint(0, 999),
        data_seed=pick.choice([None, None, 7]),
        lr_scheduler_type=pick.choice(
            ["linear", "cosine", "constant", "polynomial", "inverse_sqrt", "cosine_with_restarts"]
        ),
        warmup_ratio=pick.choice([0, 0.1, 0.3]),
        warmup_steps=pick.choice([0, 0, 2]),
        weight_decay=pick.choice([0, 0.1]),
        max_grad_norm=pick.choice([0, 0.5, 1.0]),
        logging_steps=pick.choice([1, 1, 2, 3, 0.3]),
        logging_first_step=pick.random() < 0.3,
        logging_strategy=pick.choice(["steps", "steps", "epoch"]),
        eval_strategy=when,
        eval_steps=steps,
        eval_delay=pick.choice([0, 0, 1, 2]),
        eval_on_start=pick.random() < 0.2 and when != "no",
        save_strategy=pick.choice([when, when, "no", "epoch", "steps"]),
        save_steps=steps * pick.choice([1, 2]),
        save_total_limit=pick.choice([None, 1, 2]),
        group_by_length=pick.random() < 0.25,
        dataloader_drop_last=pick.random() < 0.2,
        optim=pick.choice(["adamw_torch", "adamw_torch", "adamw_hf", "adafactor", "sgd"]),
        include_num_input_tokens_seen=pick.random() < 0.2,
        neftune_noise_alpha=pick.choice([None] * 5 + [3.0]),
    )
    length = dict(max_steps=pick.randint(1, 12)), dict(num_train_epochs=pick.choice([0.5, 1.7, 2]))
    args |= pick.choice(length)
    if when != "no" and args["save_strategy"] == when:
        args["load_best_model_at_end"] = pick.random() < 0.7
    if case["kind"] == "seq2seq":
        case |= dict(trainer="Seq2SeqTrainer", metrics="shape")
        args |= dict(
            predict_with_generate=True,
            generation_max_length=pick.choice([None, 5, 25]),
            generation_num_beams=pick.choice([None, 2]),
        )
    else:
        args["label_smoothing_factor"] = pick.choice([0, 0, 0.1])
        case["metrics"] = pick.choice([None, True]) if case["kind"] != "causal" else None
    if "max_steps" in args and not args["group_by_length"]:
        case["iterable"] = pick.random() < 0.2
    return case | dict(args=args, evaluate_first=pick.random() < 0.2)


def run(library: Any, fill: Any, array: Any, stream: Any) -> Any:
    """-> what the run gives, or the class of its error"""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        try:
            result = trainer_cases.run(library, fill, array, stream, "drawn", Path(folder))
        except Exception as error:
            return type(error).__name__
    return json.loads(json.dumps(result, default=float))


def main(first: int = 0, count: int = 50) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    failed = 0
    for seed in range(first, first + count):
        trainer_cases.CASES["drawn"] = draw(seed)
        theirs = run(transformers, tiny.fill_reference, torch.tensor, Stream)
        ours = run(minitransformers, tiny.fill, np.array, trainer_cases.Stream)
        try:
            assert_alike(ours, theirs, f"seed {seed}")
        except AssertionError as error:
            failed += 1
            print(str(error).strip().replace("\n", " ")[:300], flush=True)
    print(f"{count - failed} of {count} runs are alike")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
