"""Writing what a Trainer has made: models, checkpoints, metrics; and reading it back."""

from __future__ import annotations

import json
import os
from typing import Any

from .. import logging
from . import checkpoint as checkpoints
from . import publishing
from .callbacks import is_better
from .card import write_card
from .metrics import metrics_format, metrics_table
from .parts import Part
from .state import ExportableState, exported

logger = logging.get_logger(__name__)


class Saves(Part):
    """The part of `Trainer` that saves, loads and uploads."""

    def _exported(self) -> dict[str, Any]:
        """The states of the callbacks and of the control that have one."""
        everyone = [*self.callback_handler.callbacks, self.control]
        return exported([one for one in everyone if isinstance(one, ExportableState)])

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model, and the tokenizer, for `from_pretrained`; upload it if push_to_hub."""
        self._save(output_dir)
        if self.args.push_to_hub and not _internal_call:
            self.push_to_hub(commit_message="Model save")

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = output_dir or self.args.output_dir
        os.makedirs(folder, exist_ok=True)
        if hasattr(self.model, "save_pretrained"):
            self.model.save_pretrained(
                folder, state_dict=state_dict, safe_serialization=self.args.save_safetensors
            )
        else:
            checkpoints.save_weights(folder, state_dict or self.model.state_dict())
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)
        checkpoints.save_json(os.path.join(folder, checkpoints.ARGUMENTS), self.args.to_dict())

    def _save_checkpoint(self, model: Any, trial: Any, metrics: dict | None = None) -> None:
        """Write checkpoint-<step>, whole or not at all, and delete those beyond the limit."""
        self.store_flos()
        folder = os.path.join(
            self.args.output_dir, f"{checkpoints.PREFIX}-{self.state.global_step}"
        )
        if metrics is not None and self.args.metric_for_best_model is not None:
            value, best = self._wanted_metric(metrics), self.state.best_metric
            if best is None or is_better(self.args, value, best):
                self.state.best_metric, self.state.best_model_checkpoint = value, folder
        with checkpoints.complete_or_nothing(folder) as partial:
            self.save_model(partial, _internal_call=True)
            if not self.args.save_only_model:
                checkpoints.save_optimizer(partial, self.optimizer)
                schedule = os.path.join(partial, checkpoints.SCHEDULER)
                checkpoints.save_json(schedule, self.lr_scheduler.state_dict())
                where = self._loop.where() if self._loop else checkpoints.Position()
                checkpoints.save_random(partial, where)
            self.state.stateful_callbacks = self._exported()
            self.state.save_to_json(os.path.join(partial, checkpoints.STATE))
        if self.args.push_to_hub:
            publishing.push_checkpoint(self, folder)
        checkpoints.rotate(
            self.args.output_dir, self.args.save_total_limit, self.state.best_model_checkpoint
        )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load weights. Raises ValueError if the folder holds none."""
        model = self.model if model is None else model
        if not os.path.isdir(resume_from_checkpoint):
            raise ValueError(f"Can't find a valid checkpoint at {resume_from_checkpoint}")
        checkpoints.load_weights(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        best = self.state.best_model_checkpoint or ""
        logger.info(f"loading the best model: {best}, with {self.state.best_metric}")
        if os.path.isdir(best):
            self._load_from_checkpoint(best)
        else:
            logger.warning(f"the best checkpoint, {best}, is gone: the last weights stay")

    def save_state(self) -> None:
        """Write trainer_state.json into output_dir."""
        self.state.save_to_json(os.path.join(self.args.output_dir, checkpoints.STATE))

    def metrics_format(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """Metrics as people read them."""
        return metrics_format(metrics)

    def log_metrics(self, split: str, metrics: dict[str, Any]) -> None:
        """Print metrics as a table. split: train, eval or test"""
        print(metrics_table(split, metrics))

    def save_metrics(self, split: str, metrics: dict[str, Any], combined: bool = True) -> None:
        """Write <split>_results.json; combined: add them to all_results.json too."""
        folder = self.args.output_dir
        names = [f"{split}_results.json"] + (["all_results.json"] if combined else [])
        for name in names:
            path, before = os.path.join(folder, name), {}
            if name.startswith("all") and os.path.exists(path):
                before = checkpoints.load_json(path)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(before | metrics, file, indent=4, sort_keys=True)

    # sharing

    def init_hf_repo(self, token: str | None = None) -> None:
        """Make the repo on the Hub, if there is none."""
        publishing.make_repo(self, token)

    def create_model_card(self, **facts: Any) -> None:
        """Write README.md into output_dir: what was trained, how, and how well.

        facts: language, license, tags, model_name, finetuned_from, tasks, dataset_tags, dataset,
            dataset_args
        """
        write_card(self, **facts)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Write model, tokenizer and card into output_dir and upload them.

        blocking: wait for it, and return the commit; otherwise return a Future of it
        kwargs: facts for `create_model_card`
        """
        return publishing.push(self, commit_message, blocking, token, revision, kwargs)

    def _finish_current_push(self) -> None:
        publishing.wait(self)
