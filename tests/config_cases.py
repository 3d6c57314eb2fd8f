"""Configurations whose printed form tests/golden/configs.json holds."""

CASES: dict[str, tuple[str, dict]] = {
    "GPT-2": ("GPT2Config", {}),
    "GPT-2, changed": (
        "GPT2Config",
        {"hidden_size": 12, "n_head": 3, "num_labels": 3, "foo": [1, 2], "max_length": 50},
    ),
    "GPT-2, tutorial": (
        "GPT2Config",
        {
            "activation_function": "relu",
            "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
            "architectures": ["GPT2LMHeadModel"],
            "torch_dtype": "float32",
        },
    ),
    "BERT": ("BertConfig", {}),
    "BERT, labels": (
        "BertConfig",
        {"id2label": {"0": "no", "1": "yes", "2": "so"}, "label2id": {"no": 0, "yes": 1, "so": 2}},
    ),
    "BERT, decoder": ("BertConfig", {"is_decoder": True, "add_cross_attention": True}),
    "T5": ("T5Config", {}),
    "T5 v1.1": (
        "T5Config",
        {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_layers": 2},
    ),
    "T5, generation": ("T5Config", {"decoder_start_token_id": 0, "num_beams": 4, "max_length": 9}),
    "mT5": ("MT5Config", {}),
}
