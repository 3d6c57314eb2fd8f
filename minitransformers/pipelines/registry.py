"""Which tasks there are: the class of each, the models it takes, its default model."""

from __future__ import annotations

import importlib
from typing import Any

from ..logging import get_logger

_logger = get_logger(__name__)

_T5 = ("google-t5/t5-base", "a9723ea")

# task -> class (module.Class of this package), tasks of `models.auto` that its models are for, and
# the default model with its revision; translation has one for each pair of languages.
TASKS: dict[str, dict[str, Any]] = {
    "conversational": {
        "class": "conversational.ConversationalPipeline",
        "models": ("seq2seq-lm", "causal-lm"),
        "default": ("microsoft/DialoGPT-medium", "8bada3b"),
    },
    "feature-extraction": {
        "class": "feature_extraction.FeatureExtractionPipeline",
        "models": ("base",),
        "default": ("distilbert/distilbert-base-cased", "6ea8117"),
    },
    "fill-mask": {
        "class": "fill_mask.FillMaskPipeline",
        "models": ("masked-lm",),
        "default": ("distilbert/distilroberta-base", "fb53ab8"),
    },
    "question-answering": {
        "class": "question_answering.QuestionAnsweringPipeline",
        "models": ("question-answering",),
        "default": ("distilbert/distilbert-base-cased-distilled-squad", "564e9b5"),
    },
    "sentence-similarity": {
        "class": "sentence_similarity.SentenceSimilarityPipeline",
        "models": ("base",),
        "default": ("sentence-transformers/all-MiniLM-L6-v2", "main"),
    },
    "summarization": {
        "class": "text2text_generation.SummarizationPipeline",
        "models": ("seq2seq-lm",),
        "default": ("sshleifer/distilbart-cnn-12-6", "a4f8f3e"),
    },
    "text-classification": {
        "class": "text_classification.TextClassificationPipeline",
        "models": ("sequence-classification",),
        "default": ("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "714eb0f"),
    },
    "text-generation": {
        "class": "text_generation.TextGenerationPipeline",
        "models": ("causal-lm",),
        "default": ("openai-community/gpt2", "607a30d"),
    },
    "text2text-generation": {
        "class": "text2text_generation.Text2TextGenerationPipeline",
        "models": ("seq2seq-lm",),
        "default": _T5,
    },
    "token-classification": {
        "class": "token_classification.TokenClassificationPipeline",
        "models": ("token-classification",),
        "default": ("dbmdz/bert-large-cased-finetuned-conll03-english", "4c53496"),
    },
    "translation": {
        "class": "text2text_generation.TranslationPipeline",
        "models": ("seq2seq-lm",),
        "default": {("en", "fr"): _T5, ("en", "de"): _T5, ("en", "ro"): _T5},
    },
    "zero-shot-classification": {
        "class": "zero_shot_classification.ZeroShotClassificationPipeline",
        "models": ("sequence-classification",),
        "default": ("facebook/bart-large-mnli", "d7645e1"),
    },
}
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}


class PipelineRegistry:
    """Tasks and their other names. supported_tasks: as `TASKS`; task_aliases: {other name: task}"""

    def __init__(self, supported_tasks: dict[str, dict], task_aliases: dict[str, str]):
        self.supported_tasks = supported_tasks
        self.task_aliases = task_aliases

    def get_supported_tasks(self) -> list[str]:
        """Every name of a task, sorted."""
        return sorted([*self.supported_tasks, *self.task_aliases])

    def check_task(self, task: str) -> tuple[str, dict[str, Any], Any]:
        """-> (the task's first name, its entry, (source, target) of translation_XX_to_YY or None)

        Raises KeyError for an unknown task, naming the known ones.
        """
        task = self.task_aliases.get(task, task)
        if task in self.supported_tasks:
            return task, self.supported_tasks[task], None
        if task.startswith("translation"):
            words = task.split("_")
            if len(words) == 4 and words[0] == "translation" and words[2] == "to":
                return "translation", self.supported_tasks["translation"], (words[1], words[3])
            raise KeyError(f"Invalid translation task {task}, use 'translation_XX_to_YY' format")
        known = [*self.get_supported_tasks(), "translation_XX_to_YY"]
        raise KeyError(f"Unknown task {task}, available tasks are {known}")

    def register_pipeline(
        self,
        task: str,
        pipeline_class: type,
        pt_model: Any = None,
        tf_model: Any = None,
        default: dict[str, Any] | None = None,
        type: str | None = None,
    ) -> None:
        """Add a task of your own.

        pt_model: Auto class or model class that loads its models, or a tuple of them to be tried
        default: {"pt": (model, revision)}; tf_model and type are accepted and not used
        """
        if task in self.supported_tasks:
            _logger.warning(
                f"{task} is already registered. Overwriting pipeline for task {task}..."
            )
        models = pt_model if isinstance(pt_model, tuple) else (pt_model,) if pt_model else ()
        entry: dict[str, Any] = {"class": pipeline_class, "models": models}
        if default is not None:
            found = default.get("model", default)
            found = found.get("pt", found) if isinstance(found, dict) else found
            entry["default"] = (found, None) if isinstance(found, str) else tuple(found)
        self.supported_tasks[task] = entry

    def to_dict(self) -> dict[str, dict]:
        """{task: its entry}"""
        return self.supported_tasks


PIPELINE_REGISTRY = PipelineRegistry(TASKS, ALIASES)


def load_class(entry: dict[str, Any]) -> Any:
    """The pipeline class of an entry."""
    found = entry["class"]
    if not isinstance(found, str):
        return found
    module, _, name = found.partition(".")
    return getattr(importlib.import_module(f".{module}", __package__), name)


def check_task(task: str) -> tuple[str, dict[str, Any], Any]:
    """See `PipelineRegistry.check_task`."""
    return PIPELINE_REGISTRY.check_task(task)


def get_supported_tasks() -> list[str]:
    """Every name of a task, sorted."""
    return PIPELINE_REGISTRY.get_supported_tasks()
