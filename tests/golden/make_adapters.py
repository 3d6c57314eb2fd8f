"""Write adapters.npz: what PEFT makes of the adapters of tests/adapter_cases.py.

Run with torch, transformers 4.46.3 and peft 0.14.0 installed: python tests/golden/make_adapters.py
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import numpy as np
import torch
import transformers
from adapter_cases import (
    CASES,
    COMBINATIONS,
    adapter_array,
    fields_of,
    inputs_of,
    kind_of,
    told,
)  # fmt: skip
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from tiny import fill_reference

warnings.simplefilter("ignore")


def base(name: str, fields: dict):
    kind = kind_of(name)
    config = transformers.AutoConfig.for_model(kind, **fields_of(name, fields))
    return fill_reference(getattr(transformers, name)(config))


def fill_adapter(model, adapter: str = "default", seed: int = 1) -> None:
    state = get_peft_model_state_dict(model, adapter_name=adapter)
    plain = {k: k.removeprefix("base_model.model.") for k in state}
    arrays = {
        k: torch.from_numpy(adapter_array(plain[k], tuple(v.shape), seed)) for k, v in state.items()
    }
    set_peft_model_state_dict(model, arrays, adapter)


def as_torch(inputs: dict) -> dict:
    return {k: torch.from_numpy(v) for k, v in inputs.items()}


def answers(name: str, fields: dict, keywords: dict) -> tuple[dict, dict]:
    plainly = base(name, fields)
    torch.manual_seed(5)
    model = get_peft_model(plainly, LoraConfig(**copy.deepcopy(keywords)))
    facts = {"counts": list(model.get_nb_trainable_parameters())}
    state = get_peft_model_state_dict(model)
    plain = lambda k: k.removeprefix("base_model.model.")
    facts["trained"] = sorted(plain(n) for n, p in model.named_parameters() if p.requires_grad)
    facts["names"] = {plain(k): list(v.shape) for k, v in state.items()}
    facts["fresh"] = {plain(k): float(told(plain(k), v.numpy())) for k, v in state.items()}
    inputs = as_torch(inputs_of(name))
    with torch.no_grad():
        arrays = {"fresh": model.eval()(**inputs)[0].numpy()}
    fill_adapter(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        facts["config"] = json.loads((Path(folder) / "adapter_config.json").read_text())
    for key in ("target_modules", "exclude_modules"):
        if isinstance(facts["config"][key], list):
            facts["config"][key].sort()
    output = model(**inputs)
    if "loss" in output:
        output.loss.backward()
        facts["gradients"] = {
            plain(n): float(told(plain(n), p.grad.numpy()))
            for n, p in model.named_parameters() if p.grad is not None
        }  # fmt: skip
    arrays["out"] = output[int("loss" in output)].detach().numpy()
    with torch.no_grad(), model.disable_adapter():
        arrays["disabled"] = model(**inputs)[int("loss" in output)].numpy()
    merged = model.merge_and_unload()
    facts["merged"] = {
        k: float(told(k, v.numpy()))
        for k, v in merged.state_dict().items()
        if v.is_floating_point()
    }
    with torch.no_grad():
        arrays["merged"] = merged(**inputs)[int("loss" in output)].numpy()
    return facts, arrays


def combinations() -> tuple[dict, dict]:
    facts, arrays = {}, {}
    name = "BertForSequenceClassification"
    inputs = as_torch(inputs_of(name))
    for how, keywords in COMBINATIONS.items():
        first = {"target_modules": ["query", "value"], "r": 3, "lora_alpha": 3}
        second = {"target_modules": ["query", "key"], "r": 3, "lora_alpha": 6}
        plainly = base(name, {})
        torch.manual_seed(5)
        model = get_peft_model(plainly, LoraConfig(**first), adapter_name="first")
        model.add_adapter("second", LoraConfig(**second))
        for adapter, seed in (("first", 3), ("second", 4)):
            fill_adapter(model, adapter, seed)
        torch.manual_seed(7)
        model.add_weighted_adapter(["first", "second"], [0.7, 0.4], "both", **keywords)
        model.set_adapter("both")
        with torch.no_grad():
            arrays[f"combination {how}"] = model.eval()(**inputs).logits.numpy()
            if how == "cat":
                model.base_model.set_adapter(["first", "second"])
                arrays["two at once"] = model(**inputs).logits.numpy()
                model.set_adapter("second")
                rows = ["first", "__base__"]
                arrays["by row"] = model(**inputs, adapter_names=rows).logits.numpy()
    return facts, arrays


def initial() -> dict:
    facts = {}
    for how in (True, False, "gaussian", "pissa_niter_3"):
        plainly = base("BertModel", {})
        torch.manual_seed(11)
        pissa = how == "pissa_niter_3"
        targets = ["query"] if pissa else ["query", "word_embeddings", "dense"]
        config = LoraConfig(target_modules=targets, init_lora_weights=how, r=4)
        model = get_peft_model(plainly, config)
        state = {
            k.removeprefix("base_model.model."): v.numpy()
            for k, v in get_peft_model_state_dict(model).items()
        }
        if pissa:  # singular vectors have no sign, their products have
            layers = {k.partition(".lora_")[0] for k in state}
            state = {k: state[f"{k}.lora_B.weight"] @ state[f"{k}.lora_A.weight"] for k in layers}
        facts[str(how)] = {k: float(told(k, v)) for k, v in state.items()}
    return facts


def training() -> dict:
    """Losses of a few steps of torch's AdamW with dropout, and what the adapter became."""
    name = "BertForSequenceClassification"
    config = LoraConfig(task_type="SEQ_CLS", r=2, lora_dropout=0.3)
    plainly = base(name, {"attn_implementation": "eager"})
    torch.manual_seed(3)
    model = get_peft_model(plainly, config).train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.05)
    losses = []
    for _ in range(4):
        loss = model(**as_torch(inputs_of(name))).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss))
    state = get_peft_model_state_dict(model)
    return {"losses": losses, "state": {k: float(told(k, v.numpy())) for k, v in state.items()}}


def main() -> None:
    facts, arrays = {}, {}
    for case, what in CASES.items():
        facts[case], found = answers(*what)
        arrays |= {f"{case}/{k}": v for k, v in found.items()}
    _, found = combinations()
    arrays |= found
    facts["initial"], facts["training"] = initial(), training()
    text = json.dumps(facts, sort_keys=True).encode()
    np.savez_compressed(HERE / "adapters.npz", facts=np.frombuffer(text, np.uint8), **arrays)


if __name__ == "__main__":
    main()
