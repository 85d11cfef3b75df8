"""The server's page in a headless Chromium: every view is used as people use it, and what it shows is compared with what
the command line, numpy and the server's interface say."""

import json
import re
import time

import numpy as np
import pytest
from conftest import ROOT, looped, run
from pages import NEEDS, address, cells, chrome, go, last, marked, number, page, visit  # noqa: F401

pytestmark = NEEDS


# MARK: programs


def run_program(page, name):
    visit(page, "program")
    page.until("document.querySelector('#program-example').options.length > 3")
    page.until("document.querySelector('#program-viewer').dataset.ran")
    page.run("delete document.querySelector('#program-viewer').dataset.ran")
    page.choose("#program-example", name)
    page.until("document.querySelector('#program-viewer').dataset.ran", 60)


@pytest.mark.parametrize("name", ["multiply", "hello", "bubble-sort", "calculator", "self-copy", "primes"])
def test_programs_end_as_the_command_says(page, name):
    run_program(page, name)
    report = run(name)
    assert last(page, "#program-viewer") == report["instructions"]
    go(page, "#program-viewer", report["instructions"])
    assert cells(page) == report["memory"]
    assert page.text("#program-viewer .lv-output") == report["output"]
    assert f"halted after {report['instructions']} steps" in page.text("#program-viewer .lv-end")
    assert report["network"]["digest"] in page.text("#program-viewer .lv-facts")


def test_every_step_is_the_networks(page, tmp_path):
    run_program(page, "multiply")
    looped("run", "multiply", "--trace-to", tmp_path / "trace.jsonl")
    header, *steps, _ = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    source = header["listing"]["text"].splitlines()
    memory = [int(v) for v in header["values"]]
    for i, step in enumerate(steps[:60], 1):
        go(page, "#program-viewer", i)
        for change in step["changes"]:
            memory[change["column"]] = int(change["after"])
        assert cells(page) == memory
        assert marked(page, "lv-changed") == sorted(c["column"] for c in step["changes"])
        assert marked(page, "lv-now") == [step["position"] + k for k in range(3)]
        assert page.text("#program-viewer .lv-status strong") == step["summary"]
        line = source[header["listing"]["lines"][step["position"]] - 1]
        assert page.text("#program-viewer .lv-line.lv-now code") == (line or " ")
        rows = page.run("[...document.querySelectorAll('#program-viewer .lv-attention tbody tr')].map(r => [r.children[0].title, "
                        "r.children[1].textContent, [...r.querySelectorAll('.lv-look')].map(l => l.children[1].textContent)])")
        assert rows == [[a["head"], a["query"], a["columns"]] for a in step["attention"]]
    # The command stopped there says the same.
    assert run("multiply", "--limit", 60, status=3)["memory"] == memory


def test_the_player_is_played_with_keys_and_buttons(page):
    run_program(page, "gcd")
    loop = "+document.querySelector('#program-viewer').dataset.loop"
    page.run("document.querySelector('#program-viewer input[type=range]').focus()")
    for key, expected in [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last(page, "#program-viewer"))]:
        page.key(key)
        assert page.run(loop) == expected
    for button, expected in [("first", 0), ("on", 1), ("on", 2), ("back", 1), ("last", last(page, "#program-viewer"))]:
        page.click(f"#program-viewer .lv-{button}")
        assert page.run(loop) == expected
    page.click("#program-viewer .lv-first")
    page.choose("#program-viewer .lv-speed", "32")
    page.click("#program-viewer .lv-play")
    page.until(loop + " > 4")
    page.click("#program-viewer .lv-play")
    stopped = page.run(loop)
    time.sleep(0.3)
    assert page.run(loop) == stopped < last(page, "#program-viewer")
    assert page.run("document.querySelector('#program-viewer .lv-play').getAttribute('aria-label')") == "play (space)"
    # The picture of the run takes one anywhere.
    x, y = page.place("#program-viewer .lv-heat")
    page.click_at(x, y)
    assert abs(page.run(loop) - last(page, "#program-viewer") / 2) < last(page, "#program-viewer") / 10


