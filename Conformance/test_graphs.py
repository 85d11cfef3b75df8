"""Graphs judged by networkx: files in both directions, and every algorithm on its atlas, its own real graphs, and random ones."""

import contextlib
import functools
import gzip
import json
import math
import random
import re
import subprocess
import threading

import networkx as nx
import pytest
import scipy.io
from conftest import BINARY, looped

PAPER = ["dijkstra", "bfs", "dfs", "scc"]
ALGORITHMS = PAPER + ["components", "toposort", "mst", "bellman-ford", "pagerank"]


def networks():
    """Who can compute, as the command says itself."""
    try:
        text = re.sub(r"\s+", " ", looped("graph", "--help").decode())
    except (OSError, AssertionError):
        return []
    return re.search(r"--network <network>.*?\(values: ([^;)]*)", text)[1].split(", ")


def line_of(graph, source=None):
    """The graph as a line of JSON, for `looped graph --lines`."""
    data = nx.node_link_data(graph, edges="links")
    return json.dumps(data if source is None else {**data, "source": source}).encode() + b"\n"


def read_report(text):
    """A result of `looped graph --json`, by node."""
    report = json.loads(text)
    nodes = report["nodes"]
    for key in ("distance", "predecessor", "component", "rank"):
        report[key] = {node["node"]: node.get(key) for node in nodes}
    return report


def ask(algorithm, graph, source, *options):
    source = [] if source is None else ["--source", source]
    options = ["--format", "json", "--json", *source, *options]
    return read_report(looped("graph", algorithm, "-", *options, input=line_of(graph)))


