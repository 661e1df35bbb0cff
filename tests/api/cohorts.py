# SPDX-License-Identifier: Apache-2.0
"""Cohorts of traces, and two traces, compared by where their time goes: /api/takt/cohorts."""
import json
import math
import random
import re
import socket
import time

import otlp
from client import new_id, request, span
from takt import Server
from traceql import MS, ask, until_running

PATH = "/api/takt/cohorts"
SIDE = {"of", "total", "shown", "sampled", "durationNano", "criticalNano", "spans", "errors", "trace"}
SPENT = {"traces", "spans", "errors", "selfNano", "criticalNano", "most"}


def send(server, spans):
    """Spans as (trace, id, parent, start ms, end ms, service, name, error), all of one request per service."""
    for service in sorted({s[5] for s in spans}):
        out = [span(t, spanId=f"{i:016x}", name=name, startTimeUnixNano=a * MS, endTimeUnixNano=b * MS,
                    status={"code": 2} if bad else {}, **({"parentSpanId": f"{up:016x}"} if up else {}))
               for t, i, up, a, b, of, name, bad in spans if of == service]
        assert server.post_traces(otlp.encode(request(*out, service=service)))[0] == 200


# --- a plain computation -----------------------------------------------------------------------------------------

def time_of(spans):
    """Of a trace, by span: its self time and its time on the critical path, in ms; asked moment by moment."""
    children = {s[1]: sorted((c for c in spans if c[2] == s[1]), key=lambda c: (c[3], c[1])) for s in spans}

    def waited_for(s, floor, at, t):
        for c in reversed(sorted(children[s[1]], key=lambda c: c[4])):
            a, b = max(floor, c[3]), min(at, c[4])
            if b <= a or at <= floor:
                continue
            if t >= b:
                return s[1]
            if t >= a:
                return waited_for(c, a, b, t)
            at = a
        return s[1]

    (root,) = [s for s in spans if s[2] == 0]
    critical = {s[1]: 0 for s in spans}
    for t in range(root[3], root[4]):
        critical[waited_for(root, root[3], root[4], t)] += 1
    return {s[1]: (sum(not any(c[3] <= t < c[4] for c in children[s[1]]) for t in range(s[3], s[4])), critical[s[1]])
            for s in spans}


def rows_of(cohorts):
    """The rows of two lists of traces: {(service, name): [(traces, spans, errors, self, critical) per cohort]}, means in ns."""
    out = {}
    for side, traces in enumerate(cohorts):
        for spans in traces:
            times, met = time_of(spans), set()
            for s in spans:
                row = out.setdefault(s[5:7], [[0] * 5, [0] * 5])[side]
                row[0] += s[5:7] not in met
                met.add(s[5:7])
                for k, v in ((1, 1), (2, s[7]), (3, times[s[1]][0] * MS), (4, times[s[1]][1] * MS)):
                    row[k] += v / len(traces)
    return out


def check(got, cohorts):
    """An answer is what the plain computation says, and in order."""
    assert set(got) == {"query", "a", "b", "operations", "rows", "complete", "why"}, got
    want = rows_of(cohorts)
    assert got["operations"] == len(got["rows"]) == len(want), (got["operations"], len(want))
    all_delta = sum(abs(b[4] - a[4]) for a, b in want.values())
    for side, traces in zip("ab", cohorts):
        head = got[side]
        assert set(head) == SIDE and head["total"] == head["shown"] == len(traces) and head["sampled"] is False, head
        if traces:
            lengths = [max(s[4] for s in t) - min(s[3] for s in t) for t in traces]
            assert math.isclose(head["durationNano"], MS * sum(lengths) / len(traces)), head
            assert math.isclose(head["spans"], sum(map(len, traces)) / len(traces)), head
            assert math.isclose(head["criticalNano"], sum(r[side]["criticalNano"] for r in got["rows"])), head
    for r in got["rows"]:
        assert set(r) == {"service", "name", "a", "b", "deltaNano", "selfDeltaNano", "share"}, r
        sides = want.pop((r["service"], r["name"]))
        for side, traces, values in zip("ab", cohorts, sides):
            assert set(r[side]) == SPENT and r[side]["traces"] == values[0], (r, values)
            for key, v in zip(("spans", "errors", "selfNano", "criticalNano"), values[1:]):
                assert math.isclose(r[side][key], v, rel_tol=1e-9, abs_tol=1e-6), (r, side, key, v)
            of = {t[0][0] for t in traces if any(s[5:7] == (r["service"], r["name"]) for s in t)}
            assert len(r[side]["most"]) == min(10, len(of)) and set(r[side]["most"]) <= of, r
        delta = sides[1][4] - sides[0][4]
        assert math.isclose(r["deltaNano"], delta, rel_tol=1e-9, abs_tol=1e-3), (r, delta)
        assert math.isclose(r["selfDeltaNano"], sides[1][3] - sides[0][3], rel_tol=1e-9, abs_tol=1e-3), r
        assert math.isclose(r["share"], abs(delta) / all_delta if all_delta else 0, abs_tol=1e-9), r
    deltas = [abs(r["deltaNano"]) for r in got["rows"]]
    assert deltas == sorted(deltas, reverse=True), deltas


