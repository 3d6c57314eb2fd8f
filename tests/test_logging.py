"""Messages: where they go, and how much of them."""

import logging as python_logging
import subprocess
import sys

import pytest

from minitransformers import logging


@pytest.fixture(autouse=True)
def as_before():
    level, handlers = logging._root.level, list(logging._root.handlers)
    yield
    logging._root.setLevel(level)
    logging._root.handlers[:] = handlers
    logging.enable_propagation()
    logging.reset_format()
    logging._bars_forbidden = False


def printed(code: str, env: dict | None = None) -> str:
    lines = "from minitransformers import logging\nlog = logging.get_logger('minitransformers.x')\n"
    done = subprocess.run(
        [sys.executable, "-c", lines + code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout == ""
    return done.stderr


def test_warnings_are_shown_and_information_when_asked_for() -> None:
    assert printed("log.info('one'); log.warning('two')") == "two\n"
    assert printed("logging.set_verbosity_info(); log.info('one'); log.debug('two')") == "one\n"
    assert printed("logging.set_verbosity_error(); log.warning('one')") == ""
    assert printed("log.info('one')", {"TRANSFORMERS_VERBOSITY": "info"}) == "one\n"


def test_a_program_that_set_up_logging_gets_the_messages() -> None:
    setup = "import logging as l; l.basicConfig(format='mine %(message)s'); "
    assert printed(setup + "logging.set_verbosity_info(); log.info('one')") == "mine one\n"
    assert printed(setup + "logging.enable_default_handler(); log.warning('one')") == "one\n"
    both = setup + "logging.enable_default_handler(); logging.enable_propagation(); "
    assert sorted(printed(both + "log.warning('one')").split("\n")) == ["", "mine one", "one"]


def test_the_explicit_format() -> None:
    start = "logging.enable_default_handler(); logging.enable_explicit_format(); "
    assert printed(start + "log.warning('one')").startswith("[WARNING|<string>:3] 20")
    assert printed(start + "logging.reset_format(); log.warning('one')") == "one\n"
    end = "logging.disable_default_handler(); log.warning('one')"
    assert printed(start + end) == "one\n"


def test_handlers_of_ones_own() -> None:
    seen: list = []
    handler = python_logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    logging.add_handler(handler)
    logging.disable_propagation()
    logging.get_logger("minitransformers.x").error("one")
    logging.remove_handler(handler)
    logging.get_logger("minitransformers.x").error("two")
    assert [record.getMessage() for record in seen] == ["one"]
    assert logging.get_log_levels_dict()["info"] == python_logging.INFO


def test_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    assert not logging.is_progress_bar_enabled()
    items = [1, 2, 3]
    assert logging.progress(items, "three") is items
    logging.enable_progress_bar()
    assert list(logging.progress(items, "three")) == items
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    assert not logging.is_progress_bar_enabled()
