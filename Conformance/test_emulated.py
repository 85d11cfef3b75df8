"""The kernels for ARM, which no machine of ours runs, under an emulator: bit by bit what the scalar loops give.

Needs Debian's qemu-user-static, libc6-dev-arm64-cross, libgcc-12-dev-arm64-cross and binutils-aarch64-linux-gnu."""

import pathlib
import shutil
import subprocess

import pytest
from conftest import ROOT

EMULATOR = shutil.which("qemu-aarch64-static")
HEADERS = pathlib.Path("/usr/aarch64-linux-gnu")
GCC = next(iter(sorted(pathlib.Path("/usr/lib/gcc-cross/aarch64-linux-gnu").glob("*"))), None)
KERNELS = ROOT / "Sources/CKernels"


def clang():
    """Swift's own compiler of C, which builds the kernels."""
    swift = shutil.which("swift")
    beside = pathlib.Path(swift).resolve().parent / "clang" if swift else None
    return beside if beside and beside.exists() else shutil.which("clang")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not (EMULATOR and HEADERS.exists() and GCC and clang()):
        pytest.skip("the emulator or the headers for ARM are not installed")
    program = tmp_path_factory.mktemp("emulated") / "products"
    subprocess.run(
        [clang(), "--target=aarch64-linux-gnu", "--ld-path=" + shutil.which("aarch64-linux-gnu-ld"), "-O2", "-Wall",
         "-Werror", "-static", "-I", KERNELS / "include", "-isystem", HEADERS / "include", "-B", GCC, "-L", GCC,
         "-L", HEADERS / "lib", ROOT / "Conformance/emulated/products.c", *KERNELS.glob("*.c"), "-lm", "-lpthread",
         "-o", program], check=True)
    return program


@pytest.mark.parametrize("processor, has_dot", [("max", True), ("cortex-a53", False)])
def test_products_on_neon(program, processor, has_dot):
    run = subprocess.run([EMULATOR, "-cpu", processor, program], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert f"integer dot product: {'yes' if has_dot else 'no'}" in run.stdout
    assert "different: 0" in run.stdout and "compared: 0" not in run.stdout