# --- cases -------------------------------------------------------------------------------------------------------

def random_traces(dice, at_ms, n):
    out = []
    for _ in range(n):
        trace = new_id()
        start = at_ms + dice.randrange(60_000)
        spans = [(trace, 1, 0, start, start + dice.randrange(20, 200), "web", f"GET /{dice.randrange(2)}", False)]
        for i in range(2, dice.randrange(3, 12)):
            up = dice.choice(spans)
            a = up[3] + dice.randrange(max(1, up[4] - up[3]))
            spans.append((trace, i, up[1], a, a + dice.randrange(1, 120), dice.choice(("api", "db")),
                          dice.choice(("call", "select", "save")), dice.random() < 0.2))
        out.append(spans)
    return out


def against_a_plain_computation(seed):
    """Traces that lie here and there are judged as wholes, whatever is asked and selected."""
    dice, at_s = random.Random(seed), int(time.time()) - 600
    traces = random_traces(dice, at_s * 1000, 80)
    everything = [s for t in traces for s in t]
    dice.shuffle(everything)
    where = {"start": at_s - 10, "end": at_s + 120}
    with Server() as server:
        for k in range(4):
            send(server, everything[k::4])
            if k < 3:
                server.flush()
        send(server, everything[:30])  # once more: they count once
        asked = 0
        for q, keeps in (("{ }", lambda t: t), ('{ resource.service.name = "db" }', lambda t: [s for s in t if s[5] == "db"]),
                         ('{ name = "call" } >> { status = error } | select(kind)', None),
                         ('{ name = "GET /1" } with (most_recent=true)', lambda t: [s for s in t if s[6] == "GET /1"])):
            for _ in range(6):
                low, high = sorted(dice.randrange(200) for _ in range(2))
                a, b = sorted(dice.sample(range(60_000), 2))
                box = {"min": f"{low}ms", "max": f"{high}ms"} if dice.random() < 0.8 else {"from": "", "min": "30ms"}
                if dice.random() < 0.6:
                    box |= {"from": (at_s * 1000 + a) * MS, "to": (at_s * 1000 + b) * MS}
                if not any(v and v != "0ms" for v in box.values()):
                    continue
                low, high = int(box["min"][:-2]), int(box.get("max", "0ms")[:-2])

                def is_in(s):
                    length = s[4] - s[3]
                    return (length >= low and (high == 0 or length <= high) and
                            (not box.get("from") or box["from"] < s[3] * MS <= box["to"]))

                def matching(t):
                    if keeps:
                        return keeps(t)
                    up = {s[1]: s for s in t}

                    def is_under(s):
                        while s[2]:
                            s = up[s[2]]
                            if s[6] == "call":
                                return True
                        return False
                    return [s for s in t if s[7] and is_under(s)]
                found = [(t, matching(t)) for t in traces]
                rest = [t for t, m in found if m and not any(map(is_in, m))]
                selection = [t for t, m in found if any(map(is_in, m))]
                check(server.get_json(ask(PATH, q=q, **where, **{k: v for k, v in box.items() if v})), (rest, selection))
                asked += bool(rest and selection)
        assert asked > 8, asked


