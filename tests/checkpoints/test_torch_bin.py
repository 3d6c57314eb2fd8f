"""Files of torch.save, read without torch: golden ones, and ones built by hand that lie."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from minitransformers.checkpoints import read_torch_bin
from minitransformers.checkpoints.torch_writer import write_torch

GOLDEN = Path(__file__).parents[1] / "golden"
PROTOCOLS = [f"{kind}{protocol}" for kind in ("zip", "legacy") for protocol in range(1, 6)]
# torch cannot read these back from its older format
ONLY_ZIP = ("torch.float8", "torch.uint16", "torch.uint32", "torch.uint64")


def golden(name: str, folder: Path) -> Path:
    path = folder / f"{name}.bin"
    with zipfile.ZipFile(GOLDEN / "torch_bin.zip") as archive:
        path.write_bytes(archive.read(path.name))
    return path


def expected(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "torch_bin.npz") as arrays:
        return {
            key.partition("/")[2]: arrays[key] for key in arrays if key.partition("/")[0] == name
        }


def assert_same(path: Path, wanted: dict[str, np.ndarray]) -> None:
    stored = read_torch_bin(path)
    assert stored.keys() == wanted.keys()
    for name, array in wanted.items():
        data = stored[name].data
        assert data.dtype == array.dtype, name
        assert data.shape == stored[name].shape == array.shape, name
        assert data.tobytes() == array.tobytes(), name  # to the bit: NaN, -0.0 too


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_dtype_view_and_protocol_reads_as_in_torch(tmp_path, name):
    wanted = expected("zip2")
    if name.startswith("legacy"):
        wanted = {key: x for key, x in wanted.items() if not key.startswith(ONLY_ZIP)}
    path = golden(name, tmp_path)
    assert_same(path, wanted)
    stored = read_torch_bin(path)
    assert not any(tensor.data.flags.writeable for tensor in stored.values())
    assert stored["torch.bfloat16"].dtype == "BF16"
    assert stored["torch.bfloat16"].data.dtype == np.uint16
    assert stored["same"] is stored["base"] is stored["tied"]
    for name in ("transposed", "row", "columns", "diagonal", "windows", "one axis"):
        assert np.shares_memory(stored[name].data, stored["base"].data), name


@pytest.mark.parametrize("name", ["big", "state_dict", "model_state_dict", "model", "module"])
def test_byte_order_and_wrappers(tmp_path, name):
    assert_same(golden(name, tmp_path), expected(name))


def test_what_is_no_tensor_is_left_out(tmp_path):
    assert_same(golden("mixed", tmp_path), expected("mixed"))
    assert read_torch_bin(golden("nothing", tmp_path)) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quantized", r"tensor 'w': it is quantized by torch: dequantize\(\)"),
        ("channels", "tensor 'w': it is quantized"),
        ("sparse", r"tensor 'w': it is sparse: save to_dense\(\)"),
        ("sparse rows", "tensor 'w': it is sparse"),
        ("nested", "tensor 'w': it is nested"),
        ("meta", "tensor 'w': it is on the meta device"),
        ("conjugated", "tensor 'w': it is conjugated or negated"),
        ("complex32", "tensor 'w': its dtype complex32 is not supported; .*float32"),
        ("whole model", r"asks for torch\.nn\.modules\.linear\.Linear, which.*refused.*state_dict"),
        ("tensor", "holds a single tensor, not a state_dict"),
        ("list", "holds a list, not a state_dict"),
        ("numpy", r"asks for numpy\.\S+, which tensors do not need: refused"),
    ],
)
def test_what_is_no_plain_tensor_is_refused_with_its_name(tmp_path, name, message):
    path = golden(name, tmp_path)
    with pytest.raises(ValueError, match=rf"{path.name}: .*{message}"):
        read_torch_bin(path)


def test_storages_stay_in_the_mapped_file(tmp_path):
    path = tmp_path / "a.bin"
    write_torch(path, {"w": np.arange(12, dtype=np.float32).reshape(3, 4)})
    tensor = read_torch_bin(path)["w"]
    assert tensor.numpy(np.float32) is tensor.data  # not copied
    assert not tensor.data.flags.owndata
    assert tensor.data.flags.aligned
    path.unlink()
    assert tensor.data.sum() == 66


def test_deflated_archives_are_read_but_not_without_bound(tmp_path, monkeypatch):
    path = golden("zip2", tmp_path)
    deflate(path)
    assert_same(path, expected("zip2"))
    write_torch(path, {"w": np.zeros(1 << 20, np.uint8)})
    deflate(path)
    assert path.stat().st_size < 3000
    assert read_torch_bin(path)["w"].shape == (1 << 20,)
    monkeypatch.setattr("minitransformers.checkpoints.torch_bin._SLACK", 1 << 19)
    with pytest.raises(ValueError, match="tensor 'w': .*inflates to 1048576 bytes, too many"):
        read_torch_bin(path)


def deflate(path: Path) -> None:
    with zipfile.ZipFile(path) as source:
        content = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in content.items():
            target.writestr(name, data)


class Torch:
    """Pickles as torch does: what it names need not exist."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class Called:
    def __init__(self, function: Torch, *arguments: object):
        self.function, self.arguments = function, arguments


