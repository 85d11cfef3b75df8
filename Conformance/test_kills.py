"""Commands killed at random moments: every file that is there afterwards is whole, what was there before is still there or
has been replaced as a whole, and the same command then runs to its end."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree

import gguf
import numpy as np
import onnx
import ouro_reference
import pytest
import safetensors.numpy
from conftest import BINARY, ROOT

TRIES = 6


def text(path):
    content = path.read_text()
    assert content, path


def page(path):
    assert path.read_text().rstrip().endswith("</html>"), path


def tensors(path):
    safetensors.numpy.load_file(path)


def lines(path):
    """A trace is written as it happens: all its lines are whole but perhaps the last."""
    for line in path.read_text().split("\n")[:-1]:
        json.loads(line)


READERS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".html": page,
    ".svg": lambda path: xml.etree.ElementTree.parse(path),
    ".safetensors": tensors,
    ".npz": lambda path: [array for array in np.load(path).values()],
    ".onnx": lambda path: onnx.checker.check_model(onnx.load(path)),
    ".gguf": lambda path: [tensor.data.sum() for tensor in gguf.GGUFReader(path).tensors],
    ".jsonl": lines,
    ".yaml": text,
    ".py": text,
    ".md": text,
    ".slq": text,
}


def whole(folder):
    """Reads every file by what its name says it is. What begins with a point is work in progress that was left behind."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_dir() or path.name.startswith(".") or path.name.startswith("events.out"):
            continue
        if path.suffix in READERS:
            READERS[path.suffix](path)
        found.add(str(path.relative_to(folder)))
    return found


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    """A model of some megabytes, so that a kill meets it half written; a text; a recipe that takes a second."""
    folder = tmp_path_factory.mktemp("materials")
    shape = dict(hidden_size=256, intermediate_size=1024, num_attention_heads=8, num_key_value_heads=8, head_dim=32)
    ouro_reference.checkpoint(folder / "model", num_hidden_layers=4, vocab_size=4096, **shape)
    (folder / "text.txt").write_text("\n".join(f"The {n}th line has {n * n} words, or {n % 7}." for n in range(4000)))
    subprocess.run([BINARY, "convert", folder / "model", folder / "model.gguf", "--outtype", "f16"], check=True, capture_output=True)
    return folder


COMMANDS = {
    "a page of a trace": "run primes --trace-to {out}/trace.html",
    "a trace": "run primes --trace-to {out}/trace.jsonl",
    "a graph": "graph bfs {root}/Examples/town.gr --source 1 --trace-to {out}/graph.html",
    "arrays": "export multiply --to {out}/multiply.npz",
    "tensors": "export primes --to {out}/primes.safetensors",
    "a network for onnxruntime": "export primes --to {out}/primes.onnx",
    "precision": "precision --subleq --quick --html {out}/precision.html --svg {out}/precision.svg",
    "another format": "convert {in}/model {out}/model.gguf --outtype q8_0",
    "a folder": "convert {in}/model.gguf {out}/folder --outtype bf16 --max-shard-size 4",
    "four bits": "quantize {in}/model {out}/small.gguf q4_0",
    "the logit lens": "inspect -m {in}/model --tokens 1,2,3,4,5,6,7,8,9 --html {out}/lens.html --trace-to {out}/loops.html --dump {out}/lens.safetensors",
    "a vocabulary": "pretrain tokenizer {in}/text.txt --vocabulary 600 -o {out}/tokenizer.json",
    "an evaluation": "icl evaluate {root}/Examples/InContext/linear-looped-small.safetensors --output {out}/e.json --svg {out}/e.svg --html {out}/e.html --trace-to {out}/fit.html --set evaluation.prompts=64",
    "a prompt": "generate -m {in}/model -p hello --ignore-chat-template -n 3 --prompt-cache-file {out}/prompt.cache",
    "the tour": "tour --report {out}/tour.html",
    "a training in context": "icl train {root}/Recipes/linear-looped-tiny.yaml -o {out}/run --force --set training.steps=60 --set training.checkpoint-every=5",
}


# These refuse a folder that holds something.
ONLY_NEW = {"a folder"}


def run_until(seconds, command, folder):
    """Runs a command in a folder; kills it after some time. Whether it had ended by then, without an error."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return False
    assert process.returncode == 0, output.decode()
    return True


@pytest.mark.parametrize("name", COMMANDS)
def test_a_kill_leaves_nothing_damaged(name, materials, tmp_path):
    out = tmp_path / "out"
    words = COMMANDS[name].split()
    command = [BINARY] + [w.replace("{out}", str(out)).replace("{in}", str(materials)).replace("{root}", str(ROOT)) for w in words]
    out.mkdir()
    start = time.monotonic()
    assert run_until(300, command, tmp_path)
    lasted = time.monotonic() - start
    wanted = whole(out)
    assert wanted
    before = tmp_path / "before"
    shutil.copytree(out, before)
    moments = random.Random(name)

    def afresh():
        shutil.rmtree(out)
        out.mkdir()

    for attempt in range(TRIES):
        # Every other time there is something from before, which must not be lost.
        is_new = attempt % 2 == 0 or name in ONLY_NEW
        if is_new:
            afresh()
        ended = run_until(moments.uniform(0, 1.1 * lasted), command, tmp_path)
        found = whole(out)
        assert found <= wanted
        if not is_new and "--force" not in words:
            assert found == wanted, "a file from before is gone"
        if is_new:
            # What a kill leaves is not in the way of the next run.
            if ended and name in ONLY_NEW:
                afresh()
            assert run_until(300, command, tmp_path)
            assert whole(out) == wanted


@pytest.fixture(scope="module")
def pretraining(materials):
    recipe = materials / "recipe.yaml"
    recipe.write_text(f"""
name: kill
seed: 1
data: {{text: {materials}/text.txt, vocabulary: 400, held-out-every: 10}}
model: {{family: ouro, width: 32, heads: 2, layers: 1}}
training: {{stage: model, steps: 60, batch: 4, sequence: 32, rate: 1e-3, warmup: 5, loops: 2, log-every: 1, checkpoint-every: 4}}
evaluation: {{every: 0, sequences: 0, sample: 0}}
""")
    return [BINARY, "pretrain", recipe]


def test_training_that_is_killed_again_and_again_is_the_training_that_was_not(pretraining, tmp_path):
    start = time.monotonic()
    assert run_until(300, [*pretraining, "-o", tmp_path / "one"], tmp_path)
    lasted = time.monotonic() - start
    many, moments, kills = tmp_path / "many", random.Random(3), 0
    for _ in range(200):
        command = [BINARY, "pretrain", "--resume", many] if (many / "checkpoint.safetensors").exists() else None
        if command is None:
            shutil.rmtree(many, ignore_errors=True)
            command = [*pretraining, "-o", many]
        ended = run_until(moments.uniform(0.1, 0.8) * lasted, command, tmp_path)
        whole(many)
        if ended:
            break
        kills += 1
    assert ended and kills > 1
    a, b = (safetensors.numpy.load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "many"))
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(np.asarray(a[key], np.float32), np.asarray(b[key], np.float32), err_msg=key)
