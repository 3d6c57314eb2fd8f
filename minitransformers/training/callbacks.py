"""Callbacks: what is told of every event of a run, and may ask the loop for something."""

from __future__ import annotations

import functools
from typing import Any

from .. import logging
from .options import IntervalStrategy
from .state import ExportableState, TrainerControl, TrainerState

logger = logging.get_logger(__name__)


class TrainerCallback:
    """Override the events of interest: `on_event(self, args, state, control, **kwargs)`.

    args: the TrainingArguments; state: the TrainerState; control: the TrainerControl, which an
        event may change, and return, to ask for something
    kwargs: model, processing_class, optimizer, lr_scheduler, train_dataloader, eval_dataloader;
        metrics in on_evaluate and on_predict, logs in on_log
    """

    def on_init_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any):
        """The Trainer is built."""

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """Training begins."""

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """Training is over."""

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """A pass over the data begins."""

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """A pass over the data is over."""

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """The first batch of an update comes."""

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **kw):
        """Gradients are ready and clipped."""

    def on_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """Weights are updated, gradients still there."""

    def on_substep_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """A batch is done that makes no update yet."""

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """An update is done."""

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """An evaluation is done."""

    def on_predict(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """A prediction is done."""

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """A checkpoint is saved."""

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """Something is logged."""

    def on_prediction_step(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs):
        """A batch of an evaluation is done."""


EVENTS = tuple(name for name in vars(TrainerCallback) if name.startswith("on_"))

# requests are forgotten when the event begins that callbacks answer them at, or that fulfils them
_FORGETS = {
    "on_train_begin": ("should_training_stop",),
    "on_epoch_begin": ("should_epoch_stop",),
    "on_step_begin": ("should_log", "should_evaluate", "should_save"),
    "on_evaluate": ("should_evaluate",),
    "on_save": ("should_save",),
    "on_log": ("should_log",),
}
_PAYLOAD = {"on_log": "logs", "on_evaluate": "metrics", "on_predict": "metrics"}


class CallbackHandler:
    """Tells every callback of an event, in the order in which they were added.

    `handler.on_step_end(args, state, control)`, and so for every event: -> the control, as changed;
    on_log takes the logs, on_evaluate and on_predict the metrics after it.
    """

    def __init__(
        self, callbacks: list, model: Any, processing_class: Any, optimizer: Any, lr_scheduler: Any
    ):
        self.callbacks: list[Any] = []
        for callback in callbacks:
            self.add_callback(callback)
        self.model = model
        self.processing_class = processing_class
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.train_dataloader: Any = None
        self.eval_dataloader: Any = None
        if not any(isinstance(c, DefaultFlowCallback) for c in self.callbacks):
            logger.warning(
                "without a DefaultFlowCallback nothing is logged, evaluated, saved or stopped: add "
                f"one to the callbacks ({self.callback_list})"
            )

    @property
    def callback_list(self) -> str:
        """The names of the callbacks, one a line."""
        return "\n".join(type(callback).__name__ for callback in self.callbacks)

    def add_callback(self, callback: Any) -> None:
        """Add a callback, or an instance of its class."""
        callback = callback() if isinstance(callback, type) else callback
        if type(callback) in map(type, self.callbacks):
            logger.warning(f"a {type(callback).__name__} is there already; now there are two")
        self.callbacks.append(callback)

    def _find(self, callback: Any) -> Any:
        for one in self.callbacks:
            if isinstance(one, callback) if isinstance(callback, type) else one == callback:
                return one
        return None

    def pop_callback(self, callback: Any) -> Any:
        """Remove the callback, or the first of its class. -> it, or None"""
        found = self._find(callback)
        if found is not None:
            self.callbacks.remove(found)
        return found

    def remove_callback(self, callback: Any) -> None:
        """Remove the callback, or the first of its class. Raises ValueError if a given callback is
        not there."""
        if self.pop_callback(callback) is None and not isinstance(callback, type):
            raise ValueError(f"{callback!r} is not among the callbacks: {self.callback_list}")

    def __getattr__(self, event: str) -> Any:
        if event not in EVENTS:
            raise AttributeError(f"there is no event {event!r}; there are {', '.join(EVENTS)}")
        return functools.partial(self.call_event, event)

    def call_event(
        self,
        event: str,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        payload: Any = None,
        **kwargs: Any,
    ) -> TrainerControl:
        """Tell everyone. payload: the logs or metrics, of the events that have them"""
        for name in _FORGETS.get(event, ()):
            setattr(control, name, False)
        if event in _PAYLOAD:
            kwargs.setdefault(_PAYLOAD[event], payload)
        for callback in self.callbacks:
            result = getattr(callback, event)(
                args,
                state,
                control,
                model=self.model,
                processing_class=self.processing_class,
                tokenizer=self.processing_class,
                optimizer=self.optimizer,
                lr_scheduler=self.lr_scheduler,
                train_dataloader=self.train_dataloader,
                eval_dataloader=self.eval_dataloader,
                **kwargs,
            )
            control = control if result is None else result
        return control


class DefaultFlowCallback(TrainerCallback):
    """Asks for logs, evaluations and checkpoints when the arguments say so, and for the end."""

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any):
        step = state.global_step
        if step == 1 and args.logging_first_step:
            control.should_log = True
        if args.logging_strategy == IntervalStrategy.STEPS and step % state.logging_steps == 0:
            control.should_log = True
        if (
            args.eval_strategy == IntervalStrategy.STEPS
            and step % state.eval_steps == 0
            and step >= (args.eval_delay or 0)
        ):
            control.should_evaluate = True
        if (
            args.save_strategy == IntervalStrategy.STEPS
            and state.save_steps > 0
            and step % state.save_steps == 0
        ):
            control.should_save = True
        if step >= state.max_steps:
            control.should_training_stop = True
            if args.save_strategy != IntervalStrategy.NO:
                control.should_save = True
        return control

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any):
        if args.logging_strategy == IntervalStrategy.EPOCH:
            control.should_log = True
        late_enough = (state.epoch or 0) >= (args.eval_delay or 0)
        if args.eval_strategy == IntervalStrategy.EPOCH and late_enough:
            control.should_evaluate = True
        if args.save_strategy == IntervalStrategy.EPOCH:
            control.should_save = True
        return control


