"""Which class implements which task of which architecture, and the Auto classes that look it up."""

from __future__ import annotations

import importlib
import os
from typing import Any, ClassVar

from .. import hub
from ..adapters.base_model import through_adapter
from ..layouts import into_transformer
from .config import PretrainedConfig
from .untrusted import blaming

# model_type -> task -> class, in the module of that name. The first entry is the configuration.
MODELS: dict[str, dict[str, str]] = {
    "albert": {
        "config": "AlbertConfig",
        "base": "AlbertModel",
        "pretraining": "AlbertForPreTraining",
        "masked-lm": "AlbertForMaskedLM",
        "sequence-classification": "AlbertForSequenceClassification",
        "multiple-choice": "AlbertForMultipleChoice",
        "token-classification": "AlbertForTokenClassification",
        "question-answering": "AlbertForQuestionAnswering",
        "text-encoding": "AlbertModel",
    },
    "bart": {
        "config": "BartConfig",
        "base": "BartModel",
        "pretraining": "BartForConditionalGeneration",
        "causal-lm": "BartForCausalLM",
        "masked-lm": "BartForConditionalGeneration",
        "seq2seq-lm": "BartForConditionalGeneration",
        "sequence-classification": "BartForSequenceClassification",
        "question-answering": "BartForQuestionAnswering",
    },
    "bert": {
        "config": "BertConfig",
        "base": "BertModel",
        "pretraining": "BertForPreTraining",
        "causal-lm": "BertLMHeadModel",
        "masked-lm": "BertForMaskedLM",
        "next-sentence": "BertForNextSentencePrediction",
        "sequence-classification": "BertForSequenceClassification",
        "multiple-choice": "BertForMultipleChoice",
        "token-classification": "BertForTokenClassification",
        "question-answering": "BertForQuestionAnswering",
        "text-encoding": "BertModel",
    },
    "big_bird": {
        "config": "BigBirdConfig",
        "base": "BigBirdModel",
        "pretraining": "BigBirdForPreTraining",
        "causal-lm": "BigBirdForCausalLM",
        "masked-lm": "BigBirdForMaskedLM",
        "sequence-classification": "BigBirdForSequenceClassification",
        "multiple-choice": "BigBirdForMultipleChoice",
        "token-classification": "BigBirdForTokenClassification",
        "question-answering": "BigBirdForQuestionAnswering",
        "text-encoding": "BigBirdModel",
    },
    "bigbird_pegasus": {
        "config": "BigBirdPegasusConfig",
        "base": "BigBirdPegasusModel",
        "causal-lm": "BigBirdPegasusForCausalLM",
        "seq2seq-lm": "BigBirdPegasusForConditionalGeneration",
        "sequence-classification": "BigBirdPegasusForSequenceClassification",
        "question-answering": "BigBirdPegasusForQuestionAnswering",
    },
    "blenderbot": {
        "config": "BlenderbotConfig",
        "base": "BlenderbotModel",
        "causal-lm": "BlenderbotForCausalLM",
        "seq2seq-lm": "BlenderbotForConditionalGeneration",
    },
    "blenderbot-small": {
        "config": "BlenderbotSmallConfig",
        "base": "BlenderbotSmallModel",
        "causal-lm": "BlenderbotSmallForCausalLM",
        "seq2seq-lm": "BlenderbotSmallForConditionalGeneration",
    },
    "bloom": {
        "config": "BloomConfig",
        "base": "BloomModel",
        "pretraining": "BloomForCausalLM",
        "causal-lm": "BloomForCausalLM",
        "sequence-classification": "BloomForSequenceClassification",
        "token-classification": "BloomForTokenClassification",
        "question-answering": "BloomForQuestionAnswering",
    },
    "camembert": {
        "config": "CamembertConfig",
        "base": "CamembertModel",
        "pretraining": "CamembertForMaskedLM",
        "causal-lm": "CamembertForCausalLM",
        "masked-lm": "CamembertForMaskedLM",
        "sequence-classification": "CamembertForSequenceClassification",
        "multiple-choice": "CamembertForMultipleChoice",
        "token-classification": "CamembertForTokenClassification",
        "question-answering": "CamembertForQuestionAnswering",
    },
    "codegen": {
        "config": "CodeGenConfig",
        "base": "CodeGenModel",
        "causal-lm": "CodeGenForCausalLM",
    },
    "convbert": {
        "config": "ConvBertConfig",
        "base": "ConvBertModel",
        "masked-lm": "ConvBertForMaskedLM",
        "sequence-classification": "ConvBertForSequenceClassification",
        "multiple-choice": "ConvBertForMultipleChoice",
        "token-classification": "ConvBertForTokenClassification",
        "question-answering": "ConvBertForQuestionAnswering",
    },
    "deberta": {
        "config": "DebertaConfig",
        "base": "DebertaModel",
        "pretraining": "DebertaForMaskedLM",
        "masked-lm": "DebertaForMaskedLM",
        "sequence-classification": "DebertaForSequenceClassification",
        "token-classification": "DebertaForTokenClassification",
        "question-answering": "DebertaForQuestionAnswering",
        "text-encoding": "DebertaModel",
    },
    "deberta-v2": {
        "config": "DebertaV2Config",
        "base": "DebertaV2Model",
        "pretraining": "DebertaV2ForMaskedLM",
        "masked-lm": "DebertaV2ForMaskedLM",
        "sequence-classification": "DebertaV2ForSequenceClassification",
        "multiple-choice": "DebertaV2ForMultipleChoice",
        "token-classification": "DebertaV2ForTokenClassification",
        "question-answering": "DebertaV2ForQuestionAnswering",
        "text-encoding": "DebertaV2Model",
    },
    "distilbert": {
        "config": "DistilBertConfig",
        "base": "DistilBertModel",
        "pretraining": "DistilBertForMaskedLM",
        "masked-lm": "DistilBertForMaskedLM",
        "sequence-classification": "DistilBertForSequenceClassification",
        "multiple-choice": "DistilBertForMultipleChoice",
        "token-classification": "DistilBertForTokenClassification",
        "question-answering": "DistilBertForQuestionAnswering",
        "text-encoding": "DistilBertModel",
    },
    "electra": {
        "config": "ElectraConfig",
        "base": "ElectraModel",
        "pretraining": "ElectraForPreTraining",
        "causal-lm": "ElectraForCausalLM",
        "masked-lm": "ElectraForMaskedLM",
        "sequence-classification": "ElectraForSequenceClassification",
        "multiple-choice": "ElectraForMultipleChoice",
        "token-classification": "ElectraForTokenClassification",
        "question-answering": "ElectraForQuestionAnswering",
        "text-encoding": "ElectraModel",
    },
    "encoder-decoder": {
        "config": "EncoderDecoderConfig",
        "seq2seq-lm": "EncoderDecoderModel",
    },
    "esm": {
        "config": "EsmConfig",
        "base": "EsmModel",
        "masked-lm": "EsmForMaskedLM",
        "sequence-classification": "EsmForSequenceClassification",
        "token-classification": "EsmForTokenClassification",
    },
    "falcon": {
        "config": "FalconConfig",
        "base": "FalconModel",
        "causal-lm": "FalconForCausalLM",
        "sequence-classification": "FalconForSequenceClassification",
        "token-classification": "FalconForTokenClassification",
        "question-answering": "FalconForQuestionAnswering",
    },
    "fnet": {
        "config": "FNetConfig",
        "base": "FNetModel",
        "pretraining": "FNetForPreTraining",
        "masked-lm": "FNetForMaskedLM",
        "next-sentence": "FNetForNextSentencePrediction",
        "sequence-classification": "FNetForSequenceClassification",
        "multiple-choice": "FNetForMultipleChoice",
        "token-classification": "FNetForTokenClassification",
        "question-answering": "FNetForQuestionAnswering",
    },
    "gemma": {
        "config": "GemmaConfig",
        "base": "GemmaModel",
        "causal-lm": "GemmaForCausalLM",
        "sequence-classification": "GemmaForSequenceClassification",
        "token-classification": "GemmaForTokenClassification",
    },
    "gemma2": {
        "config": "Gemma2Config",
        "base": "Gemma2Model",
        "causal-lm": "Gemma2ForCausalLM",
        "sequence-classification": "Gemma2ForSequenceClassification",
        "token-classification": "Gemma2ForTokenClassification",
    },
    "gemma3_text": {
        "config": "Gemma3TextConfig",
        "base": "Gemma3TextModel",
        "causal-lm": "Gemma3ForCausalLM",
        "sequence-classification": "Gemma3TextForSequenceClassification",
    },
    "gpt2": {
        "config": "GPT2Config",
        "base": "GPT2Model",
        "pretraining": "GPT2LMHeadModel",
        "causal-lm": "GPT2LMHeadModel",
        "sequence-classification": "GPT2ForSequenceClassification",
        "token-classification": "GPT2ForTokenClassification",
        "question-answering": "GPT2ForQuestionAnswering",
    },
    "gpt_bigcode": {
        "config": "GPTBigCodeConfig",
        "base": "GPTBigCodeModel",
        "pretraining": "GPTBigCodeForCausalLM",
        "causal-lm": "GPTBigCodeForCausalLM",
        "sequence-classification": "GPTBigCodeForSequenceClassification",
        "token-classification": "GPTBigCodeForTokenClassification",
    },
    "gpt_neo": {
        "config": "GPTNeoConfig",
        "base": "GPTNeoModel",
        "causal-lm": "GPTNeoForCausalLM",
        "sequence-classification": "GPTNeoForSequenceClassification",
        "token-classification": "GPTNeoForTokenClassification",
        "question-answering": "GPTNeoForQuestionAnswering",
    },
    "gpt_neox": {
        "config": "GPTNeoXConfig",
        "base": "GPTNeoXModel",
        "causal-lm": "GPTNeoXForCausalLM",
        "sequence-classification": "GPTNeoXForSequenceClassification",
        "token-classification": "GPTNeoXForTokenClassification",
        "question-answering": "GPTNeoXForQuestionAnswering",
    },
    "gptj": {
        "config": "GPTJConfig",
        "base": "GPTJModel",
        "causal-lm": "GPTJForCausalLM",
        "sequence-classification": "GPTJForSequenceClassification",
        "question-answering": "GPTJForQuestionAnswering",
    },
    "led": {
        "config": "LEDConfig",
        "base": "LEDModel",
        "seq2seq-lm": "LEDForConditionalGeneration",
        "sequence-classification": "LEDForSequenceClassification",
        "question-answering": "LEDForQuestionAnswering",
    },
    "llama": {
        "config": "LlamaConfig",
        "base": "LlamaModel",
        "causal-lm": "LlamaForCausalLM",
        "sequence-classification": "LlamaForSequenceClassification",
        "token-classification": "LlamaForTokenClassification",
        "question-answering": "LlamaForQuestionAnswering",
    },
    "longformer": {
        "config": "LongformerConfig",
        "base": "LongformerModel",
        "pretraining": "LongformerForMaskedLM",
        "masked-lm": "LongformerForMaskedLM",
        "sequence-classification": "LongformerForSequenceClassification",
        "multiple-choice": "LongformerForMultipleChoice",
        "token-classification": "LongformerForTokenClassification",
        "question-answering": "LongformerForQuestionAnswering",
        "text-encoding": "LongformerModel",
    },
    "m2m_100": {
        "config": "M2M100Config",
        "base": "M2M100Model",
        "seq2seq-lm": "M2M100ForConditionalGeneration",
    },
    "marian": {
        "config": "MarianConfig",
        "base": "MarianModel",
        "causal-lm": "MarianForCausalLM",
        "seq2seq-lm": "MarianMTModel",
    },
    "mbart": {
        "config": "MBartConfig",
        "base": "MBartModel",
        "causal-lm": "MBartForCausalLM",
        "masked-lm": "MBartForConditionalGeneration",
        "seq2seq-lm": "MBartForConditionalGeneration",
        "sequence-classification": "MBartForSequenceClassification",
        "question-answering": "MBartForQuestionAnswering",
    },
    "mistral": {
        "config": "MistralConfig",
        "base": "MistralModel",
        "causal-lm": "MistralForCausalLM",
        "sequence-classification": "MistralForSequenceClassification",
        "token-classification": "MistralForTokenClassification",
        "question-answering": "MistralForQuestionAnswering",
    },
    "mixtral": {
        "config": "MixtralConfig",
        "base": "MixtralModel",
        "causal-lm": "MixtralForCausalLM",
        "sequence-classification": "MixtralForSequenceClassification",
        "token-classification": "MixtralForTokenClassification",
        "question-answering": "MixtralForQuestionAnswering",
    },
    "mobilebert": {
        "config": "MobileBertConfig",
        "base": "MobileBertModel",
        "pretraining": "MobileBertForPreTraining",
        "masked-lm": "MobileBertForMaskedLM",
        "next-sentence": "MobileBertForNextSentencePrediction",
        "sequence-classification": "MobileBertForSequenceClassification",
        "multiple-choice": "MobileBertForMultipleChoice",
        "token-classification": "MobileBertForTokenClassification",
        "question-answering": "MobileBertForQuestionAnswering",
        "text-encoding": "MobileBertModel",
    },
    "modernbert": {
        "config": "ModernBertConfig",
        "base": "ModernBertModel",
        "masked-lm": "ModernBertForMaskedLM",
        "sequence-classification": "ModernBertForSequenceClassification",
        "multiple-choice": "ModernBertForMultipleChoice",
        "token-classification": "ModernBertForTokenClassification",
        "question-answering": "ModernBertForQuestionAnswering",
    },
    "mpnet": {
        "config": "MPNetConfig",
        "base": "MPNetModel",
        "pretraining": "MPNetForMaskedLM",
        "masked-lm": "MPNetForMaskedLM",
        "sequence-classification": "MPNetForSequenceClassification",
        "multiple-choice": "MPNetForMultipleChoice",
        "token-classification": "MPNetForTokenClassification",
        "question-answering": "MPNetForQuestionAnswering",
    },
    "mpt": {
        "config": "MptConfig",
        "base": "MptModel",
        "pretraining": "MptForCausalLM",
        "causal-lm": "MptForCausalLM",
        "sequence-classification": "MptForSequenceClassification",
        "token-classification": "MptForTokenClassification",
        "question-answering": "MptForQuestionAnswering",
    },
    "mt5": {
        "config": "MT5Config",
        "base": "MT5Model",
        "pretraining": "MT5ForConditionalGeneration",
        "seq2seq-lm": "MT5ForConditionalGeneration",
        "sequence-classification": "MT5ForSequenceClassification",
        "token-classification": "MT5ForTokenClassification",
        "question-answering": "MT5ForQuestionAnswering",
        "text-encoding": "MT5EncoderModel",
    },
    "olmo2": {
        "config": "Olmo2Config",
        "base": "Olmo2Model",
        "causal-lm": "Olmo2ForCausalLM",
    },
    "openai-gpt": {
        "config": "OpenAIGPTConfig",
        "base": "OpenAIGPTModel",
        "pretraining": "OpenAIGPTLMHeadModel",
        "causal-lm": "OpenAIGPTLMHeadModel",
        "sequence-classification": "OpenAIGPTForSequenceClassification",
    },
    "opt": {
        "config": "OPTConfig",
        "base": "OPTModel",
        "causal-lm": "OPTForCausalLM",
        "sequence-classification": "OPTForSequenceClassification",
        "question-answering": "OPTForQuestionAnswering",
    },
    "pegasus": {
        "config": "PegasusConfig",
        "base": "PegasusModel",
        "causal-lm": "PegasusForCausalLM",
        "seq2seq-lm": "PegasusForConditionalGeneration",
    },
    "phi": {
        "config": "PhiConfig",
        "base": "PhiModel",
        "causal-lm": "PhiForCausalLM",
        "sequence-classification": "PhiForSequenceClassification",
        "token-classification": "PhiForTokenClassification",
    },
    "phi3": {
        "config": "Phi3Config",
        "base": "Phi3Model",
        "causal-lm": "Phi3ForCausalLM",
        "sequence-classification": "Phi3ForSequenceClassification",
        "token-classification": "Phi3ForTokenClassification",
    },
    "prophetnet": {
        "config": "ProphetNetConfig",
        "base": "ProphetNetModel",
        "causal-lm": "ProphetNetForCausalLM",
        "seq2seq-lm": "ProphetNetForConditionalGeneration",
    },
    "qwen2": {
        "config": "Qwen2Config",
        "base": "Qwen2Model",
        "causal-lm": "Qwen2ForCausalLM",
        "sequence-classification": "Qwen2ForSequenceClassification",
        "token-classification": "Qwen2ForTokenClassification",
        "question-answering": "Qwen2ForQuestionAnswering",
    },
    "qwen3": {
        "config": "Qwen3Config",
        "base": "Qwen3Model",
        "causal-lm": "Qwen3ForCausalLM",
        "sequence-classification": "Qwen3ForSequenceClassification",
        "token-classification": "Qwen3ForTokenClassification",
        "question-answering": "Qwen3ForQuestionAnswering",
    },
    "roberta": {
        "config": "RobertaConfig",
        "base": "RobertaModel",
        "pretraining": "RobertaForMaskedLM",
        "causal-lm": "RobertaForCausalLM",
        "masked-lm": "RobertaForMaskedLM",
        "sequence-classification": "RobertaForSequenceClassification",
        "multiple-choice": "RobertaForMultipleChoice",
        "token-classification": "RobertaForTokenClassification",
        "question-answering": "RobertaForQuestionAnswering",
        "text-encoding": "RobertaModel",
    },
    "smollm3": {
        "config": "SmolLM3Config",
        "base": "SmolLM3Model",
        "causal-lm": "SmolLM3ForCausalLM",
        "sequence-classification": "SmolLM3ForSequenceClassification",
        "token-classification": "SmolLM3ForTokenClassification",
        "question-answering": "SmolLM3ForQuestionAnswering",
    },
    "squeezebert": {
        "config": "SqueezeBertConfig",
        "base": "SqueezeBertModel",
        "pretraining": "SqueezeBertForMaskedLM",
        "masked-lm": "SqueezeBertForMaskedLM",
        "sequence-classification": "SqueezeBertForSequenceClassification",
        "multiple-choice": "SqueezeBertForMultipleChoice",
        "token-classification": "SqueezeBertForTokenClassification",
        "question-answering": "SqueezeBertForQuestionAnswering",
        "text-encoding": "SqueezeBertModel",
    },
    "stablelm": {
        "config": "StableLmConfig",
        "base": "StableLmModel",
        "causal-lm": "StableLmForCausalLM",
        "sequence-classification": "StableLmForSequenceClassification",
        "token-classification": "StableLmForTokenClassification",
    },
    "t5": {
        "config": "T5Config",
        "base": "T5Model",
        "pretraining": "T5ForConditionalGeneration",
        "seq2seq-lm": "T5ForConditionalGeneration",
        "sequence-classification": "T5ForSequenceClassification",
        "token-classification": "T5ForTokenClassification",
        "question-answering": "T5ForQuestionAnswering",
        "text-encoding": "T5EncoderModel",
    },
    "umt5": {
        "config": "UMT5Config",
        "base": "UMT5Model",
        "seq2seq-lm": "UMT5ForConditionalGeneration",
        "sequence-classification": "UMT5ForSequenceClassification",
        "token-classification": "UMT5ForTokenClassification",
        "question-answering": "UMT5ForQuestionAnswering",
        "text-encoding": "UMT5EncoderModel",
    },
    "xlm-roberta": {
        "config": "XLMRobertaConfig",
        "base": "XLMRobertaModel",
        "pretraining": "XLMRobertaForMaskedLM",
        "causal-lm": "XLMRobertaForCausalLM",
        "masked-lm": "XLMRobertaForMaskedLM",
        "sequence-classification": "XLMRobertaForSequenceClassification",
        "multiple-choice": "XLMRobertaForMultipleChoice",
        "token-classification": "XLMRobertaForTokenClassification",
        "question-answering": "XLMRobertaForQuestionAnswering",
        "text-encoding": "XLMRobertaModel",
    },
    "xlnet": {
        "config": "XLNetConfig",
        "base": "XLNetModel",
        "pretraining": "XLNetLMHeadModel",
        "causal-lm": "XLNetLMHeadModel",
        "sequence-classification": "XLNetForSequenceClassification",
        "multiple-choice": "XLNetForMultipleChoice",
        "token-classification": "XLNetForTokenClassification",
        "question-answering": "XLNetForQuestionAnsweringSimple",
    },
}