def test_own_programs_and_their_mistakes(page, tmp_path):
    run_program(page, "multiply")
    source = "loop: -1 x next\nnext: x (-1)\nx (-1)\nZ Z (-1)\n. Z: 0 x: 0\n"
    source = source.replace("-1 x next", "(-1) x next")
    page.run("delete document.querySelector('#program-viewer').dataset.ran")
    page.type("#program-source", source)
    page.type("#program-input", "q")
    page.run("document.querySelector('#program-cells').value = ''")
    page.click("#program-run")
    page.until("document.querySelector('#program-viewer').dataset.ran")
    (tmp_path / "own.asq").write_text(source)
    report = run(tmp_path / "own.asq", input=b"q")
    go(page, "#program-viewer", report["instructions"])
    assert cells(page) == report["memory"] and page.text("#program-viewer .lv-output") == report["output"] == "qq"

    page.type("#program-source", "a a\na b totl\n. a: 0 b: 1")
    page.click("#program-run")
    page.until("document.querySelector('#program-error').textContent")
    assert re.match(r"line 2, column 5: .*totl", page.text("#program-error"))
    assert page.run("(t => t.value.slice(t.selectionStart, t.selectionEnd))(document.querySelector('#program-source'))") == "a b totl"


# MARK: graphs


def table(page):
    return {row[0]: row[1:] for row in page.run(
        "[...document.querySelectorAll('#graph-viewer tbody tr')].map(r => [...r.children].map(c => c.textContent))")}


def run_graph(page):
    page.click("#graph-run")
    page.until("document.querySelector('#graph-viewer .lv-node') && !document.querySelector('#graph-viewer').hidden")
    page.click("#graph-viewer .lv-last")


@pytest.mark.parametrize("algorithm", ["dijkstra", "bfs", "bellman-ford", "mst", "scc", "components", "dfs", "pagerank"])
def test_the_town_as_the_command_says(page, algorithm):
    visit(page, "graph")
    page.until("document.querySelector('#graph-example').options.length > 3")
    page.choose("#graph-example", "1")
    page.choose("#graph-algorithm", algorithm)
    source = [] if algorithm in ("mst", "scc", "components", "pagerank") else ["--source", "1"]
    run_graph(page)
    report = json.loads(looped("graph", algorithm, ROOT / "Examples" / "town.gr", *source, "--json"))
    assert last(page, "#graph-viewer") == report["loops"]
    shown = table(page)
    order = {node: f"{i + 1}." for i, node in enumerate(report["order"])} if algorithm == "dfs" else {}
    for node in report["nodes"]:
        value, before, _ = shown[node["node"]]
        if order:
            assert value == order[node["node"]]
        elif "component" in node:
            # The command names a component by its lowest node, the network by another of its nodes.
            mates = {n for n, row in shown.items() if row[0] == value}
            assert mates == {n["node"] for n in report["nodes"] if n["component"] == node["component"]}
        elif "rank" in node:
            assert value == f"{node['rank']:.3f}"
        else:
            assert (number(value) if value != "–" else None) == node.get("distance")
        if algorithm in ("dijkstra", "bfs", "bellman-ford"):
            assert before == node.get("predecessor", "")


