"""The server, judged by the clients that people use: openai, schemathesis, curl over TLS."""
import json
import math
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest

openai = pytest.importorskip("openai")
ROOT = Path(__file__).resolve().parent.parent
MESSAGES = [{"role": "user", "content": "What does a loop do?"}]


@pytest.fixture(scope="module")
def binary():
    named = os.environ.get("LOOPED_SERVE")
    if named:
        return named
    # The script builds it where it is not there.
    subprocess.run([ROOT / "looped", "serve", "--help"], check=True, capture_output=True)
    return str(ROOT / ".build/release/looped-serve")


class Server:
    def __init__(self, binary, *options, model=("--random", "135m", "--weights", "int8")):
        self.process = subprocess.Popen([binary, *model, "--port", "0", *options], stderr=subprocess.PIPE, text=True)
        self.lines = []
        for line in self.process.stderr:
            found = re.search(r"listening on (\w+)://[^/]*:(\d+)/", line)
            if found:
                self.scheme, self.port = found[1], int(found[2])
            if line.startswith("serving "):
                break
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def server(binary):
    server = Server(binary, "--loops", "2", "--ctx-size", "512")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_models(client):
    models = client.models.list().data
    assert [model.id for model in models] == ["random-135m"]
    assert client.models.retrieve("random-135m").owned_by == "looped"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_chat_whole_and_streamed(client):
    options = dict(model="any", messages=MESSAGES, max_tokens=6, temperature=0)
    whole = client.chat.completions.create(**options, logprobs=True, top_logprobs=2)
    choice = whole.choices[0]
    assert choice.finish_reason == "length" and choice.message.role == "assistant"
    assert whole.usage.completion_tokens == 6 and whole.usage.total_tokens == whole.usage.prompt_tokens + 6
    assert len(choice.logprobs.content) == 6
    for token in choice.logprobs.content:
        assert len(token.top_logprobs) == 2
        assert token.logprob == max(other.logprob for other in token.top_logprobs)
        assert bytes(token.bytes).decode() == token.token
    chunks = list(client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"} and len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == choice.message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 6
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_loops_are_told(client):
    options = dict(model="any", messages=MESSAGES, max_tokens=3, temperature=0)
    answer = client.chat.completions.create(**options, extra_body={"looped": {"trace": True, "top": 3, "loops": 2}})
    looped = answer.model_extra["looped"]
    assert looped["loops"] == 2 and looped["average_exit"] == 2
    assert [len(token["predictions"]) for token in looped["tokens"]] == [2, 2, 2]
    for token in looped["tokens"]:
        # Greedy: the last loop's first prediction is the token.
        assert token["predictions"][-1][0]["id"] == token["id"]
        for loop in token["predictions"]:
            assert sum(p["probability"] for p in loop) <= 1 + 1e-5
    chunks = client.chat.completions.create(
        **options, stream=True, extra_body={"looped": {"trace": True, "loops": 1}})
    exits = [token["exit"] for chunk in chunks for token in (chunk.model_extra.get("looped") or {}).get("tokens", [])]
    assert exits == [1, 1, 1]


def test_completions(client):
    options = dict(model="any", max_tokens=4, temperature=0)
    alone = client.completions.create(prompt="Once upon", **options).choices[0].text
    tokens = list(b"Once upon")
    # The first tokens of the random model are the bytes.
    for prompts in (["Once upon", "Once upon"], [tokens, tokens]):
        both = client.completions.create(prompt=prompts, **options)
        assert [choice.text for choice in both.choices] == [alone, alone]
    streamed = client.completions.create(prompt="Once upon", stream=True, **options)
    assert "".join(chunk.choices[0].text for chunk in streamed) == alone
    echoed = client.completions.create(prompt="Once upon", echo=True, logprobs=2, model="any", max_tokens=1, temperature=0)
    scores = echoed.choices[0].logprobs
    assert echoed.choices[0].text.startswith("Once upon")
    assert len(scores.token_logprobs) == len("Once upon") + 1 and scores.token_logprobs[0] is None
    assert all(value <= 0 and math.isfinite(value) for value in scores.token_logprobs[1:])
    assert scores.text_offset[: len("Once upon")] == list(range(len("Once upon")))
    seeds = [client.completions.create(prompt="a", seed=seed, temperature=2, model="any", max_tokens=8).choices[0].text for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1]


def test_a_wrong_key(binary):
    server = Server(binary, "--api-key", "right")
    try:
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0).models.list()
        assert openai.OpenAI(base_url=f"{server.url}/v1", api_key="right", max_retries=0).models.list().data
    finally:
        assert server.stop() == 0


