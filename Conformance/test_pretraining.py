"""The trainable decoder: its folders read by the reference, its gradients against PyTorch, its tokenizers by theirs."""

import json
import subprocess

import ml_dtypes
import numpy as np
import ouro_reference as ouro
import pytest
import safetensors.numpy
from conftest import ROOT, looped

PROBE = ROOT / ".build" / "release" / "TrainingProbe"
TOKENS = [0, 17, 301, 5, 5, 99, 0, 258, 42, 7, 118]


@pytest.fixture(scope="session", autouse=True)
def probe():
    build = ". Scripts/setup.sh; setup_swift; swift build \"${build_flags[@]}\" --product TrainingProbe"
    subprocess.run(["bash", "-c", build], cwd=ROOT, check=True)


def dump(folder, path, *options):
    """What our decoder computes for a folder, by name."""
    tokens = ",".join(map(str, TOKENS))
    subprocess.run([PROBE, "decoder", folder, "--tokens", tokens, "--to", path, *map(str, options)], check=True)
    return safetensors.numpy.load_file(path)


MODELS = {
    "ouro": {},
    "ouro-tied": dict(tie_word_embeddings=True, num_hidden_layers=1),
    "ouro-bf16": dict(dtype=ml_dtypes.bfloat16, total_ut_steps=2),
    "llama-shared-keys": dict(model_type="llama", num_key_value_heads=2),
}


def model(folder, name):
    options = dict(dtype=np.float32) | MODELS[name]
    ouro.checkpoint(folder, **options)
    return ouro.Reference(folder)


@pytest.mark.parametrize("name", MODELS)
def test_logits_and_gates_are_the_references(tmp_path, name):
    reference = model(tmp_path / "model", name)
    ours = dump(tmp_path / "model", tmp_path / "dump.safetensors", "--save", tmp_path / "again")
    _, logits, gates = reference.run(TOKENS)
    for loop in range(len(logits)):
        np.testing.assert_allclose(ours[f"logits.{loop}"], logits[loop], rtol=1e-4, atol=1e-4)
        if gates is not None:
            np.testing.assert_allclose(ours[f"gate.{loop}"], gates[loop], rtol=1e-4, atol=1e-4)
    # What we write, the reference reads: the same numbers again.
    _, again, _ = ouro.Reference(tmp_path / "again").run(TOKENS)
    np.testing.assert_allclose(again, logits, rtol=1e-6, atol=1e-6)
    theirs, written = (json.loads((tmp_path / part / "config.json").read_text()) for part in ("model", "again"))
    if name.startswith("llama"):
        # Keys of looped models that the test's own writer leaves in.
        theirs.pop("total_ut_steps"), theirs.pop("early_exit_threshold"), theirs.pop("architectures")
    # Tokens are said in generation_config.json; the type is what we were told to write.
    for key in ("torch_dtype", "bos_token_id", "eos_token_id", "pad_token_id"):
        theirs.pop(key)
    assert {key: written.get(key) for key in theirs} == theirs


