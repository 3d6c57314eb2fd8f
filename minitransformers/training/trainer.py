"""`Trainer`: train, evaluate and predict with a model and two datasets."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import logging
from ..core.random import set_seed
from ..core.recording import recording
from ..models.auto import class_names
from . import checkpoint as checkpoints
from .arguments import TrainingArguments
from .callbacks import CallbackHandler, DefaultFlowCallback, PrinterCallback, ProgressCallback
from .checking import check_arguments, check_model
from .collators import DataCollatorWithPadding, default_data_collator
from .columns import find_labels
from .evaluating import Evaluates
from .evaluation import TrainOutput
from .loop import TrainingLoop
from .losses import accepts_num_items, count_targets, divided_by
from .neftune import noisy_embeddings
from .optimizers import Optimizes
from .process import OneProcess
from .reporting import reporters
from .saving import Saves
from .smoothing import LabelSmoother
from .state import TrainerControl, TrainerState

logger = logging.get_logger(__name__)


class Trainer(Evaluates, Optimizes, Saves):
    """Trains a model, with the reference's interface: subclass it to change any step.

    model: a model with a head, or anything callable that returns a loss and has the methods of
        `Module`; model_init: a function that makes it anew at every `train`, instead
    args: TrainingArguments; by default those of the folder "tmp_trainer"
    data_collator: makes a batch of a list of rows; by default it pads, if a tokenizer is given
    train_dataset, eval_dataset: anything with a length and items, or an iterable; rows are
        dictionaries. eval_dataset may be a dictionary of several
    processing_class, or tokenizer: saved beside the model
    compute_loss_func: (outputs, labels, num_items_in_batch) -> loss
    compute_metrics: EvalPrediction -> {name: number}
    callbacks: TrainerCallbacks, or classes of them; optimizers: (optimizer, schedule)
    preprocess_logits_for_metrics: (logits, labels) -> what to keep of the logits
    Raises ValueError for arguments that contradict each other or ask for what there is not here,
    RuntimeError without a model.
    """

    def __init__(
        self,
        model: Any = None,
        args: TrainingArguments | None = None,
        data_collator: Callable | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        model_init: Callable | None = None,
        compute_loss_func: Callable | None = None,
        compute_metrics: Callable | None = None,
        callbacks: list | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        preprocess_logits_for_metrics: Callable | None = None,
        tokenizer: Any = None,
    ):
        if tokenizer is not None and processing_class is not None:
            raise ValueError("processing_class and tokenizer are two names of one thing: pass one")
        self.processing_class = tokenizer if processing_class is None else processing_class
        self.args = args or TrainingArguments("tmp_trainer")
        check_arguments(self.args, compute_metrics, train_dataset, eval_dataset, data_collator)
        set_seed(self.args.seed)
        if self.args.log_level != "passive":
            logging.set_verbosity(self.args.get_process_log_level())
        self.accelerator = OneProcess()
        self.is_in_train = False
        self.model_init = model_init
        if model is None:
            if model_init is None:
                raise RuntimeError("`Trainer` requires either a `model` or `model_init` argument")
            model = self.call_model_init()
        check_model(model)
        self.model = self.model_wrapped = model
        self.main_input_name = getattr(model, "main_input_name", "input_ids")
        self.model_accepts_loss_kwargs = accepts_num_items(model)
        self.label_names = self.args.label_names
        if self.label_names is None:
            self.label_names = find_labels(model)
        self.data_collator = data_collator
        if data_collator is None:
            pads = hasattr(self.processing_class, "pad")
            padding = DataCollatorWithPadding(self.processing_class) if pads else None
            self.data_collator = padding or default_data_collator
        self.train_dataset, self.eval_dataset = train_dataset, eval_dataset
        self.compute_loss_func = compute_loss_func
        self.compute_metrics = compute_metrics
        self.preprocess_logits_for_metrics = preprocess_logits_for_metrics
        epsilon = self.args.label_smoothing_factor
        self.label_smoother = LabelSmoother(epsilon) if epsilon else None
        self.optimizer, self.lr_scheduler = optimizers
        if model_init is not None and (self.optimizer or self.lr_scheduler):
            raise RuntimeError(
                "Passing a `model_init` is incompatible with providing the `optimizers` argument: "
                "they would train another model's weights. Override `create_optimizer` instead"
            )
        self._created_lr_scheduler = False
        self._train_batch_size = self.args.train_batch_size
        self._loop: TrainingLoop | None = None
        self._past: Any = None
        self._total_loss, self._last_logged, self.current_flos = 0.0, 0, 0.0
        self.hub_model_id: str | None = None
        self.push_in_progress: Any = None
        self._begin_callbacks(callbacks or [])

    def _begin_callbacks(self, callbacks: list) -> None:
        defaults = [DefaultFlowCallback, *reporters(self.args.report_to)]
        self.callback_handler = CallbackHandler(
            [*defaults, *callbacks],
            self.model,
            self.processing_class,
            self.optimizer,
            self.lr_scheduler,
        )
        self.add_callback(PrinterCallback if self.args.disable_tqdm else ProgressCallback)
        if self.args.push_to_hub:
            self.init_hf_repo()
        os.makedirs(self.args.output_dir, exist_ok=True)
        self.control = TrainerControl()
        self.state = TrainerState(stateful_callbacks=self._exported())
        self._event("on_init_end")

    # callbacks

    def add_callback(self, callback: Any) -> None:
        """Add a callback, or an instance of its class."""
        self.callback_handler.add_callback(callback)

    def pop_callback(self, callback: Any) -> Any:
        """Remove a callback, or the first of its class. -> it, or None"""
        return self.callback_handler.pop_callback(callback)

    def remove_callback(self, callback: Any) -> None:
        """Remove a callback, or the first of its class."""
        self.callback_handler.remove_callback(callback)

    # the model

    @property
    def tokenizer(self) -> Any:
        """The former name of `processing_class`."""
        return self.processing_class

    @tokenizer.setter
    def tokenizer(self, processing_class: Any) -> None:
        self.processing_class = processing_class

    def call_model_init(self, trial: Any = None) -> Any:
        """Make the model. Raises RuntimeError if `model_init` does not."""
        assert self.model_init is not None
        takes = len(inspect.signature(self.model_init).parameters)
        if takes > 1:
            raise RuntimeError("model_init should have 0 or 1 argument.")
        model = self.model_init(trial) if takes else self.model_init()
        if model is None:
            raise RuntimeError("model_init should not return None.")
        return model

    # training

    def train(
        self,
        resume_from_checkpoint: str | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
        **kwargs: Any,
    ) -> TrainOutput:
        """Train.

        resume_from_checkpoint: a checkpoint's folder, or True for the last one in `output_dir`. The
            run goes on bit for bit as if it had not been interrupted.
        ignore_keys_for_eval: outputs that evaluations do not keep
        Raises ValueError if there is no such checkpoint.
        """
        resume = kwargs.pop("model_path", resume_from_checkpoint) or None
        if kwargs:
            raise TypeError(f"train() got unexpected keyword arguments: {', '.join(kwargs)}")
        if trial is not None:
            raise ValueError(_NO_SEARCH)
        self.is_in_train, self._prepared = True, True
        self._train_batch_size = self.args.train_batch_size
        if self.model_init is not None:
            set_seed(self.args.seed)
            self.model = self.model_wrapped = self.call_model_init()
            self.optimizer = self.lr_scheduler = None
        checkpoints.remove_partial(self.args.output_dir)
        if resume is True:
            resume = checkpoints.get_last_checkpoint(self.args.output_dir)
            if resume is None:
                raise ValueError(
                    f"No valid checkpoint found in output directory ({self.args.output_dir})"
                )
        if resume is not None:
            resume = os.fspath(resume)
            self._load_from_checkpoint(resume)
            state = os.path.join(resume, checkpoints.STATE)
            if os.path.isfile(state):
                size = TrainerState.load_from_json(state).train_batch_size
                self._train_batch_size = size or self._train_batch_size
        with noisy_embeddings(self.model, self.args.neftune_noise_alpha):
            return self._inner_training_loop(resume, ignore_keys_for_eval)

    def _inner_training_loop(self, resume: str | None, ignore_keys: list[str] | None) -> Any:
        while True:
            self._loop = TrainingLoop(self, resume, ignore_keys)
            try:
                return self._loop.run()
            except MemoryError:
                if not self.args.auto_find_batch_size or self._train_batch_size == 1:
                    raise
                self._train_batch_size //= 2
                logger.warning(f"out of memory: batches of {self._train_batch_size} rows instead")

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int) -> tuple[list, int | None]:
        """The next batches, and how many targets they have if the loss is divided by that."""
        batches = epoch_iterator.take(num_batches)
        counts = self.model_accepts_loss_kwargs and batches
        return batches, count_targets(batches) if counts else None

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: int | None = None
    ) -> Any:
        """Add the gradients of one batch. -> its loss, divided by the batches of an update"""
        model.train()
        inputs = self._prepare_inputs(inputs)
        # a model of this library records its calls by itself
        with nullcontext() if hasattr(model, "accepted") else recording(model):
            loss = self.compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)
        loss.backward()
        value = np.float32(loss.item())
        if num_items_in_batch is None:
            value = value / np.float32(self.args.gradient_accumulation_steps)
        return value

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: int | None = None,
    ) -> Any:
        """The loss of a batch, or (loss, outputs). Override it for a loss of your own.

        Operations on outputs are those of `minitransformers.core.ops`, and +, -, *, /, indexing.
        """
        labels, inputs = None, dict(inputs)
        if self.label_smoother is not None or self.compute_loss_func is not None:
            labels = inputs.pop("labels", None)
        divides = self.model_accepts_loss_kwargs and num_items_in_batch is not None
        own = divides and hasattr(model, "accepted")  # a model of this library
        if divides and not own:
            inputs["num_items_in_batch"] = num_items_in_batch
        outputs = model(**inputs)
        if self.args.past_index >= 0:
            self._past = outputs[self.args.past_index]
        if labels is not None and self.compute_loss_func is not None:
            loss = self.compute_loss_func(outputs, labels, num_items_in_batch=num_items_in_batch)
        elif labels is not None and self.label_smoother is not None:
            loss = self.label_smoother(outputs, labels, shift_labels=self._is_causal(model))
        elif isinstance(outputs, dict) and "loss" not in outputs:
            raise ValueError(
                "The model did not return a loss from the inputs, only the following keys: "
                f"{','.join(outputs)}. For reference, the inputs it received are "
                f"{','.join(inputs)}."
            )
        elif own and num_items_in_batch is not None and "labels" in inputs:
            loss = divided_by(num_items_in_batch, outputs, inputs["labels"], model.config)
        else:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs[0]
        return (loss, outputs) if return_outputs else loss

    def compute_loss_context_manager(self) -> Any:
        """The context of the loss in steps of one's own: none is needed."""
        return nullcontext()

    @staticmethod
    def _is_causal(model: Any) -> bool:
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        return type(inner).__name__ in class_names("causal-lm").values()

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """A batch as the model takes it. Raises ValueError for an empty one."""
        if len(inputs) == 0:
            raise ValueError(
                "The batch received was empty, your model won't be able to train on it: do the "
                "rows of the dataset hold what the model takes?"
            )
        if self.args.past_index >= 0 and self._past is not None:
            return {**inputs, "mems": self._past}
        return inputs

    def floating_point_ops(self, inputs: dict[str, Any]) -> float:
        """An estimate of the operations of a batch, forward and backward."""
        if hasattr(self.model, "floating_point_ops"):
            return self.model.floating_point_ops(inputs)
        if not hasattr(self.model, "num_parameters") or self.main_input_name not in inputs:
            return 0
        weights = self.model.num_parameters(exclude_embeddings=True)
        return 6 * np.size(inputs[self.main_input_name]) * weights

    def store_flos(self) -> None:
        """Add the operations since the last time to the state."""
        self.state.total_flos += self.current_flos
        self.current_flos = 0.0

    # logs, evaluations, checkpoints

    def log(self, logs: dict[str, Any], start_time: float | None = None) -> None:
        """Add to the history, and tell the callbacks. logs gets the epoch."""
        if self.state.epoch is not None:
            logs["epoch"] = self.state.epoch
        if self.args.include_num_input_tokens_seen:
            logs["num_input_tokens_seen"] = self.state.num_input_tokens_seen
        self.state.log_history.append({**logs, "step": self.state.global_step})
        self._event("on_log", logs)

    def _maybe_log_save_evaluate(
        self,
        tr_loss: np.ndarray,
        grad_norm: Any,
        model: Any,
        trial: Any,
        epoch: Any,
        ignore_keys_for_eval: list[str] | None,
    ) -> None:
        """Do what the callbacks have asked for. tr_loss: () the sum since the last log, emptied by
        a log"""
        if self.control.should_log and self.state.global_step > self._last_logged:
            mean = float(tr_loss) / (self.state.global_step - self._last_logged)
            logs: dict[str, Any] = {"loss": round(mean, 4)}
            if grad_norm is not None:
                logs["grad_norm"] = float(grad_norm)
            logs["learning_rate"] = self._get_learning_rate()
            self._total_loss += float(tr_loss)
            tr_loss -= tr_loss
            self._last_logged = self.state.global_step
            self.store_flos()
            self.log(logs)
        metrics = None
        if self.control.should_evaluate:
            metrics = self._evaluate(trial, ignore_keys_for_eval)
        if self.control.should_save:
            self._save_checkpoint(model, trial, metrics=metrics)
            self._event("on_save")

    def hyperparameter_search(self, *args: Any, **kwargs: Any) -> Any:
        """There is none: raises RuntimeError that says what to do instead."""
        raise RuntimeError(_NO_SEARCH)

    def is_local_process_zero(self) -> bool:
        """Whether this is the main process: it is."""
        return True

    is_world_process_zero = is_local_process_zero


_NO_SEARCH = (
    "there is no hyperparameter search: call train() in a loop over TrainingArguments, with a "
    "model_init that makes the model anew, or let optuna call such a function of yours"
)
