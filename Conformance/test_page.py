"""The server's page in a headless Chromium: every view is used as people use it, and what it shows is compared with what
the command line, numpy and the server's interface say."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from browser import Browser, chromium
from conftest import BINARY, ROOT, looped, run
from ouro_reference import checkpoint

SERVER = BINARY.parent / "looped-serve"
pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not SERVER.exists() and "LOOPED_PAGE" not in os.environ, reason="looped-serve is not built"),
]
VIEWS = ["chat", "program", "graph", "learner", "trace"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server with a tiny random model; LOOPED_PAGE names one that runs already."""
    if "LOOPED_PAGE" in os.environ:
        yield os.environ["LOOPED_PAGE"]
        return
    folder = tmp_path_factory.mktemp("page") / "tiny"
    checkpoint(folder)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    server = subprocess.Popen([SERVER, "--model", folder, "--port", str(port)], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"

    def is_up():
        assert server.poll() is None, "the server ended"
        try:
            return urllib.request.urlopen(address + "health", timeout=5).status == 200
        except OSError:
            return False

    Browser.wait(is_up, "the server", 60)
    yield address
    server.terminate()
    assert server.wait(20) == 0


@pytest.fixture(scope="module")
def chrome():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(chrome, address):
    """The browser, at the desk, with nothing remembered; afterwards nothing may have gone wrong or out."""
    chrome.faults.clear()
    chrome.requests.clear()
    chrome.look(1300, 900)
    chrome.address = address
    chrome.open("about:blank")
    yield chrome
    chrome.run("1")
    assert chrome.faults == []
    assert all(url.startswith((address, "blob:" + address, "file:", "about:")) for url in chrome.requests), chrome.requests


def visit(page, view):
    page.open("about:blank")
    page.open(f"{page.address}#{view}")
    page.until(f"!document.getElementById('{view}').hidden")


def ask(page, path, body):
    request = urllib.request.Request(page.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


def go(page, viewer, loop):
    """Moves the slider as a hand would."""
    page.run(f"""(() => {{ const s = document.querySelector('{viewer} input[type=range]'); s.value = {loop};
        s.dispatchEvent(new Event('input', {{bubbles: true}})); }})()""")


def number(text):
    return float(text.replace("−", "-"))


def cells(page, viewer="#program-viewer"):
    return [int(number(t)) for t in page.run(f"[...document.querySelectorAll('{viewer} .lv-value')].map(e => e.textContent)")]


def marked(page, name, viewer="#program-viewer"):
    return page.run(f"[...document.querySelectorAll('{viewer} .lv-cell')].flatMap((e, i) => e.classList.contains('{name}') ? [i] : [])")


def last(page, viewer):
    return int(page.run(f"document.querySelector('{viewer} input[type=range]').max"))


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
    for name, arguments in dict(
        machine=["run", "fibonacci"], graph=["graph", "dijkstra", ROOT / "Examples" / "town.gr", "-s", "1"],
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
        if name == "graph":
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


@pytest.mark.parametrize("text, fault", [
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


# MARK: chat


def settle(page):
    page.until("document.querySelector('#chat-stop').hidden && document.querySelector('.message.assistant .under button')", 60)


def setting(page, name, value):
    page.choose(f"#set-{name}", str(value))


def open_chat(page, **settings):
    visit(page, "chat")
    page.run("localStorage.clear()")
    visit(page, "chat")
    page.until("document.querySelector('#chat-model').textContent !== '…'")
    page.click("#chat-settings-button")
    for name, value in (dict(temperature=0, max_tokens=24) | settings).items():
        setting(page, name.replace("_", "-"), value)


def say(page, text):
    page.type("#chat-text", text)
    page.key("Enter")
    page.until("document.querySelector('.message.assistant')")
    settle(page)


def body(page, messages, **more):
    looped_fields = more.pop("looped", {})
    return dict(model=page.text("#chat-model"), messages=messages, temperature=0, top_p=0.95, max_tokens=24,
                looped=dict(trace=True, top=3) | looped_fields, **more)


def test_an_answer_and_its_loops(page):
    open_chat(page, exit_policy="threshold", exit_threshold=0.6)
    say(page, "Hello")
    assert page.run("document.querySelector('.message .fault')") is None
    answer = ask(page, "v1/chat/completions", body(
        page, [dict(role="user", content="Hello")], looped=dict(exit_policy="threshold", exit_threshold=0.6)))
    assert page.text(".message.assistant .text") == answer["choices"][0]["message"]["content"]
    tokens = answer["choices"][0].get("looped", answer.get("looped", {}))["tokens"]
    exits = page.run("[...document.querySelectorAll('.message.assistant .token.looped')].map(e => +e.dataset.loop)")
    # The last token may be the one that ends the answer, and has no text.
    assert exits == [t["exit"] for t in tokens][: len(exits)] and len(exits) >= len(tokens) - 1
    assert f"{answer['usage']['completion_tokens']} token" in page.text(".message.assistant .under")

    # Pointing at a token shows its way.
    page.run("document.querySelectorAll('.token.looped')[2].id = 'third'")
    page.hover("#third")
    page.until("!document.querySelector('#lens').hidden")
    rows = page.run("[...document.querySelectorAll('#lens tbody tr')].map(r => [r.className, ...[...r.children].map(c => c.textContent)])")
    token = tokens[2]
    assert len(rows) == max(len(token["probabilities"]), len(token["predictions"]), token["exit"])
    assert [i + 1 for i, row in enumerate(rows) if row[0] == "exit"] == [token["exit"]]
    for row, probability in zip(rows, token["probabilities"]):
        assert float(row[2].replace(" %", "")) == pytest.approx(100 * probability, abs=0.51)
    guesses = page.run("[...document.querySelectorAll('#lens tbody tr')].map(r => r.querySelectorAll('.guess').length)")
    assert guesses[: len(token["predictions"])] == [len(p) for p in token["predictions"]]
    # The whole answer at once.
    page.run("document.querySelector('.message.assistant .under button').click()")
    grid = page.run("[...document.querySelectorAll('.lens-grid tbody tr')].map(r => r.querySelectorAll('td').length)")
    assert grid == [len(exits)] * max(len(t["predictions"]) for t in tokens)
    # With keys.
    page.key("Escape")
    page.until("document.querySelector('#lens').hidden")
    page.run("document.querySelector('.message.assistant .text').focus()")
    page.key("ArrowRight")
    page.key("ArrowRight")
    page.until("!document.querySelector('#lens').hidden")
    assert page.run("[...document.querySelectorAll('.token.looped')].findIndex(e => e.hasAttribute('aria-expanded'))") == 1
    assert f"left at loop {tokens[1]['exit']} of" in page.text("#chat-status")


def test_settings_are_sent(page):
    open_chat(page, loops=1, max_tokens=5, system="Be brief.", seed=3, temperature=0.9)
    page.run("window.sent = null; const old = fetch; window.fetch = (u, o) => { if (o && o.body) window.sent = JSON.parse(o.body); return old(u, o); }")
    say(page, "Hello")
    sent = page.run("window.sent")
    assert sent["messages"][0] == dict(role="system", content="Be brief.")
    assert (sent["seed"], sent["temperature"], sent["max_tokens"], sent["looped"]["loops"]) == (3, 0.9, 5, 1)
    assert set(page.run("[...document.querySelectorAll('.token.looped')].map(e => +e.dataset.loop)")) == {1}
    assert "cut at the most tokens" in page.text(".message.assistant .under")


def test_edit_regenerate_export_import(page, tmp_path):
    open_chat(page)
    say(page, "One")
    first = page.text(".message.assistant .text")
    say(page, "Two")
    assert page.run("document.querySelectorAll('.message').length") == 4
    # The same question again, greedily, has the same answer.
    page.run("document.querySelectorAll('.message.assistant')[1].querySelector('.under button[aria-label=\"Ask for another answer\"]').id = 'regenerate'")
    second = page.run("document.querySelectorAll('.message.assistant .text')[1].textContent")
    page.click("#regenerate")
    page.until("!document.querySelector('#regenerate')")
    settle(page)
    assert page.run("document.querySelectorAll('.message.assistant .text')[1].textContent") == second

    page.click("#chat-export")
    exported = page.downloaded("conversation.json")
    document = json.loads(exported)
    assert [m["role"] for m in document["messages"]] == ["user", "assistant"] * 2
    assert document["messages"][1]["content"] == first and "key" not in document["settings"]
    assert all(p["token"]["exit"] >= 1 for p in document["messages"][1]["parts"] if "token" in p)

    # Editing the first message drops what came after, and asks anew.
    page.run("document.querySelector('.message.user .under button').click()")
    page.type(".message.user textarea", "Three")
    page.key("Enter")
    page.until("document.querySelectorAll('.message').length === 2")
    settle(page)
    assert page.text(".message.user .text") == "Three"

    page.click("#chat-new")
    assert page.run("document.querySelectorAll('.message').length") == 0
    (tmp_path / "conversation.json").write_bytes(exported)
    page.attach("#chat-file", tmp_path / "conversation.json")
    page.until("document.querySelectorAll('.message').length === 4")
    assert page.text(".message.assistant .text") == first
    page.run("document.querySelector('.token.looped').id = 'one'")
    page.click("#one")
    page.until("!document.querySelector('#lens').hidden")
    (tmp_path / "bad.json").write_text('{"format": "looped-chat", "messages": [{"role": "robot", "content": 1}]}')
    page.attach("#chat-file", tmp_path / "bad.json")
    page.until("!document.querySelector('#toast').hidden && document.querySelector('#toast').textContent.includes('message 1')")


def test_answers_are_stopped(page):
    open_chat(page, max_tokens=400, temperature=1.5, seed=1)
    # The tiny model is done before a hand is at the button: the line is made slow.
    page.send("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=40_000, uploadThroughput=-1)
    page.type("#chat-text", "Go on and on")
    page.key("Enter")
    page.until("document.querySelectorAll('.token').length > 3")
    page.click("#chat-stop")
    settle(page)
    assert "stopped" in page.text(".message.assistant .under")
    count = page.run("document.querySelectorAll('.token').length")
    time.sleep(0.3)
    assert page.run("document.querySelectorAll('.token').length") == count < 400
    page.send("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    say(page, "And again")
    assert page.run("document.querySelectorAll('.message').length") == 4


# MARK: the whole page


def test_tabs_are_places(page):
    visit(page, "chat")
    page.run("document.querySelector('#tab-chat').focus()")
    for view in [*VIEWS[1:], "chat"]:
        page.key("ArrowRight")
        assert page.run("location.hash") == "#" + view and page.run("document.activeElement.id") == "tab-" + view
        shown = page.run("[...document.querySelectorAll('.view')].filter(v => !v.hidden).map(v => v.id)")
        assert shown == [view] and page.run(f"document.querySelector('#tab-{view}').getAttribute('aria-selected')") == "true"
    page.click("#tab-graph")
    page.until("!document.getElementById('graph').hidden")
    page.run("history.back()")
    page.until("document.getElementById('graph').hidden")


def test_dark_and_light(page):
    background = "getComputedStyle(document.body).backgroundColor"
    page.look(1300, 900, dark=False)
    visit(page, "program")
    page.run("localStorage.clear()")
    light = page.run(background)
    page.look(1300, 900, dark=True)
    visit(page, "program")
    dark = page.run(background)
    assert light != dark
    page.click("#theme")
    assert page.run(background) == light
    visit(page, "program")
    assert page.run(background) == light, "the switch is remembered"
    page.click("#theme")
    assert page.run(background) == dark
    page.run("localStorage.clear()")


@pytest.mark.parametrize("width, height, phone", [(360, 740, True), (820, 1100, True), (1300, 900, False)])
def test_everything_fits_the_screen(page, width, height, phone):
    page.look(width, height, phone=phone)
    ready = dict(chat="true", program="#program-viewer .lv-cell", graph="#graph-canvas .lv-node",
                 learner="#learner-viewer .lv-point", trace="#trace-open")
    for view in VIEWS:
        visit(page, view)
        page.until("true" if view == "chat" else f"document.querySelector('{ready[view]}')")
        assert page.run("document.documentElement.scrollWidth") <= width, view
    visit(page, "graph")
    page.until("document.querySelector('#graph-canvas .lv-node')")
    page.click("#graph-run")
    page.until("document.querySelector('#graph-viewer .lv-node')")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_what_can_be_used_has_a_name(page):
    page.send("Accessibility.enable")
    roles = {"button", "textbox", "combobox", "slider", "spinbutton", "checkbox", "tab", "img", "dialog", "searchbox"}
    ready = dict(program="#program-viewer .lv-cell", graph="#graph-canvas .lv-node", learner="#learner-viewer .lv-point")
    for view in VIEWS:
        visit(page, view)
        if view in ready:
            page.until(f"document.querySelector('{ready[view]}')")
        if view == "chat":
            page.click("#chat-settings-button")
        nodes = page.send("Accessibility.getFullAXTree")["nodes"]
        used = [n for n in nodes if not n.get("ignored") and n.get("role", {}).get("value") in roles]
        unnamed = [n["role"]["value"] for n in used if not n.get("name", {}).get("value")]
        assert len(used) > 6 and unnamed == [], view
    page.send("Accessibility.disable")


# MARK: what the views ask


def fetch(address, path, body=None, headers=None):
    """Status, headers and bytes."""
    headers = {"Content-Type": "application/json"} if headers is None else headers
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address + path, body, headers), timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


def test_files_are_served_with_care(address):
    status, headers, page = fetch(address, "")
    files = re.findall(r'(?:src|href)="([^"#]+)"', page.decode())
    assert status == 200 and len(files) > 8
    kinds = dict(js="text/javascript", css="text/css", svg="image/svg+xml")
    for path in ["", *files]:
        status, headers, data = fetch(address, path)
        assert status == 200 and data and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Type"].startswith(kinds.get(path.rsplit(".")[-1], "text/html"))
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


SOURCE = json.dumps(dict(source="0 0 0"))
HOSTILE = [
    ("programs/run", b""), ("programs/run", b"{"), ("programs/run", b"[]"), ("programs/run", b"null"), ("programs/run", b"\xff\xfe"),
    ("programs/run", b'{"source": 1}'), ("programs/run", b'{"sauce": "x"}'), ("programs/run", b'{"source": "0 0 0", "steps": 1e99}'),
    ("programs/run", b'{"source": "0 0 0", "steps": -1}'), ("programs/run", b'{"source": "0 0 0", "cells": 99999999999}'),
    ("programs/run", b'{"source": "0 0 0", "bits": 49}'), ("programs/run", b'{"source": ". x: [99999999]"}'),
    ("programs/run", b'{"source": "' + b"(" * 60000 + b'"}'), ("programs/run", b"[" * 100000),
    ("graphs/run", b"{}"), ("graphs/run", b'{"algorithm": "dijkstra", "graph": {}}'),
    ("graphs/run", b'{"algorithm": "rm -rf", "graph": {"nodes": [], "edges": []}}'),
    ("graphs/run", b'{"algorithm": "bfs", "source": "a", "graph": {"nodes": [{"name": "a"}], "edges": [{"source": -1, "target": 9}]}}'),
    ("graphs/run", b'{"algorithm": "bfs", "source": "a", "graph": {"nodes": [{"name": "a"}, {"name": "a"}], "edges": []}}'),
    ("graphs/run", json.dumps(dict(algorithm="bfs", source="0", graph=dict(nodes=[dict(name=str(i)) for i in range(201)], edges=[]))).encode()),
    ("graphs/read", b'{"text": "a b", "name": "x.exe"}'), ("graphs/read", b'{"text": "a b c d e f", "name": "x.gr"}'),
    ("graphs/read", json.dumps(dict(text="<?xml " + "<a>" * 20000, name="x.graphml")).encode()),
    ("in-context/fit", b'{"points": [{"x": 1e308, "y": 1}]}'), ("in-context/fit", b'{"points": [], "loops": 100000000}'),
    ("in-context/fit", b'{"points": ' + json.dumps([dict(x=0, y=0)] * 5000).encode() + b"}"),
    ("in-context/fit", b'{"points": [{"x": NaN, "y": 1}]}'),
]  # fmt: skip


@pytest.mark.parametrize("path, body", HOSTILE, ids=range(len(HOSTILE)))
def test_requests_that_cannot_be_meant(address, path, body):
    status, headers, data = fetch(address, "looped/" + path, body)
    error = json.loads(data)["error"]
    assert status == 400 and error["message"] and error["type"] == "invalid_request_error"
    assert headers["Content-Type"].startswith("application/json")
    assert "/" not in error["message"] or len(error["message"]) < 300


def test_bodies_that_are_too_large(address):
    status, _, data = fetch(address, "looped/programs/run", json.dumps(dict(source="#" * (9 << 20))).encode())
    assert status == 413 and json.loads(data)["error"]["message"]
    assert fetch(address, "looped/programs/run", SOURCE.encode())[0] == 200
