"""What the public PyTorch model for Dijkstra costs (de Luca & Fountoulakis 2024): 27 layers of three plain heads and two
graph heads, width 71, a four-matrix MLP, float64, dense attention over all nodes, n * n iterations. The weights here are
random with the same shapes: this measures the cost, not the results.

Usage: graph_torch.py NODES   prints {"seconds": ..., "iterations": ...}, from some iterations scaled to n * n.
"""
import json
import sys
import time

import torch

LAYERS, WIDTH, PLAIN_HEADS, QUERY = 27, 71, 3, 2


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    n = int(sys.argv[1])
    kind = dict(dtype=torch.float64)
    X = torch.randn(n + 1, WIDTH, **kind) / 10
    A = (torch.rand(n + 1, n + 1) < 2.5 / n).double()

    def weights():
        heads = [tuple(torch.randn(WIDTH, w, **kind) / 100 for w in (QUERY, QUERY, WIDTH)) for _ in range(PLAIN_HEADS + 2)]
        return heads, [torch.randn(WIDTH, WIDTH, **kind) / 100 for _ in range(4)]

    layers = [weights() for _ in range(LAYERS)]

    def step(X):
        for heads, mlp in layers:
            Z = X
            for i, (Q, K, V) in enumerate(heads):
                Y = torch.softmax((X @ Q) @ (X @ K).T, dim=1) @ X @ V
                Z = Z + (Y if i < PLAIN_HEADS else (A if i == PLAIN_HEADS else A.T) @ Y)
            H = Z
            for W in mlp[:3]:
                H = torch.relu(H @ W)
            X = Z + H @ mlp[3]
        return X / (1 + X.abs().max())

    with torch.no_grad():
        X = step(X)
        iterations = 20
        start = time.perf_counter()
        for _ in range(iterations):
            X = step(X)
        seconds = (time.perf_counter() - start) / iterations
    print(json.dumps({"seconds": seconds * n * n, "iterations": float(n * n)}))


main()
