"""One training step of the looped model in PyTorch, eager or compiled: the peer of `TrainingProbe bench --json`.

    python3 Benchmarks/peers/looped_step_torch.py --setting paper --steps 3 [--compile] [--threads 2]

The model is nanoGPT's block (fused qkv, scaled_dot_product_attention, tanh GELU) as in the looped-transformer paper's
code: positions and final norm in every loop, read-out after every loop of the window, Adam.
"""

import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

from served import serve

SETTINGS = {"paper": (256, 8, 20, 41, 20, 15), "scaled": (64, 4, 5, 11, 15, 10)}


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = (
            a.view(batch, tokens, self.heads, -1).transpose(1, 2) for a in self.qkv(self.norm1(x)).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(y.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class Looped(nn.Module):
    def __init__(self, inputs, tokens, width, heads):
        super().__init__()
        self.read_in, self.read_out = nn.Linear(inputs, width), nn.Linear(width, 1)
        self.positions = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.block, self.norm = Block(width, heads), nn.LayerNorm(width)

    def forward(self, prompts, targets, loops, window):
        p = self.read_in(prompts)
        y, losses = torch.zeros_like(p), []
        with torch.no_grad():
            for _ in range(loops - window):
                y = self.norm(self.block(y + p + self.positions))
        for _ in range(window):
            y = self.norm(self.block(y + p + self.positions))
            losses.append((self.read_out(y[:, ::2]) - targets).square().mean())
        return torch.stack(losses).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--setting", choices=SETTINGS, default="paper")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--serve", action="store_true", help="measure once for every line of standard input")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    width, heads, inputs, points, loops, window = SETTINGS[options.setting]
    model = Looped(inputs, 2 * points, width, heads)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    prompts, targets = torch.randn(64, 2 * points, inputs), torch.randn(64, points, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    forward = torch.compile(model) if options.compile else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        forward(prompts, targets, loops, window).backward()
        optimizer.step()

    def seconds():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    def held():
        """The most bytes since `before`."""
        return 1024.0 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

    if options.serve:
        return serve({}, dict(step=seconds, step_bytes=held))
    for _ in range(2):
        step()
    times, processor = [], time.process_time()
    for _ in range(options.steps):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    processor = 1000 * (time.process_time() - processor) / options.steps
    times.sort()
    result = {
        "setting": options.setting,
        "torch": torch.__version__,
        "compiled": options.compile,
        "threads": options.threads,
        "milliseconds": times[len(times) // 2],
        "fastest_milliseconds": times[0],
        "processor_milliseconds": processor,
        "step_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
