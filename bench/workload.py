# SPDX-License-Identifier: Apache-2.0
"""The workload as a file, how it is sent, and whether it came in whole. For benchmarks and tests."""
import http.client
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build/bench"
REPLAY = ROOT / "build/tools/replay"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Workload:
    """The file, and what is known about it."""

    def __init__(self, spans, seed):
        OUT.mkdir(parents=True, exist_ok=True)
        self.prefix = OUT / f"w{spans}s{seed}"
        if not self.prefix.with_suffix(".json").exists():
            say(f"making the workload: {spans} spans, seed {seed}")
            window_s = max(60, spans * 1200 // 1_000_000)
            subprocess.run([sys.executable, ROOT / "bench/gen.py", self.prefix, str(spans), str(window_s),
                            str(seed)], check=True, stdout=subprocess.DEVNULL)
        self.truth = json.loads(self.prefix.with_suffix(".json").read_text())
        self.spans, self.n_requests = self.truth["spans"], self.truth["batches"]
        self.traces = []  # (trace id, spans, numbers of its requests)
        for line in self.prefix.with_suffix(".truth").read_text().splitlines():
            trace_id, n, requests = line.split()
            self.traces.append((trace_id, int(n), [int(r) for r in requests.split(",")]))

    def replay(self, server, *options, wait=True):
        port = server.port("otlp-http")
        command = [str(REPLAY), "-f", f"{self.prefix}.bin", "-p", str(port), *map(str, options)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return json.loads(process.communicate()[0]) if wait else process


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7


def spans_of(body):
    """The number of distinct and of all spans in a v2 protobuf answer: fields 1.1.2.2 and their id."""
    ids = []

    def walk(data, path):
        at = 0
        while at < len(data):
            tag, at = varint(data, at)
            if tag & 7 == 0:
                _, at = varint(data, at)
            elif tag & 7 == 1:
                at += 8
            elif tag & 7 == 5:
                at += 4
            else:
                size, at = varint(data, at)
                number, content = tag >> 3, data[at:at + size]
                at += size
                if len(path) < 4 and number == (1, 1, 2, 2)[len(path)]:
                    walk(content, path + (number,))
                elif len(path) == 4 and number == 2:
                    ids.append(content)

    walk(memoryview(body), ())
    ids = [bytes(i) for i in ids]
    return len(set(ids)), len(ids)


def check_traces(server, traces):
    """Looks traces up; returns (spans missing, spans doubled)."""
    missing = doubled = 0
    connection = http.client.HTTPConnection("127.0.0.1", server.port(), timeout=60)
    for trace_id, n, _ in traces:
        connection.request("GET", f"/api/v2/traces/{trace_id}", headers={"Accept": "application/protobuf"})
        answer = connection.getresponse()
        body = answer.read()
        distinct, all_of_them = spans_of(body) if answer.status == 200 else (0, 0)
        missing += max(0, n - distinct)
        doubled += all_of_them - distinct
    connection.close()
    return missing, doubled
