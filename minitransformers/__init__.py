"""The Transformers API in pure NumPy: the same names, the same outputs, the same tokens.

Names are resolved when first used (PEP 562), so that importing the package does no work.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# module -> the public names it holds
_PUBLIC: dict[str, tuple[str, ...]] = {
    "core.cache": ("KVCache",),
    "core.output": ("ModelOutput",),
    "core.random": ("set_seed",),
    "core.threads": ("get_num_threads", "set_num_threads"),
    "generation.config": ("GenerationConfig",),
    "generation.generate": ("generate_steps",),
    "generation.processors": ("LogitsProcessor", "LogitsProcessorList"),
    "generation.stopping": (
        "EosTokenCriteria",
        "MaxLengthCriteria",
        "MaxTimeCriteria",
        "StoppingCriteria",
        "StoppingCriteriaList",
    ),
    "generation.streamers": ("TextIteratorStreamer", "TextStreamer"),
    "models.albert": (
        "AlbertConfig",
        "AlbertForMaskedLM",
        "AlbertForMultipleChoice",
        "AlbertForPreTraining",
        "AlbertForQuestionAnswering",
        "AlbertForSequenceClassification",
        "AlbertForTokenClassification",
        "AlbertModel",
    ),
    "models.auto": (
        "AutoConfig",
        "AutoModel",
        "AutoModelForCausalLM",
        "AutoModelForMaskGeneration",
        "AutoModelForMaskedLM",
        "AutoModelForMultipleChoice",
        "AutoModelForNextSentencePrediction",
        "AutoModelForPreTraining",
        "AutoModelForQuestionAnswering",
        "AutoModelForSeq2SeqLM",
        "AutoModelForSequenceClassification",
        "AutoModelForTextEncoding",
        "AutoModelForTokenClassification",
    ),
    "models.bart": (
        "BartConfig",
        "BartForCausalLM",
        "BartForConditionalGeneration",
        "BartForQuestionAnswering",
        "BartForSequenceClassification",
        "BartModel",
    ),
    "models.bert": (
        "BertConfig",
        "BertForMaskedLM",
        "BertForMultipleChoice",
        "BertForNextSentencePrediction",
        "BertForPreTraining",
        "BertForQuestionAnswering",
        "BertForSequenceClassification",
        "BertForTokenClassification",
        "BertLMHeadModel",
        "BertModel",
    ),
    "models.blenderbot": (
        "BlenderbotConfig",
        "BlenderbotForCausalLM",
        "BlenderbotForConditionalGeneration",
        "BlenderbotModel",
    ),
    "models.blenderbot_small": (
        "BlenderbotSmallConfig",
        "BlenderbotSmallForCausalLM",
        "BlenderbotSmallForConditionalGeneration",
        "BlenderbotSmallModel",
    ),
    "models.camembert": (
        "CamembertConfig",
        "CamembertForCausalLM",
        "CamembertForMaskedLM",
        "CamembertForMultipleChoice",
        "CamembertForQuestionAnswering",
        "CamembertForSequenceClassification",
        "CamembertForTokenClassification",
        "CamembertModel",
    ),
    "models.config": ("PretrainedConfig",),
    "models.deberta": (
        "DebertaConfig",
        "DebertaForMaskedLM",
        "DebertaForQuestionAnswering",
        "DebertaForSequenceClassification",
        "DebertaForTokenClassification",
        "DebertaModel",
    ),
    "models.deberta_v2": (
        "DebertaV2Config",
        "DebertaV2ForMaskedLM",
        "DebertaV2ForMultipleChoice",
        "DebertaV2ForQuestionAnswering",
        "DebertaV2ForSequenceClassification",
        "DebertaV2ForTokenClassification",
        "DebertaV2Model",
    ),
    "models.distilbert": (
        "DistilBertConfig",
        "DistilBertForMaskedLM",
        "DistilBertForMultipleChoice",
        "DistilBertForQuestionAnswering",
        "DistilBertForSequenceClassification",
        "DistilBertForTokenClassification",
        "DistilBertModel",
    ),
    "models.electra": (
        "ElectraConfig",
        "ElectraForCausalLM",
        "ElectraForMaskedLM",
        "ElectraForMultipleChoice",
        "ElectraForPreTraining",
        "ElectraForQuestionAnswering",
        "ElectraForSequenceClassification",
        "ElectraForTokenClassification",
        "ElectraModel",
    ),
    "models.gpt2": (
        "GPT2Config",
        "GPT2DoubleHeadsModel",
        "GPT2ForQuestionAnswering",
        "GPT2ForSequenceClassification",
        "GPT2ForTokenClassification",
        "GPT2LMHeadModel",
        "GPT2Model",
    ),
    "models.m2m_100": ("M2M100Config", "M2M100ForConditionalGeneration", "M2M100Model"),
    "models.marian": ("MarianConfig", "MarianForCausalLM", "MarianMTModel", "MarianModel"),
    "models.mbart": (
        "MBartConfig",
        "MBartForCausalLM",
        "MBartForConditionalGeneration",
        "MBartForQuestionAnswering",
        "MBartForSequenceClassification",
        "MBartModel",
    ),
    "models.modeling": ("PreTrainedModel",),
    "models.mpnet": (
        "MPNetConfig",
        "MPNetForMaskedLM",
        "MPNetForMultipleChoice",
        "MPNetForQuestionAnswering",
        "MPNetForSequenceClassification",
        "MPNetForTokenClassification",
        "MPNetModel",
    ),
    "models.mt5": (
        "MT5Config",
        "MT5EncoderModel",
        "MT5ForConditionalGeneration",
        "MT5ForQuestionAnswering",
        "MT5ForSequenceClassification",
        "MT5ForTokenClassification",
        "MT5Model",
    ),
    "models.pegasus": (
        "PegasusConfig",
        "PegasusForCausalLM",
        "PegasusForConditionalGeneration",
        "PegasusModel",
    ),
    "models.roberta": (
        "RobertaConfig",
        "RobertaForCausalLM",
        "RobertaForMaskedLM",
        "RobertaForMultipleChoice",
        "RobertaForQuestionAnswering",
        "RobertaForSequenceClassification",
        "RobertaForTokenClassification",
        "RobertaModel",
    ),
    "models.t5": (
        "T5Config",
        "T5EncoderModel",
        "T5ForConditionalGeneration",
        "T5ForQuestionAnswering",
        "T5ForSequenceClassification",
        "T5ForTokenClassification",
        "T5Model",
    ),
    "models.umt5": (
        "UMT5Config",
        "UMT5EncoderModel",
        "UMT5ForConditionalGeneration",
        "UMT5ForQuestionAnswering",
        "UMT5ForSequenceClassification",
        "UMT5ForTokenClassification",
        "UMT5Model",
    ),
    "models.xlm_roberta": (
        "XLMRobertaConfig",
        "XLMRobertaForCausalLM",
        "XLMRobertaForMaskedLM",
        "XLMRobertaForMultipleChoice",
        "XLMRobertaForQuestionAnswering",
        "XLMRobertaForSequenceClassification",
        "XLMRobertaForTokenClassification",
        "XLMRobertaModel",
    ),
    "pipelines": ("pipeline",),
    "pipelines.base": ("Pipeline", "PipelineException"),
    "pipelines.feature_extraction": ("FeatureExtractionPipeline",),
    "pipelines.fill_mask": ("FillMaskPipeline",),
    "pipelines.text_classification": ("TextClassificationPipeline",),
    "pipelines.text_generation": ("TextGenerationPipeline",),
    "tokenization": ("AutoTokenizer", "BatchEncoding", "PreTrainedTokenizerFast"),
}
_MODULES = ("core", "generation", "hub", "logging", "models", "pipelines", "tokenization")
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = [*_HOME, "__version__", "logging"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(
        f"minitransformers has no {name!r}. See `dir(minitransformers)` for what it has"
    )


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
