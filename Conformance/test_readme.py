"""The README says what was measured and what the command prints."""

import subprocess

from conftest import ROOT


def test_the_readme_is_up_to_date():
    result = subprocess.run([ROOT / "Scripts" / "update-readme", "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