_registered_configs: dict[str, type[PretrainedConfig]] = {}
_registered_models: dict[tuple[str, type[PretrainedConfig]], type] = {}


def _load(model_type: str, class_name: str) -> Any:
    module = importlib.import_module(f".{model_type.replace('-', '_')}", __package__)
    return getattr(module, class_name)


def config_class(model_type: str) -> type[PretrainedConfig]:
    """The configuration class of an architecture. Raises ValueError if it is unknown."""
    if model_type in _registered_configs:
        return _registered_configs[model_type]
    if model_type not in MODELS:
        known = ", ".join(sorted([*MODELS, *_registered_configs]))
        raise ValueError(
            f"unknown model type {model_type!r}; the known ones are {known}. One of your own is "
            f"made known with AutoConfig.register({model_type!r}, YourConfig) and "
            "AutoModel.register(YourConfig, YourModel)"
        )
    return _load(model_type, MODELS[model_type]["config"])


def model_class(config: PretrainedConfig, task: str) -> type | None:
    """The class for a task and a configuration's architecture; None if there is none."""
    return model_class_of(type(config), task)


def model_class_of(config: type[PretrainedConfig], task: str) -> Any:
    """The same, of a configuration class."""
    if (task, config) in _registered_models:
        return _registered_models[task, config]
    name = MODELS.get(config.model_type, {}).get(task)
    if name is None or config is not config_class(config.model_type):
        return None
    return _load(config.model_type, name)


