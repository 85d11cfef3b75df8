"""A headless Chromium, driven over its DevTools protocol: what the tests of the page need of it, and no more."""

import base64
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

import websocket

# The sandbox of Chromium needs rights that containers do not give; the only page it opens is ours.
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--remote-debugging-port=0", "--remote-allow-origins=http://127.0.0.1"]


def chromium():
    """The path of a Chromium, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


class Browser:
    """One page. Everything that goes wrong in it is kept in `faults`, what it asks for in `requests`."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="looped-browser-"))
        self.downloads = self.folder / "downloads"
        self.downloads.mkdir()
        self.process = subprocess.Popen(
            [chromium(), *OPTIONS, f"--user-data-dir={self.folder / 'profile'}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Chromium says in a file which port it took.
        port_file = self.folder / "profile" / "DevToolsActivePort"
        port = self.wait(lambda: port_file.exists() and port_file.read_text().split("\n")[0], "Chromium's start", 60)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        self.socket = websocket.create_connection(
            pages[0]["webSocketDebuggerUrl"], timeout=60, origin="http://127.0.0.1")
        self.number = 0
        self.faults = []
        self.requests = []
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.send(domain + ".enable")
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def wait(condition, what, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if result := condition():
                return result
            time.sleep(0.05)
        raise AssertionError(f"waited {seconds} s for {what}")

    def send(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self.note(message)

    def note(self, message):
        kind, body = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            details = body["exceptionDetails"]
            self.faults.append(details.get("exception", {}).get("description") or details["text"])
        elif kind == "Log.entryAdded" and body["entry"]["level"] == "error":
            # Answers of the server that are errors are part of some tests, and looked at there.
            if body["entry"].get("source") != "network":
                self.faults.append(body["entry"]["text"])
        elif kind == "Runtime.consoleAPICalled" and body["type"] in ("error", "assert"):
            self.faults.append(str(body["args"]))
        elif kind == "Network.requestWillBeSent":
            self.requests.append(body["request"]["url"])

    def run(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression, seconds=20):
        return self.wait(lambda: self.run(f"!!({expression})"), expression, seconds)

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def look(self, width, height, dark=False, phone=False):
        """The size and colours of the screen."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            # Nothing glides away from where a click is aimed.
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def place(self, selector):
        """The middle of an element, scrolled into view."""
        box = self.run(f"""(() => {{ const e = document.querySelector({json.dumps(selector)});
            if (!e) return null; e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const b = e.getBoundingClientRect();
            return [b.left + b.width / 2, b.top + b.height / 2, b.width, b.height]; }})()""")
        assert box and box[2] > 0 and box[3] > 0, f"{selector} is not to be seen"
        return box[0], box[1]

    def mouse(self, kind, x, y, **more):
        self.send("Input.dispatchMouseEvent", type="mouse" + kind, x=x, y=y, **more)

    def click_at(self, x, y):
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y, button="left", buttons=1, clickCount=1)
        self.mouse("Released", x, y, button="left", clickCount=1)

    def click(self, selector):
        self.click_at(*self.place(selector))

    def hover(self, selector):
        self.mouse("Moved", *self.place(selector))

    def drag(self, start, end, steps=6):
        self.mouse("Moved", *start)
        self.mouse("Pressed", *start, button="left", buttons=1, clickCount=1)
        for i in range(1, steps + 1):
            self.mouse("Moved", *(a + (b - a) * i / steps for a, b in zip(start, end)), button="left", buttons=1)
        self.mouse("Released", *end, button="left", clickCount=1)

    def key(self, name, code=None):
        text = {"Enter": "\r", " ": " "}.get(name, name if len(name) == 1 else "")
        virtual = {"Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36,
                   "End": 35, "Escape": 27, "Delete": 46, "Tab": 9}.get(name, ord(name.upper()[0]))
        common = {"key": name, "code": code or name, "windowsVirtualKeyCode": virtual}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, selector, text):
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)

    def choose(self, selector, value):
        self.run(f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};
            if (e.value !== {json.dumps(value)}) throw new Error('no such choice');
            e.dispatchEvent(new Event('input', {{bubbles: true}})); e.dispatchEvent(new Event('change', {{bubbles: true}})); }})()""")

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def attach(self, selector, *paths):
        """Gives files to a file input, as choosing them would."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def downloaded(self, name):
        """The bytes of a download that is complete."""
        path = self.downloads / name
        self.wait(lambda: path.exists() and path.stat().st_size > 0, f"the download of {name}")
        data = path.read_bytes()
        path.unlink()
        return data

    def screenshot(self, path, whole=False):
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
