"""The training loop: epochs of updates, each of one or more batches."""

from __future__ import annotations

import math
import os
import sys
import time
from typing import Any

import numpy as np

from .. import logging
from . import checkpoint as checkpoints
from .callbacks import has_length
from .checkpoint import Position
from .evaluation import TrainOutput
from .feeding import Feed
from .grad import clip_grad_norm_
from .metrics import speed_metrics
from .schedulers import ReduceLROnPlateau
from .state import TrainerControl, TrainerState

logger = logging.get_logger(__name__)


class TrainingLoop:
    """One call of `Trainer.train`.

    trainer: whose methods and callbacks are called; resume: the checkpoint to continue from

    As in transformers 4.46 the gradients of accumulated batches are added up, not averaged, unless
    the model's loss is divided by the number of target tokens of all of them; and a last update of
    an epoch that lacks batches is completed by the next epoch's first.
    """

    def __init__(self, trainer: Any, resume: str | None, ignore_keys: list[str] | None):
        self.trainer, self.args = trainer, trainer.args
        self.resume, self.ignore_keys = resume, ignore_keys
        self.accumulate = self.args.gradient_accumulation_steps
        self.loader = trainer.get_train_dataloader()
        self.position = Position()
        self.streams: dict[str, Any] | None = None
        self.loss_sum = np.zeros((), np.float32)  # since the last log, which empties it
        self.grad_norm: Any = None
        self._plan()

    # before the first batch

    def _plan(self) -> None:
        """Work out how many updates and epochs there will be."""
        args, batch = self.args, self.trainer._train_batch_size
        self.samples: float
        self.tokens: float | None = None
        if has_length(self.loader):
            batches = len(self.loader)
            self.updates_per_epoch = max(batches // self.accumulate, 1)
            self.batches_per_epoch = batches
            self.examples = self.trainer.num_examples(self.loader)
            if not batches:
                raise ValueError(
                    f"train_dataset gives no batch: {self.examples} rows in batches of {batch}"
                )
            if args.max_steps > 0:
                self.max_steps = args.max_steps
                self.epochs = math.ceil(args.max_steps / self.updates_per_epoch)
                self.samples = args.max_steps * batch * self.accumulate
            else:
                self.max_steps = math.ceil(args.num_train_epochs * self.updates_per_epoch)
                self.epochs = math.ceil(args.num_train_epochs)
                self.samples = self.examples * args.num_train_epochs
        elif args.max_steps > 0:
            self.max_steps, self.epochs = args.max_steps, sys.maxsize
            self.updates_per_epoch = args.max_steps
            self.batches_per_epoch = args.max_steps * self.accumulate
            self.examples = args.max_steps * batch * self.accumulate
            self.samples = self.examples
        else:
            raise ValueError(
                "the training data has no length: say with max_steps how many updates to make"
            )
        if args.include_tokens_per_second and args.max_steps > 0:
            counted = self.trainer.num_tokens(self.loader, args.max_steps)
            self.tokens = counted * self.accumulate
        elif args.include_tokens_per_second:
            self.tokens = self.trainer.num_tokens(self.loader) * args.num_train_epochs

    def _prepare(self) -> None:
        """Optimizer, schedule and state; with a checkpoint, as it left them."""
        trainer, args = self.trainer, self.args
        if trainer._created_lr_scheduler:  # by an earlier call, for its own number of updates
            trainer.lr_scheduler, trainer._created_lr_scheduler = None, False
        trainer.create_optimizer_and_scheduler(num_training_steps=self.max_steps)
        state = TrainerState(stateful_callbacks=trainer._exported())
        state.train_batch_size = trainer._train_batch_size
        for event in ("logging", "eval", "save"):
            steps = getattr(args, f"{event}_steps")
            if steps is not None:
                steps = math.ceil(self.max_steps * steps) if steps < 1 else steps
                setattr(state, f"{event}_steps", steps)
        trainer.state = state
        if args.gradient_checkpointing:
            options = args.gradient_checkpointing_kwargs
            trainer.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
        trainer.model.train()
        state.epoch = 0
        if self.resume is not None:
            self._restore(self.resume)
        handler = trainer.callback_handler
        handler.model, handler.train_dataloader = trainer.model, self.loader
        handler.optimizer, handler.lr_scheduler = trainer.optimizer, trainer.lr_scheduler
        trainer.state.max_steps = self.max_steps
        trainer.state.num_train_epochs = self.epochs

    def _restore(self, folder: str) -> None:
        trainer = self.trainer
        if os.path.isfile(os.path.join(folder, checkpoints.OPTIMIZER)):
            checkpoints.load_optimizer(folder, trainer.optimizer)
            schedule = checkpoints.load_json(os.path.join(folder, checkpoints.SCHEDULER))
            trainer.lr_scheduler.load_state_dict(schedule)
        else:
            logger.warning(f"{folder} holds no optimizer's state: the optimizer starts afresh")
        state_file = os.path.join(folder, checkpoints.STATE)
        if not os.path.isfile(state_file):
            return
        steps = {
            n: getattr(trainer.state, n) for n in ("logging_steps", "eval_steps", "save_steps")
        }
        trainer.state = TrainerState.load_from_json(state_file)
        _tell_differences(trainer, steps)
        _restore_callbacks(trainer)
        saved = checkpoints.load_random(folder)
        if saved is not None:
            self.streams, self.position = saved
        else:  # from elsewhere: the position follows from the number of updates
            done = trainer.state.global_step
            self.position.epoch = done // self.updates_per_epoch
            self.position.batches = done % self.updates_per_epoch * self.accumulate
            self.position.chunk = done % self.updates_per_epoch
            self.position.pending = min(self.position.batches, 1)  # the epoch goes on
            self.position.logged = done
        if self.args.ignore_data_skip:
            kept = ("seen", "loss", "total_loss", "logged")
            epoch = self.position.epoch + self.position.ended()
            others = {name: getattr(self.position, name) for name in kept}
            self.position = Position(epoch=epoch, **others)
        self.loss_sum += np.float32(self.position.loss)
        logger.info(f"continuing at update {trainer.state.global_step}, {self.position.epoch=}")

    # the loop

    def run(self) -> TrainOutput:
        """Train. -> what `Trainer.train` returns"""
        trainer, args = self.trainer, self.args
        self._prepare()
        logger.info(
            f"training on {self.examples:,} examples for {self.max_steps:,} updates of "
            f"{self.accumulate} batches of {trainer._train_batch_size} rows; "
            f"{trainer.get_num_trainable_parameters():,} parameters are trained"
        )
        started = time.time()
        trainer._total_loss = self.position.total_loss
        trainer._last_logged = self.position.logged
        trainer.model.zero_grad()
        trainer._event("on_train_begin")
        if args.eval_on_start:
            trainer._evaluate(None, self.ignore_keys, skip_scheduler=True)
        for epoch in range(self.position.epoch, self.epochs):
            if trainer.state.global_step >= self.max_steps:
                break
            self._epoch(epoch)
            if trainer.control.should_training_stop:
                break
        return self._finish(started)

    def _epoch(self, epoch: int) -> None:
        """One pass over the data, or what is left of it."""
        trainer, position = self.trainer, self.position
        for part in (self.loader, *_samplers(self.loader), getattr(self.loader, "dataset", None)):
            if hasattr(part, "set_epoch"):
                part.set_epoch(epoch)
        trainer._past = None
        trainer._event("on_epoch_begin")
        feed = Feed(self.loader, position, self.streams)
        self.streams = None
        done_before = position.batches
        # a remainder of the examples, not of the batches, is what the reference takes
        remainder = self.examples % self.accumulate or self.accumulate
        chunks = self.batches_per_epoch // self.accumulate + 1
        while position.chunk < chunks or position.left:
            if not position.left:
                position.chunk += 1
                size = self.accumulate if position.chunk < chunks else remainder
                batches, position.items = trainer.get_batch_samples(feed, size)
                position.left = len(batches)
            else:  # the rest of an update's batches, in the middle of which the run was saved
                batches = feed.take(position.left)
            for inputs in batches:
                self._batch(inputs, epoch, feed)
                if trainer.control.should_epoch_stop or trainer.control.should_training_stop:
                    break
            else:
                continue
            break
        if position.batches == done_before == 0:
            logger.warning(
                f"the training data gave no batch in this epoch: stopping at update "
                f"{trainer.state.global_step} of {self.max_steps}"
            )
            trainer.control.should_training_stop = True
        self._next_epoch(epoch)
        trainer._event("on_epoch_end")
        self._maybe_log_save_evaluate()

    def _batch(self, inputs: Any, epoch: int, feed: Feed) -> None:
        """Train on one batch, and update the weights if it completes an update."""
        trainer, position, state = self.trainer, self.position, self.trainer.state
        if self.args.include_num_input_tokens_seen:
            state.num_input_tokens_seen += np.size(inputs[trainer.main_input_name])
        if position.batches % self.accumulate == 0:
            trainer._event("on_step_begin")
        loss = np.float32(trainer.training_step(trainer.model, inputs, position.items))
        if self.args.logging_nan_inf_filter and not np.isfinite(loss):
            self.loss_sum += self.loss_sum / np.float32(
                1 + state.global_step - trainer._last_logged
            )
        else:
            self.loss_sum += loss
        trainer.current_flos += float(trainer.floating_point_ops(inputs))
        feed.trained()
        position.seen += 1
        position.batches += 1
        position.left -= 1
        few = self.batches_per_epoch <= self.accumulate
        last_of_few = few and position.batches == self.batches_per_epoch
        if not (last_of_few or position.seen % self.accumulate == 0):
            trainer._event("on_substep_end")
            return
        self._update()
        state.global_step += 1
        state.epoch = epoch + position.batches / self.batches_per_epoch
        feed.describe(position)
        trainer._event("on_step_end")
        self._maybe_log_save_evaluate()

    def _update(self) -> None:
        trainer, limit = self.trainer, self.args.max_grad_norm
        if limit is not None and limit > 0:
            self.grad_norm = clip_grad_norm_(trainer.model.parameters(), limit)
        trainer._event("on_pre_optimizer_step")
        trainer.optimizer.step()
        trainer._event("on_optimizer_step")
        if not isinstance(trainer.lr_scheduler, ReduceLROnPlateau):
            trainer.lr_scheduler.step()
        trainer.model.zero_grad()

    def _next_epoch(self, epoch: int) -> None:
        old = self.position
        self.position = Position(epoch=epoch + 1, seen=old.seen)

    def _maybe_log_save_evaluate(self) -> None:
        """Do what the callbacks have asked for."""
        self.trainer._maybe_log_save_evaluate(
            self.loss_sum, self.grad_norm, self.trainer.model, None, None, self.ignore_keys
        )

    def where(self) -> Position:
        """The position for a checkpoint."""
        self.position.loss = float(self.loss_sum)
        self.position.total_loss = self.trainer._total_loss
        self.position.logged = self.trainer._last_logged
        return self.position

    def _finish(self, started: float) -> TrainOutput:
        """Metrics of the whole run; the best weights if they are wanted."""
        trainer, args, state = self.trainer, self.args, self.trainer.state
        if args.load_best_model_at_end and state.best_model_checkpoint is not None:
            trainer._load_best_model()
        loss = (trainer._total_loss + float(self.loss_sum)) / max(state.global_step, 0.001)
        counts = {"samples": self.samples, "steps": self.max_steps, "tokens": self.tokens}
        metrics: dict[str, Any] = speed_metrics(
            "train", started, **{f"num_{name}": count for name, count in counts.items()}
        )
        trainer.store_flos()
        metrics["total_flos"] = state.total_flos
        metrics["train_loss"] = loss
        trainer.is_in_train = False
        trainer.log(metrics)
        if args.save_total_limit == 1 and state.best_model_checkpoint is not None:
            for path in checkpoints.sorted_checkpoints(args.output_dir):
                if not checkpoints.same_path(path, state.best_model_checkpoint):
                    checkpoints.remove(path)
        trainer._event("on_train_end")
        trainer._finish_current_push()
        return TrainOutput(state.global_step, loss, metrics)


def _samplers(loader: Any) -> list[Any]:
    batches = getattr(loader, "batch_sampler", None)
    return [batches, getattr(loader, "sampler", None), getattr(batches, "sampler", None)]


def _tell_differences(trainer: Any, steps: dict[str, Any]) -> None:
    """Warn of arguments that differ from those of the run that is continued."""
    state = trainer.state
    now = steps | {"train_batch_size": trainer._train_batch_size}
    different = [
        f"{name}: {value} now, {getattr(state, name)} then"
        for name, value in now.items()
        if getattr(state, name) not in (None, value)
    ]
    if different:
        logger.warning(f"arguments differ from the checkpoint's: {'; '.join(different)}")


def _restore_callbacks(trainer: Any) -> None:
    """Build the callbacks again from the checkpoint, if the arguments ask for it."""
    if not trainer.args.restore_callback_states_from_checkpoint:
        return
    handler, unknown = trainer.callback_handler, []
    for name, states in trainer.state.stateful_callbacks.items():
        states = states if isinstance(states, list) else [states]
        if name == TrainerControl.__name__:
            trainer.control = TrainerControl.from_state(states[0])
            continue
        places = [i for i, c in enumerate(handler.callbacks) if type(c).__name__ == name]
        unknown += [] if places else [name]
        for i, saved in zip(places, states):
            handler.callbacks[i] = type(handler.callbacks[i]).from_state(saved)
    if unknown:
        logger.warning(f"the checkpoint has callbacks that this Trainer lacks: {unknown}")
    trainer.state.stateful_callbacks = trainer._exported()
