"""Language models against a numpy reading of Ouro's description (ouro_reference.py): states, logits, gates and exits of
every loop, greedy text, files in every form."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from conftest import looped
from ouro_reference import Reference, checkpoint, exit_loops, exit_probabilities

TOKENS = [5, 9, 100, 7, 3, 250, 61, 61, 12, 200, 33, 90]

# Weights in f32, keys and values in f32: only the order of sums differs. With weights in bf16 what a matrix is given is
# rounded to bf16 as well, so that exact comparisons ask for f32, whatever the files hold.
LAYOUTS = {
    "ouro": dict(),
    "ouro-f32": dict(dtype=np.float32),
    "ouro-sharded": dict(shards=3),
    "ouro-grouped": dict(num_key_value_heads=2),
    "ouro-tied": dict(tie_word_embeddings=True),
    "ouro-wide-head": dict(head_dim=24),
    "ouro-one-loop": dict(total_ut_steps=1),
    "llama": dict(
        model_type="llama", architectures=["LlamaForCausalLM"], num_key_value_heads=2, tie_word_embeddings=True, rope_theta=1e4
    ),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / request.param
    checkpoint(folder, **LAYOUTS[request.param])
    return folder


@pytest.fixture(scope="module")
def ouro(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "ouro"
    checkpoint(folder)
    return folder


def inspect(folder, tmp_path, tokens, *options, weights="f32"):
    path = tmp_path / "dump.safetensors"
    tokens = ",".join(map(str, tokens))
    looped("inspect", "-m", folder, "--tokens", tokens, "--dump", path, "--json", "--weights", weights, *options)
    return safetensors.numpy.load_file(path)


def close(ours, theirs, tolerance=2e-4):
    scale = np.abs(theirs).max()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * scale, np.abs(ours - theirs).max() / scale


def rms(x):
    return np.sqrt((x * x).mean())


def test_every_loop(model, tmp_path):
    states, logits, gates = Reference(model).run(np.array(TOKENS))
    dump = inspect(model, tmp_path, TOKENS)
    # Keys and values are kept in f16.
    close(dump["states"], states, 3e-3)
    close(dump["logits"], logits, 3e-3)
    assert ("exit_logits" in dump) == (gates is not None)
    if gates is not None:
        close(dump["exit_logits"], gates, 3e-3)


# More tokens than a kernel takes at once are products of matrices.
@pytest.mark.parametrize("tokens", [TOKENS, TOKENS * 4], ids=["short", "long"])
def test_every_loop_in_bf16(model, tmp_path, tokens):
    """Rounding grows from loop to loop, and another order of sums rounds otherwise: as far from the exact states as numpy's."""
    states, logits, _ = Reference(model).run(np.array(tokens))
    plain = inspect(model, tmp_path, tokens)
    close(plain["states"], states, 3e-3)
    close(plain["logits"], logits, 3e-3)
    fast = inspect(model, tmp_path, tokens, weights="bf16")
    rounded_states, rounded_logits, _ = Reference(model, rounds=True).run(np.array(tokens))
    for ours, theirs, exact in [(fast["states"], rounded_states, states), (fast["logits"], rounded_logits, logits)]:
        for loop in range(len(exact)):
            assert rms(ours[loop] - exact[loop]) <= 1.5 * rms(theirs[loop] - exact[loop]), f"loop {loop + 1}"


@pytest.mark.parametrize("loops", [1, 2, 3, 5, 8])
def test_other_numbers_of_loops(ouro, tmp_path, loops):
    dump = inspect(ouro, tmp_path, TOKENS, "--loops", loops)
    states, logits, gates = Reference(ouro).run(np.array(TOKENS), loops)
    assert dump["states"].shape[0] == loops
    close(dump["states"], states, 3e-3)
    close(dump["exit_logits"], gates, 3e-3)


def test_exit_distribution(ouro):
    tokens = ",".join(map(str, TOKENS))
    report = json.loads(looped("inspect", "-m", ouro, "--tokens", tokens, "--json", "--weights", "f32"))
    _, logits, gates = Reference(ouro).run(np.array(TOKENS))
    expected = exit_probabilities(gates)
    for position, token in enumerate(report["tokens"]):
        ours = [step["exitProbability"] for step in token["loops"]]
        assert np.allclose(ours, expected[:, position], atol=2e-3)
        assert sum(ours) == pytest.approx(1, abs=1e-5)
        for loop, step in enumerate(token["loops"]):
            assert step["top"][0]["id"] == logits[loop, position].argmax()


