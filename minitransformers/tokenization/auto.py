"""AutoTokenizer: the right class for a repository."""

from __future__ import annotations

import os
from typing import Any

from ..layouts import into_transformer
from .classes import tokenizer_class
from .loading import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, find_files, read_json, split_hub_options
from .tokenizer import PreTrainedTokenizerFast

# Class name without "Tokenizer(Fast)" -> the model types that use it, separated by spaces.
_MODEL_TYPES = {
    "Albert": "albert nystromformer yoso",
    "Bart": "bart",
    "Barthez": "barthez",
    "Bert": "align bark bert blip bros chinese_clip ernie git grounding-dino megatron-bert nezha "
    "qdqbert tvp vilt visual_bert",
    "BigBird": "big_bird",
    "Blenderbot": "blenderbot",
    "Bloom": "bloom",
    "CLIP": "clip clipseg groupvit omdet-turbo oneformer owlv2 owlvit xclip",
    "Camembert": "camembert",
    "CodeGen": "codegen phi",
    "CodeLlama": "code_llama",
    "Cohere": "cohere",
    "ConvBert": "convbert",
    "DPRQuestionEncoder": "dpr",
    "Deberta": "deberta",
    "DebertaV2": "deberta-v2",
    "DistilBert": "distilbert",
    "Electra": "electra",
    "FNet": "fnet",
    "Funnel": "funnel",
    "GPT2": "blip-2 dbrx gpt2 gpt_bigcode gpt_neo gptj instructblip instructblipvideo opt "
    "starcoder2",
    "GPTNeoX": "falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv stablelm",
    "Gemma": "gemma gemma2 recurrent_gemma",
    "Herbert": "herbert",
    "LED": "led",
    "LayoutLM": "layoutlm",
    "Llama": "chameleon idefics idefics2 idefics3 jamba jetmoe llama llava llava_next "
    "llava_next_video llava_onevision mistral mixtral mllama paligemma persimmon phi3 phimoe "
    "video_llava vipllava zamba",
    "Longformer": "longformer",
    "Lxmert": "lxmert",
    "MBart": "mbart",
    "MBart50": "mbart50",
    "MPNet": "mpnet",
    "MT5": "mt5",
    "MobileBert": "mobilebert",
    "Mvp": "mvp",
    "Nllb": "nllb nllb-moe",
    "OpenAIGPT": "openai-gpt",
    "Pegasus": "bigbird_pegasus pegasus pegasus_x",
    "PreTrained": "falcon glm moshi pixtral",
    "ProphetNet": "prophetnet",
    "Qwen2": "qwen2 qwen2_audio qwen2_moe qwen2_vl",
    "Realm": "realm",
    "Reformer": "reformer",
    "RemBert": "rembert",
    "RetriBert": "retribert",
    "Roberta": "bridgetower clap data2vec-text ibert mega mra roberta roberta-prelayernorm",
    "Splinter": "splinter",
    "SqueezeBert": "squeezebert",
    "T5": "longt5 musicgen musicgen_melody pix2struct switch_transformers t5 umt5",
    "Whisper": "whisper",
    "XGLM": "xglm",
    "XLMRoberta": "kosmos-2 xlm-roberta xlm-roberta-xl xmod",
    "XLNet": "xlnet",
}
TOKENIZER_NAMES = {
    model_type: f"{name}TokenizerFast"
    for name, model_types in _MODEL_TYPES.items()
    for model_type in model_types.split()
}
TOKENIZER_NAMES |= {
    "bertweet": "BertweetTokenizer",
    "blenderbot-small": "BlenderbotSmallTokenizer",
    "byt5": "ByT5Tokenizer",
    "esm": "EsmTokenizer",
    "gpt-sw3": "GPTSw3Tokenizer",
    "m2m_100": "M2M100Tokenizer",
    "marian": "MarianTokenizer",
    "phobert": "PhobertTokenizer",
}
_registered: dict[str, type] = {}