def class_names(task: str) -> dict[str, str]:
    """{model_type: name of the class for a task}"""
    names = {kind: classes[task] for kind, classes in MODELS.items() if task in classes}
    registered = {c.model_type: m.__name__ for (t, c), m in _registered_models.items() if t == task}
    return names | registered


class AutoConfig:
    """The configuration class that a config.json asks for."""

    def __init__(self) -> None:
        raise OSError(
            "AutoConfig is designed to be instantiated using the "
            "`AutoConfig.from_pretrained(pretrained_model_name_or_path)` method."
        )

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any
    ) -> Any:
        """Read config.json and build the class its model_type names; keywords override fields.

        Raises OSError if there is no config.json, ValueError if model_type is missing or unknown.
        """
        name = os.fspath(pretrained_model_name_or_path)
        where, rest = hub.split_options(kwargs)
        rest.pop("trust_remote_code", None)
        if os.path.isfile(name) and not name.endswith(".gguf"):
            folder, rest["_configuration_file"] = os.path.split(name)
            values, rest = PretrainedConfig.get_config_dict(folder or ".", **where, **rest)
        else:
            values, rest = PretrainedConfig.get_config_dict(name, **where, **rest)
        by_length = sorted([*MODELS, *_registered_configs], key=len, reverse=True)
        # old files lack the field; their folders tell
        told = next((model_type for model_type in by_length if model_type in name), None)
        if model_type := values.get("model_type", told):
            with blaming(name, "model"):
                return config_class(model_type).from_dict(values, **rest)
        raise ValueError(
            f"Unrecognized model in {name}. Should have a `model_type` key in its config.json, or "
            f"contain one of these in its name: {', '.join(sorted(MODELS))}"
        )

    @classmethod
    def for_model(cls, model_type: str, *args: Any, **kwargs: Any) -> Any:
        """A configuration of that architecture."""
        return config_class(model_type)(*args, **kwargs)

    @staticmethod
    def register(model_type: str, config: type[PretrainedConfig], exist_ok: bool = False) -> None:
        """Make an architecture of your own known under `model_type`."""
        if config.model_type != model_type:
            raise ValueError(
                f"{config.__name__}.model_type is {config.model_type!r}, but it is registered as "
                f"{model_type!r}: make them equal"
            )
        if not exist_ok and (model_type in MODELS or model_type in _registered_configs):
            raise ValueError(f"{model_type!r} is taken: choose another name, or pass exist_ok=True")
        _registered_configs[model_type] = config


