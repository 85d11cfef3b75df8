"""Several ranks started by mpirun: the run of one process, a rank that is killed, restarts, hosts apart."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import safetensors
from conftest import BINARY, ROOT

MPI_BINARY = ROOT / ".build-mpi" / "release" / "looped"
# As tests are run: as root in a container, with more ranks than processors.
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe"]

pytestmark = pytest.mark.skipif(not shutil.which("mpirun"), reason="Open MPI is not installed")


def mpirun(ranks, *arguments, options=(), binary=MPI_BINARY, variables={}, before=()):
    """A started mpirun; its output is read by `finished`."""
    command = [*before, *MPIRUN, *options, "-n", str(ranks), str(binary), *map(str, arguments)]
    environment = os.environ | {"LOOPED_THREADS": "1"} | variables
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finished(process, status=0):
    """Standard output and error of a process that ends as it should; `None` for any failure."""
    out, err = process.communicate(timeout=240)
    assert process.returncode != 0 if status is None else process.returncode == status, out + err
    return out, err


@pytest.fixture
def recipe(tmp_path):
    """A small recipe: its own text, 12 sequences a step."""
    random = np.random.default_rng(5)
    words = ["the", "king", "said", "unto", "his", "servants,", "Go", "into", "12", "cities;", "they're"]
    text = "\n<|endoftext|>\n".join(" ".join(random.choice(words, 60)) for _ in range(60))
    (tmp_path / "story.txt").write_text(text)
    path = tmp_path / "recipe.yaml"
    path.write_text(f"""
data: {{text: {tmp_path}/story.txt, vocabulary: 280, held-out-every: 10}}
model: {{width: 32, heads: 2, layers: 2}}
training: {{loops: 3, steps: 12, batch: 12, sequence: 48, rate: 0.003, warmup: 2, log-every: 1, checkpoint-every: 3}}
evaluation: {{every: 6, sequences: 4, sample: 4}}
""")
    return path


def log(folder, name="log.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def losses(folder):
    return [entry["loss"] for entry in log(folder)]


def checkpoint_step(folder):
    """The step of a checkpoint that another reader finds whole."""
    with safetensors.safe_open(folder / "checkpoint.safetensors", "numpy") as file:
        for name in file.keys():
            assert np.isfinite(file.get_tensor(name)).all(), name
        return int(file.metadata()["step"])


def one(recipe, folder, *options):
    command = [BINARY, "pretrain", recipe, "-o", folder, *options]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return losses(folder)


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_run_on_ranks_is_the_run_of_one(tmp_path, recipe, ranks):
    wanted = one(recipe, tmp_path / "one")
    out, err = finished(mpirun(ranks, "pretrain", recipe, "-o", tmp_path / "many"))
    assert f"on {ranks} ranks" in err and out.count("held out:") == 2
    np.testing.assert_allclose(losses(tmp_path / "many"), wanted, rtol=1e-5)
    for a, b in zip(log(tmp_path / "many", "evaluation.jsonl"), log(tmp_path / "one", "evaluation.jsonl")):
        assert a.keys() == b.keys()
        np.testing.assert_allclose(a["loss_3"], b["loss_3"], rtol=1e-5)
    # Nothing in the checkpoint says how many ranks wrote it.
    parts = []
    for name in ("one", "many"):
        with safetensors.safe_open(tmp_path / name / "checkpoint.safetensors", "numpy") as file:
            metadata = {key: value for key, value in file.metadata().items() if key != "crc32c"}
            parts.append((metadata, {key: file.get_tensor(key) for key in file.keys()}))
    assert parts[0][0] == parts[1][0] and parts[0][1].keys() == parts[1][1].keys()
    for key, value in parts[0][1].items():
        np.testing.assert_allclose(parts[1][1][key], value, rtol=1e-3, atol=1e-5, err_msg=key)


def test_ranks_may_become_fewer(tmp_path, recipe):
    wanted = one(recipe, tmp_path / "one")
    folder = tmp_path / "many"
    finished(mpirun(4, "pretrain", recipe, "-o", folder, "--set", "training.steps=12", "--set", "training.warmup=2"))
    first = losses(folder)
    np.testing.assert_allclose(first, wanted, rtol=1e-5)
    finished(mpirun(2, "pretrain", "--resume", folder, "--set", "training.steps=15"))
    subprocess.run([MPI_BINARY, "pretrain", "--resume", folder, "--set", "training.steps=18"], check=True, capture_output=True)
    one(recipe, tmp_path / "longer")
    for steps in (15, 18):
        command = [BINARY, "pretrain", "--resume", tmp_path / "longer", "--set", f"training.steps={steps}"]
        subprocess.run(command, check=True, capture_output=True)
    assert len(losses(folder)) == 18 and checkpoint_step(folder) == 18
    np.testing.assert_allclose(losses(folder), losses(tmp_path / "longer"), rtol=1e-5)


def long_run(tmp_path, recipe, ranks, **options):
    """A run that goes on until it is ended, once its first checkpoint is there."""
    folder = tmp_path / "long"
    settings = ["--set", "training.steps=1000000", "--set", "evaluation.every=0"]
    process = mpirun(ranks, "pretrain", recipe, "-o", folder, *settings, **options)
    for _ in range(600):
        if (folder / "checkpoint.safetensors").exists():
            return process, folder
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.kill()
    raise AssertionError("no checkpoint after a minute")


def children(pid):
    """The processes below one, with their command lines."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            line = (path.parent / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append((int(path.parent.name), line))
            found += children(int(path.parent.name))
    return found