class AutoTokenizer:
    """Loads a tokenizer of the class that the repository asks for."""

    def __init__(self) -> None:
        raise OSError(
            "AutoTokenizer is designed to be instantiated using the "
            "`AutoTokenizer.from_pretrained(pretrained_model_name_or_path)` method."
        )

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, *inputs: Any, **kwargs: Any
    ) -> PreTrainedTokenizerFast:
        """Load the tokenizer of a folder or repository.

        The class is the one of `tokenizer_type` (a model type), of tokenizer_config.json, of
        config.json, or of the model type there; `use_fast` is accepted and changes nothing.
        Raises ValueError if no class is known and there is no tokenizer.json.
        """
        repo = os.fspath(pretrained_model_name_or_path)
        config, tokenizer_type = kwargs.pop("config", None), kwargs.pop("tokenizer_type", None)
        if kwargs.get("gguf_file") is not None or repo.endswith(".gguf"):
            found = PreTrainedTokenizerFast
        elif tokenizer_type is not None:
            if tokenizer_type not in TOKENIZER_NAMES:
                raise ValueError(
                    f"Passed `tokenizer_type` {tokenizer_type} does not exist. `tokenizer_type` "
                    f"should be one of {', '.join(sorted(TOKENIZER_NAMES))}."
                )
            found = _class_of_name(TOKENIZER_NAMES[tokenizer_type])
        else:
            kwargs = into_transformer(repo, kwargs)
            found = _find_class(repo, config, split_hub_options(dict(kwargs)))
        return found.from_pretrained(repo, *inputs, **kwargs)

    @staticmethod
    def register(
        config_class: Any,
        slow_tokenizer_class: type | None = None,
        fast_tokenizer_class: type | None = None,
        exist_ok: bool = False,
    ) -> None:
        """Make `from_pretrained` use a class for a configuration class or a model type."""
        model_type = getattr(config_class, "model_type", config_class)
        chosen = fast_tokenizer_class or slow_tokenizer_class
        if chosen is None:
            raise ValueError(
                "You need to pass either a `slow_tokenizer_class` or a `fast_tokenizer_class`"
            )
        if model_type in {**TOKENIZER_NAMES, **_registered} and not exist_ok:
            raise ValueError(
                f"A tokenizer is already registered for {model_type!r}; pass exist_ok=True to "
                "replace it."
            )
        _registered[model_type] = chosen
        _registered[chosen.__name__] = chosen


def _class_of_name(name: str) -> Any:
    """Return the class of a name, its fast one if there are two; None for an unknown name."""
    if name in _registered:
        return _registered[name]
    fast = None if name.endswith("Fast") else tokenizer_class(f"{name}Fast")
    return fast or tokenizer_class(name)


def _find_class(repo: str, config: Any, hub: dict[str, Any]) -> Any:
    """Return the tokenizer class that the repository's files ask for."""
    if os.path.isfile(repo):
        return PreTrainedTokenizerFast
    names = {"tokenizer": TOKENIZER_CONFIG_FILE}
    wanted = read_json(find_files(repo, names, hub)["tokenizer"]).get("tokenizer_class")
    model_type = None
    if wanted is None:
        if config is None:
            config = read_json(find_files(repo, {"config": "config.json"}, hub)["config"])
        fields = config if isinstance(config, dict) else vars(config)
        wanted = fields.get("tokenizer_class")
        model_type = fields.get("model_type", getattr(config, "model_type", None))
    found = None
    if wanted is not None:
        found = _class_of_name(wanted)
    elif model_type is not None:
        found = _registered.get(model_type) or _class_of_name(TOKENIZER_NAMES.get(model_type, ""))
    if found is not None:
        return found
    if find_files(repo, {"file": TOKENIZER_FILE}, hub)["file"] is not None:
        return PreTrainedTokenizerFast
    if wanted is not None:
        raise ValueError(
            f"{repo}: the tokenizer class {wanted} is not supported, and there is no "
            f"{TOKENIZER_FILE} to load without it."
        )
    if model_type is not None:
        raise ValueError(
            f"{repo}: no tokenizer is known for the model type {model_type!r}, and there is no "
            f"{TOKENIZER_FILE}."
        )
    raise OSError(
        f"Can't load tokenizer for '{repo}': found no {TOKENIZER_FILE}, no "
        f"{TOKENIZER_CONFIG_FILE} naming a class and no config.json naming a model type. Check the "
        "name, or load the files with their class, such as BertTokenizerFast."
    )