def test_a_graph_drawn_by_hand(page, tmp_path):
    visit(page, "graph")
    page.until("document.querySelector('#graph-canvas .lv-node')")
    page.click("#graph-clear")
    x, y = page.place("#graph-canvas svg")
    places = dict(A=(x - 250, y), B=(x - 50, y - 120), C=(x - 50, y + 120), D=(x + 200, y))
    for place in places.values():
        page.click_at(*place)
    assert page.run("[...document.querySelectorAll('#graph-canvas .lv-node-name')].map(e => e.textContent)") == list("ABCD")
    radius = page.run("document.querySelector('#graph-canvas .ring').getBoundingClientRect().width / 2") - 2
    for start, end, weight in [("A", "B", "7"), ("A", "C", "2"), ("C", "B", "1.5"), ("B", "D", "4"), ("C", "D", "9")]:
        # From the rim of one node to the middle of another.
        page.drag((places[start][0], places[start][1] - radius), places[end])
        page.type("#graph-weight", weight)
    # Moving a node changes no edge.
    page.drag(places["D"], (x + 240, y + 60))
    edges = page.run("[...document.querySelectorAll('#graph-canvas .lv-edge')].map(e => e.getAttribute('aria-label'))")
    assert edges[0] == "edge from A to B, weight 7" and len(edges) == 5
    page.choose("#graph-algorithm", "dijkstra")
    page.choose("#graph-source", "A")
    run_graph(page)
    (tmp_path / "x.edges").write_text("A B 7\nA C 2\nC B 1.5\nB D 4\nC D 9\n")
    report = json.loads(looped("graph", "dijkstra", tmp_path / "x.edges", "--directed", "--source", "A", "--json"))
    shown = table(page)
    assert {n["node"]: (n["distance"], n.get("predecessor", "")) for n in report["nodes"]} == {
        node: (number(row[0]), row[1]) for node, row in shown.items()}
    assert shown["D"][0] == "7.5" and page.run("document.querySelectorAll('#graph-viewer .lv-edge.lv-tree').length") == 3
    # Loop by loop: the first loop takes the source, and reaches its neighbours.
    page.click("#graph-viewer .lv-first")
    page.click("#graph-viewer .lv-on")
    assert [table(page)[n][2] for n in "ABCD"] == ["this loop", "reached", "reached", ""]

    # Back to the drawing, without the mouse: B goes, and its edges; a new node is connected.
    page.click("#graph-edit")
    page.run("document.querySelector('#graph-canvas [data-node=\"1\"]').focus()")
    page.key("Delete")
    assert page.run("document.querySelectorAll('#graph-canvas .lv-edge').length") == 2
    page.run("document.querySelector('#graph-canvas [data-node=\"2\"]').focus()")
    page.key("n")
    page.run("document.querySelector('#graph-canvas [data-node=\"2\"]').focus()")
    page.key("c")
    page.run("document.querySelector('#graph-canvas [data-node=\"3\"]').focus()")
    page.key("Enter")
    page.key("w")
    assert page.run("document.activeElement.id") == "graph-weight"
    page.type("#graph-weight", "3")
    run_graph(page)
    assert {n: row[0] for n, row in table(page).items()} == {"A": "0", "C": "2", "D": "11", "B": "14"}


def test_graph_files_and_questions_without_answers(page, tmp_path):
    visit(page, "graph")
    page.until("document.querySelector('#graph-canvas .lv-node')")
    (tmp_path / "x.edges").write_text("u v 1\nv w -2\nw x 2\n")
    page.attach("#graph-file", tmp_path / "x.edges")
    page.until("document.querySelectorAll('#graph-canvas .lv-node').length === 4")
    page.run("document.querySelector('#graph-directed').checked || document.querySelector('#graph-directed').click()")
    page.click("#graph-run")
    page.until("document.querySelector('#graph-error').textContent")
    assert "negative" in page.text("#graph-error")
    page.choose("#graph-algorithm", "bellman-ford")
    page.choose("#graph-source", "u")
    run_graph(page)
    assert [row[0] for row in table(page).values()] == ["0", "1", "−1", "1"]
    page.click("#graph-edit")
    (tmp_path / "bad.gr").write_text("p sp 2 1\na 1 9 4\n")
    page.attach("#graph-file", tmp_path / "bad.gr")
    page.until("document.querySelector('#graph-error').textContent")
    assert page.text("#graph-error").startswith("line 2")


# MARK: in context


def fitted(page):
    """The trace of what is shown."""
    page.click("#learner-save")
    lines = page.downloaded("in-context.jsonl").decode().splitlines()
    return [json.loads(line) for line in lines]


