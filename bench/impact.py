# SPDX-License-Identifier: Apache-2.0
"""How often the verdict on a rollout is right. The statistics on thousands of made-up rollouts of which the truth is
known (src/impact/impact_bench.c), and some dozens through a real server with real spans."""
import json
import subprocess
import sys
import time

from takt import Server
from workload import ROOT, say

sys.path.insert(0, str(ROOT / "tests/api"))

BENCH = ROOT / "build/release/bench/impact_bench"
# What each figure should at most be; those of `missed` are 1 - recall.
TARGETS = {"impact_false_share": 0.01, "impact_missed_doubled_01": 0.10, "impact_missed_doubled_1": 0.10,
           "impact_missed_doubled_5": 0.10, "impact_missed_p95_20": 0.10, "impact_missed_doubled_hidden": 0.10,
           "impact_missed_doubled_sampled": 0.10, "impact_missed_p95_30_hidden": 0.10, "impact_false_callers_shift": 0.01,
           "impact_false_sampled": 0.01, "impact_imprecision": 0.05,
           "impact_few_not_insufficient": 0, "impact_stream_false": 0.05, "impact_server_wrong": 0}


def made_up(scale, seed, figure):
    out = subprocess.run([str(BENCH), str(seed), str(max(20, int(400 * scale)))], check=True, capture_output=True,
                         text=True).stdout
    print(out)
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}

    def value(row, name):
        return float(rows[row][rows[row].index(name) + 1])

    figure("impact_false_share", float(rows["false_share"][1]), 4)
    figure("impact_false_confirmed", value("false_share", "confirmed"), 4)
    figure("impact_imprecision", 1 - float(rows["precision"][1]), 4)
    for kind in ("callers_shift", "sampled"):
        figure(f"impact_false_{kind}", value(f"same_{kind}", "called"), 4)
    for kind in ("doubled_01", "doubled_1", "doubled_5", "p95_20", "doubled_hidden", "doubled_sampled", "p95_30_hidden"):
        figure(f"impact_missed_{kind}", 1 - value(kind, "called"), 4)
    figure("impact_few_not_insufficient", float(rows["few_not_insufficient"][1]), 0)
    figure("impact_stream_false", value("stream_same", "called"), 4)
    figure("impact_delay_doubled_1_minutes", value("stream_doubled", "median_minutes"), 0)


def deploy(server, service, began):
    event = {"specversion": "1.0", "id": service, "source": "bench", "type": "dev.takt.deploy",
             "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began + 900)),
             "data": {"id": service, "service": service, "environment": "production", "version": "2", "state": "success",
                      "started_at": began}}
    status, _, answer = server.request("POST", "/events", json.dumps(event), {"Content-Type": "application/cloudevents+json"})
    assert status == 202, answer


def send_pair(traffic, t, i):
    """Two versions side by side. Every third is worse; every second of those is called mostly by whom fails little, and
    of the others every second mostly by whom fails much."""
    worse = 5 if i % 3 == 0 else 1
    old, new = ((0.8, 0.2) if worse == 1 else (0.2, 0.8)) if i % 2 else (0.5, 0.5)  # the share of web
    for version, start, requests, share, by in (("1", t - 600, 4000, old, 1), ("2", t, 3000, new, worse)):
        calm = int(requests * share)
        traffic.send(version, start, t + 900, calm, 0.003 * by, pods=4, caller="web")
        traffic.send(version, start, t + 900, requests - calm, 0.017 * by, pods=4, caller="batch")


def through_a_server(n, seed, figure):
    """n services, each with a rollout of two versions side by side; see send_pair."""
    from traffic import Traffic
    wrong, times, began = [], [], time.monotonic()
    with Server(config="impact:\n  enabled: false\n") as server:
        t = int(time.time()) - 2400
        for i in range(n):
            traffic = Traffic(server, seed * 1000 + i, service=f"service-{i}")
            send_pair(traffic, t, i)
            deploy(server, f"service-{i}", t)
        rollouts = {r["service"]: r["id"] for r in server.get_json("/api/takt/delivery/deploys?limit=10000")["rollouts"]}
        for i in range(n):
            asked = time.monotonic()
            verdict = server.get_json(f"/api/takt/delivery/impact?rollout={rollouts[f'service-{i}']}")["verdict"]
            times.append(time.monotonic() - asked)
            if (verdict in ("suspect", "confirmed")) != (i % 3 == 0):
                wrong.append((i, verdict))
    print(f"through a server: {n} rollouts in {time.monotonic() - began:.0f} s, wrong: {wrong}")
    figure("impact_server_wrong", len(wrong), 0)
    figure("impact_compute_p50_ms", sorted(times)[n // 2] * 1000, 0)


def measure(scale, seed, figure):
    say(f"impact: made-up rollouts, seed {seed}")
    made_up(scale, seed, figure)
    say("impact: through a server")
    through_a_server(max(6, int(36 * scale)), seed, figure)
