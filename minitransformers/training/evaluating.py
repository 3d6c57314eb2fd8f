"""Running over a dataset without training: losses, predictions, metrics."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from .. import logging
from ..core.primitive import value_of
from ..core.recording import no_grad
from .callbacks import has_length, metric_name
from .evaluation import (
    Collected,
    EvalLoopOutput,
    EvalPrediction,
    PredictionOutput,
    batch_size_of,
    plain,
)
from .loaders import Loaders
from .metrics import speed_metrics
from .schedulers import ReduceLROnPlateau

logger = logging.get_logger(__name__)


class Evaluates(Loaders):
    """The part of `Trainer` that evaluates and predicts.

    model_preparation_time: a metric of the reference, of evaluations before training; there is
        nothing to prepare here, so it is 0
    """

    model_preparation_time: float | None = None
    _prepared = False  # whether the model has been trained or evaluated
    _weighs_by_rows = True  # whether a batch's loss counts once for every row of it

    def _evaluate(self, trial: Any, ignore_keys: Any, skip_scheduler: bool = False) -> dict:
        metrics = self.evaluate(ignore_keys=ignore_keys)
        if isinstance(self.lr_scheduler, ReduceLROnPlateau) and not skip_scheduler:
            self.lr_scheduler.step(self._wanted_metric(metrics))
        return metrics

    def _wanted_metric(self, metrics: dict[str, Any]) -> float:
        name = metric_name(self.args)
        if name not in metrics:
            raise KeyError(
                f"metric_for_best_model is {name!r}, but evaluation gives {list(metrics)}: let "
                "compute_metrics return it, or choose one of these"
            )
        return metrics[name]

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, Any]:
        """Evaluate, and log it.

        eval_dataset: instead of the Trainer's own; a dictionary of several adds its keys to names
        ignore_keys: outputs to leave out of predictions; metric_key_prefix: begins every name
        -> {"eval_loss": mean over rows, compute_metrics' results, speeds, "epoch"}
        """
        given = eval_dataset is not None
        eval_dataset = eval_dataset if given else self.eval_dataset
        if isinstance(eval_dataset, dict):
            metrics: dict[str, Any] = {}
            for name, dataset in eval_dataset.items():
                prefix = f"{metric_key_prefix}_{name}"
                metrics |= self.evaluate(dataset if given else name, ignore_keys, prefix)
            return metrics
        loader = self.get_eval_dataloader(eval_dataset)
        started = time.time()
        output = self.evaluation_loop(
            loader,
            description="Evaluation",
            prediction_loss_only=True if self.compute_metrics is None else None,
            ignore_keys=ignore_keys,
            metric_key_prefix=metric_key_prefix,
        )
        metrics = self._with_speed(output, metric_key_prefix, started)
        self.log(metrics)
        self._event("on_evaluate", metrics)
        return metrics

    def predict(
        self,
        test_dataset: Any,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "test",
    ) -> PredictionOutput:
        """Predict. -> (predictions, label_ids, metrics), ragged batches padded with -100"""
        loader = self.get_test_dataloader(test_dataset)
        started = time.time()
        output = self.evaluation_loop(
            loader,
            description="Prediction",
            ignore_keys=ignore_keys,
            metric_key_prefix=metric_key_prefix,
        )
        metrics = self._with_speed(output, metric_key_prefix, started)
        self._event("on_predict", metrics)
        return PredictionOutput(output.predictions, output.label_ids, metrics)

    def _with_speed(self, output: EvalLoopOutput, prefix: str, started: float) -> dict[str, Any]:
        samples = output.num_samples or 0
        steps = math.ceil(samples / self.args.eval_batch_size)
        speed = speed_metrics(prefix, started, num_samples=samples, num_steps=steps)
        return {**(output.metrics or {}), **speed}

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Run over batches without training. `evaluate` and `predict` call it."""
        if prediction_loss_only is None:
            prediction_loss_only = self.args.prediction_loss_only
        if not self._prepared:
            self._prepared, self.model_preparation_time = True, 0.0
        logger.info(f"{description}: batches of {self.args.eval_batch_size} rows")
        self.model.eval()
        self.callback_handler.eval_dataloader = dataloader
        self._past = None
        run = _Run(self, by_batch=self.args.batch_eval_metrics and description != "Prediction")
        batches = iter(dataloader)
        inputs = next(batches, None)
        while inputs is not None:
            following = next(batches, None)  # one ahead, to know which one is the last
            step = self.prediction_step(
                self.model, inputs, prediction_loss_only, ignore_keys=ignore_keys
            )
            run.add(inputs, *step)
            self._event("on_prediction_step")
            if self.args.batch_eval_metrics:
                run.measure_batch(last=following is None)
            inputs = following
        metrics = run.finish(metric_key_prefix)
        dataset: Any = getattr(dataloader, "dataset", None)
        samples = (len(dataset) if has_length(dataset) else 0) or run.rows
        return EvalLoopOutput(run.predictions, run.label_ids, metrics, samples)

    prediction_loop = evaluation_loop

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[Any, Any, Any]:
        """Run one batch without training. -> (loss, logits, labels), each perhaps None"""
        inputs, names = self._prepare_inputs(inputs), self.label_names
        has_labels = bool(names) and all(inputs.get(name) is not None for name in names)
        if ignore_keys is None:
            config = getattr(self.model, "config", None)
            ignore_keys = list(getattr(config, "keys_to_ignore_at_inference", []))
        loss: Any = None
        labels: Any = None
        with no_grad():
            if has_labels:
                labels = tuple(np.asarray(inputs[name]) for name in names)
                labels = labels[0] if len(labels) == 1 else labels
                loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
                loss = np.asarray(value_of(loss)).mean()
                ignore_keys = [*ignore_keys, "loss"]
            else:
                outputs = model(**inputs)
                if self.args.past_index >= 0:
                    self._past = outputs[self.args.past_index - 1]
        if prediction_loss_only:
            return loss, None, None
        if isinstance(outputs, dict):
            logits = tuple(value for name, value in outputs.items() if name not in ignore_keys)
        else:
            logits = outputs[1:] if has_labels else outputs
        return loss, (logits[0] if len(logits) == 1 else logits), labels


class _Run:
    """What one evaluation collects.

    by_batch: keep no predictions, because the metrics are computed batch by batch
    """

    def __init__(self, trainer: Any, by_batch: bool):
        self.trainer, self.args, self.by_batch = trainer, trainer.args, by_batch
        join = self.args.eval_do_concat_batches
        self.losses = Collected(join)
        self.kept = {name: Collected(join) for name in ("logits", "labels", "inputs")}
        self.batch: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.rows = 0
        self.predictions: Any = None
        self.label_ids: Any = None

    def add(self, inputs: dict[str, Any], loss: Any, logits: Any, labels: Any) -> None:
        """Keep what one batch gave."""
        rows = batch_size_of(inputs) or self.args.eval_batch_size
        self.rows += rows
        if loss is not None:
            times = rows if self.trainer._weighs_by_rows else self.args.eval_batch_size
            loss = np.repeat(np.asarray(value_of(loss)).reshape(-1), times)
            self.losses.add(loss)
        shorten = self.trainer.preprocess_logits_for_metrics
        if logits is not None and shorten is not None:
            logits = shorten(logits, labels)
        wanted = "inputs" in self.args.include_for_metrics
        main = inputs.get(self.trainer.main_input_name) if wanted else None
        self.batch = {"logits": logits, "labels": labels, "inputs": main, "losses": loss}
        for name, collected in self.kept.items():
            if self.batch[name] is not None and not self.by_batch:
                collected.add(self.batch[name])

    def measure_batch(self, last: bool) -> None:
        """Give `compute_metrics` the present batch."""
        if self.trainer.compute_metrics and self._complete(self.batch):
            prediction = self._prediction(self.batch)
            self.metrics = self.trainer.compute_metrics(prediction, compute_result=last)

    def finish(self, prefix: str) -> dict[str, Any]:
        """Join everything. -> the metrics, their names beginning with the prefix"""
        joined = {name: collected.get() for name, collected in self.kept.items()}
        joined["losses"] = self.losses.get()
        self.predictions, self.label_ids = joined["logits"], joined["labels"]
        measures = self.trainer.compute_metrics and not self.args.batch_eval_metrics
        if measures and self._complete(joined):
            self.metrics = self.trainer.compute_metrics(self._prediction(joined))
        metrics = plain(dict(self.metrics or {}))
        if joined["losses"] is not None:
            losses = joined["losses"]
            losses = np.concatenate(losses) if isinstance(losses, list) else losses
            metrics[f"{prefix}_loss"] = losses.mean().item()
        if self.trainer.model_preparation_time is not None:
            metrics[f"{prefix}_model_preparation_time"] = self.trainer.model_preparation_time
        own = {name: value for name, value in metrics.items() if name.startswith(f"{prefix}_")}
        return own | {f"{prefix}_{name}": metrics[name] for name in metrics if name not in own}

    @staticmethod
    def _complete(values: dict[str, Any]) -> bool:
        return values["logits"] is not None and values["labels"] is not None

    def _prediction(self, values: dict[str, Any]) -> EvalPrediction:
        losses = values["losses"] if "loss" in self.args.include_for_metrics else None
        return EvalPrediction(values["logits"], values["labels"], values["inputs"], losses)