def test_points_are_dragged_and_fitted(page):
    visit(page, "learner")
    page.until("document.querySelector('#learner-viewer .lv-point')")
    before = fitted(page)[0]["regression"]["points"]
    start = page.place("#learner-viewer [data-point='5']")
    page.drag(start, (start[0] - 40, start[1] + 150))
    page.until("document.querySelector('#learner-example').value === 'own'")
    page.wait(lambda: fitted(page)[0]["regression"]["points"][10:] != before[10:], "the new fit")
    time.sleep(0.5)
    header, *steps, end = fitted(page)
    scene = header["regression"]
    points = np.array(scene["points"]).reshape(-1, 2)
    assert points[:5].ravel().tolist() == before[:10] and points[5, 0] < before[10] and points[5, 1] < before[11] - 0.5
    # Least squares through the origin, by numpy.
    slope = np.linalg.lstsq(points[:, :1], points[:, 1], rcond=None)[0][0]
    queries = np.array(scene["queries"])
    assert np.allclose(scene["leastSquares"], slope * queries, atol=1e-5)
    # What is shown at a loop is the trace's.
    values = np.array(header["values"], dtype=float)
    for i, step in enumerate(steps, 1):
        for change in step["changes"]:
            values[change["column"]] = change["after"]
        if i in (1, 7, 30):
            go(page, "#learner-viewer", i)
            distance = np.sqrt(np.mean((values - scene["leastSquares"]) ** 2))
            assert float(page.run("document.querySelector('#learner-viewer .lv-chip').lastChild.textContent")) == pytest.approx(distance, rel=0.01)
            drawn = page.run("document.querySelector('#learner-viewer .lv-p-plot .lv-learner').getAttribute('points')").split()
            assert len(drawn) == len(queries)
    assert end["loops"] == 30 == len(steps)


def test_points_come_and_go_with_keys_and_clicks(page):
    visit(page, "learner")
    page.until("document.querySelector('#learner-viewer .lv-point')")
    count = "document.querySelectorAll('#learner-viewer .lv-point').length"
    for name, expected in [("no points", 0), ("one point", 1), ("noise alone", 8)]:
        page.choose("#learner-example", name)
        page.until(f"{count} === {expected}")
    page.click("#learner-add")
    page.until(count + " === 9")
    page.run("document.querySelector('#learner-viewer [data-point=\"0\"]').focus()")
    page.key("Delete")
    page.until(count + " === 8")
    page.run("document.querySelector('#learner-viewer [data-point=\"2\"]').focus()")
    y = float(page.run("document.activeElement.getAttribute('aria-valuenow')"))
    page.key("ArrowUp")
    page.until(f"Math.abs(document.querySelector('#learner-viewer [data-point=\"2\"]').getAttribute('aria-valuenow') - {y} - 0.1) < 1e-6")
    assert page.run("document.activeElement.dataset.point") == "2"
    page.type("#learner-loops", "60")
    page.run("document.querySelector('#learner-loops').dispatchEvent(new Event('change', {bubbles: true}))")
    page.until("document.querySelector('#learner-viewer input[type=range]').max === '60'")
    go(page, "#learner-viewer", 60)
    assert "+30 loops" in page.text("#learner-viewer .lv-status")


# MARK: traces