def test_parts_of_a_checkpoint(tmp_path):
    ouro.checkpoint(tmp_path / "whole", dtype=np.float32)
    ouro.checkpoint(tmp_path / "parts", dtype=np.float32, shards=3)
    whole, parts = (dump(tmp_path / name, tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


def torch_states(torch, config, weights, documents):
    """The model in PyTorch: states [loops, tokens, hidden]; documents do not see each other."""
    F = torch.nn.functional
    heads, kv, size = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    sandwich = config["model_type"] == "ouro"
    tokens = len(TOKENS)
    document = torch.tensor(np.searchsorted(documents, np.arange(tokens), side="right"))
    mask = (document[:, None] == document[None]) & torch.ones(tokens, tokens, dtype=bool).tril()
    frequency = config["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.cat([torch.arange(tokens, dtype=torch.float64)[:, None] * frequency] * 2, -1)
    kind = weights["model.norm.weight"].dtype
    cosine, sine = angle.cos().to(kind), angle.sin().to(kind)

    def norm(x, name):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + config["rms_norm_eps"]) * weights[name + ".weight"]

    def turn(x):
        return x * cosine + torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1) * sine

    h = weights["model.embed_tokens.weight"][torch.tensor(TOKENS)]
    states = []
    for _ in range(config["total_ut_steps"] if sandwich else 1):
        for i in range(config["num_hidden_layers"]):
            at = f"model.layers.{i}."
            x = norm(h, at + "input_layernorm")
            q, k, v = (
                (x @ weights[f"{at}self_attn.{n}_proj.weight"].T).view(tokens, -1, size).transpose(0, 1) for n in "qkv"
            )
            k, v = (a.repeat_interleave(heads // kv, 0) for a in (turn(k), v))
            y = F.scaled_dot_product_attention(turn(q), k, v, attn_mask=mask)
            y = y.transpose(0, 1).reshape(tokens, -1) @ weights[at + "self_attn.o_proj.weight"].T
            h = h + (norm(y, at + "input_layernorm_2") if sandwich else y)
            x = norm(h, at + "post_attention_layernorm")
            gate, up = (x @ weights[f"{at}mlp.{n}_proj.weight"].T for n in ("gate", "up"))
            y = (F.silu(gate) * up) @ weights[at + "mlp.down_proj.weight"].T
            h = h + (norm(y, at + "post_attention_layernorm_2") if sandwich else y)
        h = norm(h, "model.norm")
        states.append(h)
    return torch.stack(states)


def torch_losses(torch, weights, states, skipped):
    """Cross-entropies [loops, tokens that count]."""
    targets = torch.tensor(TOKENS[1:])
    counts = [i for i in range(len(targets)) if i not in skipped]
    readout = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    logits = states[:, counts] @ readout.T
    losses = [torch.nn.functional.cross_entropy(l, targets[counts], reduction="none") for l in logits]
    return torch.stack(losses), counts


def compare_gradients(ours, weights):
    for name, weight in weights.items():
        wanted = np.zeros(weight.shape) if weight.grad is None else weight.grad.numpy()
        scale = max(np.abs(wanted).max(), 1e-8)
        error = np.abs(ours[f"gradient.{name}"] - wanted).max() / scale
        assert error < 2e-4, f"{name}: {error}"


def leaves(torch, reference):
    return {name: torch.tensor(array, requires_grad=True) for name, array in reference.weights.items()}


def torch_stage_one(torch, config, weights, documents, skipped, beta):
    """The expected loss minus β times the entropy of leaving."""
    states = torch_states(torch, config, weights, documents)
    losses, counts = torch_losses(torch, weights, states, skipped)
    if len(states) == 1:
        return losses.mean()
    gates = states @ weights["model.early_exit_gate.weight"][0] + weights["model.early_exit_gate.bias"]
    leave = torch.sigmoid(gates[:, counts])
    stay = torch.cumprod(1 - leave, 0)
    p = torch.cat([leave[:1], leave[1:-1] * stay[:-2], stay[-2:-1]])
    entropy = -(p * p.log()).sum(0)
    loss = ((p * losses).sum(0) - beta * entropy).mean()
    # The same as an evidence bound with a uniform prior.
    divergence = (p * (p.log() + np.log(len(p)))).sum(0)
    bound = ((p * losses).sum(0) + beta * divergence - beta * np.log(len(p))).mean()
    assert abs((bound - loss).item()) < (1e-9 if loss.dtype == torch.float64 else 1e-2)
    return loss


@pytest.mark.parametrize("name", MODELS)
def test_stage_one_gradients(tmp_path, name):
    torch = pytest.importorskip("torch", reason="PyTorch's CPU build is not installed (Conformance/run tries to)")
    reference = model(tmp_path / "model", name)
    ours = dump(
        tmp_path / "model", tmp_path / "dump.safetensors", "--documents", "0,6", "--skipped", "2,5", "--beta", 0.3
    )
    weights = leaves(torch, reference)
    loss = torch_stage_one(torch, reference.config, weights, [0, 6], {2, 5}, 0.3)
    loss.backward()
    assert abs(loss.item() - float(ours["loss"][0])) < 1e-5
    compare_gradients(ours, weights)


@pytest.mark.parametrize("name", MODELS)
def test_products_in_bf16_are_as_near_as_autocast(tmp_path, name):
    """Both round what they multiply. PyTorch rounds the results of products and attention too: ours are no farther off."""
    torch = pytest.importorskip("torch", reason="PyTorch's CPU build is not installed (Conformance/run tries to)")
    reference = model(tmp_path / "model", name)
    ours = dump(tmp_path / "model", tmp_path / "dump.safetensors", "--beta", 0.3, "--precision", "bf16")
    exact, cast = leaves(torch, reference), leaves(torch, reference)
    cast = {name: weight.detach().float().requires_grad_() for name, weight in cast.items()}
    losses = [torch_stage_one(torch, reference.config, exact, [0], set(), 0.3)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses.append(torch_stage_one(torch, reference.config, cast, [0], set(), 0.3))
    for loss in losses:
        loss.backward()

    def distance(gradients):
        """From the exact gradients of all weights, in their length."""
        pairs = [(gradients(name), w.grad.numpy()) for name, w in exact.items() if w.grad is not None]
        return np.sqrt(sum(((a - b) ** 2).sum() for a, b in pairs) / sum((b**2).sum() for _, b in pairs))

    own = distance(lambda name: ours[f"gradient.{name}"])
    theirs = distance(lambda name: cast[name].grad.numpy())
    assert theirs / 16 < own <= theirs and theirs < 0.1, f"{own} and {theirs}"


@pytest.mark.parametrize("reading", ["printed", "deciding"])
def test_stage_two_gradients(tmp_path, reading):
    torch = pytest.importorskip("torch", reason="PyTorch's CPU build is not installed (Conformance/run tries to)")
    reference = model(tmp_path / "model", "ouro")
    ours = dump(tmp_path / "model", tmp_path / "dump.safetensors", "--skipped", "3", "--reading", reading)
    weights = leaves(torch, reference)
    with torch.no_grad():
        states = torch_states(torch, reference.config, weights, [0])
        losses, counts = torch_losses(torch, weights, states, {3})
        gain = (losses[:-1] - losses[1:]).clamp(min=0)
        label = torch.sigmoid(50 * (gain - 0.005))
    gates = states @ weights["model.early_exit_gate.weight"][0] + weights["model.early_exit_gate.bias"]
    leave = torch.sigmoid(gates[:, counts])
    leave = leave[1:] if reading == "printed" else leave[:-1]
    loss = -(label * (1 - leave).log() + (1 - label) * leave.log()).mean(1).sum() / len(states)
    loss.backward()
    assert abs(loss.item() - float(ours["loss"][0])) < 1e-5
    compare_gradients(ours, weights)


STORY = """In the beginning the king said unto his servants, Go ye into the cities; and they went: 12 of them, 1611.
They're not here\t-- "it's" (he said)...  'tis   naïve,\n\n   isn't it? Größe, 日本語 ½ Ⅷ x²  done\r\n  end """


def test_tokenizers_are_read_by_the_tokenizers_package(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    text = tmp_path / "story.txt"
    text.write_text(STORY * 3)
    looped("pretrain", "tokenizer", text, "--vocabulary", 330, "--output", tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = theirs.encode(STORY).ids
    assert theirs.decode(ids) == STORY and len(ids) < len(STORY.encode()) * 0.8
    # What we encode stands in the shard of a run: the documents, each after the mark of its beginning.
    settings = ["data.held-out-every=0", "model.width=16", "model.heads=2", "model.layers=1", "training.steps=0"]
    settings += ["training.sequence=8", f"data.tokenizer={tmp_path}/tokenizer.json", "evaluation.sample=0"]
    options = [part for setting in settings for part in ("--set", setting)]
    looped("pretrain", "--data", text, "--output", tmp_path / "run", *options)
    shard = (tmp_path / "run" / "data" / "training.tokens").read_bytes()
    assert shard[:8] == b"LOOPTOK1" and int.from_bytes(shard[24:32], "little") == (len(shard) - 56) // 2
    ours = np.frombuffer(shard[56:], "<u2").tolist()
    assert ours == [0] + theirs.encode((STORY * 3).strip("\n") + "\n").ids
    # The model's folder is one that the reference reads.
    reference = ouro.Reference(tmp_path / "run" / "model")
    assert reference.run(ours[:9])[1].shape == (4, 9, 330)
