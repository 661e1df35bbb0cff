# SPDX-License-Identifier: Apache-2.0
"""How often the verdict on a rollout is right. The statistics on thousands of made-up rollouts of which the truth is
known (src/delivery/impact_bench.c), and some dozens through a real server with real spans."""
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
           "impact_missed_doubled_5": 0.10, "impact_missed_p95_20": 0.10, "impact_imprecision": 0.05,
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
    for kind in ("doubled_01", "doubled_1", "doubled_5", "p95_20"):
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


def through_a_server(n, seed, figure):
    """n services, each with a rollout of two versions side by side; every third is worse."""
    from traffic import Traffic
    wrong, times, began = [], [], time.monotonic()
    with Server(config="impact:\n  enabled: false\n") as server:
        t = int(time.time()) - 2400
        for i in range(n):
            traffic = Traffic(server, seed * 1000 + i, service=f"service-{i}")
            traffic.send("1", t - 600, t + 900, 4000, 0.01, pods=4)
            traffic.send("2", t, t + 900, 3000, 0.05 if i % 3 == 0 else 0.01, pods=4)
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
