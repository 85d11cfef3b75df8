"""Runs an exported looped transformer: python3 run_network.py NAME.npz [MOST LOOPS] < input"""
import json, pathlib, sys
import numpy as np

path, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
w, m = dict(np.load(path)), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
X, device = w["state"], m.get("device")  # X[column, row]
if device:
    row, count = device["rows"]["start"], device["rows"]["count"]
    word, powers = np.s_[device["column"], row : row + count], 1 << np.arange(count)
    powers[-1] *= -1  # two's complement

def up(flag): return flag is not None and X[flag["column"], flag["row"]] > 0

def head(name, kind):
    scores = (X @ w[name + "query"].T) @ (X @ w[name + "key"].T).T + w.get(name + "priority", 0 * X[:1]) @ X.T
    scores -= scores.max(axis=1, keepdims=True)
    weights = np.exp(scores) if kind == "smooth" else (scores == 0).astype(X.dtype)
    return weights / weights.sum(axis=1, keepdims=True) @ (X @ w[name + "value"].T) @ w[name + "output"].T

loops, reads, writes, before = 0, False, False, None
while loops < limit and not up(m.get("halting")) and (reads or writes or not np.array_equal(X, before)):
    before, loops, reads, writes = X, loops + 1, False, False
    for i, layer in enumerate(m["layers"]):
        X = sum((head(f"layers.{i}.heads.{j}.", h["kind"]) for j, h in enumerate(layer["heads"])), X)
        if layer["neurons"]:
            w1, b1, w2 = (w[f"layers.{i}.mlp.{part}"] for part in ("w1", "b1", "w2"))
            X = X + np.maximum(X @ w1.T + b1, 0) @ w2.T
        if device and i == device["layer"]:
            reads, writes = up(device["reads"]), up(device["writes"])
            if reads:
                shown = (sys.stdin.buffer.read(1) or [device["endOfInput"]])[0]
                X[word] = np.where((-shown if device["negatesInput"] and not writes else shown) & abs(powers), 1, -1)
    if writes: sys.stdout.buffer.write(bytes([int((X[word] > 0) @ powers) & 255])), sys.stdout.flush()
print(f"{loops} loops", file=sys.stderr)