def answers(algorithm, lines, *options):
    """The results of many graphs in order, by one process, which is fed while its answers are read."""
    command = [BINARY, "graph", algorithm, "-", "--lines", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def feed():
            with process.stdin, contextlib.suppress(BrokenPipeError):
                process.stdin.writelines(lines)

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            yield from map(read_report, process.stdout)
        finally:
            process.stdout.close()
            feeder.join()
    assert process.returncode == 0


def reached_by(distances, graph):
    return {str(node): distances.get(node) for node in graph}


def one_way(graph):
    """Every edge in every direction it can be walked, the lightest of parallel ones."""
    simple = nx.DiGraph()
    simple.add_nodes_from(graph)
    for u, v, weight in graph.to_directed().edges(data="weight", default=1):
        if not simple.has_edge(u, v) or simple[u][v]["weight"] > weight:
            simple.add_edge(u, v, weight=weight)
    return simple


def check_tree(report, graph, source, weighted):
    """Every node's distance comes about over its predecessor, and predecessors lead to the source."""
    node_of = {str(node): node for node in graph}
    distance = report["distance"]
    rooted = {source}
    for name, before in report["predecessor"].items():
        node = node_of[name]
        if before is None:
            assert node == source or distance[name] is None
            continue
        step = graph[node_of[before]][node]["weight"] if weighted else 1
        assert math.isclose(distance[before] + step, distance[name], rel_tol=1e-12)
        path = []
        while node not in rooted:
            path.append(node)
            assert len(path) < len(graph), "predecessors go round in a circle"
            node = node_of[report["predecessor"][str(node)]]
        rooted.update(path)


def judge(algorithm, simple, source):
    """What networkx says to a question: a function that a report of the command must pass.

    `simple` is directed, without parallel edges, and has ascending whole numbers for nodes.
    """
    verdicts = {
        "dijkstra": distances, "bellman-ford": distances, "bfs": distances, "dfs": depth_first,
        "scc": components, "components": components, "toposort": topological, "mst": spanning, "pagerank": ranks,
    }  # fmt: skip
    accepts = verdicts[algorithm](algorithm, simple, source)

    def accept(report):
        assert report["end"] == "finished" and report["algorithm"] == algorithm
        accepts(report)

    return accept


def check(algorithm, graph, source, *options):
    """One question, answered by the command and by networkx."""
    judge(algorithm, one_way(graph), source)(ask(algorithm, graph, source, *options))


def distances(algorithm, simple, source):
    find = {
        "dijkstra": nx.single_source_dijkstra_path_length,
        "bellman-ford": nx.single_source_bellman_ford_path_length,
        "bfs": nx.single_source_shortest_path_length,
    }[algorithm]
    try:
        expected = reached_by(find(simple, source), simple)
    except nx.NetworkXUnbounded:
        below = nx.descendants(simple, source) | {source}

        def accept_cycle(report):
            cycle = [int(node) for node in report["cycle"]]
            assert sum(simple[u][v]["weight"] for u, v in zip(cycle, cycle[1:] + cycle[:1])) < 0
            assert cycle[0] in below

        return accept_cycle

    def accept(report):
        assert "cycle" not in report and report["distance"] == expected
        check_tree(report, simple, source, weighted=algorithm != "bfs")

    return accept


def depth_first(_, simple, source):
    order = [str(node) for node in nx.dfs_preorder_nodes(simple, source, sort_neighbors=sorted)]
    before = nx.dfs_predecessors(simple, source, sort_neighbors=sorted)
    expected = {node: str(before[int(node)]) if int(node) in before else None for node in order}
    everything = [str(node) for node in sorted(simple)]

    def accept(report):
        assert report["order"][: len(order)] == order
        assert {node: report["predecessor"][node] for node in order} == expected
        assert sorted(report["order"], key=int) == everything

    return accept


def components(algorithm, simple, _):
    find = nx.strongly_connected_components if algorithm == "scc" else nx.weakly_connected_components
    expected = {}
    for part in find(simple):
        lowest = str(min(part))
        expected.update((str(node), lowest) for node in part)

    def accept(report):
        assert report["component"] == expected

    return accept


def topological(_, simple, source):
    is_acyclic = nx.is_directed_acyclic_graph(simple)

    def accept(report):
        if is_acyclic:
            place = {int(node): index for index, node in enumerate(report["order"])}
            assert len(place) == len(simple)
            assert all(place[u] < place[v] for u, v in simple.edges)
        else:
            cycle = [int(node) for node in report["cycle"]]
            assert all(simple.has_edge(u, v) for u, v in zip(cycle, cycle[1:] + cycle[:1]))

    return accept


def spanning(_, simple, source):
    both = nx.Graph()
    both.add_nodes_from(simple)
    for u, v, weight in simple.edges(data="weight"):
        if not both.has_edge(u, v) or both[u][v]["weight"] > weight:
            both.add_edge(u, v, weight=weight)
    expected = sorted(data["weight"] for _, _, data in nx.minimum_spanning_edges(both))

    def accept(report):
        joined = [node for node in simple if report["predecessor"][str(node)] is not None]
        assert sorted(report["distance"][str(node)] for node in joined) == expected
        tree = nx.Graph((int(report["predecessor"][str(node)]), node) for node in joined)
        assert nx.is_forest(tree) if joined else not expected
        for node in joined:
            assert both[int(report["predecessor"][str(node)])][node]["weight"] == report["distance"][str(node)]

    return accept


def ranks(_, simple, source):
    expected = nx.pagerank(simple, tol=1e-12, max_iter=1000)

    def accept(report):
        tolerance = 1e-5 if report["dataType"] == "f32" else 1e-9
        assert all(abs(report["rank"][str(node)] - rank) <= tolerance for node, rank in expected.items())
        assert len(report["rank"]) == len(expected)

    return accept


def check_all(algorithm, questions, *options):
    """Questions are pairs of a line and what accepts its answer; one process answers them all."""
    reports = answers(algorithm, (line for line, _ in questions), *options)
    count = 0
    for (line, accept), report in zip(questions, reports, strict=True):
        accept(report)
        count += 1
    return count


def atlas(algorithm):
    """All graphs of up to seven nodes but the empty one, edges both ways and each in one random direction, with random
    weights."""
    generator = random.Random(algorithm)
    for index, graph in enumerate(nx.graph_atlas_g()[1:]):
        lowest = -2 if algorithm == "bellman-ford" and index % 3 == 2 else 0
        directed = nx.DiGraph()
        directed.add_nodes_from(graph)
        directed.add_edges_from((u, v) if generator.random() < 0.5 else (v, u) for u, v in graph.edges)
        # Only directed graphs have topological orders.
        both = graph.to_directed() if algorithm == "toposort" else graph.copy()
        for graph in (both, directed):
            for _, _, data in graph.edges(data=True):
                data["weight"] = generator.randint(lowest, 9)
            yield graph, generator.choice(sorted(graph))


@functools.lru_cache(1)
def atlas_questions(algorithm):
    return [
        (line_of(graph, source), judge(algorithm, one_way(graph), source)) for graph, source in atlas(algorithm)
    ]


RUNS = [(a, n, t) for a in ALGORITHMS for n in networks() for t in ("f32", "f64") if n != "paper" or a in PAPER]


# In this order networkx is asked once for each algorithm.
@pytest.mark.parametrize("algorithm, network, data_type", RUNS)
def test_atlas(algorithm, network, data_type):
    count = check_all(algorithm, atlas_questions(algorithm), "--network", network, "--data-type", data_type)
    assert count == 2 * 1252


def test_the_empty_graph_of_the_atlas_is_refused():
    message = looped("graph", "scc", "-", "--lines", input=line_of(nx.graph_atlas(0)), status=1)
    assert message.startswith(b"standard input:1:1: error: the graph has no nodes")


def test_every_line_is_answered_before_the_next_is_asked():
    command = [BINARY, "graph", "bfs", "-", "--lines"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for nodes in (3, 1, 40):
            process.stdin.write(line_of(nx.path_graph(nodes), 0))
            process.stdin.flush()
            assert read_report(process.stdout.readline())["distance"][str(nodes - 1)] == nodes - 1


def random_question(algorithm, generator, most_nodes):
    """Up to six edges per node, self-loops and parallel ones too; whole weights of 0 and more."""
    nodes = generator.randint(1, most_nodes)
    simple = nx.DiGraph()
    simple.add_nodes_from(range(nodes))
    is_acyclic = algorithm == "toposort" and generator.random() < 0.5
    lowest = -1 if algorithm == "bellman-ford" and generator.random() < 0.3 else 0
    links = []
    for _ in range(int(nodes * generator.choice([0.5, 1, 2, 6]))):
        u, v = int(generator.random() * nodes), int(generator.random() * nodes)
        if is_acyclic:
            u, v = min(u, v), max(u, v)
            if u == v:
                continue
        weight = lowest + int(generator.random() * 21)
        links.append({"source": u, "target": v, "weight": weight})
        if not simple.has_edge(u, v) or simple[u][v]["weight"] > weight:
            simple.add_edge(u, v, weight=weight)
    source = generator.randrange(nodes)
    data = {"directed": True, "nodes": [{"id": node} for node in range(nodes)], "links": links, "source": source}
    return json.dumps(data).encode() + b"\n", judge(algorithm, simple, source)


@functools.lru_cache(1)
def random_questions(algorithm, most_nodes, count):
    generator = random.Random(algorithm)
    return [random_question(algorithm, generator, most_nodes) for _ in range(count)]


@pytest.mark.parametrize("data_type", ["f32", "f64"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_random_graphs(algorithm, data_type):
    """10,008 graphs in all."""
    check_all(algorithm, random_questions(algorithm, 200, 1112), "--data-type", data_type)


@pytest.mark.parametrize("algorithm, network, data_type", [run for run in RUNS if run[1] != "compact"])
def test_random_graphs_on_other_networks(algorithm, network, data_type):
    questions = random_questions(algorithm, 30, 40)
    check_all(algorithm, questions, "--network", network, "--data-type", data_type)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_judge_sees_wrong_answers(algorithm):
    """Otherwise the tests above would say nothing."""
    generator = random.Random(5)
    simple = nx.DiGraph()
    simple.add_weighted_edges_from((u, u + step, generator.randint(1, 9)) for u in range(8) for step in (1, 2))
    accept = judge(algorithm, simple, 0)
    accept(ask(algorithm, simple, 0))
    wrong = {"distance": 99, "component": "1", "rank": 0.5, "predecessor": "9"}
    for key in wrong:
        report = ask(algorithm, simple, 0)
        if report[key]["4"] is not None:
            report[key]["4"] = wrong[key]
            with pytest.raises((AssertionError, KeyError)):
                accept(report)
    if algorithm in ("dfs", "toposort"):
        report = ask(algorithm, simple, 0)
        report["order"][3:5] = reversed(report["order"][3:5])
        with pytest.raises(AssertionError):
            accept(report)


SHIPPED = [nx.karate_club_graph, nx.davis_southern_women_graph, nx.florentine_families_graph, nx.les_miserables_graph]


@pytest.mark.parametrize("make", SHIPPED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("network", networks())
def test_real_graphs(make, network):
    graph = nx.convert_node_labels_to_integers(make())
    for algorithm in PAPER if network == "paper" else ALGORITHMS:
        if algorithm != "toposort":
            check(algorithm, graph, 3, "--network", network)


def written_by_networkx(graph, folder):
    """The same graph in every format that networkx and SciPy write."""
    nx.write_graphml(graph, folder / "a.graphml")
    (folder / "b.json").write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    (folder / "c.json").write_text(json.dumps(nx.node_link_data(graph, edges="links")))
    # Comments and one edge per line; the reader must be told that lines are edges both ways.
    nx.write_edgelist(graph, folder / "d.edges", data=["weight"])
    nx.write_edgelist(graph, folder / "e.csv", delimiter=",", data=["weight"])
    matrix = nx.to_scipy_sparse_array(graph, nodelist=sorted(graph), format="coo")
    scipy.io.mmwrite(folder / "f.mtx", matrix, symmetry="general" if graph.is_directed() else "symmetric")
    for path in list(folder.iterdir()):
        (folder / (path.name + ".gz")).write_bytes(gzip.compress(path.read_bytes()))
    return sorted(folder.iterdir())


@pytest.mark.parametrize("directed", [True, False])
def test_files_that_networkx_wrote(tmp_path, directed):
    generator = random.Random(2)
    graph = nx.gnm_random_graph(30, 80, seed=3, directed=directed)
    graph.remove_nodes_from(list(nx.isolates(graph)))
    for _, _, data in graph.edges(data=True):
        data["weight"] = generator.randint(1, 99) / 8
    nodes = sorted(graph)
    expected = nx.single_source_dijkstra_path_length(graph, nodes[0])
    for path in written_by_networkx(graph, tmp_path):
        both = [] if directed else ["--undirected"]
        # Matrices count from 1, and have no names.
        name = {node: str(index + 1 if ".mtx" in path.name else node) for index, node in enumerate(nodes)}
        report = json.loads(looped("graph", "dijkstra", path, "--source", name[nodes[0]], "--json", *both))
        distances = {node["node"]: node.get("distance") for node in report["nodes"]}
        assert report["graph"]["edges"] == graph.number_of_edges(), path
        assert distances == {name[node]: expected.get(node) for node in nodes}, path


def test_files_that_networkx_reads(tmp_path):
    graph = nx.les_miserables_graph()
    source = tmp_path / "in.graphml"
    nx.write_graphml(graph, source)
    expected = nx.single_source_dijkstra_path_length(graph, "Valjean")
    looped("graph", "dijkstra", source, "-s", "Valjean", "--to", tmp_path / "out.graphml")
    looped("graph", "dijkstra", source, "-s", "Valjean", "--to", tmp_path / "out.json")
    read = [
        nx.read_graphml(tmp_path / "out.graphml"),
        nx.node_link_graph(json.loads((tmp_path / "out.json").read_text()), edges="links"),
    ]
    for back in read:
        assert dict(back.nodes(data="distance")) == expected
        edges = {frozenset(edge[:2]): edge[2] for edge in back.edges(data="weight")}
        assert edges == {frozenset(edge[:2]): edge[2] for edge in graph.edges(data="weight")}
        tree = [edge for edge in back.edges(data=True) if edge[2].get("tree")]
        assert len(tree) == len(graph) - 1
        assert math.isclose(sum(expected.values()), sum(dict(back.nodes(data="distance")).values()))


def test_dot_that_pydot_reads(tmp_path):
    pydot = pytest.importorskip("pydot")
    graph = nx.les_miserables_graph()
    nx.write_graphml(graph, tmp_path / "in.graphml")
    looped("graph", "bfs", tmp_path / "in.graphml", "-s", "Valjean", "--to", tmp_path / "out.dot")
    (read,) = pydot.graph_from_dot_data((tmp_path / "out.dot").read_text())
    back = nx.nx_pydot.from_pydot(read)
    assert {node.strip('"') for node in back} == set(graph)
    assert back.number_of_edges() == graph.number_of_edges()
