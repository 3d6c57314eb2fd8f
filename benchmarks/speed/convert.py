"""Convert the timed models for the rivals that have formats of their own.

    PYTHONPATH=benchmarks python -m speed.convert CACHE

Needs torch and transformers, and ctranslate2 and onnx for what each reads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def to_ctranslate2(cache: Path, name: str, kind: str) -> None:
    """A model with the made-up tokens t0, t1, ..., as the random weights have no tokenizer."""
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):
        def load_model(self, model_class, model_name_or_path, **kwargs):  # type: ignore[no-untyped-def]
            kwargs["torch_dtype"] = kwargs.pop("dtype", None)  # its name before 4.56
            return super().load_model(model_class, model_name_or_path, **kwargs)

        def load_tokenizer(self, tokenizer_class, model_name_or_path, **kwargs):  # type: ignore[no-untyped-def]
            return _Tokens(json.loads((cache / name / "config.json").read_text()))

    target = cache / f"{name}-ctranslate2-{kind}"
    if not target.exists():
        Converter(str(cache / name)).convert(str(target), quantization=kind)


class _Tokens:
    """As much of a tokenizer as the converter asks for."""

    def __init__(self, config: dict):
        self.size = config.get("vocab_size", 30522)
        self.unk_token = self.bos_token = self.eos_token = self.pad_token = "t0"
        self.unk_token_id = self.bos_token_id = self.eos_token_id = self.pad_token_id = 0
        self.additional_special_tokens: list[str] = []

    def get_vocab(self) -> dict[str, int]:
        return {f"t{n}": n for n in range(self.size)}

    def convert_ids_to_tokens(self, ids: int | list[int]) -> str | list[str]:
        return f"t{ids}" if isinstance(ids, int) else [f"t{n}" for n in ids]


def to_onnx(cache: Path) -> None:
    import torch
    from transformers import BertModel

    if (cache / "bert.onnx").exists():
        return
    model = BertModel.from_pretrained(cache / "bert", attn_implementation="eager").eval()
    ids = torch.ones(2, 8, dtype=torch.long)
    axes = {0: "batch", 1: "seq"}
    torch.onnx.export(
        model, (ids, ids), str(cache / "bert.onnx"), input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state", "pooler_output"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "last_hidden_state": axes},
        dynamo=False, opset_version=17,
    )  # fmt: skip


def main() -> None:
    cache = Path(sys.argv[1])
    for step, arguments in [
        (to_ctranslate2, (n, k)) for n in ("gpt2", "llama", "t5", "bert") for k in ("float32",)
    ] + [(to_ctranslate2, ("gpt2", "int8")), (to_onnx, ())]:
        try:
            step(cache, *arguments)  # type: ignore[operator]
            print(step.__name__, *arguments)
        except Exception as error:  # a rival that is not installed, or does not read the model
            print(step.__name__, *arguments, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
