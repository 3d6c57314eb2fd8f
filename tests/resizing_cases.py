"""Models whose vocabulary is resized, for test_resizing.py and golden/make_resizing.py."""

from __future__ import annotations

from tiny import CONFIGS

# class -> type of its configuration; each with its matrices tied and not
TIED_AND_NOT = {
    "GPT2LMHeadModel": "gpt2",
    "BertForMaskedLM": "bert",
    "RobertaForMaskedLM": "roberta",
    "DistilBertForMaskedLM": "distilbert",
    "ElectraForMaskedLM": "electra",
    "AlbertForMaskedLM": "albert",
    "MobileBertForPreTraining": "mobilebert",
    "T5ForConditionalGeneration": "t5",
    "BartForConditionalGeneration": "bart",
    "BartForCausalLM": "bart",
    "MarianMTModel": "marian",
    "LlamaForCausalLM": "llama",
    "GPTNeoXForCausalLM": "gpt_neox",
}
ONCE = {"BertModel": "bert", "T5Model": "t5", "LlamaForSequenceClassification": "llama"}
APART = CONFIGS["marian"] | {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 29}

# case: (class, configuration, arguments of resize_token_embeddings)
CASES: dict[str, tuple[str, dict, dict]] = {}
for name, kind in TIED_AND_NOT.items():
    for tied in (True, False):
        fields = CONFIGS[kind] | {"tie_word_embeddings": tied}
        label = f"{name} {'tied' if tied else 'apart'}"
        CASES[f"{label} more"] = name, fields, {"new_num_tokens": 41}
        if name in ("BertForMaskedLM", "BartForConditionalGeneration"):
            CASES[f"{label} fewer"] = name, fields, {"new_num_tokens": 30}
        if name in ("GPT2LMHeadModel", "LlamaForCausalLM", "DistilBertForMaskedLM") or kind == "t5":
            drawn = {"new_num_tokens": 45, "mean_resizing": False}
            CASES[f"{label} drawn"] = name, fields, drawn
for name, kind in ONCE.items():
    CASES[f"{name} more"] = name, CONFIGS[kind], {"new_num_tokens": 41}
CASES["padded"] = (
    "GPT2LMHeadModel",
    CONFIGS["gpt2"],
    {"new_num_tokens": 41, "pad_to_multiple_of": 8},
)
CASES["padded only"] = "GPT2LMHeadModel", CONFIGS["gpt2"], {"pad_to_multiple_of": 64}
CASES["two vocabularies"] = "MarianMTModel", APART, {"new_num_tokens": 41}
