# SPDX-License-Identifier: Apache-2.0
"""Pipelines that tell their runs as traces, as their emitters send them: runs, jobs, deploys and tests of delivery,
once each, whoever tells them, over crashes; and ordinary traces all the same."""
import hashlib
import json
import sqlite3
import time

import openmetrics
import otlp
from client import expect_stored, until
from takt import Server

SECOND = 10 ** 9
SHA = "3f1e6a0c9b2d4e5f60718293a4b5c6d7e8f90123"


def attributes(values):
    def value(v):
        return {"boolValue": v} if isinstance(v, bool) else {"intValue": v} if isinstance(v, int) else {"stringValue": v}
    return [{"key": k, "value": value(v)} for k, v in values.items()]


def span(trace, number, parent, name, start, end, failed=False, kind=1, **values):
    s = {"traceId": trace, "spanId": number if isinstance(number, str) else f"{number:016x}", "name": name, "kind": kind,
         "startTimeUnixNano": start, "endTimeUnixNano": end, "attributes": attributes(values.pop("own", {}))}
    if parent:
        s["parentSpanId"] = parent if isinstance(parent, str) else f"{parent:016x}"
    if failed:
        s["status"] = {"code": 2}
    return s


def request(resource, *spans, scope="t"):
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource)},
                               "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def convention(at):
    """As the conventions have it: ids on the resource, results on the spans, a deploy and a test."""
    trace = "01" * 16
    resource = {"service.name": "shop", "cicd.pipeline.name": "release", "cicd.pipeline.run.id": "77",
                "cicd.pipeline.run.url.full": "https://ci.example.com/runs/77",
                "vcs.repository.url.full": "https://git.example.com/acme/shop", "vcs.provider.name": "gitea",
                "vcs.ref.head.name": "main", "vcs.ref.head.revision": SHA}
    return [request(resource,
                    span(trace, 1, None, "RUN release", at, at + 300 * SECOND, kind=2,
                         own={"cicd.pipeline.result": "success"}),
                    span(trace, 2, 1, "unit tests", at + 10 * SECOND, at + 100 * SECOND,
                         own={"cicd.pipeline.task.name": "unit tests", "cicd.pipeline.task.run.id": "77-1",
                              "cicd.pipeline.task.run.url.full": "https://ci.example.com/runs/77/1",
                              "cicd.pipeline.task.run.result": "success", "cicd.pipeline.task.type": "test"}),
                    span(trace, 3, 2, "cart adds", at + 20 * SECOND, at + 21 * SECOND, failed=True,
                         own={"test.case.name": "cart adds", "test.case.result.status": "fail"}),
                    span(trace, 4, 1, "deploy", at + 110 * SECOND, at + 290 * SECOND,
                         own={"cicd.pipeline.task.name": "deploy", "cicd.pipeline.task.run.id": "77-2",
                              "cicd.pipeline.task.run.result": "success", "cicd.pipeline.task.type": "deploy",
                              "deployment.environment.name": "production", "service.version": "v7"}),
                    span(trace, 5, 4, "kubectl apply", at + 120 * SECOND, at + 121 * SECOND))]


def github_ids(run, attempt):
    return (hashlib.sha256(f"{run}{attempt}t".encode()).hexdigest()[:32],
            hashlib.sha256(f"{run}{attempt}s".encode()).hexdigest()[16:32])


def github_receiver(at, run=30433642, attempt=2):
    """The collector's receiver: everything on the resource, numbers as integers, the attempt only in the ids; the
    job's request has its wait and its steps."""
    trace, root = github_ids(run, attempt)
    both = {"service.name": "shop", "vcs.vendor.name": "github", "cicd.pipeline.name": "build and test",
            "cicd.pipeline.run.id": run, "vcs.repository.url.full": "https://github.com/acme/shop",
            "vcs.ref.head": "main", "vcs.ref.head.revision": SHA}
    job = {**both, "cicd.pipeline.task.name": "test", "cicd.pipeline.task.run.id": 992,
           "cicd.pipeline.task.run.url.full": f"https://github.com/acme/shop/actions/runs/{run}/job/992",
           "cicd.pipeline.run.task.status": "failure"}
    return [request({**both, "cicd.pipeline.run.status": "failure",
                     "cicd.pipeline.run.url.full": f"https://github.com/acme/shop/actions/runs/{run}"},
                    span(trace, root, None, "build and test", at, at + 200 * SECOND, failed=True, kind=2)),
            request(job, span(trace, "00000000000000a1", root, "test", at + 5 * SECOND, at + 190 * SECOND, failed=True, kind=2),
                    span(trace, "00000000000000a2", "00000000000000a1", "queue-test", at, at + 5 * SECOND),
                    span(trace, "00000000000000a3", "00000000000000a1", "npm test", at + 8 * SECOND, at + 180 * SECOND,
                         failed=True, own={"cicd.pipeline.task.name": "npm test",
                                           "cicd.pipeline.run.task.status": "failure"}))]


