"""Write initial.npz: a classifier's head as torch draws it at seed 0. Needs torch, transformers."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny import CONFIGS

with tempfile.TemporaryDirectory() as folder:
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**CONFIGS["gpt2"])).save_pretrained(folder)
    transformers.set_seed(0)
    model = transformers.GPT2ForSequenceClassification.from_pretrained(folder, num_labels=5)
np.savez_compressed(
    Path(__file__).with_name("initial.npz"), score=model.score.weight.detach().numpy()
)
