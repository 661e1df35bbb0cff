# SPDX-License-Identifier: Apache-2.0
"""Judgements from the outside: the tempo profile, the report, the checks of a service and of an incident, on
events whose meaning is plain."""
import datetime
import html.parser
import json
import re
import time
import urllib.parse

from client import new_id, request, span
from commands import takt
from delivery import DAY, HOUR, MINUTE, OPENAPI, conforms, event, send
import otlp
from takt import Server

BASE = "/api/takt/delivery/"


def history(now):
    """A shop that deploys daily and well; its runs are flaky, its last deploy was taken back after an incident."""
    for day in range(40, 1, -1):
        at = now - day * DAY
        yield event("deploy", at, id=f"d{day}", service="shop", environment="production", version=f"v{100 - day}", repo="shop",
                    sha=f"{day:040x}", state="success", started_at=at - MINUTE, succeeded_at=at, trigger_kind="automatic")
        for attempt, result in ((1, "failure" if day % 4 == 0 else "success"), (2, "success")):
            if attempt == 2 and day % 4:
                continue
            yield event("run", at - HOUR + attempt * MINUTE, id=f"r{day}.{attempt}", repo="shop", name="ci", run=f"r{day}",
                        attempt=attempt, sha=f"{day:040x}", state="done", result=result, queued_at=at - HOUR,
                        started_at=at - HOUR + 1, ended_at=at - HOUR + attempt * MINUTE)
    at = now - 3 * HOUR
    yield event("deploy", at, id="bad", service="shop", environment="production", version="v200", sha="f" * 40,
                state="success", started_at=at - MINUTE, succeeded_at=at)
    yield event("incident", at + 5 * MINUTE, id="pd:INC-7", service="shop", environment="production", title="down",
                state="triggered", started_at=at + 2 * MINUTE, detected_at=at + 5 * MINUTE, caused_by="v200")


def ask(server, path, schema, **parameters):
    answer = server.get_json(BASE + path + "?" + urllib.parse.urlencode(parameters))
    conforms(answer, {"$ref": f"#/components/schemas/{schema}"})
    return answer


def answers(findings):
    return {f["name"]: f["answer"] for f in findings}


def profile_and_report():
    now = int(time.time())
    with Server() as server:
        data = ["--server", f"http://127.0.0.1:{server.port()}"]
        empty = ask(server, "profile", "Profile")
        assert empty["headline"]["name"] == "data-gaps", empty["headline"]
        send(server, list(history(now)))
        cfr = next(m for m in ask(server, "measures", "Measures", window="1d")["measures"] if m["name"] == "change_failure_rate")
        rules = answers(ask(server, "profile", "Profile", window="1d")["rules"])
        assert cfr["value"] == 1 and cfr["target"]["verdict"] == rules["no-canary"] == "cannot know", (cfr, rules)
        profile = ask(server, "profile", "Profile", window="30d")
        rules = answers(profile["rules"])
        assert rules["data-gaps"] == "yes", profile["headline"]  # no history was imported: no commits are known
        assert rules["flaky-runs"] == "yes" and rules["no-owner"] == "yes" and rules["budget-spent"] == "cannot know", rules
        assert rules["builds-untagged"] == "no" and rules["nothing"] == "no", rules
        assert profile["headline"] == next(f for f in profile["rules"] if f["answer"] == "yes")
        for f in profile["rules"]:
            for figure in f["figures"]:  # each opens to its rows
                assert server.get_json(BASE + "why?" + urllib.parse.urlencode({"figure": figure}))["figure"] == figure
        build, review = ({d["name"]: d for d in profile["dimensions"]}[name] for name in ("build", "review"))
        assert build["level"] == 1 and "why" not in build, build
        assert "level" not in review and (review["at_least"], review["at_most"]) == (0, 2), review
        assert review["why"] == review["steps"][0]["evidence"] == "Merged without a review unknown", review
        assert "review     ?  cannot know which of 0 to 2: Merged without a review unknown" in takt("profile", *data)[1]
        server.request("PUT", BASE + "catalogue/shop", json.dumps({"owner": "ann"}).encode())
        assert answers(ask(server, "profile", "Profile", window="30d")["rules"])["no-owner"] == "no"
        report = ask(server, "report", "Report", window="7d")
        assert report["incidents"] == 1 and report["rollouts"] == 6, (report["incidents"], report["rollouts"])
        assert [r["version"] for r in report["failed"]] == ["v200"], report["failed"]
        frequency = next(m for m in report["measures"] if m["name"] == "deployment_frequency")
        assert abs(frequency["value"] - 6 / 7) < 1e-9 and abs(frequency["before"] - 1) < 1e-9, frequency
        whole = json.loads(takt("report", "--calendar", "month", "--json", *data)[1])  # the last month that is over
        assert whole["calendar"] == "month" and "partial" not in whole and int(whole["to"]) <= now * 10**9, whole["to"]
        for words in (["profile"], ["report"], ["report", "--window", "30d", "--json"]):
            code, out, err = takt(*words, *data)
            assert code == 0 and out and not err, (words, out, err)
        assert json.loads(out)["measures"], out
        send(server, [event("deploy", now - HOUR, id="x", service="<b>&", environment="production", version="<i>1",
                            state="success", succeeded_at=now - HOUR, fixes="bad")])
        code, out, err = takt("report", "--html", *data)
        assert code == 0 and out.startswith("<!doctype html>") and "<i>" not in out, (out[:200], err)
        html.parser.HTMLParser().feed(out)


