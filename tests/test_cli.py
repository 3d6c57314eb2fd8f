"""The command line: what commands print, as JSON and for people, and how they fail."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_server import HubServer, hub_fixture  # noqa: F401  (pytest finds it here)

from minitransformers.__main__ import main
from minitransformers.cli import COMMANDS, build_parser, common

sys.path.insert(0, str(Path(__file__).parent / "pipelines"))
import pipeline_models

TINY = "minitransformers/tiny-gpt2"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: Any) -> Any:
    """checkpoint(name) is the folder of a tiny model of `pipeline_models`."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return lambda name: pipeline_models.build(folder, name)


@pytest.fixture
def run(capsys: Any, monkeypatch: Any) -> Any:
    """run(*arguments, stdin="") -> (exit code, lines of output, what is on stderr)"""

    def run(*arguments: Any, stdin: str = "") -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main([*map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


@pytest.fixture
def told(run: Any) -> Any:
    """told(*arguments) -> the values that --json prints"""

    def told(*arguments: Any, **how: Any) -> list[Any]:
        code, lines, err = run(*arguments, "--json", **how)
        assert code == 0, err
        return [json.loads(line) for line in lines]

    return told


# the whole


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples_that_can_be_typed(run: Any, command: str) -> None:
    code, lines, _ = run(command, "--help")
    assert code == 0
    examples = lines[lines.index("examples:") + 1 :]
    assert any(command in example for example in examples)
    for example in examples:
        words = shlex.split(example.partition(" < ")[0].partition(" > ")[0], comments=True)
        if words[0] == "minitransformers":
            build_parser().parse_args(words[1:])


def test_help_loads_no_library() -> None:
    code = (
        "import sys; from minitransformers.cli import main; main(['--help']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "tokenizers", "huggingface_hub"} & set(done.stdout.split())


def test_what_is_used_wrongly(run: Any) -> None:
    for arguments in (
        ["sing"],
        [],
        ["generate", "x", "--max-new-tokens", "0"],
        ["generate", "x", "--set", "temperatur=0.5"],
        ["embed", "x", "--json", "-o", "y.npy"],
        ["cache", "delete"],
    ):
        code, lines, err = run(*arguments)
        assert (code, lines, err.count("\n")) == (2, [], 1), arguments
    assert "did you mean temperature" in run("generate", "x", "--set", "temperatur=1")[2]


def test_failures_are_one_line(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, _, err = run("info", "org/nothing")
    assert (code, err.count("\n")) == (1, 1)
    assert "org/nothing" in err
    with pytest.raises(OSError, match="org/nothing"):
        run("info", "org/nothing", "--debug")


def test_errors_of_the_program_name_their_kind() -> None:
    assert common.in_one_line(ValueError("one\n  two")) == "one two"
    assert common.in_one_line(KeyError("no task")) == "no task"
    assert common.in_one_line(IndexError("3")) == "IndexError: 3 (--debug shows where)"
    assert common.in_one_line(MemoryError()) == "MemoryError"


def test_an_interrupt(run: Any, monkeypatch: Any) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("minitransformers.pipelines.pipeline", interrupted)
    assert run("classify", "x", "--model", "y")[0] == 130


def test_a_reader_that_leaves() -> None:
    command = f"{sys.executable} -m minitransformers info {TINY} --tensors | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert TINY in done.stdout


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (5_340_352, "5.3 MB"),
        (2e12, "2.0 TB"),
        (3e15, "3000.0 TB"),
    ],
)
def test_readable_sizes(size: float, text: str) -> None:
    assert common.readable(size) == text


def test_settings() -> None:
    for text, expected in (
        ("num_beams=4", ("num_beams", 4)),
        ("top-p = 0.5", ("top_p", 0.5)),
        ("do_sample=True", ("do_sample", True)),
        ("bad_words_ids=[[1, 2]]", ("bad_words_ids", [[1, 2]])),
        ("stop_strings=.", ("stop_strings", ".")),
    ):
        assert common.parse_setting(text) == expected
    with pytest.raises(common.UsageError, match="it reads NAME=VALUE"):
        common.parse_setting("num_beams")
    with pytest.raises(common.UsageError, match="num_beams takes a number"):
        common.parse_setting("num_beams=two")


# generate


def test_generate(run: Any, told: Any) -> None:
    options = ("--model", TINY, "--max-new-tokens", 6)
    code, lines, err = run("generate", "To be", *options)
    assert (code, err) == (0, "")
    (result,) = told("generate", *options, stdin="To be\n")
    assert "\n".join(lines) == result["generated_text"]
    assert result["generated_text"].startswith("To be")
    seeded = [told("generate", "To be", *options, "--top-k", 40, "--seed", 3) for _ in range(2)]
    assert seeded[0] == seeded[1]
    several = ("--num-beams", 3, "--num-return-sequences", 2)
    assert len(told("generate", "To be", *options, *several)) == 2
    assert "---" in run("generate", "To be", *options, *several)[1]
    assert told("generate", "To be", *options, "--set", "num_beams=1") == [result]


def test_generate_with_an_encoder_decoder(told: Any, checkpoint: Any) -> None:
    (result,) = told("generate", "a text", "--model", checkpoint("t5"), "--max-new-tokens", 4)
    assert list(result) == ["generated_text"]


# classify and embed


def test_classify(run: Any, told: Any, checkpoint: Any) -> None:
    model = ("--model", checkpoint("classes"))
    results = told("classify", *model, "--top-k", 2, stdin="a text\n\nanother\n")
    assert [r["text"] for r in results] == ["a text", "another"]
    assert [len(r["labels"]) for r in results] == [2, 2]
    code, lines, _ = run("classify", "a text", *model)
    label = results[0]["labels"][0]
    assert (code, lines) == (0, [f"{label['label']} {label['score']:.4f}\ta text"])
    assert told("classify", *model) == []


def test_classify_with_labels_of_ones_own(told: Any, checkpoint: Any) -> None:
    model = ("--model", checkpoint("nli"))
    (result,) = told("classify", "a text", "--labels", "sport,politics", "--top-k", 2, *model)
    assert {x["label"] for x in result["labels"]} == {"sport", "politics"}
    assert sum(x["score"] for x in result["labels"]) == pytest.approx(1)


def test_embed(run: Any, told: Any, checkpoint: Any, tmp_path: Path) -> None:
    model = ("--model", checkpoint("bert"))
    vectors = [x["embedding"] for x in told("embed", "a text", "another", *model)]
    assert run("embed", "a text", "another", *model, "-o", tmp_path / "x.npy")[0] == 0
    stored = np.load(tmp_path / "x.npy")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, np.float32(vectors))
    assert run("embed", "a text", *model, "-o", tmp_path / "new" / "folder" / "x.npy")[0] == 0
    assert np.load(tmp_path / "new" / "folder" / "x.npy").shape == (1, len(vectors[0]))
    code, _, error = run("embed", "a text", *model, "-o", tmp_path / "new")
    assert code == 2
    assert "is a folder" in error
    (mean,) = told("embed", "a text", *model, "--pooling", "mean")
    np.testing.assert_allclose(mean["embedding"], vectors[0], atol=1e-5)
    (unit,) = told("embed", "a text", *model, "--normalize", "--pooling", "cls")
    assert np.linalg.norm(unit["embedding"]) == pytest.approx(1, abs=1e-5)
    line = run("embed", "a text", *model)[1][0]
    assert line.endswith("\ta text")
    assert len(line.split()) == len(vectors[0]) + 2


def test_embed_without_a_text(run: Any, tmp_path: Path) -> None:
    assert run("embed", "--model", "not/loaded", stdin=" \n") == (0, [], "")
    assert run("embed", "--model", "not/loaded", "-o", tmp_path / "x.npy")[0] == 0
    assert len(np.load(tmp_path / "x.npy")) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are no bytes there")
def test_what_is_not_utf8() -> None:
    command = [sys.executable, "-m", "minitransformers", "generate", "--max-new-tokens", "1"]
    for arguments, text in (([], b"h\xe9\n"), ([b"h\xe9"], b"")):
        done = subprocess.run([*command, *arguments], input=text, capture_output=True)
        assert done.returncode == 2
        assert b"not UTF-8" in done.stderr
        assert done.stderr.count(b"\n") == 1
    c_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [*command, "é"], capture_output=True, env=os.environ | c_locale, check=True
    )
    assert done.stdout.decode().startswith("é")


