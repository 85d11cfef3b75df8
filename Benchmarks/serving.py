#!/usr/bin/env python3
"""Loads a server: many streams at once, what one and eight streams get, hostile requests, and a kill.

Needs nothing but Python. Starts the server itself, on this machine, and stops it:

    Benchmarks/serving.py load    .build/release/looped-serve --random 135m --weights int8
    Benchmarks/serving.py hostile .build/release/looped-serve --random 135m --loops 1
    Benchmarks/serving.py kill    .build/release/looped-serve --random 135m
    Benchmarks/serving.py report  .build/release/looped-serve

Prints one JSON object. `report` does it all as the README claims it, some twenty minutes, and writes results/serving.json
and serving.md: the shipped model under 64 streams for five minutes, hostile requests, kills; one stream and eight of the
1.4B shape.
"""
import argparse
import asyncio
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time


class Server:
    def __init__(self, command, port=0):
        self.process = subprocess.Popen(
            [*command, "--port", str(port), "--log-level", "error"], stderr=subprocess.PIPE, text=True
        )
        self.port = None
        for line in self.process.stderr:
            found = re.search(r"listening on \w+://[^/]*:(\d+)/", line)
            if found:
                self.port = int(found[1])
            if line.startswith("serving "):
                return
        sys.exit("the server did not start")

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


async def send(port, body, path="/v1/completions", method="POST", headers=""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    writer.write(head.encode("utf-8", "surrogateescape") + body)
    await writer.drain()
    return reader, writer


async def stream(port, prompt, tokens):
    """One answer: seconds to its first token, and its tokens."""
    start = time.monotonic()
    body = json.dumps(
        {"prompt": prompt, "max_tokens": tokens, "stream": True, "temperature": 1, "stream_options": {"include_usage": True}}
    ).encode()
    reader, writer = await send(port, body)
    first, count, done = None, 0, False
    try:
        async for line in reader:
            if not line.startswith(b"data: "):
                continue
            if line.strip() == b"data: [DONE]":
                done = True
                break
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise RuntimeError(chunk["error"]["message"])
            if chunk["choices"] and chunk["choices"][0]["text"] and first is None:
                first = time.monotonic() - start
            if chunk.get("usage"):
                count = chunk["usage"]["completion_tokens"]
    finally:
        writer.close()
    if not done:
        raise RuntimeError("the stream ended early")
    return first, count


def words(count):
    return " ".join(random.choice(["loop", "block", "state", "gate", "depth"]) for _ in range(count))


async def together(port, streams, tokens):
    start = time.monotonic()
    results = await asyncio.gather(*(stream(port, words(1), tokens) for _ in range(streams)))
    return sum(count for _, count in results) / (time.monotonic() - start)


def quantile(values, share):
    values = sorted(values)
    return values[min(int(share * len(values)), len(values) - 1)] if values else None


async def throughput(server, options):
    """Tokens per second of one stream and of eight, in turns, so that what else the machine does strikes both.

    Prompts of a word, so that the time goes into what is generated.
    """
    rates = {1: [], 8: []}
    for _ in range(options.trials):
        for streams in rates:
            rates[streams].append(await together(server.port, streams, 48))
    ratios = [eight / one for one, eight in zip(rates[1], rates[8])]
    medians = {streams: quantile(values, 0.5) for streams, values in rates.items()}
    return {"tokens_per_second": medians, "ratio_8_to_1": medians[8] / medians[1], "ratios": [min(ratios), max(ratios)]}


async def load(server, options):
    firsts, errors, total, memory = [], [], 0, []
    end = time.monotonic() + options.seconds

    async def client():
        nonlocal total
        while time.monotonic() < end:
            try:
                first, count = await stream(server.port, words(random.randint(1, 12)), random.randint(8, options.tokens))
                firsts.append(first)
                total += count
            except Exception as error:
                errors.append(repr(error))

    async def watch():
        while time.monotonic() < end:
            memory.append(server.memory())
            await asyncio.sleep(options.seconds / 60)

    start = time.monotonic()
    await asyncio.gather(watch(), *(client() for _ in range(options.streams)))
    third = len(memory) // 3
    return {
        "streams": options.streams,
        "seconds": time.monotonic() - start,
        "answers": len(firsts),
        "errors": len(errors),
        "first_errors": errors[:5],
        "loaded_tokens_per_second": total / (time.monotonic() - start),
        "first_token_p50": quantile(firsts, 0.5),
        "first_token_p99": quantile(firsts, 0.99),
        "memory_megabytes": {
            "second_third": round(max(memory[third : 2 * third], default=0) / 1e6),
            "last_third": round(max(memory[2 * third :], default=0) / 1e6),
        },
    }


def hostile_requests(count):
    """Requests that are malformed in many ways, from a fixed seed."""
    pick = random.Random(1)
    values = [
        None, True, -1, 0, 1e308, -1e308, 2**63, -(2**63), "", "x" * 1000, "\u0000", "\ud83d", [], [[]], {}, {"a": {}},
        [None], [1, "a"], [-1], [10**12], [[1], "a"], 0.5, "NaN", ["\uffff"] * 50, "../../etc/passwd", "{{ 7*7 }}",
    ]
    fields = {
        "/v1/completions": [
            "prompt", "max_tokens", "temperature", "top_p", "top_k", "min_p", "n", "stop", "logprobs", "echo", "stream",
            "seed", "logit_bias", "looped", "stream_options", "response_format", "suffix", "best_of", "repetition_penalty",
        ],
        "/v1/chat/completions": [
            "messages", "max_tokens", "temperature", "logprobs", "top_logprobs", "tools", "stream", "n", "stop", "looped",
        ],
        "/tokenize": ["prompt", "content", "messages"],
        "/detokenize": ["tokens"],
        "/apply-template": ["messages"],
    }
    for number in range(count):
        path = pick.choice(list(fields))
        body = {"max_tokens": 1}
        if path == "/v1/completions":
            body["prompt"] = "a"
        if path == "/v1/chat/completions":
            body["messages"] = [{"role": "user", "content": "a"}]
        for field in pick.sample(fields[path], pick.randint(1, min(3, len(fields[path])))):
            body[field] = pick.choice(values)
        if pick.random() < 0.2 and "messages" in fields[path]:
            body["messages"] = [{"role": pick.choice(values), "content": pick.choice(values)}]
        if pick.random() < 0.2 and "looped" in fields[path]:
            body["looped"] = {
                pick.choice(["loops", "exit_threshold", "exit_policy", "kv_sharing", "trace", "top", "zzz"]): pick.choice(values)
            }
        data = json.dumps(body).encode()
        kind = number % 10
        if kind == 7:
            data = data[: pick.randint(0, len(data))]
        if kind == 8:
            data = bytes(pick.randrange(256) for _ in range(pick.randint(1, 300)))
        if kind == 9:
            depth = pick.randint(10, 200_000)
            data = b'{"prompt":' + pick.choice([b"[", b'{"a":']) * depth
        method = pick.choice(["POST"] * 12 + ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "FOO"])
        where = path if pick.random() > 0.1 else pick.choice(["/v1/%00", "/../..", "/v1/models/%2e%2e", "/" + "a" * 9000, "/v1//x"])
        headers = pick.choice([""] * 6 + ["Content-Type: text/plain\r\n", "X: " + "y" * 9000 + "\r\n", "Origin: null\r\n", "Authorization: Bearer x\r\n"])
        yield method, where, data, headers


