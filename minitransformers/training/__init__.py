"""Training: gradients, optimisers, schedules, batches.

What a loop of one's own needs is here, under torch's names; `Trainer` and what belongs to it are
names of the package, as in transformers.
"""

from .data import DataLoader
from .grad import clip_grad_norm_
from .optim import SGD, Adafactor, Adam, AdamW, Optimizer

__all__ = ["SGD", "Adafactor", "Adam", "AdamW", "DataLoader", "Optimizer", "clip_grad_norm_"]
