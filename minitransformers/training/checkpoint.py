"""Checkpoints: folders from which a run continues as if it had never stopped.

checkpoint-<step>/ holds what `save_pretrained` writes, and beside it

    optimizer.safetensors  the optimizer's arrays; its numbers and options as JSON in the header
    scheduler.json         the schedule's state
    rng_state.json         the random streams, and where in the data the run stood (`Position`)
    trainer_state.json     the TrainerState, in the reference's format
    training_args.json     the arguments

Nothing is pickled. A folder gets its name once it is complete and on disk, so a killed process
leaves none that is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import hub, logging
from ..checkpoints import open_checkpoint
from ..checkpoints.safetensors import SafetensorsFile, write_safetensors
from ..core.random import default_generator
from ..models import loading
from .evaluation import plain

logger = logging.get_logger(__name__)

PREFIX = "checkpoint"
OPTIMIZER, SCHEDULER, RANDOM = "optimizer.safetensors", "scheduler.json", "rng_state.json"
STATE, ARGUMENTS = "trainer_state.json", "training_args.json"
_PARTIAL = ".partial-"


@dataclass
class Position:
    """Where in the data a run stands, so that the same batches follow.

    epoch: its number; batches: those of it that are trained
    chunk: how many updates' worth of batches the epoch has asked for; left: those of the last one
        still to train; items: the number of target tokens in it, if losses are divided by it
    seen: batches trained in all
    loss: the sum since the last log, at update `logged`; total_loss: the sum before it
    started: the random streams when the epoch began
    fetched: before the first batch that is made but not trained was made; pending: how many are
    """

    epoch: int = 0
    batches: int = 0
    chunk: int = 0
    left: int = 0
    items: int | None = None
    seen: int = 0
    pending: int = 0
    loss: float = 0.0
    total_loss: float = 0.0
    logged: int = 0
    started: dict[str, Any] | None = None
    fetched: dict[str, Any] | None = None

    def ended(self) -> bool:
        """Whether every batch of the epoch is trained: the feed makes one ahead if there is one."""
        return self.batches > 0 and self.pending == 0


@contextlib.contextmanager
def complete_or_nothing(folder: str) -> Iterator[str]:
    """A folder to write into, which takes the name `folder` at the end, in place of one there."""
    parent, name = os.path.split(os.path.abspath(folder))
    partial = os.path.join(parent, f"{_PARTIAL}{name}")
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    try:
        yield partial
        _to_disk(partial)
        if os.path.isdir(folder):  # saved before, at the same step
            former = os.path.join(parent, f"{_PARTIAL}former-{name}")
            shutil.rmtree(former, ignore_errors=True)
            os.rename(folder, former)
            os.rename(partial, folder)
            shutil.rmtree(former)
        else:
            os.rename(partial, folder)
        _to_disk(parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _to_disk(folder: str) -> None:
    """Wait until the files of a folder, and their names, are on the disk."""
    for path in [*(p for p in Path(folder).iterdir() if p.is_file()), Path(folder)]:
        with contextlib.suppress(OSError):  # not every system opens folders
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def remove_partial(output_dir: str) -> None:
    """Remove what a killed process has left half written."""
    for path in Path(output_dir).glob(f"{_PARTIAL}*{PREFIX}-*"):
        shutil.rmtree(path, ignore_errors=True)


def sorted_checkpoints(output_dir: str) -> list[str]:
    """The checkpoints in a folder, by step."""
    if not os.path.isdir(output_dir):
        return []
    names = {name: re.fullmatch(rf"{PREFIX}-(\d+)", name) for name in os.listdir(output_dir)}
    steps = {int(match[1]): name for name, match in names.items() if match}
    paths = [os.path.join(output_dir, steps[step]) for step in sorted(steps)]
    return [path for path in paths if os.path.isdir(path)]


def get_last_checkpoint(folder: str) -> str | None:
    """The checkpoint of the highest step in a folder, or None."""
    return next(reversed(sorted_checkpoints(folder)), None)


def rotate(output_dir: str, limit: int | None, best: str | None) -> None:
    """Delete all but the newest `limit` checkpoints; the best one always stays."""
    if not limit or limit <= 0:
        return
    kept = sorted_checkpoints(output_dir)
    keep_best = best is not None and any(same_path(path, best) for path in kept)
    if keep_best and limit == 1 and not same_path(kept[-1], best):
        limit = 2  # the newest is needed to resume, the best to end with
    # the best counts as if it were the newest but one
    candidates = [path for path in kept if not (keep_best and same_path(path, best))]
    for path in candidates[: max(0, len(kept) - limit)]:
        remove(path)


def remove(path: str) -> None:
    """Delete a checkpoint."""
    logger.info(f"deleting the checkpoint {path}: save_total_limit is reached")
    shutil.rmtree(path, ignore_errors=True)


def same_path(one: str, other: str | None) -> bool:
    """Whether two names mean one folder."""
    return other is not None and os.path.realpath(one) == os.path.realpath(other)


def save_optimizer(folder: str, optimizer: Any) -> None:
    """Write optimizer.safetensors."""
    content = optimizer.state_dict()
    tensors: dict[str, np.ndarray] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, state in content["state"].items():
        numbers[index] = {}
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                tensors[f"{index}.{name}"] = value
            else:
                numbers[index][name] = plain(value)
    header = {"state": numbers, "param_groups": plain(content["param_groups"])}
    metadata = {"format": "np", "optimizer": json.dumps(header)}
    write_safetensors(os.path.join(folder, OPTIMIZER), tensors, metadata)


def load_optimizer(folder: str, optimizer: Any) -> None:
    """Read optimizer.safetensors. Raises ValueError if it is another optimizer's."""
    file = SafetensorsFile(os.path.join(folder, OPTIMIZER))
    header = json.loads(file.metadata["optimizer"])
    state = {int(index): dict(numbers) for index, numbers in header["state"].items()}
    for key in file:
        index, name = key.split(".", 1)
        state[int(index)][name] = file[key].numpy()
    optimizer.load_state_dict({"state": state, "param_groups": header["param_groups"]})