def github_webhook(at, run=30433642, attempt=2):
    def stamp(ns):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // SECOND))
    return {"action": "completed", "repository": {"id": 1, "full_name": "acme/shop", "html_url": "https://github.com/acme/shop"},
            "workflow_run": {"id": run, "name": "build and test", "run_attempt": attempt, "status": "completed",
                             "conclusion": "failure", "head_sha": SHA, "head_branch": "main", "event": "push",
                             "created_at": stamp(at), "run_started_at": stamp(at), "updated_at": stamp(at + 200 * SECOND)}}


def gitlab_receiver(at):
    """GitLab's own words, jobs as servers, the environment and its tier on the job."""
    trace = "04" * 16
    resource = {"service.name": "acme/cart", "vcs.provider.name": "gitlab", "cicd.pipeline.name": "Cart",
                "cicd.pipeline.run.id": 555, "cicd.pipeline.run.url.full": "https://gitlab.com/acme/cart/-/pipelines/555",
                "cicd.pipeline.result": "failed", "vcs.repository.url.full": "https://gitlab.com/acme/cart",
                "vcs.ref.head.name": "main", "vcs.ref.head.revision": SHA}
    return [request(resource,
                    span(trace, 1, None, "Cart", at, at + 90 * SECOND, failed=True, kind=2),
                    span(trace, 2, 1, "lint", at + SECOND, at + 20 * SECOND, kind=2,
                         own={"cicd.pipeline.task.name": "lint", "cicd.pipeline.task.run.id": 91,
                              "cicd.pipeline.task.run.result": "success"}),
                    span(trace, 3, 1, "to production", at + 30 * SECOND, at + 80 * SECOND, failed=True, kind=2,
                         own={"cicd.pipeline.task.name": "to production", "cicd.pipeline.task.run.id": 92,
                              "cicd.pipeline.task.run.result": "failed", "gitlab.environment.action": "start",
                              "cicd.pipeline.task.run.environment.name": "live/eu",
                              "gitlab.environment.deployment_tier": "production"}))]


def jenkins(at):
    """The plugin: steps are sent before the run, and do not name it."""
    trace, resource = "05" * 16, {"service.name": "jenkins", "service.namespace": "jenkins"}
    return [request(resource,
                    span(trace, 3, 2, "Stage: Build", at + SECOND, at + 50 * SECOND,
                         own={"jenkins.pipeline.step.type": "stage", "jenkins.pipeline.step.name": "Build",
                              "jenkins.pipeline.step.id": "8"}),
                    span(trace, 4, 3, "git: checkout", at + 2 * SECOND, at + 4 * SECOND,
                         own={"jenkins.pipeline.step.type": "checkout", "jenkins.pipeline.step.id": "9",
                              "git.branch": "main", "git.repository": "acme/shop"})),
            request(resource,
                    span(trace, 2, 1, "Phase: Run", at, at + 59 * SECOND),
                    span(trace, 1, None, "web/shop", at, at + 60 * SECOND, kind=2,
                         own={"ci.pipeline.id": "web/shop", "ci.pipeline.name": "web » shop", "ci.pipeline.type": "workflow",
                              "ci.pipeline.run.number": 12, "ci.pipeline.run.result": "UNSTABLE",
                              "ci.pipeline.run.url": "https://ci.example.com/job/web/job/shop/12/",
                              "ci.pipeline.run.durationMillis": 60000, "ci.pipeline.run.user": "ann"}))]


