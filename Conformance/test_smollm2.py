"""SmolLM2-135M-Instruct against llama.cpp on the same GGUF file: tokens, greedy text, perplexity, chat.

llama-cpp-python is built from source for some ten minutes, so it is not among the pinned packages: install
`llama-cpp-python==0.3.36` into .venv to run these. The model comes with `looped models --fetch`.
"""

import json

import numpy as np
import pytest
from conftest import ROOT, looped

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

PROMPTS = [
    "The capital of France is", "Once upon a time", "Water boils at", "The three primary colours are", "def fibonacci(n):",
    "To be or not to be,", "The largest planet in the solar system", "Photosynthesis is the process by which",
    "import numpy as np\n", "In 1969, humans first", "The opposite of hot is", "My favourite season is spring because",
    "A triangle has three", "The Pacific Ocean is", "Dear Sir or Madam,", "Roses are red,", "The recipe for pancakes:",
    "1, 2, 3, 4,", "The theory of evolution was", "Good morning! How",
]  # fmt: skip
TOKENS = 32


@pytest.fixture(scope="module")
def path():
    place = looped("models").decode().splitlines()[-1].split()[-1]
    if not place.startswith("/"):
        pytest.skip("SmolLM2 is not here: looped models --fetch")
    return place


@pytest.fixture(scope="module")
def peer(path):
    return llama_cpp.Llama(path, n_ctx=1024, n_batch=512, logits_all=True, n_threads=2, verbose=False)


def ours(path, prompt, *options):
    arguments = ["generate", "-m", path, "-p", prompt, "--ignore-chat-template", "-n", TOKENS, "--temp", 0, "--json"]
    return json.loads(looped(*arguments, *options))


def theirs(peer, prompt):
    """(greedy tokens, by how much each was the first)."""
    peer.reset()
    peer.eval(peer.tokenize(prompt.encode(), add_bos=False, special=True))
    tokens, margins = [], []
    for _ in range(TOKENS):
        logits = peer.scores[peer.n_tokens - 1]
        order = np.sort(logits)
        tokens.append(int(logits.argmax()))
        margins.append(float(order[-1] - order[-2]))
        if tokens[-1] == peer.token_eos():
            break
        peer.eval([tokens[-1]])
    return tokens, margins


def test_greedy_continuations(path, peer):
    """Equal up to the first place where llama.cpp's two likeliest tokens nearly tie; both round activations to 8 bits."""
    whole = 0
    for prompt in PROMPTS:
        expected, margins = theirs(peer, prompt)
        got = [token["id"] for token in ours(path, prompt)["tokens"]]
        same = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), None)
        if same is None:
            whole += 1
        else:
            assert margins[same] < 0.5, (prompt, same, margins[same])
    print(f"{whole} of {len(PROMPTS)} continuations are equal to the end")
    assert whole >= len(PROMPTS) * 0.3


def text():
    return "\n".join(page.read_text() for page in sorted((ROOT / "Documentation").glob("[C-F]*.md")))[:12000]


def test_perplexity(path, peer, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(text())
    tokens = peer.tokenize(text().encode(), add_bos=False, special=False)
    loss = count = 0
    for start in range(0, len(tokens), 512):
        window = tokens[start : start + 512]
        peer.reset()
        peer.eval(window)
        logits = peer.scores[: len(window) - 1].astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        loss -= logits[np.arange(len(window) - 1), window[1:]].sum()
        count += len(window) - 1
    report = json.loads(looped("perplexity", "-m", path, file, "--json"))
    mine = report["scores"][-1]["nats"]
    print(f"nats per token: {mine:.4f} ours, {loss / count:.4f} llama.cpp, over {count} tokens")
    assert mine == pytest.approx(loss / count, rel=0.01)


def test_tokens(peer, path):
    """The GGUF's vocabulary, both readings."""
    for prompt in [*PROMPTS, text()[:3000], "<|im_start|>user\nhi<|im_end|>\n", "été 漢字 🎉 12345  \t\n x"]:
        expected = peer.tokenize(prompt.encode(), add_bos=False, special=True)
        got = json.loads(looped("tokenize", "--model", path, "--json", input=prompt.encode()))
        assert [token["id"] for token in got] == expected


def test_chat(path):
    """A question gets an answer that ends by itself."""
    for question in ("What is 2 + 2?", "Say hello."):
        arguments = ["generate", "-m", path, "-p", question, "-n", 100, "--temp", 0, "--json"]
        report = json.loads(looped(*arguments))
        assert report["finishReason"] == "stop"
        assert ("4" if "2 + 2" in question else "Hello") in report["text"]