def test_the_page_and_the_command_open_each_others_traces(page, tmp_path):
    files = {}
    learner = ["icl", "evaluate", ROOT / "Examples" / "InContext" / "linear-looped-small.safetensors", "--set", "evaluation.prompts=64"]
    for name, arguments in dict(
        learner=learner, machine=["run", "fibonacci"], graph=["graph", "dijkstra", ROOT / "Examples" / "town.gr", "-s", "1"],
        separate=["run", ROOT / "Examples" / "multiply.csv"], fleq=["run", "matrix-product"]).items():
        files[name] = tmp_path / f"{name}.jsonl"
        looped(*arguments, "--trace-to", files[name])
    visit(page, "trace")
    for name, file in files.items():
        header, *steps, end = [json.loads(line) for line in file.read_text().splitlines()]
        page.run("document.querySelector('#trace-viewer').replaceChildren()")
        page.attach("#trace-file", file)
        page.until("document.querySelector('#trace-viewer .lv-player')")
        assert last(page, "#trace-viewer") == len(steps) == end["loops"]
        go(page, "#trace-viewer", len(steps))
        values = list(header["values"])
        for step in steps:
            for change in step["changes"]:
                values[change["column"]] = change["after"]
        if name == "learner":
            distance = np.sqrt(np.mean((np.array(values) - header["regression"]["leastSquares"]) ** 2))
            assert float(page.run("document.querySelector('#trace-viewer .lv-chip').lastChild.textContent")) == pytest.approx(distance, rel=0.01)
            assert "beyond training" in page.text("#trace-viewer .lv-status") and len(steps) > header["regression"]["trainedLoops"]
        elif name == "graph":
            shown = page.run("[...document.querySelectorAll('#trace-viewer tbody tr')].map(r => r.children[1].textContent)")
            assert [-1 if t == "–" else number(t) for t in shown] == values
        else:
            shown = page.run("[...document.querySelectorAll('#trace-viewer .lv-value')].map(e => e.textContent)")
            assert [number(t) for t in shown] == pytest.approx(values, rel=1e-3)

    # A trace saved by the page becomes a page of the command's, which shows the same.
    run_program(page, "hello")
    page.click("#program-save")
    saved = tmp_path / "hello.jsonl"
    saved.write_bytes(page.downloaded("hello.jsonl"))
    looped("view", saved, "-o", tmp_path / "hello.html")
    page.open((tmp_path / "hello.html").as_uri())
    page.until("document.querySelector('#trace .lv-player')")
    page.run("document.querySelector('#trace').focus()")
    page.key("End")
    assert page.text("#trace .lv-output") == "Hello, world!\n" and cells(page, "#trace") == run("hello")["memory"]


def test_texts_are_read_loop_by_loop(page, tmp_path):
    file = tmp_path / "said.jsonl"
    looped("inspect", "--prompt", "And the king said\nunto é", "--loops", "5", "--top", "4", "--trace-to", file)
    header, *steps, end = [json.loads(line) for line in file.read_text().splitlines()]
    visit(page, "trace")
    page.attach("#trace-file", file)
    page.until("document.querySelector('#trace-viewer .lv-word')")
    seen = lambda text: text.replace("\n", "\\n").replace(" ", "·")  # noqa: E731
    texts = lambda name: page.run(f"[...document.querySelectorAll('#trace-viewer .lv-word {name}')].map(e => e.textContent)")  # noqa: E731
    assert texts("b") == [seen(t) for t in header["text"]["tokens"]] and last(page, "#trace-viewer") == len(steps) == end["loops"] == 5
    values = list(header["values"])
    assert values == pytest.approx([np.log2(2048)] * len(values))
    go(page, "#trace-viewer", 0)
    assert set(texts(".lv-guess")) == {"–"}
    for i, step in enumerate(steps, 1):
        go(page, "#trace-viewer", i)
        for change in step["changes"]:
            values[change["column"]] = change["after"]
        said = [p["tokens"][0] for p in step["predictions"]]
        assert texts(".lv-guess") == [seen(t) for t in said]
        assert [number(t) for t in texts(".lv-foot span")] == pytest.approx(values, abs=0.051)
        before = [p["tokens"][0] for p in steps[i - 2]["predictions"]] if i > 1 else said
        marks = page.run("[...document.querySelectorAll('#trace-viewer .lv-word')].map(e => e.classList.contains('lv-changed'))")
        assert marks == [a != b for a, b in zip(before, said)]
        assert page.text("#trace-viewer .lv-status strong") == step["summary"]
        # The bar ends where as many have left as the exits say.
        left = [sum(s["predictions"][k]["exit"] for s in steps[:i]) for k in range(len(values))]
        drawn = page.run("[...document.querySelectorAll('#trace-viewer .lv-exit')].map(e => parseFloat(e.style.getPropertyValue('--leaves')))")
        assert drawn == pytest.approx([100 * p for p in left], abs=0.051)
        names = page.run("[...document.querySelectorAll('#trace-viewer .lv-word')].map(e => e.getAttribute('aria-label'))")
        assert all(p["tokens"][0].strip() in name and "bits" in name for p, name in zip(step["predictions"], names))
    assert ("beyond training+1 loops" in page.text("#trace-viewer .lv-status")) == (header["text"]["trainedLoops"] == 4)

    # Up and down go from token to token, left and right from loop to loop, and the focus says which is described.
    page.hover("#trace-viewer [data-token='1']")
    page.click("#trace-viewer [data-token='1']")
    page.key("ArrowDown")
    page.key("ArrowLeft")
    assert page.run("document.activeElement.dataset.token") == "2" and page.run("document.querySelector('#trace-viewer').dataset.loop") == "4"
    assert page.run("document.querySelectorAll('#trace-viewer [aria-selected=true]').length") == 1
    shown = page.run("[...document.querySelectorAll('#trace-viewer .lv-top .lv-said')].map(e => e.textContent)")
    assert shown == [seen(t) for t in steps[3]["predictions"][2]["tokens"]] and len(shown) == 4
    loops = page.run("[...document.querySelectorAll('#trace-viewer .lv-loops .lv-said')].map(e => e.textContent)")
    assert loops == [seen(s["predictions"][2]["tokens"][0]) for s in steps]
    assert page.text("#trace-viewer .lv-loops [aria-current] th") == "4"
    page.hover("#trace-viewer [data-token='0']")
    shown = page.run("[...document.querySelectorAll('#trace-viewer .lv-top .lv-said')].map(e => e.textContent)")
    assert shown == [seen(t) for t in steps[3]["predictions"][0]["tokens"]]
    for width, phone in [(360, True), (820, True)]:
        page.look(width, 800, phone=phone)
        assert page.run("document.documentElement.scrollWidth") <= width


