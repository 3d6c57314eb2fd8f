"""A run that draws random numbers wherever it can, to be killed and resumed.

python resumed_run.py folder variant batch   (kills itself with SIGKILL before that batch)
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tiny
from trainer_cases import BERT, LLAMA, Stream, pads, rows_of

from minitransformers import (
    BertForSequenceClassification,
    LlamaForCausalLM,
    LoraConfig,
    Trainer,
    TrainingArguments,
    get_peft_model,
    set_seed,
)
from minitransformers.core.random import default_generator

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": dict(rows=18, gradient_accumulation_steps=2, save_steps=1),
    "few": dict(rows=10, gradient_accumulation_steps=8, num_train_epochs=5, save_steps=1),
    "by_length": dict(group_by_length=True),
    "causal": dict(rows=18, gradient_accumulation_steps=2, save_steps=1),
    "tied": dict(save_steps=2),
    "epochs": dict(eval_strategy="epoch", save_strategy="epoch", optim="adafactor"),
    "stream": dict(max_steps=14),
    "lora": dict(lr_scheduler_type="cosine", optim="adamw_hf"),
}


def noisy_batch(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Pads, and hides tokens at random, by two streams."""
    batch = pads(np.array)(rows)
    hidden = default_generator.rand(*batch["input_ids"].shape) < 0.2
    batch["input_ids"] = np.where(hidden, np.random.randint(3, 9), batch["input_ids"])
    return batch


class Killed(Exception):
    pass


class KilledTrainer(Trainer):
    """Is killed before a certain batch, and its process with it if it says so."""

    killed_at: int | None = None
    with_process = False
    batches = 0

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        if self.batches == self.killed_at:
            if self.with_process:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Killed
        self.batches += 1
        return super().training_step(*args, **kwargs)


def build(folder: Path, variant: str) -> KilledTrainer:
    options = dict(VARIANTS[variant])
    n, causal = options.pop("rows", 22), variant in ("causal", "tied")
    rows: Any = rows_of("causal" if causal else "classes", n, True, 0)
    kind: Any = LlamaForCausalLM if causal else BertForSequenceClassification
    config = kind.config_class(**(LLAMA if causal else BERT))
    config.tie_word_embeddings = variant == "tied" or config.tie_word_embeddings
    model = tiny.fill(kind(config))
    if variant == "lora":
        set_seed(0)
        lora = LoraConfig(r=2, target_modules=["query"], lora_dropout=0.1, task_type="SEQ_CLS")
        model = get_peft_model(model, lora)
    args = TrainingArguments(
        str(folder),
        **dict(num_train_epochs=2, per_device_train_batch_size=4, save_steps=4, logging_steps=3)
        | dict(report_to="none", disable_tqdm=True, learning_rate=1e-3)
        | options,
    )
    return KilledTrainer(
        model,
        args,
        data_collator=noisy_batch,
        train_dataset=Stream(rows) if variant == "stream" else rows,
        eval_dataset=rows_of("classes", 7, True, 1),
    )


if __name__ == "__main__":
    trainer = build(Path(sys.argv[1]), sys.argv[2])
    trainer.killed_at, trainer.with_process = int(sys.argv[3]), True
    trainer.train()
