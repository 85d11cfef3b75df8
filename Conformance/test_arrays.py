"""Exported arrays: read by safetensors and NumPy, run by the script that is written beside them."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from conftest import ENDLESS, INPUTS, READING, looped, run


def manifest(path):
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("data_type, dtype", [("f32", np.float32), ("f64", np.float64)])
def test_safetensors_and_numpy_read_equal_arrays(exported, data_type, dtype):
    first = safetensors.numpy.load_file(exported("factorial", "safetensors", "--data-type", data_type))
    with np.load(exported("factorial", "npz", "--data-type", data_type)) as archive:
        second = dict(archive)
    assert first.keys() == second.keys() and len(first) == 1 + 6 * 4 + 1 + 3 * 3
    for name in first:
        assert first[name].dtype == second[name].dtype == dtype
        assert np.array_equal(first[name], second[name]), name


def test_safetensors_names_what_it_holds(exported):
    path = exported("factorial", "safetensors")
    described = manifest(path)
    report = run("factorial")
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}
    assert metadata["digest"] == described["digest"] == report["network"]["digest"]
    assert metadata["program"] == described["program"] == "factorial"
    assert metadata["rows"].split("\n") == described["rows"]
    columns, width = described["stateShape"]
    assert shapes["state"] == [columns, width] and len(described["rows"]) == width == report["network"]["width"]
    assert sum(role["columns"]["count"] for role in described["columns"]) == columns
    assert [field["name"] for field in described["fields"]][:2] == ["word", "address"]
    for index, layer in enumerate(described["layers"]):
        assert shapes[f"layers.{index}.mlp.w1"] == [layer["neurons"], width]
        assert shapes[f"layers.{index}.mlp.w2"] == [width, layer["neurons"]]
        for number, head in enumerate(layer["heads"]):
            assert shapes[f"layers.{index}.heads.{number}.query"] == [head["dimension"], width]


def test_the_weights_are_as_many_as_the_network_says(exported):
    path = exported("hello", "safetensors")
    arrays = safetensors.numpy.load_file(path)
    # `output` only says which rows `value` goes to: its ones are no weights of the construction.
    count = sum(np.count_nonzero(a) for n, a in arrays.items() if n != "state" and not n.endswith(".output"))
    assert count == manifest(path)["parameters"] == run("hello")["network"]["parameters"]


def test_the_manifest_decodes_the_memory(exported):
    path = exported("multiply", "safetensors", "--after", 100)
    state = safetensors.numpy.load_file(path)["state"]
    code = next(code for code in manifest(path)["codes"] if code["name"] == "memory")
    rows, columns = code["rows"], code["columns"]
    bits = state[columns["start"] :][: columns["count"], rows["start"] :][:, : rows["count"]] > 0
    powers = 1 << np.arange(rows["count"])
    powers[-1] *= -1 if code["isSigned"] else 1
    assert (bits @ powers).tolist() == run("multiply", "--limit", 100, status=3)["memory"]


def test_the_archive_is_a_zip_file_without_fault(exported):
    path = exported("hello", "npz")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert subprocess.run(["unzip", "-tqq", path], capture_output=True).returncode == 0


def script(path, *arguments, input=b""):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # small products: threads would wait for each other
    command = [sys.executable, path.parent / "run_network.py", path, *arguments]
    result = subprocess.run(command, input=input, capture_output=True, env=environment)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout, int(result.stderr.split()[0])


@pytest.mark.parametrize("program", ["hello", "echo", "factorial", "calculator", "gcd"])
def test_the_script_runs_programs(exported, program):
    report = run(program)
    output, loops = script(exported(program, "npz"), input=INPUTS.get(program, b""))
    assert output == report["output"].encode() and loops == report["instructions"]


@pytest.mark.parametrize("dialect", ["store", "add"])
@pytest.mark.parametrize("text", [b"", b"\x07\x08\x09"])
@pytest.mark.parametrize("source, status", [(READING, 0), (ENDLESS, 3), ("3 3 0 0", 0)])
def test_the_script_knows_dialects_and_fixed_points(tmp_path, exported, dialect, text, source, status):
    program = tmp_path / "program.sq"
    program.write_text(source)
    output, loops = script(exported(str(program), "npz", "--input", dialect), "50", input=text)
    report = run(str(program), "--input", dialect, "--limit", 50, input=text, status=status)
    assert output.decode("utf-8", "replace") == report["output"] and loops == report["instructions"]


def test_equal_exports_are_equal_files(tmp_path):
    for extension in ["safetensors", "npz", "onnx"]:
        paths = [tmp_path / folder / f"hello.{extension}" for folder in ("a", "b")]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            looped("export", "hello", "--to", path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
