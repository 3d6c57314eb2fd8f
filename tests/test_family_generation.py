"""Greedy and beam search of every generative architecture against the reference's tokens."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import CONFIGS, fill

# class -> model_type
MODELS = {
    "BartForCausalLM": "bart",
    "BartForConditionalGeneration": "bart",
    "BertLMHeadModel": "bert",
    "BigBirdForCausalLM": "big_bird",
    "BigBirdPegasusForConditionalGeneration": "bigbird_pegasus",
    "BlenderbotForConditionalGeneration": "blenderbot",
    "BlenderbotSmallForConditionalGeneration": "blenderbot-small",
    "BloomForCausalLM": "bloom",
    "CodeGenForCausalLM": "codegen",
    "ElectraForCausalLM": "electra",
    "EncoderDecoderModel": "encoder-decoder",
    "FalconForCausalLM": "falcon",
    "GPTBigCodeForCausalLM": "gpt_bigcode",
    "GPTJForCausalLM": "gptj",
    "GPTNeoForCausalLM": "gpt_neo",
    "GPTNeoXForCausalLM": "gpt_neox",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3_text",
    "GemmaForCausalLM": "gemma",
    "LEDForConditionalGeneration": "led",
    "LlamaForCausalLM": "llama",
    "M2M100ForConditionalGeneration": "m2m_100",
    "MBartForConditionalGeneration": "mbart",
    "MT5ForConditionalGeneration": "mt5",
    "MarianMTModel": "marian",
    "MistralForCausalLM": "mistral",
    "MixtralForCausalLM": "mixtral",
    "MptForCausalLM": "mpt",
    "OPTForCausalLM": "opt",
    "Olmo2ForCausalLM": "olmo2",
    "OpenAIGPTLMHeadModel": "openai-gpt",
    "PegasusForConditionalGeneration": "pegasus",
    "Phi3ForCausalLM": "phi3",
    "PhiForCausalLM": "phi",
    "ProphetNetForCausalLM": "prophetnet",
    "ProphetNetForConditionalGeneration": "prophetnet",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "RobertaForCausalLM": "roberta",
    "SmolLM3ForCausalLM": "smollm3",
    "StableLmForCausalLM": "stablelm",
    "T5ForConditionalGeneration": "t5",
    "UMT5ForConditionalGeneration": "umt5",
    "XLNetLMHeadModel": "xlnet",
}
MODES: dict[str, dict[str, Any]] = {
    "greedy": {"max_new_tokens": 9, "num_beams": 1, "do_sample": False},
    "beams": {"max_new_tokens": 9, "num_beams": 3, "do_sample": False, "length_penalty": 0.5},
}
IDS = np.array([[5, 6, 7, 8, 9, 11], [3, 4, 11, 12, 13, 6], [14, 15, 16, 17, 18, 3]])
MASK = np.array([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
# decoders only if the configuration says so
ENCODERS = ("bert", "big_bird", "electra", "roberta")
# the reference leaves the start token to the caller
STARTS = {"mt5": 0, "mbart": 4}


def fields_of(name: str, kind: str) -> dict[str, Any]:
    fields = {"eos_token_id": 2} | CONFIGS[kind]
    if name.endswith(("ForCausalLM", "LMHeadModel")) and kind in ENCODERS:
        fields["is_decoder"] = True
    if kind in ("gemma2", "gemma3_text", "olmo2", "qwen3", "smollm3"):
        fields["pad_token_id"] = 1  # later references' beams take a pad token 0 for none
    if kind == "qwen2":  # the reference's window starts at this layer only with flash attention
        fields["max_window_layers"] = 0
    return fields | ({"decoder_start_token_id": STARTS[kind]} if kind in STARTS else {})


def inputs_of(config: Any) -> dict[str, np.ndarray]:
    """A batch padded on the left."""
    forgetful = config.model_type == "prophetnet" and not config.is_encoder_decoder
    if forgetful or config.model_type in ("openai-gpt", "xlnet"):  # the reference forgets the mask
        return {"input_ids": IDS}
    pad = 0 if config.pad_token_id is None else config.pad_token_id
    return {"input_ids": np.where(MASK == 0, pad, IDS), "attention_mask": MASK}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MODELS)
def test_tokens_are_the_references(name: str, mode: str) -> None:
    import minitransformers

    answers = json.loads((Path(__file__).parent / "golden/family_generation.json").read_text())
    cls = getattr(minitransformers, name)
    model = fill(cls(cls.config_class(**copy.deepcopy(fields_of(name, MODELS[name])))))
    got = model.generate(**inputs_of(model.config), **MODES[mode])
    assert np.asarray(got).tolist() == answers[f"{name} {mode}"]


def test_an_encoder_sees_both_ways_when_it_generates() -> None:
    """Without is_decoder nothing can be cached: each step is a pass over the whole text."""
    from minitransformers import BertConfig, BertLMHeadModel

    model = fill(BertLMHeadModel(BertConfig(**CONFIGS["bert"])))
    ids = np.arange(12).reshape(2, 6) + 3
    got = model.generate(ids, max_new_tokens=6, do_sample=False)
    assert got[:, 6:].tolist() == [[27, 27, 27, 27, 27, 20], [27] * 6]  # transformers 4.46.3
