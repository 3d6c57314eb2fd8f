"""`Seq2SeqTrainer`: evaluates what the model generates."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..core.primitive import value_of
from ..core.recording import no_grad
from ..generation.config import GenerationConfig
from .evaluation import PredictionOutput
from .trainer import Trainer


class Seq2SeqTrainer(Trainer):
    """A Trainer whose predictions are generated tokens, with `predict_with_generate`.

    `evaluate` and `predict` take options of `generate` as further keywords. They win over
    `generation_max_length` and `generation_num_beams`, those over `args.generation_config`, and
    that over the model's own.
    """

    def __init__(
        self,
        model: Any = None,
        args: Any = None,
        data_collator: Any = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        model_init: Any = None,
        compute_metrics: Any = None,
        callbacks: list | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        preprocess_logits_for_metrics: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            model,
            args,
            data_collator,
            train_dataset,
            eval_dataset,
            processing_class,
            model_init,
            compute_metrics=compute_metrics,
            callbacks=callbacks,
            optimizers=optimizers,
            preprocess_logits_for_metrics=preprocess_logits_for_metrics,
            **kwargs,
        )
        self._weighs_by_rows = False  # every batch's loss counts the same, as in the reference
        self._gen_kwargs: dict[str, Any] = {}
        if getattr(self.args, "generation_config", None) is not None:
            config = self.load_generation_config(self.args.generation_config)
            self.model.generation_config = config

    @staticmethod
    def load_generation_config(gen_config_arg: Any) -> GenerationConfig:
        """From a GenerationConfig (a copy), a file, a folder or a repo.

        Raises ValueError if it would not be saved, because its options contradict each other.
        """
        if isinstance(gen_config_arg, GenerationConfig):
            config = copy.deepcopy(gen_config_arg)
        elif Path(gen_config_arg).is_file():
            path = Path(gen_config_arg)
            config = GenerationConfig.from_pretrained(path.parent, path.name)
        else:
            config = GenerationConfig.from_pretrained(str(gen_config_arg))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                config.validate()
        except (ValueError, UserWarning) as error:
            raise ValueError(
                f"this generation config could not be saved with the model: {error}"
            ) from error
        return config

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
        **gen_kwargs: Any,
    ) -> dict[str, Any]:
        """See `Trainer.evaluate`. gen_kwargs: options of `generate`, such as max_length"""
        if gen_kwargs or not isinstance(eval_dataset, str):
            self._gen_kwargs = self._options(gen_kwargs)
        return super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)

    def predict(
        self,
        test_dataset: Any,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "test",
        **gen_kwargs: Any,
    ) -> PredictionOutput:
        """See `Trainer.predict`. gen_kwargs: options of `generate`, such as max_length"""
        self._gen_kwargs = self._options(gen_kwargs)
        return super().predict(test_dataset, ignore_keys, metric_key_prefix)

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        options = {name: value for name, value in given.items() if value is not None}
        if "max_length" not in options and "max_new_tokens" not in options:
            options["max_length"] = self.args.generation_max_length
        options.setdefault("num_beams", self.args.generation_num_beams)
        return {name: value for name, value in options.items() if value is not None}

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
        **gen_kwargs: Any,
    ) -> tuple[Any, Any, Any]:
        """Run one batch without training. -> (loss, generated tokens, labels), padded"""
        if not self.args.predict_with_generate or prediction_loss_only:
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        inputs = self._prepare_inputs(inputs)
        labels = inputs.get("labels")
        generated = model.generate(**self._prompt(inputs), **(gen_kwargs or self._gen_kwargs))
        loss = None
        if labels is not None:
            with no_grad():
                outputs = model(**inputs)
            smooth = self.label_smoother
            loss = smooth(outputs, labels) if smooth else outputs[0]
            loss = np.asarray(value_of(loss)).mean()
        if self.args.prediction_loss_only:
            return loss, None, None
        if labels is not None:
            labels = self._pad(np.asarray(labels))
        return loss, self._pad(generated), labels

    @staticmethod
    def _prompt(inputs: dict[str, Any]) -> dict[str, Any]:
        """What generation starts from: not the decoder's inputs made from the labels."""
        labels, given = inputs.get("labels"), inputs.get("decoder_input_ids")
        made = labels is not None and given is not None and np.shape(labels) == np.shape(given)
        drop = ("labels", *(("decoder_input_ids", "decoder_attention_mask") if made else ()))
        return {name: value for name, value in inputs.items() if name not in drop}

    def _pad(self, tokens: np.ndarray) -> np.ndarray:
        """Pad to the length the model's generation config allows, so that batches can be joined."""
        config = self.model.generation_config
        length = config.max_length or 0
        if tokens.shape[-1] >= length and config.max_new_tokens is not None:
            length = config.max_new_tokens + 1
        if tokens.shape[-1] >= length:
            return tokens
        out = np.full((len(tokens), length), self._pad_token_id(), tokens.dtype)
        out[:, : tokens.shape[-1]] = tokens
        return out

    def _pad_token_id(self) -> int:
        source = self.processing_class
        if source is not None and hasattr(source, "pad_token_id"):
            found = source.pad_token_id if source.pad_token_id is not None else source.eos_token_id
        else:
            found = self.model.config.pad_token_id
        if found is None:
            raise ValueError(
                "Pad_token_id must be set in the configuration of the model, in order "
                "to pad generated tokens to one length"
            )
        return found
