# SPDX-License-Identifier: Apache-2.0
"""The impact of deploys from traces, from the outside: spans of two versions with a planted difference and the event
of the deploy go in, the verdict comes out. The truth is the plan that the spans were made from."""
import json
import random
import sqlite3
import time
import urllib.parse

import otlp
from client import until
from commands import takt
from delivery import DAY, MINUTE, OPENAPI, conforms, event, send
from takt import Server
from traffic import Traffic, attribute

QUICK = "impact:\n  after: 1s\n"


def deploy(version, started, finished, key="d", service="shop", environment="production", state="success"):
    return [event("deploy", finished, id=f"{key}-{version}", service=service, environment=environment, version=version,
                  state=state, started_at=started)]


def facts(server, sql):
    db = sqlite3.connect(f"file:{server.data / 'facts.db'}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def rollouts(server, service="shop"):
    return {r["version"]: r for r in server.get_json(f"/api/takt/delivery/deploys?service={service}")["rollouts"]}


def asked(server, path, query):
    """The answer, which is as docs/openapi.json has it."""
    answer = server.get_json(f"{path}?{query}")
    conforms(answer, OPENAPI["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"], path)
    return answer


def impact(server, rollout, fresh=False):
    return asked(server, "/api/takt/delivery/impact", f"rollout={rollout}" + ("&fresh=true" if fresh else ""))


def wait_for_verdict(server, rollout, wanted, seconds=60):
    """Until the server itself has recorded it: what is only computed when asked is of another moment each time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = impact(server, rollout)
        if got["verdict"] == wanted and impact(server, rollout)["computedAt"] == got["computedAt"]:
            return got
        time.sleep(0.2)
    raise AssertionError(f"no {wanted} verdict: {got}")


def wait_for_kept(server, rollout):
    """Until the server has recorded a verdict, whichever."""
    until("a verdict", lambda: facts(server, f"SELECT 1 FROM impact WHERE key = '{rollout}'"), 30)


def failure_rate(server):
    measures = server.get_json("/api/takt/delivery/measures?service=shop")["measures"]
    return next(m for m in measures if m["name"] == "change_failure_rate")


def plant(server, seed, share_old=0.01, share_new=0.08, ms_new=40, exception="CartIsNull"):
    """Two versions side by side for ten minutes, an hour ago; then only the new one."""
    t = int(time.time()) - 40 * MINUTE
    traffic = Traffic(server, seed)
    traffic.send("1.0", t - 30 * MINUTE, t, 1500, share_old, exception="Timeout")
    for _ in range(2):
        traffic.send("1.0", t, t + 15 * MINUTE, 1000, share_old, exception="Timeout")
        traffic.send("2.0", t, t + 15 * MINUTE, 1000, share_new, ms=ms_new, exception=exception, user=True)
    send(server, deploy("1.0", t - 20 * DAY, t - 20 * DAY + MINUTE) + deploy("2.0", t, t + 15 * MINUTE))
    return traffic


def planted_regression(seed):
    """A regression is confirmed, counted as a failure, and stays after kill -9 and a reprocess."""
    with Server(config=QUICK) as server:
        traffic = plant(server, seed)
        mine = rollouts(server)["2.0"]["id"]
        got = wait_for_verdict(server, mine, "confirmed")
        assert got["phase"] == "concurrent" and got["version"] == "2.0" and got["baseline"] == "1.0", got
        arms = got["arms"]
        assert arms["new"]["requests"] <= 2000 and arms["new"]["requests"] > 1900, arms
        assert abs(arms["new"]["errorRate"] - 0.08) < 0.02 and abs(arms["old"]["errorRate"] - 0.01) < 0.01, arms
        route = next(r for r in got["routes"] if r["route"] == "GET /cart" and r["test"] == "errors")
        assert route["verdict"] == "confirmed" and route["q"] < 0.001, route
        assert route["interval"][0] < 0.07 < route["interval"][1], route
        assert len(route["examples"]) == 3 and set(route["examples"]) <= traffic.failed["2.0"], route
        for trace in route["examples"]:
            assert server.get(f"/api/v2/traces/{trace}")[0] == 200
        new = {e["type"]: e for e in got["newErrors"]}
        assert set(new) == {"CartIsNull"} and set(new["CartIsNull"]["examples"]) <= traffic.failed["2.0"], new
        low, high = got["failedRoots"]["interval"]
        assert low < len(traffic.failed["2.0"]) - 20 < high, got["failedRoots"]
        assert 0.5 * len(traffic.failed["2.0"]) < got["users"]["hit"] <= len(traffic.failed["2.0"]), got["users"]

        def check():
            assert rollouts(server)["2.0"]["failure"] == "traces"
            rate = failure_rate(server)
            assert rate["numerator"] == 1 and rate["denominator"] >= 1, rate
            rows = server.get_json(f"/api/takt/delivery/why?figure={rate['figure']}")["rows"]
            says = [e["says"] for r in rows for e in r.get("evidence", ())]
            assert any("errors of" in s for s in says), rows
            assert impact(server, mine)["verdict"] == "confirmed"

        check()
        server.kill()
        server.start()
        check()
        status, _, _ = server.request("POST", "/api/takt/delivery/reprocess")
        assert status == 200
        check()
        code, out, err = takt("impact", mine, "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "confirmed" in out and "GET /cart" in out, (out, err)
        send(server, [event("verdict", int(time.time()), incident="traces", rollout=mine, says="deny", said_by="Ann")])
        assert "failure" not in rollouts(server)["2.0"], rollouts(server)
        data = server.data
        server.stop()
        code, out, err = takt("impact", mine, "--data", data, "--json")
        assert code == 0 and json.loads(out)["verdict"] == "confirmed", (out, err)


def no_change(seed):
    """The same error rate in both: clean. Too few requests: insufficient, never clean."""
    with Server(config=QUICK) as server:
        plant(server, seed, 0.01, 0.01, exception="Timeout")
        got = wait_for_verdict(server, rollouts(server)["2.0"]["id"], "clean")
        assert "failure" not in rollouts(server)["2.0"] and got["why"], got
        now = int(time.time())
        few = Traffic(server, seed + 1, "small")
        few.send("1", now - 30 * MINUTE, now - 10 * MINUTE, 100, 0)
        few.send("2", now - 20 * MINUTE, now - 10 * MINUTE, 60, 0.5)
        send(server, deploy("2", now - 20 * MINUTE, now - 10 * MINUTE, service="small"))
        got = impact(server, rollouts(server, "small")["2"]["id"], fresh=True)
        assert got["verdict"] == "insufficient" and got["why"], got


def kinds_of_errors_and_calls(seed):
    """What one version has and the other has not: gone only where its absence cannot be chance."""
    with Server(config=QUICK) as server:
        t, traffic = int(time.time()) - 40 * MINUTE, None
        traffic = Traffic(server, seed)
        def both(version, n, share, exception, *to):
            traffic.send(version, t, t + 15 * MINUTE, n, share, exception=exception, calls=[dict(c) for c in to])
        ledger, tax, fraud, audit = {"peer.service": "ledger"}, {"db.system": "mysql"}, {"peer.service": "fraud"}, {
            "messaging.destination.name": "audit"}
        traffic.send("1.0", t - 30 * MINUTE, t, 500, 0)
        both("1.0", 900, .05, "Timeout", ledger, tax)
        both("1.0", 900, .05, "OldBug", ledger)
        both("1.0", 4, 1, "Rare", ledger, audit)
        both("2.0", 900, .05, "Timeout", ledger)
        both("2.0", 900, .05, "CartIsNull", ledger, fraud)
        send(server, deploy("1.0", t - 20 * DAY, t - 20 * DAY + MINUTE) + deploy("2.0", t, t + 15 * MINUTE))
        got = impact(server, rollouts(server)["2.0"]["id"], fresh=True)
        assert got["phase"] == "concurrent", got
        kinds = {k["type"]: k for k in got["errorKinds"]["kinds"]}
        assert {t: k["state"] for t, k in kinds.items()} == {
            "CartIsNull": "new", "OldBug": "gone", "Timeout": "same", "Rare": "unsure"}, kinds
        assert [got["errorKinds"][s] for s in ("new", "gone", "same", "unsure")] == [1, 1, 1, 1], got["errorKinds"]
        assert kinds["OldBug"]["new"] == 0 and set(kinds["OldBug"]["examples"]) <= traffic.failed["1.0"], kinds
        assert len(kinds["OldBug"]["examples"]) == 3 and kinds["Rare"]["old"] == 4, kinds
        assert {e["type"] for e in got["newErrors"]} == {"CartIsNull"}, got["newErrors"]
        calls = {k["to"]: k for k in got["calls"]["kinds"]}
        assert {t: k["state"] for t, k in calls.items()} == {
            "fraud": "new", "mysql": "gone", "ledger": "same", "audit": "unsure"}, calls
        assert calls["mysql"]["attribute"] == "span.db.system" and calls["mysql"]["old"] == 900, calls
        assert {(k["to"], k["operation"], k["state"]) for k in got["operations"]["kinds"]} >= {
            ("fraud", "call", "new"), ("mysql", "call", "gone")}, got["operations"]
        assert calls["mysql"]["query"] == ('{ resource.service.name = "shop" && resource.service.version = "1.0" && '
                                           'span.db.system = "mysql" && (kind = client || kind = producer) }'), calls["mysql"]
        assert kinds["OldBug"]["query"] == ('{ resource.service.name = "shop" && resource.service.version = "1.0" && status = error && '
                                            '(event.exception.type = "OldBug") && name = "GET /cart" }'), kinds["OldBug"]
        code, out, err = takt("impact", rollouts(server)["2.0"]["id"], "--server", f"http://127.0.0.1:{server.port()}", "--fresh")
        assert code == 0 and "errors, gone: OldBug in GET /cart" in out, out
        assert "calls, new: fraud" in out and "calls, gone: mysql" in out and "audit" not in out, out


JAVA = "java.lang.X: no (really)\n \tat com.shop.Cart.add(Cart.java:12)\n\tat com.shop.Main$1.main(Main.java:3)"
PYTHON = 'Traceback:\n  File "/app/main.py", line 3, in main\n    attach()\n  File "/app/cart.py", line 7, in add\n    raise X\nX: no'
# (span.error.type, its exception events: type, stack). Some are told from others by their frame alone.
ERRORS = [(None, [("A", JAVA)]), (None, [("A", JAVA.replace("com.shop.Cart.add(", "other("))]), (None, [("A", "a\n\tat com.shop.Main$1.main (x)")]),
          (None, [("A", PYTHON)]), (None, [("A", PYTHON + "\n  File \"/app/main.py\", line 9")]), (None, [("A", None)]),
          (None, [("A", "attention: no frame\n at\n a\n  File x")]), ("A", []), ("A", [("B", JAVA)]), (None, [("A", None), ("B", None)]),
          (None, [("A", JAVA), ("A", JAVA)]), (None, [('quo"te\\.*', None)]), ("A", [("", JAVA)]), ("A", [("A", None)]),
          ("A", [("A", JAVA)]), (None, [("A", "a\n at  (native)\n at other(x)\n  File \"x\"")]), (None, [("A", "a\n at \t \n b")]),
          (None, [("A", "a\n at \n\tat other(x)\n at (native)")])]
ONE_TYPE = [("A", []), ("A", [("A", JAVA)])]  # no event has another type than its span
LONG_FRAMES = [(None, [("A", f"at {'x' * n}")]) for n in (9000, 9990)]  # one of them is too long for a regular expression
LONG = "ä" * 199
CALLS = [{"peer.service": "ledger", "server.address": "ledger.internal"}, {"server.address": "ledger.internal"},
         {"peer.service": "ledger.internal"}, {"db.system.name": "mysql", "db.system": "old"}, {"db.system": "mysql"}, {"db.system": "old"},
         {"peer.service": LONG + "b.c"}, {"peer.service": LONG + "bxc"}, {"peer.service": LONG + "c.c"}, {"messaging.destination.name": LONG + "b"}]
OPERATIONS = ["POST /x", LONG + "1.2", LONG + "1x2", LONG[:-1] + "12", "a\"b"]


def resource(service, version, environment):
    return {"attributes": [attribute(k, v) for k, v in {"service.name": service, "service.version": version, **environment}.items() if v]}


def odd_requests(dice, t, versions, errors, names, n):
    """Requests of a shop with each of these errors, of CALLS and OPERATIONS, of several names, versions and environments."""
    spans = []
    for _ in range(n):
        service, version, environment = dice.choice(("shop", "shop", "shop-api")), dice.choice(versions), dice.choice(
            ({"deployment.environment.name": "production"}, {"deployment.environment": "prod"}, {"deployment.environment.name": "staging"},
             {"deployment.environment.name": "Production"}, {}))
        by_worker = version in ("1.0", "2.0") and dice.random() < .3  # which has names for the new version that no request tells
        at, (error, events) = int(dice.uniform(t, t + 595) * 10 ** 9), dice.choice(errors)
        span = lambda **more: {"traceId": trace, "spanId": f"{dice.getrandbits(64):016x}", "startTimeUnixNano": at,
                               "endTimeUnixNano": at + 10 ** 6, **more}
        trace = f"{dice.getrandbits(128):032x}"
        mine = [span(name="GET /cart", kind=2)]
        for kind in (1 if by_worker else 2, 3, 4):  # of an error, and two calls
            mine.append(span(name=dice.choice(OPERATIONS), kind=kind, parentSpanId=mine[0]["spanId"]))
            mine[-1]["attributes"] = [attribute(k, v) for k, v in dice.choice(CALLS).items()] if kind > 2 else []
        if dice.random() < .6:
            mine[1]["status"] = {"code": 2}
            mine[1]["attributes"] += [attribute("error.type", error)] if error else []
            mine[1]["events"] = [{"timeUnixNano": at, "name": "exception", "attributes": [
                attribute(k, v) for k, v in (("exception.type", kind), ("exception.stacktrace", stack)) if v is not None]} for kind, stack in events]
        parts = ((version, mine[:1]), (f"{dice.randrange(names)}/shop:2.0", mine[1:])) if by_worker else ((version, mine),)
        spans += [{"resource": resource(service, told, environment), "scopeSpans": [{"scope": {"name": "t"}, "spans": part}]} for told, part in parts]
    return spans


def rows_of_kinds_open_to_their_traces(seed):
    """The query of each row finds as many traces as the row counts, however alike the others are; with versions side by side, and
    in time."""
    dice = random.Random(seed)
    all_versions = ("1.0", "2.0", "v2.0", "3.0", None)
    for versions, phase, errors, kinds, names in (
            (all_versions, "concurrent", ERRORS, 40, 2), (("2.0", "v2.0", "3.0"), "before-after", ERRORS, 40, 2),
            (all_versions, "concurrent", ONE_TYPE, 10, 2), (all_versions, "concurrent", LONG_FRAMES, 10, 2),
            (all_versions, "concurrent", ONE_TYPE, 10, 300)):  # names of the new version: too many to ask for
        with Server(config="impact:\n  enabled: false\n") as server:
            assert server.request("PUT", "/api/takt/delivery/catalogue/shop", json.dumps({"names": ["shop-api"]}).encode())[0] == 200
            t = int(time.time()) // MINUTE * MINUTE - 60 * MINUTE
            concurrent = phase == "concurrent"
            for at, mine in ((t + 2, versions),) if concurrent else ((t - 10 * MINUTE + 2, ("1.0", None)), (t + 2, versions)):
                spans = odd_requests(dice, at, mine, errors, names, 3000)
                for part in (spans[:1500], spans[1500:]):
                    assert server.post_traces(otlp.encode({"resourceSpans": part}))[0] == 200
            send(server, deploy("1.0", t - 20 * DAY, t - 20 * DAY + MINUTE) + deploy("2.0", t, t + (15 * MINUTE if concurrent else 1)))
            got = impact(server, rollouts(server)["2.0"]["id"], fresh=True)
            assert got["phase"] == phase, got["phase"]
            seen = {}
            for part in ("errorKinds", "calls", "operations"):
                assert "why" not in got[part], got[part]
                seen[part] = len(got[part]["kinds"])
                for kind in got[part]["kinds"]:
                    if len(kind.get("frame", "")) == 9990 or (names > 128 and kind["new"]):
                        assert "query" not in kind, kind
                        continue
                    window = got["windows"]["new" if kind["new"] else "old"]
                    found = server.get_json("/api/search?" + urllib.parse.urlencode(
                        {"q": kind["query"], "start": window["from"], "end": window["to"], "limit": 5000}))["traces"]
                    assert len(found) == (kind["new"] or kind["old"]), (phase, len(found), kind)
                    if "type" in kind or not (kind["old"] and kind["new"]):  # those of a call in both are of the old one
                        assert set(kind["examples"]) <= {f["traceID"].zfill(32) for f in found}, kind
            assert seen["calls"] == 6 and seen["errorKinds"] == kinds, seen


def slower(seed):
    with Server(config=QUICK) as server:
        plant(server, seed, 0.01, 0.01, ms_new=140, exception="Timeout")
        got = wait_for_verdict(server, rollouts(server)["2.0"]["id"], "confirmed")
        route = next(r for r in got["routes"] if r["route"] == "GET /cart" and r["test"] == "latency")
        assert route["verdict"] == "confirmed" and route["new"]["p95"] > 2 * route["old"]["p95"], route


def mode(server, name):
    profile = server.get_json("/api/takt/delivery/profile?window=1d")
    return next(m for m in profile["modes"] if m["name"] == name)


def what_a_deploy_hides(seed):
    """A version that no longer serves a route, and whose requests hold no spans any more; one that does neither; a
    rollback, which takes away what it is meant to; and a switch at once, which other days tell from the time of day."""
    with Server(config=QUICK) as server:
        now = int(time.time())
        t = now - 40 * MINUTE
        shop, calm = Traffic(server, seed), Traffic(server, seed + 1, "calm")
        for traffic in (shop, calm):
            hides = traffic is shop
            traffic.send("1.0", t - 10 * MINUTE, t, 500, 0, within=3)
            traffic.send("1.0", t, t + 25 * MINUTE, 1500, 0, within=3)
            traffic.send("2.0", t, t + 25 * MINUTE, 1500, 0, within=0 if hides else 3)
            traffic.send("1.0", t, t + 25 * MINUTE, 150, 0, route="POST /pay")
            traffic.send("2.0", t, t + 25 * MINUTE, 150, 0, route="POST /payment" if hides else "POST /pay")
            name = traffic.service
            send(server, deploy("1.0", t - 20 * DAY, t - 20 * DAY + MINUTE, key=name, service=name) +
                 deploy("2.0", t, t + 25 * MINUTE, key=name, service=name))
        got = wait_for_verdict(server, rollouts(server)["2.0"]["id"], "clean")
        lost = got["vanished"]["lost"]
        assert [(r["route"], r["requests"]) for r in lost] == [("POST /pay", 150)] and lost[0]["p"] < 1e-4, got["vanished"]
        assert got["vanished"]["routes"] == 2 and got["vanished"]["testable"] == 2, got["vanished"]
        assert got["vanished"]["gained"] == "POST /payment" and len(lost[0]["examples"]) == 3, got["vanished"]
        for trace in lost[0]["examples"]:
            assert "POST /pay" in json.dumps(server.get_json(f"/api/v2/traces/{trace}"))
        inside = got["spansPerRequest"]
        assert inside["lost"] and inside["old"] == 3 and inside["new"] == 0, inside
        assert any("POST /pay is not served any more" in w for w in got["why"]), got["why"]
        fine = wait_for_verdict(server, rollouts(server, "calm")["2.0"]["id"], "clean")
        assert fine["vanished"]["testable"] == 2 and not fine["vanished"]["lost"] and "blind" not in fine, fine
        assert not fine["spansPerRequest"]["lost"], fine["spansPerRequest"]
        blind = mode(server, "blind-after-deploy")
        assert blind["answer"] == "yes" and "1 of 2 rollouts hid routes" in blind["evidence"], blind
        assert "shop 2.0: POST /pay is not served any more" in blind["evidence"] and lost[0]["examples"][0] in blind["evidence"]

        ready = {c["name"]: c for c in server.get_json("/api/takt/delivery/ready?service=shop")["before"]}
        assert ready["spans"]["answer"] == "no" and "fewer since 2.0: POST /pay" in ready["spans"]["evidence"], ready["spans"]
        ready = {c["name"]: c for c in server.get_json("/api/takt/delivery/ready?service=calm")["before"]}
        assert ready["spans"]["answer"] == "yes", ready["spans"]
        send(server, [event("incident", now, id=f"i-{s}", service=s, state="triggered", detected_at=now) for s in ("shop", "calm")])
        for service, answer, says in (("shop", "no", "not since 2.0"), ("calm", "cannot know", "missing since 2.0")):
            checks = server.get_json(f"/api/takt/delivery/incident?id=i-{service}")["checks"]
            check = next(c for c in checks if c["name"] == "propagation")
            assert check["answer"] == answer and says in check["evidence"], check

        send(server, deploy("1.0", now - 12 * MINUTE, now - 10 * MINUTE, key="back", service="calm"))
        back = next(r for r in server.get_json("/api/takt/delivery/deploys?service=calm")["rollouts"] if r["kind"] == "rollback")
        got = impact(server, back["id"], fresh=True)
        assert got["vanished"]["testable"] == 0 and "spansPerRequest" not in got, got

    with Server(config="impact:\n  enabled: false\n") as server:
        now = int(time.time())
        t = now - 200 * MINUTE
        for at, (service, yesterday) in enumerate((("known", 400), ("unknown", 0), ("nightly", 0))):
            traffic = Traffic(server, seed * 10 + at, service)
            traffic.send("1.0", t - 180 * MINUTE, t, 600, 0)
            traffic.send("1.0", t - 180 * MINUTE, t, 200, 0, route="POST /pay")
            traffic.send("2.0", t + MINUTE, now, 600, 0)
            if service != "unknown":
                traffic.send("0.9", t - DAY, now - DAY, 600, 0)
            if yesterday:
                traffic.send("0.9", t - DAY, now - DAY, yesterday, 0, route="POST /pay")
            send(server, deploy("2.0", t, t + MINUTE, key=service, service=service))
            got = impact(server, rollouts(server, service)["2.0"]["id"])
            assert got["phase"] == "before-after", got["phase"]
            assert [r["route"] for r in got["vanished"]["lost"]] == (["POST /pay"] if service == "known" else []), (service, got)
            assert (got["vanished"]["testable"] > 0) == (service != "unknown"), (service, got["vanished"])
        Traffic(server, seed, "known").send("2.0", now - MINUTE, now, 1, 0, route="POST /pay")
        assert not impact(server, rollouts(server, "known")["2.0"]["id"], fresh=True)["vanished"]["lost"], "it came again"


def canaries_by_their_steps(seed):
    """A canary of 5 and then 20 % that got a hundredth, one that got what its steps say, one whose weights nobody told:
    by notifications of Argo Rollouts, and by `takt event`."""
    with Server(config=QUICK) as server:
        now = int(time.time())
        t = now - 60 * MINUTE

        def argo(service, at, phase, weight):
            body = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)), "rollout": {
                "metadata": {"name": service, "uid": service, "labels": {"environment": "production"}},
                "spec": {"template": {"spec": {"containers": [{"image": "r.example/shop:2.0"}]}}},
                "status": {"phase": phase, "currentPodHash": "new", "stableRS": "old", "canary": {"weights": {"canary": {"weight": weight}}}}}}
            assert server.request("POST", "/hooks/argo-rollouts", json.dumps(body).encode())[0] in (200, 202)
        argo("starved", t, "Progressing", 5)
        argo("starved", t + 20 * MINUTE, "Paused", 20)
        argo("starved", t + 40 * MINUTE, "Degraded", 0)
        told = {"id": "c", "service": "fine", "environment": "production", "version": "2.0"}
        send(server, [event("canary", t + 40 * MINUTE, **told, state="promoted"),
                      event("canary", t + 20 * MINUTE, **told, state="progressing", weight=20),
                      event("canary", t, **told, state="progressing", weight=5),
                      event("canary", t, **{**told, "id": "u", "service": "untold"}, state="progressing"),
                      event("canary", t + 40 * MINUTE, **{**told, "id": "u", "service": "untold"}, state="failed", most_weight=20)])
        for at, service in enumerate(("starved", "fine", "untold")):
            traffic, share = Traffic(server, seed * 10 + at, service), (0.01 if service == "starved" else None)
            traffic.send("1.0", t - 10 * MINUTE, t, 500, 0)
            for start, end, weight in ((t, t + 20 * MINUTE, 0.05), (t + 20 * MINUTE, t + 40 * MINUTE, 0.2)):
                new = int(2000 * (share or weight))
                traffic.send("1.0", start, end, 2000 - new, 0)
                traffic.send("2.0", start, end, new, 0)
            send(server, deploy("2.0", t, t + 40 * MINUTE, key=service, service=service))
        got = {s: impact(server, rollouts(server, s)["2.0"]["id"], fresh=True).get("canary") for s in ("starved", "fine", "untold")}
        assert got["untold"] is None, got
        for service in ("starved", "fine"):
            assert 3300 < got[service]["all"] < 4000 and 400 < got[service]["expected"] < 500, got
        assert got["starved"]["requests"] < 45 and abs(got["fine"]["requests"] - got["fine"]["expected"]) < 60, got
        for service in got:
            wait_for_kept(server, rollouts(server, service)["2.0"]["id"])
        found = mode(server, "canary-misrouted")
        assert found["answer"] == "yes" and "1 of 3 canaries" in found["evidence"], found
        assert "starved 2.0 had" in found["evidence"] and "its weights said" in found["evidence"], found


def callers_neither_fake_nor_hide(seed):
    """The new version is called by others: what the callers do is not its doing, and does not cover it."""
    with Server(config="impact:\n  enabled: false\n") as server:
        t = int(time.time()) - 40 * MINUTE
        for at, (service, worse) in enumerate((("faked", 1), ("hidden", 2.5))):
            traffic = Traffic(server, seed * 10 + at, service)
            calm, rough = ("web", 0.004), ("batch", 0.08)
            old_calm, new_calm = (3600, 400) if worse == 1 else (400, 3600)
            for version, n_calm, by in (("1", old_calm, 1), ("2", new_calm, worse)):
                traffic.send(version, t, t + 15 * MINUTE, n_calm, calm[1] * by, caller=calm[0])
                traffic.send(version, t, t + 15 * MINUTE, 4000 - n_calm, rough[1] * by, caller=rough[0])
            traffic.send("1", t - 10 * MINUTE, t, 500, 0.01)
            send(server, deploy("2", t, t + 15 * MINUTE, key=service, service=service))
        got = impact(server, rollouts(server, "faked")["2"]["id"])
        assert got["phase"] == "concurrent" and got["verdict"] in ("clean", "insufficient"), got
        assert got["arms"]["new"]["errorRate"] > 3 * got["arms"]["old"]["errorRate"] and not got["weighted"], got
        got = impact(server, rollouts(server, "hidden")["2"]["id"])
        assert got["verdict"] == "confirmed", got
        assert got["arms"]["new"]["errorRate"] < got["arms"]["old"]["errorRate"], got
        assert {r["route"] for r in got["routes"]} == {"*", "GET /cart"}, got


def sampled_by_outcome(seed):
    """The new version keeps all errors and a tenth of the rest, and says so: counts are those of all requests."""
    with Server(config="impact:\n  enabled: false\n") as server:
        t = int(time.time()) - 40 * MINUTE
        traffic = Traffic(server, seed)
        traffic.send("1.0", t - 10 * MINUTE, t, 2000, 0.03, keep=(0.5, 0.5))
        traffic.send("1.0", t, t + 15 * MINUTE, 8000, 0.03, keep=(0.5, 0.5))
        traffic.send("2.0", t, t + 15 * MINUTE, 8000, 0.03, keep=(0.1, 1), user=True)
        send(server, deploy("1.0", t - 20 * DAY, t - 20 * DAY + MINUTE) + deploy("2.0", t, t + 15 * MINUTE))
        got = impact(server, rollouts(server)["2.0"]["id"])
        assert got["verdict"] in ("clean", "insufficient") and got["weighted"], got
        new = got["arms"]["new"]
        assert 7000 < new["requests"] < 9000 and new["effective"] < 1500, new
        assert abs(new["errorRate"] - 0.03) < 0.01, new
        low, high = got["failedRoots"]["interval"]
        assert low < 0 < high and high - low < 800, got["failedRoots"]
        assert got["users"]["hit"] <= got["users"]["atMost"] <= got["users"]["hit"] + 1, got["users"]
        assert any("weighted by what sampling left out" in c for c in got["confounders"]), got
        assert any("kept more often" in c for c in got["confounders"]), got
        doubled = Traffic(server, seed + 1, "worse")
        doubled.send("1", t, t + 15 * MINUTE, 8000, 0.02, keep=(0.2, 1))
        doubled.send("2", t, t + 15 * MINUTE, 8000, 0.06, keep=(0.2, 1))
        doubled.send("1", t - 10 * MINUTE, t, 500, 0.02, keep=(0.2, 1))
        send(server, deploy("2", t, t + 15 * MINUTE, key="w", service="worse"))
        got = impact(server, rollouts(server, "worse")["2"]["id"])
        assert got["verdict"] == "confirmed" and abs(got["arms"]["new"]["errorRate"] - 0.06) < 0.015, got
        assert not any("hold more errors than the truth" in c for c in got["confounders"]), got
        low, high = got["failedRoots"]["interval"]
        excess = len(doubled.failed["2"]) - len(doubled.failed["1"])  # all of which were kept
        assert low < excess - 10 and excess + 10 < high and high - low < 150, (got["failedRoots"], excess)


def flags(seed):
    """A flag is turned on for some: variants are judged like versions, however spans tell of them."""
    with Server(config="impact:\n  enabled: false\n") as server:
        t = int(time.time()) - 40 * MINUTE
        for at, form in enumerate(("span", "event", "old event", "caller")):
            service, flag = f"of-{form.replace(' ', '-')}", f"new {form}"
            traffic = Traffic(server, seed * 10 + at, service)
            traffic.send("1", t - 20 * MINUTE, t, 300, 0.01, flag=(flag, "off", form))
            traffic.send("1", t, t + 15 * MINUTE, 1500, 0.01, flag=(flag, "off", form))
            traffic.send("1", t, t + 15 * MINUTE, 1200, 0.09, flag=(flag, "on", form))
            traffic.send("1", t, t + 15 * MINUTE, 200, 0.5, flag=("yet another", "on", form))  # is of no variant
            send(server, [event("flag_change", t, id=f"change-{form}", service="" if form == "event" else service, environment="production",
                                flag=flag, action="on", changed_at=t)])
            got = impact(server, flag.replace(" ", "%20"))
            assert got["service"] == service and got["flag"] == flag and got["rollout"] == "", got
            assert got["baseline"] == "off" and got["version"] == "on" and got["phase"] == "concurrent", got
            assert got["verdict"] == "confirmed", got
            assert abs(got["arms"]["new"]["errorRate"] - 0.09) < 0.03 and got["arms"]["new"]["requests"] <= 1200, got
            shares = {v["variant"]: v for v in got["variants"]}
            assert set(shares) == {"on", "off"} and shares["on"]["requests"] == 1200 and shares["off"]["requests"] == 1800, shares
            assert abs(shares["on"]["share"] - 0.4) < 1e-9, shares
            assert any("decides who gets" in c for c in got["confounders"]), got
            assert any("200 of 3200 requests are of no variant" in c for c in got["confounders"]), got
        by_key = impact(server, got["change"].replace(" ", "%20"))
        assert by_key["change"] == got["change"] and by_key["verdict"] == "confirmed", by_key
        server.flush()
        for where in (("--server", f"http://127.0.0.1:{server.port()}"), ("--data", server.data)):
            code, out, err = takt("impact", "new span", *where)
            assert code == 0 and "flag new span: on against off: confirmed" in out and "on: 40.0 % of the requests" in out, (out, err)
        same = Traffic(server, seed + 9, "same")
        same.send("1", t - 20 * MINUTE, t, 500, 0.01, flag=("calm", "off", "span"))
        for variant in ("off", "on"):
            same.send("1", t, t + 15 * MINUTE, 1500, 0.01, flag=("calm", variant, "span"))
        send(server, [event("flag_change", t, id="calm", service="same", flag="calm", action="on", changed_at=t),
                      event("flag_change", t, id="few", service="same", flag="few", action="on", changed_at=t)])
        assert impact(server, "calm")["verdict"] in ("clean", "insufficient")
        got = impact(server, "few")
        assert got["verdict"] == "insufficient" and "no span tells" in got["why"][0], got
        send(server, [event("deploy", t + MINUTE, id="by-flag", service="of-span", environment="production", change_kind="flag",
                            version="new span=on", state="success", started_at=t, succeeded_at=t)])
        got = impact(server, "takt:by-flag")
        assert got["flag"] == "new span" and got["version"] == "on" and got["verdict"] == "confirmed" and got["change"] == "", got
        assert server.get("/api/takt/delivery/impact?rollout=no%20flag")[0] == 404


def flags_are_judged_by_itself(seed):
    """A change of a flag is looked at as a rollout is; its verdict outlives the traces and a reprocess, and fails no rollout."""
    with Server(config=QUICK) as server:
        t = int(time.time()) - 40 * MINUTE
        traffic = Traffic(server, seed)
        traffic.send("1", t - 20 * MINUTE, t, 300, 0.01, flag=("fast", "off", "span"))
        traffic.send("1", t, t + 15 * MINUTE, 1500, 0.01, flag=("fast", "off", "span"))
        traffic.send("1", t, t + 15 * MINUTE, 1200, 0.09, flag=("fast", "on", "span"))
        flag = lambda id, action, at, **more: event("flag_change", at, id=id, service="shop", environment="production", flag="fast",
                                                    action=action, changed_at=at, **more)
        send(server, [flag("turn", "on", t), flag("made", "created", t - MINUTE), flag("gone", "archived", t + MINUTE),
                      flag("old", "on", t - 4 * DAY)])
        send(server, deploy("1", t - 20 * DAY, t - 20 * DAY + MINUTE))
        kept = lambda: facts(server, "SELECT key, rollout, verdict, version, baseline, final FROM impact ORDER BY key")
        until("the verdict", lambda: len(kept()) > 0, 30)
        want = [("takt:turn", None, "confirmed", "on", "off", 0)]
        assert [(k, r or None, *rest) for k, r, *rest in kept()] == want, kept()
        got = impact(server, "takt:turn")
        assert got["flag"] == "fast" and {v["variant"] for v in got["variants"]} == {"on", "off"}, got
        assert impact(server, "takt:turn") == impact(server, "fast") == got, "it was computed anew"
        assert "failure" not in rollouts(server)["1"]
        assert server.request("DELETE", "/api/takt/traces?everything=yes")[0] == 200
        assert server.request("POST", "/api/takt/delivery/reprocess", b"")[0] // 100 == 2
        until("the facts again", lambda: [(k, r or None, *rest) for k, r, *rest in kept()] == want, 30)


def suspicion_waits_for_a_word(seed):
    """Before against after without any control is a suspicion; a person's word makes it count."""
    now = int(time.time())
    with Server(config="impact:\n  enabled: false\n") as server:
        t = now - 3 * 60 * MINUTE
        traffic = Traffic(server, seed)
        traffic.send("1.0", t - 60 * MINUTE, t, 3000, 0.01)
        traffic.send("2.0", t + 2 * MINUTE, t + 60 * MINUTE, 3000, 0.06)
        send(server, deploy("1.0", t - 20 * DAY, t - 20 * DAY + MINUTE) + deploy("2.0", t, t + MINUTE))
        mine = rollouts(server)["2.0"]["id"]
        got = impact(server, mine)
        assert got["phase"] == "before-after", got
        assert got["verdict"] == "suspect", got
        assert "failure" not in rollouts(server)["2.0"]  # asked, not recorded: this server judges nothing by itself
        assert any("moved alike" in c or "without a control" in c for c in got["confounders"]), got


def compare(seed):
    now = int(time.time())
    with Server() as server:
        traffic = Traffic(server, seed)
        for version, share, ms in (("1", 0.01, 40), ("same", 0.01, 40), ("worse", 0.06, 90)):
            traffic.send(version, now - 1500, now - 300, 3000, share, ms=ms)
        traffic.send("few", now - 1500, now - 300, 50, 0.5)
        url = f"http://127.0.0.1:{server.port()}"

        def run(candidate, *conditions, where=("--server", url), more=()):
            conditions = [x for c in conditions for x in ("--fail-if", c)]
            return takt("compare", "--service", "shop", "--baseline", "1", "--candidate", candidate, *conditions, *where, *more)

        for where in (("--server", url), ("--data", server.data)):
            server.flush()
            code, out, err = run("same", "errors > +2 points", "p95 > +40 %", where=where)
            assert code == 0 and "pass" in out, (code, out, err)
            code, out, err = run("worse", "errors > +0.5 points", "p99 > 10 s", where=where)
            assert code == 2 and "failed" in out and "pass" in out, (code, out, err)
            code, out, err = run("worse", "p95 > +20 %", where=where, more=("--json",))
            got = json.loads(out)
            assert code == 2 and got["result"] == "failed" and abs(got["checks"][0]["value"] - 1.25) < 0.4, (code, got)
            code, out, err = run("few", "errors > +0.5 points", where=where)
            assert code == 4 and "inconclusive" in out, (code, out, err)
            code, out, err = run("never", "errors > +0.5 points", where=where)
            assert code == 4, (code, out, err)
            code, out, err = run("same", "errors < 3", where=where)
            assert code == 1 and "expected >" in err, (code, out, err)
        got = asked(server, "/api/takt/compare", "service=shop&baseline=1&candidate=worse&failIf=errors+%3E+2+%25&since=1h")
        assert got["result"] == "failed", got
        assert run("same")[0] == 1 and takt("compare", "--unknown")[0] == 1


def versions(seed):
    now = int(time.time())
    with Server() as server:
        traffic = Traffic(server, seed)
        traffic.send("1.0", now - 3000, now - 2000, 50, 0)
        traffic.send("secret", now - 2000, now - 1000, 30, 0)
        send(server, deploy("v1.0", now - 4000, now - 3500) + deploy("3.0", now - 900, now - 800))
        got = asked(server, "/api/takt/delivery/versions", "service=shop")
        seen = {v["version"]: v for v in got["versions"]}
        assert seen["1.0"]["reported"] and seen["1.0"]["requests"] == 50, got
        assert not seen["secret"]["reported"] and seen["secret"]["requests"] == 30, got
        assert [u["version"] for u in got["unserved"]] == ["3.0"], got
        server.flush()
        for where in (("--server", f"http://127.0.0.1:{server.port()}"), ("--data", server.data)):
            code, out, err = takt("deploys", "--service", "shop", *where)
            assert code == 0 and "no rollout was reported: secret (30 requests)" in out, (out, err)
            assert "never seen in traffic: 3.0" in out and "1.0 (" not in out, out
        assert server.get("/api/takt/delivery/versions")[0] == 400
        assert server.get("/api/takt/delivery/impact?rollout=nothing")[0] == 404
        status, _, _ = server.request("POST", "/hooks/takt", b'{"rollout":"x","state":"1","verdict":"confirmed"}')
        assert status == 404, status


def impact_begins_with_the_first_bad_minute(seed):
    """Errors begin a quarter of an hour before anybody notices: the time to detect knows, unless a person says better."""
    with Server(config=QUICK) as server:
        noticed = int(time.time()) // MINUTE * MINUTE - 10 * MINUTE
        bad = noticed - 15 * MINUTE
        traffic = Traffic(server, seed)
        traffic.send("1.0", bad - 120 * MINUTE, bad, 6000, 0.01)
        traffic.send("1.0", bad, noticed + 5 * MINUTE, 2000, 0.3)
        send(server, [event("incident", noticed, id="i", service="shop", state="triggered", detected_at=noticed),
                      event("incident", noticed + 8 * MINUTE, id="i", state="resolved")])

        def figure(name):
            measures = server.get_json("/api/takt/delivery/measures?service=shop")["measures"]
            return next(m for m in measures if m["name"] == name)

        until("an onset", lambda: figure("detect_time")["n"] == 1, 60)
        why = asked(server, "/api/takt/delivery/why", f"figure={figure('detect_time')['figure']}")["rows"][0]
        assert (why["began_by"], int(why["began"]) // 10 ** 9) == ("traces", bad) and "failed instead of" in why["began_says"], why
        assert figure("detect_time")["value"] == 15 * MINUTE and figure("restore_time")["value"] == 23 * MINUTE, figure("restore_time")
        assert figure("remediate_time")["value"] == 8 * MINUTE
        code, out, err = takt("why", figure("restore_time")["figure"], "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "failed instead of" in out, (out, err)
        assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        assert figure("restore_time")["value"] == 23 * MINUTE
        send(server, [event("incident", noticed, id="i", started_at=bad - 5 * MINUTE)])
        assert figure("detect_time")["value"] == 20 * MINUTE, figure("detect_time")
        assert server.request("POST", "/hooks/takt/onset", b'{"incident":"takt:i"}')[0] == 404


def cases(tap):
    for case in (planted_regression, kinds_of_errors_and_calls, rows_of_kinds_open_to_their_traces, no_change, slower, what_a_deploy_hides, canaries_by_their_steps, callers_neither_fake_nor_hide, sampled_by_outcome, flags, flags_are_judged_by_itself, suspicion_waits_for_a_word, compare, versions,
                 impact_begins_with_the_first_bad_minute):
        tap.case(case.__name__, case, tap.seed)
