"""pipeline(): from names to pipelines, and what it says when it cannot."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from minitransformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Model,
    Pipeline,
    pipeline,
)
from minitransformers.pipelines import PIPELINE_REGISTRY, ChunkPipeline, registry


def test_importing_the_package_is_cheap():
    program = (
        "import sys, minitransformers.pipelines; sys.exit(any("
        "name in sys.modules for name in ('numpy', 'tokenizers', 'huggingface_hub', 'tqdm')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_tasks_and_their_other_names(folder):
    assert PIPELINE_REGISTRY.check_task("sentiment-analysis")[0] == "text-classification"
    assert PIPELINE_REGISTRY.check_task("ner")[0] == "token-classification"
    task, _, languages = PIPELINE_REGISTRY.check_task("translation_en_to_de")
    assert (task, languages) == ("translation", ("en", "de"))
    with pytest.raises(KeyError, match=r"Unknown task nonsense, available tasks are \[.*'ner'"):
        pipeline("nonsense")
    with pytest.raises(KeyError, match="translation_XX_to_YY"):
        pipeline("translation_foo", folder("t5"))
    for entry in registry.TASKS.values():
        assert issubclass(registry.load_class(entry), Pipeline)


def test_what_must_be_given(folder):
    with pytest.raises(RuntimeError, match="without either a task or a model"):
        pipeline()
    with pytest.raises(RuntimeError, match="tokenizer specified but not the model"):
        pipeline("text-generation", tokenizer=folder("lm"))
    model = AutoModelForCausalLM.from_pretrained(folder("lm"))
    with pytest.raises(ValueError, match="Impossible to guess which tokenizer"):
        pipeline("text-generation", model)
    with pytest.raises(RuntimeError, match="name the task"):
        pipeline(model=model, tokenizer=AutoTokenizer.from_pretrained(folder("lm")))


def test_objects_names_and_mixtures(folder):
    name = folder("lm")
    model = AutoModelForCausalLM.from_pretrained(name)
    tokenizer = AutoTokenizer.from_pretrained(name)
    wanted = pipeline("text-generation", name)("Paris")
    assert pipeline("text-generation", model=model, tokenizer=tokenizer)("Paris") == wanted
    assert pipeline("text-generation", model, tokenizer=name)("Paris") == wanted
    assert (
        pipeline("text-generation", name, tokenizer=(name, {"use_fast": True}))("Paris") == wanted
    )
    assert pipeline("text-generation", model, config=name)("Paris") == wanted
    accepted = dict(framework="pt", device=-1, torch_dtype="float16", use_fast=True)
    assert pipeline("text-generation", name, **accepted)("Paris") == wanted
    options = {"device_map": "auto", "dtype": "auto", "model_kwargs": {"low_cpu_mem_usage": True}}
    assert pipeline("text-generation", name, **options)("Paris") == wanted
    with pytest.raises(ValueError, match="not available"):
        pipeline("text-generation", name, device=0)
    with pytest.raises(ValueError, match="never executed"):
        pipeline("text-generation", name, trust_remote_code=True)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("lm", "text-generation"),
        ("classes", "text-classification"),
        ("ner", "token-classification"),
        ("qa", "question-answering"),
        ("mlm", "fill-mask"),
    ],
)
def test_the_task_of_a_folder(folder, name, task):
    assert pipeline(model=folder(name)).task == task


def test_the_task_of_a_bare_model_is_not_known(folder):
    with pytest.raises(RuntimeError, match="cannot be told"):
        pipeline(model=folder("bert"))


def test_a_model_without_the_head_is_an_error(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder("lm"))
    headless = GPT2Model.from_pretrained(folder("lm"))
    with pytest.raises(
        ValueError, match=r"'GPT2Model' is not supported for text-generation.*'GPT2LMHeadModel'"
    ):
        pipeline("text-generation", headless, tokenizer=tokenizer)
    with pytest.raises(ValueError, match=r"no model class for 'gpt2'.*BertForMaskedLM"):
        pipeline("fill-mask", folder("lm"))


def test_a_head_without_weights_is_an_error_unless_asked_for(folder):
    names = r"classifier\.bias, classifier\.weight"
    with pytest.raises(ValueError, match=f"no weights for {names}.*allow_missing=True"):
        pipeline("text-classification", folder("bert"))
    pipe = pipeline("text-classification", folder("bert"), allow_missing=True)
    assert pipe("Paris")[0]["label"].startswith("LABEL_")


def test_defaults_offline(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(OSError, match=r'"text-generation", "minitransformers/tiny-gpt2"'):
        pipeline("text-generation")
    assert caplog.messages[0] == (
        "No model was supplied, defaulted to openai-community/gpt2 and revision 607a30d "
        "(https://huggingface.co/openai-community/gpt2).\nUsing a pipeline without specifying a "
        "model name and revision in production is not recommended."
    )
    with pytest.raises(OSError, match="minitransformers/tiny-gpt2"):
        pipeline("sentiment-analysis")
    with pytest.raises(ValueError, match="You probably meant"):
        pipeline("translation")
    with pytest.raises(ValueError, match="does not provide any default"):
        pipeline("translation_en_to_xx")


def test_the_model_in_the_package_needs_no_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pipe = pipeline("text-generation", "minitransformers/tiny-gpt2")
    assert pipe("To be, or not")[0]["generated_text"].startswith("To be, or not")
    assert pipeline(model="minitransformers/tiny-gpt2").task == "text-generation"


def test_what_the_configuration_says_of_the_task(folder):
    pipe = pipeline("translation", folder("t5-tasks"))
    assert pipe.task == "translation_en_to_fr"
    assert pipe.prefix == "translate English to French: "
    again = pipeline("summarization", pipe.model, tokenizer=pipe.tokenizer)
    assert (again.prefix, again.generation_config.num_beams) == ("summarize: ", 2)
    assert pipe.model.generation_config.num_beams == 1
    assert "prefix" in pipe.model.config.task_specific_params["summarization"]


def test_a_task_of_your_own(folder):
    class Lengths(Pipeline):
        def _sanitize_parameters(self, factor=None, **kwargs):
            return {}, {}, {} if factor is None else {"factor": factor}

        def preprocess(self, text):
            return self.tokenizer(text, return_tensors=self.framework)

        def _forward(self, model_inputs):
            return self.model(**model_inputs)

        def postprocess(self, model_outputs, factor=1):
            assert model_outputs.logits is model_outputs[0]
            return model_outputs["logits"].shape[0] * factor

    class Words(ChunkPipeline):
        def _sanitize_parameters(self, **kwargs):
            return {}, {}, {}

        def preprocess(self, text):
            for word in text.split():
                yield {"word": word, **self.tokenizer(word, return_tensors="np")}

        def _forward(self, inputs):
            word = inputs.pop("word")
            return {"logits": self.model(**inputs).logits, "word": word}

        def postprocess(self, outputs):
            return [output["word"] for output in outputs]

    try:
        PIPELINE_REGISTRY.register_pipeline(
            "lengths",
            Lengths,
            pt_model=AutoModelForSequenceClassification,
            default={"pt": (folder("classes"), "main")},
        )
        assert "lengths" in PIPELINE_REGISTRY.get_supported_tasks()
        pipe = pipeline("lengths", factor=3)
        assert pipe("Paris") == 3
        assert pipe(["Paris", "The fox", "a"], batch_size=2, factor=2) == [2, 2, 2]
    finally:
        PIPELINE_REGISTRY.supported_tasks.pop("lengths", None)
    words = pipeline("text-classification", folder("classes"), pipeline_class=Words)
    assert words(["The fox jumps", "Paris", ""]) == [["The", "fox", "jumps"], ["Paris"], []]
    assert words(["The fox jumps", "Paris"], batch_size=3) == [["The", "fox", "jumps"], ["Paris"]]


def test_save_pickle_predict(folder, tmp_path):
    pipe = pipeline("text-classification", folder("classes"), top_k=2)
    wanted = pipe(["Paris", "The fox"])
    pipe.save_pretrained(tmp_path / "saved")
    saved = pipeline("text-classification", str(tmp_path / "saved"), top_k=2)
    assert saved(["Paris", "The fox"]) == wanted
    assert pipe.predict(["Paris", "The fox"]) == pipe.transform(["Paris", "The fox"]) == wanted
    dumped = pickle.dumps(pipe)
    weights = sum(p.nbytes for p in pipe.model.parameters())
    assert len(dumped) < weights + 40_000  # the tokenizer is in it, the weights are not
    assert pickle.loads(dumped)(["Paris", "The fox"]) == wanted
    assert json.loads(json.dumps(wanted)) == wanted
    with pytest.raises(OSError, match="is a file"):
        pipe.save_pretrained(tmp_path / "saved" / "config.json")


def test_pooling(folder):
    pipe = pipeline("feature-extraction", folder("bert"))
    text = "The fox jumps"
    hidden = np.array(pipe(text))[0]
    for how, wanted in {
        "mean": hidden.mean(0),
        "cls": hidden[0],
        "max": hidden.max(0),
        "last": hidden[-1],
    }.items():
        np.testing.assert_allclose(pipe(text, pooling=how), wanted, atol=1e-6)
        unit = pipe([text, "a"], pooling=how, normalize=True, batch_size=2, return_tensors=True)
        np.testing.assert_allclose(unit[0], wanted / np.linalg.norm(wanted), atol=1e-6)
    with pytest.raises(ValueError, match="pooling must be one of mean, cls, max, last"):
        pipe(text, pooling="sum")