def planted(dice, at_ms, n, slow):
    """Orders; in slow ones the fraud check of the payment takes long, which is what they wait for."""
    out = []
    for i in range(n):
        trace, start = new_id(), at_ms + i * 10
        check_ms = 900 + dice.randrange(200) if slow else 20 + dice.randrange(10)
        noise = dice.randrange(40, 120)
        end = start + 60 + noise + check_ms
        out.append([(trace, 1, 0, start, end, "web", "POST /order", False),
                    (trace, 2, 1, start + 5, start + 5 + noise, "db", "SELECT stock", False),
                    (trace, 3, 1, start + 10 + noise, end - 5, "pay", "charge", False),
                    (trace, 4, 3, end - 10 - check_ms, end - 10, "fraud", "check", False),
                    # beside it, and as long, but nobody waits for it
                    (trace, 5, 1, start + 6 + noise, end - 20, "mail", "enqueue", False)])
    return out


def planted_cause_and_samples(seed):
    dice, at_s = random.Random(seed), int(time.time()) - 600
    slow, quick = planted(dice, at_s * 1000, 30, True), planted(dice, at_s * 1000 + 500, 70, False)
    how = {"q": '{ resource.service.name = "web" }', "start": at_s - 1, "end": at_s + 60, "min": "700ms"}
    with Server() as server:
        send(server, [s for t in slow + quick for s in t])
        got = server.get_json(ask(PATH, **how))
        check(got, (quick, slow))
        assert (got["a"]["of"], got["b"]["of"]) == ("rest", "selection") and got["query"] == how["q"], got
        first = got["rows"][0]
        assert (first["service"], first["name"]) == ("fraud", "check") and first["share"] > 0.9, first
        assert 700 * MS < first["deltaNano"] and set(first["b"]["most"]) <= {t[0][0] for t in slow}, first
        (mail,) = [r for r in got["rows"] if r["service"] == "mail"]
        assert mail["deltaNano"] == 0 and mail["share"] == 0 and mail["selfDeltaNano"] > 700 * MS, mail
        # A part of them, always the same, told as such.
        some = server.get_json(ask(PATH, **how, limit=10))
        assert [(some[s]["total"], some[s]["shown"], some[s]["sampled"]) for s in "ab"] == [(70, 10, True), (30, 10, True)]
        assert some["complete"] and some["rows"][0]["name"] == "check" and len(some["rows"][0]["b"]["most"]) == 10
        server.flush()
        again = server.get_json(ask(PATH, **how, limit=10))
        assert {**again, "why": None} == {**some, "why": None}, "the same sample wherever spans lie"
        assert server.get_json(ask(PATH, **how, limit=30))["b"]["sampled"] is False
        # Nothing on one side, nothing at all.
        none = server.get_json(ask(PATH, **{**how, "min": "1h"}))
        assert (none["a"]["total"], none["b"]["total"], none["b"]["criticalNano"]) == (100, 0, 0), none
        none = server.get_json(ask(PATH, **{**how, "q": '{ name = "nobody" }'}))
        assert none["rows"] == [] and none["a"]["total"] == none["b"]["total"] == 0 and none["complete"], none
        two_traces(server, quick[0], slow[0])
        errors(server, quick[0][0][0], how)


def two_traces(server, a, b):
    ids = {"a": a[0][0], "b": b[0][0]}
    got = server.get_json(ask(PATH, **ids))
    check(got, ([a], [b]))
    assert got["query"] is None and got["rows"][0]["name"] == "check", got
    for side, t in zip("ab", (a, b)):
        assert got[side]["of"] == "trace" and got[side]["trace"] == {
            "traceId": t[0][0], "rootService": "web", "rootName": "POST /order", "startUnixNano": str(t[0][3] * MS)}, got[side]
    back = server.get_json(ask(PATH, a=ids["b"], b=ids["a"]))
    assert [r["deltaNano"] for r in back["rows"]] == [-r["deltaNano"] for r in got["rows"]]
    same = server.get_json(ask(PATH, a=ids["a"], b=ids["a"]))
    assert all(r["share"] == r["deltaNano"] == 0 for r in same["rows"]), same


