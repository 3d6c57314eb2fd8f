"""`TrainingArguments`: every option of a run, with the reference's names, order and defaults.

Options about GPUs, TPUs, several processes and compilers are accepted and change nothing, as long
as nothing depends on them; those that would change the numbers (half precision, DeepSpeed, FSDP)
are refused by `Trainer`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import math
import os
import socket
from collections.abc import Iterator
from dataclasses import InitVar, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from .. import logging
from .arguments_checks import AcceleratorConfig, complete
from .arguments_setters import Setters
from .options import HubStrategy, IntervalStrategy, OptimizerNames, ParallelMode
from .schedules import SchedulerType

LOG_LEVELS = {
    "detail": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "passive": -1,
}


def _arg(default: Any, help: str, **metadata: Any) -> Any:
    """A field with the help that `HfArgumentParser` shows."""
    metadata["help"] = help
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


_LATER = (  # fields of later versions
    *("hub_revision", "liger_kernel_config", "parallelism_config", "project"),
    *("trackio_space_id", "tp_size"),
)
_UNUSED = "Accepted; changes nothing on one CPU process."


@dataclass(repr=False)
class TrainingArguments(Setters):
    """The options of a run. The help of every field is shown by `HfArgumentParser`.

    Raises ValueError for values that contradict each other.
    """

    framework = "np"

    output_dir: str = dataclasses.field(metadata={"help": "The folder for checkpoints and logs."})
    overwrite_output_dir: bool = _arg(False, "For scripts: train though output_dir is not empty.")
    do_train: bool = _arg(False, "For scripts: whether to train.")
    do_eval: bool = _arg(False, "For scripts: whether to evaluate.")
    do_predict: bool = _arg(False, "For scripts: whether to predict on the test set.")
    eval_strategy: IntervalStrategy | str = _arg("no", "When to evaluate during training.")
    prediction_loss_only: bool = _arg(False, "Evaluate the loss alone, keep no predictions.")
    per_device_train_batch_size: int = _arg(8, "Rows of a training batch.")
    per_device_eval_batch_size: int = _arg(8, "Rows of an evaluation batch.")
    per_gpu_train_batch_size: int | None = _arg(None, "Old name of per_device_train_batch_size.")
    per_gpu_eval_batch_size: int | None = _arg(None, "Old name of per_device_eval_batch_size.")
    gradient_accumulation_steps: int = _arg(1, "Batches whose gradients make one update.")
    eval_accumulation_steps: int | None = _arg(None, _UNUSED)
    eval_delay: float | None = _arg(0, "Epochs or updates before the first evaluation.")
    torch_empty_cache_steps: int | None = _arg(None, _UNUSED)
    learning_rate: float = _arg(5e-5, "The peak learning rate.")
    weight_decay: float = _arg(0.0, "Decay of all weights but biases and norms.")
    adam_beta1: float = _arg(0.9, "Beta 1 of Adam optimizers.")
    adam_beta2: float = _arg(0.999, "Beta 2 of Adam optimizers.")
    adam_epsilon: float = _arg(1e-8, "Epsilon of Adam optimizers.")
    max_grad_norm: float = _arg(1.0, "Gradients of a larger norm are scaled down to it; 0: never.")
    num_train_epochs: float = _arg(3.0, "Passes over the data, perhaps with a fraction.")
    max_steps: int = _arg(-1, "If positive, the number of updates, whatever num_train_epochs.")
    lr_scheduler_type: SchedulerType | str = _arg("linear", "How the learning rate moves.")
    lr_scheduler_kwargs: dict | str | None = _arg(dict, "Further keywords of the schedule.")
    warmup_ratio: float = _arg(0.0, "Fraction of the updates in which the rate rises.")
    warmup_steps: int = _arg(0, "Updates in which the rate rises; wins over warmup_ratio.")
    log_level: str | None = _arg(
        "passive", "The verbosity of the library's messages.", choices=LOG_LEVELS.keys()
    )
    log_level_replica: str | None = _arg("warning", _UNUSED, choices=LOG_LEVELS.keys())
    log_on_each_node: bool = _arg(True, _UNUSED)
    logging_dir: str | None = _arg(None, "The folder of TensorBoard's files.")
    logging_strategy: IntervalStrategy | str = _arg("steps", "When to log.")
    logging_first_step: bool = _arg(False, "Log the first update too.")
    logging_steps: float = _arg(500, "Updates between logs; below 1, a fraction of all.")
    logging_nan_inf_filter: bool = _arg(True, "Log the running mean where a loss is NaN or inf.")
    save_strategy: IntervalStrategy | str = _arg("steps", "When to save checkpoints.")
    save_steps: float = _arg(500, "Updates between checkpoints; below 1, a fraction of all.")
    save_total_limit: int | None = _arg(None, "How many checkpoints to keep.")
    save_safetensors: bool | None = _arg(True, "Save weights as safetensors.")
    save_on_each_node: bool = _arg(False, _UNUSED)
    save_only_model: bool = _arg(False, "Leave out of checkpoints what only resuming needs.")
    restore_callback_states_from_checkpoint: bool = _arg(
        False, "When resuming, give callbacks the state they had."
    )
    no_cuda: bool = _arg(False, _UNUSED)
    use_cpu: bool = _arg(False, _UNUSED)
    use_mps_device: bool = _arg(False, _UNUSED)
    seed: int = _arg(42, "Seed of the weights, of dropout and of the order of the data.")
    data_seed: int | None = _arg(None, "Seed of the order of the data alone.")
    jit_mode_eval: bool = _arg(False, _UNUSED)
    use_ipex: bool = _arg(False, _UNUSED)
    bf16: bool = _arg(False, "Refused: there is no half precision training.")
    fp16: bool = _arg(False, "Refused: there is no half precision training.")
    fp16_opt_level: str = _arg("O1", _UNUSED)
    half_precision_backend: str = _arg("auto", _UNUSED, choices=["auto", "apex", "cpu_amp"])
    bf16_full_eval: bool = _arg(False, "Refused: evaluation is in float32.")
    fp16_full_eval: bool = _arg(False, "Refused: evaluation is in float32.")
    tf32: bool | None = _arg(None, "True is refused: it is a format of GPUs.")
    local_rank: int = _arg(-1, _UNUSED)
    ddp_backend: str | None = _arg(
        None, _UNUSED, choices=["nccl", "gloo", "mpi", "ccl", "hccl", "cncl", "mccl"]
    )
    tpu_num_cores: int | None = _arg(None, _UNUSED)
    tpu_metrics_debug: bool = _arg(False, _UNUSED)
    debug: str | list[str] = _arg("", _UNUSED)
    dataloader_drop_last: bool = _arg(False, "Leave out a last batch that is not full.")
    eval_steps: float | None = _arg(None, "Updates between evaluations; by default logging_steps.")
    dataloader_num_workers: int = _arg(0, _UNUSED)
    dataloader_prefetch_factor: int | None = _arg(None, _UNUSED)
    past_index: int = _arg(-1, "Position of a state among the outputs, given to the next batch.")
    run_name: str | None = _arg(None, "A name of the run for reports; by default output_dir.")
    disable_tqdm: bool | None = _arg(None, "Print logs instead of showing progress bars.")
    remove_unused_columns: bool | None = _arg(True, "Drop columns the model does not take.")
    label_names: list[str] | None = _arg(None, "The inputs that are labels.")
    load_best_model_at_end: bool | None = _arg(
        False, "End with the weights of the best checkpoint."
    )
    metric_for_best_model: str | None = _arg(None, 'What "best" refers to, by default the loss.')
    greater_is_better: bool | None = _arg(None, "Whether that metric should grow.")
    ignore_data_skip: bool = _arg(False, "When resuming, begin the epoch's data anew.")
    fsdp: list[str] | str | None = _arg("", "Refused: there is one process.")
    fsdp_min_num_params: int = _arg(0, _UNUSED)
    fsdp_config: dict | str | None = _arg(None, _UNUSED)
    fsdp_transformer_layer_cls_to_wrap: str | None = _arg(None, _UNUSED)
    accelerator_config: dict | str | None = _arg(None, "Only use_seedable_sampler has an effect.")
    deepspeed: dict | str | None = _arg(None, "Refused: there is one process.")
    label_smoothing_factor: float = _arg(0.0, "The share of the label spread over all classes.")
    optim: OptimizerNames | str = _arg("adamw_torch", "The optimizer.")
    optim_args: str | None = _arg(None, _UNUSED)
    adafactor: bool = _arg(False, "Old way to write optim=adafactor.")
    group_by_length: bool = _arg(False, "Put rows of like length into the same batch.")
    length_column_name: str | None = _arg("length", "A column of lengths for group_by_length.")
    report_to: str | list[str] | None = _arg(None, "Where to report: tensorboard, all or none.")
    ddp_find_unused_parameters: bool | None = _arg(None, _UNUSED)
    ddp_bucket_cap_mb: int | None = _arg(None, _UNUSED)
    ddp_broadcast_buffers: bool | None = _arg(None, _UNUSED)
    dataloader_pin_memory: bool = _arg(True, _UNUSED)
    dataloader_persistent_workers: bool = _arg(False, _UNUSED)
    skip_memory_metrics: bool = _arg(True, _UNUSED)
    use_legacy_prediction_loop: bool = _arg(False, _UNUSED)
    push_to_hub: bool = _arg(False, "Upload what is saved to the Hub.")
    resume_from_checkpoint: str | None = _arg(None, "For scripts: the checkpoint to resume from.")
    hub_model_id: str | None = _arg(None, "The repo; by default the name of output_dir.")
    hub_strategy: HubStrategy | str = _arg("every_save", "What to upload, and when.")
    hub_token: str | None = _arg(None, "A token; by default the one logged in with.")
    hub_private_repo: bool = _arg(False, "Make a new repo private.")
    hub_always_push: bool = _arg(False, "Upload though the last upload is still running.")
    gradient_checkpointing: bool = _arg(False, "Compute twice to keep less in memory.")
    gradient_checkpointing_kwargs: dict | str | None = _arg(None, _UNUSED)
    include_inputs_for_metrics: bool = _arg(False, "Old way to write include_for_metrics=inputs.")
    include_for_metrics: list[str] = _arg(list, "What compute_metrics gets too: inputs, loss.")
    eval_do_concat_batches: bool = _arg(True, "Join the batches; otherwise metrics get lists.")
    fp16_backend: str = _arg("auto", _UNUSED, choices=["auto", "apex", "cpu_amp"])
    evaluation_strategy: IntervalStrategy | str = _arg(None, "Old name of eval_strategy.")
    push_to_hub_model_id: str | None = _arg(None, "Old way to name the repo.")
    push_to_hub_organization: str | None = _arg(None, "Old way to name the repo's owner.")
    push_to_hub_token: str | None = _arg(None, "Old name of hub_token.")
    _n_gpu: int = dataclasses.field(init=False, repr=False, default=-1)
    mp_parameters: str = _arg("", _UNUSED)
    auto_find_batch_size: bool = _arg(False, "Halve the batch when memory runs out, and retry.")
    full_determinism: bool = _arg(False, "Accepted: runs are deterministic.")
    torchdynamo: str | None = _arg(None, _UNUSED)
    ray_scope: str | None = _arg("last", _UNUSED)
    ddp_timeout: int | None = _arg(1800, _UNUSED)
    torch_compile: bool = _arg(False, _UNUSED)
    torch_compile_backend: str | None = _arg(None, _UNUSED)
    torch_compile_mode: str | None = _arg(None, _UNUSED)
    dispatch_batches: bool | None = _arg(None, _UNUSED)
    split_batches: bool | None = _arg(None, _UNUSED)
    include_tokens_per_second: bool | None = _arg(False, "Log tokens a second at the end.")
    include_num_input_tokens_seen: bool | None = _arg(False, "Count the tokens of the inputs.")
    neftune_noise_alpha: float | None = _arg(None, "Noise on the embeddings (arXiv:2310.05914).")
    optim_target_modules: str | list[str] | None = _arg(None, _UNUSED)
    batch_eval_metrics: bool = _arg(False, "Call compute_metrics batch by batch.")
    eval_on_start: bool = _arg(False, "Evaluate before the first update.")
    use_liger_kernel: bool | None = _arg(False, _UNUSED)
    eval_use_gather_object: bool | None = _arg(False, _UNUSED)
    average_tokens_across_devices: bool | None = _arg(False, _UNUSED)

    # of later versions; no fields, so that order and printed form stay those of the reference
    hub_revision: InitVar[str | None] = dataclasses.field(default=None, kw_only=True)
    liger_kernel_config: InitVar[dict | None] = dataclasses.field(default=None, kw_only=True)
    parallelism_config: InitVar[Any] = dataclasses.field(default=None, kw_only=True)
    project: InitVar[str] = dataclasses.field(default="huggingface", kw_only=True)
    trackio_space_id: InitVar[str | None] = dataclasses.field(default="trackio", kw_only=True)
    tp_size: InitVar[int] = dataclasses.field(default=0, kw_only=True)

    def __post_init__(self, hub_revision: str | None, *later: Any) -> None:
        self.hub_revision = hub_revision  # type: ignore[attr-defined]
        complete(self)

    def __str__(self) -> str:
        values = dataclasses.asdict(self)
        del values["per_gpu_train_batch_size"], values["per_gpu_eval_batch_size"]
        lines = [f"{name}={_hidden(name, values[name])},\n" for name in sorted(values)]
        return f"{type(self).__name__}(\n{''.join(lines)})"

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """{field: plain value}, tokens hidden"""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        return {name: _hidden(name, _plain(value)) for name, value in values.items()}

    def to_json_string(self) -> str:
        """`to_dict()` as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def to_sanitized_dict(self) -> dict[str, Any]:
        """{field: bool, number or string}, for reports"""
        sizes = {"train_batch_size": self.train_batch_size, "eval_batch_size": self.eval_batch_size}
        values = self.to_dict() | sizes
        simple = (bool, int, float, str)
        return {name: v if type(v) in simple else str(v) for name, v in values.items()}

    @property
    def train_batch_size(self) -> int:
        """Rows of a training batch."""
        return self.per_gpu_train_batch_size or self.per_device_train_batch_size

    @property
    def eval_batch_size(self) -> int:
        """Rows of an evaluation batch."""
        return self.per_gpu_eval_batch_size or self.per_device_eval_batch_size

    def get_warmup_steps(self, num_training_steps: int) -> int:
        """The number of updates in which the learning rate rises."""
        if self.warmup_steps > 0:
            return self.warmup_steps
        return math.ceil(num_training_steps * self.warmup_ratio)

    def get_process_log_level(self) -> int:
        """The verbosity asked for, or the present one."""
        level = LOG_LEVELS[self.log_level or "passive"]
        return logging.get_verbosity() if level == -1 else level

    # there is one process, and it is the main one

    device = property(lambda self: "cpu")
    n_gpu = property(lambda self: 0)
    world_size = property(lambda self: 1)
    process_index = property(lambda self: 0)
    local_process_index = property(lambda self: 0)
    should_log = property(lambda self: True)
    should_save = property(lambda self: True)
    place_model_on_device = property(lambda self: True)
    parallel_mode = property(lambda self: ParallelMode.NOT_PARALLEL)
    ddp_timeout_delta = property(lambda self: datetime.timedelta(seconds=self.ddp_timeout))

    @contextlib.contextmanager
    def main_process_first(self, local: bool = True, desc: str = "work") -> Iterator[None]:
        """A context in which the main process goes first; there is no other."""
        yield


