#!/usr/bin/env python3
"""Measures a training step on 1, 2 and 4 ranks, and projects it to 64 nodes: ./Benchmarks/ranks.py [--quick]

Builds the probe with MPI into .build-mpi and writes results/ranks.json and results/ranks.md; on a machine that does nothing else. With --table alone the
table is made again from the JSON. On --network RATE (as root; 1gbit, 10gbit) the ranks are two hosts in network
namespaces, between which the kernel lets so much through: what the projection says of that is compared with it.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "Benchmarks" / "results"
PROBE = ROOT / ".build-mpi" / "release" / "TrainingProbe"

# Sequences per rank stay as many: more ranks make a larger batch (weak scaling).
SIZES = {
    "small": dict(width=256, heads=4, layers=3, vocabulary=2048, loops=4, sequence=128),
    "medium": dict(width=384, heads=6, layers=4, vocabulary=4096, loops=4, sequence=128),
    "wide": dict(width=768, heads=12, layers=4, vocabulary=8192, loops=2, sequence=128),
}
PER_RANK = 4
BUCKET = 1 << 20
# What a message costs before its first byte, and bytes per second: assumptions, from the links' data sheets.
LINKS = {"10 Gbit/s, TCP": (30e-6, 10e9 / 8), "100 Gbit/s, RDMA": (3e-6, 100e9 / 8)}
NODES = (2, 4, 8, 16, 32, 64)


def build():
    script = (". Scripts/setup.sh; LOOPED_MPI=1 setup_swift; "
              'swift build "${build_flags[@]}" --traits MPI --scratch-path .build-mpi --product TrainingProbe')
    subprocess.run(["bash", "-c", script], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def probe(size, ranks, steps, options=(), before=()):
    arguments = [f"--{key}={value}" for key, value in SIZES[size].items()]
    command = [str(PROBE), "decoder-bench", *arguments, f"--batch={PER_RANK * ranks}", f"--steps={steps}", "--json"]
    if ranks > 1:
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", *options, "-n", str(ranks), *command]
    environment = os.environ | {"LOOPED_THREADS": "1"}
    result = subprocess.run([*before, *command], check=True, capture_output=True, text=True, env=environment)
    return json.loads(result.stdout)


def ring(numbers, ranks, link):
    """Seconds of a reduce-scatter, or an all-gather, of so many numbers in buckets: (P - 1) · (α + bytes / P / β)."""
    latency, rate = link
    buckets = -(-int(numbers) // BUCKET)
    return (ranks - 1) * (buckets * latency + 4 * numbers / ranks / rate)


def projected(entry, ranks, link):
    """The step of one rank with what communication adds: nothing of it hidden, and as much as the backward pass can."""
    compute, numbers = entry["processor_milliseconds"] / 1000, entry["parameters"]
    reduce, gather = ring(numbers, ranks, link), ring(numbers, ranks, link)
    # Two thirds of a step are the backward pass; of it the part of the last shard in which gradients become whole is
    # 1 / loops. The bucket that is whole last is never hidden.
    window = compute * 2 / 3 / entry["loops"]
    last = ring(min(numbers, BUCKET), ranks, link)
    hidden = min(window, reduce - last)
    return compute, compute + reduce + gather, compute + reduce - hidden + gather


def table(results):
    lines = ["# Training on several ranks", "", f"Measured on {results['machine']}, {results['date']}; every rank computes "
             "with one thread.", ""]
    if results["load"] > 0.5:
        lines += [f"**Other work used the processors meanwhile (load {results['load']:.1f} before the first measurement): times of "
                  "the clock are upper bounds, and hold a good deal of waiting for a processor. Processor times hold.**", ""]
    lines += ["## Measured", ""]
    lines += ["| model | parameters | ranks | step, ms | processor, ms per rank | reduce, ms | waited for, ms | hidden | update and gather, ms | "
              "gather, ms | MB sent per rank |", "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for entry in results["measured"]:
        row = [entry["size"], f"{entry['parameters'] / 1e6:.1f} M", f"{entry['ranks']:.0f}", f"{entry['milliseconds']:.0f}",
               f"{entry['processor_milliseconds']:.0f}"]
        if entry["ranks"] > 1:
            row += [f"{entry[key + '_milliseconds']:.1f}" for key in ("reducing", "waiting")]
            row += [f"{100 * entry['overlap']:.0f} %"]
            row += [f"{entry[key + '_milliseconds']:.1f}" for key in ("updating", "gathering")]
            row += [f"{entry['megabytes_sent']:.1f}"]
        else:
            row += ["–"] * 6
        lines.append("| " + " | ".join(row) + " |")
    if results.get("network"):
        lines += ["", "## Measured between two hosts, and what the model below says", "",
                  "| model | link | step, ms | MB sent per rank | communication, ms: measured | by the formula |",
                  "|---|---|---:|---:|---:|---:|"]
        for entry in results["network"]:
            link = (entry["latency"], entry["rate"])
            formula = 2000 * ring(entry["parameters"], 2, link)
            took = entry["reducing_milliseconds"] + entry["gathering_milliseconds"]
            lines.append(f"| {entry['size']} | {entry['rate'] * 8 / 1e9:g} Gbit/s | {entry['milliseconds']:.0f} | "
                         f"{entry['megabytes_sent']:.1f} | {took:.1f} | {formula:.1f} |")
    lines += ["", "## Projected", "", "No cluster was measured: this is the formula of Documentation/DistributedTraining.md "
              "with the step of one rank measured above.", "",
              "Share of the step that is computation, with nothing hidden / with the reduction hidden as far as it can be:",
              "", "| model | link | " + " | ".join(f"{n} nodes" for n in NODES) + " |", "|---|---|" + "---:|" * len(NODES)]
    singles = [entry for entry in results["measured"] if entry["ranks"] == 1]
    for entry in singles + results.get("assumed", []):
        for name, link in LINKS.items():
            cells = []
            for nodes in NODES:
                compute, plain, overlapped = projected(entry, nodes, link)
                cells.append(f"{100 * compute / plain:.0f} / {100 * compute / overlapped:.0f} %")
            lines.append(f"| {entry['size']} | {name} | " + " | ".join(cells) + " |")
    (RESULTS / "ranks.md").write_text("\n".join(lines) + "\n")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} processors"
    return platform.machine()


def between_hosts(rate, steps, sizes):
    """Two ranks in network namespaces of their own, with so many bits per second between them."""
    names = [f"ranks-{os.getpid()}-{side}" for side in "ab"]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in names:
                subprocess.run(["ip", "netns", "add", name], check=True)
            link = f"link add cable type veth peer name cable netns {names[1]}"
            subprocess.run(["ip", "-n", names[0], *link.split()], check=True)
            for number, name in enumerate(names, 1):
                subprocess.run(["ip", "-n", name, "address", "add", f"10.78.0.{number}/24", "dev", "cable"], check=True)
                for device in ("lo", "cable"):
                    subprocess.run(["ip", "-n", name, "link", "set", device, "up"], check=True)
                limit = f"qdisc add dev cable root tbf rate {rate} burst 256kb latency 50ms"
                subprocess.run(["ip", "netns", "exec", name, "tc", *limit.split()], check=True)
            agent = pathlib.Path(folder) / "agent"
            agent.write_text(f'#!/bin/bash\nshift\nexec ip netns exec {names[1]} unshare --uts bash -c "hostname b; $*"\n')
            agent.chmod(0o755)
            before = ["ip", "netns", "exec", names[0], "unshare", "--uts", "bash", "-c", 'hostname a; exec "$@"', "-"]
            options = ["--host", "10.78.0.1:1,10.78.0.2:1", "--bind-to", "none", "--mca", "plm_rsh_agent", str(agent),
                       "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "cable",
                       "--mca", "oob_tcp_if_include", "cable"]
            for size in sizes:
                entry = probe(size, 2, steps, options, before)
                bits = float(rate.removesuffix("mbit").removesuffix("gbit")) * (1e9 if rate.endswith("gbit") else 1e6)
                found.append(entry | dict(size=size, latency=30e-6, rate=bits / 8))
        finally:
            for name in names:
                subprocess.run(["ip", "netns", "delete", name], capture_output=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--table", action="store_true", help="make the table again")
    parser.add_argument("--network", action="append", default=[], metavar="RATE", help="1gbit, 10gbit; as root")
    options = parser.parse_args()
    path = RESULTS / "ranks.json"
    if not options.table:
        build()
        steps = 3 if options.quick else 15
        date = subprocess.run(["date", "-u", "+%Y-%m-%d"], check=True, capture_output=True, text=True).stdout.strip()
        results = dict(machine=processor(), date=date, load=os.getloadavg()[0], measured=[], network=[])
        for size in options.sizes:
            for ranks in (1, 2, 4):
                results["measured"].append(probe(size, ranks, steps) | dict(size=size, loops=SIZES[size]["loops"]))
        for rate in options.network:
            results["network"] += between_hosts(rate, steps, options.sizes)
        path.write_text(json.dumps(results, indent=1) + "\n")
    table(json.loads(path.read_text()))


main()
