"""Write smollm2.json: what the reference answers with SmolLM2-135M-Instruct's weights.

Needs torch and transformers==4.46.3, whose reader of GGUF does not tie the head of such a model:
    minitransformers convert SmolLM2-135M-Instruct.Q4_1.gguf FOLDER
    python make_smollm2.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_real_smollm2 import CHATS, NEW_TOKENS

transformers.logging.set_verbosity_error()
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1], padding_side="left")
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1])
texts = [
    tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in CHATS
]
out = []
for text in texts:
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        best = model(ids).logits[0, -1].topk(8)
    tokens = model.generate(ids, do_sample=False, max_new_tokens=NEW_TOKENS)
    out.append({
        "prompt": ids[0].tolist(),
        "tokens": tokens[0, ids.shape[1] :].tolist(),
        "best": best.indices.tolist(),
        "logits": [round(x, 4) for x in best.values.tolist()],
    })  # fmt: skip
batch = tokenizer(texts, return_tensors="pt", padding=True)
tokens = model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS)
batched = tokens[:, batch.input_ids.shape[1] :].tolist()
path = Path(__file__).with_name("smollm2.json")
path.write_text(json.dumps({"alone": out, "batched": batched}) + "\n")
print([tokenizer.decode(row["tokens"]) for row in out])
