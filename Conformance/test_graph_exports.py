"""Exported graph networks: run by onnxruntime and by the script beside them, compared with `looped graph`."""

import json
import os
import random
import subprocess
import sys

import networkx as nx
import numpy as np
import onnx
import pytest
import safetensors.numpy
from conftest import ROOT, looped
from test_graphs import ALGORITHMS, PAPER, read_report
from test_onnx import call

TYPES = {"f32": np.float32, "f64": np.float64}


def random_graph(seed, nodes, edges, lowest=0, acyclic=False, step=1.0):
    generator = random.Random(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    for _ in range(edges):
        u, v = generator.randrange(nodes), generator.randrange(nodes)
        if not acyclic or u != v:
            u, v = (min(u, v), max(u, v)) if acyclic else (u, v)
            graph.add_edge(u, v, weight=generator.randint(lowest, 9) * step)
    return graph


GRAPHS = {
    "one": random_graph(1, 1, 0),
    "loop": random_graph(1, 1, 1),
    "no-edges": random_graph(1, 4, 0),
    "acyclic": random_graph(2, 9, 16, acyclic=True),
    "sparse": random_graph(3, 12, 14),
    "dense": random_graph(4, 10, 60),
    "quarters": random_graph(5, 11, 30, step=0.25),
    "karate": nx.convert_node_labels_to_integers(nx.karate_club_graph()),
}
NEGATIVE = {"negative": random_graph(6, 10, 18, lowest=-1), "cycle": random_graph(8, 10, 40, lowest=-3)}
CASES = [
    (network, algorithm, name)
    for network, algorithms in [("compact", ALGORITHMS), ("paper", PAPER)]
    for algorithm in algorithms
    for name in [*GRAPHS, *(NEGATIVE if algorithm in ("bellman-ford", "mst") else [])]
    # An undirected graph has no topological order, and the paper's network takes a minute for n² loops of 34 nodes.
    if name != "karate" or (algorithm != "toposort" and network == "compact")
]


@pytest.fixture
def graph_file(tmp_path):
    def write(graph):
        path = tmp_path / "graph.json"
        path.write_text(json.dumps(nx.node_link_data(graph, edges="links")))
        return path

    return write


def answer(network, algorithm, result, nodes):
    """What an export's outputs say, as `looped graph --json` says it: by node, nodes by number."""
    numbers = {name: np.asarray(values).ravel().tolist() for name, values in result.items()}
    found = {}
    if "predecessor" in numbers:
        before = [int(number) - 1 for number in numbers["predecessor"]]
        found["predecessor"] = [None if p in (-1, node) else p for node, p in enumerate(before)]
    if "order" in numbers:
        places = {int(place): node for node, place in enumerate(numbers["order"]) if place > 0}
        found["order"] = [places[place] for place in sorted(places)]
    if "component" in numbers:
        lowest = {}
        for node, component in enumerate(numbers["component"]):
            lowest.setdefault(component, node)
        found["component"] = [lowest[component] for component in numbers["component"]]
    if "rank" in numbers:
        found["rank"] = numbers["rank"]
    if "distance" in numbers:
        far = 2.0**96 if network == "compact" else 2.0 ** (22 if result["final_state"].dtype == np.float32 else 51)
        isolated = 0 if algorithm == "mst" else None
        found["distance"] = [isolated if distance == far else distance for distance in numbers["distance"]]
        for name, unreachable in [("reached", 0), ("unreached", 1)]:
            for node, flag in enumerate(numbers.get(name, [])):
                found["distance"][node] = None if flag == unreachable else found["distance"][node]
    elif algorithm == "bfs":
        # The paper's network finds the order and the tree; depths are counted along it.
        depths = [None] * nodes
        for node in found["order"]:
            before = found["predecessor"][node]
            depths[node] = 0 if before is None else depths[before] + 1
        found["distance"] = depths
    return found


def expected(report, nodes):
    def node(name):
        return None if name is None else int(name)

    numbers = range(nodes)
    found = {"distance": [report["distance"][str(n)] for n in numbers], "rank": [report["rank"][str(n)] for n in numbers]}
    for key in ("predecessor", "component"):
        found[key] = [node(report[key][str(n)]) for n in numbers]
    if "order" in report:
        found["order"] = [node(name) for name in report["order"]]
    return found


def assert_equal(network, algorithm, result, report, nodes):
    if "cycle" in report:
        if algorithm == "bellman-ford":
            assert result["loops"] == nodes + 1
        else:
            assert algorithm == "toposort" and not np.asarray(result["order"]).all()
        return
    assert algorithm != "bellman-ford" or result["loops"] <= nodes
    ours = expected(report, nodes)
    for key, values in answer(network, algorithm, result, nodes).items():
        if key == "rank":
            tolerance = 1e-6 if report["dataType"] == "f32" else 1e-12
            np.testing.assert_allclose(values, ours[key], rtol=0, atol=tolerance)
        elif key == "order" and algorithm == "mst" and "order" not in ours:
            continue
        else:
            assert values == ours[key], key


def ask(algorithm, path, network, data_type, source):
    options = ["--network", network, "--data-type", data_type, "--source", source]
    return read_report(looped("graph", algorithm, path, "--json", *options))


def export(algorithm, path, network, data_type, source, extension, *options):
    target = path.parent / f"{algorithm}.{extension}"
    options = ["--network", network, "--data-type", data_type, "--source", source, "--to", target, *options]
    looped("export", path, "--algorithm", algorithm, *options)
    return target


def scaled(path, result):
    """Distances in the manifest's units."""
    manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    for value in manifest["values"]:
        name, unit = value["name"], value.get("unit", 1)
        far = 2.0 ** (22 if manifest["dataType"] == "float32" else 51)
        if unit != 1:
            result[name] = np.where(result[name] == far, result[name], result[name] * unit)
    return result


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("network, algorithm, name", CASES)
def test_onnxruntime_runs_whole_algorithms(graph_file, network, algorithm, name, data_type):
    graph = {**GRAPHS, **NEGATIVE}[name]
    path = graph_file(graph)
    source = len(graph) // 3
    model = export(algorithm, path, network, data_type, source, "onnx")
    onnx.checker.check_model(onnx.load(model), full_check=True)
    report = ask(algorithm, path, network, data_type, source)
    result = scaled(model, call(model))
    assert result["final_state"].dtype == TYPES[data_type]
    assert_equal(network, algorithm, result, report, len(graph))
    # The paper's networks say when they are done. The compact ones' runs end when nothing changes any more, which takes
    # one loop more, and a power iteration may end a loop sooner or later as sums are rounded in another order.
    more = [0] if network == "paper" else [-1, 0, 1] if algorithm == "pagerank" else [0, 1]
    assert "cycle" in report or result["loops"] - report["loops"] in more


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("network, algorithm", [("compact", a) for a in ALGORITHMS] + [("paper", a) for a in PAPER])
@pytest.mark.parametrize("loops", [1, 2, 7])
def test_states_are_equal_after_every_number_of_loops(graph_file, network, algorithm, data_type, loops):
    path = graph_file(GRAPHS["acyclic"])
    result = call(export(algorithm, path, network, data_type, 2, "onnx"), max_loops=np.array(loops))
    ours = safetensors.numpy.load_file(
        export(algorithm, path, network, data_type, 2, "safetensors", "--after", loops)
    )["state"]
    assert result["final_state"].dtype == ours.dtype
    if algorithm == "pagerank":
        np.testing.assert_allclose(result["final_state"], ours, rtol=0, atol=1e-6)
    else:
        assert np.array_equal(result["final_state"], ours)


def matrices(graph, offset, dtype):
    """The graph as the networks see it: node v is column v + offset."""
    edges = np.zeros((len(graph) + offset,) * 2, dtype)
    weights = edges.copy()
    for u, v, weight in graph.edges(data="weight"):
        edges[u + offset, v + offset], weights[u + offset, v + offset] = 1, weight
    return {"graph.edges": edges, "graph.weights": weights}


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize(
    "network, algorithm",
    [("compact", a) for a in ["dijkstra", "bfs", "dfs", "scc", "bellman-ford"]] + [("paper", a) for a in PAPER],
)
def test_one_file_runs_other_graphs(graph_file, network, algorithm, data_type):
    first, second = random_graph(11, 10, 22), random_graph(12, 10, 35)
    model = export(algorithm, graph_file(first), network, data_type, 4, "onnx")
    offset = 2 if network == "compact" else 1
    results = []
    for graph in (first, second):
        inputs = matrices(graph, offset, TYPES[data_type])
        if network == "paper" and algorithm != "dijkstra":
            inputs["graph.weights"] = inputs["graph.edges"]
        results.append(call(model, **inputs))
        report = ask(algorithm, graph_file(graph), network, data_type, 4)
        assert_equal(network, algorithm, results[-1], report, len(graph))
    assert not np.array_equal(results[0]["final_state"], results[1]["final_state"])
    assert np.array_equal(results[0]["final_state"], call(model)["final_state"])


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("network, algorithm", [("compact", a) for a in ALGORITHMS] + [("paper", a) for a in PAPER])
def test_the_script_runs_graphs(graph_file, network, algorithm, data_type):
    graph = GRAPHS["acyclic"]
    path = graph_file(graph)
    archive = export(algorithm, path, network, data_type, 2, "npz")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, archive.parent / "run_network.py", archive]
    output = subprocess.run(command, capture_output=True, env=environment, check=True)
    lines = (line.split(": ") for line in output.stdout.decode().splitlines())
    result = {name: np.array(numbers.split(), TYPES[data_type]) for name, numbers in lines}
    result["final_state"] = np.zeros(0, TYPES[data_type])
    result["loops"] = int(output.stderr.split()[0])
    assert_equal(network, algorithm, result, ask(algorithm, path, network, data_type, 2), len(graph))