class Storage:
    def __init__(self, *identity: object):
        self.identity = ("storage", *identity)


class Pickler(pickle._Pickler):  # type: ignore[misc]  # the one in Python can write any name
    def persistent_id(self, x: object) -> object:
        return x.identity if isinstance(x, Storage) else None

    def save(self, x: object, save_persistent_id: bool = True) -> None:
        if isinstance(x, Torch):
            self.write(f"c{x.module}\n{x.name}\n".encode())
        elif isinstance(x, Called):
            self.save(x.function)
            self.save(x.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(x, save_persistent_id)


def pickled(content: object) -> bytes:
    out = io.BytesIO()
    Pickler(out, 2).dump(content)
    return out.getvalue()


FLOATS = Torch("torch", "FloatStorage")
BYTES = Torch("torch.storage", "UntypedStorage")


def tensor(offset=0, shape=(2, 3), strides=(3, 1), storage=None, version="_v2", more=()):
    storage = Storage(FLOATS, "0", "cpu", 6) if storage is None else storage
    rebuild = Torch("torch._utils", f"_rebuild_tensor{version}")
    return Called(rebuild, storage, offset, shape, strides, False, {}, *more)


def archive(path: Path, content: object, storages: dict[str, bytes] | None = None) -> Path:
    """A zip file of torch's; `content` may be the pickle itself."""
    with zipfile.ZipFile(path, "w") as target:
        data = content if isinstance(content, bytes) else pickled(content)
        target.writestr("archive/data.pkl", data)
        for key, value in ({"0": bytes(24)} if storages is None else storages).items():
            target.writestr(f"archive/data/{key}", value)
    return path


def legacy(path: Path, content: object, keys: object = None, body: bytes | None = None) -> Path:
    """A file of the older format; `content` may be the pickle itself."""
    data = content if isinstance(content, bytes) else pickled(content)
    if keys is None:
        keys = ["0"] if b"storage" in data else []
    if body is None:
        body = struct.pack("<q", 6) + bytes(24)
    heads = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    path.write_bytes(b"".join(map(pickled, heads)) + data + pickled(keys) + body)
    return path


GIANT = 2**62
LYING_VIEWS = {
    "past the end": (dict(offset=1), r"elements 1 to 6 lie outside its storage of 6"),
    "long strides": (dict(strides=(4, 1)), "elements 0 to 6 lie outside"),
    "overflow": (dict(shape=(GIANT, GIANT), strides=(GIANT, GIANT)), "lie outside"),
    "overflow by offset": (dict(offset=2**63 - 1), "lie outside"),
    "negative offset": (dict(offset=-1), "malformed"),
    "negative stride": (dict(offset=5, strides=(-3, -1)), "malformed"),
    "negative axis": (dict(shape=(-2, -3)), "malformed"),
    "bool axis": (dict(shape=(True, 3)), "malformed"),
    "float axis": (dict(shape=(2.0, 3)), "malformed"),
    "axis of a giant": (dict(shape=(2**4000, 3)), "malformed"),
    "more strides": (dict(strides=(3, 1, 1)), "malformed"),
    "many axes": (dict(shape=(1,) * 33, strides=(1,) * 33), "malformed"),
    "shape a list": (dict(shape=[2, 3]), "malformed"),
    "shape none": (dict(shape=None), "malformed"),
    "no storage": (dict(storage=(FLOATS, "0", "cpu", 6)), "malformed"),
    "repeated": (dict(shape=(GIANT,), strides=(0,)), r"repeats its storage to \d+ bytes"),
    "empty giant": (dict(shape=(0, GIANT, GIANT), strides=(1, 1, 1)), "too (big|large)|exceed"),
    "other count": (dict(storage=Storage(FLOATS, "0", "cpu", 5)), "24 bytes, not the 5 elements"),
    "other type": (
        dict(storage=Storage(Torch("torch", "HalfStorage"), "0", "cpu", 6)),
        "24 bytes, not the 6 elements of a HalfStorage",
    ),
    "other key": (dict(storage=Storage(FLOATS, "1", "cpu", 6)), "'(archive/data/)?1'"),
    "no dtype": (
        dict(storage=Storage(BYTES, "0", "cpu", 24), version="_v3"),
        "its dtype None is not supported",
    ),
    "odd dtype": (
        dict(storage=Storage(BYTES, "0", "cpu", 24), version="_v3",
             more=[Torch("torch", "float8_e4m3fnuz")]),
        "its dtype float8_e4m3fnuz is not supported",
    ),
    "wide dtype": (
        dict(storage=Storage(BYTES, "0", "cpu", 24), version="_v3",
             more=[Torch("torch", "float64")]),
        "elements 0 to 5 lie outside its storage of 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("write", [archive, legacy])
@pytest.mark.parametrize("fault", LYING_VIEWS)
def test_a_view_outside_its_storage_is_refused(tmp_path, write, fault):
    lie, message = LYING_VIEWS[fault]
    path = write(tmp_path / "lying.bin", {"fine": tensor(), "w.x": tensor(**lie)})
    with pytest.raises(ValueError, match=rf"lying\.bin: tensor 'w\.x': .*{message}"):
        read_torch_bin(path)


@pytest.mark.parametrize("write", [archive, legacy])
def test_many_views_of_one_storage_are_counted_together(tmp_path, write, monkeypatch):
    aliases = {f"alias.{i}": tensor() for i in range(1000)}  # one view, which is made once
    path = write(tmp_path / "a.bin", aliases)
    monkeypatch.setattr("minitransformers.checkpoints.torch_bin._SLACK", 1 << 12)
    stored = read_torch_bin(path)
    assert len({id(x) for x in stored.values()}) == 1
    # a storage of 4,000 bytes: 1,000 views of almost all of it
    storage = Storage(FLOATS, "0", "cpu", 1000)
    shown = {f"w.{i}": tensor(i % 500, (2, 250 - i % 3), (251, 1), storage) for i in range(1000)}
    if write is archive:
        path = write(tmp_path / "b.bin", shown, {"0": bytes(4000)})
    else:
        path = write(tmp_path / "b.bin", shown, body=struct.pack("<q", 1000) + bytes(4000))
    with pytest.raises(ValueError, match=r"b\.bin: tensor 'w\.\d+': with it the tensors show \d+"):
        read_torch_bin(path)


@pytest.mark.parametrize("write", [archive, legacy])
def test_sound_views_by_hand(tmp_path, write):
    path = write(
        tmp_path / "a.bin",
        {
            "plain": tensor(),
            "old": tensor(version=""),
            "step of a single": tensor(shape=(1, 3), strides=(GIANT, 1)),
            "empty outside": tensor(offset=99, shape=(0, 3)),
        },
    )
    stored = read_torch_bin(path)
    assert stored["plain"] is stored["old"]
    assert [x.shape for x in stored.values()] == [(2, 3), (2, 3), (1, 3), (0, 3)]


POSIX = Torch("posix", "system")
OTHER_FAULTS = {
    "malicious": ({"w": Called(POSIX, "touch /tmp/owned")}, r"asks for posix\.system, which"),
    "malicious by protocol 4": (
        b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x93\x8c\x04true\x85R.",
        r"asks for posix\.system",
    ),
    "evaluating": ({"w": Called(Torch("builtins", "eval"), "1")}, r"builtins\.eval"),
    "evaluating under Python 2": ({"w": Called(Torch("__builtin__", "eval"), "1")}, "eval"),
    "attribute of torch": ({"w": Called(Torch("torch", "load"), "x")}, r"torch\.load"),
    "dotted": ({"w": Called(Torch("torch", "_utils.os.system"), "x")}, r"_utils\.os\.system"),
    "named elsewhere": ({"w": tensor(storage=Storage(Torch("os", "FloatStorage"), "0", "cpu", 6))},
                        r"os\.FloatStorage"),
    "another id": ({"w": Storage()}, "description is malformed"),
    "type a text": ({"w": Storage("FloatStorage", "0", "cpu", 6)}, "description is malformed"),
    "type a function": ({"w": Storage(Torch("torch", "Size"), "0", "cpu", 6)}, "malformed"),
    "negative count": ({"w": Storage(FLOATS, "0", "cpu", -6)}, "malformed"),
    "part of a storage": ({"w": Storage(FLOATS, "0", "cpu", 6, ("1", 0, 3))}, "part of another"),
    "number as a name": ({3: tensor()}, "tensor 3: its name is not text"),
    "nothing called": ({"w": Called(Torch("torch._utils", "_rebuild_parameter"))}, "malformed"),
    "number as parameter": (
        {"w": Called(Torch("torch._utils", "_rebuild_parameter"), 3)}, "tensor 'w': .*malformed"),
    "itself no tensor": (
        {"w": Called(Torch("torch._utils", "_rebuild_parameter"),
                     Called(Torch("torch", "Size"), (3,)))}, "tensor 'w': .*malformed"),
    "class without parts": (
        {"w": Called(Torch("torch._tensor", "_rebuild_from_type_v2"), FLOATS)}, "malformed"),
    "calling a tuple": (b"\x80\x02))R.", "calls what is no function"),
    "empty": (b"", "exhausted|unknown"),
    "nothing on the stack": (b"\x80\x02.", r"STOP at \d+ fails"),
    "unknown opcode": (b"\x80\x02\xff.", "unknown"),
    "extension": (b"\x80\x02\x82\x01.", r"EXT1 at \d+ has no place"),
    "instance": (b"(iposix\nsystem\n.", r"INST at \d+ has no place"),
    "text id": (b"P0\n.", r"PERSID at \d+ has no place"),
    "no such memo": (b"\x80\x02h\x05.", r"BINGET at \d+ fails"),
    "no mark": (b"\x80\x02t.", r"TUPLE at \d+ fails"),
    "short tuple": (b"\x80\x02N\x87.", r"TUPLE3 at \d+ fails"),
    "long text": (b"\x80\x02X\xff\xff\xff\x7fab.", "expected 2147483647 bytes"),
    "longer text": (b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fab.", "bytes"),
    "long bytes": (b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fab.", "bytes"),
    "key without value": (b"\x80\x02}(K\x01u.", "a key has no value"),
    "items of a list": (b"\x80\x02](K\x01K\x01u.", "no dictionary"),
    "appends to a tuple": (b"\x80\x02)K\x01a.", "appends to what is no list"),
    "list as a key": (b"\x80\x02}](K\x01e]s.", "a key is a list"),
    "not text as a name": (b"\x80\x04K\x01K\x02\x93.", "not text"),
    "dictionary of numbers": (
        {"w": Called(Torch("collections", "OrderedDict"), [1, 2])}, "what are no pairs"),
}  # fmt: skip


@pytest.mark.parametrize("write", [archive, legacy])
@pytest.mark.parametrize("fault", OTHER_FAULTS)
def test_a_hostile_pickle_runs_nothing_and_is_refused(tmp_path, write, fault):
    content, message = OTHER_FAULTS[fault]
    path = write(tmp_path / "hostile.bin", content)
    watched = []
    forbidden = ("import", "exec", "compile", "os.", "subprocess.", "pickle.find_class")
    listening = True

    def hook(event: str, arguments: tuple) -> None:
        if listening and event.startswith(forbidden):
            watched.append((event, arguments))

    sys.addaudithook(hook)
    with pytest.raises(ValueError, match=rf"hostile\.bin: .*{message}"):
        read_torch_bin(path)
    listening = False
    assert not watched


DEEP = 200_000


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02)" + b"\x85" * DEEP + b".",  # ((((...))))
        b"\x80\x02]})" + b"\x85" * DEEP + b"Ns.",  # as a key, hashing it would overflow the stack
        b"\x80\x02}X\1\0\0\0w)" + b"\x85" * DEEP + b"s.",
        b"\x80\x02" + b"(" * DEEP + b".",
        b"\x80\x02]q\0h\0a.",  # a list in itself
        b"\x80\x02}q\0X\x0a\0\0\0state_dicth\0s.",  # a dictionary in itself
    ],
    ids=["tuple", "key", "value", "marks", "cyclic list", "cyclic dict"],
)
@pytest.mark.parametrize("write", [archive, legacy])
def test_deep_and_cyclic_pickles(tmp_path, write, content):
    path = write(tmp_path / "deep.bin", content)
    sound = content.startswith(b"\x80\x02}")
    with nullcontext() if sound else pytest.raises(ValueError, match=rf"^{path}: "):
        assert read_torch_bin(path) == {}


def test_deep_parameters(tmp_path):
    rebuild = b"ctorch._utils\n_rebuild_parameter\nq\0"
    deep = 300_000
    content = (
        b"\x80\x02}X\1\0\0\0w" + rebuild + b"h\0" * (deep - 1) + b")" + b"\x85R" * deep + b"s."
    )
    with pytest.raises(ValueError, match="tensor 'w': .*malformed|no function"):
        read_torch_bin(archive(tmp_path / "deep.bin", content))


@pytest.mark.parametrize(
    "content",
    [
        b"}",
        b"]",
        b")\x81"[:1],
        b"\x8f",
        b"(",
        b"}\x94",
        b"K\x01q\xff",
        b"ccollections\nOrderedDict\n",
    ],
    ids=["dicts", "lists", "tuples", "sets", "marks", "memo", "numbers", "names"],
)
def test_a_pickle_of_many_opcodes_takes_bounded_memory(tmp_path, monkeypatch, content):
    import tracemalloc

    limit = 20_000
    start = pickled(Storage(FLOATS, "0", "cpu", 6)).replace(b"Q.", b"r\1\0\0\0Q")
    start = start[:2] + b"ctorch\nSize\nr\0\0\0\0" + start[2:]
    monkeypatch.setattr("minitransformers.checkpoints.pickles._MAX_OPCODES", limit)
    path = archive(tmp_path / "long.bin", start + content * 2 * limit + b".")
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"more than {limit} opcodes"):
        read_torch_bin(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - path.stat().st_size < limit * 130 + 100_000


def test_python_2_wrote_text_as_bytes(tmp_path):
    """BINSTRING and SHORT_BINSTRING; and an OrderedDict made from a list of pairs."""
    rebuilt = pickled(tensor())[2:-1].replace(b"X\7\0\0\0storage", b"U\7storage")
    content = b"\x80\x02ccollections\nOrderedDict\n](](U\3a.b" + rebuilt + b"ee\x85R."
    for write in (archive, legacy):
        stored = read_torch_bin(write(tmp_path / "a.bin", content))
        assert stored["a.b"].shape == (2, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are too few"),
        (b"PK", "2 bytes are too few"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it begins with b'version https:"),
        (b"<!DOCTYPE html><html></html>", "it begins with b'<!DOCTYPE html>"),
        (pickle.dumps({"w": 3}), "not a file that torch.save wrote"),
        (pickled(0x1950A86A20F9469CFC6C) + pickled(1002), "unknown protocol"),
        (b"\xff" * 64, "not a file that torch.save wrote"),
        (b"PK\3\4" + bytes(60), "no directory at its end; the file may be truncated"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, message):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"pytorch_model\.bin: .*{message}"):
        read_torch_bin(path)


@pytest.mark.parametrize(
    ("keys", "body", "message"),
    [
        ({"0": 1}, None, "list of storages is malformed"),
        ([0], None, "list of storages is malformed"),
        (["0", "0"], None, "'0' is listed, but not used or listed before"),
        (["1"], None, "'1' is listed, but not used"),
        ([], b"", "tensor 'w': its storage '0' is not in the file"),
        (["0"], b"", "'0' ends outside the file; it may be truncated"),
        (["0"], struct.pack("<q", 6) + bytes(23), "'0' ends outside the file"),
        (["0"], struct.pack("<q", -1) + bytes(24), "'0' ends outside the file"),
        (["0"], struct.pack("<q", 5) + bytes(24), "20 bytes, not the 6 elements"),
    ],
)
def test_lying_storages_of_the_older_format(tmp_path, keys, body, message):
    path = legacy(tmp_path / "old.bin", {"w": tensor()}, keys, body)
    with pytest.raises(ValueError, match=rf"old\.bin: .*{message}"):
        read_torch_bin(path)


def test_an_unknown_byte_order_is_refused(tmp_path):
    path = archive(tmp_path / "middle.bin", {"w": tensor()})
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("archive/byteorder", "middle")
    with pytest.raises(ValueError, match=r"middle\.bin: .*unknown byte order b'middle'"):
        read_torch_bin(path)


def test_a_program_of_torchscript_is_told(tmp_path):
    path = archive(tmp_path / "script.bin", {"w": tensor()})
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("archive/constants.pkl", pickled(()))
    with pytest.raises(ValueError, match="TorchScript program"):
        read_torch_bin(path)