class _AutoModel:
    """A model with the head for one task, of whatever architecture the checkpoint is."""

    task: ClassVar[str] = "base"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        some = ", ".join(sorted(set(class_names(cls.task).values()))[:3])
        cls.__doc__ = f"Of whatever architecture a checkpoint is, the {cls.task} model: {some}, ..."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        raise OSError(
            f"{name} is designed to be instantiated using the "
            f"`{name}.from_pretrained(pretrained_model_name_or_path)` or "
            f"`{name}.from_config(config)` methods."
        )

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> Any:
        """Load a checkpoint; see `PreTrainedModel.from_pretrained` for the keywords."""
        adapted = through_adapter(cls.from_pretrained, pretrained_model_name_or_path, args, kwargs)
        if adapted is not None:
            return adapted
        kwargs = into_transformer(pretrained_model_name_or_path, kwargs)
        config = kwargs.pop("config", None)
        if not isinstance(config, PretrainedConfig):
            where, _ = hub.split_options(kwargs)
            source = config or pretrained_model_name_or_path
            fields = {k: v for k, v in kwargs.items() if k not in where and k not in _NOT_FIELDS}
            config, unused = AutoConfig.from_pretrained(
                source, return_unused_kwargs=True, **where, **fields
            )
            kept = {*unused, "gguf_file"}
            kwargs = {k: v for k, v in kwargs.items() if k not in fields or k in kept}
        chosen = cls._class_for(config)
        return chosen.from_pretrained(pretrained_model_name_or_path, *args, config=config, **kwargs)

    @classmethod
    def from_config(cls, config: PretrainedConfig, **kwargs: Any) -> Any:
        """A model with fresh random weights."""
        return cls._class_for(config).from_config(config, **kwargs)

    @classmethod
    def _class_for(cls, config: PretrainedConfig) -> Any:
        chosen = model_class(config, cls.task)
        if chosen is None:
            known = [f"{config_class(kind).__name__}" for kind in class_names(cls.task)]
            raise ValueError(
                f"Unrecognized configuration class {type(config)} for this kind of AutoModel: "
                f"{cls.__name__}.\nModel type should be one of {', '.join(known)}."
            )
        return chosen

    @classmethod
    def register(
        cls, config_class: type[PretrainedConfig], model_class: type, exist_ok: bool = False
    ) -> None:
        """Make a model class of your own known for a configuration class."""
        key = (cls.task, config_class)
        if not exist_ok and key in _registered_models:
            raise ValueError(f"{config_class.__name__} has a model already: pass exist_ok=True")
        _registered_models[key] = model_class


