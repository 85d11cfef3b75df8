"""Learning in context, judged by numpy, SciPy and scikit-learn: the prompts' distributions, the baselines, and the
networks, whose files are read and computed here once more in float64."""

import json
import warnings

import numpy as np
import pytest
import safetensors.numpy
from conftest import looped
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

# Networks are beside the point where tasks and baselines are judged.
SMALL = dict(model__width=8, model__heads=1, training__loops=1, training__window=1)


def settings(options):
    values = {key.replace("__", ".").replace("_", "-"): value for key, value in options.items()}
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture
def sample(tmp_path):
    """The JSON of `looped icl sample` for a recipe of these settings."""

    def sample(prompts, *flags, **options):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text("name: judged\n")
        arguments = ["icl", "sample", recipe, "--json", "--prompts", prompts, *flags, *settings(SMALL | options)]
        return json.loads(looped(*arguments))

    return sample


def pairs(sampled):
    """x as [prompt, point, coordinate], y as [prompt, point]; y stands in coordinate 0 of a token of its own."""
    tokens = np.array(sampled["tokens"], dtype=np.float64)
    x, y = tokens[:, ::2], tokens[:, 1::2]
    assert not y[:, :, 1:].any()
    reading = sampled["readings"][0]
    assert (reading["first"], reading["step"]) == (0, 2)
    assert np.array_equal(np.array(reading["targets"], dtype=np.float64)[:, :, 0], y[:, :, 0])
    return x, y[:, :, 0]


def normal(values):
    return stats.kstest(np.ravel(values), "norm").pvalue > 1e-4


@pytest.mark.parametrize("flag", [[], ["--training"]], ids=["measuring", "training"])
def test_linear_functions_have_normal_weights(sample, flag):
    x, y = pairs(sample(500, *flag, task__dimension=4, task__points=9))
    weights = np.array([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(x, y)])
    assert np.abs(np.einsum("bnd,bd->bn", x, weights) - y).max() < 1e-4
    assert normal(x) and normal(weights)
    # Every prompt has a function of its own, independent of its points.
    assert len(np.unique(weights[:, 0].round(5))) == 500
    assert abs(np.corrcoef(x[:, 0, 0], weights[:, 0])[0, 1]) < 0.2


def test_noise_is_normal_and_as_large_as_asked(sample):
    x, y = pairs(sample(400, task__dimension=3, task__points=23, task__noise=0.5))
    residuals = [b - a @ np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(x, y)]
    # Least squares takes 3 of 23 degrees of freedom.
    assert np.isclose(np.square(residuals).sum() / (400 * 20), 0.25, rtol=0.05)


def test_sparse_functions_have_their_support(sample):
    x, y = pairs(sample(300, task__family="sparse", task__dimension=8, task__support=3, task__points=17))
    weights = np.array([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(x, y)])
    nonzero = np.abs(weights) > 1e-5
    assert (nonzero.sum(1) == 3).mean() > 0.98 and nonzero.sum(1).max() == 3
    assert stats.chisquare(nonzero.sum(0)).pvalue > 1e-4
    assert normal(weights[nonzero])


def test_trees_ask_for_signs_alone(sample):
    sampled = sample(60, task__family="tree", task__dimension=3, task__depth=2, task__points=60)
    leaves = []
    for x, y in zip(*pairs(sampled)):
        assert len(np.unique(y)) <= 4
        of_signs = {}
        for signs, value in zip(x > 0, y):
            assert of_signs.setdefault(tuple(signs), value) == value
        leaves += list(np.unique(y))
    assert normal(leaves)


@pytest.mark.parametrize(
    "options",
    [
        dict(task__family="relu", task__dimension=5, task__hidden=16),
        dict(task__family="representation", task__dimension=5, task__hidden=8, task__depth=2),
        dict(task__family="linear", task__dimension=6),
        dict(task__family="sparse", task__dimension=6, task__support=2),
    ],
    ids=lambda options: options["task__family"],
)
def test_predicting_zero_scores_one(sample, options):
    sampled = sample(3000, task__points=3, **options)
    x, y = pairs(sampled)
    assert normal(x)
    assert np.isclose(np.square(y).mean() / sampled["normaliser"], 1, rtol=0.12)


