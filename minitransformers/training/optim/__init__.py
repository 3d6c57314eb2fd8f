"""Optimisers with torch's names and arithmetic, and transformers' Adafactor.

`minitransformers.AdamW` is transformers' own older one; the AdamW here is torch's.
"""

from .adafactor import Adafactor
from .adam import Adam, AdamW
from .adaptive import Adagrad, RMSprop
from .base import Optimizer
from .decay import decayed_names, get_parameter_names
from .sgd import SGD

__all__ = [
    "SGD",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "decayed_names",
    "get_parameter_names",
]
