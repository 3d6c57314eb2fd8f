"""Runs of a Trainer that this library and the reference can make alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tiny

BERT = dict(
    vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
    intermediate_size=20, max_position_embeddings=24,
)  # fmt: skip
LLAMA = dict(tiny.DECODER, hidden_act="silu")
GPT2 = tiny.CONFIGS["gpt2"]
T5 = dict(tiny.CONFIGS["t5"], dropout_rate=0.1)

# name -> model, configuration, kind of rows, how many, arguments, what else
CASES: dict[str, dict[str, Any]] = {
    "plain": dict(
        args=dict(num_train_epochs=2, eval_strategy="epoch", weight_decay=0.1, learning_rate=1e-3),
        evaluate_first=True,
    ),
    "best": dict(
        args=dict(
            num_train_epochs=3, eval_strategy="steps", eval_steps=2, save_steps=2,
            load_best_model_at_end=True, save_total_limit=1, metric_for_best_model="accuracy",
            lr_scheduler_type="cosine", warmup_ratio=0.2, logging_steps=3, logging_first_step=True,
        ),
        metrics=True,
        patience=3,
    ),
    "accumulated": dict(
        rows=18, args=dict(num_train_epochs=3, gradient_accumulation_steps=2, save_strategy="epoch")
    ),
    "accumulated_few": dict(
        rows=10, args=dict(num_train_epochs=4, gradient_accumulation_steps=8, warmup_steps=2)
    ),
    "causal_items": dict(
        model="LlamaForCausalLM", config=LLAMA, kind="causal", rows=21,
        args=dict(num_train_epochs=2, gradient_accumulation_steps=3, learning_rate=1e-3),
    ),
    "causal_smoothed": dict(
        model="GPT2LMHeadModel", config=GPT2, kind="causal",
        args=dict(
            max_steps=5, label_smoothing_factor=0.1, eval_strategy="epoch", eval_on_start=True,
        ),
    ),
    "smoothed": dict(args=dict(max_steps=4, label_smoothing_factor=0.2, eval_strategy="epoch")),
    "spans": dict(
        model="BertForQuestionAnswering", kind="spans",
        args=dict(num_train_epochs=1, eval_strategy="epoch"), metrics=True,
    ),
    "by_length": dict(
        ragged=True,
        args=dict(num_train_epochs=2, group_by_length=True, gradient_accumulation_steps=2),
    ),
    "tokens": dict(
        model="BertForTokenClassification", config=dict(BERT, num_labels=3), kind="tokens",
        ragged=True, args=dict(num_train_epochs=1.5, eval_strategy="steps", eval_steps=4),
        metrics=True, predict=True,
    ),
    "adafactor": dict(args=dict(max_steps=5, optim="adafactor", lr_scheduler_type="constant")),
    "sgd": dict(
        args=dict(
            max_steps=6, optim="sgd", learning_rate=0.1, lr_scheduler_type="polynomial",
            max_grad_norm=0.0, dataloader_drop_last=True, data_seed=7,
        )
    ),
    "plateau": dict(
        args=dict(
            num_train_epochs=4, lr_scheduler_type="reduce_lr_on_plateau", eval_strategy="epoch",
            lr_scheduler_kwargs={"patience": 0, "factor": 0.5, "threshold": 0.5},
        )
    ),
    "iterable": dict(iterable=True, args=dict(max_steps=8, eval_strategy="steps", eval_steps=4)),
    "noisy": dict(args=dict(max_steps=4, neftune_noise_alpha=5.0)),
    "several": dict(
        several=True,
        args=dict(
            num_train_epochs=1, eval_strategy="epoch", include_num_input_tokens_seen=True,
            include_for_metrics=["inputs", "loss"],
        ),
        metrics=True,
    ),
    "by_batch": dict(
        args=dict(num_train_epochs=1, eval_strategy="epoch", batch_eval_metrics=True),
        metrics="batch",
    ),
    "generated": dict(
        trainer="Seq2SeqTrainer", model="T5ForConditionalGeneration", config=T5, kind="seq2seq",
        args=dict(
            num_train_epochs=1, eval_strategy="epoch", predict_with_generate=True,
            generation_max_length=6, per_device_eval_batch_size=4,
        ),
        metrics="shape", predict=True,
    ),
}  # fmt: skip


def rows_of(kind: str, n: int, ragged: bool, seed: int) -> list[dict[str, Any]]:
    """n rows of a task, a column that no model takes among them"""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        length = int(rng.integers(4, 12)) if ragged else 9
        row: dict[str, Any] = {
            "input_ids": rng.integers(3, 37, length).tolist(),
            "attention_mask": [1] * length,
            "text": f"row {i}",
        }
        if kind == "classes":
            row["label"] = int(rng.integers(0, 2))
        elif kind == "tokens":
            row["labels"] = rng.integers(0, 3, length).tolist()
        elif kind == "spans":
            start = int(rng.integers(0, length))
            row |= {"start_positions": start, "end_positions": min(start + 2, length - 1)}
        else:
            row["labels"] = list(row["input_ids"]) if kind == "causal" else [5, 6, 7 + i % 9, 1]
            for ignored in range(i % 4):
                row["labels"][ignored] = -100
        rows.append(row)
    return rows


class Stream:
    """Rows without a length."""

    def __init__(self, rows: list):
        self.rows = rows

    def __iter__(self):
        return iter(self.rows)


def pads(array: Any) -> Any:
    """A collator that pads to the longest row. array: makes the library's tensors"""

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        width = max(len(row["input_ids"]) for row in rows)
        batch = {}
        for name in rows[0]:
            values = [row[name] for row in rows]
            if isinstance(values[0], list):
                fill = -100 if name == "labels" else 0
                values = [v + [fill] * (width - len(v)) for v in values]
            batch["labels" if name == "label" else name] = array(values)
        return batch

    return collate


