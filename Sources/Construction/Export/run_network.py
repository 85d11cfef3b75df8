"""Runs an exported looped transformer: python3 run_network.py NAME.npz [MOST LOOPS] < input"""
import json, pathlib, sys
import numpy as np

path = pathlib.Path(sys.argv[1])
w, m = dict(np.load(path)), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
limit = int(sys.argv[2]) if len(sys.argv) > 2 else m.get("loopLimit", sys.maxsize)
X, device = w["state"], m.get("device")  # X[column, row]
if device:
    row, count = device["rows"]["start"], device["rows"]["count"]
    word, powers = np.s_[device["column"], row : row + count], 1 << np.arange(count)
    powers[-1] *= -1  # two's complement

def up(flag): return flag is not None and X[flag["column"], flag["row"]] > 0

def graph(matrix, direction): return w[matrix].T if direction == "alongEdges" else w[matrix]

def head(name, h):
    scores = (X @ w[name + "query"].T) @ (X @ w[name + "key"].T).T + w.get(name + "priority", 0 * X[:1]) @ X.T
    if near := h.get("neighborhood"):
        edges, distances = graph("graph.edges", near), graph("graph.weights", near)
        scores = np.where(edges, scores + w[name + "edge_score"] * distances, np.finfo(X.dtype).min)
    scores = scores - scores.max(axis=1, keepdims=True)
    weights = np.exp(scores) if h["kind"] == "smooth" else (scores == 0).astype(X.dtype)
    if h["kind"] == "leftmost": weights *= weights.cumsum(axis=1) == 1
    weights = weights / weights.sum(axis=1, keepdims=True) * (edges if near else 1)
    y = weights @ (X @ w[name + "value"].T)
    if mix := h.get("mixing"):
        y = graph("graph.weights" if mix["isWeighted"] else "graph.edges", mix["direction"]) @ y
    extra = (weights * distances).sum(axis=1, keepdims=True) @ w[name + "edge_output"].T if near else 0
    return y @ w[name + "output"].T + extra

def entries(span): return slice(span["start"], span["start"] + span["count"])

def settled():
    s = m.get("settling")
    return s is not None and loops > 0 and abs((X - before)[entries(s["columns"]), s["row"]]).sum(dtype=float) < s["change"]

loops, reads, writes, before = 0, False, False, None
while loops < limit and not up(m.get("halting")) and (
    reads or writes or not np.array_equal(X, before)) and not settled():
    before, loops, reads, writes = X, loops + 1, False, False
    for i, layer in enumerate(m["layers"]):
        X = sum((head(f"layers.{i}.heads.{j}.", h) for j, h in enumerate(layer["heads"])), X)
        if layer["neurons"]:
            w1, b1, w2 = (w[f"layers.{i}.mlp.{part}"] for part in ("w1", "b1", "w2"))
            X = X + np.maximum(X @ w1.T + b1, 0) @ w2.T
        if device and i == device["layer"]:
            reads, writes = up(device["reads"]), up(device["writes"])
            if reads:
                shown = (sys.stdin.buffer.read(1) or [device["endOfInput"]])[0]
                X[word] = np.where((-shown if device["negatesInput"] and not writes else shown) & abs(powers), 1, -1)
    if writes: sys.stdout.buffer.write(bytes([int((X[word] > 0) @ powers) & 255])), sys.stdout.flush()
for v in m["values"] if not device else []:
    print(f'{v["name"]}:', *X[entries(v["columns"]), entries(v["rows"])].ravel())
print(f"{loops} loops", file=sys.stderr)
