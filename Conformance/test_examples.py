"""The programs in Examples/Programs print what their page says they print."""

import re
import subprocess

import pytest
from conftest import ROOT
from test_documentation import agrees

PAGE = ROOT / "Examples" / "Programs" / "README.md"
EXAMPLES = re.findall(
    r"```sh\nswift run -c release (\w+)\n```\n\n```text( numbers| about)?\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_program_is_on_the_page():
    assert sorted(name for name, *_ in EXAMPLES) == sorted(
        path.parent.name + "Example" for path in (ROOT / "Examples" / "Programs").glob("*/main.swift"))


@pytest.mark.parametrize("name, numbers, expected", EXAMPLES, ids=[name for name, *_ in EXAMPLES])
def test_prints_what_the_page_says(name, numbers, expected):
    result = subprocess.run([ROOT / ".build" / "release" / name], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    printed = "\n".join(line.rstrip() for line in result.stdout.splitlines()) + "\n"
    assert agrees(numbers, printed, expected), printed
