"""Graphs judged by networkx: files in both directions, and every algorithm on its atlas, its own real graphs, and random ones."""

import concurrent.futures
import gzip
import json
import math
import random
import re

import networkx as nx
import pytest
import scipy.io
from conftest import looped

ALGORITHMS = ["dijkstra", "bfs", "dfs", "scc", "components", "toposort", "mst", "bellman-ford", "pagerank"]


def networks():
    """Who can compute, as the command says itself."""
    try:
        text = re.sub(r"\s+", " ", looped("graph", "--help").decode())
    except (OSError, AssertionError):
        return []
    return re.search(r"--network <network>.*?\(values: ([^;)]*)", text)[1].split(", ")


def ask(algorithm, graph, source, *options):
    """The result of `looped graph --json`, by node."""
    text = json.dumps(nx.node_link_data(graph, edges="links")).encode()
    source = [] if source is None else ["--source", source]
    output = looped("graph", algorithm, "-", "--format", "json", "--json", *source, *options, input=text)
    report = json.loads(output)
    for key in ("distance", "predecessor", "component", "rank"):
        report[key] = {node["node"]: node.get(key) for node in report["nodes"]}
    return report


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
    for node in graph:
        before = report["predecessor"][str(node)]
        distance = report["distance"][str(node)]
        if before is None:
            assert node == source or distance is None
        else:
            before = next(other for other in graph if str(other) == before)
            step = graph[before][node]["weight"] if weighted else 1
            assert report["distance"][str(before)] + step == pytest.approx(distance, rel=1e-12, abs=0)


def check(algorithm, graph, source, *options):
    """One question, answered by the command and by networkx. `graph` has ascending whole numbers for nodes."""
    report = ask(algorithm, graph, source, *options)
    assert report["end"] == "finished"
    simple = one_way(graph)
    if algorithm == "dijkstra":
        expected = nx.single_source_dijkstra_path_length(simple, source)
        assert report["distance"] == reached_by(expected, graph)
        check_tree(report, simple, source, weighted=True)
    elif algorithm == "bellman-ford":
        try:
            expected = nx.single_source_bellman_ford_path_length(simple, source)
        except nx.NetworkXUnbounded:
            cycle = [int(node) for node in report["cycle"]]
            assert sum(simple[u][v]["weight"] for u, v in zip(cycle, cycle[1:] + cycle[:1])) < 0
            assert cycle[0] in nx.descendants(simple, source) | {source}
            return
        assert report["distance"] == reached_by(expected, graph)
        check_tree(report, simple, source, weighted=True)
    elif algorithm == "bfs":
        expected = nx.single_source_shortest_path_length(simple, source)
        assert report["distance"] == reached_by(expected, graph)
        check_tree(report, simple, source, weighted=False)
    elif algorithm == "dfs":
        order = list(nx.dfs_preorder_nodes(simple, source, sort_neighbors=sorted))
        before = nx.dfs_predecessors(simple, source, sort_neighbors=sorted)
        assert report["order"][: len(order)] == [str(node) for node in order]
        for node in order:
            assert report["predecessor"][str(node)] == (str(before[node]) if node in before else None)
        assert sorted(report["order"], key=int) == [str(node) for node in sorted(graph)]
    elif algorithm in ("scc", "components"):
        parts = nx.strongly_connected_components(simple) if algorithm == "scc" else nx.weakly_connected_components(simple)
        assert report["component"] == {str(node): str(min(part)) for part in parts for node in part}
    elif algorithm == "toposort":
        try:
            nx.find_cycle(simple)
        except nx.NetworkXNoCycle:
            place = {node: index for index, node in enumerate(report["order"])}
            assert len(place) == len(graph)
            assert all(place[str(u)] < place[str(v)] for u, v in simple.edges)
            return
        cycle = [int(node) for node in report["cycle"]]
        assert all(simple.has_edge(u, v) for u, v in zip(cycle, cycle[1:] + cycle[:1]))
    elif algorithm == "mst":
        both = nx.Graph()
        both.add_nodes_from(graph)
        for u, v, weight in simple.edges(data="weight"):
            if not both.has_edge(u, v) or both[u][v]["weight"] > weight:
                both.add_edge(u, v, weight=weight)
        expected = sorted(data["weight"] for _, _, data in nx.minimum_spanning_edges(both))
        joined = [node for node in graph if report["predecessor"][str(node)] is not None]
        assert sorted(report["distance"][str(node)] for node in joined) == expected
        for node in joined:
            assert both[int(report["predecessor"][str(node)])][node]["weight"] == report["distance"][str(node)]
    elif algorithm == "pagerank":
        tolerance = 1e-5 if report["dataType"] == "f32" else 1e-9
        expected = nx.pagerank(simple, tol=1e-12, max_iter=1000)
        for node in graph:
            assert report["rank"][str(node)] == pytest.approx(expected[node], abs=tolerance)


def questions(graphs, algorithm, options):
    """Runs them two at a time: most of the time goes into starting processes."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for result in [pool.submit(check, algorithm, graph, source, *options) for graph, source in graphs]:
            result.result()


def weighted(graph, generator, lowest=0):
    graph = graph.copy()
    for _, _, data in graph.edges(data=True):
        data["weight"] = generator.randint(lowest, 9)
    return graph


def atlas(algorithm):
    """All graphs of up to seven nodes, edges both ways or each in one random direction, and random weights."""
    generator = random.Random(algorithm)
    for index, graph in enumerate(nx.graph_atlas_g()):
        if len(graph) == 0:
            continue
        lowest = -2 if algorithm == "bellman-ford" and index % 3 == 2 else 0
        if index % 2 == 1 or algorithm == "toposort":
            directed = nx.DiGraph()
            directed.add_nodes_from(graph)
            directed.add_edges_from((u, v) if generator.random() < 0.5 else (v, u) for u, v in graph.edges)
            graph = directed
        yield weighted(graph, generator, lowest), generator.choice(sorted(graph))


@pytest.mark.parametrize("network", networks())
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_atlas(algorithm, network):
    questions(atlas(algorithm), algorithm, ["--network", network])


@pytest.mark.parametrize("network", networks())
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_random_graphs(algorithm, network):
    def graphs():
        generator = random.Random(1)
        for index in range(40):
            nodes = generator.randint(20, 60)
            graph = nx.MultiDiGraph()
            graph.add_nodes_from(range(nodes))
            for _ in range(int(nodes * generator.choice([0.5, 1, 2, 6]))):
                u, v = generator.randrange(nodes), generator.randrange(nodes)
                if algorithm == "toposort" and index % 2 == 0:
                    u, v = min(u, v), max(u, v) + (u == v)
                    if v == nodes:
                        continue
                graph.add_edge(u, v, weight=generator.randint(0, 20))
            yield graph, generator.randrange(nodes)

    questions(graphs(), algorithm, ["--network", network])


SHIPPED = [nx.karate_club_graph, nx.davis_southern_women_graph, nx.florentine_families_graph, nx.les_miserables_graph]


@pytest.mark.parametrize("make", SHIPPED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("network", networks())
def test_real_graphs(make, network):
    graph = nx.convert_node_labels_to_integers(make())
    for algorithm in ALGORITHMS:
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
