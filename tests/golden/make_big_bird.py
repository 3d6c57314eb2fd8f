"""Write big_bird.npz: what the reference's BigBird computes in training, where blocks are drawn.

Needs torch and transformers==4.46.3; run from anywhere. Weights follow from their names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
from test_big_bird import DRAWS, IDS, MASK, TRAINED
from tiny import fill_reference

transformers.logging.set_verbosity_error()
out = {}
for seed, heads, blocks, size, count, longest in DRAWS:
    config = transformers.BigBirdConfig(
        block_size=size, num_random_blocks=count, max_position_embeddings=longest
    )
    attention = BigBirdBlockSparseAttention(config, seed=seed).train()
    length = blocks * size
    np.random.seed(seed)
    if length in (1024, 3072, 4096):
        how = (longest, longest, size, size, count)
        drawn = [attention._bigbird_block_rand_mask(*how, last_idx=1024) for _ in range(heads)]
        drawn = [rows[: blocks - 2] for rows in drawn]
    else:
        plan = attention._get_rand_attn_plan(length, size, count)
        drawn = attention._bigbird_block_rand_mask_with_head(
            length, length, size, size, heads, *plan
        )
    out[f"drawn {seed} {length}"] = np.stack(drawn).astype(np.int16)

model = fill_reference(transformers.BigBirdForMaskedLM(transformers.BigBirdConfig(**TRAINED)))
ids, mask = torch.tensor(IDS), torch.tensor(MASK)
output = model.train()(ids, attention_mask=mask, labels=ids, output_attentions=True)
output.loss.backward()
out["loss"] = output.loss.detach().numpy()
out["attentions"] = output.attentions[1].detach().numpy()
out["gradient"] = model.bert.encoder.layer[0].attention.self.key.weight.grad.numpy()
path = Path(__file__).with_name("big_bird.npz")
np.savez_compressed(path, **out)
print(path, path.stat().st_size, "bytes")
