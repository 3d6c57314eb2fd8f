"""The names of transformers.trainer_pt_utils."""

from .training.arguments_checks import AcceleratorConfig
from .training.optim import get_parameter_names
from .training.sampling import LengthGroupedSampler, get_length_grouped_indices
from .training.smoothing import LabelSmoother

__all__ = [
    "AcceleratorConfig",
    "LabelSmoother",
    "LengthGroupedSampler",
    "get_length_grouped_indices",
    "get_parameter_names",
]
