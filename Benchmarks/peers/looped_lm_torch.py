"""One training step of a looped language model in PyTorch: the peer of `TrainingProbe decoder-bench --json`.

    python3 Benchmarks/peers/looped_lm_torch.py --steps 3 [--compile] [--checkpoints] [--autocast] [--threads 2]

Ouro's block (sandwich RMS norms, rotary positions, scaled_dot_product_attention, SwiGLU), the final norm and the gate in
every loop, the expected loss over exits minus 0.1 of the entropy, gradient clipping, AdamW.
"""

import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from served import serve


class Block(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.RMSNorm(width, eps=1e-6) for _ in range(4))
        self.qkv, self.output = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)

    def forward(self, h, cos, sin):
        batch, tokens, width = h.shape
        parts = self.qkv(self.norms[0](h)).split(width, dim=2)
        q, k, v = (a.view(batch, tokens, self.heads, -1).transpose(1, 2) for a in parts)

        def turn(x):
            first, second = x.chunk(2, dim=-1)
            return x * cos + torch.cat([-second, first], -1) * sin

        y = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True)
        h = h + self.norms[1](self.output(y.transpose(1, 2).reshape(batch, tokens, width)))
        gate, up = self.up(self.norms[2](h)).chunk(2, dim=-1)
        return h + self.norms[3](self.down(F.silu(gate) * up))


class Looped(nn.Module):
    def __init__(self, words, width, heads, layers, inner, tokens):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.gate, self.readout = nn.Linear(width, 1), nn.Linear(width, words, bias=False)
        size = width // heads
        angle = torch.arange(tokens)[:, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
        angle = torch.cat([angle, angle], -1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def loop(self, h):
        for block in self.blocks:
            h = block(h, self.cos, self.sin)
        return self.norm(h)

    def forward(self, tokens, targets, loops, checkpoints):
        h = self.embedding(tokens)
        losses, gates = [], []
        for _ in range(loops):
            h = checkpoint(self.loop, h, use_reentrant=False) if checkpoints else self.loop(h)
            losses.append(F.cross_entropy(self.readout(h).flatten(0, 1), targets.flatten(), reduction="none"))
            gates.append(self.gate(h).flatten())
        stay, exits = torch.zeros_like(gates[0]), []
        for gate in gates[:-1]:
            exits.append(stay + F.logsigmoid(gate))
            stay = stay + F.logsigmoid(-gate)
        exits = torch.stack([*exits, stay])
        p = exits.exp()
        return ((p * torch.stack(losses)).sum(0) + 0.1 * (p * exits).sum(0)).mean()


def main():
    parser = argparse.ArgumentParser()
    for name, value in dict(width=384, heads=6, layers=4, vocabulary=4096, loops=4, batch=8, sequence=256).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--checkpoints", action="store_true")
    parser.add_argument("--autocast", action="store_true", help="bf16 where torch.autocast has it, f32 master weights")
    parser.add_argument("--serve", action="store_true", help="measure once for every line of standard input")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    inner = options.width * 8 // 3
    model = Looped(options.vocabulary, options.width, options.heads, options.layers, inner, options.sequence)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.999), weight_decay=0.1)
    stream = torch.randint(options.vocabulary, (options.batch * options.sequence + 1,))
    tokens, targets = (part.view(options.batch, -1) for part in (stream[:-1], stream[1:]))
    forward = torch.compile(model) if options.compile else model

    def step():
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.autocast):
            loss = forward(tokens, targets, options.loops, options.checkpoints)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    def seconds():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    def held():
        """The most bytes since `before`."""
        return 1024.0 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

    if options.serve:
        return serve({}, dict(step=seconds, step_bytes=held))
    step(), step()
    times, processor = [], time.process_time()
    for _ in range(options.steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    processor = (time.process_time() - processor) / options.steps
    count, median = tokens.numel(), sorted(times)[len(times) // 2]
    result = dict(
        parameters=sum(p.numel() for p in model.parameters()), milliseconds=1000 * median,
        fastest_milliseconds=1000 * min(times), processor_milliseconds=1000 * processor,
        tokens_per_second=count / median, tokens_per_processor_second=count / processor,
        resident_peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, threads=options.threads,
        torch=torch.__version__, compiled=options.compile, autocast=options.autocast,
    )  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
