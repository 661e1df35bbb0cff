# SPDX-License-Identifier: Apache-2.0
"""Delivery from the outside: events in, measures out. The truth of the measures comes from the plan that the
events were made from, not from Takt."""
import concurrent.futures
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import math
import os
import random
import re
import sqlite3
import statistics
import subprocess
import time
import urllib.parse
import zoneinfo
from pathlib import Path

import openmetrics
import otlp
from client import new_id, request, span, until
from commands import expect_stored, sent_traces, takt
from takt import Server, temporary_directory

DAY, HOUR, MINUTE = 86400, 3600, 60
WEEKS = 12


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(what, time, **data):
    body = {"specversion": "1.0", "id": hashlib.sha1(json.dumps([what, time, data]).encode()).hexdigest(),
            "source": "test", "type": f"dev.takt.{what}", "time": stamp(time),
            "data": {k: stamp(v) if k.endswith("_at") else v for k, v in data.items()}}
    return body


def send(server, events):
    status, _, body = server.request("POST", "/events", json.dumps(events).encode(),
                                     {"Content-Type": "application/cloudevents-batch+json"})
    assert status == 202, (status, body)
    return json.loads(body)


class Plan:
    """Twelve weeks of a few services, with rollbacks, hotfixes, failed and partial rollouts, incidents of which
    some are nobody's; and what the measures must say of them."""

    def __init__(self, seed, end):
        self.dice = random.Random(seed)
        self.end = end
        self.start = end - WEEKS * 7 * DAY
        self.events = []
        self.deploys = self.failed = self.rollbacks = self.hotfixes = self.lost = 0
        self.recoveries, self.restores, self.detects = [], [], []
        for number in range(5):
            self.service(f"service-{number}")
        self.serial = 0

    def deploy(self, service, version, at, state="success", target="eu", kind=None, started=True):
        took = self.dice.randrange(2, 20) * MINUTE
        key = f"{service} {version} {target} {at}"
        fields = {"id": key, "service": service, "environment": "production", "version": version, "target": target}
        if kind:
            fields["kind"] = kind
        self.events.append(event("deploy", at - took, **fields, state="in_progress", started_at=at - took))
        self.events.append(event("deploy", at, **fields, state=state, ended_at=at,
                                 **({"succeeded_at": at} if state == "success" else {})))

    def service(self, name):
        at, version = self.start + self.dice.randrange(DAY), 1
        self.deploy(name, "v1", at)
        self.deploys += 1
        while at < self.end - 4 * DAY:
            at += self.dice.randrange(DAY // 2, 3 * DAY)
            version += 1
            at += self.change(name, version, at)

    def change(self, name, version, at):
        """Returns how long the service is left alone afterwards."""
        what = self.dice.random()
        if what < 0.6:  # goes well, on two targets
            self.deploy(name, f"v{version}", at - 10 * MINUTE)
            self.deploy(name, f"v{version}", at, target="us")
            self.deploys += 1
        elif what < 0.75:  # breaks, an incident begins, it is rolled back
            self.deploy(name, f"v{version}", at)
            back = at + self.dice.randrange(20, 90) * MINUTE
            self.deploy(name, f"v{version} again", back, kind="rollback")
            self.incident(name, at + 5 * MINUTE, back + 15 * MINUTE)
            self.deploys, self.failed, self.rollbacks = self.deploys + 1, self.failed + 1, self.rollbacks + 1
            self.recoveries.append(back - at)
        elif what < 0.85:  # breaks, a hotfix follows
            self.deploy(name, f"v{version}", at)
            fix = at + self.dice.randrange(30, 300) * MINUTE
            self.deploy(name, f"v{version}.1", fix, kind="hotfix")
            self.deploys, self.failed, self.hotfixes = self.deploys + 2, self.failed + 1, self.hotfixes + 1
            self.recoveries.append(fix - at)
        elif what < 0.93:  # one target never gets it
            self.deploy(name, f"v{version}", at)
            self.deploy(name, f"v{version}", at + MINUTE, state="failure", target="us")
            self.lost += 1
        else:  # an incident that no rollout caused: days later
            self.deploy(name, f"v{version}", at)
            self.deploys += 1
            self.incident(name, at + 26 * HOUR, at + 30 * HOUR)
            return 30 * HOUR
        return 0

    def incident(self, name, began, resolved):
        key = f"{name} {began}"
        late = self.dice.randrange(1, 10) * MINUTE
        self.events.append(event("incident", began + late, id=key, service=name, state="triggered", started_at=began,
                                 detected_at=began + late))
        self.events.append(event("incident", resolved, id=key, state="resolved", resolved_at=resolved))
        self.restores.append(resolved - began)
        self.detects.append(late)

    def truth(self):
        both = self.deploys + self.rollbacks
        return {"deployment_frequency": self.deploys / (WEEKS * 7),
                "change_failure_rate": self.failed / self.deploys,
                "rework_rate": (self.hotfixes + self.rollbacks) / both,
                "rollback_rate": self.rollbacks / both,
                "deployment_success_rate": both / (both + self.lost),
                "failed_deployment_recovery": statistics.median(self.recoveries),
                "rollback_time": None,
                "restore_time": statistics.median(self.restores),
                "detect_time": statistics.median(self.detects)}


class Work:
    """What a repository of one service tells for some weeks: changes with drafts, reviews and several heads, runs
    with retries, tasks, tests, canaries, flags; and the truth of the measures of them, kept while it is planned."""

    def __init__(self, seed, end):
        self.dice = random.Random(seed)
        self.end, self.start = end, end - WEEKS * 7 * DAY
        self.events, self.serial = [], 0
        self.truth = {k: [] for k in ("change_lead_time", "coding_time", "pickup_time", "review_time", "merge_wait",
                                      "deploy_time", "ci_time", "ci_cost", "queue_time", "waiting_changes", "review_rounds")}
        self.shares = {k: [0, 0] for k in ("unreviewed_rate", "pipeline_success_rate", "pipeline_final_rate",
                                           "flaky_pipeline_rate", "wasted_run_rate", "flaky_task_rate", "flaky_test_rate",
                                           "canary_failure_rate", "pipeline_default_rate")}
        self.bots = 0
        self.say("repository", self.start, repo="r/shop", default_branch="main")
        self.rollout(self.start, self.sha())
        self.at, number = self.start + DAY, 0
        while self.at < end - 5 * DAY:
            number += 1
            self.change(number)
            self.at += self.dice.randrange(2, 12) * HOUR
        for number in range(3):  # merged after the last rollout
            self.change(9000 + number, waits=True)

    def sha(self):
        self.serial += 1
        return hashlib.sha1(str(self.serial).encode()).hexdigest()

    def say(self, what, at, **fields):
        self.events.append(event(what, at, **fields))

    def rollout(self, at, sha):
        self.say("deploy", at, id=f"d {sha}", service="shop", environment="production", version=sha[:8], sha=sha,
                 repo="r/shop", state="success", started_at=at - MINUTE, succeeded_at=at)

    def share(self, name, hit):
        self.shares[name][0] += bool(hit)
        self.shares[name][1] += 1

    def change(self, number, waits=False):
        dice, key = self.dice, f"c{number}"
        first, bot, seen = self.at, number % 9 == 8, number % 5 != 4
        opened = first + dice.randrange(10, 600) * MINUTE
        reviewed = opened + dice.randrange(5, 300) * MINUTE
        merged = reviewed + dice.randrange(20, 400) * MINUTE
        deployed = merged + dice.randrange(10, 200) * MINUTE
        heads, merge = [self.sha() for _ in range(dice.randrange(1, 4))], self.sha()
        who = {"author": "robot[bot]" if bot else "ann", "author_kind": "bot" if bot else "person"}
        for i, head in enumerate(heads):  # each push tells of a head; the runs of all of them are the change's
            self.say("change", opened + i, id=key, repo="r/shop", number=number, head_sha=head, opened_at=opened,
                     first_commit_at=first, state="open", **who)
        self.say("change", merged, id=key, repo="r/shop", number=number, state="merged", merged_at=merged, merge_sha=merge)
        self.say("review", opened + 1, id=f"{key} own", change_key=f"takt:{key}", author="ann", state="commented",
                 submitted_at=opened + 1)
        self.say("review", opened + 2, id=f"{key} bot", change_key=f"takt:{key}", author="lint[bot]", author_kind="bot",
                 state="commented", submitted_at=opened + 2)
        rounds = dice.randrange(3)
        if seen:
            for i in range(rounds):
                self.say("review", reviewed + i, id=f"{key} {i}", change_key=f"takt:{key}", author="bob",
                         state="changes_requested", submitted_at=reviewed + i)
            self.say("review", reviewed + 9 * MINUTE, id=f"{key} yes", change_key=f"takt:{key}", author="bob",
                     state="approved", submitted_at=reviewed + 9 * MINUTE)
        spans = [span for head in heads for span in self.runs(head, opened)]
        if not waits:
            self.rollout(deployed, merge)
        self.bots += bot
        if waits:
            self.truth["waiting_changes"].append(self.end - merged)
        if bot:
            return
        looked = reviewed if rounds else reviewed + 9 * MINUTE
        self.share("unreviewed_rate", not seen)
        told = self.truth
        told["coding_time"].append(opened - first)
        told["pickup_time"].append((looked if seen else merged) - opened)
        if seen:
            told["review_time"].append(merged - looked)
            told["merge_wait"].append(merged - reviewed - 9 * MINUTE)
            told["review_rounds"].append(rounds)
        if not waits:
            told["deploy_time"].append(deployed - merged)
            told["change_lead_time"].append(deployed - first)
        told["ci_time"].append(len({m for a, b in spans for m in range(a // MINUTE, b // MINUTE)}) * MINUTE)
        told["ci_cost"].append(sum(b - a for a, b in spans))

    def runs(self, sha, near):
        """Two pipelines at a commit, side by side, each with up to three attempts; all stamps are whole minutes."""
        near, spans = near // MINUTE * MINUTE, []
        for name in ("test", "build"):
            at, results, tests = near + self.dice.randrange(5) * MINUTE, [], []
            for attempt in range(1, self.dice.randrange(1, 4) + 1):
                queued, began = at, at + self.dice.randrange(4) * MINUTE
                at = ended = began + self.dice.randrange(2, 9) * MINUTE
                result = self.dice.choice(("success", "success", "failure", "timeout", "cancelled", "error"))
                main = self.dice.random() < 0.3
                key = f"{sha} {name} {attempt}"
                self.say("run", ended, id=key, repo="r/shop", name=name, sha=sha, attempt=attempt, result=result,
                         ref="main" if main else "topic", queued_at=queued, started_at=began, ended_at=ended)
                if result != "cancelled":
                    results.append(result)
                    self.share("pipeline_success_rate", result == "success")
                    if main:
                        self.share("pipeline_default_rate", result == "success")
                self.truth["queue_time"].append(began - queued)
                spans.append((began, ended))
                test = self.dice.choice(("success", "failure", "skipped"))
                self.say("task", ended, id=f"{key} t", run=f"takt:{key}", name="unit", result=test, ended_at=ended)
                self.say("test_run", ended, id=f"{key} c", run=f"takt:{key}", name=f"{name}.adds", result=test, ended_at=ended)
                tests += [test] if test != "skipped" else []
                at += MINUTE
            self.outcome(results)
            if len(tests) > 1:
                self.share("flaky_task_rate", len(set(tests)) > 1)
                self.share("flaky_test_rate", len(set(tests)) > 1)
        return spans

    def outcome(self, results):
        if results:
            self.share("pipeline_final_rate", results[-1] == "success")
        sure = [r == "success" for r in results if r != "error"]
        if len(sure) > 1:
            self.share("flaky_pipeline_rate", len(set(sure)) > 1)
        for i, good in enumerate(sure):
            self.share("wasted_run_rate", not good and any(sure[i:]))

    def more(self):
        for i in range(20):
            at, state = self.start + (i + 1) * DAY, ("promoted", "failed", "superseded", "promoted")[i % 4]
            self.say("canary", at, id=f"canary {i}", service="shop", environment="production", version=f"x{i}", state=state,
                     weight=10, started_at=at - HOUR, ended_at=at)
            if state != "superseded":
                self.share("canary_failure_rate", state == "failed")
        ages = (10, 89, 91, 200)
        for i, days in enumerate(ages):
            self.say("flag_change", self.end - days * DAY, id=f"flag {i}", service="shop", environment="production",
                     flag=f"f{i}", action="on", changed_at=self.end - days * DAY)
        self.shares["stale_flag_rate"] = [2, 4]
        self.flags = sum(days <= WEEKS * 7 for days in ages)

    def expect(self, found):
        for name, values in self.truth.items():
            m, values = found[name], sorted(values)
            assert m["n"] == len(values), (name, m, len(values))
            assert abs(m["value"] - statistics.median(values)) < 1e-6, (name, m, statistics.median(values))
            assert abs(m.get("mean", 0) - statistics.fmean(values)) < 1e-3 and m["most"] == values[-1], (name, m)
        for name, (hits, all_) in self.shares.items():
            assert (found[name]["numerator"], found[name]["denominator"]) == (hits, all_), (name, found[name], hits, all_)
        assert found["flag_frequency"]["n"] == self.flags, found["flag_frequency"]
        assert found["bot_change_lead_time"]["n"] == self.bots, found["bot_change_lead_time"]


def work_and_its_truth(seed):
    """Changes, pipelines, tests, canaries and flags: in any order, doubled, made again, of the service and of all."""
    print(f"# seed {seed}")
    work = Work(seed, 1795953600)
    work.more()
    dice, ask = random.Random(seed), {"from": work.start, "to": work.end}
    for turn in range(2):
        events = list(work.events)
        if turn:
            events += dice.sample(events, len(events) // 4)
            dice.shuffle(events)
        with Server() as server:
            for i in range(0, len(events), 400):
                send(server, events[i:i + 400])
                if turn:
                    measures(server, **ask)  # derives in between
            work.expect(measures(server, **ask))
            work.expect(measures(server, **ask, service="shop"))
            other = measures(server, **ask, service="other")
            assert all(other[name]["n"] == 0 for name in list(work.truth) + list(work.shares)), other
            if not turn:
                continue
            assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
            found = measures(server, **ask)
            work.expect(found)
            for name in list(work.truth) + list(work.shares) + ["flag_frequency"]:
                m = found[name]
                why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": m["figure"]}))
                counted = [r for r in why["rows"] if r["counted"]]
                assert len(counted) == m["n"] and why["rows_in_all"] == len(why["rows"]), (name, len(counted), m)
                assert len(why["rows"]) - len(counted) == sum(x["n"] for x in m["left_out"]), name
                schema = OPENAPI["paths"]["/api/takt/delivery/why"]["get"]["responses"]["200"]["content"]
                conforms(why, schema["application/json"]["schema"], name)
            code, out, err = takt("why", found["flaky_task_rate"]["figure"], "--data", server.data)
            assert code == 0 and "test / unit" in out, (out[:500], err)


def measures(server, **ask):
    answer = server.get_json("/api/takt/delivery/measures?" + urllib.parse.urlencode(ask))
    return {m["name"]: m for m in answer["measures"]}


def without_as_of(found):
    return {n: {k: v for k, v in m.items() if k != "figure"} for n, m in found.items()}


def window(plan):
    return {"from": plan.start, "to": plan.end}


def expect_truth(found, plan):
    for name, want in plan.truth().items():
        if want is not None:
            assert abs(found[name]["value"] - want) <= 1e-9 * want + 1e-12, (name, found[name], want)


def planted_truth(seed):
    """In any order, doubled, over a kill -9, a reprocess, and from the directory: the same, and the truth."""
    print(f"# seed {seed}")
    plan = Plan(seed, 1795953600)
    dice = random.Random(seed)
    answers = []
    for turn in range(3):
        events = plan.events + dice.sample(plan.events, len(plan.events) // 3 if turn else 0)
        if turn:
            dice.shuffle(events)
        with Server() as server:
            for i in range(0, len(events), 50):
                send(server, events[i:i + 50])
                if turn == 1 and i == 200:
                    server.kill()
                    server.start()
            found = measures(server, **window(plan), levels=2023)
            expect_truth(found, plan)
            answers.append(without_as_of(found))
            if turn == 2:
                assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
                assert without_as_of(measures(server, **window(plan), levels=2023)) == answers[-1]
                code, out, err = takt("dora", "--data", server.data, "--json", "--from", plan.start, "--to", plan.end,
                                      "--levels", 2023)
                assert code == 0, err
                assert without_as_of({m["name"]: m for m in json.loads(out)["measures"]}) == answers[-1]
    assert answers[0] == answers[1] == answers[2]


def why(server, figure, **more):
    return server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": figure, **more}))


def a_figure_is_told_again_as_it_was(seed):
    """Whatever came since, `then` gives the number and the rows of the day it was printed, and so does a directory."""
    plan = Plan(seed, 1795953600)
    first = len(plan.events) * 2 // 3
    with Server() as server:
        send(server, plan.events[:first])
        printed = measures(server, **window(plan))
        rows = {name: why(server, m["figure"])["rows"] for name, m in printed.items()}
        send(server, plan.events[first:])
        assert without_as_of(measures(server, **window(plan))) != without_as_of(printed)
        for name, m in printed.items():
            again = why(server, m["figure"], then="true")
            assert again["events_since"] == len(plan.events) - first and again["then"] is True, name
            assert again["rows"] == rows[name], name
            assert {k: again[k] for k in m if k in again} == {k: v for k, v in m.items() if k in again}, name
            assert m.get("value") == again.get("value") and m["figure"] == again["figure"], name
        figure = printed["lead_time"]["figure"]
        code, out, err = takt("why", figure, "--then", "--data", server.data, "--json")
        assert code == 0 and json.loads(out)["rows"] == rows["lead_time"], err
        code, out, err = takt("why", figure, "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "--then" in out, (out, err)
        untold = figure[:figure.index(",as_of=")]
        for bad, status in ((untold, 400), (untold + ",as_of=99999999,at=20270101T000000Z", 404)):
            got = server.get("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": bad, "then": "true"}))
            assert got[0] == status, (bad, got)


def figures_open_to_their_rows(seed):
    plan = Plan(seed, 1795953600)
    with Server() as server:
        send(server, plan.events)
        for name, m in measures(server, **window(plan)).items():
            why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": m["figure"]}))
            counted = [r for r in why["rows"] if r["counted"]]
            assert why.get("value") == m.get("value") and why["events_since"] == 0, name
            assert len(counted) == m["n"], (name, len(counted), m)
            assert len(why["rows"]) - len(counted) == sum(x["n"] for x in m["left_out"]), name
            if m["unit"] == "share" and name != "failed_time":
                assert sum(1 for r in counted if r.get("hit")) == m["numerator"]
            if m["unit"] == "seconds" and counted:
                assert abs(statistics.median(r["value"] for r in counted) - m["value"]) < 1e-6
            if name == "failed_time":
                out = takt("why", m["figure"], "--data", server.data)[1]
                assert re.search(r"^yes, hit  [\d.]+ (min|h|d) ", out, re.M), out
            if name == "failed_deployment_recovery" and len(why["rows"]) > len(counted):
                assert "; not recovered yet" in takt("why", m["figure"], "--data", server.data)[1], name
        code, out, err = takt("why", m["figure"], "--data", server.data)
        assert code == 0 and "rows" in out, err
        send(server, [event("deploy", plan.end, id="late", service="x", state="success", succeeded_at=plan.end)])
        why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": m["figure"]}))
        assert why["events_since"] == 1


def signed(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def secrets_of_hooks():
    folder = temporary_directory() / "secrets"
    folder.mkdir()
    (folder / "github").write_text("old secret\nnew secret\n")
    body = json.dumps({"action": "opened", "number": 7, "pull_request": {
        "id": 1, "number": 7, "title": "a change", "state": "open", "created_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-20T10:00:00Z", "user": {"login": "ann", "type": "User"}, "head": {"sha": "a" * 40, "ref": "x"},
        "base": {"sha": "b" * 40, "ref": "main"}}, "repository": {"id": 1, "full_name": "o/r",
                                                                 "html_url": "https://github.com/o/r"}}).encode()
    with Server(config=f"hooks:\n  secrets_dir: {folder}\n") as server:
        def hook(signature=None, delivery="1"):
            headers = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": delivery, "Content-Type": "application/json"}
            if signature:
                headers["X-Hub-Signature-256"] = signature
            return server.request("POST", "/hooks/github", body, headers)
        for secret in ("old secret", "new secret"):
            status, _, answer = hook(signed(secret, body))
            assert status == 202, answer
        assert json.loads(answer)["known_before"] == 1, answer  # the same delivery
        for wrong in (None, signed("another", body), "sha256=", "sha1=00"):
            status, _, answer = hook(wrong)
            assert status == 401 and b"ignature" in answer, (status, answer)
        intake = server.get_json("/api/takt/delivery/intake")
        assert [r["source"] for r in intake["refused"]] == ["github"] * 4
        assert {"source": "github", "events": 1, "unknown": 0, "aside": 0} == {
            k: v for k, v in intake["sources"][0].items() if k != "last"}
        assert "secret" not in server.log.read_text()
    wrong = folder.parent / "wrong"
    wrong.mkdir()
    (wrong / "githup").write_text("x\n")
    server = Server(config=f"hooks:\n  secrets_dir: {wrong}\n")
    try:
        server.start()
    except RuntimeError as e:
        assert "githup belongs to no hook" in str(e), e
    else:
        raise AssertionError("a file that belongs to no hook was taken")


def repositories_of_the_catalogue():
    """A change belongs to the service whose repository the catalogue names, whatever form of its address; so does the
    default branch that a push tells."""
    with Server() as server:
        now = int(time.time())
        body = {"services": {"payments": {"repositories": ["git@github.com:acme/pay.git"]}, "other": {"repositories": ["https://github.com/acme/other"]}}}
        assert server.request("PUT", "/api/takt/delivery/catalogue", json.dumps(body).encode(), {"Content-Type": "application/json"})[0] == 200
        send(server, [event("change", now - HOUR, id="c1", repo="github.com/acme/pay", number=1, author="ann", state="merged",
                            first_commit_at=now - 3 * HOUR, opened_at=now - 2 * HOUR, merged_at=now - HOUR)])
        coding = lambda service: next(m for m in server.get_json(f"/api/takt/delivery/measures?window=7d&service={service}")["measures"]
                                      if m["name"] == "coding_time")
        until("the change", lambda: coding("payments")["n"] == 1, 10)
        assert coding("other")["n"] == 0
        push = {"ref": "refs/heads/trunk", "before": "0" * 40, "after": "a" * 40, "commits": [],
                "repository": {"full_name": "acme/pay", "html_url": "https://github.com/acme/pay", "pushed_at": now, "default_branch": "trunk"}}
        assert server.request("POST", "/hooks/github", json.dumps(push).encode(), {"Content-Type": "application/json", "X-GitHub-Event": "push",
                                                                                   "X-GitHub-Delivery": "1"})[0] == 202
        answer = server.get_json("/api/takt/delivery/catalogue")
        assert answer["defaultBranches"] == [{"service": "payments", "repository": "github.com/acme/pay", "branch": "trunk"}], answer
        assert answer["flagAgeDays"] == 90
        conforms(answer, {"$ref": "#/components/schemas/CatalogueAnswer"})


def requests_refused(server):
    """By reason, of requests with events; without those that are 0."""
    lines = re.findall(r'^takt_delivery_requests_refused_total\{reason="(\w+)"\} (\d+)$', server.get("/metrics")[2].decode(), re.M)
    assert {reason for reason, _ in lines} == {"invalid", "disk", "busy", "closed", "failed"}, lines
    return {reason: int(n) for reason, n in lines if n != "0"}


def a_busy_store_is_told_and_counted():
    """Somebody else holds facts.db: the sender is asked to come back, and no event is lost or half kept."""
    deploy = event("deploy", 1795000000, id="d", service="s", environment="production", state="success", succeeded_at=1795000000)
    with Server() as server:
        other = sqlite3.connect(server.data / "facts.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        status, head, body = server.request("POST", "/events", json.dumps(deploy).encode(), {"Content-Type": "application/cloudevents+json"})
        assert status == 429 and head["Retry-After"] and b"try again" in body, (status, body)
        assert requests_refused(server) == {"busy": 1}, requests_refused(server)
        other.execute("ROLLBACK")
        other.close()
        send(server, [deploy])
        assert server.request("POST", "/events", b"{", {})[0] == 400
        assert requests_refused(server) == {"busy": 1, "invalid": 1}, requests_refused(server)


def damaged_facts_stop_no_trace():
    """Traces come and go; what needs the facts says why it cannot; a file that is whole brings them back."""
    with Server() as server:
        send(server, [event("deploy", 1795000000, id="d", service="s", environment="production", state="success",
                            succeeded_at=1795000000)])
        server.stop()
        facts = server.data / "facts.db"
        whole = facts.read_bytes()
        facts.write_bytes(b"?" * len(whole))
        server.start()
        for want in sent_traces(server).values():
            expect_stored(server, want)
        for method, path in (("POST", "/events"), ("POST", "/hooks/github"), ("GET", "/api/takt/delivery/measures"),
                             ("GET", "/api/takt/delivery/impact?rollout=1"), ("PUT", "/api/takt/delivery/catalogue"),
                             ("POST", "/api/takt/delivery/reprocess")):
            status, _, body = server.request(method, path, b"{}" if method != "GET" else None)
            assert status == 503 and b"facts.db" in body, (method, path, status, body)
        assert b"\ntakt_delivery_open 0\n" in server.get("/metrics")[2]
        assert requests_refused(server) == {"closed": 2}, requests_refused(server)
        server.stop()
        assert facts.read_bytes() == b"?" * len(whole), "the damaged file was touched"
        facts.write_bytes(whole)
        server.start()
        assert len(server.get_json("/api/takt/delivery/deploys?from=2026-11-01&to=2026-12-31")["rollouts"]) == 1


def bad_events_are_refused_and_harm_nothing():
    with Server() as server:
        good = event("deploy", 1795000000, id="good", service="s", environment="production", state="success",
                     succeeded_at=1795000000)
        for status, body, headers in (
                (400, b"{", {}), (400, b"", {}), (400, b"[1]", {"Content-Type": "application/cloudevents-batch+json"}),
                (400, json.dumps({**good, "data": {**good["data"], "succeeded_at": "soon"}}).encode(), None),
                (400, json.dumps({**good, "data": {**good["data"], "servce": "x"}}).encode(), None),
                (400, json.dumps({**good, "data": {**good["data"], "id": "x" * (1 << 20)}}).encode(), None),
                (400, json.dumps({**good, "data": {**good["data"], "service": "x" * (1 << 20)}}).encode(), None),
                (400, b'{"a":' * 100000, None), (400, b"\xff\xfe", None),
                (413, b" " * (26 << 20), None)):
            headers = {"Content-Type": "application/cloudevents+json"} if headers is None else headers
            try:
                got = server.request("POST", "/events", body, headers)
            except (BrokenPipeError, ConnectionResetError):
                got = (413,)  # answered while we were still sending
            assert got[0] == status, (status, got, body[:80])
        for path in ("/hooks/nobody", "/hooks/"):
            got = server.request("POST", path, b"{}")
            assert got[0] in (404, 405), (path, got)
        assert server.request("GET", "/events")[0] == 405
        assert server.request("OPTIONS", "/events", headers={"WebHook-Request-Origin": "x.example"})[0] == 200
        # A page in a browser is no tool.
        assert server.request("POST", "/events", json.dumps(good).encode(),
                              {"Content-Type": "application/cloudevents+json", "Origin": "https://evil.example"})[0] == 401
        # Nor is one of no origin: a file, or a frame in a sandbox, which needs no leave for a form of text.
        assert server.request("POST", "/events", json.dumps(good).encode(), {"Content-Type": "text/plain", "Origin": "null"})[0] == 401
        # Nor is one whose name was made to lead here. Our own page is: a person's verdict comes from there.
        for host, want in (("evil.example", 401), ("127.evil.example", 401), ("127.0.0.1.evil.example:80", 401),
                           ("localhost.evil.example", 401), ("127.0.0.1:1", 202), ("localhost", 202)):
            status = server.request("POST", "/events", json.dumps(good).encode(),
                                    {"Content-Type": "application/cloudevents+json", "Host": host, "Origin": f"http://{host}"})[0]
            assert status == want, (host, status)
        assert server.request("POST", "/api/takt/delivery/reprocess", headers={"Origin": "https://evil.example"})[0] == 403
        # What a proxy on this machine hands on is not from this machine.
        assert server.request("POST", "/events", json.dumps(good).encode(),
                              {"Content-Type": "application/cloudevents+json", "X-Forwarded-For": "192.0.2.1"})[0] == 401
        future = event("deploy", 4102444800, id="future", service="s", state="success")
        assert send(server, [good, future])["set_aside"] == 1
        assert send(server, [{**good, "type": "com.example.unheard-of", "id": "2"}])["unknown_type"] == 1
        assert send(server, []) == {"events": 0, "known_before": 0, "unknown_type": 0, "set_aside": 0}
        send(server, [event("deploy", 1795000000, id="nobody's", state="success", succeeded_at=1795000000)])
        said = server.get_json("/api/takt/delivery/intake")
        assert said["deploys_without_service"] == 1 and said["refused_in_all"] == len(said["refused"]) > 8, said
        answer = server.get_json("/api/takt/delivery/deploys?from=2026-01-01&to=2027-01-01")
        assert len(answer["rollouts"]) == 1, answer
        for query in ("from=tomorrow", "clock=mine", "levels=2025", "window=x", "from=2026-02-01&to=2026-01-01", "limit=-1"):
            status, _, body = server.get("/api/takt/delivery/measures?" + query)
            assert status == 400 and query.split("=")[0].encode() in body, (query, status, body)
        for figure in ("", "lead_time", "lead_time@7,from=20260101T000000Z,to=20260102T000000Z", "no_such@1"):
            assert server.get("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": figure}))[0] == 400


FACTS = Path(__file__).resolve().parents[2] / "src/intake/fact.def"
OPENAPI = json.loads((Path(__file__).resolve().parents[2] / "docs/openapi.json").read_text())


def conforms(value, schema, where="$"):
    """The part of JSON Schema that docs/openapi.json uses; every property must be one that it names."""
    if "$ref" in schema:
        return conforms(value, OPENAPI["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], where)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "number": (int, float), "integer": int}
    kind = kinds[schema["type"]]
    assert isinstance(value, kind) and (kind is bool or not isinstance(value, bool)), (where, value, schema["type"])
    if "enum" in schema:
        assert value in schema["enum"], (where, value)
    if "pattern" in schema:
        assert re.search(schema["pattern"], value), (where, value)
    if "minimum" in schema:
        assert value >= schema["minimum"], (where, value)
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1 << 30), (where, value)
        for i, item in enumerate(value):
            conforms(item, schema["items"], f"{where}[{i}]")
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for key, item in value.items():
            conforms(item, schema["additionalProperties"], f"{where}.{key}")
    if isinstance(value, dict) and "properties" in schema:
        assert not set(value) - set(schema["properties"]), (where, set(value) - set(schema["properties"]))
        assert not set(schema["required"]) - set(value), (where, set(schema["required"]) - set(value))
        for key, item in value.items():
            conforms(item, schema["properties"][key], f"{where}.{key}")


CATALOGUE = json.dumps({
    "services": {f"service-{n}": {"team": "web" if n < 3 else "core", "tier": n % 2 + 1, "product": "shop",
                                  "owner": "ann@example.org", "environments": {"blue": "production"},
                                  "targets": {"lead_time": "12h"}} for n in range(4)},
    "teams": {"core": {"targets": {"change_failure_rate": {"at_most": 0.3}}}},
    "environments": {"green": "testing"}})


def unknown_parameters_are_refused():
    """A misspelt filter would change a figure: what a path does not know, or is told twice, is an error that lists
    what there is, which is what openapi.json has."""
    with Server() as server:
        send(server, [event("deploy", 1795953600, id="d", service="shop", environment="production", version="1", state="success",
                            succeeded_at=1795953600)])
        for path, methods in OPENAPI["paths"].items():
            for method, about in methods.items():
                if method not in ("get", "post") or path == "/events" or "{" in path:
                    continue
                names = {p["name"] for m in methods.values() for p in m.get("parameters", [])}
                status, _, body = server.request(method.upper(), path + "?servce=shop")
                assert status == 400 and b'"servce"' in body, (path, status, body)
                assert set(body.decode().split("there are: ")[1].split()) == (names or {"none"}), (path, body, names)
                for name in sorted(names - {"failIf"}):
                    status, _, body = server.request(method.upper(), f"{path}?{name}=a&{name}=a")
                    assert status == 400 and body == f"{name}: given twice\n".encode(), (path, name, status, body)
        server.stop()
        where = ["--data", server.data]
        code, out, err = takt("deploys", "--set", "fourkeys", *where)
        assert code == 1 and not out and 'there is no parameter "set" here' in err, (code, out, err)
        code, out, err = takt("dora", "--service", "shop", "--service", "cart", *where)
        assert code == 1 and not out and "service: given twice" in err, (code, out, err)


def windows_that_are_none():
    """A day that no calendar has and a tier that nobody can have are errors; a window that has not begun knows nothing."""
    end = int(time.time()) // DAY * DAY
    with Server() as server:
        send(server, [event("deploy", end, id="d", service="shop", environment="production", version="1", state="success",
                            succeeded_at=end)])
        for wrong in ("from=2026-02-30", "from=2026-02-29", "to=2026-02-30T00:00:00Z", "from=2026-13-01", "tier=0", "window=0"):
            status, _, body = server.get("/api/takt/delivery/measures?" + wrong)
            assert status == 400 and body.decode().startswith(("from: ", "to: ", "tier: ")), (wrong, status, body)
        assert server.get("/api/takt/delivery/measures?from=2024-02-29")[0] == 200
        ahead = server.get_json(f"/api/takt/delivery/measures?from={end + 5 * DAY}&to={end + 6 * DAY}")
        assert ahead["partial"] and not [m["name"] for m in ahead["measures"] if "value" in m], ahead
        begun = server.get_json(f"/api/takt/delivery/measures?from={end - DAY}&to={end + 6 * DAY}")
        assert begun["partial"] and "partial" not in server.get_json("/api/takt/delivery/measures?window=7d")
        assert "not over yet" in takt("dora", "--from", end - DAY, "--to", end + 6 * DAY, "--data", server.data)[1]


def openapi_says_what_is_answered(seed):
    plan = Plan(seed, 1795953600)
    with Server() as server:
        conforms(send(server, plan.events), OPENAPI["paths"]["/events"]["post"]["responses"]["202"]["content"][
            "application/json"]["schema"])
        send(server, [event("alert", plan.end - DAY, id=f"a{n}", service=f"service-{n}", state="firing") for n in range(2)])
        server.request("POST", "/hooks/github", b"{")
        assert server.request("PUT", "/api/takt/delivery/catalogue", CATALOGUE.encode())[0] == 200
        seen = set()
        for path, methods in OPENAPI["paths"].items():
            for method, about in methods.items():
                wrong = next(m for m in ("DELETE", "POST", "GET") if m.lower() not in methods)
                assert server.request(wrong, path.replace("{source}", "github").replace("{service}", "x"))[0] == 405, path
                if method != "get" or path.endswith(("/impact", "/versions", "/compare", "/ready", "/incident")):  # in impact.py, judging.py
                    continue
                schema = about["responses"]["200"]["content"]["application/json"]["schema"]
                asked = {**window(plan), "levels": 2024, "measure": "lead_time"}
                each = [{}]
                if path.endswith("/why"):
                    each = [{"figure": m["figure"]} for m in measures(server, **window(plan)).values()]
                if path.endswith(("/deploy", "/changed")):
                    each = [{"rollout": r["id"]} for r in server.get_json("/api/takt/delivery/deploys?limit=40&" + urllib.parse.urlencode(window(plan)))["rollouts"]]
                for one in each:
                    ask = {k: v for k, v in {**asked, **one}.items() if k in {p["name"] for p in about["parameters"]} and v}
                    answer = server.get_json(path + "?" + urllib.parse.urlencode(ask))
                    conforms(answer, schema, path)
                    if path.endswith("/alerts"):
                        assert [(t.get("team"), t["weeks"][0]) for t in answer["teams"]][0] == ("web", 2), answer
                    if path.endswith("/deploys"):
                        assert len(answer["rollouts"]) == answer["all"] > 100
                    if path.endswith("/calendar"):
                        listed = server.get_json("/api/takt/delivery/deploys?" + urllib.parse.urlencode(window(plan)))
                        assert sum(h["rollouts"] for h in answer["hours"]) == listed["all"]
                        assert sum(h["failed"] for h in answer["hours"]) == sum("failure" in r or r["state"] == "failed" for r in listed["rollouts"])
                    if path.endswith("/incidents"):
                        assert len(answer["incidents"]) == answer["all"] == len(plan.restores), answer
                seen.add(path)
        assert len(seen) == 15


def a_catalogue_by_the_api(seed):
    """Put, read, changed by the service, and what it says of environments counts at once."""
    base = "/api/takt/delivery/catalogue"
    with Server() as server:
        send(server, [event("deploy", 1795000000, id="a", service="shop", environment="blue", state="success",
                            version="v1", succeeded_at=1795000000)])
        frequency = lambda: measures(server, **{"from": 1794000000, "to": 1796000000})["deployment_frequency"]["n"]
        assert frequency() == 0
        put = lambda path, body: server.request("PUT", path, json.dumps(body).encode())
        assert put(base + "/shop", {"environments": {"blue": "production"}, "team": "a b"})[0] == 200
        assert frequency() == 1
        answer = server.get_json(base)
        assert answer == {"source": "api", "catalogue": {"services": {
            "shop": {"environments": {"blue": "production"}, "team": "a b"}}}, "unlisted": [], "dependencies": [], "defaultBranches": [], "flagAgeDays": 90}, answer
        assert put(base, answer["catalogue"])[0] == 200 and server.get_json(base) == answer
        assert json.loads(takt("catalogue", "--json", "--data", server.data)[1]) == answer
        status, _, text = put(base + "/shop", {"tier": 1, "teem": "x"})
        assert status == 400 and b"teem: there is no such key" in text, text
        status, _, text = server.request("PUT", base + "/shop", b"{}", {"Origin": "https://example.org"})
        assert status == 403, text
        assert put(base + "/my%20shop", {})[0] == 200
        assert set(server.get_json(base)["catalogue"]["services"]) == {"shop", "my shop"}
        assert server.request("DELETE", base + "/shop")[0] == 200 and server.request("DELETE", base + "/shop")[0] == 404
        assert frequency() == 0
        assert server.get_json(base)["unlisted"] == [{"service": "shop", "deploys": 1, "seen": ["events"]}]


def intake_of(server):
    answer = server.get_json("/api/takt/delivery/intake")
    conforms(answer, {"$ref": "#/components/schemas/Intake"})
    return answer


def what_names_nothing_is_shown(seed):
    """A word on a rollout that nobody knows, or on an incident that nobody knows, and a canary of a version that was never
    rolled out: shown until what they name comes."""
    now = time.time_ns() // 10 ** 9
    with Server() as server:
        send(server, [event("deploy", now - 600, id="a", service="shop", environment="production", version="v1", state="success"),
                      event("incident", now - 500, id="i", service="shop", state="triggered"),
                      event("verdict", now - 400, id="known", incident="takt:i", rollout="takt:a", says="confirm"),
                      event("verdict", now - 399, id="on traces", incident="traces", rollout="takt:a", says="deny"),
                      event("incident", now - 500, id="j", service="shop", state="triggered"),
                      event("verdict", now - 300, id="denies", incident="takt:j", rollout="takt:b", says="deny"),
                      event("verdict", now - 200, id="confirms", incident="traces", rollout="v9", says="confirm"),
                      event("verdict", now - 100, id="astray", incident="takt:x", rollout="takt:a", says="confirm"),
                      event("canary", now - 90, id="c1", service="shop", version="v1", state="promoted"),
                      event("canary", now - 80, id="c9", service="shop", version="v9", state="failed"),
                      event("canary", now - 70, id="c8", service="shop", version="v8", state="progressing")])

        def lost():
            answer = intake_of(server)
            return ([(v["verdict"], v.get("unknown_incident", False), v.get("unknown_rollout", False)) for v in answer["unlinked_verdicts"]],
                    [c["canary"] for c in answer["unlinked_canaries"]])

        want = ([("takt:astray", True, False), ("takt:confirms", False, True), ("takt:denies", False, True)], ["takt:c9"])
        assert lost() == want, lost()
        assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        assert lost() == want, lost()
        send(server, [event("deploy", now - 60, id="b", service="shop", environment="production", version="v9", state="success"),
                      event("incident", now - 500, id="x", service="shop", state="triggered")])
        assert lost() == ([], []), lost()


def names_of_other_tools(seed):
    """A pager, a deploy script and spans each call the shop in their own way: with the catalogue's names it is one service,
    at once and after a reprocess; what is known under no name is counted."""
    base, now = "/api/takt/delivery/catalogue", time.time_ns() // 10 ** 9
    put = lambda server, path, body: server.request("PUT", base + path, json.dumps(body).encode())
    with Server() as server:
        trace_id = new_id()
        assert server.post_traces(otlp.encode(request(span(trace_id, spanId=new_id(8), kind=2, startTimeUnixNano=(now - 60) * 10 ** 9,
                                                           endTimeUnixNano=(now - 60) * 10 ** 9 + 1), service="shop-api")))[0] == 200
        send(server, [event("deploy", now - 600, id="a", service="shop", environment="PRODUCTION", version="v1", state="success"),
                      event("deploy", now - 500, id="b", service="shop-script", environment="production", version="v2", state="success"),
                      event("incident", now - 400, id="i", service="Shop (production)", state="triggered", caused_by="v2")])
        unmapped = lambda: {u["service"]: u["facts"] for u in intake_of(server)["unmapped"]}
        rollouts = lambda: [(r["version"], r["environment"], r.get("failure")) for r in server.get_json("/api/takt/delivery/deploys?service=shop")["rollouts"]]
        assert unmapped() == {} and rollouts() == [("v1", "production", None)], (unmapped(), rollouts())  # no catalogue yet
        assert put(server, "/cart", {})[0] == 200
        assert unmapped() == {"shop": 1, "shop-script": 1, "Shop (production)": 1}, unmapped()
        assert put(server, "/shop", {"names": {"shop-script": "", "Shop (production)": "Production", "shop-api": None}})[0] == 200
        assert server.get_json(base)["catalogue"]["services"]["shop"]["names"]["Shop (production)"] == "production"
        want = [("v2", "production", "version"), ("v1", "production", None)]
        assert unmapped() == {} and rollouts() == want, rollouts()
        assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        assert rollouts() == want and server.get_json("/api/takt/delivery/deploys?service=shop&environment=PRODUCTION")["rollouts"], rollouts()
        assert [v["requests"] for v in server.get_json("/api/takt/delivery/versions?service=shop")["versions"]] == [1]
        for path, body, says in (("/cart", {"names": ["shop-api"]}, b'"shop-api" is a name of the service "shop"'), ("/cart", {"names": ["shop"]}, b'"shop" is a name'),
                                 ("/shop-api", {}, b'"shop-api" is a name'), ("/cart", {"names": ["x", "x"]}, b'"x" comes twice')):
            status, _, text = put(server, path, body)
            assert status == 400 and says in text, (path, body, status, text)
        assert put(server, "/shop", {"names": ["shop-api"]})[0] == 200  # and back
        assert unmapped() == {"shop-script": 1, "Shop (production)": 1} and rollouts() == [("v1", "production", None)], (unmapped(), rollouts())
        send(server, [event("deploy", now - n, id=f"many{n}", service=f"s{n}", environment="production", version="v", state="success") for n in range(120)])
        answer = intake_of(server)
        assert len(answer["unmapped"]) == 100 and answer["unmapped_in_all"] == 122, answer["unmapped_in_all"]


def a_killed_change_of_names_is_whole_or_none(seed):
    """kill -9 while facts settle under another name: all go by what the catalogue has then, and what follows from them
    is made anew after the start. What was acknowledged is there."""
    dice, now, deploys, rounds, path = random.Random(seed), int(time.time()), 2000, 12, "/api/takt/delivery/catalogue/shop"
    tables = {"deploy": "SELECT DISTINCT service FROM deploy", "rollout": "SELECT DISTINCT service FROM rollout",
              "names": "SELECT name FROM catalogue_name"}

    def put(names):
        try:
            return server.request("PUT", path, json.dumps({"names": names}).encode())[0] == 200
        except (OSError, http.client.HTTPException):
            return False  # killed

    def change(names):
        answered = put(names)
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            server.request("GET", "/api/takt/delivery/deploys?window=1d")  # the facts settle in pieces
        return answered

    def kept():
        server.get_json("/api/takt/delivery/deploys?window=1d")  # which has to settle
        with contextlib.closing(sqlite3.connect(server.data / "facts.db")) as facts:
            return {table: {row[0] for row in facts.execute(text)} for table, text in tables.items()}

    with Server() as server, concurrent.futures.ThreadPoolExecutor(1) as beside:
        send(server, [event("deploy", now - 60 - n, id=f"d{n}", service="script", environment="production", version=f"v{n}",
                            state="success", succeeded_at=now - 60 - n) for n in range(deploys)])
        began = time.monotonic()
        assert change(["script"])
        length, named = time.monotonic() - began, True
        assert kept() == {"deploy": {"shop"}, "rollout": {"shop"}, "names": {"script"}}, kept()
        for number in range(rounds):
            asked = beside.submit(change, [] if named else ["script"])
            time.sleep(dice.uniform(0, 1.2 * length))
            server.kill()
            answered = asked.result()
            server.start()
            found, was = kept(), named
            named = bool(found["names"])
            service = {"shop" if named else "script"}
            print(f"# round {number}: {'answered' if answered else 'killed before'}, {'changed' if named != was else 'as it was'}")
            assert found["deploy"] == found["rollout"] == service and (named != was or not answered), (found, answered, was)


def services_that_traces_show(seed):
    """Who was seen where, and who calls whom: a client span of one, a server span of the other below it."""
    base = "/api/takt/delivery/catalogue"
    now, trace_id = time.time_ns() - 10 ** 9, new_id()

    def spans(service, *parts):
        return request(*(span(trace_id, spanId=own, parentSpanId=parent, kind=kind, startTimeUnixNano=now,
                              endTimeUnixNano=now + 1000) for own, parent, kind in parts), service=service)["resourceSpans"]

    ids = [new_id(8) for _ in range(6)]
    traces = {"resourceSpans": [
        *spans("app", (ids[0], "", 2), (ids[1], ids[0], 3)),         # a request, and its call of the shop
        *spans("shop", (ids[2], ids[1], 2), (ids[3], ids[2], 3)),    # which calls the cart
        *spans("cart", (ids[4], ids[3], 2), (ids[5], ids[4], 2))]}   # a request of its own to itself is no dependency
    with Server(flags=("--set", "delivery.traces_every=200ms")) as server:
        assert server.request("PUT", base + "/app", json.dumps({"depends_on": ["mail", "shop"]}).encode())[0] == 200
        send(server, [event("deploy", now // 10 ** 9 - HOUR, id="a", service="cart", environment="production", state="success",
                            version="v1", succeeded_at=now // 10 ** 9 - HOUR)])
        send(server, [event("incident", now // 10 ** 9, id="i1", service="shop", state="triggered",
                            started_at=now // 10 ** 9)])  # of the spans' month
        rollout = server.get_json("/api/takt/delivery/deploys?service=cart")["rollouts"][0]["id"]
        links = lambda: server.get_json(f"/api/takt/delivery/deploy?rollout={rollout}")["links"]
        assert links() == []
        assert server.post_traces(otlp.encode(traces))[0] == 200
        answer = until("the services of the traces", lambda: (lambda a: a if len(a["unlisted"]) == 2 and "lastInTraces" in
                                                              a["unlisted"][0] and len(a["dependencies"]) == 3 else None)(server.get_json(base)))
        conforms(answer, OPENAPI["components"]["schemas"]["CatalogueAnswer"])
        assert answer["unlisted"] == [
            {"service": "cart", "deploys": 1, "seen": ["events", "traces"], "lastInTraces": str(now)},
            {"service": "shop", "deploys": 0, "seen": ["events", "traces"], "lastInTraces": str(now)}], answer["unlisted"]
        in_traces = {"inTraces": True, "firstInTraces": str(now), "lastInTraces": str(now)}
        assert answer["dependencies"] == [
            {"service": "app", "needs": "mail", "listed": True},
            {"service": "app", "needs": "shop", "listed": True, **in_traces},
            {"service": "shop", "needs": "cart", **in_traces}], answer["dependencies"]
        near = until("the cart is blamed", links)
        assert [(l["rule"], l["incident"], l["decides"], l["neighbour"]) for l in near] == [("near", "takt:i1", True, True)], near
        assert near[0]["says"].startswith("shop calls it, as traces of 20") and near[0]["rank"] == 7, near
        code, out, err = takt("catalogue", "--server", f"http://127.0.0.1:{server.port()}")
        rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
        assert code == 0 and "(in events, traces, not listed)" in rows["shop"] and rows["shop"].endswith("cart"), (out, err)
        assert rows["app"].endswith("mail, shop"), out
        # The shop is only what spans call the app: what is its own call is none, and nothing is told anew.
        told = lambda: {s["source"]: s["events"] for s in intake_of(server)["sources"]}["takt/call"]
        before = told()
        assert server.request("PUT", base + "/app", json.dumps({"depends_on": ["mail"], "names": ["shop"]}).encode())[0] == 200
        answer = server.get_json(base)
        assert [u["service"] for u in answer["unlisted"]] == ["cart"], answer["unlisted"]
        assert answer["dependencies"] == [{"service": "app", "needs": "cart", **in_traces}, {"service": "app", "needs": "mail", "listed": True}], answer
        assert links()[0]["says"].startswith("app calls it"), links()
        time.sleep(0.5)
        assert told() == before, (told(), before)


def a_rollout_of_a_neighbour_is_blamed(seed):
    """Once traces show who calls whom, for good: without the traces, told twice, made again, as of then, from the directory."""
    now = time.time_ns() - 10 ** 9
    at = now // 10 ** 9
    deploy = lambda service, ago: event("deploy", at - ago, id=service, service=service, environment="production", state="success",
                                        version="v1", succeeded_at=at - ago)
    events = [deploy("cart", 2 * HOUR), deploy("mail", HOUR), deploy("shop", 3 * DAY),
              event("incident", at, id="i1", service="shop", environment="production", state="triggered", started_at=at),
              event("incident", at + 1, id="i1", state="resolved", resolved_at=at + 1)]
    random.Random(seed).shuffle(events)

    def traces():
        trace_id, ids = new_id(), [new_id(8) for _ in range(3)]
        spans = lambda service, *parts: request(*(span(trace_id, spanId=own, parentSpanId=parent, kind=kind, startTimeUnixNano=now,
                                                       endTimeUnixNano=now + 1000) for own, parent, kind in parts),
                                                service=service)["resourceSpans"]
        return otlp.encode({"resourceSpans": [*spans("shop", (ids[0], "", 2), (ids[1], ids[0], 3)), *spans("cart", (ids[2], ids[1], 2))]})

    ask = {"from": at - 7 * DAY, "to": at + 60}
    figures = ("change_failure_rate", "failed_deployment_recovery", "restore_time")
    with Server(flags=("--set", "delivery.traces_every=200ms")) as server:
        for e in events:
            send(server, [e])
        told = lambda: server.get_json("/api/takt/delivery/deploys?" + urllib.parse.urlencode(ask))["rollouts"]
        failed = lambda: {r["service"]: r["failure"] for r in told() if r.get("failure")}
        calls = lambda: sqlite3.connect(f"file:{server.data}/facts.db?mode=ro", uri=True).execute(
            "SELECT count(*) FROM event WHERE source = 'takt/call'").fetchone()[0]
        assert failed() == {} and calls() == 0, (failed(), calls())
        before = measures(server, **ask)["change_failure_rate"]
        assert server.post_traces(traces())[0] == 200
        until("the cart is blamed", lambda: failed() == {"cart": "near"})
        cart = next(r for r in told() if r["service"] == "cart")
        assert int(cart["recovered"]) == (at + 1) * 10 ** 9, cart
        incident = server.get_json("/api/takt/delivery/incidents?" + urllib.parse.urlencode(ask))["incidents"][0]
        cause = incident["cause"]
        assert (cause["service"], cause["rule"], cause["decides"], cause["neighbour"], cause["candidates"]) == ("cart", "near", True, True, 1), cause
        code, out, err = takt("incident", "i1", "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "cart v1" in out and "by near: shop calls it, as traces of" in out, (out, err)
        after = measures(server, **ask)
        rate, restored = after["change_failure_rate"], after["failed_deployment_recovery"]
        assert (before["numerator"], rate["numerator"], rate["denominator"]) == (0, 1, 3), (before, rate)
        assert (restored["n"], restored["value"]) == (1, 2 * HOUR + 1), restored
        hit = [r for r in why(server, rate["figure"])["rows"] if r.get("hit")]
        assert [(r["service"], r["evidence"][0]["neighbour"], r["evidence"][0]["says"]) for r in hit] == [("cart", True, cause["says"])], hit
        server.stop()  # what was looked at is looked at again, and told by nobody twice
        server.start()
        assert server.post_traces(traces())[0] == 200
        time.sleep(1)
        assert calls() == 1 and failed() == {"cart": "near"}, (calls(), failed())
        assert server.request("POST", "/api/takt/delivery/reprocess", b"")[0] // 100 == 2
        same = measures(server, **ask)
        assert {m: without_as_of(same)[m] for m in figures} == {m: without_as_of(after)[m] for m in figures}, same
        assert not [r for r in why(server, before["figure"], then="true")["rows"] if r.get("hit")]  # nobody knew of calls then
        send(server, [event("verdict", at + 2, id="w", incident="takt:i1", rollout="takt:cart", says="deny", said_by="ann")])
        until("taken back", lambda: failed() == {})
        again = why(server, rate["figure"], then="true")
        assert [r for r in again["rows"] if r.get("hit")] == hit and again["numerator"] == 1, again
        server.stop()
        code, out, err = takt("why", rate["figure"], "--then", "--data", server.data, "--json")
        assert code == 0 and [r for r in json.loads(out)["rows"] if r.get("hit")] == hit, (out, err)
        assert takt("reprocess", "--data", server.data)[0] == 0
        server.start()
        assert failed() == {}, failed()


def a_rollout_of_another_service_counts_when_somebody_says_so(seed):
    """Whatever came first; then the rollout of its own that was merely near decides no more. Taken back, all is as before."""
    now = int(time.time())
    word = lambda says: event("verdict", now + (says == "deny"), id="w", incident="takt:i1", rollout="takt:cart", says=says, said_by="ann")
    events = [event("deploy", now - 2 * HOUR, id="cart", service="cart", environment="production", state="success", version="v1",
                    succeeded_at=now - 2 * HOUR),
              event("deploy", now - HOUR, id="shop", service="shop", environment="production", state="success", version="v1",
                    succeeded_at=now - HOUR),
              event("incident", now - 600, id="i1", service="shop", environment="production", state="triggered", started_at=now - 600),
              event("incident", now - 60, id="i1", state="resolved", resolved_at=now - 60),
              word("confirm")]
    dice = random.Random(seed)
    for _ in range(4):
        dice.shuffle(events)
        with Server() as server:
            for e in events:
                send(server, [e])
            failures = lambda: {r["service"]: r.get("failure") for r in server.get_json("/api/takt/delivery/deploys?window=7d")["rollouts"]}
            assert failures() == {"cart": "said", "shop": None}, (failures(), [e["id"] for e in events])
            cart = next(r for r in server.get_json("/api/takt/delivery/deploys?window=7d")["rollouts"] if r["service"] == "cart")
            assert int(cart["recovered"]) == (now - 60) * 10 ** 9, cart
            cause = server.get_json("/api/takt/delivery/incidents?window=7d")["incidents"][0]["cause"]
            assert (cause["service"], cause["rank"], cause["decides"], cause["confirmed"]) == ("cart", 1, True, True), cause
            assert server.request("POST", "/api/takt/delivery/reprocess", b"")[0] // 100 == 2
            until("the same again", lambda: failures() == {"cart": "said", "shop": None}, 10)
            send(server, [word("deny")])
            until("taken back", lambda: failures() == {"cart": None, "shop": "near"}, 10)


def a_word_counts_wherever_the_incident_is(seed):
    """Of no service, or in another environment of the rollout's; the name of a group, which services share, is no rollout."""
    now = int(time.time())
    deploy = lambda id, at, **more: event("deploy", at, id=id, state="success", version="v1", succeeded_at=at, rollout="train", **more)
    incident = lambda id, **more: event("incident", now - 600, id=id, state="triggered", started_at=now - 600, **more)
    word = lambda id, rollout: event("verdict", now, id=f"w{id}", incident=f"takt:{id}", rollout=rollout, says="confirm", said_by="ann")
    cases = ((incident("i1"), "takt:cart", {"cart"}),
             (incident("i1", service="cart", environment="eu"), "takt:cart", {"cart"}),
             (incident("i1", service="mail", environment="production"), "train", set()))
    dice = random.Random(seed)
    for told, rollout, want in cases:
        events = [deploy("cart", now - 2 * 86400, service="cart", environment="production"),
                  deploy("shop", now - 3 * 86400, service="shop", environment="production"), told, word("i1", rollout)]
        for _ in range(3):
            dice.shuffle(events)
            with Server() as server:
                for e in events:
                    send(server, [e])
                failed = {r["service"] for r in server.get_json("/api/takt/delivery/deploys?window=7d")["rollouts"] if r.get("failure")}
                assert failed == want, (rollout, failed, [e["id"] for e in events])


def a_catalogue_from_a_file(seed):
    """Wrong at start: no start, and the line. Changed while it runs: read again; wrong: the old one, and it says so."""
    file = temporary_directory() / "services.yaml"
    base = "/api/takt/delivery/catalogue"
    file.write_text("services:\n  shop:\n    owners: ann\n")
    code, _, err = takt("catalogue", "check", file)
    assert code == 1 and f"{file}:3: services.shop.owners: there is no such key" in err, err
    file.write_text("services:\n  shop: {team: web}\n")
    code, out, err = takt("catalogue", "check", file)
    assert code == 0 and "1 service" in out, err
    with Server(flags=["--set", f"delivery.catalogue={file}"]) as server:
        answer = server.get_json(base)
        assert (answer["source"], answer["file"]) == ("file", str(file)), answer
        assert server.request("PUT", base + "/x", b"{}")[0] == 409
        file.write_text("services: [\n")
        until("a file that is wrong is said", lambda: "problem" in server.get_json(base))
        assert f"{file}:" in server.get_json(base)["problem"]
        assert server.get_json(base)["catalogue"]["services"] == {"shop": {"team": "web"}}
        file.write_text("services:\n  cart: {tier: 2}\n")
        until("the file is read again", lambda: "cart" in server.get_json(base)["catalogue"]["services"])
        assert "problem" not in server.get_json(base)
        code, out, err = takt("catalogue", "--data", server.data)
        assert code == 0 and "cart" in out and str(file) in out, (out, err)


def scopes_pool_their_rows(seed):
    """A team's figures are those of its services' rows together, not a mean of theirs; `why` gives them again."""
    plan = Plan(seed, 1795953600)
    with Server() as server:
        send(server, plan.events)
        assert server.request("PUT", "/api/takt/delivery/catalogue", CATALOGUE.encode())[0] == 200
        of = lambda **scope: measures(server, **window(plan), **scope)
        single = [of(service=f"service-{n}") for n in range(5)]
        for scope, numbers in (({"team": "web"}, (0, 1, 2)), ({"team": "core"}, (3,)), ({"tier": 2}, (1, 3)),
                               ({"product": "shop", "tier": 1}, (0, 2)), ({"team": "nobody"}, ())):
            found = of(**scope)
            for name in ("change_failure_rate", "rework_rate", "deployment_success_rate"):
                assert found[name]["numerator"] == sum(single[n][name]["numerator"] for n in numbers), (scope, name)
                assert found[name]["denominator"] == sum(single[n][name]["denominator"] for n in numbers), (scope, name)
            for name in ("failed_deployment_recovery", "restore_time"):
                rows = []
                for n in numbers:
                    why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": single[n][name]["figure"]}))
                    rows += [r["value"] for r in why["rows"] if r["counted"]]
                assert found[name]["n"] == len(rows), (scope, name)
                assert not rows or abs(found[name]["value"] - statistics.median(rows)) < 1e-6, (scope, name)
                figure = found[name]["figure"]
                why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": figure}))
                assert why["figure"] == figure
                assert why.get("value") == found[name].get("value") and why["n"] == found[name]["n"], (scope, name)
        web = server.get_json("/api/takt/delivery/deploys?" + urllib.parse.urlencode({**window(plan), "team": "web"}))
        assert {r["service"] for r in web["rollouts"]} == {"service-0", "service-1", "service-2"}
        # targets: of the service, of the team, else Takt's
        assert single[0]["lead_time"]["target"] == {"at_most": 43200, "of": "service service-0", "verdict": "cannot know"}
        core = of(team="core")["change_failure_rate"]["target"]
        assert core["at_most"] == 0.3 and core["of"] == "team core", core
        assert of(team="web")["change_failure_rate"]["target"]["at_most"] == 0.15
        code, out, err = takt("dora", "--data", server.data, "--team", "core", "--from", plan.start, "--to", plan.end)
        assert code == 0 and "(team core)" in out, (out, err)


def zone_is_here(name):
    return Path("/usr/share/zoneinfo", name).exists()


def windows_by_the_calendar(seed):
    """Weeks, months, days in a zone with summer time; each point of a trend is the figure of its period."""
    plan = Plan(seed, 1795953600)  # until 2026-11-29T12:00:00Z, a Sunday
    with Server() as server:
        send(server, plan.events)
        get = lambda path, **ask: server.get_json(f"/api/takt/delivery/{path}?" + urllib.parse.urlencode(ask))
        at = lambda text: int(datetime.datetime.fromisoformat(text + "+00:00").timestamp())
        answer = get("measures", calendar="month", **{"from": "2026-10-05", "to": "2026-11-01"})
        assert (int(answer["from"]) // 10**9, int(answer["to"]) // 10**9) == (at("2026-10-01"), at("2026-11-01")), answer
        assert answer["calendar"] == "month" and answer["zone"] == "UTC" and "partial" not in answer
        zone = "Europe/Berlin" if zone_is_here("Europe/Berlin") else "UTC"
        trend = get("trend", measure="deployment_frequency", step="week", zone=zone, **window(plan))
        points = trend["points"]
        edges = [(int(p["from"]) // 10**9, int(p["to"]) // 10**9) for p in points]
        assert all(a[1] == b[0] for a, b in zip(edges, edges[1:])) and edges[0][0] <= plan.start < plan.end <= edges[-1][1]
        finished = [int(r["finished"]) // 10**9 for r in get("deploys", **{"from": edges[0][0], "to": edges[-1][1]})["rollouts"]
                    if r["state"] == "success" and r["kind"] in ("first", "normal", "hotfix")]
        for (begin, end), point in zip(edges, points):
            if zone == "Europe/Berlin":
                berlin = zoneinfo.ZoneInfo(zone)
                first, last = (datetime.datetime.fromtimestamp(t, berlin) for t in (begin, end))
                assert first.weekday() == last.weekday() == 0 and first.hour == last.hour == 0, (first, last)
            assert point["n"] == sum(1 for t in finished if begin <= t < end), point
            assert ("partial" in point) == (end > server_now()), point
            why = get("why", figure=point["figure"])
            assert why["n"] == point["n"] and why["zone"] == zone and why["calendar"] == "week"
        if zone == "Europe/Berlin":
            assert 7 * DAY + HOUR in {end - begin for begin, end in edges}  # the week in which clocks go back
        rolling = get("trend", measure="change_failure_rate", step="7d", **window(plan))
        assert len(rolling["points"]) == WEEKS and int(rolling["to"]) == plan.end * 10**9 and "calendar" not in rolling
        assert sum(p["denominator"] for p in rolling["points"]) == plan.deploys
        now = get("trend", measure="lead_time", step="month", window="90d")
        assert [("partial" in p) for p in now["points"]] == [False] * (len(now["points"]) - 1) + [True]
        for ask in ({"step": "1s", "measure": "lead_time"}, {"step": "year", "measure": "lead_time"}, {"measure": "speed"},
                    {"measure": "lead_time", "zone": "Mars/Olympus"}, {"measure": "lead_time", "zone": "../x"}):
            assert server.get("/api/takt/delivery/trend?" + urllib.parse.urlencode(ask))[0] == 400, ask
        code, out, err = takt("dora", "--data", server.data, "--calendar", "quarter", "--zone", zone)
        assert code == 0 and f"by the quarter in {zone}" in out, (out, err)


def lower_median(values):
    return sorted(values)[(len(values) - 1) // 2]


class OtherTools:
    """The published rules of fourkeys and DevLake, over the plan's events."""

    def __init__(self, plan):
        self.plan = plan
        self.deploys = []  # (end, service)
        self.incidents = {}
        for e in plan.events:
            data = e["data"]
            at = lambda name: int(datetime.datetime.fromisoformat(data[name].replace("Z", "+00:00")).timestamp())
            if e["type"].endswith("deploy") and data["state"] == "success":
                self.deploys.append((at("succeeded_at"), data["service"]))
            if e["type"].endswith("incident"):
                found = self.incidents.setdefault(data["id"], {})
                found.update({k: at(k) for k in data if k.endswith("_at")})
                found.setdefault("service", data.get("service"))
        self.deploys.sort()

    def days_per_week(self):
        days = range(self.plan.start // DAY, (self.plan.end - 1) // DAY + 1)
        deployed = {t // DAY for t, _ in self.deploys if self.plan.start <= t < self.plan.end}
        weeks = {}
        for day in days:  # 1970-01-01 was a Thursday, so day -3 a Monday
            weeks.setdefault((day + 3) // 7, []).append(day in deployed)
        return lower_median([sum(w) for w in weeks.values()])

    def linked(self, incident):
        before = [d for d in self.deploys if d[0] < incident["detected_at"] and d[1] == incident["service"]]
        return max(before) if before else None

    def truth(self):
        inside = [d for d in self.deploys if self.plan.start <= d[0] < self.plan.end]
        failed = {self.linked(i) for i in self.incidents.values()} & set(inside)
        resolved = [i for i in self.incidents.values() if self.plan.start <= i["resolved_at"] < self.plan.end]
        return {"deployment_frequency": self.days_per_week(),
                "change_failure_rate": len(failed) / len(inside),
                "restore_time": lower_median([(i["resolved_at"] - i["detected_at"]) // 60 * 60 for i in resolved]),
                "failed_deployment_recovery": lower_median([(i["resolved_at"] - self.linked(i)[0]) // 60 * 60
                                                            for i in resolved])}


def as_other_tools_have_it(seed):
    """DevLake's figures against its rules in Python; every figure of every set opens to its rows."""
    plan = Plan(seed, 1795953600)
    truth = OtherTools(plan).truth()
    with Server() as server:
        send(server, plan.events)
        for name in ("fourkeys", "devlake-2021", "devlake-2023"):
            answer = server.get_json("/api/takt/delivery/measures?" + urllib.parse.urlencode({**window(plan), "set": name}))
            conforms(answer, {"$ref": "#/components/schemas/Measures"})
            assert answer["set"] == name and len(answer["measures"]) == 4, answer
            for m in answer["measures"]:
                short = m["name"].split(".")[1]
                if name != "fourkeys" and short in truth:
                    assert abs(m["value"] - truth[short]) < 1e-9, (m, truth[short])
                why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": m["figure"]}))
                conforms(why, {"$ref": "#/components/schemas/Why"})
                assert why["figure"] == m["figure"] and why.get("value") == m.get("value") and why["definition"], m
                assert sum(1 for r in why["rows"] if r["counted"]) == m["n"], (m, len(why["rows"]))
                trend = server.get_json("/api/takt/delivery/trend?" + urllib.parse.urlencode(
                    {**window(plan), "measure": m["name"], "step": "28d"}))
                conforms(trend, {"$ref": "#/components/schemas/Trend"})
                assert len(trend["points"]) == WEEKS // 4, trend
                for p in trend["points"]:
                    asked = {"from": int(p["from"]) // 10**9, "to": int(p["to"]) // 10**9, "set": name}
                    alone = server.get_json("/api/takt/delivery/measures?" + urllib.parse.urlencode(asked))["measures"]
                    same = next(x for x in alone if x["name"] == m["name"])
                    assert (p.get("value"), p["n"]) == (same.get("value"), same["n"]), (p, same)
        # fourkeys knows only deploys whose commit it has seen: here none
        four = {m["name"]: m for m in server.get_json("/api/takt/delivery/measures?" + urllib.parse.urlencode(
            {**window(plan), "set": "fourkeys"}))["measures"]}
        assert "value" not in four["fourkeys.change_failure_rate"] and four["fourkeys.deployment_frequency"]["n"] == 0
        assert server.get("/api/takt/delivery/measures?set=sleuth")[0] == 400
        code, out, err = takt("dora", "--data", server.data, "--set", "devlake-2023", "--from", plan.start, "--to", plan.end)
        assert code == 0 and "as devlake-2023 has it" in out, (out, err)


def merged_requests_reach_their_deploy():
    """DevLake's lead time: a pull request's merge commit, a true merge, in the first deploy that delivered it."""
    repo, t = Repository(), 1780000000
    repo.commit("c1", t)
    repo.tag("v1", t + HOUR)
    repo.run("checkout", "-q", "-b", "side")
    repo.commit("c2", t + 2 * HOUR)
    repo.run("checkout", "-q", "main")
    repo.run("merge", "-q", "--no-ff", "-m", "merge", "side", at=t + 4 * HOUR)
    sha = repo.run("rev-parse", "HEAD")
    repo.tag("v2", t + 6 * HOUR)
    data = temporary_directory() / "data"
    code, _, err = takt("import", "git", repo.path, "--service", "shop", "--tags", "^v", "--data", data)
    assert code == 0, err
    code, _, err = takt("event", "change", "--data", data, "--id", "shop#1", "--repo", "shop", "--state", "merged",
                        "--first-commit-at", stamp(t + 2 * HOUR), "--opened-at", stamp(t + 3 * HOUR),
                        "--merged-at", stamp(t + 4 * HOUR), "--merge-sha", sha)
    assert code == 0, err
    for name, want in (("devlake-2023", 4 * HOUR + MINUTE), ("fourkeys", None)):
        code, out, err = takt("dora", "--data", data, "--set", name, "--from", t, "--to", t + DAY, "--json")
        assert code == 0, err
        lead = {m["name"]: m for m in json.loads(out)["measures"]}[name + ".lead_time"]
        if want:  # the tag is a minute after its time, as its clock is the committer's
            assert lead["n"] == 1 and lead["value"] == want, lead
        else:  # c1 an hour and a minute before v1; c2 and the merge in v2: 61, 121 and 241 minutes
            assert lead["n"] == 3 and lead["value"] == 121 * MINUTE, lead


def paths_of_a_monorepo():
    """One history, two services: of c2 (web), c3 (api), c4 (api2: not api) and c5 (both) each gets its own."""
    repo, t = Repository(), 1780000000
    for name in ("web", "api", "api2"):
        (repo.path / name).mkdir(parents=True, exist_ok=True)
    repo.commit("c1", t)
    repo.tag("v1", t + HOUR)
    for number, files in enumerate((("web/a",), ("api/a",), ("api2/a",), ("web/b", "api/b")), 2):
        for file in files[:-1]:
            (repo.path / file).write_text("x")
        repo.commit(files[-1], t + number * HOUR)
    repo.tag("v2", t + 8 * HOUR)
    with Server() as server:
        pass
    file = temporary_directory() / "services.yaml"
    file.write_text("services:\n  web: {paths: [web/]}\n  api: {paths: [./api]}\n  all: {}\n")
    for service in ("web", "api", "all"):
        code, _, err = takt("import", "git", repo.path, "--service", service, "--tags", "^v", "--data", server.data)
        assert code == 0, err
    with Server(server.data, flags=["--set", f"delivery.catalogue={file}"]) as server:
        count = lambda: {r["service"]: (r["commits"], r["commits_state"]) for r in server.get_json(
            f"/api/takt/delivery/deploys?from={t}&to={t + DAY}")["rollouts"] if r["version"] == "v2"}
        assert count() == {"web": (2, "known"), "api": (2, "known"), "all": (4, "known")}, count()
        file.write_text("services:\n  web: {paths: [docs]}\n")
        until("paths that change are derived again", lambda: count() == {"web": (0, "none"), "api": (4, "known"),
                                                                         "all": (4, "known")})


def server_now():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


def lead_time_from_pushes():
    """No history was imported: what GitHub tells of pushes is enough for lead times and for the default branch."""
    now = int(server_now()) // HOUR * HOUR - DAY
    sha = lambda n: hashlib.sha1(b"%d" % n).hexdigest()
    repository = {"full_name": "acme/shop", "html_url": "https://github.com/acme/shop", "default_branch": "trunk"}

    def push(server, before, first, last, at):
        body = {"ref": "refs/heads/trunk", "before": sha(before), "after": sha(last), "forced": False,
                "repository": {**repository, "pushed_at": at}, "commits": [
                    {"id": sha(n), "timestamp": stamp(at - (last - n + 1) * 10 * MINUTE), "message": f"work {n}",
                     "author": {"name": "Ann", "email": "ann@example.org"}, "distinct": True} for n in range(first, last + 1)]}
        status, _, text = server.request("POST", "/hooks/github", json.dumps(body).encode(),
                                         {"X-GitHub-Event": "push", "X-GitHub-Delivery": sha(at), "Content-Type": "application/json"})
        assert status == 202, (status, text)

    def run(server, n, branch, conclusion, at):
        body = {"action": "completed", "workflow_run": {
            "id": n, "run_attempt": 1, "name": "ci", "head_sha": sha(n), "head_branch": branch, "event": "push", "status": "completed",
            "conclusion": conclusion, "created_at": stamp(at), "run_started_at": stamp(at), "updated_at": stamp(at + MINUTE)},
            "repository": repository}
        assert server.request("POST", "/hooks/github", json.dumps(body).encode(), {
            "X-GitHub-Event": "workflow_run", "X-GitHub-Delivery": f"run {n}", "Content-Type": "application/json"})[0] == 202

    deploy = lambda n, at: event("deploy", at, id=sha(n), service="shop", environment="production", version=f"v{n}", sha=sha(n),
                                 repo="github.com/acme/shop", state="success", succeeded_at=at, ended_at=at)
    with Server() as server:
        run(server, 3, "trunk", "success", now)
        run(server, 4, "slow", "failure", now)
        send(server, [deploy(1, now), deploy(4, now + 4 * HOUR)])
        assert measures(server)["lead_time"]["n"] == 0 and measures(server)["pipeline_default_rate"].get("denominator", 0) == 0
        push(server, 1, 2, 4, now + 3 * HOUR)  # 30, 20, 10 minutes before: 90, 80, 70 before the rollout
        push(server, 0, 1, 1, now - HOUR)      # and the first one comes late
        found = measures(server)
        assert found["lead_time"]["n"] == 3 and found["lead_time"]["value"] == 80 * MINUTE, found["lead_time"]
        assert (found["pipeline_default_rate"]["numerator"], found["pipeline_default_rate"]["denominator"]) == (1, 1)
        rollout = server.get_json("/api/takt/delivery/deploys")["rollouts"][0]
        commits = server.get_json(f"/api/takt/delivery/deploy?rollout={rollout['id']}")["commits"]
        assert {c["subject"] for c in commits} == {"work 2", "work 3", "work 4"} and commits[0]["author"] == "Ann", commits
        push(server, 1, 2, 4, now + 3 * HOUR)
        assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        again = measures(server)
        assert all(again[m][k] == found[m][k] for m in ("lead_time", "pipeline_default_rate") for k in ("n", "value")), again


def failures_by_severity():
    """As the server says, or the question; what tells no severity counts, and so does a remedy. The figure says which."""
    now = int(server_now())
    with Server(flags=("--set", "delivery.failure_severity=2")) as server:
        at = now - 30 * DAY
        for n, severity in enumerate((1, 2, 3, 0, 4, None)):
            send(server, [event("deploy", at + n * DAY, id=f"d{n}", service="shop", environment="production", version=f"v{n}",
                                state="success", succeeded_at=at + n * DAY)])
            if severity is not None:
                send(server, [event("incident", at + n * DAY + HOUR, id=f"i{n}", service="shop", environment="production",
                                    state="resolved", detected_at=at + n * DAY + HOUR, resolved_at=at + n * DAY + 2 * HOUR,
                                    caused_by=f"v{n}", **({"severity": severity} if severity else {}))])
            if severity == 4:  # and taken back
                send(server, [event("deploy", at + n * DAY + HOUR, id="back", service="shop", environment="production", version="v3",
                                    state="success", succeeded_at=at + n * DAY + HOUR, kind="rollback")])
        for ask, failed, said in (({}, 4, ",severity=2"), ({"severity": 0}, 5, ""), ({"severity": 1}, 3, ",severity=1"),
                                  ({"severity": 3}, 5, ",severity=3")):
            found = measures(server, **ask)
            figure = found["change_failure_rate"]
            assert (figure["numerator"], figure["denominator"]) == (failed, 6), (ask, figure)
            assert found["failed_deployment_recovery"]["n"] == found["failed_time"]["n"] == failed, (ask, found)
            for name in found:
                of_failures = name in ("change_failure_rate", "failed_deployment_recovery", "failed_time")
                assert re.findall(",severity=[0-9]+", found[name]["figure"]) == ([said] if said and of_failures else []), found[name]
            why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": figure["figure"]}))
            assert why["numerator"] == failed and "delivery.failure_severity" in why["definition"], why
        report = server.get_json("/api/takt/delivery/report?window=60d")
        assert sorted(r["version"] for r in report["failed"]) == ["v0", "v1", "v3", "v4"], report["failed"]
        for wrong in ("101", "-1", "high"):
            status, _, text = server.get("/api/takt/delivery/measures?severity=" + wrong)
            assert status == 400 and b"severity" in text, (wrong, text)
        assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        assert measures(server)["change_failure_rate"]["numerator"] == 4
        server.stop()
        code, out, err = takt("dora", "--data", server.data, "--severity", "1", "--json")
        assert code == 0 and next(m for m in json.loads(out)["measures"] if m["name"] == "change_failure_rate")["numerator"] == 3, err


def flags_past_their_time():
    """As long as the server says, or the question; the figure says which, and opens to the same."""
    now = int(server_now())
    with Server(flags=("--set", "delivery.flag_age=10d")) as server:
        send(server, [event("flag_change", now - days * DAY, id=name, service="shop", environment="production", flag=name,
                            action="on", changed_at=now - days * DAY) for name, days in (("new", 5), ("old", 20))])
        for ask, stale, said in (({}, 1, ",flag_days=10"), ({"flag_age": "30d"}, 0, ",flag_days=30"),
                                 ({"flag_age": "3d"}, 2, ",flag_days=3"), ({"flag_age": "90d"}, 0, "")):
            figure = measures(server, **ask)["stale_flag_rate"]
            assert (figure["numerator"], figure["denominator"]) == (stale, 2), (ask, figure)
            assert re.findall(",flag_days=[0-9]+", figure["figure"]) == ([said] if said else []), figure
            why = server.get_json("/api/takt/delivery/why?" + urllib.parse.urlencode({"figure": figure["figure"]}))
            assert why["numerator"] == stale, why
        for wrong in ("0d", "12h", "36h", "4000d", "x"):
            status, _, text = server.get("/api/takt/delivery/measures?flag_age=" + wrong)
            assert status == 400 and b"flag_age" in text, (wrong, text)
        checks = server.get_json("/api/takt/delivery/ready?service=shop")
        flags = next(c for c in checks["before"] + checks["ready"] if "flags are past their time" in c.get("evidence", ""))
        assert flags["evidence"].startswith("1 of 2"), flags
        code, out, err = takt("dora", "--data", server.data, "--flag-age", "3d", "--json")
        assert code == 0 and next(m for m in json.loads(out)["measures"] if m["name"] == "stale_flag_rate")["numerator"] == 2, err


def figures_to_scrape(seed):
    """/metrics has the DORA measures of each service in production: as planned, and as the API says them."""
    end = server_now()
    plan = Plan(seed, end)
    odd = 'an "odd\\one'
    done = lambda version, days, **more: event("deploy", end - days * DAY, id=f"odd {version}", service=odd, version=version,
                                               environment="production", state="success", succeeded_at=end - days * DAY,
                                               ended_at=end - days * DAY, **more)
    with Server() as server:
        send(server, [done("v1", 40), done("v2", 20), done("v3", 12), done("v4", 6, kind="hotfix", fixes="v3")])
        send(server, plan.events)
        scrape = lambda: openmetrics.parse(server.get("/metrics")[2].decode())
        services = {f"service-{n}" for n in range(5)} | {odd.replace("\\", "\\\\").replace('"', '\\"')}
        seen = lambda families: {dict(labels)["service"] for _, labels in families["takt_dora_deployments"].samples}
        families = until("the figures", lambda: (lambda f: f if "takt_dora_deployments" in f and seen(f) == services else None)(scrape()))
        value = lambda name, service: openmetrics.value(families, name, service=service, environment="production")
        quoted = odd.replace("\\", "\\\\").replace('"', '\\"')
        assert value("takt_dora_deployments", quoted) == 3
        assert math.isclose(value("takt_dora_deployments_per_day", quoted), 3 / 30)
        assert math.isclose(value("takt_dora_change_failure_ratio", quoted), 1 / 3)
        assert value("takt_dora_recovery_time_seconds", quoted) == 6 * DAY
        assert math.isclose(value("takt_dora_rework_ratio", quoted), 1 / 3)
        assert openmetrics.value(families, "takt_dora_services_left_out") == 0
        until_s = openmetrics.value(families, "takt_dora_window_end_seconds")
        names = {"lead_time": "lead_time_seconds", "deployment_frequency": "deployments_per_day",
                 "change_failure_rate": "change_failure_ratio", "failed_deployment_recovery": "recovery_time_seconds",
                 "rework_rate": "rework_ratio"}
        for service in sorted(services - {quoted}):
            ask = urllib.parse.urlencode({"service": service, "from": int(until_s) - 30 * DAY, "to": int(until_s)})
            for m in server.get_json(f"/api/takt/delivery/measures?{ask}")["measures"]:
                if m["name"] not in names:
                    continue
                got = {dict(k[1])["service"]: v for k, v in families["takt_dora_" + names[m["name"]]].samples.items()}
                if m.get("value") is None:
                    assert service not in got, (service, m)
                else:
                    assert math.isclose(got[service], m["value"], rel_tol=1e-9), (service, m, got)
        for name in list(names.values()):
            assert "30 days" in families["takt_dora_" + name].help, name


class Repository:
    def __init__(self):
        self.path = temporary_directory() / "repo"
        self.run("init", "-q", "-b", "main", self.path, cwd="/")

    def run(self, *arguments, at=None, cwd=None):
        clock = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at + 60} +0000"} if at else {}
        done = subprocess.run(["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *map(str, arguments)],
                              cwd=cwd or self.path, capture_output=True, text=True, check=True,
                              env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", **clock})
        return done.stdout.strip()

    def commit(self, name, at):
        (self.path / name).write_text(name)
        self.run("add", ".")
        self.run("commit", "-q", "-m", name, at=at)

    def tag(self, name, at, where="HEAD"):
        self.run("tag", "-a", "-m", name, name, where, at=at)


def a_git_history():
    """c1 ─ c2 ─ merge(c3) ─ c4 ─ c5      tags v1 = c1, v2 = the merge, v3 = c5
         └─ c3 ───┘                      hotfix v1.1 = c1 + a pick of c4, after v2 and before v3
    v1 is the baseline. v2 brings c2 and c3: the merge is no change. v1.1 brings its pick. v3 brings c4 and
    c5, of which c4 was delivered as the pick: lead times are of c2, c3, the pick and c5."""
    repo, t = Repository(), 1780000000
    for name, at in (("c1", t),):
        repo.commit(name, at)
    repo.tag("v1", t + HOUR)
    repo.run("checkout", "-q", "-b", "side")
    repo.commit("c3", t + 2 * HOUR)
    repo.run("checkout", "-q", "main")
    repo.commit("c2", t + 3 * HOUR)
    repo.run("merge", "-q", "--no-ff", "-m", "merge", "side", at=t + 4 * HOUR)
    repo.tag("v2", t + 5 * HOUR)
    repo.commit("c4", t + 6 * HOUR)
    pick = repo.run("rev-parse", "HEAD")
    repo.commit("c5", t + 7 * HOUR)
    repo.run("checkout", "-q", "-b", "fix", "v1")
    repo.run("cherry-pick", "-x", pick, at=t + 8 * HOUR)
    repo.tag("v1.1-hotfix", t + 9 * HOUR)
    repo.tag("v3", t + 10 * HOUR, "main")
    repo.run("tag", "nightly-2026-05-01", "main")
    data = temporary_directory() / "data"
    code, out, err = takt("import", "git", repo.path)
    assert code == 0 and "5 tags" in out and "--tags" in out, (out, err)
    code, out, err = takt("import", "git", repo.path, "--service", "shop", "--tags", "^v[0-9]", "--data", data)
    assert code == 0 and "7 new commits, 4 new rollouts of 4 matching tags" in out, (out, err)
    code, out, err = takt("import", "git", repo.path, "--service", "shop", "--tags", "^v[0-9]", "--data", data)
    assert code == 0 and "0 new commits, 0 new rollouts" in out, (out, err)
    scope = ("--data", data, "--from", t, "--to", t + DAY)
    code, out, err = takt("deploys", *scope, "--json")
    assert code == 0, err
    got = [(r["version"], r["kind"], r["commits_state"], r["commits"]) for r in reversed(json.loads(out)["rollouts"])]
    assert got == [("v1", "first", "baseline", 0), ("v2", "normal", "known", 2), ("v1.1-hotfix", "hotfix", "known", 1),
                   ("v3", "normal", "known", 2)], got
    found = {m["name"]: m for m in json.loads(takt("dora", *scope, "--json")[1])["measures"]}
    lead = found["lead_time"]
    # Finishes are a minute after the tag's time (the tagger's clock is the committer's): c2 121 min, c3 181,
    # the pick keeps its author's time (c4's): 181, c5 181.
    assert lead["n"] == 4 and lead["value"] == 181 * MINUTE, lead
    assert {x["why"]: x["n"] for x in lead["left_out"]} == {"first rollout: a baseline": 1,
                                                           "cherry-pick whose twin was delivered": 1}, lead
    committer = json.loads(takt("dora", *scope, "--json", "--clock", "committer")[1])["measures"]
    committer = next(m for m in committer if m["name"] == "lead_time")
    assert committer["n"] == 4 and committer["value"] == (120 + 180) / 2 * MINUTE, committer  # 120 180 60 180
    code, _, err = takt("import", "git", repo.path, "--service", "shop", "--tags", "v(", "--data", data)
    assert code == 1 and "wrong at character" in err, err
    code, _, err = takt("import", "git", "/nowhere", "--tags", "v", "--service", "s", "--data", data)
    assert code == 1 and "/nowhere" in err, err
    code, out, err = takt("import", "git", repo.path, "--service", "nightly", "--tags", "nightly", "--time", "name", "--data", data)
    assert code == 0 and "1 new rollout" in out, (out, err)
    code, out, _ = takt("deploys", "--data", data, "--from", "2026-05-01", "--to", "2026-05-02", "--service", "nightly")
    assert "2026-05-01 00:00" in out, out


def a_revert_recovers_what_it_reverts():
    """c1 ─ c2 ─ c3 ─ revert of c2 ─ c5      tags v1 = c1, v2 = c3 at 3 h, v3 = the revert at 5 h, v4 = c5
    v2 failed for two hours, until v3, its hotfix: the one rework of 4. Derived anew it is the same."""
    repo, t = Repository(), 1780000000
    repo.commit("c1", t)
    repo.tag("v1", t + HOUR)
    repo.commit("c2", t + 2 * HOUR)
    bad = repo.run("rev-parse", "HEAD")
    repo.commit("c3", t + 2 * HOUR)
    repo.tag("v2", t + 3 * HOUR)
    repo.run("revert", "--no-edit", bad, at=t + 4 * HOUR)
    repo.tag("v3", t + 5 * HOUR)
    repo.commit("c5", t + 6 * HOUR)
    repo.tag("v4", t + 7 * HOUR)
    data = temporary_directory() / "data"
    code, _, err = takt("import", "git", repo.path, "--service", "shop", "--tags", "^v[0-9]", "--data", data)
    assert code == 0, err
    scope = ("--data", data, "--from", t, "--to", t + DAY)
    told = takt("deploys", *scope, "--json")[1]
    rollouts = {r["version"]: r for r in json.loads(told)["rollouts"]}
    assert [rollouts[f"v{n}"]["kind"] for n in range(1, 5)] == ["first", "normal", "hotfix", "normal"], told
    assert rollouts["v2"]["failure"] == "remedy" and rollouts["v2"]["recovered"] == rollouts["v3"]["finished"], told
    assert rollouts["v3"]["reverts"] == rollouts["v2"]["id"] and "reverts" not in rollouts["v4"], told
    found = {m["name"]: m for m in json.loads(takt("dora", *scope, "--json")[1])["measures"]}
    assert found["failed_deployment_recovery"]["value"] == 2 * HOUR, found["failed_deployment_recovery"]
    assert (found["rework_rate"]["numerator"], found["rework_rate"]["denominator"]) == (1, 4), found["rework_rate"]
    assert math.isclose(found["failed_time"]["value"], 2 / 24), found["failed_time"]
    code, _, err = takt("reprocess", "--data", data)
    assert code == 0, err
    assert takt("deploys", *scope, "--json")[1] == told


def when_the_impact_began_is_not_when_it_was_noticed():
    """What a pager or an alert tells is when somebody took notice. Without a start that somebody told there is no time to
    detect, and the times to restore and to remediate are one."""
    at = int(server_now()) - 9 * DAY
    with Server() as server:
        for number in range(6):
            created, resolved = at + number * DAY, at + number * DAY + 30 * MINUTE
            alert = {"status": "resolved", "fingerprint": str(number), "startsAt": stamp(created), "endsAt": stamp(resolved),
                     "labels": {"alertname": "Errors", "takt_incident": "true", "service": "shop", "environment": "production"}}
            status, _, body = server.request("POST", "/hooks/alertmanager", json.dumps({"version": "4", "alerts": [alert]}).encode(),
                                             {"Content-Type": "application/json"})
            assert status == 202, body
        said = measures(server, service="shop")
        assert said["detect_time"]["n"] == 0 and said["detect_time"].get("value") is None, said["detect_time"]
        assert said["detect_time"]["left_out"] == [{"why": "the start of its impact is not known", "n": 6}], said["detect_time"]
        assert said["restore_time"]["value"] == said["remediate_time"]["value"] == 30 * MINUTE
        with sqlite3.connect(f"file:{server.data}/facts.db?mode=ro", uri=True) as facts:
            key = facts.execute("SELECT key FROM incident ORDER BY detected_at LIMIT 1").fetchone()[0]
        code, _, err = takt("event", "incident", "--key", key, "--started-at", stamp(at - 4 * MINUTE), "--server",
                            f"http://127.0.0.1:{server.port()}")
        assert code == 0, err
        said = measures(server, service="shop")
        assert said["detect_time"]["n"] == 1 and said["detect_time"]["value"] == 4 * MINUTE, said["detect_time"]


def commits_of_impossible_times_have_no_lead_time():
    """Whoever sends a history says when its commits were made; what cannot be is not believed."""
    at = 1795000000
    commit = lambda sha, parents, time: {"sha": sha * 40, "parents": parents * 40, "authored": time * 10**9,
                                         "committed": time * 10**9, "author": "Ann", "subject": sha}
    deploy = lambda sha, time: event("deploy", time, id=sha, service="s", environment="production", version=sha, repo="github.com/x/y",
                                     sha=sha * 40, state="success", succeeded_at=time)
    with Server() as server:
        body = {"repository": "github.com/x/y", "commits": [commit("a", "", at), commit("b", "a", 1), commit("c", "b", at + 4000 * DAY),
                                                            commit("d", "c", at)]}
        assert server.request("POST", "/api/takt/delivery/history", json.dumps(body).encode())[0] == 200
        send(server, [deploy("a", at + 1), deploy("d", at + HOUR)])
        lead = measures(server, **{"from": at - DAY, "to": at + DAY})["lead_time"]
        assert lead["n"] == 1 and lead["value"] == HOUR, lead
        assert {x["why"]: x["n"] for x in lead["left_out"]}["a time that cannot be"] == 2, lead


def a_list_tells_lead_times_canaries_and_hours():
    """The lead time of a rollout is the middle one of its commits'; a limit cuts rows, not their number; hours are of the zone."""
    at = 1795046400  # a midnight, UTC
    names = "abcdef"
    commit = lambda n, time: {"sha": names[n] * 40, "parents": names[n - 1] * 40 if n else "", "authored": time * 10**9,
                              "committed": time * 10**9, "author": "Ann", "subject": names[n]}
    deploy = lambda n, time, **more: event("deploy", time, id=names[n], service="s", environment="production", version=f"v{n}",
                                           repo="github.com/x/y", sha=names[n] * 40, state="success", started_at=time - 60, succeeded_at=time, **more)
    with Server() as server:
        commits = [commit(0, at), commit(1, at + HOUR), commit(2, at + 2 * HOUR), commit(3, at + 5 * HOUR), commit(4, at + 7 * HOUR)]
        assert server.request("POST", "/api/takt/delivery/history", json.dumps({"repository": "github.com/x/y", "commits": commits}).encode())[0] == 200
        send(server, [deploy(0, at + 1), deploy(3, at + 6 * HOUR), deploy(4, at + 23 * HOUR + 1800),
                      event("canary", at + 22 * HOUR, id="k", service="s", environment="production", version="v4", state="failed",
                            started_at=at + 22 * HOUR, ended_at=at + 23 * HOUR)])
        scope = {"from": at - DAY, "to": at + 2 * DAY}
        ask = lambda path, **more: server.get_json(f"/api/takt/delivery/{path}?" + urllib.parse.urlencode({**scope, **more}))
        told = {r["version"]: (r.get("lead_ns"), r.get("canary")) for r in ask("deploys")["rollouts"]}
        assert told == {"v0": (None, None), "v3": (str(4 * HOUR * 10**9), None), "v4": (str((16 * HOUR + 1800) * 10**9), "failed")}, told
        cut = ask("deploys", limit=1)
        assert [r["version"] for r in cut["rollouts"]] == ["v4"] and cut["all"] == 3, cut
        day = lambda seconds: time.strftime("%Y-%m-%d", time.gmtime(seconds))
        hours = lambda **more: [(h["day"], h["hour"], h["rollouts"], h["failed"]) for h in ask("calendar", **more)["hours"]]
        failed = sum("failure" in r for r in ask("deploys")["rollouts"] if r["version"] == "v4")
        assert hours() == [(day(at), 0, 1, 0), (day(at), 6, 1, 0), (day(at), 23, 1, failed)], hours()
        assert hours(zone="Asia/Kolkata") == [(day(at), 5, 1, 0), (day(at), 11, 1, 0), (day(at + DAY), 5, 1, failed)], hours(zone="Asia/Kolkata")
        assert hours(zone="America/New_York")[0][0] == day(at - DAY)
        assert ask("calendar", service="nobody")["hours"] == []


def hooks_that_name_no_service_tell_of_their_repository():
    """GitLab never names a service, GitHub only where the team's payload does: the repository's last word stands in, and
    yields to whoever names one, in whatever order it comes."""
    at, shas = int(server_now()) // DAY * DAY - 3 * DAY, ["a" * 40, "b" * 40]

    def gitlab(number):
        return "gitlab", {"X-Gitlab-Event": "Deployment Hook"}, {
            "object_kind": "deployment", "status": "success", "status_changed_at": stamp(at + number * HOUR), "deployment_id": number,
            "environment": "production", "environment_tier": "production", "ref": "main", "user": {"username": "ann"},
            "commit_url": f"https://gitlab.com/acme/cart/-/commit/{shas[number - 1]}",
            "project": {"id": 1, "path_with_namespace": "acme/cart", "web_url": "https://gitlab.com/acme/cart"}}

    def github(number):
        return "github", {"X-GitHub-Event": "deployment_status", "X-GitHub-Delivery": str(number)}, {
            "deployment_status": {"id": number, "state": "success", "created_at": stamp(at + number * HOUR)},
            "deployment": {"id": number, "sha": shas[number - 1], "ref": "main", "environment": "production",
                           "production_environment": True, "created_at": stamp(at), "payload": {}},
            "repository": {"id": 1, "full_name": "acme/shop", "html_url": "https://github.com/acme/shop"}}

    incident = ("gitlab", {"X-Gitlab-Event": "Issue Hook"}, {
        "object_kind": "issue", "object_attributes": {
            "id": 9, "iid": 9, "type": "Incident", "title": "down", "state": "opened", "action": "open",
            "created_at": stamp(at + 2 * HOUR + 10 * MINUTE), "updated_at": stamp(at + 2 * HOUR + 10 * MINUTE)},
        "project": {"id": 1, "path_with_namespace": "acme/cart", "web_url": "https://gitlab.com/acme/cart"}})
    named = event("deploy", at - HOUR, key="github:acme/shop:deployment:2", service="checkout")
    hooks = [gitlab(1), gitlab(2), github(1), github(2), incident]
    for order in (hooks, hooks[::-1]):
        with Server() as server:
            if order is hooks:
                send(server, [named])
            for source, headers, body in order:
                status, _, text = server.request("POST", f"/hooks/{source}", json.dumps(body).encode(),
                                                 {"Content-Type": "application/json", **headers})
                assert status == 202, text
            if order is not hooks:
                send(server, [named])
            seen = server.get_json(f"/api/takt/delivery/deploys?from={at}&to={at + DAY}")["rollouts"]
            assert sorted((r["service"], r["kind"], r.get("failure", "")) for r in seen) == [
                ("cart", "first", ""), ("cart", "normal", "near"), ("checkout", "first", ""), ("shop", "first", "")], seen
            assert server.get_json("/api/takt/delivery/intake")["deploys_without_service"] == 0
            failed = measures(server, service="cart")["change_failure_rate"]
            assert (failed["numerator"], failed["denominator"]) == (1, 2), failed


def tags_left_out_are_told():
    """Tags of a tree, of an object that is not there, without a date, and more than are read at once."""
    repo, data = Repository(), temporary_directory() / "data"
    repo.commit("c1", 1780000000)
    repo.tag("v1", 1780000000)
    repo.run("tag", "v2", "HEAD^{tree}")
    (repo.path / ".git/refs/tags/v3").write_text("1" * 40 + "\n")
    flags = ("import", "git", repo.path, "--service", "shop", "--data", data)
    code, out, err = takt(*flags, "--tags", "^v")
    assert code == 0 and "1 new rollout of 1 matching tag\n" in out, (out, err)
    assert "1 matching tag left out: of no commit\n" in out and "1 matching tag left out: cannot be read\n" in out, out
    head = repo.run("rev-parse", "HEAD")
    (repo.path / ".git/packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + "".join(
        f"{head} refs/tags/w{n:06}\n" for n in range(200007)))
    code, out, err = takt(*flags, "--tags", "^w", "--time", "name")
    assert code == 0 and "200000 matching tags left out: no date to be read\n" in out, (out, err)
    assert "7 matching tags left out: too many at once; a narrower --tags takes them\n" in out, out


def a_history_to_a_server():
    """The same repository into a directory and into a running server: the same commits and figures; a second run sends
    what is new alone."""
    repo = Repository()
    start = 1780000000 // DAY * DAY
    for number in range(12):
        repo.commit(f"work {number}", start + number * HOUR)
        if number % 3 == 2:
            repo.tag(f"v{number // 3}", start + number * HOUR + 30 * MINUTE)
    data = temporary_directory()
    tags = ("--service", "shop", "--tags", "^v[0-9]")
    scope = {"service": "shop", "from": start - DAY, "to": start + 30 * DAY}
    code, out, err = takt("import", "git", repo.path, *tags, "--data", data)
    assert code == 0 and "12 new commits, 4 new rollouts" in out, (out, err)
    with Server() as server:
        url = f"http://127.0.0.1:{server.port()}"
        import_it = lambda **environment: takt("import", "git", repo.path, *tags, "--server", url, **environment)
        code, out, err = import_it()
        assert code == 0 and "12 new commits, 4 new rollouts" in out, (out, err)
        flags = [x for k, v in scope.items() for x in (f"--{k}", str(v))]
        there = {m["name"]: m for m in json.loads(takt("dora", "--data", data, "--json", *flags)[1])["measures"]}
        here = measures(server, **scope)
        assert here["lead_time"]["n"] == 9 and here["lead_time"]["value"] == there["lead_time"]["value"], here["lead_time"]
        assert here["batch_size"]["value"] == there["batch_size"]["value"] == 3
        name = str(repo.path)
        known = server.get_json("/api/takt/delivery/history?" + urllib.parse.urlencode({"repository": name}))
        assert known["commits"] == sorted(repo.run("log", "--format=%H").split()) and "next" not in known, known
        behind = urllib.parse.urlencode({"repository": name, "after": known["commits"][5]})
        assert server.get_json("/api/takt/delivery/history?" + behind)["commits"] == known["commits"][6:]
        assert server.get("/api/takt/delivery/history?after=x")[0] == 400
        repo.commit("more", start + 20 * HOUR)
        repo.tag("v9", start + 21 * HOUR)
        code, out, err = import_it()
        assert code == 0 and "1 new commit, 1 new rollout of 5" in out, (out, err)
        assert "0 new commits, 0 new rollouts" in import_it()[1]
        post = lambda body, **head: server.request("POST", "/api/takt/delivery/history", json.dumps(body).encode(), head)
        good = {"sha": "a" * 40, "parents": "b" * 40, "authored": 1, "committed": 1, "author": "Ann", "subject": "x"}
        for wrong in ({}, {"repository": "x", "commits": [{}]}, {"repository": "x" * 1025, "commits": []},
                      {"repository": "x", "commits": [{**good, "sha": "a" * 39}]},
                      {"repository": "x", "commits": [{**good, "parents": "b" * 41}]},
                      {"repository": "x", "commits": [{**good, "parents": "z" * 40}]},
                      {"repository": "x", "commits": [{**good, "authored": -1}]},
                      {"repository": "x", "commits": [{**good, "reverts": "no"}]},
                      {"repository": "x", "commits": [good] * 1001}):
            status, _, text = post(wrong)
            assert status == 400 and text, (wrong if len(str(wrong)) < 300 else "long", status, text)
        assert post({"repository": "x", "commits": [good]}, Origin="https://example.org")[0] == 401
        assert post({"repository": "x", "commits": [good]}, **{"X-Forwarded-For": "10.0.0.1"})[0] == 401
        conforms(json.loads(post({"repository": "x", "commits": [good]})[2]), OPENAPI["paths"]["/api/takt/delivery/history"][
            "post"]["responses"]["200"]["content"]["application/json"]["schema"])
    secrets = temporary_directory()
    (secrets / "events").write_text("sesame\n")
    with Server(flags=("--set", f"hooks.secrets_dir={secrets}")) as server:
        url = f"http://127.0.0.1:{server.port()}"
        code, _, err = import_it()
        assert code == 1 and err, err
        code, out, err = import_it(TAKT_TOKEN="sesame")
        assert code == 0 and "13 new commits, 5 new rollouts" in out, (out, err)
    code, _, err = import_it()
    assert code == 1 and "Is the server running" in err, err


def the_command_line():
    with Server() as server:
        where = {"TAKT_SERVER": f"http://127.0.0.1:{server.port()}"}
        assert takt("event", "deploy", "--id", "1", "--service", "s", "--environment", "production", "--version", "v1",
                    "--state", "success", "--succeeded-at", "now", **where)[0] == 0
        code, out, _ = takt("deploys", **where)
        assert code == 0 and "1 rollout" in out and "first" in out, out
        code, _, err = takt("event", "deploy", "--servce", "s", **where)
        assert code == 2 and "--service" in err
        code, _, err = takt("event", "party", **where)
        kinds = re.findall(r"[a-z_]+", takt("event", "--help")[1].split("KIND ")[2].split("--id")[0])
        tables = set(re.findall(r'^FACT\(\w+, "(\w+)"\)', FACTS.read_text(), re.M)) - {"impact", "onset", "call"}  # what Takt says itself
        assert code == 2 and set(kinds) == set(re.findall(r"[a-z_]+", err.split("happened?")[1].split("Try")[0])) == tables, (kinds, err)
        assert takt("event", "impact", "--rollout", "1", **where)[0] == 2
        assert takt("event", "pushed_commit", "--repo", "r", "--sha", "a" * 40, **where)[0] == 0
        send(server, [event("incident", server_now() - MINUTE, id="t", service="s", team="web")])
        team = lambda: sqlite3.connect(f"file:{server.data}/facts.db?mode=ro", uri=True).execute(
            "SELECT team FROM incident WHERE key = 'takt:t'").fetchall()
        assert team() == [("web",)], team()
        assert takt("event", "incident", "--id", "t", "--team", "", **where)[0] == 0 and team() == [(None,)], team()
        for command in ("dora", "deploys", "profile", "report"):  # takes what its help names, and nothing else
            text = takt(command, "--help")[1]
            for words in (["--clock", "author"], ["--change", "config"], ["--flag-age", "30d"], ["--severity", "2"], ["--levels", "2024"],
                          ["--set", "fourkeys"], ["--limit", "5"], ["--with-rollbacks"], ["--with-redeploys"], ["--tier", "1"], ["--html"]):
                code, _, err = takt(command, *words, **where)
                assert (code == 0) == (words[0] in text), (command, words, code, err)
        verdict = ("event", "verdict", "--incident", "i", "--rollout", "r")
        code, _, err = takt(*verdict, "--says", "confirmed", **where)
        assert code == 1 and 'expected confirm or deny, found "confirmed"' in err, err
        assert takt(*verdict, **where)[0] == 1 and takt(*verdict, "--says", "deny", **where)[0] == 0
        code, _, err = takt("event", "deploy", "--id", "2", "--data", server.data)
        assert code == 1 and "in use by process" in err and "--server" in err, err
        copy = server.directory / "copy.db"
        now = int(server_now())
        send(server, [event("deploy", now, id="2", service="s", environment="production", version="v2", state="success"),
                      event("incident", now, id="i", service="s", state="triggered", detected_at=now, caused_by="v2")])
        assert "said" in (out := takt("deploys", **where)[1]) or "version" in out, out  # so there is a link
        code, out, err = takt("backup", copy, "--data", server.data)
        assert code == 0 and copy.stat().st_size, err
        assert takt("backup", copy, "--data", server.data)[0] == 1
    empty = temporary_directory()
    code, _, err = takt("dora", "--data", empty)
    assert code == 1 and "no facts" in err, err
    assert takt("event", "deploy", "--id", "2", "--service", "s", "--data", Path(empty) / "new")[0] == 0


def cases(tap):
    tap.case("planted_truth", planted_truth, tap.seed)
    tap.case("work_and_its_truth", work_and_its_truth, tap.seed)
    tap.case("figures_open_to_their_rows", figures_open_to_their_rows, tap.seed)
    tap.case("a_figure_is_told_again_as_it_was", a_figure_is_told_again_as_it_was, tap.seed)
    tap.case("a_catalogue_by_the_api", a_catalogue_by_the_api, tap.seed)
    tap.case("what_names_nothing_is_shown", what_names_nothing_is_shown, tap.seed)
    tap.case("names_of_other_tools", names_of_other_tools, tap.seed)
    tap.case("a_killed_change_of_names_is_whole_or_none", a_killed_change_of_names_is_whole_or_none, tap.seed)
    tap.case("services_that_traces_show", services_that_traces_show, tap.seed)
    tap.case("a_rollout_of_a_neighbour_is_blamed", a_rollout_of_a_neighbour_is_blamed, tap.seed)
    tap.case("a_word_counts_wherever_the_incident_is", a_word_counts_wherever_the_incident_is, tap.seed)
    tap.case("a_rollout_of_another_service_counts_when_somebody_says_so", a_rollout_of_another_service_counts_when_somebody_says_so, tap.seed)
    tap.case("a_catalogue_from_a_file", a_catalogue_from_a_file, tap.seed)
    tap.case("scopes_pool_their_rows", scopes_pool_their_rows, tap.seed)
    tap.case("windows_by_the_calendar", windows_by_the_calendar, tap.seed)
    tap.case("as_other_tools_have_it", as_other_tools_have_it, tap.seed)
    tap.case("merged_requests_reach_their_deploy", merged_requests_reach_their_deploy)
    tap.case("paths_of_a_monorepo", paths_of_a_monorepo)
    tap.case("figures_to_scrape", figures_to_scrape, tap.seed)
    tap.case("openapi_says_what_is_answered", openapi_says_what_is_answered, tap.seed)
    tap.case("unknown_parameters_are_refused", unknown_parameters_are_refused)
    tap.case("windows_that_are_none", windows_that_are_none)
    for case in (a_history_to_a_server, lead_time_from_pushes, failures_by_severity, flags_past_their_time, secrets_of_hooks, repositories_of_the_catalogue, damaged_facts_stop_no_trace, a_busy_store_is_told_and_counted, bad_events_are_refused_and_harm_nothing, a_git_history, a_revert_recovers_what_it_reverts, hooks_that_name_no_service_tell_of_their_repository, commits_of_impossible_times_have_no_lead_time, a_list_tells_lead_times_canaries_and_hours, when_the_impact_began_is_not_when_it_was_noticed, tags_left_out_are_told, the_command_line):
        tap.case(case.__name__, case)