def test_series_stay_bounded_and_have_their_scale(sample):
    sampled = sample(
        300, task__family="autoregression", task__dimension=3, task__hidden=8, task__depth=2, task__points=60
    )
    tokens, targets = np.array(sampled["tokens"]), np.array(sampled["readings"][0]["targets"])
    assert np.array_equal(tokens[:, 1:], targets[:, :-1])
    deviation = tokens.std(axis=(0, 2))
    assert deviation.min() > 0.8 and deviation.max() < 1.25 and np.abs(tokens).max() < 20


def test_chains_are_networks(sample):
    d, h, steps = 3, 4, 2
    sampled = sample(
        50, task__family="chain-of-thought", task__dimension=d, task__hidden=h, task__depth=steps, task__points=30
    )
    groups = np.array(sampled["tokens"], dtype=np.float64).reshape(50, 30, steps + 2, d + h + 1)
    x, states, y = groups[:, :, 0, :d], groups[:, :, 1:-1, d : d + h], groups[:, :, -1, -1]
    assert normal(x) and (states >= 0).all() and (states == 0).any()
    for b in range(50):
        weights, *_ = np.linalg.lstsq(states[b, :, -1], y[b], rcond=None)
        assert np.abs(states[b, :, -1] @ weights - y[b]).max() < 1e-4
        # A unit that is on in enough points is linear in x there.
        for unit in range(h):
            on = states[b, :, 0, unit] > 0
            if on.sum() > d:
                fit, *_ = np.linalg.lstsq(x[b, on], states[b, on, 0, unit], rcond=None)
                assert np.abs(x[b, on] @ fit - states[b, on, 0, unit]).max() < 1e-4


def test_baselines_are_those_of_scikit_learn(sample):
    names = ["least-squares", "ridge:0.3", "lasso:0.05", "nearest:3", "averaging", "newton:60", "tree:1"]
    names += ["gradient-descent:7"]
    sampled = sample(
        25, task__dimension=4, task__points=16, task__noise=0.3, evaluation__baselines=",".join(names)
    )
    ours = {name: np.array(values, dtype=np.float64) for name, values in sampled["baselines"].items()}
    assert set(ours) == set(names)
    warnings.simplefilter("error", ConvergenceWarning)
    for b, (x, y) in enumerate(zip(*pairs(sampled))):
        for name in names:
            assert ours[name][b, 0] == 0
        for i in range(1, 16):
            a, c, query = x[:i], y[:i], x[i : i + 1]

            def same(name, wanted, tolerance=1e-6):
                assert np.isclose(ours[name][b, i], wanted, rtol=tolerance, atol=tolerance), (name, b, i)

            same("least-squares", query[0] @ np.linalg.lstsq(a, c, rcond=None)[0], 1e-4)
            same("averaging", query[0] @ (a.T @ c) / i)
            same("ridge:0.3", Ridge(0.3, fit_intercept=False).fit(a, c).predict(query)[0])
            lasso = Lasso(0.05, fit_intercept=False, tol=1e-10, max_iter=10**6).fit(a, c)
            same("lasso:0.05", lasso.predict(query)[0], 1e-4)
            neighbours = KNeighborsRegressor(min(3, i)).fit(a, c)
            same("nearest:3", neighbours.predict(query)[0])
            # Newton's method has settled where the points determine the weights well.
            if i > 8:
                same("newton:60", query[0] @ np.linalg.lstsq(a, c, rcond=None)[0], 1e-4)
            # Several coordinates may part the points alike: any of the best stumps is right. Deeper trees have too many.
            if i % 5 == 0 and i >= 10:
                stumps = [DecisionTreeRegressor(max_depth=1).fit(a[:, [k]], c) for k in range(4)]
                losses = [np.square(stump.predict(a[:, [k]]) - c).sum() for k, stump in enumerate(stumps)]
                best = [stump.predict(query[:, [k]])[0] for k, stump in enumerate(stumps)]
                best = [value for value, loss in zip(best, losses) if loss < min(losses) + 1e-9]
                assert np.abs(np.array(best) - ours["tree:1"][b, i]).min() < 1e-6, (b, i)
            w = np.zeros(4)
            for _ in range(7):
                w -= a.T @ (a @ w - c) / np.linalg.eigvalsh(a.T @ a)[-1]
            same("gradient-descent:7", query[0] @ w, 1e-3)