def every_printed_figure_opens():
    """Each id that is printed, as text, JSON or a page, opens at takt why to the value that stood there; also while the
    window ends now and something is still failing, and of the window before."""
    now = int(time.time())
    with Server() as server:
        data = ["--server", f"http://127.0.0.1:{server.port()}"]
        send(server, list(history(now)))
        assert "Change failure rate: 1 younger than a day" in takt("dora", *data)[1]
        cfr = next(m for m in server.get_json(BASE + "measures")["measures"] if m["name"] == "change_failure_rate")
        out = takt("why", cfr["figure"], *data)[1]
        assert re.match(r"Change failure rate: 2\.5 % \(1 of 40, 95 %: .* to .*\), .* UTC\nOf these 1 younger than a day", out), out[:300]
        for words in (["dora"], ["dora", "--service", "shop", "--clock", "committer", "--with-rollbacks", "--flag-age", "30d"],
                      ["dora", "--set", "fourkeys"], ["report"], ["report", "--window", "20d"], ["profile", "--window", "30d"],
                      ["report", "--calendar", "week", "--zone", "Asia/Tokyo"], ["report", "--html"]):
            ids = set(re.findall(r"(?:[a-z0-9-]+\.)?[a-z_]+@\d+,\S+", takt(*words, *data)[1].replace("</pre>", "\n")))
            assert len(ids) > 3, (words, ids)
            for figure in ids:
                found = server.get_json(BASE + "why?" + urllib.parse.urlencode({"figure": figure}))
                assert found["figure"] == figure, (words, figure)
        for path, ask_for in (("measures", {}), ("measures", {"window": "20d"}), ("measures", {"service": "shop", "calendar": "month"}),
                              ("report", {"window": "20d"}), ("report", {"calendar": "week", "zone": "America/New_York"})):
            for m in server.get_json(BASE + path + "?" + urllib.parse.urlencode(ask_for))["measures"]:
                for figure, value in ((m["figure"], m.get("value")), (m.get("before_figure"), m.get("before"))):
                    if figure:
                        found = server.get_json(BASE + "why?" + urllib.parse.urlencode({"figure": figure}))
                        assert found.get("value") == value, (path, ask_for, figure, found.get("value"), value)
        before = {f["figure"]: f.get("value") for name in ("fourkeys", "devlake-2023")
                  for f in server.get_json(BASE + "measures?window=20d&set=" + name)["measures"]}
        send(server, [event("deploy", now - DAY, id="late", service="shop", environment="production", version="v300", state="success",
                            succeeded_at=now - DAY + 1)])
        for figure, value in before.items():  # other tools' figures, too, as they were when they were printed
            then = server.get_json(BASE + "why?" + urllib.parse.urlencode({"figure": figure, "then": "true"}))
            assert then.get("value") == value and then["events_since"] == 1, (figure, value, then)
        month = ask(server, "report", "Report", calendar="month")  # the one before has as many days as it has
        begin = datetime.datetime.fromtimestamp(int(month["from"]) // 10**9, datetime.timezone.utc)
        before = (begin - datetime.timedelta(days=1)).replace(day=1)
        last = {m["name"]: m for m in ask(server, "measures", "Measures", calendar="month", **{
            "from": before.date().isoformat(), "to": begin.date().isoformat()})["measures"]}
        for m in month["measures"]:
            assert m.get("before") == last[m["name"]].get("value"), (m["name"], m.get("before"), last[m["name"]])


def only_production_is_judged():
    """Without an environment rules, report and measures look at the same: what is production, by its name or by the
    catalogue."""
    now = int(time.time())
    with Server() as server:
        for n in range(6):
            for where in ("staging", "blue", "production"):
                at = now - (n + 2) * DAY
                send(server, [
                    event("incident", at, id=f"i{n}{where}", service="shop", environment=where, title=f"{n}{where}", state="resolved",
                          started_at=at, detected_at=at, acknowledged_at=at + 1, resolved_at=at + 60, detected_by="person"),
                    event("canary", at, id=f"c{n}{where}", service="shop", environment=where, version=f"v{n}", state="failed",
                          started_at=at - 60, ended_at=at),
                    event("flag_change", at, id=f"f{n}{where}", service="shop", environment=where, flag=f"f{n}", action="on",
                          changed_at=at),
                    event("deploy", at, id=f"d{n}{where}", service="shop", environment=where, version=f"v{n}", state="success",
                          trigger_kind="approved", queued_at=at - 100, started_at=at - 10, succeeded_at=at)])

        def counts(**scope):
            report = ask(server, "report", "Report", window="30d", **scope)
            rules = {f["name"]: f["evidence"] for f in ask(server, "profile", "Profile", window="30d", **scope)["rules"]}
            found = {m["name"]: m["n"] for m in report["measures"]}
            said = (re.search(r"of (\d+) incidents that had come", rules["incidents-repeat"])[1],
                    re.search(r"(\d+) canaries", rules["no-canary"])[1],
                    re.search(r"of (\d+) approved deploys", rules["approvals-wait"])[1])
            return (report["incidents"], found["restore_time"], found["canary_failure_rate"], found["flag_frequency"], *map(int, said))

        assert counts() == (6, 6, 6, 6, 6, 6, 6), counts()
        assert counts(environment="staging") == (6, 6, 6, 6, 6, 6, 6), counts(environment="staging")
        server.request("PUT", BASE + "catalogue", json.dumps({"services": {"shop": {"environments": {"blue": "production"}}}}).encode())
        assert counts() == (12, 12, 12, 12, 12, 12, 12), counts()


def alert_storms_are_of_a_team():
    """A team whose alerts are far over its own past, though all together are not; incidents need not come of them."""
    now = int(time.time())
    with Server() as server:
        def alerts(service, team, *weeks):
            send(server, [event("alert", now - week * 7 * DAY - n * MINUTE - 60, id=f"{service} {week} {n}", service=service, team=team,
                                state="resolved", started_at=now - week * 7 * DAY - n * MINUTE - 60, ended_at=now - week * 7 * DAY)
                          for week, count in enumerate(weeks) for n in range(count)])

        def storm(**scope):
            profile = ask(server, "profile", "Profile", **scope)
            return next((f["answer"], f["evidence"]) for f in profile["modes"] if f["name"] == "alert-storm")

        assert storm() == ("cannot know", "no earlier alerts to compare with"), storm()
        alerts("shop", "web", 9, 1, 2, 1)
        alerts("search", "find", 40, 40, 40, 40, 40)
        assert storm() == ("no", "0 of 2 teams"), storm()
        alerts("cart", "web", 3)
        assert storm() == ("yes", "1 of 2 teams: web had 12 in seven days, 1 in a usual week"), storm()
        assert storm(service="search")[0] == "no", storm(service="search")


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def modes_that_traces_show():
    """Failure modes of which the events say nothing: each from spans that show it, straight from a directory too."""
    now = int(time.time())

    def post(server, spans, service, *resource):
        body = request(*[span(startTimeUnixNano=now * 10**9, endTimeUnixNano=now * 10**9 + 10**6, **s) for s in spans], service=service)
        body["resourceSpans"][0]["resource"]["attributes"].extend(resource)
        assert server.post_traces(otlp.encode(body))[0] == 200

    with Server() as server:
        def modes():
            return {f["name"]: (f["answer"], f["evidence"]) for f in ask(server, "profile", "Profile", window="30d")["modes"]}

        first = modes()
        assert len(first) == 19 and {a for a, _ in first.values()} == {"cannot know"}, first
        send(server, list(history(now)))
        post(server, [{"name": f"get user {i}"} for i in range(300)], "ids")
        assert modes()["index-explosion"][0] == "yes", modes()["index-explosion"]
        assert "ids has 300 names of 300 spans" in modes()["index-explosion"][1], modes()["index-explosion"]
        assert "none" in modes()["time-skew"][1] and modes()["time-skew"][0] == "cannot know", modes()["time-skew"]
        for early, want in ((0, "no"), (10**9, "yes")):
            for _ in range(400):
                trace, parent = new_id(16), new_id(8)
                at = now * 10**9
                body = request(span(trace, spanId=parent, startTimeUnixNano=at, endTimeUnixNano=at + 10**7),
                               span(trace, parentSpanId=parent, startTimeUnixNano=at - early, endTimeUnixNano=at), service="clock")
                server.post_traces(otlp.encode(body))
            assert modes()["time-skew"][0] == want, modes()["time-skew"]
        assert "400 of 800 spans of clock start 10 ms and more before their parent" in modes()["time-skew"][1], modes()["time-skew"]
        send(server, [event("incident", now - HOUR, id="back", service="cart", environment="production", state="resolved",
                            detected_at=now - HOUR, resolved_at=now - 2 * HOUR)])
        assert "takt tells of ends before their beginnings" in modes()["time-skew"][1], modes()["time-skew"]
        post(server, [{}], "shop", text("service.version", "v98"))
        assert "0 of 1 versions" in modes()["missing-deploy-data"][1], modes()["missing-deploy-data"]
        post(server, [{}], "shop", text("service.version", "9.9"))
        post(server, [{}], "unknown", text("service.version", "9.9"))  # none of its versions was ever reported: it may not be ours
        assert modes()["missing-deploy-data"][0] == "yes", modes()["missing-deploy-data"]
        assert "1 of 2 versions in the last hour's spans were never reported: shop 9.9" in modes()["missing-deploy-data"][1]
        server.request("PUT", BASE + "catalogue/shop", json.dumps({"names": ["unknown"]}).encode())  # it is, by another name
        assert "2 of 3 versions" in modes()["missing-deploy-data"][1], modes()["missing-deploy-data"]
        for pod, variant in (("a", "on"), ("b", "off")):
            post(server, [{"attributes": [text("feature_flag.key", "dark"), text("feature_flag.result.variant", variant)]}] * 40,
                 "shop", text("k8s.pod.name", pod))
        assert modes()["flag-drift"][0] == "yes" and "1 of 1 flags differ between instances: dark" in modes()["flag-drift"][1], modes()
        for n, state, status in ((100, "ot=th:0", 2), (100, "ot=th:f", 1)):
            post(server, [{"traceState": state, "status": {"code": status}}] * n, "sampled")
        assert modes()["sampling-bias"][0] == "yes", modes()["sampling-bias"]
        assert "100 of 200 sampled spans are in error (50 %), of all that were there 5.88 %" in modes()["sampling-bias"][1]
        assert modes()["overload"][0] == "no", modes()["overload"]
        was, again, counted = modes(), modes(), ("missing-spans", "slow-queries", "overload")  # by the server, all the time
        assert all(was[name] == again[name] for name in was if name not in counted), (was, again)
        server.stop()
        code, out, err = takt("profile", "--data", server.data, "--window", "30d", "--json")
        found = {f["name"]: (f["answer"], f["evidence"]) for f in json.loads(out)["modes"]}
        for name in counted:
            assert found[name] == ("cannot know", "a server tells it while it runs; none was asked"), found[name]
        for name in ("index-explosion", "time-skew", "missing-deploy-data", "flag-drift", "sampling-bias"):
            assert found[name] == was[name], (found[name], was[name])


def further_services_are_not_taken_for_another():
    """Of the services of a sample so many are told apart: what is beyond them is not told of the last of these."""
    now, told = int(time.time()), 256

    def post(server, service, version):
        body = request(span(startTimeUnixNano=now * 10**9, endTimeUnixNano=now * 10**9 + 1), service=service)
        body["resourceSpans"][0]["resource"]["attributes"].extend([text("service.version", version)] if version else [])
        assert server.post_traces(otlp.encode(body))[0] == 200

    with Server() as server:
        def found():
            modes = ask(server, "profile", "Profile", window="30d")["modes"]
            return next((f["answer"], f["evidence"]) for f in modes if f["name"] == "missing-deploy-data")

        send(server, [event("deploy", now - DAY, id="d", service="shop", environment="production", version="v1", state="success",
                            succeeded_at=now - DAY)])
        for n in range(told - 1):
            post(server, f"filler-{n}", "")
        post(server, "shop", "v1")
        post(server, "beyond", "v2")
        assert "0 of 1 versions" in found()[1], found()
        post(server, "shop", "9" * 1000)  # not the name of a version
        assert "0 of 1 versions" in found()[1], found()
        post(server, "shop", "v3")
        assert "1 of 2 versions" in found()[1] and "shop v3" in found()[1], found()


def incidents_of_another_team(seed=1):
    """Who acted on an incident is its team, as the tools name it, against the owner in the catalogue; never a person."""
    with Server() as server:
        now = int(time.time())
        services = {"shop": {"team": "Checkout"}, "pay": {"team": "Payments"}, "blog": {}}
        assert server.request("PUT", BASE + "catalogue", json.dumps({"services": services}).encode(),
                              {"Content-Type": "application/json"})[0] == 200

        def page(key, service, teams, kind="acknowledged", policy="all hands"):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - HOUR))
            data = {"id": key, "created_at": stamp, "title": key, "service": {"summary": service},
                    "assignees": [{"type": "user_reference", "summary": "Pat Person"}],
                    "teams": [{"summary": t} for t in teams], "escalation_policy": {"summary": policy}}
            body = {"event": {"id": f"{key}{kind}", "event_type": f"incident.{kind}", "occurred_at": stamp, "data": data}}
            assert server.request("POST", "/hooks/pagerduty", json.dumps(body).encode())[0] in (200, 202)

        def sign():
            profile = server.get_json(BASE + "profile?window=1d")
            return next(m for m in profile["modes"] if m["name"] == "misattributed-incident")["evidence"]
        page("P1", "shop", ["nobody knows it"])   # of no team of the catalogue
        page("P2", "shop", ["payments"], kind="triggered")  # nobody acted yet
        page("P3", "blog", ["payments"])          # owned by nobody
        assert "no data (incidents on which another team acted)" in sign(), sign()
        page("P4", "shop", ["Payments", "checkout"])
        page("P5", "shop", [], policy="payments")
        send(server, [event("incident", now - HOUR, id="t", service="pay", state="resolved", detected_at=now - HOUR,
                            resolved_at=now - HOUR, team="payments")])
        assert "1 of 3 incidents on which another team acted" in sign(), sign()
        assert "pagerduty:P5 (shop of Checkout, payments acted)" in sign(), sign()
        for n in range(6):
            page(f"Q{n}", "pay", ["Checkout"])
        assert "7 of 9 incidents on which another team acted (77.8 %; at most 20 %): pagerduty:" in sign(), sign()
        listed = {i["key"]: i.get("teams") for i in ask(server, "incidents", "Incidents", window="1d")["incidents"]}
        assert listed["pagerduty:P4"] == ["Payments", "checkout"] and listed["takt:t"] == ["payments"], listed
        assert ask(server, "incident", "IncidentChecks", id="P5")["teams"] == ["payments"]
        assert "Pat" not in json.dumps(server.get_json(BASE + "incidents?window=1d"))


