"""Uploading a run to the Hub: at its end, at every checkpoint, or with the checkpoints."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from .. import hub, logging
from ..sharing import Upload
from ..sharing import _reason as reason
from . import checkpoint as checkpoints
from .options import HubStrategy, IntervalStrategy

logger = logging.get_logger(__name__)

_NOT_UPLOADED = ["_*", f"{checkpoints.PREFIX}-*", ".partial-*"]
_FOR_RESUMING = (
    checkpoints.OPTIMIZER,
    checkpoints.SCHEDULER,
    checkpoints.RANDOM,
    checkpoints.STATE,
)


class PushInProgress:
    """Uploads that run while training goes on. jobs: their Futures"""

    def __init__(self, jobs: list[Any]):
        self.jobs = jobs

    def is_done(self) -> bool:
        """Whether all are over."""
        return all(job.done() for job in self.jobs)

    def wait_until_done(self) -> None:
        """Wait for all. Raises what one of them raised."""
        for job in self.jobs:
            job.result()


def make_repo(trainer: Any, token: str | None = None) -> None:
    """Make the repo, unless there is one. Raises HubError saying why it was not possible."""
    args = trainer.args
    name = args.hub_model_id or Path(args.output_dir).absolute().name
    if hub.is_offline():
        raise hub.HubError(f"cannot push to {name!r}: the session is offline. Unset HF_HUB_OFFLINE")
    token = token or args.hub_token
    private = {"private": True} if args.hub_private_repo else {}
    try:
        made = hub.api(token).create_repo(name, exist_ok=True, **private)
    except Exception as error:  # of huggingface_hub, requests or httpx: versions differ
        why = reason(error, Upload(trainer.model, name))
        raise hub.HubError(f"cannot push to {name!r} at {hub.endpoint()}: {why}") from error
    trainer.hub_model_id = made.repo_id


def push_checkpoint(trainer: Any, folder: str) -> None:
    """Upload a checkpoint as `hub_strategy` says, in the background."""
    args, running = trainer.args, trainer.push_in_progress
    if args.hub_strategy == HubStrategy.END:
        return
    if running is not None and not running.is_done() and not args.hub_always_push:
        return
    for path in Path(folder).iterdir():
        if path.is_file() and path.name not in _FOR_RESUMING:
            shutil.copy(path, os.path.join(args.output_dir, path.name))
    if args.save_strategy == IntervalStrategy.STEPS:
        message = f"Training in progress, step {trainer.state.global_step}"
    else:
        message = f"Training in progress, epoch {int(trainer.state.epoch)}"
    jobs = [_upload(trainer, args.output_dir, message, True, ignore_patterns=_NOT_UPLOADED)]
    if args.hub_strategy != HubStrategy.EVERY_SAVE:
        last = args.hub_strategy == HubStrategy.CHECKPOINT
        name = "last-checkpoint" if last else os.path.basename(folder)
        jobs.append(_upload(trainer, folder, f"{message}, checkpoint", True, path_in_repo=name))
    if running is not None and not running.is_done():
        running.jobs += jobs
    else:
        trainer.push_in_progress = PushInProgress(jobs)
    if args.save_total_limit and args.hub_strategy != HubStrategy.EVERY_SAVE:
        wait(trainer)  # what is being read must not be deleted


def push(
    trainer: Any,
    message: str | None,
    blocking: bool,
    token: str | None,
    revision: str | None,
    facts: dict[str, Any],
) -> Any:
    """See `Trainer.push_to_hub`."""
    args = trainer.args
    name = args.hub_model_id or Path(args.output_dir).name
    facts.setdefault("model_name", name.rpartition("/")[2])
    if trainer.hub_model_id is None:
        make_repo(trainer, token)
    trainer.save_model(_internal_call=True)
    trainer.create_model_card(**facts)
    wait(trainer)
    options = {"ignore_patterns": _NOT_UPLOADED, "revision": revision}
    return _upload(trainer, args.output_dir, message, not blocking, token=token, **options)


def wait(trainer: Any) -> None:
    """Wait for uploads in the background."""
    if trainer.push_in_progress is not None:
        if not trainer.push_in_progress.is_done():
            logger.info("waiting for the upload of the last checkpoint")
        trainer.push_in_progress.wait_until_done()


def _upload(
    trainer: Any,
    folder: str,
    message: str | None,
    in_background: bool,
    token: str | None = None,
    **options: Any,
) -> Any:
    if token or getattr(trainer, "_hub_client", None) is None:
        # one client for all uploads: in the background it makes them one after the other
        trainer._hub_client = hub.api(token or trainer.args.hub_token)
    return trainer._hub_client.upload_folder(
        repo_id=trainer.hub_model_id,
        folder_path=folder,
        commit_message=message,
        run_as_future=in_background,
        **options,
    )
