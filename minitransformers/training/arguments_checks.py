"""What `TrainingArguments` does with its values: read them, fill gaps, refuse contradictions."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import logging
from .options import (
    DebugOption,
    EvaluationStrategy,
    HubStrategy,
    IntervalStrategy,
    OptimizerNames,
)
from .schedules import SchedulerType

logger = logging.get_logger(__name__)

_DICTIONARIES = (
    "accelerator_config",
    "fsdp_config",
    "deepspeed",
    "gradient_checkpointing_kwargs",
    "lr_scheduler_kwargs",
)


@dataclass
class AcceleratorConfig:
    """What the reference hands to `accelerate`.

    use_seedable_sampler: the order of an epoch follows from the seed and the epoch's number;
        otherwise from a number drawn from the default generator
    """

    split_batches: bool = False
    dispatch_batches: bool | None = None
    even_batches: bool = True
    use_seedable_sampler: bool = True
    non_blocking: bool | None = False
    gradient_accumulation_kwargs: dict | None = None
    use_configured_state: bool = False


def complete(args: Any) -> None:
    """Bring the arguments into their final form. Raises ValueError for contradictions."""
    _read_dictionaries(args)
    _complete_names(args)
    _complete_strategies(args)
    _check_best_model(args)
    _complete_numerics(args)
    _complete_hub(args)


def _read_dictionaries(args: Any) -> None:
    """Dictionaries may come from a command line as JSON, with every value a string."""
    for name in _DICTIONARIES:
        value = getattr(args, name)
        if isinstance(value, str) and value.startswith("{"):
            setattr(args, name, _typed(json.loads(value)))
    args.accelerator_config = _accelerator_config(args.accelerator_config)
    for name in ("dispatch_batches", "split_batches"):
        if getattr(args, name) is not None:
            setattr(args.accelerator_config, name, getattr(args, name))


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Turn strings that are booleans or numbers into them."""

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            return _typed(value)
        if not isinstance(value, str):
            return value
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        for number in (int, float):
            try:
                return number(value)
            except ValueError:
                continue
        return value

    return {name: read(value) for name, value in values.items()}


def _accelerator_config(value: Any) -> AcceleratorConfig:
    if isinstance(value, AcceleratorConfig):
        return value
    if isinstance(value, (str, os.PathLike)):
        value = json.loads(Path(value).read_text(encoding="utf-8"))
    known = [f.name for f in fields(AcceleratorConfig)]
    if not isinstance(value or {}, dict) or set(value or {}) - set(known):
        raise TypeError(
            f"accelerator_config is a dictionary (or a JSON file of one) with keys among {known}, "
            f"not {value!r}"
        )
    return AcceleratorConfig(**(value or {}))


def _complete_names(args: Any) -> None:
    from .arguments import default_logdir

    if args.output_dir is not None:
        args.output_dir = os.path.expanduser(args.output_dir)
        if args.logging_dir is None:
            args.logging_dir = os.path.join(args.output_dir, default_logdir())
    if args.logging_dir is not None:
        args.logging_dir = os.path.expanduser(args.logging_dir)
    if args.run_name is None:
        args.run_name = args.output_dir
    if args.disable_tqdm is None:
        args.disable_tqdm = logger.getEffectiveLevel() > logging.WARNING
    if args.evaluation_strategy is not None:
        args.eval_strategy = args.evaluation_strategy
    if args.no_cuda or args.use_cpu:
        args.use_cpu, args.dataloader_pin_memory = True, False
    if args.report_to is None or args.report_to in ("all", ["all"]):
        seen = importlib.util.find_spec("tensorboard") or importlib.util.find_spec("tensorboardX")
        args.report_to = ["tensorboard"] if seen else []
    elif args.report_to in ("none", ["none"]):
        args.report_to = []
    elif not isinstance(args.report_to, list):
        args.report_to = [args.report_to]
    if isinstance(args.debug, str) or args.debug is None:
        args.debug = [DebugOption(word) for word in (args.debug or "").split()]
    if args.include_inputs_for_metrics:
        args.include_for_metrics.append("inputs")