def ranks_of(process):
    return [pid for pid, line in children(process.pid) if line[0] == str(MPI_BINARY).encode()]


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def died(ranks):
    """Whether all of them end. mpirun may be gone while the system still takes back what a killed rank held."""
    for _ in range(200):
        if not any(map(lives, ranks)):
            return True
        time.sleep(0.05)
    return False


def test_a_rank_that_is_killed_ends_the_run_and_not_the_checkpoint(tmp_path, recipe):
    process, folder = long_run(tmp_path, recipe, 4)
    ranks = ranks_of(process)
    assert len(ranks) == 4
    os.kill(ranks[2], signal.SIGKILL)
    _, err = finished(process, status=None)
    assert "process rank" in err and "signal 9" in err, err
    assert died(ranks)
    step = checkpoint_step(folder)
    assert step > 0 and step % 3 == 0
    finished(mpirun(2, "pretrain", "--resume", folder, "--set", f"training.steps={step + 2}"))
    assert checkpoint_step(folder) == step + 2
    assert [entry["step"] for entry in log(folder)] == list(range(1, step + 3))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGUSR1])
def test_a_stop_writes_the_step_that_all_made(tmp_path, recipe, how):
    # After Ctrl-C mpirun waits so many seconds, prints nothing more, and kills what is left.
    variables = {"OMPI_MCA_odls_base_sigkill_timeout": "3"} if how == signal.SIGINT else {}
    process, folder = long_run(tmp_path, recipe, 3, variables=variables)
    before = checkpoint_step(folder)
    process.send_signal(how)
    _, err = finished(process, status=None)
    assert how == signal.SIGINT or "stopped at step" in err, err
    # The log goes as far as the checkpoint, which a kill would have left behind, and the model was written.
    assert before < checkpoint_step(folder) == log(folder)[-1]["step"]
    assert (folder / "model" / "model.safetensors").exists()


def test_errors_are_said_once_and_end_all(tmp_path, recipe):
    _, err = finished(mpirun(2, "pretrain", tmp_path / "none.yaml"), status=None)
    assert err.count("none.yaml") == 1 and "error:" in err, err
    _, err = finished(mpirun(3, "pretrain", recipe, "-o", tmp_path / "few", "--set", "training.batch=2"), status=None)
    assert "a batch of 2 sequences is too small for 3 ranks" in err


def test_without_mpi_ranks_are_refused(tmp_path, recipe):
    _, err = finished(mpirun(2, "pretrain", recipe, "-o", tmp_path / "run", binary=BINARY), status=None)
    assert "built without MPI" in err and "LOOPED_MPI=1" in err
    assert not (tmp_path / "run").exists()


def test_a_sweep_is_shared(tmp_path):
    recipe = ROOT / "Recipes" / "linear-looped-tiny.yaml"
    options = ["--over", "seed=1,2,3", "--set", "training.steps=4"]
    out, _ = finished(mpirun(2, "icl", "sweep", recipe, *options, "-o", tmp_path / "many"))
    command = [BINARY, "icl", "sweep", recipe, *options, "-o", tmp_path / "one"]
    wanted = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"LOOPED_THREADS": "1"})
    assert out.replace("\r", "") == wanted.stdout and out.count("error") == 3
    assert (tmp_path / "many/sweep.json").read_bytes() == (tmp_path / "one/sweep.json").read_bytes()


@pytest.fixture
def hosts(tmp_path):
    """Two hosts: network namespaces with names of their own and a cable between them; how to start there."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    names = [f"looped-{os.getpid()}-{side}" for side in "ab"]

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    try:
        ip("netns", "add", names[0])
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode()}")
    try:
        ip("netns", "add", names[1])
        ip("-n", names[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", names[1])
        for number, name in enumerate(names, 1):
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")
        agent = tmp_path / "agent"
        agent.write_text(f"""#!/bin/bash
# What ssh is elsewhere: runs a command line on a host.
shift
exec ip netns exec {names[1]} unshare --uts bash -c "hostname host-b; $*"
""")
        agent.chmod(0o755)
        before = ["ip", "netns", "exec", names[0], "unshare", "--uts", "bash", "-c", 'hostname host-a; exec "$@"', "-"]
        options = ["--host", "10.77.0.1:1,10.77.0.2:1", "--mca", "plm_rsh_agent", str(agent)]
        options += ["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "cable"]
        options += ["--mca", "oob_tcp_if_include", "cable"]
        yield before, options, names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def received(name):
    """Bytes that came to a host through the cable."""
    command = ["ip", "netns", "exec", name, "cat", "/sys/class/net/cable/statistics/rx_bytes"]
    # /sys shows the devices of the namespace that mounted it, which `ip netns exec` does.
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


def test_hosts_apart(tmp_path, recipe, hosts):
    before, options, names = hosts
    wanted = one(recipe, tmp_path / "one")
    finished(mpirun(2, "pretrain", recipe, "-o", tmp_path / "many", options=options, before=before))
    np.testing.assert_allclose(losses(tmp_path / "many"), wanted, rtol=1e-5)
    # Per step the gradients of half the weights go either way, and then the weights.
    weights = sum(1 for _ in wanted) * (tmp_path / "many/checkpoint.safetensors").stat().st_size / 3
    for name in names:
        assert received(name) > 0.9 * weights


def test_a_host_that_is_gone(tmp_path, recipe, hosts):
    before, options, _ = hosts
    process, folder = long_run(tmp_path, recipe, 2, options=options, before=before)
    victims = [pid for pid in ranks_of(process)]
    assert len(victims) == 2
    os.kill(victims[-1], signal.SIGKILL)
    finished(process, status=None)
    assert died(victims)
    step = checkpoint_step(folder)
    subprocess.run([MPI_BINARY, "pretrain", "--resume", folder, "--set", f"training.steps={step + 1}"], check=True)
    assert checkpoint_step(folder) == step + 1