def actions_exporter(at):
    """An action that exports the run it is part of: GitHub's own names on the spans."""
    trace = "06" * 16
    return [request({"service.name": "build and test", "github.repository": "acme/search"},
                    span(trace, 1, None, "build and test", at, at + 70 * SECOND, kind=1,
                         own={"github.run_id": 41, "github.run_attempt": 1, "github.workflow": "build and test",
                              "github.conclusion": "success", "github.head_sha": SHA, "github.head_branch": "main"}),
                    span(trace, 2, 1, "lint", at + SECOND, at + 60 * SECOND,
                         own={"github.job.id": 4101, "github.job.name": "lint", "github.job.run_id": 41,
                              "github.job.run_attempt": 1, "github.job.conclusion": "success"}))]


EMITTERS = (convention, github_receiver, gitlab_receiver, jenkins, actions_exporter)
# emitter: keys of its runs, tasks, deploys and tests
WANTED = {
    "run": {"gitea:git.example.com/acme/shop:run:77:1": "success", "github:acme/shop:run:30433642:2": "failure",
            "gitlab:acme/cart:run:555:1": "failure", "jenkins:ci.example.com/job/web/job/shop:run:12:1": "failure",
            "github:acme/search:run:41:1": "success"},
    "task": {"gitea:git.example.com/acme/shop:run:77:1:task:77-1": "success",
             "gitea:git.example.com/acme/shop:run:77:1:task:77-2": "success",
             "github:acme/shop:run:30433642:2:task:992": "failure", "gitlab:acme/cart:run:555:1:task:91": "success",
             "gitlab:acme/cart:run:555:1:task:92": "failure",
             "jenkins:ci.example.com/job/web/job/shop:run:12:1:task:8": "success",
             "github:acme/search:run:41:1:task:4101": "success"},
    "deploy": {"gitea:git.example.com/acme/shop:run:77:1:task:77-2:deployment": "success",
               "gitlab:acme/cart:job:92:deployment": "failure"},
}


def facts(server, table, word):
    with sqlite3.connect(f"file:{server.data}/facts.db?mode=ro", uri=True) as db:
        return dict(db.execute(f"SELECT key, {word} FROM {table}"))


def found(server):
    return {"run": facts(server, "run", "result"), "task": facts(server, "task", "result"),
            "deploy": facts(server, "deploy", "state")}


def send(server, requests):
    for r in requests:
        status, _, body = server.post_traces(otlp.encode(r))
        assert status == 200, body


def otlp_events(server):
    return next((s["events"] for s in server.get_json("/api/takt/delivery/intake")["sources"] if s["source"] == "otlp"), 0)


def now_ns():
    return int(time.time() - 3600) * SECOND


def emitters_are_recognised():
    at = now_ns()
    with Server() as server:
        sent = [r for emitter in EMITTERS for r in emitter(at)]
        send(server, sent)
        expect_stored(server, {"resourceSpans": [rs for r in sent for rs in r["resourceSpans"]]})
        until("all runs and tasks", lambda: found(server) == WANTED, 10)
        assert otlp_events(server) == 13, otlp_events(server)
        tests = facts(server, "test_run", "result")
        assert list(tests.values()) == ["failure"], tests
        # A webhook tells of the same run: still one.
        status, _, body = server.request("POST", "/hooks/github", json.dumps(github_webhook(at)).encode(),
                                         {"X-GitHub-Event": "workflow_run", "X-GitHub-Delivery": "w"})
        assert status == 202, body
        assert found(server)["run"] == WANTED["run"]
        # What is sent again says nothing new; and nobody else may tell as spans do.
        send(server, sent)
        server.flush()
        assert otlp_events(server) == 13
        assert server.request("POST", "/hooks/otlp", b"{}")[0] == 404
        rollouts = server.get_json("/api/takt/delivery/deploys?window=7d")["rollouts"]
        assert [(r["service"], r["version"], r["state"]) for r in rollouts if r["service"] == "shop"] == [
            ("shop", "v7", "success")], rollouts
        before = found(server)
        assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        assert found(server) == before


