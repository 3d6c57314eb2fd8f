"""Tasks in one call: `pipeline("text-generation", "org/name")("Once upon a time")`.

Names are resolved when first used, so that importing this package does no work.
"""

from __future__ import annotations

import importlib
from typing import Any

# module -> the public names it holds
PUBLIC: dict[str, tuple[str, ...]] = {
    "base": ("ChunkPipeline", "Pipeline", "PipelineException"),
    "conversational": ("Conversation", "ConversationalPipeline"),
    "factory": ("pipeline",),
    "feature_extraction": ("FeatureExtractionPipeline",),
    "fill_mask": ("FillMaskPipeline",),
    "pt_utils": ("KeyDataset", "KeyPairDataset"),
    "question_answering": ("QuestionAnsweringPipeline", "SquadExample"),
    "registry": ("PIPELINE_REGISTRY", "PipelineRegistry", "check_task", "get_supported_tasks"),
    "sentence_similarity": ("SentenceSimilarityPipeline",),
    "text2text_generation": (
        "SummarizationPipeline",
        "Text2TextGenerationPipeline",
        "TranslationPipeline",
    ),
    "text_classification": ("ClassificationFunction", "TextClassificationPipeline"),
    "text_generation": ("TextGenerationPipeline",),
    "token_classification": (
        "AggregationStrategy",
        "NerPipeline",
        "TokenClassificationPipeline",
    ),
    "zero_shot_classification": ("ZeroShotClassificationPipeline",),
}
_HOME = {name: module for module, names in PUBLIC.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"minitransformers.pipelines has no {name!r}; it has {', '.join(__all__)}")
