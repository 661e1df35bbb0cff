# SPDX-License-Identifier: Apache-2.0
"""What delivery costs: events taken in, facts made again, a history imported, a year measured."""
import http.client
import json
import os
import subprocess
import threading
import time
from pathlib import Path

from takt import BINARY, Server, temporary_directory
from workload import ROOT, say

BENCH = ROOT / "build/release/bench/delivery_bench"
LINKS = ROOT / "build/release/bench/failure_bench"
# At a scale of 1 (make bench): what to reach.
TARGETS = {"event_cpu_us": 600, "reprocess_s_per_1m": 60, "import_50k_s": 20, "import_again_s": 1,
           "measure_year_ms": 200, "late_event_ms": 200, "links_20k_cpu_ms": 1000}


def deploy(i):
    return {"specversion": "1.0", "id": f"e{i}", "source": "bench", "type": "dev.takt.deploy", "time": "2026-03-01T10:00:00Z",
            "data": {"id": f"d{i}", "service": f"service-{i % 1000}", "environment": "production", "version": f"v{i // 1000}",
                     "state": "success", "started_at": 1767225600 + i % 20_000_000, "succeeded_at": 1767225660 + i % 20_000_000}}


def send(server, first, n):
    """One event a request, as hooks do."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port(), timeout=60)
    for i in range(first, first + n):
        connection.request("POST", "/events", json.dumps(deploy(i)), {"Content-Type": "application/cloudevents+json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status
    connection.close()


def intake(n, threads=8):
    with Server() as server:
        before = server.cpu_s()
        workers = [threading.Thread(target=send, args=(server, i * (n // threads), n // threads)) for i in range(threads)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        return (server.cpu_s() - before) / n * 1e6


def reprocess(n, batch=5000):
    """Events in batches, then all facts again, straight on the directory."""
    with Server() as server:
        for i in range(0, n, batch):
            body = json.dumps([deploy(k) for k in range(i, min(n, i + batch))])
            status, _, answer = server.request("POST", "/events", body, {"Content-Type": "application/cloudevents-batch+json"})
            assert status == 202, answer
        server.stop()
        began = time.monotonic()
        subprocess.run([BINARY, "reprocess", "--data", str(server.data)], check=True, stdout=subprocess.DEVNULL)
        return (time.monotonic() - began) / n * 1e6


def history(folder, commits):
    """A repository of one branch with a tag every 25 commits, made by git fast-import."""
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    lines = []
    for i in range(1, commits + 1):
        text = f"change {i} (#{i})"
        lines += ["commit refs/heads/main", f"mark :{i}", f"author A <a@example.org> {1700000000 + i * 600} +0000",
                  f"committer A <a@example.org> {1700000000 + i * 600 + 60} +0000", f"data {len(text)}", text]
        if i > 1:
            lines.append(f"from :{i - 1}")
        lines += [f"M 100644 inline f{i % 100}", f"data {len(str(i))}", str(i), ""]
        if i % 25 == 0:
            lines += [f"tag v{i}", f"from :{i}", f"tagger A <a@example.org> {1700000000 + i * 600 + 120} +0000", "data 1", "x"]
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input="\n".join(lines).encode(), check=True,
                   env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"})


def imports(commits):
    folder, data = temporary_directory() / "repo.git", temporary_directory() / "data"
    history(folder, commits)
    times = []
    for _ in range(2):
        began = time.monotonic()
        subprocess.run([BINARY, "import", "git", str(folder), "--service", "s", "--tags", "^v", "--data", str(data)], check=True,
                       stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - began)
    return times


def year(services, rollouts):
    """(ms of the slowest measure over a year, ms until a late event is in them)"""
    folder = temporary_directory()
    out = subprocess.run([str(BENCH), str(folder), str(services), str(rollouts)], check=True, capture_output=True, text=True).stdout
    worst = max(float(line.split()[1]) for line in out.splitlines() if " ms  n = " in line)
    late = next(float(line.split(":")[1].split()[0]) for line in out.splitlines() if line.startswith("one late event"))
    return worst, late


def links(n):
    """CPU ms to link so many incidents of one service with as many rollouts."""
    out = subprocess.run([str(LINKS), str(n)], check=True, capture_output=True, text=True).stdout
    return float(out.split("incidents:")[1].split()[0])


def measure(scale, figure):
    """scale 1: the sizes of the targets."""
    say("delivery: events")
    figure("event_cpu_us", intake(max(400, int(20_000 * scale)) // 8 * 8), 0)
    say("delivery: facts again")
    figure("reprocess_s_per_1m", reprocess(max(2000, int(200_000 * scale))), 1)
    say("delivery: a history")
    first, again = imports(max(1000, int(50_000 * scale)))
    figure("import_50k_s", first)
    figure("import_again_s", again)
    if Path(BENCH).exists():
        say("delivery: a year")
        worst, late = year(max(20, int(1000 * scale)), 200)
        figure("measure_year_ms", worst, 0)
        figure("late_event_ms", late, 0)
    if LINKS.exists():
        say("delivery: incidents and rollouts")
        figure("links_20k_cpu_ms", links(max(200, int(20_000 * scale))), 0)