def readiness():
    now = int(time.time())
    with Server() as server:
        send(server, list(history(now)))
        ready = ask(server, "ready", "Ready", service="shop")
        before, after = answers(ready["before"]), answers(ready["ready"])
        assert before == {"flake-rate": "no", "builds-tagged": "yes", "canary": "no", "indicators": "cannot know",
                          "rollback": "no", "deploy-events": "yes", "flags": "cannot know", "spans": "no", "trace": "no",
                          "views": "no"}, before
        assert after == {"objective": "cannot know", "alerts": "no", "runbook": "no", "access": "cannot know",
                         "retention": "yes", "sampling": "cannot know", "head-room": "yes", "on-call": "no"}, after
        trace = new_id(16)
        resource = request(span(trace, startTimeUnixNano=now * 10**9, endTimeUnixNano=now * 10**9 + 1))
        resource["resourceSpans"][0]["resource"] = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
        server.post_traces(otlp.encode(resource))
        server.request("PUT", BASE + "catalogue/shop", json.dumps({"runbook": "https://r.test/", "on_call": "#shop"}).encode())
        ready = ask(server, "ready", "Ready", service="shop")
        assert answers(ready["before"])["spans"] == "yes", ready["before"]
        assert trace in next(f for f in ready["before"] if f["name"] == "trace")["evidence"]
        assert answers(ready["ready"])["runbook"] == answers(ready["ready"])["on-call"] == "yes"
        assert server.get(BASE + "ready")[0] == 400
        status, _, text = server.get(BASE + "ready?service=shpo")
        assert status == 404 and b'nothing is known of a service "shpo"' in text, (status, text)
        assert takt("ready", "shpo", "--server", f"http://127.0.0.1:{server.port()}")[0] == 1
        code, out, err = takt("ready", "shop", "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "Is a runbook linked?" in out, (out, err)
        steps = {f["name"]: f.get("step") for f in ready["before"] + ready["ready"]}
        assert steps["runbook"] is None and steps["canary"] == "A canary policy", steps  # only where something is to be done
        server.stop()  # straight from the directory: of its load nothing is known
        code, out, err = takt("ready", "shop", "--data", server.data, "--json")
        assert code == 0 and answers(json.loads(out)["ready"])["head-room"] == "cannot know", (out, err)


def incidents():
    now = int(time.time())
    with Server() as server:
        send(server, list(history(now)))
        for key in ("takt:pd:INC-7", "pd:INC-7", "INC-7"):
            found = ask(server, "incident", "IncidentChecks", id=key)
            assert (found["incident"], found["version"], found["rule"]) == ("takt:pd:INC-7", "v200", "version"), found
            checks = answers(found["checks"])
            assert checks["rollback"] == "yes" and checks["deploys"] == "yes" and checks["recorded"] == "yes", checks
            assert found["impact_by"] == "told" and found["impact"] == str((now - 3 * HOUR + 2 * MINUTE) * 10**9), found
        # That it was noticed says nothing about when its impact began, though a rollout was near.
        noticed = {"service": "shop", "environment": "production", "state": "triggered", "detected_at": now - 2 * HOUR}
        send(server, [event("incident", now - 2 * HOUR, id="pd:INC-8", **noticed)])
        found = ask(server, "incident", "IncidentChecks", id="INC-8")
        assert found["rule"] == "near" and "impact" not in found and answers(found["checks"])["recorded"] == "no", found
        assert next(f for f in found["checks"] if f["name"] == "recorded")["evidence"] == \
            "start of the impact unknown, detection known, cause known, end not yet", found["checks"]
        send(server, [event("incident", now - 2 * HOUR + 1, id="pd:INC-8", caused_by="v200", **noticed)])
        found = ask(server, "incident", "IncidentChecks", id="INC-8")
        assert found["impact_by"] == "rollout" and answers(found["checks"])["recorded"] == "yes", found
        send(server, [event("deploy", now - HOUR, id="back", service="shop", environment="production", version="v98",
                            sha=f"{2:040x}", state="success", succeeded_at=now - HOUR),
                      event("incident", now - HOUR, id="pd:INC-7", state="resolved", resolved_at=now - HOUR)])
        found = ask(server, "incident", "IncidentChecks", id="INC-7")
        assert answers(found["checks"])["rollback"] == "no" and found["recovered"] == str((now - HOUR) * 10**9), found
        status, _, body = server.get(BASE + "incident?id=nothing")
        assert status == 404 and b"nothing" in body, (status, body)
        code, out, err = takt("incident", "INC-7", "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "caused by" in out and "v200" in out, (out, err)
        steps = {f["name"]: f.get("step") for f in found["checks"]}
        assert steps["recorded"] is None and steps["rollback"] is None and steps["deploys"] == "Look at it first", steps
        assert takt("incident", "nothing", "--server", f"http://127.0.0.1:{server.port()}")[0] == 1


def cases(tap):
    for case in (profile_and_report, every_printed_figure_opens, only_production_is_judged, alert_storms_are_of_a_team, modes_that_traces_show,
                 further_services_are_not_taken_for_another, readiness, incidents, incidents_of_another_team):
        tap.case(case.__name__, case)
