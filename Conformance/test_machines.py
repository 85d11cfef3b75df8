"""Exports of the other machines: the paper's, and FLEQ with its real numbers, run to their fixed points."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
import safetensors.numpy
from conftest import ROOT, library, run
from test_onnx import call

EXAMPLE = str(ROOT / "Examples" / "multiply.csv")
# A thousand loops and more each; their functions are all in the others.
LONG = {"power-iteration", "linear-regression", "backpropagation"}


@pytest.mark.parametrize("network", ["paper", "compact"])
@pytest.mark.parametrize("bits, data_type", [(8, "f32"), (16, "f32"), (40, "f64")])
def test_the_papers_machine(exported, network, bits, data_type):
    path = exported(EXAMPLE, "onnx", "--network", network, "--bits", bits, "--data-type", data_type)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    report = run(EXAMPLE, "--network", network, "--bits", bits)
    result = call(path)
    assert result["data"].tolist() == report["data"] and 63 in report["data"]
    assert result["loops"] == report["loops"]


@pytest.mark.parametrize("network", ["paper", "compact"])
@pytest.mark.parametrize("loops", [1, 2, 9, 20])
def test_states_of_the_papers_machine(exported, network, loops):
    result = call(exported(EXAMPLE, "onnx", "--network", network), max_loops=np.array(loops))
    path = exported(EXAMPLE, "safetensors", "--network", network, "--after", loops)
    assert np.array_equal(result["final_state"], safetensors.numpy.load_file(path)["state"])


def assert_near(actual, report):
    """To the six decimals that `looped run` prints. Sums over softmax weights are rounded in another order here, and a
    product, the difference of two softmax averages that are nearly equal, magnifies that."""
    for name, rows in report["variables"].items():
        expected = np.array(rows, dtype=float).T
        np.testing.assert_allclose(actual(name), expected, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("program", [name for name in library("FLEQ") if name not in LONG])
def test_fleq_programs(exported, program):
    path = exported(program, "onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    report = run(program)
    result = call(path)
    assert_near(lambda name: result[f"variable_{name}"], report)
    # The last loop only confirms the fixed point.
    assert result["loops"] == report["instructions"] + 1


def test_the_script_runs_fleq(exported):
    path = exported("matrix-product", "npz")
    script = path.parent / "run_network.py"
    result = subprocess.run([sys.executable, script, path], capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    assert int(result.stderr.split()[0]) == run("matrix-product")["instructions"] + 1
