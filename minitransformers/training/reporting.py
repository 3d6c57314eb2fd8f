"""Reports of a run: TensorBoard's event files, written without TensorBoard."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from typing import Any

from .. import logging
from .callbacks import TrainerCallback

logger = logging.get_logger(__name__)


def reporters(report_to: list[str] | str) -> list[Any]:
    """The callbacks for `TrainingArguments.report_to`. Raises ValueError for an unknown one."""
    names = [report_to] if isinstance(report_to, str) else report_to
    for name in names:
        if name not in ("tensorboard", "none"):
            raise ValueError(
                f"report_to={name!r} is not supported, only tensorboard is: for another service "
                "pass a TrainerCallback of your own that sends the logs in on_log"
            )
    return [TensorBoardCallback for name in names if name == "tensorboard"]


class TensorBoardCallback(TrainerCallback):
    """Writes the logs for TensorBoard into `logging_dir`; needs nothing installed.

    tb_writer: what writes, with the methods of `EventWriter`; tensorboardX's SummaryWriter has them
    """

    def __init__(self, tb_writer: Any = None):
        self.tb_writer = tb_writer

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        if self.tb_writer is None:
            self.tb_writer = EventWriter(args.logging_dir)
        self.tb_writer.add_text("args", args.to_json_string())
        config = getattr(model, "config", None)
        if config is not None:
            self.tb_writer.add_text("model_config", config.to_json_string())

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.tb_writer is None:
            self.tb_writer = EventWriter(args.logging_dir)
        for name, value in _grouped(logs or {}).items():
            if isinstance(value, (int, float)):
                self.tb_writer.add_scalar(name, value, state.global_step)
            else:
                logger.warning(f"TensorBoard shows numbers only: {name} is {type(value).__name__}")
        self.tb_writer.flush()

    def on_train_end(self, args, state, control, **kwargs):
        if self.tb_writer is not None:
            self.tb_writer.close()
            self.tb_writer = None


def _grouped(logs: dict[str, Any]) -> dict[str, Any]:
    """Names as TensorBoard groups them: train/loss, eval/loss, test/loss"""
    grouped = {}
    for name, value in logs.items():
        group, _, rest = name.partition("_")
        grouped[f"{group}/{rest}" if group in ("eval", "test") else f"train/{name}"] = value
    return grouped


class EventWriter:
    """Writes a file of TensorBoard events: records of protocol buffers (tensorflow/event.proto).

    folder: where to; nothing is written before `flush`, and the file is not kept open
    """

    _made = itertools.count()

    def __init__(self, folder: str):
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self.path = os.path.join(folder, f"{name}.{next(self._made)}")
        self._pending: list[bytes] = []
        self._write(0, _bytes(3, b"brain.Event:2"))

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Write a number at a step."""
        entry = _bytes(1, tag.encode()) + _key(2, 5) + struct.pack("<f", value)
        self._write(step, _bytes(5, _bytes(1, entry)))

    def add_text(self, tag: str, text: str, step: int = 0) -> None:
        """Write a text at a step."""
        metadata = _bytes(1, _bytes(1, b"text"))
        shape = _bytes(2, _bytes(2, _key(1, 0) + _varint(1)))
        tensor = _key(1, 0) + _varint(7) + shape + _bytes(8, text.encode())
        tag = f"{tag}/text_summary"
        entry = _bytes(1, tag.encode()) + _bytes(9, metadata) + _bytes(8, tensor)
        self._write(step, _bytes(5, _bytes(1, entry)))

    def flush(self) -> None:
        """Append everything to the file."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "ab") as file:
            file.write(b"".join(self._pending))
        self._pending.clear()

    close = flush

    def _write(self, step: int, content: bytes) -> None:
        event = _key(1, 1) + struct.pack("<d", time.time()) + _key(2, 0) + _varint(step) + content
        length = struct.pack("<Q", len(event))
        for part in (length, event):
            self._pending.append(part + struct.pack("<I", _masked_crc(part)))


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()  # of CRC-32C, which zlib does not have


def _masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
