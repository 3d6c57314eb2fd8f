"""Classes whose files are loaded into each other, base models and heads of one architecture."""

from __future__ import annotations

from collections.abc import Iterator

CLASSES = {
    "BertModel": "bert",
    "BertForMaskedLM": "bert",
    "BertForPreTraining": "bert",
    "BertForTokenClassification": "bert",
    "RobertaModel": "roberta",
    "RobertaForMaskedLM": "roberta",
    "RobertaForSequenceClassification": "roberta",
    "XLMRobertaForMaskedLM": "xlm-roberta",
    "XLMRobertaForMultipleChoice": "xlm-roberta",
    "DistilBertModel": "distilbert",
    "DistilBertForMaskedLM": "distilbert",
    "DistilBertForSequenceClassification": "distilbert",
    "AlbertModel": "albert",
    "AlbertForMaskedLM": "albert",
    "ElectraForPreTraining": "electra",
    "ElectraForMaskedLM": "electra",
    "DebertaV2Model": "deberta-v2",
    "DebertaV2ForMaskedLM": "deberta-v2",
    "MobileBertModel": "mobilebert",
    "MobileBertForMaskedLM": "mobilebert",
    "GPT2Model": "gpt2",
    "GPT2LMHeadModel": "gpt2",
    "GPT2ForSequenceClassification": "gpt2",
    "LlamaModel": "llama",
    "LlamaForCausalLM": "llama",
    "LlamaForTokenClassification": "llama",
    "LlamaForQuestionAnswering": "llama",
    "OPTModel": "opt",
    "OPTForCausalLM": "opt",
    "BloomModel": "bloom",
    "BloomForCausalLM": "bloom",
    "BartModel": "bart",
    "BartForCausalLM": "bart",
    "BartForConditionalGeneration": "bart",
    "T5Model": "t5",
    "T5EncoderModel": "t5",
    "T5ForConditionalGeneration": "t5",
    "T5ForSequenceClassification": "t5",
    "MT5EncoderModel": "mt5",
    "MT5ForConditionalGeneration": "mt5",
    "XLNetModel": "xlnet",
    "XLNetLMHeadModel": "xlnet",
}
CHANGES: dict[str, dict] = {
    "": {},
    "sizes": {"vocab_size": 41, "num_labels": 5, "ignore_mismatched_sizes": True},
}


def pairs() -> Iterator[tuple[str, str]]:
    """(class that made a file, class that loads it)"""
    for stored, family in CLASSES.items():
        for name, other in CLASSES.items():
            if family == other:
                yield stored, name