def accuracy(prediction: Any) -> dict[str, float]:
    logits, labels = prediction.predictions, prediction.label_ids
    logits = logits[0] if isinstance(logits, tuple) else logits
    labels = labels[0] if isinstance(labels, tuple) else labels
    results = {"accuracy": float((np.argmax(logits, -1) == labels).mean())}
    if prediction.losses is not None:
        results |= {"losses": prediction.losses.mean(), "inputs": int(prediction.inputs.sum())}
    return results


def shapes(prediction: Any) -> dict[str, float]:
    predictions, labels = prediction
    return {"width": predictions.shape[1], "ids": int(predictions.sum()), "n": len(labels)}


class ByBatch:
    """Counts hits batch by batch."""

    def __init__(self) -> None:
        self.hits = self.rows = 0

    def __call__(self, prediction: Any, compute_result: bool) -> dict[str, float]:
        logits, labels = (np.asarray(x) for x in prediction)
        self.hits += int((logits.argmax(-1) == labels).sum())
        self.rows += len(labels)
        return {"rows": self.rows, "hits": self.hits} if compute_result else {}


def run(library: Any, fill: Any, array: Any, stream: Any, name: str, folder: Path) -> dict:
    """Make a run with a library. -> its logs, predictions and files"""
    case = CASES[name]
    kind = case.get("kind", "classes")
    model_class = getattr(library, case.get("model", "BertForSequenceClassification"))
    model = fill(model_class(model_class.config_class(**case.get("config", BERT))))
    train = rows_of(kind, case.get("rows", 22), case.get("ragged", False), 0)
    held_out = rows_of(kind, 7, case.get("ragged", False), 1)
    if case.get("iterable"):
        train, held_out = stream(train), stream(held_out)
    if case.get("several"):
        held_out = {"some": held_out[:4], "others": held_out[4:]}
    seq2seq = "trainer" in case
    make_args = library.Seq2SeqTrainingArguments if seq2seq else library.TrainingArguments
    defaults = dict(
        per_device_train_batch_size=4, per_device_eval_batch_size=3, logging_steps=1,
        report_to="none", disable_tqdm=True, save_strategy=case["args"].get("eval_strategy", "no"),
    )  # fmt: skip
    args = make_args(str(folder), **(defaults | case["args"]))
    metrics = {None: None, True: accuracy, "shape": shapes, "batch": ByBatch()}[case.get("metrics")]
    callbacks = [library.EarlyStoppingCallback(case["patience"])] if "patience" in case else None
    trainer = getattr(library, case.get("trainer", "Trainer"))(
        model=model,
        args=args,
        data_collator=pads(array) if case.get("ragged") or kind == "seq2seq" else None,
        train_dataset=train,
        eval_dataset=held_out,
        compute_metrics=metrics,
        callbacks=callbacks,
    )
    result: dict[str, Any] = {}
    if case.get("evaluate_first"):
        result["first"] = trainer.evaluate()
    output = trainer.train()
    result |= {
        "global_step": output.global_step,
        "training_loss": output.training_loss,
        "metrics": sorted(output.metrics),
        "log_history": trainer.state.log_history,
        "checkpoints": sorted(path.name for path in folder.glob("checkpoint-*")),
        "best": Path(trainer.state.best_model_checkpoint or "none").name,
    }
    if case.get("predict"):
        predicted = trainer.predict(held_out)
        result["predictions"] = np.asarray(predicted.predictions, np.float64).round(6).tolist()
        result["label_ids"] = np.asarray(predicted.label_ids).tolist()
        result["predict_metrics"] = predicted.metrics
    return result
