"""The models that are timed, with random weights: what they compute costs the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# name -> (class of the model, class of its configuration, fields)
MODELS = {
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {}),
    "bert": ("BertModel", "BertConfig", {}),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        {"vocab_size": 32128, "tie_word_embeddings": True, "decoder_start_token_id": 0},
    ),
    "bert-classifier": ("BertForSequenceClassification", "BertConfig", {}),
    "llama": (
        "LlamaForCausalLM",
        "LlamaConfig",
        {
            "vocab_size": 49152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "tie_word_embeddings": True,
            "max_position_embeddings": 8192,
        },
    ),
}


# fields that make a configuration's model small enough to try the benchmark itself
SMALL: dict[str, dict[str, Any]] = {
    "GPT2Config": {"n_embd": 32, "n_layer": 2, "n_head": 2},
    "T5Config": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2},
    "BertConfig": {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
    "LlamaConfig": {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1,
    },
}  # fmt: skip


def folder(cache: Path, name: str, small: bool = False) -> Path:
    """The model's folder below `cache`, made at the first call."""
    path = cache / name
    if not (path / "config.json").exists():
        import minitransformers

        kind, config, fields = MODELS[name]
        if small:
            fields = fields | SMALL[config]
        minitransformers.set_seed(0)
        model = getattr(minitransformers, kind)(getattr(minitransformers, config)(**fields))
        model.save_pretrained(path)
    return path
