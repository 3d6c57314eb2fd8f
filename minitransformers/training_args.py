"""The names of transformers.training_args."""

from .training.arguments import Seq2SeqTrainingArguments, TrainingArguments
from .training.options import OptimizerNames, ParallelMode

__all__ = [
    "OptimizerNames",
    "ParallelMode",
    "Seq2SeqTrainingArguments",
    "TrainingArguments",
]
