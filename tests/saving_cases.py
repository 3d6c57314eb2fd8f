"""Models that are saved, for test_saving.py and golden/make_saving.py."""

from __future__ import annotations

# case: (class, type of its configuration, arguments of save_pretrained)
CASES: dict[str, tuple[str, str, dict]] = {
    "whole": ("GPT2LMHeadModel", "gpt2", {}),
    "variant": ("GPT2LMHeadModel", "gpt2", {"variant": "fp16"}),
    "torch": ("RobertaForMaskedLM", "roberta", {"safe_serialization": False}),
    "torch variant": ("BertModel", "bert", {"safe_serialization": False, "variant": "fp16"}),
    "no language model": ("BertModel", "bert", {}),
    "shards": ("GPT2LMHeadModel", "gpt2", {"max_shard_size": "4KB"}),
    "tiny shards": ("BartForConditionalGeneration", "bart", {"max_shard_size": "1KB"}),
    "shards of a variant": ("T5ForConditionalGeneration", "t5",
                            {"max_shard_size": "5KB", "variant": "no.1"}),
    "torch shards": ("RobertaForMaskedLM", "roberta",
                     {"max_shard_size": 3000, "safe_serialization": False}),
}  # fmt: skip