class ProgressCallback(TrainerCallback):
    """Shows a progress bar of the updates, one of each evaluation, and the logs between them."""

    def __init__(self) -> None:
        self.training_bar: Any = None
        self.prediction_bar: Any = None
        self.current_step = 0

    def on_train_begin(self, args, state, control, **kwargs):
        from tqdm.auto import tqdm

        self.training_bar = tqdm(total=state.max_steps, dynamic_ncols=True)
        self.current_step = 0

    def on_step_end(self, args, state, control, **kwargs):
        self.training_bar.update(state.global_step - self.current_step)
        self.current_step = state.global_step

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
        from tqdm.auto import tqdm

        if not has_length(eval_dataloader):
            return
        if self.prediction_bar is None:
            alone = self.training_bar is None
            total = len(eval_dataloader)
            self.prediction_bar = tqdm(total=total, leave=alone, dynamic_ncols=True)
        self.prediction_bar.update(1)

    def on_evaluate(self, args, state, control, **kwargs):
        if self.prediction_bar is not None:
            self.prediction_bar.close()
        self.prediction_bar = None

    on_predict = on_evaluate

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is not None:
            shown = {name: value for name, value in logs.items() if name != "total_flos"}
            if "epoch" in shown:
                shown["epoch"] = round(shown["epoch"], 2)
            self.training_bar.write(str(shown))

    def on_train_end(self, args, state, control, **kwargs):
        self.training_bar.close()
        self.training_bar = None


class PrinterCallback(TrainerCallback):
    """Prints the logs."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        # taken out for good, as in the reference: the metrics that `train` returns lack it too
        logs.pop("total_flos", None)
        print(logs)


class EarlyStoppingCallback(TrainerCallback, ExportableState):
    """Stops when the metric for the best model has not improved for a number of evaluations.

    early_stopping_patience: that number
    early_stopping_threshold: by how much the metric must improve to count
    """

    def __init__(
        self, early_stopping_patience: int = 1, early_stopping_threshold: float | None = 0.0
    ):
        self.early_stopping_patience = early_stopping_patience
        self.early_stopping_threshold = early_stopping_threshold
        self.early_stopping_patience_counter = 0  # evaluations without improvement

    def check_metric_value(self, args, state, control, metric_value):
        """Count an evaluation."""
        best, threshold = state.best_metric, self.early_stopping_threshold or 0.0
        better = best is None or (
            is_better(args, metric_value, best) and abs(metric_value - best) > threshold
        )
        self.early_stopping_patience_counter = (
            0 if better else self.early_stopping_patience_counter + 1
        )

    def on_train_begin(self, args, state, control, **kwargs):
        for fine, needed in (
            (args.load_best_model_at_end, "load_best_model_at_end = True"),
            (args.metric_for_best_model is not None, "metric_for_best_model is defined"),
            (args.eval_strategy != IntervalStrategy.NO, "an eval_strategy of steps or epoch"),
        ):
            if not fine:  # an AssertionError, because that is what the reference raises
                raise AssertionError(f"EarlyStoppingCallback requires {needed}")

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        name = metric_name(args)
        value = (metrics or {}).get(name)
        if value is None:
            logger.warning(f"early stopping is off: {name} is not among the metrics")
            return
        self.check_metric_value(args, state, control, value)
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True

    def state(self) -> dict[str, dict]:
        return {
            "args": {
                "early_stopping_patience": self.early_stopping_patience,
                "early_stopping_threshold": self.early_stopping_threshold,
            },
            "attributes": {"early_stopping_patience_counter": self.early_stopping_patience_counter},
        }


def metric_name(args: Any) -> str:
    """`metric_for_best_model` as evaluation names it."""
    name = args.metric_for_best_model
    return name if name.startswith("eval_") else f"eval_{name}"


def is_better(args: Any, value: float, best: float) -> bool:
    """Whether a metric has improved."""
    return bool(value > best if args.greater_is_better else value < best)


def has_length(items: Any) -> bool:
    """Whether `len(items)` is known."""
    try:
        return len(items) is not None
    except TypeError:
        return False