def nothing_is_lost_by_a_crash():
    """Killed right after the answer, again and again: what the log tells again is there, once."""
    at = now_ns()
    with Server() as server:
        for emitter in EMITTERS:
            send(server, emitter(at))
            server.kill()
            server.start()
        until("all runs and tasks", lambda: found(server) == WANTED, 10)
        server.flush()
        assert otlp_events(server) == 13
        server.kill()
        server.start()
        assert found(server) == WANTED and otlp_events(server) == 13


def ordinary_spans_tell_nothing():
    at = now_ns()
    with Server() as server:
        send(server, [request({"service.name": "cart", "service.version": "1"},
                              span("0a" * 16, 1, None, "GET /", at, at + SECOND, own={"deployment.id": "4"}),
                              span("0a" * 16, 2, 1, "step", at, at + SECOND, own={"cicd.worker.name": "w"}))])
        server.flush()
        assert otlp_events(server) == 0 and found(server) == {"run": {}, "task": {}, "deploy": {}}


def too_many_runs_of_one_trace():
    """Each would be looked for among all others: the cost is bounded, what was not looked at is counted, and
    what waits to be kept holds up the sender, not memory."""
    many, trace, at = 12_000, "0a" * 16, int(time.time()) * SECOND
    resource = {"service.name": "shop", "cicd.pipeline.name": "release", "vcs.repository.url.full": "https://git.example.com/a/b"}
    runs = [span(trace, n + 1, None, "RUN", at, at + SECOND, own={"cicd.pipeline.run.id": str(n), "cicd.pipeline.result": "success"})
            for n in range(many)]
    with Server() as server:
        server.post_traces(otlp.encode(request(resource, *runs)))
        value = lambda name: openmetrics.value(openmetrics.parse(server.get("/metrics")[2].decode()), name)
        until("all runs", lambda: value("takt_delivery_events_total") == many, 60)
        costly = openmetrics.value(openmetrics.parse(server.get("/metrics")[2].decode()), "takt_delivery_spans_untold_total",
                                   reason="costly")
        assert 0 < costly <= many and costly == value("takt_delivery_spans_untold_total"), costly
        assert value("takt_delivery_events_again_total") == 0
        server.stop()


def a_deploy_told_twice_is_one():
    """GitHub's webhooks give a deploy an id, the spans of its job do not know it: one rollout, whichever comes first, with
    what only the spans tell. What the webhooks do not tell stands by itself."""
    at = now_ns()
    stamp = lambda ns: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // SECOND))

    def spans(run, environment, version="2.4.0"):
        resource = {"service.name": "shop", "cicd.pipeline.name": "release", "cicd.pipeline.run.id": str(run), "vcs.provider.name": "github",
                    "vcs.repository.url.full": "https://github.com/acme/shop", "vcs.ref.head.revision": SHA}
        return [request(resource, span(f"{run:032x}", 1, None, "RUN release", at, at + 300 * SECOND, own={"cicd.pipeline.result": "success"}),
                        span(f"{run:032x}", 2, 1, "put", at + 100 * SECOND, at + 200 * SECOND,
                             own={"cicd.pipeline.task.name": "put", "cicd.pipeline.task.run.id": f"{run}-2", "cicd.pipeline.task.type": "deploy",
                                  "cicd.pipeline.task.run.result": "success", "deployment.environment.name": environment,
                                  "service.version": version}))]

    def webhook(server, run, number, state="success"):
        body = {"action": "created", "repository": {"full_name": "acme/shop", "html_url": "https://github.com/acme/shop"},
                "deployment": {"id": number, "sha": SHA, "ref": "main", "task": "deploy", "environment": "production",
                               "production_environment": True, "payload": {"service": "shop"}, "created_at": stamp(at + 90 * SECOND)},
                "deployment_status": {"id": number, "state": state, "created_at": stamp(at + 210 * SECOND), "environment": "production"},
                "workflow_run": {"id": run, "run_attempt": 1, "event": "push"}}
        status, _, answer = server.request("POST", "/hooks/github", json.dumps(body).encode(),
                                           {"X-GitHub-Event": "deployment_status", "X-GitHub-Delivery": f"d{number}{state}"})
        assert status == 202, answer

    rollouts = lambda server, environment="production": [
        (r["version"], r["attempts"], r["kind"]) for r in
        server.get_json(f"/api/takt/delivery/deploys?service=shop&environment={environment}")["rollouts"]]
    for first in ("spans", "webhook"):
        with Server() as server:
            if first == "webhook":
                webhook(server, 77, 501)
            send(server, spans(77, "production"))
            until("the task's deploy", lambda: "github:acme/shop:run:77:1:task:77-2:deployment" in facts(server, "deploy", "state"), 10)
            if first == "spans":
                assert rollouts(server) == [("2.4.0", 1, "first")]
                webhook(server, 77, 501)
            assert "github:acme/shop:deployment:501" in facts(server, "deploy", "state")
            assert rollouts(server) == [("2.4.0", 1, "first")], (first, rollouts(server))
            one = server.get_json("/api/takt/delivery/deploys?service=shop&environment=production")["rollouts"][0]
            deploy = server.get_json(f"/api/takt/delivery/deploy?rollout={one['id']}")
            assert [a["key"] for a in deploy["attempts"]] == ["github:acme/shop:deployment:501"], deploy["attempts"]
            measure = server.get_json("/api/takt/delivery/measures?service=shop&set=devlake-2023&window=7d")["measures"]
            assert next(m for m in measure if m["name"].endswith("deployment_frequency"))["n"] == 1, measure
            send(server, spans(78, "staging"))
            until("staging", lambda: rollouts(server, "staging") == [("2.4.0", 1, "first")], 10)
            assert server.request("POST", "/api/takt/delivery/reprocess", b"")[0] // 100 == 2
            until("the same again", lambda: rollouts(server) == [("2.4.0", 1, "first")] and len(rollouts(server, "staging")) == 1, 10)


    with Server() as server: # the end is told by the spans alone, as long as no webhook tells it
        states = lambda: [r["state"] for r in server.get_json("/api/takt/delivery/deploys?service=shop&environment=production")["rollouts"]]
        webhook(server, 79, 502, "in_progress")
        send(server, spans(79, "production"))
        until("the end", lambda: "success" in states(), 10)
        webhook(server, 79, 502)
        assert states() == ["success"] and rollouts(server) == [("2.4.0", 1, "first")], rollouts(server)