TEXT = ('{"format":"looped-trace","version":1,"columns":["0"],"values":[1],"program":"p","network":"n","family":"f",'
        '"text":{"tokens":["<img src=x onerror=alert(1)>"],"trainedLoops":1}}\n{"loop":1,"summary":"","changes":[],"predictions":')


@pytest.mark.parametrize("text, fault", [
    *((TEXT + wrong + "}", "the predictions of step 1 do not fit") for wrong in (
        "[]", "[null]", '[{"tokens":[],"probabilities":[]}]', '[{"tokens":["a"],"probabilities":[]}]', '[{"tokens":["a"],"probabilities":[2]}]',
        '[{"tokens":["a"],"probabilities":"1"}]', '[{"tokens":[1],"probabilities":[1]}]', '[{"tokens":["a"],"probabilities":[1],"exit":-1}]', '{"length":1}')),
    (TEXT.replace('["<img src=x onerror=alert(1)>"]', "[]") + "null}", "the header's text does not fit"),
    ("", "line 1: the trace is empty"), ("{}", "line 1: not the header"), ("nonsense", "line 1: not a trace"),
    ('{"format":"looped-trace","version":2}', "line 1: trace version 2"),
    ('{"format":"looped-trace","version":1,"columns":["a"],"values":[]}', "not as many values"),
    ('{"format":"looped-trace","version":1,"columns":["<img src=x onerror=alert(1)>"],"values":[0],"program":"p","network":"n",'
     '"family":"f"}\n{"loop":1,"changes":[{"column":3,"before":0,"after":1}]}', "step 1 names a column"),
    ('{"format":"looped-trace","version":1,"columns":["a"],"values":[0]}\n{"loop":1,"cha', "line 2: not JSON"),
])  # fmt: skip
def test_broken_traces_are_refused(page, tmp_path, text, fault):
    visit(page, "trace")
    (tmp_path / "x.jsonl").write_text(text)
    page.attach("#trace-file", tmp_path / "x.jsonl")
    page.until("document.querySelector('#trace-error').textContent")
    assert fault in page.text("#trace-error") and page.run("document.querySelector('#trace-viewer').children.length") == 0
