"""What a run remembers (`TrainerState`) and what it is told to do next (`TrainerControl`)."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from typing import Any


class ExportableState:
    """Something whose state is kept in checkpoints and built again from it."""

    def state(self) -> dict[str, dict]:
        """-> {"args": keywords of the constructor, "attributes": what has changed since}"""
        raise NotImplementedError(f"{type(self).__name__} must define state() to be kept")

    @classmethod
    def from_state(cls, state: dict[str, dict]) -> Any:
        """Build one again. state: what `state()` returned"""
        instance = cls(**state["args"])
        for name, value in state["attributes"].items():
            setattr(instance, name, value)
        return instance


@dataclass
class TrainerControl(ExportableState):
    """What callbacks ask the loop to do. The loop takes the requests back once they are done."""

    should_training_stop: bool = False
    should_epoch_stop: bool = False
    should_save: bool = False
    should_evaluate: bool = False
    should_log: bool = False

    def state(self) -> dict[str, dict]:
        return {"args": dataclasses.asdict(self), "attributes": {}}


@dataclass
class TrainerState:
    """How far a run has come: what trainer_state.json holds.

    epoch: epochs done, a fraction within one; global_step: updates done
    logging_steps, eval_steps, save_steps: the intervals in updates
    log_history: one dictionary per log, with its `step`
    best_metric, best_model_checkpoint: of the checkpoint that `load_best_model_at_end` loads
    stateful_callbacks: {class name: state, or a list of them}
    """

    epoch: float | None = None
    global_step: int = 0
    max_steps: int = 0
    logging_steps: float = 500
    eval_steps: float = 500
    save_steps: float = 500
    train_batch_size: int | None = None
    num_train_epochs: int = 0
    num_input_tokens_seen: int = 0
    total_flos: float = 0
    log_history: list[dict[str, Any]] = field(default_factory=list)
    best_metric: float | None = None
    best_model_checkpoint: str | None = None
    is_local_process_zero: bool = True
    is_world_process_zero: bool = True
    is_hyper_param_search: bool = False
    trial_name: str | None = None
    trial_params: dict[str, Any] | None = None
    stateful_callbacks: Any = None

    def __post_init__(self) -> None:
        self.log_history = [] if self.log_history is None else self.log_history
        if not isinstance(self.stateful_callbacks, dict):  # the callbacks themselves
            self.stateful_callbacks = exported(self.stateful_callbacks or [])

    def save_to_json(self, json_path: str | os.PathLike[str]) -> None:
        """Write trainer_state.json."""
        with open(json_path, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(self), file, indent=2, sort_keys=True)
            file.write("\n")

    @classmethod
    def load_from_json(cls, json_path: str | os.PathLike[str]) -> TrainerState:
        """Read trainer_state.json. Fields that other versions write are left out."""
        with open(json_path, encoding="utf-8") as file:
            content = json.load(file)
        names = {f.name for f in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in names})


def exported(objects: list[Any]) -> dict[str, Any]:
    """{class name: state} of the objects that have one; a list where a class occurs again

    Raises TypeError for an object that is no ExportableState.
    """
    states: dict[str, Any] = {}
    for one in objects:
        if not isinstance(one, ExportableState):
            raise TypeError(
                f"{type(one).__name__} cannot be kept in a checkpoint: derive it from "
                "ExportableState and define state()"
            )
        name = type(one).__name__
        if name not in states:
            states[name] = one.state()
        elif isinstance(states[name], list):
            states[name].append(one.state())
        else:
            states[name] = [states[name], one.state()]
    return states
