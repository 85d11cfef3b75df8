"""The page as a whole: tabs, colours, screens, names of controls; and what its views ask of the server."""

import json
import re
import urllib.error
import urllib.request

import pytest
from pages import NEEDS, VIEWS, address, chrome, page, visit  # noqa: F401

pytestmark = NEEDS


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
