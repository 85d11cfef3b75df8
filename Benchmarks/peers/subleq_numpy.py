"""One SUBLEQ instruction per loop the way the paper's public code does it: numpy, float64, dense attention over all
columns, ten transformer layers, and every weight matrix built anew in every loop. Written from the description in the
paper (Giannou et al. 2023, sections 3 and 4), with the column maximum subtracted before exp.

Usage: subleq_numpy.py CELLS LOOPS   prints {"secondsPerInstruction": ..., "mismatches": ...}
"""
import json
import sys
import time

import numpy as np

N = 16  # bits of a word
INVERSE_TEMPERATURE = 30.0


def bits(value, count):
    return np.array([1.0 if value >> i & 1 else -1.0 for i in range(count)])


def number(code):
    value = sum(1 << i for i, bit in enumerate(code) if bit > 0)
    return value - (1 << N) if value >= 1 << N - 1 else value


class Machine:
    def __init__(self, memory, program):
        self.m, self.n = len(memory), 1 + len(memory) + len(program)
        self.L = L = int(np.ceil(np.log2(self.n)))
        sizes = dict(cmd=3 * L, mem=N, a=N, b=N, inst=3 * L, pc=L, pos=L, buf=max(3 * L, 2 * N), ind=1)
        self.rows, self.d = {}, 0
        for name, size in sizes.items():
            self.rows[name] = np.arange(self.d, self.d + size)
            self.d += size
        X = np.zeros((self.d, self.n))
        for j in range(1, self.n):
            X[self.rows["pos"], j] = bits(j, L)
        for i, value in enumerate(memory):
            X[self.rows["mem"], 1 + i] = bits(value, N)
        for i, (a, b, c) in enumerate(program):
            code = np.concatenate([bits(1 + a, L), bits(1 + b, L), bits(1 + self.m + c, L)])
            X[self.rows["cmd"], 1 + self.m + i] = code
        X[self.rows["pc"], 0] = bits(1 + self.m, L)
        X[self.rows["ind"], 0] = 1
        X[self.rows["a"], 0] = X[self.rows["b"], 0] = -1
        X[self.rows["inst"], 0] = -1
        self.X = X

    def layer(self, heads, units, bias=None):
        """heads: (pointer rows, [(source rows, target rows)]); units: (input weights, bias, output weights)."""
        X, d = self.X, self.d
        A = X.copy()
        for pointer, copies in heads:
            Q = np.zeros((self.L, d))
            Q[np.arange(self.L), pointer] = 1
            Q[np.arange(self.L), self.rows["pos"]] = 1
            K = Q.copy()
            V = np.zeros((d, d))
            for source, target in copies:
                V[target, source] = 1
            S = INVERSE_TEMPERATURE * ((K @ X).T @ (Q @ X))
            S -= S.max(axis=0)
            P = np.exp(S)
            P /= P.sum(axis=0)
            A += V @ X @ P
        W1 = np.zeros((len(units), d))
        b1 = np.zeros((len(units), 1))
        W2 = np.zeros((d, len(units)))
        for i, (inputs, constant, outputs) in enumerate(units):
            for row, weight in inputs:
                W1[i, row] += weight
            b1[i] = constant
            for row, weight in outputs:
                W2[row, i] += weight
        self.X = A + W2 @ np.maximum(W1 @ A + b1, 0)

    def gated(self, form, constant, row, factor, C=4.0):
        """factor * ReLU(form + constant) on the scratchpad column only."""
        ind = self.rows["ind"][0]
        return (form + [(ind, C + constant)], -C, [(row, factor)])

    def clear(self, rows):
        units = []
        for r in rows:
            units += [([(r, 1)], 0, [(r, -1)]), ([(r, -1)], 0, [(r, 1)])]
        return units

    def replace(self, target, buffer, on_scratchpad, C=4.0):
        """target += 2 (buffer - target) where wanted, then buffer = 0."""
        units = []
        ind = self.rows["ind"][0]
        gate, constant = ([(ind, C)], -C) if on_scratchpad else ([(ind, -C)], 0)
        for t, s in zip(target, buffer):
            units.append(([(s, 2), (t, -2)] + gate, constant, [(t, 1)]))
            units.append(([(s, -2), (t, 2)] + gate, constant, [(t, -1)]))
        return units + self.clear(buffer)

    def add_bits(self, contributions, target, constant):
        """target bits = sum of the numbers given by +-1 rows, plus constant, gated to the scratchpad."""
        units, ind = [], self.rows["ind"][0]
        for i in range(len(target)):
            form, base = [], float(constant)
            for rows in contributions:
                for j in range(i + 1):
                    form.append((rows[j], 2.0 ** j / 2))
                    base += 2.0 ** j / 2
            G, r = 2.0 ** (i + 4), target[i]
            for sign, shift, factor in [(1, 1 - 2.0**i, 2), (1, -(2.0**i), -2), (-1, 2.0 ** (i + 1), 2),
                                        (-1, 2.0 ** (i + 1) - 1, -2), (1, 1 - 3 * 2.0**i, 2), (1, -3 * 2.0**i, -2)]:
                inputs = [(row, sign * w) for row, w in form] + [(ind, G)]
                units.append((inputs, shift + sign * base - G, [(r, factor)]))
            units.append(([(ind, 1)], 0, [(r, -3)]))
        return units

    def step(self):
        R, L = self.rows, self.L
        a, b, buf, ind = R["a"], R["b"], R["buf"], R["ind"][0]
        inst_a, inst_b, inst_c = R["inst"][:L], R["inst"][L:2 * L], R["inst"][2 * L:]
        self.layer([(R["pc"], [(R["cmd"], buf[:3 * L]), (R["inst"], buf[:3 * L])])],
                   self.replace(R["inst"], buf[:3 * L], True))
        self.layer([(inst_a, [(R["mem"], buf[:N]), (a, buf[:N])]),
                    (inst_b, [(R["mem"], buf[N:2 * N]), (b, buf[N:2 * N])])],
                   self.replace(a, buf[:N], True) + self.replace(b, buf[N:2 * N], True))
        units = []  # flip the bits of a
        for r in a:
            units += [([(r, -2)], 0, [(r, 1)]), ([(r, 2)], 0, [(r, -1)])]
        self.layer([], units)
        self.layer([], self.add_bits([a], a, 1) + self.clear(a))
        self.layer([], self.add_bits([a, b], b, 0) + self.clear(b))
        self.layer([(inst_b, [(R["mem"], buf[:N]), (b, buf[:N])])], self.replace(R["mem"], buf[:N], False))
        flag = a[0]
        self.layer([], self.clear(a) + [self.gated([(b[N - 1], 1)], 0, flag, 1),
                                        self.gated([(r, -1) for r in b], 1 - N, flag, 1, C=2.0 * N)])
        self.layer([], self.add_bits([R["pc"]], R["pc"], 1) + self.clear(R["pc"]))
        units = self.clear(R["pc"])
        for p, c in zip(R["pc"], inst_c):
            units += [([(p, 1), (flag, -1)], 0, [(p, 2)]), ([(c, 1), (flag, 1), (ind, -1)], 0, [(p, 2)]),
                      ([(ind, 1)], 0, [(p, -1)])]
        self.layer([], units + self.clear([flag]))
        units, e = [], 0.25  # error correction
        for r in np.concatenate([R["mem"], R["inst"], R["pc"], b]):
            units += self.clear([r])
            for shift, factor in [(1 - e, 2), (e, -2), (-e, 2), (e - 1, -2)]:
                units.append(([(r, 1)], shift, [(r, factor)]))
            units.append(([], 1.0, [(r, -1)]))
        self.layer([], units)
        self.X[R["a"], 0] = -1

    def memory(self):
        return [number(self.X[self.rows["mem"], 1 + i]) for i in range(self.m)]


def main():
    cells, loops = int(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(1)
    k = max(4, cells // 3)
    m = cells - k
    memory = [int(v) for v in rng.integers(-20000, 20000, m)]
    program = [tuple(int(v) for v in (rng.integers(m), rng.integers(m), rng.integers(k))) for _ in range(k)]
    machine = Machine(memory, program)
    start = time.perf_counter()
    for _ in range(loops):
        machine.step()
    seconds = (time.perf_counter() - start) / loops
    pc = 0
    for _ in range(loops):
        x, y, z = program[pc]
        value = (memory[y] - memory[x] + (1 << N - 1)) % (1 << N) - (1 << N - 1)
        memory[y] = value
        pc = z if value <= 0 else pc + 1
        if pc >= k:
            break
    mismatches = sum(u != v for u, v in zip(memory, machine.memory()))
    print(json.dumps({"secondsPerInstruction": seconds, "mismatches": mismatches}))


if __name__ == "__main__":
    main()