def test_the_manifest_names_nodes_and_results(tmp_path):
    target = tmp_path / "kitchen.safetensors"
    looped("export", ROOT / "Examples" / "kitchen.dot", "--algorithm", "bfs", "--source", "shop", "--to", target)
    manifest = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    node = next(role for role in manifest["columns"] if role["name"] == "node")
    assert node["columns"]["count"] == len(node["names"]) == 15 and node["names"][0] == "shop"
    assert [value["name"] for value in manifest["values"]] == ["distance", "reached", "predecessor", "order"]
    arrays = safetensors.numpy.load_file(target)
    assert arrays["graph.edges"].shape == (17, 17) and manifest["loopLimit"] == 18
    assert {row.sum() for row in (arrays["graph.edges"][:2], arrays["graph.edges"][:, :2])} == {0}


@pytest.mark.parametrize(
    "options, status, message",
    [
        (["--algorithm", "mst", "--network", "paper"], 1, b"the paper has no network for mst"),
        (["--algorithm", "dijkstra"], 1, b"needs a node to start from"),
        (["--algorithm", "dijkstra", "--source", "x"], 1, b"no node named 'x'"),
        (["--algorithm", "dijkstra", "--source", "1", "--cells", "9"], 64, b"--cells is for programs"),
        (["--source", "1"], 64, b"--source is for graphs"),
        (["--algorithm", "bfs", "--source", "1", "--format", "asq"], 64, b"known for graphs are gr"),
    ],
)
def test_what_cannot_be_exported(tmp_path, options, status, message):
    target = tmp_path / "x.onnx"
    output = looped("export", ROOT / "Examples" / "town.gr", "--to", target, *options, status=status)
    assert message in output and not target.exists()


def test_large_graphs_are_refused_before_memory_is_taken(tmp_path):
    file = tmp_path / "large.gr"
    file.write_text("p sp 1000000 1\na 1 2 3\n")
    target = tmp_path / "large.safetensors"
    output = looped("export", file, "--algorithm", "bfs", "--source", 1, "--to", target, status=1)
    assert b"more than the 256 MiB an export may have" in output and not target.exists()
