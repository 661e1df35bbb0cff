# SPDX-License-Identifier: Apache-2.0
"""The demo's story: its past has values, and what breaks live is seen in traces, told as an incident, rolled back
and over."""
import json
import re
import subprocess
import time
import urllib.parse

from client import until
from commands import takt
from takt import BINARY, Server


class Demo:
    """A `takt demo` on free ports, as a server."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [BINARY, "demo", "--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0",
             *flags], stdout=subprocess.PIPE, text=True)
        self.began = time.time()
        text = ""
        while "ends it" not in text:
            line = self.process.stdout.readline()
            assert line, text
            text += line
        self.seconds = time.time() - self.began
        self.server = Server()
        self.server.process = self.process
        self.server.addresses["http"] = ("127.0.0.1", int(re.search(r"Open +http://[^:]+:(\d+)", text)[1]))
        self.url = f"http://127.0.0.1:{self.server.port()}"

    def ask(self, path, **parameters):
        return self.server.get_json(f"/api/takt/delivery/{path}?" + urllib.parse.urlencode(parameters))

    def measures(self):
        return {m["name"]: m for m in self.ask("measures")["measures"]}

    def rollouts(self, **parameters):
        return self.ask("deploys", limit=500, **parameters)["rollouts"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            assert self.process.wait(20) == 0
        finally:
            self.process.stdout.close()


def until_told(demo):
    """The whole past is there."""
    def told():
        found = demo.measures()
        return found if found["rollback_rate"].get("n", 0) > 100 and found["detect_time"].get("n", 0) > 5 else None
    until("the past", told, 15)
    time.sleep(0.5)


def past(demo):
    """The twelve weeks are there within seconds, from every tool, and nothing of them was refused."""
    until_told(demo)
    print(f"# the past is told after {time.time() - demo.began:.1f} s")
    found = demo.measures()
    # The shop has no bots, reports no test cases, and its hooks do not name the default branch; on some days all
    # that was merged is delivered.
    nothing = {name for name, m in found.items() if m.get("value") is None}
    assert nothing <= {"bot_change_lead_time", "flaky_test_rate", "pipeline_default_rate", "waiting_changes"}, nothing
    assert found["lead_time"]["n"] > 100 and 3600 < found["lead_time"]["value"] < 7 * 86400, found["lead_time"]
    assert 0 < found["change_failure_rate"]["value"] < 0.4, found["change_failure_rate"]
    intake = demo.ask("intake")
    assert {s["source"] for s in intake["sources"]} == {
        "argo-rollouts", "events", "github", "launchdarkly", "pagerduty"}, intake
    assert not any(s["unknown"] or s["aside"] for s in intake["sources"]) and not intake["refused_in_all"], intake
    services = demo.ask("services")
    assert len(demo.rollouts()) > 100 and "staging" in json.dumps(services), services
    for words in (["dora"], ["deploys"], ["why", found["lead_time"]["figure"]]):
        code, out, err = takt(*words, "--server", demo.url)
        assert code == 0 and len(out.splitlines()) > 5, (words, out, err)


def what_changed(demo):
    """Of the deploys of the past: files of every kind, from the repositories; how to take the newest back."""
    until_told(demo)
    newest, kinds, known = {}, set(), 0
    for r in demo.rollouts(service="checkout"):
        if r["environment"] == "production" and r["state"] == "success":
            newest.setdefault("id", r["id"])
            files = demo.ask("changed", rollout=r["id"])["files"]
            kinds |= {k["kind"] for k in files["kinds"]}
            known += files["state"] == "known" and files["by"] == "git"
    assert known > 5 and kinds >= {"code", "test", "config", "dependency", "migration"}, (known, kinds)
    rollback = demo.ask("deploy", rollout=newest["id"])["rollback"]
    assert rollback["tool"] == "Argo Rollouts" and rollback["command"] == "kubectl argo rollouts undo checkout", rollback


def live_break(demo):
    """A new version of checkout errs, an incident begins, the old one comes back, the errors are over."""
    def errors_of(version):
        query = ('{ resource.service.name = "checkout" && resource.service.version = "%s" && status = error }' % version)
        return demo.server.get_json("/api/search?" + urllib.parse.urlencode({"q": query, "limit": 100}))["traces"]

    def newest(**want):
        for r in demo.rollouts(service="checkout"):
            if all(r.get(k) == v for k, v in want.items()):
                return r
        return None

    until_told(demo)
    before = until("the version before", lambda: newest(state="success"), 10)
    bad = until("the bad rollout", lambda: (r := newest(state="success")) and r["version"] != before["version"] and r, 40)
    assert until("its errors", lambda: len(errors_of(bad["version"])) > 3, 30)
    back = until("the rollback", lambda: newest(kind="rollback", version=before["version"]), 60)
    until("its end", lambda: demo.measures()["restore_time"]["n"] > 0 and time.time() - demo.began > 66, 60)
    bad = next(r for r in demo.rollouts(service="checkout") if r["version"] == bad["version"])
    assert bad.get("failure") or bad.get("failed"), bad
    why = demo.ask("why", figure=demo.measures()["restore_time"]["figure"])
    assert any("checkout" in json.dumps(r) for r in why["rows"]), why["rows"][-3:]
    since = int(time.time()) - 5
    query = '{ resource.service.name = "checkout" } | rate() by (resource.service.version)'
    answer = demo.server.get_json("/api/metrics/query_range?" + urllib.parse.urlencode(
        {"q": query, "start": since, "end": since + 4, "step": "4s"}))
    running = {s["labels"][0]["value"]["stringValue"] for s in answer["series"]
               if any(float(x.get("value", 0)) > 0 for x in s["samples"])}
    assert running == {before["version"]}, (running, before["version"], back)

    def is_gone():  # once there are requests enough to say so
        kinds = demo.ask("impact", rollout=back["id"], fresh="true").get("errorKinds", {"kinds": []})["kinds"]
        return ("IllegalStateError", "gone") in {(k["type"], k["state"]) for k in kinds}
    until("its kind of error is gone", is_gone, 60)


def only_traces():
    with Demo("--no-ships") as demo:
        until("a trace", lambda: demo.server.get_json("/api/search?limit=1")["traces"], 10)
        assert not demo.ask("intake")["sources"] and not demo.rollouts()


def load_that_ships():
    with Server() as server:
        url = f"http://127.0.0.1:{server.port()}"
        code, out, err = takt("load", "--target", f"http://127.0.0.1:{server.port('otlp-http')}", "--rate", "200",
                              "--duration", "3s", "--ships", url)
        assert code == 0, err
        answer = server.get_json("/api/takt/delivery/deploys?limit=500")
        assert len(answer["rollouts"]) > 100
    code, _, err = takt("load", "--ships", url, "--spans", "5")
    assert code == 2 and "--ships" in err, err


def cases(tap):
    with Demo() as demo:
        print(f"# the address after {demo.seconds:.2f} s")
        tap.case("past", past, demo)
        tap.case("what_changed", what_changed, demo)
        tap.case("live_break", live_break, demo)
    for case in (only_traces, load_that_ships):
        tap.case(case.__name__, case)