# Loading options, which no configuration has as fields.
_NOT_FIELDS = (
    "torch_dtype",
    "dtype",
    "device_map",
    "trust_remote_code",
    "output_loading_info",
    "ignore_mismatched_sizes",
    "state_dict",
    "variant",
    "low_cpu_mem_usage",
    "use_safetensors",
    "attn_implementation",
)


class AutoModel(_AutoModel):
    task = "base"


class AutoModelForPreTraining(_AutoModel):
    task = "pretraining"


class AutoModelForCausalLM(_AutoModel):
    task = "causal-lm"


class AutoModelForMaskedLM(_AutoModel):
    task = "masked-lm"


class AutoModelForSeq2SeqLM(_AutoModel):
    task = "seq2seq-lm"


class AutoModelForSequenceClassification(_AutoModel):
    task = "sequence-classification"


class AutoModelForMultipleChoice(_AutoModel):
    task = "multiple-choice"


class AutoModelForNextSentencePrediction(_AutoModel):
    task = "next-sentence"


class AutoModelForTokenClassification(_AutoModel):
    task = "token-classification"


class AutoModelForQuestionAnswering(_AutoModel):
    task = "question-answering"


class AutoModelForTextEncoding(_AutoModel):
    task = "text-encoding"


class AutoModelForMaskGeneration(_AutoModel):
    task = "mask-generation"


class AutoModelWithLMHead(_AutoModel):  # of scripts older than the three classes by kind
    task = "seq2seq-lm"

    @classmethod
    def _class_for(cls, config: PretrainedConfig) -> Any:
        tasks = (cls.task, "masked-lm", "causal-lm")
        kinds = (model_class(config, task) for task in tasks)
        return next(filter(None, kinds), None) or super()._class_for(config)
