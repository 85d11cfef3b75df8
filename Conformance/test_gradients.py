"""The training engine against PyTorch: forward, loss, every gradient, ten training losses; TensorBoard reads the logs."""

import json
import subprocess

import numpy as np
import pytest
import safetensors.numpy
from conftest import ROOT

torch = pytest.importorskip("torch", reason="PyTorch's CPU build is not installed (Conformance/run tries to)")
F = torch.nn.functional
PROBE = ROOT / ".build" / "release" / "TrainingProbe"


@pytest.fixture(scope="session", autouse=True)
def probe():
    build = ". Scripts/setup.sh; setup_swift; swift build \"${build_flags[@]}\" --product TrainingProbe"
    subprocess.run(["bash", "-c", build], cwd=ROOT, check=True)


def dump(tmp_path, **options):
    """What our engine computes, by name, as float32 arrays."""
    path = tmp_path / "dump.safetensors"
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    subprocess.run([PROBE, "dump", "--to", path, *arguments], check=True)
    return safetensors.numpy.load_file(path)


def part(arrays, prefix, dtype=torch.float64):
    return {name[len(prefix) :]: torch.tensor(a).to(dtype) for name, a in arrays.items() if name.startswith(prefix)}


def attention(x, w, prefix, heads, bias, rope=False):
    batch, tokens, width = x.shape
    size = width // heads
    qkv = F.linear(x, w[prefix + "qkv.weight"], w[prefix + "qkv.bias"] if bias else None)
    q, k, v = (a.view(batch, tokens, heads, size).transpose(1, 2) for a in qkv.split(width, dim=2))
    if rope:
        frequency = 10000.0 ** (-torch.arange(0, size, 2, dtype=x.dtype) / size)
        angle = torch.arange(tokens, dtype=x.dtype)[:, None] * frequency
        cos, sin = (torch.cat([a, a], dim=-1) for a in (angle.cos(), angle.sin()))

        def turn(a):
            return a * cos + torch.cat([-a[..., size // 2 :], a[..., : size // 2]], dim=-1) * sin

        q, k = turn(q), turn(k)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    y = y.transpose(1, 2).reshape(batch, tokens, width)
    return F.linear(y, w[prefix + "output.weight"], w[prefix + "output.bias"] if bias else None)


def gpt2(x, w, heads, depth):
    """The backbone in nanoGPT's words: wpe, pre-norm blocks with tanh GELU, final norm."""
    width = (x.shape[-1],)

    def norm(h, name):
        return F.layer_norm(h, width, w[name + ".gain"], w[name + ".bias"], eps=1e-5)

    h = x + w["backbone.positions.weight"][: x.shape[1]]
    for i in range(depth):
        block = f"backbone.blocks.{i}."
        h = h + attention(norm(h, block + "attentionNorm"), w, block + "attention.", heads, bias=True)
        m = F.linear(norm(h, block + "mlpNorm"), w[block + "mlp.expand.weight"], w[block + "mlp.expand.bias"])
        m = F.gelu(m, approximate="tanh")
        h = h + F.linear(m, w[block + "mlp.contract.weight"], w[block + "mlp.contract.bias"])
    return norm(h, "backbone.norm")


def looped(w, prompts, injection, heads, depth, loops, window):
    """The predictions after every loop; only the window has a gradient."""
    p = F.linear(prompts, w["readIn.weight"], w["readIn.bias"])
    y = {"none": p, "multiplicative": torch.ones_like(p)}.get(injection, torch.zeros_like(p))
    predictions = []
    for loop in range(loops):
        with torch.set_grad_enabled(loop >= loops - window):
            if injection == "additive":
                y = y + p
            elif injection == "scaled":
                y = y + w["injectionScale"] * p
            elif injection == "multiplicative":
                y = y * p
            y = gpt2(y, w, heads, depth)
            predictions.append(F.linear(y[:, ::2], w["readOut.weight"], w["readOut.bias"]))
    return predictions


def llama(w, tokens, heads, depth):
    width = w["norm.gain"].shape

    def norm(h, name):
        return F.rms_norm(h, width, w[name + ".gain"], eps=1e-6)

    h = F.embedding(tokens, w["embedding.weight"])
    for i in range(depth):
        block = f"blocks.{i}."
        h = h + attention(norm(h, block + "attentionNorm"), w, block + "attention.", heads, bias=False, rope=True)
        gate, up = F.linear(norm(h, block + "mlpNorm"), w[block + "mlp.gateUp.weight"]).chunk(2, dim=-1)
        h = h + F.linear(F.silu(gate) * up, w[block + "mlp.down.weight"])
    return F.linear(norm(h, "norm"), w["output.weight"])


def check(arrays, forward, loss_of, optimizer_of, clip=None, rtol=2e-4):
    """Holds a dump to PyTorch in float64: `forward` gives the predictions, `loss_of` their loss."""
    w = {name: a.requires_grad_() for name, a in part(arrays, "weight.").items()}
    predictions = forward(w)
    for i, prediction in enumerate(predictions):
        close(arrays[f"prediction.{i}"], prediction.detach(), 2e-5, f"prediction {i}")
    loss = loss_of(predictions)
    close(arrays["loss"], loss.detach(), 1e-5, "loss")
    loss.backward()
    gradients = part(arrays, "gradient.")
    assert gradients.keys() == w.keys()
    for name in w:
        wanted = torch.zeros_like(w[name]) if w[name].grad is None else w[name].grad
        close(gradients[name], wanted, rtol, name)
    optimizer = optimizer_of(w)
    for step, ours in enumerate(arrays["losses"]):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(forward(w))
        close(ours, loss.detach(), 1e-3, f"loss of step {step + 1}")
        loss.backward()
        if clip:
            norm = torch.nn.utils.clip_grad_norm_(w.values(), clip)
            assert step > 0 or norm > clip, "the test should clip"
        optimizer.step()
    assert arrays["losses"][-1] < arrays["losses"][0]


def close(ours, theirs, tolerance, what):
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    scale = np.abs(theirs).max() + 1e-12
    error = np.abs(ours.reshape(theirs.shape) - theirs).max()
    assert error <= tolerance * scale + 1e-9, f"{what}: off by {error / scale:.2e} of its largest value"


SIZES = [
    dict(batch=3, points=5, inputs=4, width=24, heads=3, depth=1, loops=4, window=3),
    dict(batch=2, points=20, inputs=7, width=34, heads=2, depth=2, loops=3, window=3),
    dict(batch=1, points=1, inputs=1, width=8, heads=1, depth=1, loops=5, window=1),
]


def gpt2_check(arrays, injection, batch, points, inputs, width, heads, depth, loops, window):
    data = part(arrays, "data.")
    prompts, targets = data["prompts"], data["targets"]
    assert prompts.shape == (batch, 2 * points, inputs)
    check(
        arrays,
        lambda w: looped(w, prompts, injection, heads, depth, loops, window),
        lambda predictions: torch.stack([(p - targets).square().mean() for p in predictions[-window:]]).mean(),
        lambda w: torch.optim.Adam(w.values(), lr=1e-3),
    )


@pytest.mark.parametrize("injection", ["none", "additive", "scaled", "multiplicative"])
@pytest.mark.parametrize("sizes", SIZES, ids=["odd", "deep", "smallest"])
def test_looped_gpt2(tmp_path, sizes, injection):
    gpt2_check(dump(tmp_path, injection=injection, **sizes), injection, **sizes)


def test_weights_of_pytorch_come_in(tmp_path):
    """PyTorch initialises, safetensors carries, we compute: names and layout are those of a state dict."""
    sizes = SIZES[0]
    names = {name: a.shape for name, a in part(dump(tmp_path, **sizes), "weight.").items()}
    generator = torch.Generator().manual_seed(5)
    weights = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in names.items()}
    path = tmp_path / "pytorch.safetensors"
    safetensors.numpy.save_file({name: a.numpy() for name, a in weights.items()}, path)
    arrays = dump(tmp_path, weights=path, **sizes)
    assert all(np.array_equal(arrays["weight." + name], a.numpy()) for name, a in weights.items())
    gpt2_check(arrays, "additive", **sizes)


@pytest.mark.parametrize("batch, points, inputs, width, heads, depth", [(2, 9, 13, 24, 2, 2), (1, 33, 50, 36, 1, 1)])
def test_llama_layers(tmp_path, batch, points, inputs, width, heads, depth):
    arrays = dump(
        tmp_path, model="llama", batch=batch, points=points, inputs=inputs, width=width, heads=heads, depth=depth
    )
    tokens, targets = (torch.tensor(arrays["data." + name]).long() for name in ("tokens", "targets"))
    matrices = lambda w: [a for a in w.values() if a.dim() > 1]
    vectors = lambda w: [a for a in w.values() if a.dim() == 1]
    check(
        arrays,
        lambda w: [llama(w, tokens, heads, depth)],
        lambda p: F.cross_entropy(p[0].flatten(0, 1), targets.flatten(), ignore_index=-1),
        lambda w: torch.optim.AdamW(
            [dict(params=matrices(w), weight_decay=0.1), dict(params=vectors(w), weight_decay=0.0)], lr=1e-3
        ),
        clip=0.5,
    )


def test_tensorboard_reads_the_event_files(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    arrays = dump(tmp_path, logs=tmp_path / "logs")
    events = accumulator.EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "gradient_norm", "rate"}
    scalars = events.Scalars("loss")
    assert [s.step for s in scalars] == list(range(1, 11))
    assert [s.value for s in scalars] == [np.float32(loss) for loss in arrays["losses"]]
    lines = [json.loads(line) for line in (tmp_path / "logs" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert [line["loss"] for line in lines] == list(arrays["losses"])