async def hostile(server, options):
    statuses, shapeless, lost = {}, [], []
    for method, path, body, headers in hostile_requests(options.count):
        try:
            reader, writer = await send(server.port, body, path, method, headers + "Connection: close\r\n")
            answer = await asyncio.wait_for(reader.read(), 60)
            writer.close()
        except ConnectionError as error:
            lost.append(f"{method} {path[:40]}: {error}")
            continue
        head, _, content = answer.partition(b"\r\n\r\n")
        status = int(head.split()[1]) if head else 0
        statuses[status] = statuses.get(status, 0) + 1
        if status >= 400 and method != "HEAD":
            try:
                error = json.loads(content)["error"]
                assert set(error) >= {"message", "type", "code", "param"}
            except Exception:
                shapeless.append(f"{status} {method} {path[:40]} {content[:80]!r}")
        if server.process.poll() is not None:
            break
    first, count = await stream(server.port, "still there", 3)
    return {
        "requests": options.count, "statuses": statuses, "without_shape": len(shapeless), "lost": len(lost),
        "examples": shapeless[:5] + lost[:5],
        "answers_afterwards": count == 3, "memory_megabytes": round(server.memory() / 1e6),
    }


async def kill(server, options, command):
    async def client():
        try:
            await stream(server.port, words(8), 500)
            return "finished"
        except Exception as error:
            # RuntimeError: the stream ended, and the client knows that it was not done.
            return type(error).__name__

    clients = [asyncio.create_task(client()) for _ in range(16)]
    await asyncio.sleep(3)
    server.process.kill()
    ends = await asyncio.wait_for(asyncio.gather(*clients), 10)
    server.process.wait()
    again = Server(command, server.port)
    first, count = await stream(again.port, "again", 5)
    status = again.stop()
    return {"clients": {end: ends.count(end) for end in set(ends)}, "answers_after_restart": count == 5, "stopped_with": status}


