"""Running over a dataset without training: losses, predictions, metrics."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .. import logging
from ..core.primitive import value_of
from ..core.recording import no_grad
from .callbacks import has_length
from .evaluation import Collected, EvalLoopOutput, EvalPrediction, batch_size_of, plain

logger = logging.get_logger(__name__)


def evaluation_loop(
    trainer: Any,
    dataloader: Any,
    description: str,
    prediction_loss_only: bool | None = None,
    ignore_keys: list[str] | None = None,
    prefix: str = "eval",
) -> EvalLoopOutput:
    """See `Trainer.evaluation_loop`."""
    args, model = trainer.args, trainer.model
    if prediction_loss_only is None:
        prediction_loss_only = args.prediction_loss_only
    _prepare(trainer)
    logger.info(f"{description}: batches of {args.eval_batch_size} rows")
    model.eval()
    trainer.callback_handler.eval_dataloader = dataloader
    trainer._past = None
    kept = {name: Collected(args.eval_do_concat_batches) for name in ("logits", "labels", "inputs")}
    losses = Collected(args.eval_do_concat_batches)
    metrics: dict[str, Any] | None = None
    by_batch = args.batch_eval_metrics
    seen, known = 0, has_length(dataloader)
    batches = iter(dataloader)
    inputs = next(batches, None)
    while inputs is not None:
        following = next(batches, None)  # one ahead, to know which one is the last
        rows = batch_size_of(inputs)
        seen += rows or 0
        loss, logits, labels = trainer.prediction_step(
            model, inputs, prediction_loss_only, ignore_keys=ignore_keys
        )
        main = inputs.get(trainer.main_input_name) if "inputs" in args.include_for_metrics else None
        if loss is not None:
            # a loss counts once a row; where the rows are not known in advance, once a full batch
            times = rows if known and rows and trainer._weighs_by_rows else args.eval_batch_size
            loss = np.repeat(np.asarray(value_of(loss)).reshape(-1), times)
            losses.add(loss)
        if logits is not None and trainer.preprocess_logits_for_metrics is not None:
            logits = trainer.preprocess_logits_for_metrics(logits, labels)
        batch = {"logits": logits, "labels": labels, "inputs": main}
        if not by_batch or description == "Prediction":
            for name, value in batch.items():
                if value is not None:
                    kept[name].add(value)
        trainer._event("on_prediction_step")
        if by_batch and trainer.compute_metrics and logits is not None and labels is not None:
            prediction = _prediction(args, batch, loss)
            metrics = trainer.compute_metrics(prediction, compute_result=following is None)
        inputs = following

    results = {name: collected.get() for name, collected in kept.items()}
    all_losses = losses.get()
    if trainer.compute_metrics and not by_batch:
        if results["logits"] is not None and results["labels"] is not None:
            metrics = trainer.compute_metrics(_prediction(args, results, all_losses))
    metrics = plain(dict(metrics or {}))
    if all_losses is not None:
        joined = np.concatenate(all_losses) if isinstance(all_losses, list) else all_losses
        metrics[f"{prefix}_loss"] = joined.mean().item()
    if trainer.model_preparation_time is not None:
        metrics[f"{prefix}_model_preparation_time"] = trainer.model_preparation_time
    own = {name: value for name, value in metrics.items() if name.startswith(f"{prefix}_")}
    others = {f"{prefix}_{name}": value for name, value in metrics.items() if name not in own}
    dataset = getattr(dataloader, "dataset", None)
    samples = len(dataset) if has_length(dataset) else seen
    return EvalLoopOutput(results["logits"], results["labels"], own | others, samples or seen)


def _prepare(trainer: Any) -> None:
    """The reference wraps a model at its first use outside training, and reports how long it took;
    here there is nothing to do, but the metric is one that scripts may read."""
    if not trainer._prepared:
        trainer._prepared = True
        trainer.model_preparation_time = 0.0


def _prediction(args: Any, batch: dict[str, Any], losses: Any) -> EvalPrediction:
    wanted = args.include_for_metrics
    return EvalPrediction(
        predictions=batch["logits"],
        label_ids=batch["labels"],
        inputs=batch["inputs"] if "inputs" in wanted else None,
        losses=losses if "loss" in wanted else None,
    )


def prediction_step(
    trainer: Any,
    model: Any,
    inputs: dict[str, Any],
    prediction_loss_only: bool,
    ignore_keys: list[str] | None = None,
) -> tuple[Any, Any, Any]:
    """See `Trainer.prediction_step`."""
    names = trainer.label_names
    has_labels = bool(names) and all(inputs.get(name) is not None for name in names)
    if ignore_keys is None:
        config = getattr(trainer.model, "config", None)
        ignore_keys = list(getattr(config, "keys_to_ignore_at_inference", []))
    labels = None
    if has_labels:
        labels = tuple(np.asarray(inputs[name]) for name in names)
        labels = labels[0] if len(labels) == 1 else labels
    loss = None
    with no_grad():
        if has_labels:
            loss, outputs = trainer.compute_loss(model, inputs, return_outputs=True)
            loss = np.asarray(value_of(loss)).mean()
            ignore_keys = [*ignore_keys, "loss"]
        else:
            outputs = model(**inputs)
            if trainer.args.past_index >= 0:
                trainer._past = outputs[trainer.args.past_index - 1]
    if prediction_loss_only:
        return loss, None, None
    if isinstance(outputs, dict):
        logits = tuple(value for name, value in outputs.items() if name not in ignore_keys)
    else:
        logits = outputs[1:] if has_labels else outputs
    return loss, (logits[0] if len(logits) == 1 else logits), labels
