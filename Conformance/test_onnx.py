"""Exported ONNX models: judged by onnx.checker, run by onnxruntime, compared with `looped run`."""

import json

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import pytest
import safetensors.numpy
from conftest import ENDLESS, INPUTS, READING, library, looped, run


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # twice as fast as two on a machine that does something else too
    options.log_severity_level = 3  # it warns that inputs have defaults, which is why they have them
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def call(path, **inputs):
    model = session(path)
    names = [output.name for output in model.get_outputs()]
    return dict(zip(names, model.run(None, inputs)))


def characters(text):
    return np.frombuffer(text, np.uint8)


@pytest.mark.parametrize("program", library())
def test_one_call_runs_a_program_to_its_end(exported, program):
    path = exported(program, "onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    report = run(program)
    result = call(path, input=characters(INPUTS.get(program, b"")))
    assert result["output"].tobytes() == report["output"].encode()
    assert result["loops"] == report["instructions"]
    assert result["memory"].tolist() == report["memory"]


@pytest.mark.parametrize("program", ["echo", "factorial", "calculator", "self-copy"])
@pytest.mark.parametrize("loops", [0, 1, 2, 17, 30])
def test_states_are_equal_after_every_number_of_loops(exported, program, loops):
    """Every entry of every column, against the state that our exact executor reaches."""
    text = INPUTS.get(program, b"")
    result = call(exported(program, "onnx"), input=characters(text), max_loops=np.array(loops))
    path = exported(program, "safetensors", "--after", loops, input=text)
    ours = safetensors.numpy.load_file(path)["state"]
    assert result["final_state"].dtype == ours.dtype == np.float32
    assert np.array_equal(result["final_state"], ours) and result["loops"] == loops


def test_a_run_may_go_on_from_the_state_of_another(exported):
    path = exported("calculator", "onnx")
    text = INPUTS["calculator"]
    whole = call(path, input=characters(text))
    first = call(path, input=characters(text), max_loops=np.array(100))
    rest = characters(text[int(first["characters_read"]) :])
    second = call(path, input=rest, state=first["final_state"])
    assert first["output"].tobytes() + second["output"].tobytes() == whole["output"].tobytes() == b"84\n"
    assert first["loops"] + second["loops"] == whole["loops"]
    again = call(path, state=second["final_state"])
    assert again["loops"] == 0 and again["output"].size == 0


@pytest.mark.parametrize("bits, data_type", [(8, "f32"), (16, "f64"), (19, "f32"), (32, "f64"), (48, "f64")])
def test_word_sizes_and_data_types(exported, bits, data_type):
    options = ["--bits", bits, "--data-type", data_type]
    result = call(exported("echo", "onnx", *options), input=characters(b"ab"))
    report = run("echo", "--bits", bits, input=b"ab")
    assert result["output"].tobytes() == b"ab" and result["loops"] == report["instructions"]
    assert result["memory"].tolist() == report["memory"]


@pytest.mark.parametrize("dialect", ["store", "add"])
@pytest.mark.parametrize("addressing", ["signed", "unsigned"])
@pytest.mark.parametrize("text", [b"", b"\x07", b"\x07\x08\x09\x7f"])
@pytest.mark.parametrize("source, status", [(READING, 0), (ENDLESS, 3)], ids=["reading", "endless"])
def test_dialects_and_the_end_of_the_input(tmp_path, exported, dialect, addressing, text, source, status):
    program = tmp_path / "program.sq"
    program.write_text(source)
    options = ["--input", dialect, "--addressing", addressing]
    result = call(exported(str(program), "onnx", *options), input=characters(text), max_loops=np.array(50))
    report = run(str(program), *options, "--limit", 50, input=text, status=status)
    assert result["memory"].tolist() == report["memory"] and result["loops"] == report["instructions"]
    assert result["output"].tobytes().decode("utf-8", "replace") == report["output"]
    assert result["characters_read"] == (min(len(text), 3) if source == READING else len(text))


def test_a_program_that_jumps_to_itself_ends_at_its_fixed_point(tmp_path, exported):
    program = tmp_path / "self.sq"
    program.write_text("3 3 0 0\n")
    result = call(exported(str(program), "onnx"))
    assert run(str(program))["end"] == "fixed point" and result["loops"] == run(str(program))["instructions"]


def test_names_and_metadata(exported):
    path = exported("factorial", "onnx")
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    manifest = json.loads(metadata["manifest"])
    assert manifest == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["digest"] == run("factorial")["network"]["digest"] and metadata["program"] == "factorial"
    assert metadata["rows"].split("\n") == manifest["rows"]
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    body = loop.attribute[0].g
    assert not body.initializer, "weights belong to the outer graph, once"
    weights = safetensors.numpy.load_file(exported("factorial", "safetensors"))
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert len(stored) == len(model.graph.initializer)
    for name, weight in weights.items():
        assert np.array_equal(stored[name], weight), name
    assert all(node.name == node.output[0] for node in body.node)
    # Equal names of constants and results would shadow one another.
    results = [output for graph in (model.graph, body) for node in graph.node for output in node.output]
    assert len(results) == len(set(results)) and not set(results) & set(stored)


def test_what_is_too_large_is_refused(tmp_path):
    program = tmp_path / "large.sq"
    program.write_text("0 0 -1\n")
    message = looped("export", program, "--cells", 20000, "--to", tmp_path / "large.onnx", status=1)
    assert b"error: the attention scores of 20003 columns" in message and b"hint: fewer" in message
    assert not (tmp_path / "large.onnx").exists()


def test_words_that_float32_cannot_hold_are_refused(tmp_path):
    path = tmp_path / "wide.onnx"
    message = looped("export", "hello", "--bits", 20, "--data-type", "f32", "--to", path, status=1)
    assert b"up to 19 bits, not 20" in message and b"hint: --data-type f64" in message and not path.exists()


def test_unknown_formats_are_refused(tmp_path):
    assert b".safetensors, .onnx, .npz" in looped("export", "hello", "--to", tmp_path / "x.pt", status=64)
