"""What example scripts call around their work."""

import importlib.metadata

import pytest

from minitransformers.testing_utils import CaptureLogger
from minitransformers.utils import check_min_version, logging, send_example_telemetry
from minitransformers.utils.versions import require_version, require_version_core


def test_versions_of_transformers_are_not_asked_for() -> None:
    check_min_version("4.57.0.dev0")
    send_example_telemetry("run_clm", object(), framework="pytorch")


def test_what_is_installed_passes() -> None:
    for requirement in ("numpy", "numpy>=1", "numpy>=1,<99", "python>=3.8", "tokenizers!=0.0.1"):
        require_version(requirement)
    require_version_core("numpy>=1.20")


def test_what_is_not_does_not() -> None:
    with pytest.raises(ImportError, match=r"numpy>=99 .* found numpy==[\d.]+\.\nTo fix: this$"):
        require_version("numpy>=99", "To fix: this")
    with pytest.raises(ImportError, match="pip install -U minitransformers"):
        require_version_core("python>=4")
    with pytest.raises(importlib.metadata.PackageNotFoundError, match="nowhere"):
        require_version("nowhere>=99", "hint")
    with pytest.raises(ValueError, match="'numpy=>1' is no requirement"):
        require_version("numpy=>1")


def test_messages_are_captured() -> None:
    logger = logging.get_logger("minitransformers.tokenization_utils_base")
    with CaptureLogger(logger) as captured:
        logger.warning("Token indices sequence length is longer")
    logger.warning("later")
    assert captured.out == "Token indices sequence length is longer\n"
    assert "longer" in repr(captured)