def closed_facts_are_said():
    """While facts.db is damaged, what pipelines tell is counted, logged and shown; what the log still has is told
    when the facts are whole again."""
    at = now_ns()
    untold = lambda server, **labels: openmetrics.value(openmetrics.parse(server.get("/metrics")[2].decode()),
                                                        "takt_delivery_spans_untold_total", **labels)
    with Server() as server:
        assert untold(server) == 0
        server.stop()
        facts_db = server.data / "facts.db"
        whole = facts_db.read_bytes()
        facts_db.write_bytes(b"?" * len(whole))
        server.start()
        send(server, [request({"service.name": "cart"}, span("0b" * 16, 1, None, "GET /", at, at + SECOND))])
        assert untold(server) == 0, "an ordinary span is no pipeline"
        for emitter in EMITTERS:
            send(server, emitter(at))
        assert untold(server, reason="closed") == 13 == untold(server)
        status = server.get("/status")[2].decode()
        assert "delivery    closed: " in status and "facts.db" in status and "untold      13 spans" in status, status
        delivery = server.get_json("/api/takt/status")["delivery"]
        assert not delivery["open"] and "facts.db" in delivery["closed"] and delivery["spans_untold"]["closed"] == 13, delivery
        said = [line for line in server.log.read_text().splitlines() if "pipeline.untold" in line]
        assert len(said) == 1 and "delivery is closed" in said[0], said  # and not a line for each
        server.stop()
        facts_db.write_bytes(whole)
        server.start()
        until("all runs and tasks", lambda: found(server) == WANTED, 10)
        assert otlp_events(server) == 13 and untold(server) == 0
        assert server.get_json("/api/takt/status")["delivery"] == {
            "open": True, "spans_untold": {"closed": 0, "unread": 0, "costly": 0, "lost": 0}}


def cases(tap):
    for case in (emitters_are_recognised, nothing_is_lost_by_a_crash, ordinary_spans_tell_nothing, too_many_runs_of_one_trace,
                 closed_facts_are_said, a_deploy_told_twice_is_one):
        tap.case(case.__name__, case)
