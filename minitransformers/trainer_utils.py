"""The names of transformers.trainer_utils."""

from .core.random import set_seed
from .training.callbacks import has_length
from .training.checkpoint import PREFIX as PREFIX_CHECKPOINT_DIR
from .training.checkpoint import get_last_checkpoint
from .training.columns import RemoveColumnsCollator
from .training.evaluation import EvalLoopOutput, EvalPrediction, PredictionOutput, TrainOutput
from .training.evaluation import plain as denumpify_detensorize
from .training.metrics import speed_metrics
from .training.options import EvaluationStrategy, HubStrategy, IntervalStrategy
from .training.schedules import SchedulerType

__all__ = [
    "PREFIX_CHECKPOINT_DIR",
    "EvalLoopOutput",
    "EvalPrediction",
    "EvaluationStrategy",
    "HubStrategy",
    "IntervalStrategy",
    "PredictionOutput",
    "RemoveColumnsCollator",
    "SchedulerType",
    "TrainOutput",
    "denumpify_detensorize",
    "get_last_checkpoint",
    "has_length",
    "set_seed",
    "speed_metrics",
]
