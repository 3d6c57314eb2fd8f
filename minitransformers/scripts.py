"""What the reference's example scripts call around their work."""

from __future__ import annotations

import importlib.metadata
import io
import logging
import platform
from typing import Any


def check_min_version(min_version: str) -> None:
    """Accept any: what a script needs of transformers' versions says nothing about this package."""


def send_example_telemetry(*args: Any, **kwargs: Any) -> None:
    """Send nothing to anyone."""


def require_version(requirement: str, hint: str | None = None) -> None:
    """Check that a distribution, or python itself, is installed in a version.

    requirement: such as "numpy", "numpy>=1.26" or "tokenizers>=0.20,<1"; hint: ends the error
    Raises ImportError if it is not, ValueError for what is no requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    more = f"\n{hint}" if hint else ""
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as error:
        raise ValueError(
            f"{requirement!r} is no requirement; one reads numpy, numpy>=1.26 or numpy>=1.26,<3: "
            f"{error}"
        ) from error
    if wanted.name == "python":
        found = platform.python_version()
    else:
        try:
            found = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError as error:
            raise importlib.metadata.PackageNotFoundError(
                f"{requirement} is required, but {wanted.name} is not installed{more}"
            ) from error
    if not wanted.specifier.contains(found, prereleases=True):
        raise ImportError(
            f"{requirement} is required for a normal functioning of this module, but found "
            f"{wanted.name}=={found}.{more}"
        )


def require_version_core(requirement: str) -> None:
    """`require_version` with a hint for what this package itself needs."""
    require_version(requirement, "Try: pip install -U minitransformers")


class CaptureLogger:
    """A context in which a logger's messages are collected.

    out: the messages so far, a line each
    """

    def __init__(self, logger: logging.Logger):
        self.logger, self.out = logger, ""
        self._lines = io.StringIO()
        self._handler = logging.StreamHandler(self._lines)

    def __enter__(self) -> CaptureLogger:
        self.logger.addHandler(self._handler)
        return self

    def __exit__(self, *exc: Any) -> None:
        self.logger.removeHandler(self._handler)
        self.out = self._lines.getvalue()

    def __repr__(self) -> str:
        return f"captured: {self.out}\n"
