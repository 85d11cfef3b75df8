"""The server's page in a headless Chromium, and how a test uses it: what all tests of the page share."""

import json
import os
import socket
import subprocess
import urllib.request

import pytest
from browser import Browser, chromium
from conftest import BINARY
from ouro_reference import checkpoint

SERVER = BINARY.parent / "looped-serve"
NEEDS = [
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
