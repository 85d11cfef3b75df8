"""Decoding and prefill of an Ouro-shaped model with random weights in PyTorch, bf16, the way of the reference model:
every loop runs, keys and values are kept for each (loop, layer), norms in f32. The peer of `looped bench --random`.

    python3 Benchmarks/peers/ouro_torch.py [--layers 24] [--loops 4] [--tokens 8] [--prompt 512] [--threads 2] [--serve]
"""

import argparse
import json
import resource
import time

import torch
from torch.nn import functional as F

from served import serve

HIDDEN, HEADS, INNER, VOCABULARY = 2048, 16, 5632, 49152
SIZE = HIDDEN // HEADS


def weight(rows, columns):
    return torch.empty(rows, columns, dtype=torch.bfloat16).normal_(0, columns**-0.5)


def norm(x):
    y = x.float()
    return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


class Model:
    def __init__(self, layers, loops):
        self.loops, self.embedding, self.head = loops, weight(VOCABULARY, HIDDEN), weight(VOCABULARY, HIDDEN)
        square, wide, narrow = (HIDDEN, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER)
        shapes = [square] * 4 + [wide] * 2 + [narrow]
        self.layers = [[weight(*shape) for shape in shapes] for _ in range(layers)]
        self.frequency = 1e6 ** (-torch.arange(0, SIZE, 2) / SIZE)
        self.clear()

    def clear(self, room=1024):
        slots = self.loops * len(self.layers)
        self.keys = [torch.empty(1, HEADS, room, SIZE, dtype=torch.bfloat16) for _ in range(slots)]
        self.values = [torch.empty_like(k) for k in self.keys]
        self.length = 0

    @torch.inference_mode()
    def __call__(self, tokens):
        begin, count = self.length, len(tokens)
        angle = torch.arange(begin, begin + count)[:, None] * self.frequency
        cos, sin = (torch.cat([a, a], -1).bfloat16() for a in (angle.cos(), angle.sin()))

        def turn(x):
            return x * cos + torch.cat([-x[..., SIZE // 2 :], x[..., : SIZE // 2]], -1) * sin

        def heads(x):
            return x.view(1, count, HEADS, SIZE).transpose(1, 2)

        h, slot = self.embedding[tokens], 0
        for _ in range(self.loops):
            for q, k, v, o, gate, up, down in self.layers:
                x = norm(h)
                self.keys[slot][:, :, begin : begin + count] = turn(heads(F.linear(x, k)))
                self.values[slot][:, :, begin : begin + count] = heads(F.linear(x, v))
                y = F.scaled_dot_product_attention(
                    turn(heads(F.linear(x, q))), self.keys[slot][:, :, : begin + count],
                    self.values[slot][:, :, : begin + count], is_causal=count > 1,
                )  # fmt: skip
                h = h + norm(F.linear(y.transpose(1, 2).reshape(count, HIDDEN), o))
                x = norm(h)
                h = h + norm(F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down))
                slot += 1
            h = norm(h)
        self.length += count
        return F.linear(h[-1:], self.head)


def main():
    parser = argparse.ArgumentParser()
    for name, value in dict(layers=24, loops=4, tokens=8, prompt=512, threads=2, repeats=3).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--serve", action="store_true", help="measure once for every line read: 'decode' or 'prefill'")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Model(options.layers, options.loops)

    def decode():
        model.clear()
        model(torch.arange(16))
        begin = time.perf_counter()
        for i in range(options.tokens):
            model(torch.tensor([i]))
        return (time.perf_counter() - begin) / options.tokens

    def prefill():
        model.clear()
        begin = time.perf_counter()
        model(torch.arange(options.prompt))
        return time.perf_counter() - begin

    model(torch.arange(16))
    measures = dict(decode=decode, prefill=prefill)
    about = dict(version=torch.__version__, type="bf16", layers=options.layers, loops=options.loops)
    if options.serve:
        return serve(about, measures)
    about |= {name: [measure() for _ in range(options.repeats)] for name, measure in measures.items()}
    about["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(about))


if __name__ == "__main__":
    main()