# typing.get_type_hints of Python 3.10 cannot read an InitVar
for _name in _LATER:
    del TrainingArguments.__annotations__[_name]


@dataclass(repr=False)
class Seq2SeqTrainingArguments(TrainingArguments):
    """The options of a run that evaluates by generating."""

    sortish_sampler: bool = _arg(False, _UNUSED)
    predict_with_generate: bool = _arg(False, "Evaluate what the model generates.")
    generation_max_length: int | None = _arg(None, "max_length of generation in evaluation.")
    generation_num_beams: int | None = _arg(None, "num_beams of generation in evaluation.")
    generation_config: str | Path | Any | None = _arg(
        None, "A GenerationConfig, or the folder, file or repo to load one from."
    )


def default_logdir() -> str:
    """runs/<date>_<host>, the name TensorBoard lists runs by"""
    now = datetime.datetime.now().strftime("%b%d_%H-%M-%S")
    return os.path.join("runs", f"{now}_{socket.gethostname()}")


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, AcceleratorConfig):
        values = dataclasses.asdict(value)
        del values["use_configured_state"]
        return values
    return value.to_dict() if hasattr(value, "to_dict") else value


def _hidden(name: str, value: Any) -> Any:
    return f"<{name.upper()}>" if name.endswith("_token") else value
