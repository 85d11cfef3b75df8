"""The examples of Documentation/Export.md print what it says they print."""

import os
import re
import subprocess
import sys

import pytest
from conftest import BINARY, ROOT

PAGE = ROOT / "Documentation" / "Export.md"
BLOCK = re.compile(r"```(sh|python)\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
COMMANDS = {"sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "Examples").symlink_to(ROOT / "Examples")
    return folder


@pytest.mark.parametrize("number", range(len(BLOCK.findall(PAGE.read_text(encoding="utf-8")))))
def test_examples_print_what_the_page_says(folder, number):
    kind, source, expected = BLOCK.findall(PAGE.read_text(encoding="utf-8"))[number]
    # `looped` and `python3` are what a reader's would be: the built command, and a Python that has NumPy.
    path = os.pathsep.join([str(BINARY.parent), os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run([*COMMANDS[kind], source], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected


def test_the_page_has_examples_of_every_format():
    commands = [source for kind, source, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if kind == "sh"]
    assert all(any(f"--to {name}" in c for c in commands) for name in ("multiply.safe", "calculator.onnx", "echo.npz"))
    assert sum("--algorithm" in command for command in commands) == 2
