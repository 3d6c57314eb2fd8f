"""Arguments of runs, and what is told of them."""

from __future__ import annotations

import dataclasses
from typing import Any

CASES: list[dict[str, Any]] = [
    {},
    dict(eval_strategy="steps"),
    dict(eval_strategy="steps", logging_steps=7.0),
    dict(eval_strategy="steps", logging_steps=0),
    dict(eval_strategy="sometimes"),
    dict(evaluation_strategy="epoch"),
    dict(logging_steps=1.5),
    dict(logging_steps=0.1, save_steps=0.2, eval_steps=0.1, eval_strategy="steps"),
    dict(logging_steps=0),
    dict(save_steps=2.5),
    dict(load_best_model_at_end=True),
    dict(load_best_model_at_end=True, eval_strategy="epoch", save_strategy="epoch"),
    dict(load_best_model_at_end=True, eval_strategy="steps", eval_steps=3, save_steps=7),
    dict(load_best_model_at_end=True, eval_strategy="steps", eval_steps=3, save_steps=9),
    dict(load_best_model_at_end=True, eval_strategy="steps", eval_steps=0.1, save_steps=7),
    dict(load_best_model_at_end=True, eval_strategy="steps", eval_steps=0.1, save_steps=0.25),
    dict(metric_for_best_model="f1"),
    dict(metric_for_best_model="my_loss"),
    dict(greater_is_better=False, metric_for_best_model="f1"),
    dict(lr_scheduler_type="cosine", lr_scheduler_kwargs='{"num_cycles": "2", "a": "true"}'),
    dict(lr_scheduler_type="reduce_lr_on_plateau"),
    dict(lr_scheduler_type="reduce_lr_on_plateau", eval_strategy="epoch"),
    dict(lr_scheduler_type="square"),
    dict(optim="adafactor"),
    dict(optim="lion_32bit"),
    dict(optim="best"),
    dict(adafactor=True),
    dict(warmup_ratio=1.5),
    dict(warmup_steps=0.5),
    dict(warmup_steps=-1),
    dict(warmup_steps=3, warmup_ratio=0.5),
    dict(fp16=True, bf16=True),
    dict(report_to="tensorboard"),
    dict(report_to="none"),
    dict(report_to=["none"]),
    dict(report_to=[]),
    dict(hub_strategy="checkpoint", hub_token="secret", push_to_hub=True),
    dict(hub_strategy="always"),
    dict(push_to_hub_token="secret"),
    dict(push_to_hub_organization="people"),
    dict(include_inputs_for_metrics=True),
    dict(include_for_metrics=["loss"]),
    dict(no_cuda=True),
    dict(dataloader_prefetch_factor=2),
    dict(dataloader_prefetch_factor=2, dataloader_num_workers=1),
    dict(accelerator_config={"split_batches": True}),
    dict(accelerator_config={"strange": True}),
    dict(per_gpu_train_batch_size=3),
    dict(disable_tqdm=True, run_name="run", logging_dir="logs"),
    dict(average_tokens_across_devices=True),
    dict(strange=1),
]


def describe(arguments: Any, case: dict[str, Any]) -> Any:
    """The fields that differ from their defaults, or the class of the error"""
    try:
        args = arguments("out", **case)
    except Exception as error:
        return type(error).__name__
    plain = arguments("out", logging_dir="x").to_dict()
    told = args.to_sanitized_dict() | args.to_dict()
    return {name: value for name, value in told.items() if plain.get(name, ...) != value}


def defaults(arguments: Any) -> dict[str, Any]:
    """Fields in order, values, and the printed form"""
    args = arguments("out", logging_dir="logs", report_to="none")
    lines = [line for line in str(args).splitlines() if "accelerator_config" not in line]
    return {
        "order": [field.name for field in dataclasses.fields(arguments)],
        "values": args.to_dict(),
        "printed": lines,
        "warmup": [args.get_warmup_steps(n) for n in (0, 10)],
    }
