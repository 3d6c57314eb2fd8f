import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from minitransformers.checkpoints import SafetensorsFile, read_safetensors, write_safetensors

GOLDEN = Path(__file__).parents[1] / "golden"


def header_bytes(header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.fixture
def write(tmp_path):
    def write(header: object, body: bytes = b"") -> Path:
        path = tmp_path / "hostile.safetensors"
        path.write_bytes(header_bytes(header) + body)
        return path

    return write


def test_every_dtype_reads_as_in_torch():
    stored = read_safetensors(GOLDEN / "dtypes.safetensors")
    with np.load(GOLDEN / "dtypes.npz") as expected:
        assert stored.keys() == set(expected.files)
        for name, tensor in stored.items():
            values = tensor.numpy()
            assert values.dtype == expected[name].dtype, name
            assert tensor.shape == values.shape == expected[name].shape, name
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
            signs = values.real, expected[name].real
            if values.dtype.kind == "f":  # -0.0 too
                nan = np.isnan(values)
                np.testing.assert_array_equal(*(np.signbit(part)[~nan] for part in signs))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64", "float8_e4m3fn", "int32"])
def test_values_convert_to_float32(name):
    tensor = read_safetensors(GOLDEN / "dtypes.safetensors")[name]
    with np.load(GOLDEN / "dtypes.npz") as expected:
        values = tensor.numpy(np.float32)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, expected[name].astype(np.float32))


def test_bits_stay_bits():
    stored = read_safetensors(GOLDEN / "dtypes.safetensors")
    assert stored["bfloat16"].data.dtype == np.uint16
    assert stored["float8_e5m2"].data.dtype == np.uint8
    assert stored["bfloat16"].dtype == "BF16"


def test_float32_is_the_mapped_file_itself(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"w": np.ones((4, 4), np.float32)})
    tensor = read_safetensors(path)["w"]
    assert tensor.numpy(np.float32) is tensor.data
    assert tensor.numpy() is tensor.data
    assert not tensor.data.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        tensor.data[0] = 1


def test_views_outlive_the_file_and_its_replacement(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"w": np.arange(8, dtype=np.float32)})
    view = read_safetensors(path)["w"].numpy()
    write_safetensors(path, {"w": np.zeros(8, np.float32)})
    np.testing.assert_array_equal(view, np.arange(8))
    np.testing.assert_array_equal(read_safetensors(path)["w"].numpy(), np.zeros(8))
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_unaligned_bytes_are_copied_once_into_aligned_ones(tmp_path):
    values = np.arange(6, dtype=np.float32)
    path = tmp_path / "a.safetensors"
    text = json.dumps({"w": entry("F32", [2, 3], 0, 24)}).encode()
    text += b" " * ((1 - len(text)) % 4)
    path.write_bytes(header_bytes(text) + values.tobytes())
    tensor = read_safetensors(path)["w"]
    assert not tensor.data.flags.aligned
    aligned = tensor.numpy(np.float32)
    assert aligned.flags.aligned
    np.testing.assert_array_equal(aligned, values.reshape(2, 3))


def test_metadata_is_reachable_and_aliases_are_the_same_tensor(tmp_path):
    path = tmp_path / "a.safetensors"
    metadata = {"format": "pt", "model.shared.weight": "w", "lm_head.weight": "w", "note": "x"}
    write_safetensors(path, {"w": np.ones(2, np.float32), "pt": np.ones(1)}, metadata)
    file = SafetensorsFile(path)
    assert file.metadata == metadata
    assert file.keys() == {"w", "pt", "model.shared.weight", "lm_head.weight"}
    assert file["model.shared.weight"] is file["lm_head.weight"] is file["w"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
        np.arange(12, dtype=np.int64)[::3],
        np.arange(3, dtype=">f4"),
        np.array(True),
        np.zeros((0, 2), np.float16),
        np.float32(3),
    ],
    ids=["transposed", "strided", "big-endian", "scalar", "empty", "numpy-scalar"],
)
def test_what_is_written_is_read(tmp_path, array):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": array})
    again = read_safetensors(path)["a"].numpy()
    assert again.shape == array.shape
    assert again.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(again, array)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"a\.safetensors: tensor 'o'.*cannot hold.*object"):
        write_safetensors(path, {"o": np.array([None])})
    with pytest.raises(TypeError):
        write_safetensors(path, {"a": np.ones(2)}, {"format": 1})  # type: ignore[dict-item]
    assert os.listdir(tmp_path) == ["a.safetensors"]
    assert read_safetensors(path)["a"].shape == (2,)


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_a_written_file_has_the_ordinary_mode(tmp_path):
    (tmp_path / "ordinary").touch()
    write_safetensors(tmp_path / "a.safetensors", {"a": np.ones(2)})
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