def test_embed_to_a_pipe(checkpoint: Any) -> None:
    command = [sys.executable, "-m", "minitransformers", "embed", "a text", "-o", "-", "--model"]
    done = subprocess.run([*command, checkpoint("bert")], capture_output=True, check=True)
    assert np.load(io.BytesIO(done.stdout)).shape[0] == 1


# info and bench


def test_info(run: Any, told: Any) -> None:
    (facts,) = told("info", TINY, "--tensors")
    assert facts["model_type"] == "gpt2"
    assert facts["parameters"] == 2_667_072
    assert facts["dtypes"] == ["F16"]
    assert facts["files"]["model.safetensors"] > facts["file_bytes"]
    assert len(facts["list"]) == facts["tensors"]
    bias = {"name": "transformer.h.0.attn.c_attn.bias", "shape": [576], "dtype": "F16"}
    assert facts["list"][0] == bias
    lines = run("info", TINY, "--tensors")[1]
    assert any(line.startswith("parameters") and line.endswith(" 2,667,072") for line in lines)
    assert "transformer.h.0.attn.c_attn.weight  192 x 576  F16" in lines


def test_info_of_quantised_weights(run: Any, told: Any, tmp_path: Path) -> None:
    assert run("convert", TINY, tmp_path / "small", "--quantize", "4bit")[0] == 0
    (facts,) = told("info", tmp_path / "small")
    assert facts["parameters"] == 2_667_072
    assert facts["float32_bytes"] == 4 * 2_667_072
    assert facts["file_bytes"] < 2_667_072


