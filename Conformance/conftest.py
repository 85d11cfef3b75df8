"""What all conformance tests share: the command, and the programs that come with it."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / ".build" / "release" / "looped"

# What programs of the library that read are given.
INPUTS = {"echo": b"looped\n", "calculator": b"12*7\n"}

# Reads two characters into a cell, writes the cell, echoes the next one directly, and halts.
READING = "-1 15 3  -1 15 6  15 -1 9  -1 -1 12  16 16 -1  0 0\n"
# Echoes for ever, also beyond the end of the input.
ENDLESS = "-1 9 3  9 -1 6  9 9 0  0\n"


def looped(*arguments, input=b"", status=0, variables={}):
    """Runs the command, with further environment variables; returns what it printed, as bytes."""
    environment = os.environ | variables
    result = subprocess.run([BINARY, *map(str, arguments)], input=input, capture_output=True, env=environment)
    assert result.returncode == status, (result.stdout + result.stderr).decode()
    return result.stdout if status == 0 else result.stderr


def run(program, *options, input=None, status=0):
    """The report of `looped run --json`."""
    input = INPUTS.get(program, b"") if input is None else input
    result = subprocess.run([BINARY, "run", program, "--json", *map(str, options)], input=input, capture_output=True)
    assert result.returncode == status, result.stderr.decode()
    return json.loads(result.stdout)


def library(machine="SUBLEQ"):
    """The names of the programs that come with the command."""
    if not BINARY.exists():
        return []
    lines = [line.split() for line in looped("run", "--list").decode().splitlines()]
    return [line[0] for line in lines if line[1] == machine]


@pytest.fixture
def exported(tmp_path):
    """Exports a program; returns the path of the file."""

    def export(program, extension, *options, input=b""):
        path = tmp_path / f"{pathlib.Path(program).stem}.{extension}"
        looped("export", program, "--to", path, *options, input=input)
        return path

    return export