def generate(folder, prompt, *options, tokens=12, weights="f32"):
    arguments = ["generate", "-m", folder, "-p", prompt, "--ignore-chat-template", "-n", tokens, "--temp", 0, "--json"]
    return json.loads(looped(*arguments, "--weights", weights, "--logit-bias", "0:-inf", *options))


def greedy(folder, text, count, loops=None, threshold=None):
    """(tokens, loops of each) that the reference chooses; recomputed from the start for every token."""
    reference = Reference(folder)
    offset = {bytes([b]): 3 + b for b in range(256)}
    tokens = [offset[bytes([b])] for b in text.encode()]
    chosen, depths, margins = [], [], []
    for _ in range(count):
        _, logits, gates = reference.run(np.array(tokens), loops)
        depth = len(logits) if threshold is None else exit_loops(gates, threshold)[-1]
        last = logits[depth - 1, -1].copy()
        last[0] = -np.inf
        order = np.sort(last)
        margins.append(order[-1] - order[-2])
        chosen.append(int(last.argmax()))
        depths.append(int(depth))
        tokens.append(chosen[-1])
    return chosen, depths, min(margins)


@pytest.mark.parametrize("loops", [None, 1, 2, 6])
def test_greedy_text(ouro, loops):
    expected, depths, margin = greedy(ouro, "hello there", 12, loops)
    assert margin > 0.01, "the random model nearly ties: choose another seed"
    report = generate(ouro, "hello there", "--kv-bits", 32, *([] if loops is None else ["--loops", loops]))
    assert [token["id"] for token in report["tokens"]] == expected
    assert [token["loops"] for token in report["tokens"]] == depths


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_q_exit_computes_what_it_skips(ouro, threshold):
    """With the skipped loops computed when they are needed, an early exit changes only what is read out."""
    expected, depths, margin = greedy(ouro, "and then", 10, threshold=threshold)
    assert margin > 0.01
    options = ["--exit-threshold", threshold, "--skipped-loops", "compute", "--kv-bits", 32]
    report = generate(ouro, "and then", *options, tokens=10)
    assert [token["id"] for token in report["tokens"]] == expected
    assert [token["loops"] for token in report["tokens"]] == depths


def test_an_early_exit_saves_passes(ouro):
    report = generate(ouro, "and then", "--exit-threshold", 0.3, "--kv-bits", 32)
    loops = [token["loops"] for token in report["tokens"]]
    assert min(loops) < 4
    # The first token comes out of the prompt.
    assert report["passes"] == sum(loops[1:])


@pytest.mark.parametrize("weights", ["f32", "bf16", "int4"])
@pytest.mark.parametrize("sampling", [[], ["--temp", 0.8, "--seed", 7], ["--temp", 1.1, "--top-p", 0.9, "--seed", 3]])
def test_the_wavefront_changes_nothing(ouro, sampling, weights):
    plain = generate(ouro, "once upon", *sampling, "--no-wavefront", tokens=40, weights=weights)
    wave = generate(ouro, "once upon", *sampling, "--wavefront", tokens=40, weights=weights)
    assert [t["id"] for t in plain["tokens"]] == [t["id"] for t in wave["tokens"]]


def test_log_probabilities(ouro):
    report = generate(ouro, "abc", "--logprobs", 3, "--kv-bits", 32, tokens=1)
    _, logits, _ = Reference(ouro).run(np.array([3 + b for b in b"abc"]))
    last = logits[-1, -1]
    expected = last - np.log(np.exp(last).sum())
    token = report["tokens"][0]
    assert token["logprob"] == pytest.approx(expected[token["id"]], abs=2e-3)
    order = [alternative["id"] for alternative in token["alternatives"]]
    assert order == list(np.argsort(-expected)[:3])


@pytest.mark.parametrize("weights, least, most", [("int8", 1e-3, 0.04), ("int4", 0.02, 0.4), ("int4-affine", 0.02, 0.4)])
def test_quantised_weights_stay_near(ouro, tmp_path, weights, least, most):
    """One loop: a random model's loops magnify every difference."""
    exact = inspect(ouro, tmp_path, TOKENS, "--loops", 1)["logits"]
    ours = inspect(ouro, tmp_path, TOKENS, "--loops", 1, weights=weights)["logits"]
    error = np.sqrt(np.square(ours - exact).mean() / np.square(exact).mean())
    assert least < error < most


def test_a_wrong_shape_is_refused_by_name(tmp_path):
    folder = tmp_path / "wrong"
    checkpoint(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | dict(intermediate_size=160)))
    message = looped("inspect", "-m", folder, "--tokens", "1,2", status=1).decode()
    assert "mlp" in message or "gate" in message
