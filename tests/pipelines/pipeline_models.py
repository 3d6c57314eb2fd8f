"""Tiny checkpoints for the pipelines: real tokenizers, weights that follow from their names.

`build(folder)` writes them with this library; the reference reads the same folders.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import tiny

import minitransformers

GOLDEN = Path(__file__).parent.parent / "golden"

TEXT = """Sarah lives in London with Wolfgang, who comes from Berlin and works for Hugging Face.
The quick brown fox jumps over the lazy dog; it was the best of times, it was the worst of times.
My name is Clara and I live in Berkeley, California. Where do I live? What is my name?
This example is politics. This example is sport. This text is about science, food and travel.
Paris is the capital of France. To be, or not to be, that is the question.
translate English to French: How old are you? summarize: We are very happy to show you a library.
Über den Wolken muß die Freiheit wohl grenzenlos sein. El niño comió mañana."""

CHAT = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
    "{% if not loop.last %}{{ ' ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' assistant:' }}{% endif %}"
)

# tokenizer.json -> tokenizer_config.json
TOKENIZERS = {
    "wordpiece": {
        "tokenizer_class": "BertTokenizer", "model_max_length": 48, "do_lower_case": True,
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
        "mask_token": "[MASK]", "clean_up_tokenization_spaces": True,
    },
    "bpe": {
        "tokenizer_class": "GPT2Tokenizer", "model_max_length": 64, "unk_token": "<|end|>",
        "bos_token": "<|end|>", "eos_token": "<|end|>", "chat_template": CHAT,
        "clean_up_tokenization_spaces": False,
    },
    "bpe-padded": {
        "tokenizer_class": "GPT2Tokenizer", "model_max_length": 64, "unk_token": "<|end|>",
        "bos_token": "<|end|>", "eos_token": "<|end|>", "pad_token": "<|pad|>",
        "padding_side": "left", "clean_up_tokenization_spaces": False,
    },
    "unigram": {
        "tokenizer_class": "T5Tokenizer", "model_max_length": 64, "extra_ids": 0,
        "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>",
        "clean_up_tokenization_spaces": True,
    },
}  # fmt: skip

_BERT = dict(
    hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
    max_position_embeddings=48, pad_token_id=0,
)  # fmt: skip
_GPT2 = dict(n_positions=64, n_embd=12, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=0)
_T5 = dict(
    d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=2, decoder_start_token_id=0,
    relative_attention_num_buckets=8, relative_attention_max_distance=16, eos_token_id=1,
    pad_token_id=0,
)  # fmt: skip
_NER = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "PRON"]
_NLI = {"contradiction": 0, "neutral": 1, "entailment": 2}


def _labels(names: list[str]) -> dict:
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: i for i, name in enumerate(names)},
    }


_T5_TASKS = {
    "summarization": {"prefix": "summarize: ", "max_length": 9, "min_length": 3, "num_beams": 2},
    "translation_en_to_fr": {"prefix": "translate English to French: ", "max_length": 10},
}

# name -> (tokenizer, model class, configuration class, fields, seed of the weights)
MODELS: dict[str, tuple] = {
    "bert": ("wordpiece", "BertModel", "BertConfig", _BERT, 0),
    "mlm": ("wordpiece", "BertForMaskedLM", "BertConfig", _BERT, 1),
    "classes": (
        "wordpiece", "BertForSequenceClassification", "BertConfig",
        _BERT | _labels(["BAD", "SO-SO", "GOOD"]), 2,
    ),
    "one-class": (
        "wordpiece", "BertForSequenceClassification", "BertConfig", _BERT | _labels(["X"]), 3,
    ),
    "many-classes": (
        "wordpiece", "BertForSequenceClassification", "BertConfig",
        _BERT | _labels(["A", "B", "C", "D"]) | {"problem_type": "multi_label_classification"}, 4,
    ),
    "regression": (
        "wordpiece", "BertForSequenceClassification", "BertConfig",
        _BERT | _labels(["SCORE"]) | {"problem_type": "regression"}, 5,
    ),
    "nli": (
        "wordpiece", "BertForSequenceClassification", "BertConfig", _BERT | _labels(list(_NLI)), 6,
    ),
    "nli-first": (
        "wordpiece", "BertForSequenceClassification", "BertConfig",
        _BERT | _labels(["ENTAILMENT", "neutral", "contradiction"]), 7,
    ),
    "ner": ("wordpiece", "BertForTokenClassification", "BertConfig", _BERT | _labels(_NER), 8),
    "ner-bpe": ("bpe", "GPT2ForTokenClassification", "GPT2Config", _GPT2 | _labels(_NER), 9),
    "qa": ("wordpiece", "BertForQuestionAnswering", "BertConfig", _BERT, 10),
    "qa-bpe": ("bpe-padded", "GPT2ForQuestionAnswering", "GPT2Config", _GPT2, 11),
    "classes-bpe": (
        "bpe-padded", "GPT2ForSequenceClassification", "GPT2Config",
        _GPT2 | _labels(["NO", "YES"]) | {"pad_token_id": 1}, 12,
    ),
    "lm": ("bpe", "GPT2LMHeadModel", "GPT2Config", _GPT2, 13),
    "lm-padded": ("bpe-padded", "GPT2LMHeadModel", "GPT2Config", _GPT2, 13),
    "lm-task": (
        "bpe", "GPT2LMHeadModel", "GPT2Config",
        _GPT2 | {"task_specific_params": {"text-generation": {"max_length": 26}}}, 13,
    ),
    "t5": ("unigram", "T5ForConditionalGeneration", "T5Config", _T5, 14),
    "t5-tasks": (
        "unigram", "T5ForConditionalGeneration", "T5Config",
        _T5 | {"task_specific_params": _T5_TASKS}, 14,
    ),
}  # fmt: skip


def train_tokenizers() -> None:
    """Write the tokenizer files beside the goldens."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers import trainers as t

    lines = TEXT.splitlines()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    wordpiece = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer(lowercase=True)
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wordpiece.train_from_iterator(lines, t.WordPieceTrainer(vocab_size=150, special_tokens=special))
    wordpiece.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    wordpiece.decoder = decoders.WordPiece()

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = t.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|end|>", "<|pad|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    bpe.train_from_iterator(lines, trainer)
    bpe.post_processor = processors.ByteLevel(trim_offsets=False)
    bpe.decoder = decoders.ByteLevel()

    unigram = Tokenizer(models.Unigram())
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.train_from_iterator(
        lines,
        t.UnigramTrainer(
            vocab_size=150, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"
        ),
    )
    unigram.post_processor = processors.TemplateProcessing(
        "$A </s>", "$A </s> $B </s>", [("</s>", 1)]
    )
    unigram.decoder = decoders.Metaspace()
    for name, tokenizer in (("wordpiece", wordpiece), ("bpe", bpe), ("unigram", unigram)):
        tokenizer.save(str(GOLDEN / f"pipelines_{name}.json"), pretty=False)


def build(folder: Path, name: str) -> str:
    """Write a checkpoint if it is not there. -> its folder"""
    place = folder / name
    if place.exists():
        return str(place)
    tokenizer, model_class, config_class, fields, seed = MODELS[name]
    place.mkdir(parents=True)
    file = GOLDEN / f"pipelines_{tokenizer.partition('-')[0]}.json"
    shutil.copy(file, place / "tokenizer.json")
    (place / "tokenizer_config.json").write_text(json.dumps(TOKENIZERS[tokenizer]))
    vocab = json.loads(file.read_text())["model"]["vocab"]
    config = getattr(minitransformers, config_class)(vocab_size=len(vocab), **fields)
    model = getattr(minitransformers, model_class)(config)
    tiny.fill(model, seed).save_pretrained(place)
    return str(place)
