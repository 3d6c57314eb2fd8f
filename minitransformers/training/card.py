"""The model card of a run: README.md with metadata, results and how they came about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..models.auto import class_names

_MADE_BY = "generated_from_trainer"
_NOT_RESULTS = ("runtime", "samples_per_second", "steps_per_second", "epoch", "step")
_METRICS = [
    *("accuracy", "bleu", "f1", "matthews_correlation", "pearsonr", "precision", "recall"),
    *("rouge", "sacrebleu", "spearmanr", "wer"),
]
_TASKS = {  # the Hub's name of a task -> (ours, as people call it)
    "text-generation": ("causal-lm", "Causal Language Modeling"),
    "question-answering": ("question-answering", "Question Answering"),
    "text2text-generation": ("seq2seq-lm", "Sequence-to-sequence Language Modeling"),
    "text-classification": ("sequence-classification", "Text Classification"),
    "token-classification": ("token-classification", "Token Classification"),
    "fill-mask": ("masked-lm", "Masked Language Modeling"),
}


def write_card(trainer: Any, **facts: Any) -> None:
    """Write README.md into the run's folder. facts: see `model_card`"""
    path = os.path.join(trainer.args.output_dir, "README.md")
    if os.path.exists(path) and facts.get("tags") is not None:
        from huggingface_hub import ModelCard

        before = ModelCard.load(path).data.get("tags") or []
        facts["tags"] = [*dict.fromkeys([*_listed(facts["tags"]), *before])]
    with open(path, "w", encoding="utf-8") as file:
        file.write(model_card(trainer, **facts))


def model_card(
    trainer: Any,
    language: Any = None,
    license: str | None = None,
    tags: Any = None,
    model_name: str | None = None,
    finetuned_from: str | None = None,
    tasks: Any = None,
    dataset_tags: Any = None,
    dataset: Any = None,
    dataset_args: Any = None,
) -> str:
    """The text of a card; what is not said is taken from the trainer, where it is known.

    tags, language, tasks, dataset, dataset_tags, dataset_args: a text or a list of them
    """
    config = getattr(trainer.model, "config", None)
    origin = finetuned_from or getattr(config, "name_or_path", None) or None
    if finetuned_from is None and origin and os.path.isdir(origin):
        origin = None
    name = model_name or Path(trainer.args.output_dir).name or origin
    datasets = _listed(dataset if dataset is not None else dataset_tags)
    rows, results = _history(trainer.state.log_history)
    metadata = {
        "language": language,
        "license": license,
        "library_name": "transformers",
        "base_model": origin,
        "tags": [*dict.fromkeys([*_listed(tags), _MADE_BY])],
        "datasets": _listed(dataset_tags) or None,
        "metrics": [metric for metric in _METRICS if metric in _tagged(results)] or None,
        "model_name": name,
        "eval_results": _eval_results(
            trainer, results, tasks, _listed(dataset_tags), datasets, _listed(dataset_args)
        ),
    }
    start = f"[{origin}](https://huggingface.co/{origin}), fine-tuned" if origin else "new weights"
    data = f"on {', '.join(datasets)}" if datasets else "on data that this card does not name"
    parts = [
        f"---\n{_yaml(metadata)}\n---",
        "<!-- Written by minitransformers' Trainer. Please complete what only you know. -->",
        f"# {name}",
        f"This model is {start}, trained {data}.",
    ]
    if results:
        lines = [f"- {key}: {_rounded(value)}" for key, value in results.items()]
        parts.append("Results on the evaluation set:\n\n" + "\n".join(lines))
    for heading in ("Model description", "Intended uses & limitations"):
        parts += [f"## {heading}", "More information needed"]
    parts += ["## Training and evaluation data", "More information needed"]
    parts += ["## Training procedure", "### Training hyperparameters"]
    parts.append("\n".join(f"- {k}: {v}" for k, v in _hyperparameters(trainer.args).items()))
    if rows:
        parts += ["### Training results", _table(rows)]
    parts += ["### Framework versions", _versions()]
    return "\n\n".join(parts) + "\n"


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _yaml(metadata: dict[str, Any]) -> str:
    from huggingface_hub import ModelCardData

    known = {name: value for name, value in metadata.items() if value is not None}
    if "eval_results" not in known:
        known.pop("model_name")  # it would be refused without results
    return ModelCardData(**known).to_yaml()