ONE = entry("F32", [2], 0, 8)
HOSTILE = {
    "overlap": ({"a": ONE, "b": entry("F32", [2], 4, 12)}, 12, "tensor 'b'.*overlaps"),
    "same bytes": ({"a": ONE, "b": ONE}, 8, "overlaps"),
    "gap": ({"a": ONE, "b": entry("F32", [2], 12, 20)}, 20, "tensor 'b'.*leaves a gap"),
    "late start": ({"a": entry("F32", [2], 4, 12)}, 12, "tensor 'a'.*leaves a gap"),
    "truncated": ({"a": ONE}, 7, "tensor 'a'.*ends outside.*force_download"),
    "trailing": ({"a": ONE}, 9, "1 bytes after the last tensor"),
    "unknown dtype": ({"a": {**ONE, "dtype": "F5"}}, 8, "tensor 'a'.*unknown dtype 'F5'"),
    "dtype a list": ({"a": {**ONE, "dtype": ["F32"]}}, 8, "tensor 'a'.*unknown dtype"),
    "shape lies": ({"a": {**ONE, "shape": [3]}}, 8, r"tensor 'a'.*shape \[3\] takes 12 bytes"),
    "negative axis": ({"a": {**ONE, "shape": [-2]}}, 8, "tensor 'a'.*malformed shape"),
    "two negatives": ({"a": {**ONE, "shape": [-1, -2]}}, 8, "malformed shape"),
    "float axis": ({"a": {**ONE, "shape": [2.0]}}, 8, "malformed shape"),
    "bool axis": ({"a": {**ONE, "shape": [True, 2]}}, 8, "malformed shape"),
    "many axes": ({"a": {**ONE, "shape": [1] * 99 + [2]}}, 8, "malformed shape"),
    "giant axis": ({"a": entry("F32", [0, 2**70], 0, 0)}, 0, "tensor 'a'.*cannot have the shape"),
    "reversed": ({"a": {**ONE, "data_offsets": [8, 0]}}, 8, "tensor 'a'.*takes 8 bytes"),
    "one offset": ({"a": {**ONE, "data_offsets": [8]}}, 8, "malformed data_offsets"),
    "negative offset": ({"a": {**ONE, "data_offsets": [-8, 0]}}, 8, "malformed data_offsets"),
    "overflow": ({"a": entry("F32", [2**62], 0, 2**64)}, 8, "ends outside"),
    "missing key": ({"a": {"dtype": "F32", "shape": [2]}}, 8, "tensor 'a' must have exactly"),
    "extra key": ({"a": {**ONE, "x": 1}}, 8, "tensor 'a' must have exactly"),
    "entry a list": ({"a": [1, 2]}, 8, "tensor 'a' must have exactly"),
    "metadata a list": ({"__metadata__": [], "a": ONE}, 8, "__metadata__ must map"),
    "metadata a number": ({"__metadata__": {"a": 1}, "a": ONE}, 8, "__metadata__ must map"),
    "a list": ([], 0, "must be a JSON object"),
    "not JSON": (b"{'a': 1}", 0, "header is not valid"),
    "not UTF-8": (b'{"\xff": 1}', 0, "header is not valid"),
    "too deep": (b"[" * 100_000, 0, "header is not valid"),
    "too many digits": (b'{"a": ' + b"9" * 5000 + b"}", 0, "header is not valid"),
    "duplicate": (b'{"a": 1, "b": 2, "a": 1}', 0, "'a' appears 2 times"),
    "empty header": (b"", 0, "header is not valid"),
    "lone surrogate": (b'{"\\ud800": 1}', 0, "header is not valid: .*surrogates"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_header_is_a_value_error_with_names(write, fault):
    header, size, message = HOSTILE[fault]
    path = write(header, bytes(size))
    with pytest.raises(ValueError, match=message) as caught:
        read_safetensors(path)
    assert path.name in str(caught.value)
    str(caught.value).encode()  # printable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are too few"),
        (b"\1\0\0", "3 bytes are too few"),
        (struct.pack("<Q", 10) + b"{}", "ends inside its header"),
        (b"\xff" * 64, "not a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a safetensors file"),
        (b"<!DOCTYPE html><html>", "not a safetensors file"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"model\.safetensors: .*{message}"):
        read_safetensors(path)


def test_mutated_files_read_right_or_raise_value_error(tmp_path):
    """The format's own library is the judge: what it refuses is refused, else the values agree."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    rng = np.random.default_rng(0)
    path = tmp_path / "a.safetensors"
    tensors = {f"t{n}": rng.standard_normal((n, 3)).astype(np.float32) for n in range(1, 5)}
    write_safetensors(path, {**tensors, "flag": np.array([True, False]), "n": np.arange(3)})
    original = path.read_bytes()
    header_size = int.from_bytes(original[:8], "little")
    digits = [i for i in range(8, 8 + header_size) if chr(original[i]).isdigit()]
    agreed = refused = 0
    for trial in range(600):
        mutant = bytearray(original)
        for _ in range(int(rng.integers(1, 4))):
            if trial % 2:  # a number of the header: the likeliest lie
                mutant[rng.choice(digits)] = ord(str(rng.integers(10)))
            else:
                mutant[rng.integers(8 + header_size)] = rng.integers(256)
        if trial % 10 == 0:
            del mutant[int(rng.integers(len(mutant))) :]
        path.write_bytes(mutant)
        try:
            ours = {name: tensor.numpy() for name, tensor in read_safetensors(path).items()}
        except ValueError:  # pytest.raises cannot say "perhaps"
            refused += 1
            continue
        try:
            theirs = load(bytes(mutant))
        except SafetensorError as error:
            pytest.fail(f"accepted what the library refuses: {error}")
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array)
        agreed += 1
    assert refused > 300
    assert agreed > 10