def errors(server, trace, how):
    nobody = "ab" * 16
    for wrong, status, text in (
            ({"a": trace, "b": nobody}, 404, f"trace B, {nobody}, is not there"),
            ({"a": nobody, "b": nobody}, 404, f"trace A, {nobody}"),
            ({"a": trace}, 400, "b is missing"), ({"a": trace, "b": "xyz"}, 400, 'b is "xyz", which is not a trace id'),
            ({"a": trace, "b": trace, "q": "{ }"}, 400, "not both"),
            ({}, 400, "start and end (or since) are missing"), ({"q": "{ }", "since": "1h"}, 400, "nothing is selected"),
            ({**how, "q": "{"}, 400, "line 1, column 2"), ({**how, "q": "{ } | rate()"}, 400, "metrics query"),
            ({**how, "max": "1ms"}, 400, "max is less than min"), ({**how, "from": 9, "to": 8}, 400, "to must be after from"),
            ({**how, "limit": 0}, 400, "limit is at least 1"), ({**how, "limit": 1001}, 400, "limit"),
            ({**how, "min": "soon"}, 400, "min")):
        got, _, body = server.get(ask(PATH, **wrong))
        assert got == status and text in body.decode(), (wrong, got, body)


def check_told(got):
    """What an answer says of the traces that were looked at is what is in it, and what is in it is there once."""
    why, shown, total = (got["why"] or ""), [got[s]["shown"] for s in "ab"], [got[s]["total"] for s in "ab"]
    said = re.search(r"(\d+) of (\d+) traces (were looked at|are too large)", why)
    if said and said[3] == "were looked at":
        assert sum(shown) == int(said[1]) < int(said[2]) <= sum(total), got
    elif said:
        assert 0 < int(said[1]) <= int(said[2]) == sum(shown), got
    for side in "ab" if got["operations"] == len(got["rows"]) else "":
        assert math.isclose(sum(r[side]["spans"] for r in got["rows"]), got[side]["spans"], abs_tol=1e-6), got


def limits_of_a_query():
    """Out of time or memory it answers with what it has and says so; it stops when its client goes away."""
    dice, at_s = random.Random(3), int(time.time()) - 600
    traces = [s for t in random_traces(dice, at_s * 1000, 1500) for s in t]
    how = {"q": "{ }", "start": at_s - 10, "end": at_s + 120, "min": "50ms"}
    seen = set()
    for timeout in ("1ms", "15ms", "40ms", "80ms"):
        with Server(flags=("--set", f"query.timeout={timeout}")) as server:
            send(server, traces)
            server.flush()
            for _ in range(4):
                status, head, body = server.get(ask(PATH, **how))
                assert status in (200, 504), (status, body)
                if status == 504 or head["X-Takt-Partial"]:
                    assert "query.timeout" in (head["X-Takt-Partial"] or body.decode()), (status, head, body)
                if status == 200:
                    check_told(json.loads(body))
                seen.add((status, bool(head["X-Takt-Partial"])))
    assert seen - {(200, False)}, "nothing took longer than a millisecond"
    with Server(config="query:\n  timeout: 1h\n") as server:
        send(server, traces)
        server.flush()
        for tries in range(100):
            client = socket.create_connection(("127.0.0.1", server.port()))
            client.sendall(f"GET {ask(PATH, **how)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(0.005 * (tries % 10))
            client.close()
            until_running(server, 0)
            if server.metrics()["takt_queries_canceled_total"]:
                break
        assert server.metrics()["takt_queries_canceled_total"], "no query was stopped"
    large = planted(dice, at_s * 1000, 1, True)[0]
    large += [(large[0][0], i, 1, large[0][3], large[0][3] + 9, "db", f"statement {i}", False) for i in range(10, 6000)]
    with Server(config="query:\n  max_memory: 2MiB\n") as server:
        send(server, traces[:60] + large)
        got = server.get_json(ask(PATH, **how))
        assert got["complete"] is False and ("too large" in got["why"] or "query.max_memory" in got["why"]), got["why"]
        check_told(got)


def cases(tap):
    tap.case("against_a_plain_computation", lambda: against_a_plain_computation(tap.seed))
    tap.case("planted_cause_and_samples", lambda: planted_cause_and_samples(tap.seed))
    tap.case("limits_of_a_query", limits_of_a_query)