def test_what_a_token_takes_in_the_cache(told: Any) -> None:
    from minitransformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(TINY)
    cache = model(np.array([[1, 2, 3]]), use_cache=True).past_key_values
    taken = sum(x.nbytes for layer in cache for x in layer)
    assert told("info", TINY)[0]["cache_bytes_per_token"] == taken // 3


@pytest.mark.parametrize("name", ["lm", "bert"])
def test_bench(told: Any, checkpoint: Any, name: str) -> None:
    counts = ("--prompt-tokens", 4, "--new-tokens", 3, "--batch-size", 2, "--repeat", 1)
    (facts,) = told("bench", "--model", checkpoint(name), *counts, "--no-torch")
    speed = "new_tokens_per_second" if name == "lm" else "tokens_per_second"
    assert facts[speed] > 0
    assert facts["rows"] == 2


@pytest.mark.oracle
def test_bench_beside_torch(told: Any, checkpoint: Any) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    counts = ("--prompt-tokens", 4, "--new-tokens", 3, "--repeat", 1, "--threads", 1)
    here, there = told("bench", "--model", checkpoint("lm"), *counts)
    assert there["library"].startswith("torch")
    assert there["class"] == here["class"]
    assert there["parameters"] == here["parameters"]
    assert there["new_tokens_per_second"] > 0


# cache


def test_cache(run: Any, told: Any, hub: HubServer, monkeypatch: Any, capsys: Any) -> None:
    from minitransformers.hub import resolve_file

    assert told("cache", "list") == []
    assert told("cache", "size")[0]["bytes"] == 0
    for name in ("org/one", "org/two"):
        hub.add(name, {"config.json": name.encode(), "more": bytes(2000)})
        resolve_file(name, "config.json")
        resolve_file(name, "more")
    one, two = told("cache", "list")
    assert (one["repo"], one["files"], one["bytes"]) == ("org/one", 2, 2007)
    assert told("cache", "size")[0] == {"repos": 2, "bytes": 4014} | {
        "folder": told("cache", "size")[0]["folder"]
    }
    assert "org/two (main)" in run("cache", "list")[1][1]

    code, _, err = run("cache", "delete", "org/one")
    assert code == 2
    assert "--yes" in err
    for answer, code in (("n\n", 1), ("y\n", 0)):
        terminal = type("Terminal", (io.StringIO,), {"isatty": lambda self: True})(answer)
        monkeypatch.setattr(sys, "stdin", terminal)
        assert main(["cache", "delete", "org/one"]) == code
        assert capsys.readouterr().err.startswith("Delete org/one, 2.0K? [y/N] ")
    assert [facts["repo"] for facts in told("cache", "list")] == ["org/two"]
    assert run("cache", "delete", "org/one", "--yes")[0] == 1
    assert run("cache", "delete", "org/two", "--yes", "--revision", "v9")[0] == 1
    (done,) = told("cache", "delete", "org/two", "--yes", "--revision", "main")
    assert done["deleted"] == ["org/two"]
    assert done["bytes"] == two["bytes"]
    assert told("cache", "list") == []
