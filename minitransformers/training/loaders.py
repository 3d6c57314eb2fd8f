"""The batches a Trainer runs over."""

from __future__ import annotations

from typing import Any

from ..core.random import default_generator
from .callbacks import has_length
from .columns import RemoveColumnsCollator, accepted, is_table, without_columns
from .data import DataLoader, RandomSampler
from .parts import Part
from .sampling import LengthGroupedSampler, SeedableRandomSampler


class Loaders(Part):
    """The part of `Trainer` that makes its DataLoaders. Override what should be different."""

    def get_train_dataloader(self) -> DataLoader:
        """Batches of the training data, in a random order that follows from the seed."""
        if self.train_dataset is None:
            raise ValueError("Trainer: training requires a train_dataset.")
        return self._loader(self.train_dataset, "training", self._train_batch_size)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Batches of the evaluation data, in order.

        eval_dataset: a dataset, or the name of one of several, instead of the Trainer's own
        """
        if eval_dataset is None and self.eval_dataset is None:
            raise ValueError("Trainer: evaluation requires an eval_dataset.")
        if isinstance(eval_dataset, str):
            eval_dataset = self.eval_dataset[eval_dataset]
        elif eval_dataset is None:
            eval_dataset = self.eval_dataset
        return self._loader(eval_dataset, "evaluation", self.args.eval_batch_size)

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        """Batches of a dataset to predict on, in order."""
        return self._loader(test_dataset, "test", self.args.eval_batch_size)

    def _loader(self, dataset: Any, description: str, batch_size: int) -> DataLoader:
        collate, training = self.data_collator, description == "training"
        indexed = has_length(dataset) and hasattr(dataset, "__getitem__")
        sampler = None
        if indexed:
            sampler = self._get_train_sampler() if training else self._get_eval_sampler(dataset)
        if self.args.remove_unused_columns:
            kind = type(self.model).__name__
            names = [*accepted(self.model), "label", "label_ids", *self.label_names]
            if is_table(dataset):
                dataset = without_columns(dataset, names, description, kind)
            else:
                collate = RemoveColumnsCollator(
                    collate, names, model_name=kind, description=description
                )
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            collate_fn=collate,
            drop_last=self.args.dataloader_drop_last if indexed else False,
        )

    def _get_train_sampler(self) -> Any:
        """The order of the training data, or None if it has no length."""
        if self.train_dataset is None or not has_length(self.train_dataset):
            return None
        if self.args.group_by_length:
            size = self.args.train_batch_size * self.args.gradient_accumulation_steps
            return self._by_length(self.train_dataset, size)
        seed = self.args.data_seed
        if not self.args.accelerator_config.use_seedable_sampler:
            return RandomSampler(self.train_dataset)
        return SeedableRandomSampler(
            self.train_dataset, default_generator.seed if seed is None else seed
        )

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        """The order of an evaluation dataset; None for its own."""
        if eval_dataset is None or not has_length(eval_dataset) or not self.args.group_by_length:
            return None
        return self._by_length(eval_dataset, self.args.eval_batch_size)

    def _by_length(self, dataset: Any, batch_size: int) -> LengthGroupedSampler:
        column = self.args.length_column_name
        lengths = dataset[column] if is_table(dataset) and column in dataset.column_names else None
        name = self.processing_class.model_input_names[0] if self.processing_class else None
        return LengthGroupedSampler(batch_size, dataset, lengths, name)

    def num_examples(self, dataloader: Any) -> int:
        """The number of rows of a loader's dataset, or its batches' rows if that has no length."""
        dataset: Any = getattr(dataloader, "dataset", None)
        if has_length(dataset):
            return len(dataset)
        return len(dataloader) * self.args.per_device_train_batch_size

    def num_tokens(self, train_dl: Any, max_steps: int | None = None) -> int:
        """The number of input tokens in all batches; with max_steps, that of the first so often."""
        tokens = 0
        for batch in train_dl:
            if "input_ids" not in batch:
                return tokens
            if max_steps is not None:
                return batch["input_ids"].size * max_steps
            tokens += batch["input_ids"].size
        return tokens