def table(path, rows, features, seed):
    random = np.random.default_rng(seed)
    x = random.normal(3, 5, size=(rows, features)).round(3)
    y = x[:, 0] + x[:, -1] + random.normal(0, 3, rows) > 6
    lines = [",".join(map(str, [*row, "yes" if label else "no"])) for row, label in zip(x, y)]
    path.write_text(",".join(f'"x {c}"' for c in range(features)) + ",label\n" + "\n".join(lines) + "\n")
    return x, y


def test_tables_are_standardised_and_padded_rows(tmp_path, sample):
    tables = [table(tmp_path / f"{i}.csv", 200, 2 + i, i) for i in range(3)]
    files = ",".join(str(tmp_path / f"{i}.csv") for i in range(3))
    sampled = sample(
        40, "--training", task__family="tabular", task__files=files, task__dimension=5, task__points=20,
        task__held_out_table=1, evaluation__baselines="logistic:1",
    )  # fmt: skip
    x, labels = pairs(sampled)
    assert np.array_equal(np.ravel(labels), sampled["readings"][0]["classes"])
    seen = set()
    for rows, classes in zip(x, labels):
        features = int((rows != 0).any(axis=0).sum())
        seen.add(features)
        assert not rows[:, : 5 - features].any()
        values, truth = tables[features - 2]
        # Standardised by the rows of training, nineteen twentieths: nearly by all. Of rows that are close, a neighbour may
        # be found instead.
        standard = (values - values.mean(0)) / values.std(0)
        distance = np.abs(rows[:, None, 5 - features :] - standard[None]).max(axis=2)
        nearest = distance.argmin(axis=1)
        assert distance.min(axis=1).max() < 0.2 and len(set(nearest)) >= 18
        assert (classes == truth[nearest]).mean() >= 0.9
    assert seen == {2, 4}, "the table left out has three features"
    said = np.array(sampled["baselines"]["logistic:1"])
    for b in range(10):
        for i in range(6, 20):
            if len(set(labels[b, :i])) == 2:
                judge = LogisticRegression(C=1, tol=1e-10, max_iter=10_000).fit(x[b, :i], labels[b, :i])
                if abs(judge.decision_function(x[b, i : i + 1])[0]) > 1e-3:
                    assert said[b, i] == judge.predict(x[b, i : i + 1])[0]


def layer(w, name, h):
    return h @ w[name + ".weight"].T + w[name + ".bias"]


def norm(w, name, h):
    h = h - h.mean(-1, keepdims=True)
    return h / np.sqrt(np.square(h).mean(-1, keepdims=True) + 1e-5) * w[name + ".gain"] + w[name + ".bias"]