def _tagged(results: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """{metric of the Hub: (name, value)} of the results that are one, rouge1 as rouge"""
    found = {}
    for name, value in (results or {}).items():
        plain = name.lower().replace(" ", "_")
        plain = "rouge" if plain in ("rouge1", "rouge_1") else plain
        if plain in _METRICS:
            found[plain] = (name, value)
    return found


def _eval_results(
    trainer: Any, results: Any, tasks: Any, tags: list, names: list, args: list
) -> list[Any] | None:
    """What the Hub lists as results: it wants a task, a dataset and a metric of each."""
    from huggingface_hub import EvalResult

    kind = type(trainer.model).__name__
    of_model = [task for task, (ours, _) in _TASKS.items() if kind in class_names(ours).values()]
    found = [
        EvalResult(
            task_type=task,
            task_name=_TASKS[task][1],
            dataset_type=tag,
            dataset_name=name,
            dataset_args={"args": args[i]} if i < len(args) else None,
            metric_type=metric,
            metric_name=label,
            metric_value=value,
        )
        for task in (_listed(tasks) or of_model[-1:])
        if task in _TASKS
        for i, (tag, name) in enumerate(zip(tags, names))
        for metric, (label, value) in _tagged(results).items()
    ]
    return found or None


def _history(logs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """-> a row for every evaluation of the last training, and the results of the last evaluation"""
    rows, loss = [], "No log"
    for log in logs:
        loss = log.get("loss", loss)
        if "eval_loss" in log:
            row = {"Training Loss": loss, "Epoch": log.get("epoch"), "Step": log.get("step")}
            row["Validation Loss"] = log["eval_loss"]
            rows.append(row | {k: v for k, v in _results(log).items() if k != "Loss"})
    evaluations = [log for log in logs if "eval_loss" in log]
    trained = any("train_runtime" in log for log in logs)
    return rows if trained else [], _results(evaluations[-1]) if evaluations else {}


def _results(log: dict[str, Any]) -> dict[str, Any]:
    names = {k: k.removeprefix("eval_") for k in log if k.startswith("eval_")}
    return {
        name.replace("_", " ").title(): log[key]
        for key, name in names.items()
        if name not in _NOT_RESULTS and name != "model_preparation_time"
    }


def _rounded(value: Any) -> str:
    short = isinstance(value, (float, np.floating)) and len(str(value).rpartition(".")[2]) > 4
    return f"{value:.4f}" if short else str(value)


def _table(rows: list[dict[str, Any]]) -> str:
    heads = list(rows[-1])
    cells = [[_rounded(row.get(head, "")) for head in heads] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells)]
    lines = [heads, *cells]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    rule = "|" + "|".join(":" + "-" * w + ":" for w in widths) + "|"
    return "\n".join([text[0], rule, *text[1:]])


def _hyperparameters(args: Any) -> dict[str, Any]:
    names = ("learning_rate", "train_batch_size", "eval_batch_size", "seed")
    shown = {name: getattr(args, name) for name in names}
    if args.gradient_accumulation_steps > 1:
        shown["gradient_accumulation_steps"] = args.gradient_accumulation_steps
        shown["total_train_batch_size"] = args.train_batch_size * args.gradient_accumulation_steps
    shown["optimizer"] = args.optim.value
    if "adam" in args.optim.value:
        betas = f"({args.adam_beta1},{args.adam_beta2})"
        shown["optimizer"] += f" with betas={betas} and epsilon={args.adam_epsilon}"
    shown["lr_scheduler_type"] = args.lr_scheduler_type.value
    if args.warmup_ratio:
        shown["lr_scheduler_warmup_ratio"] = args.warmup_ratio
    if args.warmup_steps:
        shown["lr_scheduler_warmup_steps"] = args.warmup_steps
    if args.max_steps != -1:
        shown["training_steps"] = args.max_steps
    else:
        shown["num_epochs"] = args.num_train_epochs
    if args.label_smoothing_factor:
        shown["label_smoothing_factor"] = args.label_smoothing_factor
    return shown


def _versions() -> str:
    import tokenizers

    versions = {
        "minitransformers": __version__,
        "NumPy": np.__version__,
        "Tokenizers": tokenizers.__version__,
    }
    return "\n".join(f"- {name} {version}" for name, version in versions.items())