def test_errors_are_the_clients(client):
    for options, parameter in [
        (dict(messages=[]), "messages"), (dict(messages=MESSAGES, temperature=-1), "temperature"),
        (dict(messages=MESSAGES, max_tokens=5000), "max_tokens"), (dict(messages=MESSAGES, n=0), "n"),
        (dict(messages=MESSAGES, extra_body={"looped": {"loops": 99}}), "looped.loops"),
    ]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="any", **options)
        assert caught.value.param == parameter and caught.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="any", prompt="a" * 600)
    assert caught.value.code == "context_length_exceeded"


def test_hanging_up_frees_the_place(client, server):
    stream = client.completions.create(model="any", prompt="a", max_tokens=400, stream=True)
    next(iter(stream))
    stream.close()
    for _ in range(200):
        metrics = urllib.request.urlopen(f"{server.url}/metrics").read().decode()
        if re.search(r'requests_finished_total\{reason="cancelled"\} [1-9]', metrics):
            break
    else:
        pytest.fail("the answer went on")
    assert "looped_requests_processing 0" in metrics


def test_the_log_has_no_text(client, server):
    client.completions.create(model="any", prompt="xyzzy-secret", max_tokens=1)
    client.models.list()
    assert any("path=/v1/completions" in line for line in server.lines)
    assert not any("xyzzy" in line for line in server.lines)


def test_keys_and_tls(binary, tmp_path):
    if not shutil.which("openssl") or not shutil.which("curl"):
        pytest.skip("openssl and curl are needed")
    certificate, key, keys = tmp_path / "c.pem", tmp_path / "k.pem", tmp_path / "keys"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    keys.write_text("first\nsecond\n")
    server = Server(binary, "--tls-certificate", certificate, "--tls-key", key, "--api-key-file", keys)
    try:
        def curl(*options):
            command = ["curl", "-s", "--cacert", certificate, *options, f"https://localhost:{server.port}/v1/models"]
            return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        assert curl()["error"]["code"] == "invalid_api_key"
        assert curl("-H", "Authorization: Bearer second")["data"][0]["id"] == "random-135m"
        assert curl("-H", "Authorization: Bearer seconds")["error"]["type"] == "authentication_error"
    finally:
        assert server.stop() == 0


def test_the_openapi_document(binary):
    pytest.importorskip("schemathesis")
    # The shipped model: hundreds of answers are asked for, most of them to the end of the context.
    server = Server(binary, model=())
    try:
        result = subprocess.run(
            [Path(os.sys.executable).parent / "schemathesis", "run", f"{server.url}/openapi.json", "--max-examples", "10",
             "--seed", "1", "--checks",
             "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
             "negative_data_rejection",
             "--exclude-deprecated", "--no-color", "--request-timeout", "60"],
            capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-1000:]
    finally:
        assert server.stop() == 0


def test_lm_eval_counts_as_we_do(server, client, tmp_path):
    pytest.importorskip("lm_eval")
    words = ["loop", "block", "gate", "state", "depth", "token", "layer", "norm"]
    documents = [
        {"question": f"The {a} is a", "choices": [f" {b}", f" {a}", " thing"], "answer": number % 3}
        for number, (a, b) in enumerate((a, b) for a in words for b in words[:4])
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    (tmp_path / "task.yaml").write_text(
        f"""
task: choices
dataset_path: json
dataset_kwargs:
  data_files:
    test: {tmp_path}/data.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - metric: acc
""")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    result = subprocess.run(
        [os.sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args",
         f"model=any,base_url={server.url}/v1/completions,tokenizer_backend=remote,num_concurrent=4,max_retries=1",
         "--tasks", "choices", "--include_path", str(tmp_path), "--output_path", str(tmp_path / "out")],
        capture_output=True, text=True, timeout=600, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    measured = json.loads(next((tmp_path / "out").rglob("results*.json")).read_text())["results"]["choices"]["acc,none"]

    def likelihood(question, choice):
        scores = client.completions.create(
            model="any", prompt=question + choice, max_tokens=0, echo=True, logprobs=1).choices[0].logprobs
        return sum(scores.token_logprobs[len(question):])

    right = sum(
        max(range(3), key=lambda n: likelihood(d["question"], d["choices"][n])) == d["answer"] for d in documents)
    assert measured == pytest.approx(right / len(documents))
    assert 0 < right < len(documents)