def measured(what, command, options):
    server = Server(command)
    try:
        measure = {"load": load, "throughput": throughput, "hostile": hostile}.get(what)
        result = asyncio.run(measure(server, options) if measure else kill(server, options, command))
        # At once: what follows may fail.
        print(what, json.dumps(result), file=sys.stderr, flush=True)
        return result
    finally:
        if server.process.poll() is None:
            server.stop()


def report(command, options):
    """Everything, as results/serving.json and serving.md."""
    results = {what: measured(what, command, options) for what in ("load", "hostile", "kill")}
    # Random weights in the shape are as fast as trained ones; eight bits, which is how such a model is served on a small machine.
    shapes = {bits: measured("throughput", [*command, "--random", "1.4b", "--weights", bits], options) for bits in ("bf16", "int8")}
    loaded, hostile_ones, kills = results["load"], results["hostile"], results["kill"]
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    document = {
        "name": "serving", "what": "The server under load", "date": time.strftime("%Y-%m-%d"),
        "machine": {"cores": str(os.cpu_count()), "processor": model[1] if model else "unknown"},
        "results": results | {"throughput": shapes},
        "figures": {
            "serving.streams": str(loaded["streams"]),
            "serving.minutes": f"{loaded['seconds'] / 60:.0f}",
            "serving.answers": str(loaded["answers"]),
            "serving.errors": str(loaded["errors"]),
            "serving.rate": f"{loaded['loaded_tokens_per_second']:.0f}",
            "serving.p99": f"{loaded['first_token_p99']:.2f}",
            "serving.eight": f"{shapes['bf16']['ratio_8_to_1']:.1f}",
            "serving.eight.int8": f"{shapes['int8']['ratio_8_to_1']:.1f}",
        },
    }
    memory = loaded["memory_megabytes"]
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(hostile_ones["statuses"].items()))
    lines = [
        f"# {document['what']}", "",
        f"{document['date']}. {document['machine']['processor']}, {document['machine']['cores']} cores; the clients run on the same.", "",
        "| what | result |", "| --- | --- |",
        f"| {loaded['streams']} streams on the shipped model, {loaded['seconds']:.0f} s | {loaded['answers']} answers, "
        f"{loaded['errors']} errors, {loaded['loaded_tokens_per_second']:.0f} tokens/s |",
        f"| first token, median and 99th percentile | {loaded['first_token_p50']:.2f} s, {loaded['first_token_p99']:.2f} s |",
        f"| memory in the second and in the last third | {memory['second_third']} MB, {memory['last_third']} MB |",
    ]
    for bits, shape in shapes.items():
        rate, ratios = shape["tokens_per_second"], shape["ratios"]
        lines.append(
            f"| 1.4B shape, 4 loops, {bits}: one stream, eight | {rate[1]:.2f}, {rate[8]:.2f} tokens/s: "
            f"{shape['ratio_8_to_1']:.2f} times ({ratios[0]:.2f}–{ratios[1]:.2f}) |"
        )
    lines += [
        f"| {hostile_ones['requests']} hostile requests | {statuses}; {hostile_ones['without_shape']} not in the documented shape, "
        f"{hostile_ones['lost']} without an answer; the server goes on: {'yes' if hostile_ones['answers_afterwards'] else 'no'} |",
        f"| kill -9 under 16 streams, and a new start | {kills['clients'].get('RuntimeError', 0)} of 16 clients get a clean error; answers again: "
        f"{'yes' if kills['answers_after_restart'] else 'no'} |",
    ]
    folder = options.output or pathlib.Path(__file__).resolve().parent / "results"
    (folder / "serving.json").write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    (folder / "serving.md").write_text("\n".join(lines) + "\n")
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["load", "throughput", "hostile", "kill", "report"])
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--output", type=pathlib.Path, help="where report writes, results/ without it")
    options, command = parser.parse_known_args()
    if options.what == "report":
        result = report(command, options)
    else:
        result = measured(options.what, command, options)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