def _complete_strategies(args: Any) -> None:
    if isinstance(args.eval_strategy, EvaluationStrategy):
        args.eval_strategy = args.eval_strategy.value
    for name in ("eval_strategy", "logging_strategy", "save_strategy"):
        setattr(args, name, IntervalStrategy(getattr(args, name)))
    args.hub_strategy = HubStrategy(args.hub_strategy)
    if args.eval_strategy != IntervalStrategy.NO:
        args.do_eval = True
    if args.eval_strategy == IntervalStrategy.STEPS and not args.eval_steps:
        if args.logging_steps <= 0:
            raise ValueError(
                f"evaluation strategy {args.eval_strategy} requires either non-zero --eval_steps "
                "or --logging_steps"
            )
        args.eval_steps = args.logging_steps
    if args.logging_strategy == IntervalStrategy.STEPS and args.logging_steps == 0:
        raise ValueError(
            f"logging strategy {args.logging_strategy} requires non-zero --logging_steps"
        )
    for event in ("logging", "eval", "save"):
        name = f"{event}_steps"
        steps = getattr(args, name)
        if getattr(args, f"{event}_strategy") == IntervalStrategy.STEPS and steps > 1:
            if steps != int(steps):
                raise ValueError(f"--{name} must be an integer if bigger than 1: {steps}")
            setattr(args, name, int(steps))


def _check_best_model(args: Any) -> None:
    if args.load_best_model_at_end:
        if args.eval_strategy != args.save_strategy:
            raise ValueError(
                "--load_best_model_at_end requires the save and eval strategy to match, but they "
                f"are {args.save_strategy} and {args.eval_strategy}: evaluate whenever you save"
            )
        if args.eval_strategy == IntervalStrategy.STEPS:
            _check_multiple(args.save_steps, args.eval_steps)
    plateau = args.lr_scheduler_type == SchedulerType.REDUCE_ON_PLATEAU
    if (args.load_best_model_at_end or plateau) and args.metric_for_best_model is None:
        args.metric_for_best_model = "loss"
    if args.greater_is_better is None and args.metric_for_best_model is not None:
        args.greater_is_better = not args.metric_for_best_model.endswith("loss")


def _check_multiple(save: float, evaluate: float) -> None:
    if (save < 1) != (evaluate < 1):
        raise ValueError(
            "--load_best_model_at_end requires the saving steps to be a multiple of the evaluation "
            f"steps: save_steps={save} and eval_steps={evaluate} mix a ratio and a number"
        )
    # ratios are compared in millionths, free of rounding
    scale = 1_000_000 if save < 1 else 1
    if round(save * scale) % round(evaluate * scale):
        raise ValueError(
            "--load_best_model_at_end requires the saving steps to be a round multiple of the "
            f"evaluation steps, but {save} is not a multiple of {evaluate}"
        )


def _complete_numerics(args: Any) -> None:
    args.lr_scheduler_type = SchedulerType(args.lr_scheduler_type)
    args.optim = OptimizerNames("adafactor" if args.adafactor else args.optim)
    plateau = args.lr_scheduler_type == SchedulerType.REDUCE_ON_PLATEAU
    if plateau and args.eval_strategy == IntervalStrategy.NO:
        raise ValueError("lr_scheduler_type reduce_lr_on_plateau requires an eval strategy")
    if (args.fp16 and args.bf16) or (args.fp16_full_eval and args.bf16_full_eval):
        raise ValueError("At most one of fp16 and bf16 can be True, but not both")
    if not 0 <= args.warmup_ratio <= 1:
        raise ValueError(f"warmup_ratio must lie in range [0,1], not {args.warmup_ratio}")
    if not isinstance(args.warmup_steps, int) or args.warmup_steps < 0:
        raise ValueError(
            "warmup_steps must be of type int and must be 0 or a positive integer, not "
            f"{args.warmup_steps!r}"
        )
    if args.dataloader_prefetch_factor is not None and args.dataloader_num_workers == 0:
        raise ValueError("--dataloader_prefetch_factor is for --dataloader_num_workers > 0")
    args._n_gpu = 0
    args.local_rank = 0
    args.average_tokens_across_devices = False
    if isinstance(args.fsdp, str):
        args.fsdp = args.fsdp.split()
    args.fsdp = ["full_shard"] if args.fsdp is True else args.fsdp or []
    if not isinstance(args.fsdp_config, (dict, str)):
        args.fsdp_config = {"min_num_params": args.fsdp_min_num_params, "xla": False}
        args.fsdp_config |= {"xla_fsdp_v2": False, "xla_fsdp_grad_ckpt": False}


def _complete_hub(args: Any) -> None:
    if args.push_to_hub_token is not None:
        args.hub_token = args.push_to_hub_token
    owner, name = args.push_to_hub_organization, args.push_to_hub_model_id
    if owner is not None:
        args.hub_model_id = f"{owner}/{name or Path(args.output_dir).name}"
    elif name is not None:
        args.hub_model_id = name
