"""What the parts of `Trainer` share: its attributes."""

from __future__ import annotations

from typing import Any

from .state import TrainerControl, TrainerState


class Part:
    """A part of `Trainer`, written in a file of its own; see there for the attributes."""

    args: Any
    model: Any
    main_input_name: str
    processing_class: Any
    train_dataset: Any
    eval_dataset: Any
    data_collator: Any
    label_names: list[str]
    compute_metrics: Any
    preprocess_logits_for_metrics: Any
    optimizer: Any
    lr_scheduler: Any
    callback_handler: Any
    state: TrainerState
    control: TrainerControl
    is_in_train: bool
    hub_model_id: str | None
    push_in_progress: Any
    _loop: Any
    _past: Any
    _train_batch_size: int
    _total_loss: float
    _last_logged: int
    current_flos: float

    # methods of other parts
    compute_loss: Any
    log: Any
    store_flos: Any
    _prepare_inputs: Any
    _wanted_metric: Any

    def _event(self, name: str, *payload: Any) -> None:
        """Tell the callbacks. payload: the logs or metrics, of the events that have them"""
        tell = getattr(self.callback_handler, name)
        self.control = tell(self.args, self.state, self.control, *payload)
