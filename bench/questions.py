# SPDX-License-Identifier: Apache-2.0
"""The questions of queries.json against a server: CPU of the server and time of the clock."""
import contextlib
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from urllib.parse import quote, urlencode

from pace import Pace
from workload import say

# Server CPU in ms over 5M spans at rest, all matches, to reach; with nothing kept of answers before.
TARGETS_MS = {
    "service and name (all)": 10, "rare user.id (all)": 4, "duration over 2s (all)": 20,
    "status error (all)": 60, "regex url.path (all)": 6, "structural descendant (all)": 60,
    "count over 5 (all)": 60, "by and avg (all)": 60, "float over (all)": 10, "bool and service (all)": 20,
    "event attribute (all)": 30, "regex db.query.text (all)": 300, "rate by service": 50,
    "p99 by name": 150, "errors by service": 30, "tag/name/values": 2,
}

QUERIES = json.loads((Path(__file__).parent / "queries.json").read_text())
RUNS = 5
ALL = 100_000
PACE = Pace()
CALM, CALM_TRIES = 1.2, 8  # of the pace; a processor that others use too is waited for so often


def cpu_ns(server):
    """CPU of all threads of the server so far, those that have ended too, in ns."""
    clock_of_process = ~server.process.pid << 3 | 2  # as clock_getcpuclockid(3) makes it on Linux
    return time.clock_gettime_ns(clock_of_process)


def paths(first_s, last_s):
    """(name, path) of every question, over the time of the whole workload."""
    for query in QUERIES["search"]:
        for limit in query["limits"]:
            name = query["name"] + (" (all)" if limit == ALL else f" ({limit})")
            yield name, "/api/search?" + urlencode({"q": query["q"], "limit": limit, "spss": query["spss"]})
    for query in QUERIES["query_range"]:
        yield query["name"], "/api/metrics/query_range?" + urlencode(
            {"q": query["q"], "start": first_s, "end": last_s, "step": query["step"], "exemplars": 0})
    for path in QUERIES["tags"]:
        yield path.removeprefix("/api/v2/search/"), path


def matches(path, answer):
    if "traces" in answer:
        return len(answer["traces"])
    if "series" in answer:
        return len(answer["series"])
    return len(answer.get("tagValues", answer.get("scopes", [])))


def ask(server, path):
    before, began = cpu_ns(server), time.perf_counter()
    status, _, body = server.request("GET", path, timeout_s=300)
    wall = (time.perf_counter() - began) * 1e3
    if status != 200:
        raise RuntimeError(f"{path}: {status} {body[:300]!r}")
    time.sleep(0.002)  # what follows the answer belongs to it
    return (cpu_ns(server) - before) / 1e6, wall, body


def cpu_of(server, path, runs):
    """CPU in ms: the median of some runs after one that warms up."""
    ask(server, path)
    return sorted(ask(server, path)[0] for _ in range(runs))[runs // 2]


def ask_calmly(server, path, most):
    """(pace, CPU in ms, wall in ms): of at most so many tries the one with the processor at its best before and
    after."""
    tries = []
    while len(tries) < most and (not tries or min(tries)[0] > CALM):
        before = PACE.now()
        cpu, wall, _ = ask(server, path)
        tries.append((max(before, PACE.now()), cpu, wall))
    return min(tries)


def ask_all(server, first_s, last_s, runs=RUNS, tries=CALM_TRIES):
    """{question: {cpu_ms, wall_ms, matches, pace}}: the median of some runs after one that warms up, and the
    slowest pace of the processor beside them."""
    results = {}
    for name, path in paths(first_s, last_s):
        _, _, body = ask(server, path)
        calm = [ask_calmly(server, path, tries) for _ in range(runs)]
        middle = sorted(figures[1:] for figures in calm)[runs // 2]
        results[name] = {"cpu_ms": round(middle[0], 2), "wall_ms": round(middle[1], 2),
                         "matches": matches(path, json.loads(body)), "bytes": len(body),
                         "pace": round(max(calm)[0], 2)}
        say(f"  {name:36} {middle[0]:9.2f} ms CPU {middle[1]:9.2f} ms  {results[name]['matches']:>7} found"
            f"   pace {results[name]['pace']:.2f}")
    return results


def ask_timed(server, path):
    began = time.perf_counter()
    if server.request("GET", path, timeout_s=300)[0] != 200:
        raise RuntimeError(path)
    return (time.perf_counter() - began) * 1e3


def p95(times):
    return sorted(times)[(len(times) * 95 + 99) // 100 - 1]


@contextlib.contextmanager
def ahead_of_others():
    """The client is not what is measured: on the machine of the server it goes first, where that is allowed."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def beside_a_big_one(server, first_s, last_s, n=20, rounds=5):
    """p95 of n small questions alone, and beside one that scans everything, over and over: medians of rounds."""
    every = dict(paths(first_s, last_s))
    small, big = every["service and name (20)"], every["p99 by name"]
    ask_timed(server, small)

    def round_of_small():
        return p95([ask_timed(server, small) for _ in range(n)])

    with ahead_of_others():
        alone = sorted(round_of_small() for _ in range(rounds))[rounds // 2]

    def scan():
        while True:
            ask_timed(server, big)

    # A process of its own: threads of one Python hold each other up for milliseconds while answers are read.
    scanning = multiprocessing.get_context("fork").Process(target=scan, daemon=True)
    scanning.start()
    time.sleep(0.2)
    with ahead_of_others():
        beside = sorted(round_of_small() for _ in range(rounds))[rounds // 2]
    assert scanning.is_alive()
    os.kill(scanning.pid, signal.SIGKILL)  # no exit handlers: they would stop the server
    scanning.join()
    return alone, beside