def save_json(path: str, content: Any) -> None:
    """Write JSON with keys in order."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.write("\n")


def load_json(path: str) -> Any:
    """Read JSON."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def random_streams() -> dict[str, Any]:
    """The state of Python's, NumPy's and this library's random numbers."""
    words, normal = default_generator.get_state()
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "default_generator": (words, normal),
    }


def set_random_streams(state: dict[str, Any]) -> None:
    """Continue the streams from a state, as `random_streams` gave or JSON kept it."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(_legacy(state["numpy"]))
    words, normal = state["default_generator"]
    default_generator.set_state((_legacy(words), normal))


def _legacy(state: Any) -> tuple:
    name, words, *rest = state
    return (name, np.asarray(words, np.uint32), *rest)


def save_random(folder: str, position: Position) -> None:
    """Write rng_state.json."""
    content = {"streams": random_streams(), "position": asdict(position)}
    path = os.path.join(folder, RANDOM)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, default=lambda array: array.tolist())


def load_random(folder: str) -> tuple[dict[str, Any], Position] | None:
    """-> the random streams and the position, or None if the checkpoint has none"""
    path = os.path.join(folder, RANDOM)
    if not os.path.isfile(path):
        return None
    content = load_json(path)
    return content["streams"], Position(**content["position"])


def save_weights(folder: str, weights: dict[str, Any]) -> None:
    """Write model.safetensors of a model that cannot save itself."""
    write_safetensors(os.path.join(folder, "model.safetensors"), weights)


def load_weights(folder: str, model: Any) -> None:
    """Load a checkpoint's weights, as copies: the folder may be deleted.

    Of a model with adapters a checkpoint holds them alone. Raises ValueError if it holds nothing.
    """
    if getattr(model, "peft_config", None):
        _load_adapters(folder, model)
        return
    try:
        stored = open_checkpoint(hub.resolve(folder))
    except OSError as error:
        raise ValueError(f"Can't find a valid checkpoint at {folder}: {error}") from error
    if hasattr(model, "ties"):
        loading.load(model, stored, folder)
    else:
        model.load_state_dict({name: tensor.numpy() for name, tensor in stored.items()})
    for parameter in model.parameters():
        parameter.writable()


def _load_adapters(folder: str, model: Any) -> None:
    from ..adapters import state

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    for name in base.peft_config:
        own = os.path.join(folder, name)  # of an adapter that is not the only one
        weights = state.load_peft_weights(own if os.path.isdir(own) else folder)
        state.set_peft_model_state_dict(base, weights, name)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.writable()
