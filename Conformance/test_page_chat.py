"""The page's chat: what is sent, what is shown, and what comes back when it is edited, stopped and kept."""

import json
import time

import pytest
from pages import NEEDS, address, ask, chrome, page, visit  # noqa: F401

pytestmark = NEEDS


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