def attention(w, name, h, heads):
    batch, tokens, width = h.shape
    q, k, v = np.split(layer(w, name + ".qkv", h).reshape(batch, tokens, 3 * heads, -1), 3, axis=2)
    scores = np.einsum("bthc,bshc->bhts", q, k) / np.sqrt(width // heads)
    scores = np.where(np.tril(np.ones((tokens, tokens), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = np.einsum("bhts,bshc->bthc", weights / weights.sum(-1, keepdims=True), v)
    return layer(w, name + ".output", mixed.reshape(batch, tokens, width))


def stack(w, name, embedded, heads, injects):
    h = embedded
    if name + ".positions.weight" in w:
        h = h + w[name + ".positions.weight"][: h.shape[1]]
    block = 0
    while f"{name}.blocks.{block}.mlpNorm.gain" in w:
        part = f"{name}.blocks.{block}."
        h = h + embedded if injects else h
        h = h + attention(w, part + "attention", norm(w, part + "attentionNorm", h), heads)
        u = layer(w, part + "mlp.expand", norm(w, part + "mlpNorm", h))
        u = u / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
        h = h + layer(w, part + "mlp.contract", u)
        block += 1
    return norm(w, name + ".norm", h) if name + ".norm.gain" in w else h


def network(w, tokens, architecture, injection, heads, loops, injects):
    """The predictions after every loop, as the papers describe the networks."""
    prompt = layer(w, "core.readIn", tokens)
    if "inputPositions.weight" in w:
        prompt = prompt + w["inputPositions.weight"][: prompt.shape[1]]
    if architecture == "algoformer":
        prompt = stack(w, "pre", prompt, heads, injects)
    if architecture in ("standard", "tied"):
        injection = "none"
    state = {"none": prompt, "multiplicative": np.ones_like(prompt)}.get(injection, np.zeros_like(prompt))
    for _ in range(1 if architecture == "standard" else loops):
        if injection == "multiplicative":
            state = state * prompt
        elif injection != "none":
            state = state + prompt * (w["core.injectionScale"] if injection == "scaled" else 1)
        state = stack(w, "core.backbone", state, heads, injects)
        read = stack(w, "post", state, heads, injects) if architecture == "algoformer" else state
        read = norm(w, "outputNorm", read) if "outputNorm.gain" in w else read
        yield layer(w, "core.readOut", read[:, ::2])


NETWORKS = [
    dict(architecture="standard", layers=3),
    dict(architecture="standard", layers=2, inject_blocks="true"),
    dict(architecture="looped", injection="additive"),
    dict(architecture="looped", injection="scaled", layers=2),
    dict(architecture="looped", injection="multiplicative"),
    dict(architecture="looped", injection="none", positions="input", norms="none"),
    dict(architecture="tied"),
    dict(architecture="algoformer"),
    dict(architecture="algoformer", positions="input", norms="output", pre_layers=2),
    dict(architecture="algoformer", injection="none", norms="none"),
]


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: "-".join(map(str, model.values())))
def test_networks_are_what_their_files_say(tmp_path, model):
    """A few steps of training, so that gains and biases are not what they start as; then the file alone."""
    recipe, file = tmp_path / "recipe.yaml", tmp_path / "model.safetensors"
    recipe.write_text("name: judged\n")
    options = {f"model__{key}": value for key, value in model.items()} | dict(
        model__width=12, model__heads=3, task__dimension=4, task__points=7, training__loops=5, training__window=5,
        training__steps=20, training__rate=0.01, training__batch=8,
    )  # fmt: skip
    looped("icl", "train", recipe, "--output", tmp_path / "run", "--export", file, *settings(options))
    sampled = json.loads(looped("icl", "sample", file, "--json", "--prompts", 6))
    stored = safetensors.numpy.load_file(file)
    assert sum(a.size for a in stored.values()) == sampled["parameters"]
    w = {name: a.astype(np.float64) for name, a in stored.items()}
    tokens = np.array(sampled["tokens"], dtype=np.float64)
    injection = model.get("injection", "additive")
    wanted = list(network(w, tokens, model["architecture"], injection, 3, 5, "inject_blocks" in model))
    ours = np.array(sampled["predictions"])
    assert len(ours) == len(wanted) and ours.std() > 0.01
    for loop, (a, b) in enumerate(zip(ours, wanted)):
        assert np.abs(a - b).max() < 3e-4 * (1 + np.abs(b).max()), f"loop {loop + 1}"


@pytest.mark.parametrize(
    "architecture, layers, width, millions", [("standard", 12, 256, 9.48), ("looped", 1, 256, 0.79)]
)
def test_sizes_are_the_papers(sample, architecture, layers, width, millions):
    sampled = sample(
        1, model__architecture=architecture, model__layers=layers, model__width=width, model__heads=8,
        task__dimension=20, task__points=101,
    )  # fmt: skip
    assert round(sampled["printedParameters"] / 1e6, 2) == millions
