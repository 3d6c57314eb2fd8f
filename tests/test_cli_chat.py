"""`minitransformers chat`: typed and piped."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from minitransformers.__main__ import main
from minitransformers.cli import chat as chat_module
from minitransformers.cli.conversation import Conversation

sys.path.insert(0, str(Path(__file__).parent / "pipelines"))
import pipeline_models

pytest.importorskip("jinja2", reason="chat templates")


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any) -> str:
    """A folder with a tiny decoder whose tokenizer has a chat template."""
    return pipeline_models.build(tmp_path_factory.mktemp("checkpoints"), "lm")


@pytest.fixture
def said(monkeypatch: Any, capsys: Any, model: str) -> Any:
    """said(lines, *options) -> (exit code, what is printed, what is on stderr)"""

    def said(lines: str, *options: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        known = ["chat", "--model", model, "--max-new-tokens", "5"]
        code = main([*known, *map(str, options)])
        return code, *capsys.readouterr()

    return said


def test_piped(said: Any) -> None:
    code, out, err = said("Hello\n\nAgain\n", "--json")
    assert (code, err) == (0, "")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [a["role"] for a in answers] == ["assistant", "assistant"]
    assert [a["tokens"] for a in answers] == [5, 5]
    streamed = said("Hello\n\nAgain\n")[1]
    assert [line.strip() for line in streamed.splitlines()] == [a["content"] for a in answers]


def test_commands(said: Any, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    lines = f"/system Be kind\nHello\n/save {file}\n/clear\nOnce more\n/exit\nnever\n"
    code, out, _ = said(lines, "--json")
    assert (code, out.count("\n")) == (0, 2)
    saved = json.loads(file.read_text())
    assert [m["role"] for m in saved] == ["system", "user", "assistant"]
    again = said(f"/load {file}\n/system\n/save {file}\n")
    assert again[0] == 0
    assert [m["role"] for m in json.loads(file.read_text())] == ["user", "assistant"]
    code, out, err = said("/set temperature=0.5 max_new_tokens=2\n/set\n/help\nHi\n", "--json")
    assert json.loads(out)["tokens"] <= 2
    assert "temperature=0.5 do_sample=True" in err
    assert "/clear" in err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("/dance\n", "no command /dance"),
        ("/save\n", "needs the name of a file"),
        ("/load /no/such/file\n", "/no/such/file"),
        ("/set bananas=3\n", "'bananas' is no parameter"),
    ],
)
def test_errors_end_what_is_piped(said: Any, lines: str, message: str) -> None:
    code, out, err = said(lines + "Hello\n")
    assert code in (1, 2)
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_lines_that_go_on(monkeypatch: Any) -> None:
    text = 'one\\\ntwo\n"""\nthree\n\n/four\n"""\n//five\nsix\\'
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    expected = ["one\ntwo", "three\n\n/four", "//five", "six"]
    assert list(chat_module._messages(interactive=False)) == expected


def test_a_slash_that_is_no_command(said: Any, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    assert said(f"//Hello\n/save {file}\n", "--json")[0] == 0
    assert json.loads(file.read_text())[0]["content"] == "/Hello"


def test_typed(monkeypatch: Any, capsys: Any, model: str) -> None:
    lines = iter(["/dance", "Hello", KeyboardInterrupt, "/set", EOFError])

    def typed(prompt: str) -> str:
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    arguments = ["chat", "--model", model, "--max-new-tokens", "3"]
    assert main(arguments) == 130  # Ctrl-C where nothing runs
    out, err = capsys.readouterr()
    assert "no command /dance" in err
    assert out.strip()
    assert main(arguments) == 0  # Ctrl-D


def test_an_answer_that_is_stopped_is_forgotten(monkeypatch: Any, capsys: Any, model: str) -> None:
    chat = open_chat(model)

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(chat.model, "generate", stopped)
    chat_module._answer(chat, "Hello", as_json=False, interactive=True)
    assert chat.messages == []
    assert "stopped" in capsys.readouterr().err


def open_chat(model: str, **parameters: Any) -> Conversation:
    parameters = {"max_new_tokens": 4, **parameters}
    return Conversation.open(model, keywords={}, template=None, parameters=parameters)


def test_the_cache_changes_no_answer(model: str) -> None:
    kept, fresh = (open_chat(model, max_new_tokens=2) for _ in range(2))
    for text in ("A", "B"):
        fresh._cache = None
        assert kept._cache is None or kept._known(kept._seen)["past_key_values"].length > 2
        assert kept.say(text, stream=False) == fresh.say(text, stream=False)
    kept.messages = kept.messages[:2]
    fresh.messages, fresh._cache = kept.messages, None
    assert kept.say("D", stream=False) == fresh.say("D", stream=False)


def test_the_models_room(model: str) -> None:
    chat = open_chat(model, max_new_tokens=500)
    answer = chat.say("Hello", stream=False)
    assert answer["tokens"] < 64
    with pytest.raises(ValueError, match=r"reads 64 at most: /clear begins another"):
        chat.say("a long text " * 20, stream=False)
    assert len(chat.messages) == 2


def test_a_model_that_cannot_chat(said: Any, tmp_path: Path) -> None:
    model = pipeline_models.build(tmp_path, "t5")
    code, _, err = said("", "--model", model)
    assert code == 1
    assert "no chat template" in err
    (tmp_path / "talk.jinja").write_text("{{ messages[-1]['content'] }}")
    code, out, _ = said("Hello\n", "--model", model, "--chat-template", tmp_path / "talk.jinja")
    assert code == 0
    assert out.strip()


@pytest.mark.parametrize("text", ["{", "{}", '[{"role": "user"}]', '[{"role": 1, "content": ""}]'])
def test_a_file_that_is_no_conversation(model: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "talk.json").write_text(text)
    with pytest.raises(ValueError, match=r"talk\.json is no"):
        open_chat(model).load(str(tmp_path / "talk.json"))
