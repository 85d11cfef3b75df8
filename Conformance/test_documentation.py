"""The examples of the documentation print what it says they print.

A block of commands is run in the order of its page, in one folder per page; the block of text that follows, if any, is what it
prints. `text numbers` allows for the last digits of other processors: numbers to a twentieth, everything else to the letter.
`text about` is what was trained here: another processor trains another network, so within a factor of five.

    python Conformance/test_documentation.py PAGE ...     writes into the tutorials what their commands print
"""

import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest
from conftest import looped

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPORT = ROOT / "Documentation" / "Export.md"
TUTORIALS = sorted((ROOT / "Documentation" / "Tutorials").glob("*.md"))
BLOCK = re.compile(r"```(sh|python)\n(.*?)```\n(?:\n```text( numbers| about)?\n(.*?)```\n)?", re.DOTALL)
COMMANDS = {"sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")


def blocks(page):
    """(kind, source, whether numbers are compared as such, what it prints)"""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    # Export.md also shows commands without their output.
    return [b for b in found if b[3]] if page == EXPORT else found


def reader(folder):
    """The folder as a reader's is: the repository, and new files."""
    for path in ROOT.iterdir():
        if path.name not in (".build", ".git", "looped", "runs"):
            (folder / path.name).symlink_to(path)
    # Not the script, which would look for changed sources in this folder.
    (folder / "looped").symlink_to(ROOT / ".build" / "release" / "looped")
    return folder


def printed(folder, kind, source):
    # `looped` and `python3` are what a reader's would be: the built command, and a Python that has NumPy.
    path = os.pathsep.join([str(ROOT / ".build" / "release"), os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1",
                   # With one number of threads a training repeats bit by bit.
                   "LOOPED_THREADS": "1"}
    result = subprocess.run([*COMMANDS[kind], source], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return "\n".join(line.rstrip() for line in result.stdout.splitlines()) + "\n"


def agrees(numbers, result, expected):
    if not numbers:
        return result == expected
    relative, absolute = (0.8, 0.05) if numbers == " about" else (0.05, 0.02)
    both = zip(map(float, NUMBER.findall(result)), map(float, NUMBER.findall(expected)))
    # Columns are as wide as their numbers.
    letters = [re.sub(r"[\s─]+", " ", NUMBER.sub("#", text)) for text in (result, expected)]
    return letters[0] == letters[1] and all(math.isclose(a, b, rel_tol=relative, abs_tol=absolute) for a, b in both)


@pytest.mark.parametrize("page", [EXPORT, *TUTORIALS], ids=lambda page: page.stem)
def test_examples_print_what_the_page_says(tmp_path, page):
    reader(tmp_path)
    for kind, source, numbers, expected in blocks(page):
        result = printed(tmp_path, kind, source)
        stripped = "\n".join(line.rstrip() for line in expected.splitlines()) + "\n"
        assert not expected or agrees(numbers, result, stripped), source + result


def test_the_page_has_examples_of_every_format():
    commands = [source for kind, source, *_ in blocks(EXPORT) if kind == "sh"]
    assert all(any(f"--to {name}" in c for c in commands) for name in ("multiply.safe", "calculator.onnx", "echo.npz"))
    assert sum("--algorithm" in command for command in commands) == 2


def test_every_tutorial_has_commands_and_output():
    assert len(TUTORIALS) >= 3
    assert all(sum(bool(expected) for *_, expected in blocks(page)) >= 4 for page in TUTORIALS)


@pytest.mark.parametrize("script", ["command-reference", "module-map"])
def test_what_is_generated_is_up_to_date(script):
    result = subprocess.run([ROOT / "Scripts" / script, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_one_version_everywhere():
    version = looped("--version").decode().strip()
    changes = re.findall(r"^## (\S+?),", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    server = json.loads((ROOT / "Sources" / "Serving" / "OpenAPI" / "openapi.json").read_text(encoding="utf-8"))
    assert version == changes[0] == server["info"]["version"]


def test_every_page_is_linked_from_the_house():
    house = (ROOT / "Documentation" / "Architecture.md").read_text(encoding="utf-8")
    pages = [p for p in (ROOT / "Documentation").glob("**/*.md") if p.stem != "Architecture" and p.parent.name != "Commands"]
    assert [p.name for p in pages if f"{p.name})" not in house] == []


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *ROOT.glob("Documentation/**/*.md"), *ROOT.glob("Sources/**/*.docc/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not page.is_symlink():
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def fill(page):
    with tempfile.TemporaryDirectory() as name:
        folder = reader(pathlib.Path(name))

        def filled(match):
            result = printed(folder, match[1], match[2])
            text = f"\n```text{match[3] or ''}\n{result}```\n" if match[4] is not None else ""
            return f"```{match[1]}\n{match[2]}```\n{text}"

        page.write_text(BLOCK.sub(filled, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for page in sys.argv[1:]:
        fill(pathlib.Path(page))
