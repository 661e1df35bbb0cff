# SPDX-License-Identifier: Apache-2.0
"""Questions in TraceQL over HTTP, gRPC and the command line: answers that strict clients take."""
import http.client
import json
import math
import random
import re
import socket
import subprocess
import time
import urllib.parse

import grpc

from client import new_id, request, span, until
import otlp
from takt import BINARY, Server, temporary_directory

S = 10 ** 9
MS = 10 ** 6
SERVICE = "/tempopb.StreamingQuerier/"
INTRINSICS = ["duration", "name", "status", "statusMessage", "kind", "rootServiceName", "rootName", "traceDuration",
              "event:name", "event:timeSinceStart", "link:spanID", "link:traceID", "instrumentation:name",
              "instrumentation:version", "trace:id", "span:id", "span:parentID", "span:status", "span:statusMessage",
              "span:duration", "span:name", "span:kind", "trace:rootName", "trace:rootService", "trace:duration"]


def attributes(**values):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": k.replace("__", "."), "value": {kinds[type(v)]: v}} for k, v in values.items()]


def ask(path, **parameters):
    return path + "?" + urllib.parse.urlencode({k.rstrip("_"): v for k, v in parameters.items()})


class Shop:
    """Thirty traces of three spans, ten seconds apart, newest last; some in blocks, some in memory, some in
    both. web (server) calls api (client), which fails in every fifth trace; api calls db."""

    N = 30

    def __init__(self, server):
        self.start_s = (int(time.time()) - 3600) // 10 * 10
        self.ids = [f"00{i:02x}" + new_id(14) for i in range(self.N)]
        self.spans = [[f"{i + 1:04x}{k:012x}" for k in range(3)] for i in range(self.N)]
        self.server = server
        for i in range(self.N):
            for part in self.parts(i):
                assert server.post_traces(otlp.encode(part))[0] == 200
            if i in (8, 20):
                server.flush()

    def start_ns(self, i):
        return self.start_s * S + i * 10 * S

    def duration_ms(self, i):
        return 10 * (i + 1)

    def parts(self, i):
        root, call, query = self.spans[i]
        at, end = self.start_ns(i), self.start_ns(i) + self.duration_ms(i) * MS
        yield request(span(
            self.ids[i], spanId=root, name=f"GET /{i % 3}", kind=2, startTimeUnixNano=at, endTimeUnixNano=end,
            attributes=attributes(http__status_code=500 if i % 5 == 0 else 200, route=f"/{i % 3}", ratio=i / 4,
                                  cached=i % 2 == 0)), service="web")
        yield request(span(
            self.ids[i], spanId=call, parentSpanId=root, name="call", kind=3, startTimeUnixNano=at + MS,
            endTimeUnixNano=end - MS, status={"code": 2, "message": "no luck"} if i % 5 == 0 else {},
            attributes=attributes(**{"odd name": f"say \"{i}\" \\ é"}),
            events=[{"timeUnixNano": at + 2 * MS, "name": "retry", "attributes": attributes(attempt=1)},
                    {"timeUnixNano": at + 3 * MS, "name": "retry", "attributes": attributes(attempt=2)}]),
            service="api")
        yield request(span(
            self.ids[i], spanId=query, parentSpanId=call, name="select", startTimeUnixNano=at + 2 * MS,
            endTimeUnixNano=at + 3 * MS,
            links=[{"traceId": self.ids[0], "spanId": root, "attributes": attributes(why="because")}]),
            service="db")

    def range(self):
        return {"start": self.start_s - 60, "end": self.start_s + self.N * 10 + 60}

    def numbers(self, answer):
        return [self.ids.index(t["traceID"].zfill(32)) for t in answer["traces"]]


def strict(server, message, path):
    """The answer, refused as a strict client would refuse it; and its headers."""
    status, head, body = server.get(path, accept="application/json")
    assert status == 200 and head["Content-Type"] == "application/json", (path, status, body[:500])
    answer = otlp.parse_json(body.decode())
    otlp.check_json(answer, message)
    return answer, head


def search(shop, q, **parameters):
    return strict(shop.server, "SearchResponse", ask("/api/search", q=q, **parameters))


# --- search ----------------------------------------------------------------------------------------------------

def search_shape(shop):
    answer, head = search(shop, '{ resource.service.name = "web" && span.http.status_code = 500 && name != nil }',
                          limit=100)
    assert shop.numbers(answer) == [25, 20, 15, 10, 5, 0], answer
    i = 25
    shown = {"spanID": shop.spans[i][0], "name": "GET /1", "startTimeUnixNano": str(shop.start_ns(i)),
             "durationNanos": str(shop.duration_ms(i) * MS),
             "attributes": [{"key": "service.name", "value": {"stringValue": "web"}},
                            {"key": "http.status_code", "value": {"intValue": "500"}}]}
    want = {"traceID": shop.ids[i].lstrip("0"), "rootServiceName": "web", "rootTraceName": "GET /1",
            "startTimeUnixNano": str(shop.start_ns(i)), "durationMs": shop.duration_ms(i),
            "spanSet": {"spans": [shown], "matched": 1}, "spanSets": [{"spans": [shown], "matched": 1}],
            "serviceStats": {"api": {"spanCount": 1, "errorCount": 1}, "db": {"spanCount": 1},
                             "web": {"spanCount": 1}}}
    assert answer["traces"][0] == want, json.dumps(answer["traces"][0])
    assert set(answer) == {"traces", "metrics"}, answer
    assert "X-Takt-Next" not in head and "X-Takt-Partial" not in head, head.items()
    assert re.fullmatch(r"traces=\d+, spans=\d+, bytes=\d+, blocks=\d+/\d+, groups=\d+/\d+", head["X-Takt-Scan"])
    nothing, _ = search(shop, '{ name = "nothing" }')
    assert nothing["traces"] == [], nothing
    named, _ = search(shop, "{ kind = client && status = error }", limit=1)
    span_ = named["traces"][0]["spanSets"][0]["spans"][0]
    assert "name" not in span_, "the query does not read it"
    assert span_["attributes"] == [{"key": "kind", "value": {"stringValue": "client"}},
                                   {"key": "status", "value": {"stringValue": "error"}}], span_


def search_protobuf(shop):
    """The same answer, but for what was looked at: threads share the work as it comes."""
    for q in ('{ status = error } | by(resource.service.name)', '{ } | avg(duration) > 40ms', '{ .ratio > 2.5 }',
              '{ .cached = false } | select(name)', '{ name = "nothing" }'):
        path = ask("/api/search", q=q, limit=7)
        status, head, body = shop.server.get(path, accept="application/protobuf")
        assert status == 200 and head["Content-Type"] == "application/protobuf", (status, body)
        got = otlp.decode(body, "SearchResponse")
        want = otlp.from_json(strict(shop.server, "SearchResponse", path)[0], "SearchResponse")
        assert got.get("traces", []) == want["traces"], (q, got, want)
        assert got["metrics"]["totalJobs"] == want["metrics"]["totalJobs"], (got["metrics"], want["metrics"])


def search_sets(shop):
    answer, _ = search(shop, "{ } | by(resource.service.name) | count() > 0", limit=1)
    sets = answer["traces"][0]["spanSets"]
    assert [s["attributes"] for s in sets] == [
        [{"key": "by(resource.service.name)", "value": {"stringValue": name}},
         {"key": "count()", "value": {"intValue": "1"}}] for name in ("api", "db", "web")], sets
    assert answer["traces"][0]["spanSet"] == sets[0]
    for spss, n in ((None, 3), (1, 1), (2, 2), (0, 3), (100, 3)):
        answer, _ = search(shop, "{ }", limit=2, **({} if spss is None else {"spss": spss}))
        for trace in answer["traces"]:
            assert len(trace["spanSets"][0]["spans"]) == n and trace["spanSets"][0]["matched"] == 3, (spss, trace)
    answer, _ = search(shop, "{ } | avg(duration) > 0ms", limit=1)
    mean = (shop.duration_ms(29) * 2 - 2 + 1) * MS / 3
    assert answer["traces"][0]["spanSets"][0]["attributes"][0]["key"] == "avg(duration)"
    text = answer["traces"][0]["spanSets"][0]["attributes"][0]["value"]["stringValue"]
    assert text.endswith("ms") and abs(float(text[:-2]) * MS - mean) <= 1, (text, mean)


def search_pages(shop):
    """Page by page, by the cursor that each hands out, is the whole; with a query, with tags, and without both."""
    for how in ({"q": "{ duration > 0ns }"}, {"tags": "service.name=web"}, {}):
        whole = shop.numbers(strict(shop.server, "SearchResponse", ask("/api/search", limit=100, **how))[0])
        assert whole == list(range(shop.N - 1, -1, -1)), (how, whole)
        pages, cursor = [], {}
        for _ in range(20):
            answer, head = strict(shop.server, "SearchResponse", ask("/api/search", limit=4, **how, **cursor))
            pages += shop.numbers(answer)
            if not head["X-Takt-Next"]:
                break
            cursor = {"cursor": head["X-Takt-Next"]}
        assert pages == whole, (how, pages)
    status, _, body = shop.server.get("/api/search?q=%7B%7D&cursor=nonsense")
    assert status == 400 and b"cursor" in body, (status, body)


def search_range(shop):
    at = shop.start_s
    for start, end, want in ((at + 30, at + 60, [6, 5, 4, 3]), (at + 29, at + 50, [5, 4, 3]),
                             (at - 60, at - 50, [])):
        answer, _ = search(shop, "{ }", start=start, end=end, limit=100)
        # (start, end]: of trace 3 only the spans after its root start in it.
        assert shop.numbers(answer) == want, (start, end, shop.numbers(answer))
    for since in ("2h", "1h59m.5m30s", "02h"):
        assert shop.numbers(search(shop, "{ }", since=since, start=1, end=2, limit=100)[0])[0] == shop.N - 1, "since wins"
    assert len(search(shop, "{ }")[0]["traces"]) == 20


def search_tags(shop):
    def found(tags, **more):
        answer, _ = strict(shop.server, "SearchResponse", ask("/api/search", tags=tags, limit=100, **more))
        for trace in answer["traces"]:
            assert "spanSets" not in trace and "spanSet" not in trace, trace
        return shop.numbers(answer)

    everything = list(range(shop.N - 1, -1, -1))
    fives = [25, 20, 15, 10, 5, 0]
    for tags, want in (("service.name=web", everything), ("service.name=nobody", []), ("http.status_code=500", fives),
                       ('name="GET /1" http.status_code=500', [25, 10]), ("error=true", fives),
                       ("status.code=error", fives), ("root.service.name=web root.name=\"GET /0\"", everything[2::3]),
                       ("cached=true", everything[1::2]), ("ratio=0.25", [1]), ("route=/2", everything[::3]),
                       ('odd name="x"', None), ("x", None), ("=x", None), ('a="open', None),
                       ("status.code=maybe", None), ('service.name="web\\" || true"', []),
                       ('x}||{y=1', []), ("", everything)):
        if want is None:
            status, head, body = shop.server.get(ask("/api/search", tags=tags))
            assert status == 400 and head["Content-Type"].startswith("text/plain"), (tags, status, body)
            continue
        assert found(tags) == want, (tags, found(tags))
    assert found("service.name=web", minDuration="200ms", maxDuration="230ms") == [22, 21, 20, 19]
    assert found("error=true", minDuration="200ms") == [25, 20]
    # The oldest form: every unknown parameter is a tag; with a range it is not.
    answer, _ = strict(shop.server, "SearchResponse", "/api/search?http.status_code=500&limit=100")
    assert shop.numbers(answer) == fives and "spanSets" not in answer["traces"][0]
    answer, _ = strict(shop.server, "SearchResponse", ask("/api/search", service="x", limit=100, **shop.range()))
    assert shop.numbers(answer) == everything
    odd = urllib.parse.urlencode({"odd name": 'say "3" \\ é'})
    answer, _ = strict(shop.server, "SearchResponse", f"/api/search?{odd}")
    assert shop.numbers(answer) == [3], answer


def search_errors(shop):
    at = shop.start_s
    for path, words in (
            (ask("/api/search", q="{ .a = }"), "^"), (ask("/api/search", q="{ name > 3 }"), "^"),
            (ask("/api/search", q="{ } | rate()"), "metrics"), (ask("/api/search", q="{}", tags="a=b"), "tags"),
            (ask("/api/search", q="{}", limit=0), "limit"), (ask("/api/search", q="{}", limit=262145), "limit"),
            (ask("/api/search", q="{}", limit="x"), "limit"), (ask("/api/search", q="{}", spss=101), "spss"),
            (ask("/api/search", q="{}", start=at), "together"), (ask("/api/search", q="{}", end=at), "together"),
            (ask("/api/search", q="{}", start=at, end=at), "after"),
            (ask("/api/search", q="{}", start=at, end=at - 1), "after"),
            (ask("/api/search", q="{}", since="yesterday"), "since"),
            (ask("/api/search", q="{}", start=at * 1000, end=(at + 9) * 1000), "unix seconds, nanoseconds"),
            (ask("/api/search", q=b"{ .a = \"\xff\" }"), "column 9"),
            (ask("/api/search", q='{ name =~ "(" }'), "^"),
            (ask("/api/search", tags="a=b", minDuration="2s", maxDuration="1s"), "maxDuration"),
            (ask("/api/search", tags="a=b", minDuration="fast"), "minDuration")):
        status, head, body = shop.server.get(path)
        assert status == 400 and head["Content-Type"].startswith("text/plain"), (path, status, body)
        assert words in body.decode(), (path, body.decode())
    # A text of 128 KiB is read, however it is encoded; of a longer one it is said how long it is.
    for letter, n_bytes, want in (("a", 128 << 10, 200), ("ä", 128 << 10, 200), ("a", (128 << 10) + 1, 400)):
        q = '{ .a = "%s" }' % (letter * (n_bytes // len(letter.encode()) - 20))
        q += " " * (n_bytes - len(q.encode()))
        status, _, body = shop.server.get(ask("/api/search", q=q))
        assert status == want and (status == 200 or b"131073 bytes" in body), (n_bytes, status, body[:200])
    _, _, body = shop.server.get(ask("/api/search", q="{ name = \"a\" }\n| count( > 2"))
    lines = body.decode().rstrip("\n").split("\n")
    assert lines[-1].strip() == "^" and lines[-2].strip() == "| count( > 2", lines
    assert lines[-1].index("^") - lines[-2].index("|") == 9, lines


def runaway_expressions(_):
    """A regular expression that takes too many steps is named, with its place, wherever it is asked."""
    with Server() as server:
        trace = new_id(16)
        assert server.post_traces(otlp.encode(request(span(trace, name="a" * 40 + "!"))))[0] == 200
        q = '{ name =~ ".*" && name !~ "(b)*" &&\n name =~ "(a|a)*c?" }'
        for path, how in (("/api/search", {"q": q}), ("/api/takt/search", {"q": q}), ("/api/v2/search/tags", {"q": q}),
                          ("/api/v2/search/tag/name/values", {"q": q}), (f"/api/v2/traces/{trace}", {"q": '{ name =~ "(a|a)*c?" }'}),
                          ("/api/metrics/query_range", {"q": q + " | rate()"}), ("/api/metrics/query", {"q": q + " | rate()"}),
                          ("/api/takt/explain", {"q": q, "since": "1h", "max": "1h"})):
            status, _, body = server.get(ask(path, **how))
            assert status == 400 and 'the regular expression "(a|a)*c?" takes too many steps' in body.decode(), (path, status, body)
            lines = body.decode().rstrip("\n").split("\n")
            assert lines[-2][lines[-1].index("^"):].startswith('"(a|a)*c?"'), (path, lines)


# --- metrics ---------------------------------------------------------------------------------------------------

def metrics(shop, q, message="RangeResponse", **parameters):
    path = "/api/metrics/query_range" if message == "RangeResponse" else "/api/metrics/query"
    return strict(shop.server, message, ask(path, q=q, **parameters))[0]


def samples_of(series):
    return {int(s["timestampMs"]): s.get("value", 0) for s in series["samples"]}


def label_of(series, key):
    return next((next(iter(x["value"].values())) for x in series["labels"] if x["key"] == key), None)


def metrics_shape(shop):
    start, end = shop.start_s, shop.start_s + 300
    answer = metrics(shop, "{ name = \"call\" } | count_over_time()", start=start, end=end, step=60)
    assert set(answer) == {"series", "metrics"}, answer
    (series,) = answer["series"]
    assert series["labels"] == [{"key": "__name__", "value": {"stringValue": "count_over_time"}}], series
    first, last = start // 60 * 60, -(-end // 60) * 60
    want = {}
    for t in range(first + 60, last + 1, 60):
        want[t * 1000] = sum(1 for i in range(shop.N) if (t - 60) * S < shop.start_ns(i) + MS <= t * S)
    assert samples_of(series) == want, (samples_of(series), want)
    assert 0 in want.values() or all("value" in s for s in series["samples"])
    by = metrics(shop, "{ } | rate() by (resource.service.name)", start=start, end=end, step="1m")["series"]
    assert [label_of(s, "resource.service.name") for s in by] == ["api", "db", "web"], by
    for s in by[:2]:
        assert math.isclose(sum(samples_of(s).values()) * 60, shop.N), s
    both = metrics(shop, "{ } | rate() by (resource.service.name)", start=start * S, end=end * S, step=60.0)["series"]
    assert both == by, "nanoseconds are the same times"
    for step in ("060", "60.", "0h01m", "6e1"):
        assert metrics(shop, "{ } | rate() by (resource.service.name)", start=start, end=end, step=step)["series"] == by
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
    text_end = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime(end))
    assert metrics(shop, "{ } | rate() by (resource.service.name)", start=text, end=text_end, step="60s")["series"] == by
    assert metrics(shop, "", query="{ } | rate()", start=start, end=end, step="60s")["series"], "query is q"
    # What has no value in an interval has no sample, and then no series.
    assert metrics(shop, "{ name = \"nothing\" } | max_over_time(duration)", start=start, end=end)["series"] == []
    nan = metrics(shop, "{ name = \"call\" } | max_over_time(duration)", start=start - 600, end=end, step=60)["series"]
    assert min(samples_of(nan[0])) > start * 1000, nan


def metrics_steps(shop):
    """Without a step: some 240 intervals of a round length."""
    for seconds, step in ((30, 0.1), (12, 0.05), (59, 0.2), (60, 1), (300, 1), (1200, 5), (3600, 15), (7200, 30),
                          (6 * 3600, 60), (86400, 300), (30 * 86400, 10800), (300 * 86400, 108000)):
        end = shop.start_s + 300
        (series,) = metrics(shop, "{ } | count_over_time()", start=end - seconds, end=end)["series"]
        times = sorted(samples_of(series))
        assert times[1] - times[0] == round(step * 1000), (seconds, times[1] - times[0])
        assert times[0] % round(step * 1000) == 0 and times[-1] >= end * 1000, (seconds, times[0])
        assert len(times) <= 10000


def metrics_times(shop):
    """Each end of the range may be missing: it ends now, and begins an hour or `since` before."""
    def count(**how):
        answer = metrics(shop, '{ resource.service.name = "web" } | count_over_time()', "InstantResponse", **how)["series"]
        return answer[0]["value"] if answer else 0

    at = shop.start_s
    assert count(start=at - 1) == shop.N and count(start=at + 95) == 20
    assert count(end=at + 95) == 10 and count(end=at + 95, since="45s") == 5 and count(end=at - 1) == 0
    assert count(start=at + 95, since="1s") == 20, "start wins"
    assert count(start=at + 95, end=at + 145, since="5h") == 5
    assert count(end=int(time.time()) + 7200, since="2h") == shop.N, "before now, not before a time to come"
    assert count(since="1w") == count(since="1y2d") == shop.N


def metrics_instant(shop):
    start, end = shop.start_s - 10, shop.start_s + 290
    answer = metrics(shop, "{ } | count_over_time() by (resource.service.name)", "InstantResponse", start=start, end=end)
    assert set(answer) == {"series", "metrics"}, answer
    assert {label_of(s, "resource.service.name"): s["value"] for s in answer["series"]} == {
        "api": 29 + (shop.start_ns(29) + MS <= end * S), "db": 29 + (shop.start_ns(29) + 2 * MS <= end * S), "web": 30}
    (rate,) = metrics(shop, '{ resource.service.name = "web" } | rate()', "InstantResponse", start=start, end=end)["series"]
    assert math.isclose(rate["value"], 30 / 300), rate
    again = metrics(shop, '{ resource.service.name = "web" } | rate()', "InstantResponse", start=start, end=end, step="x",
                    exemplars="some")["series"]
    assert again == [rate], "one value has no step and no exemplars"
    assert metrics(shop, '{ name = "x" } | avg_over_time(duration)', "InstantResponse", start=start, end=end)["series"] == []


def metrics_exemplars(shop):
    how = {"start": shop.start_s - 10, "end": shop.start_s + 300, "step": "5m"}
    (series,) = metrics(shop, '{ resource.service.name = "web" } | max_over_time(duration)', **how)["series"]
    got = [x for x in series["exemplars"]]
    assert got, series
    for x in got:
        assert label_of(x, "trace:id").zfill(32) in shop.ids, x
        assert int(x["timestampMs"]) * MS // S * S in [shop.start_ns(i) for i in range(shop.N)], x
        assert 0 < x["value"] < 1, x
    for query, n in (("", 0), (" with(exemplars=false)", 0), (" with(exemplars=3)", 3), (" with(exemplars=true)", 1)):
        answer = metrics(shop, '{ resource.service.name = "web" } | max_over_time(duration)' + query, **how,
                         **({} if query else {"exemplars": 1}))
        got = sum(len(s.get("exemplars", [])) for s in answer["series"])
        assert got <= max(n, 1) if query == "" else got <= 100 if n == 1 else got <= n, (query, got)
        assert got or n == 0 or not query, query


def metrics_errors(shop):
    at = shop.start_s
    for path in ("/api/metrics/query_range", "/api/metrics/query"):
        for how, words in (({"q": "{ }"}, "search"), ({"q": ""}, "missing"), ({"q": "{ } | rate("}, "^"),
                           ({"q": "{ } | rate()", "start": int(time.time()) + 99}, "after"),
                           ({"q": "{ } | rate()", "start": at, "end": at - 1}, "after"),
                           ({"q": "{ } | rate()", "since": "x"}, "since"),
                           ({"q": "{ } | rate()", "start": "x", "end": "y"}, "times")):
            status, head, body = shop.server.get(ask(path, **how))
            assert status == 400 and head["Content-Type"].startswith("text/plain"), (how, status, body)
            assert words in body.decode(), (how, body)
    for step in ("0", "-1", "x", "0s", "1ms"):  # the last makes too many intervals
        status, _, body = shop.server.get(ask("/api/metrics/query_range", q="{ } | rate()", step=step))
        assert status == 400 and b"step" in body, (step, status, body)
    status, _, _ = shop.server.get(ask("/api/metrics/query_range", q="{ } | rate()", step=1, start=20000, end=30000))
    assert status == 200, "ten thousand intervals are fine"
    status, _, body = shop.server.get(ask("/api/metrics/query_range", q="{ } | rate()", step=1, start=20000, end=30001))
    assert status == 400 and b"10000" in body, body


# --- tags ------------------------------------------------------------------------------------------------------

KEYS = {"resource": ["service.name"], "span": ["cached", "http.status_code", "odd name", "ratio", "route"],
        "event": ["attempt"], "link": ["why"]}


def tag_names(shop):
    answer, _ = strict(shop.server, "TagsV2Response", "/api/v2/search/tags")
    assert [s["name"] for s in answer["scopes"]] == ["intrinsic", "resource", "span", "event", "link"], answer
    got = {s["name"]: s["tags"] for s in answer["scopes"]}
    assert got.pop("intrinsic") == INTRINSICS and got == KEYS, got
    for scope in ("resource", "span", "event", "link"):
        answer, _ = strict(shop.server, "TagsV2Response", ask("/api/v2/search/tags", scope=scope))
        assert answer["scopes"] == [{"name": scope, "tags": KEYS[scope]}], answer
        answer, _ = strict(shop.server, "TagsResponse", ask("/api/search/tags", scope=scope))
        assert answer["tagNames"] == KEYS[scope], answer
    for scope, n in (("intrinsic", 1), ("none", 5), ("instrumentation", 0), ("trace", 0)):
        answer, _ = strict(shop.server, "TagsV2Response", ask("/api/v2/search/tags", scope=scope))
        assert len(answer["scopes"]) == n, (scope, answer)
    answer, _ = strict(shop.server, "TagsResponse", "/api/search/tags")
    assert answer["tagNames"] == sorted(sum(KEYS.values(), [])), answer
    assert strict(shop.server, "TagsResponse", "/api/search/tags?scope=intrinsic")[0]["tagNames"] == INTRINSICS
    answer, head = strict(shop.server, "TagsV2Response", ask("/api/v2/search/tags", scope="span", limit=2))
    assert answer["scopes"] == [{"name": "span", "tags": KEYS["span"][:2]}] and "limit" in head["X-Takt-Partial"]
    assert "X-Takt-Partial" not in strict(shop.server, "TagsV2Response", "/api/v2/search/tags?limit=5000")[1]
    answer, _ = strict(shop.server, "TagsV2Response", ask("/api/v2/search/tags", q='{ name = "select" }', scope="none"))
    assert {s["name"]: s["tags"] for s in answer["scopes"][1:]} == {"resource": ["service.name"], "link": ["why"]}
    answer, _ = strict(shop.server, "TagsV2Response", ask("/api/v2/search/tags", start=1, end=2))
    assert [s["name"] for s in answer["scopes"]] == ["intrinsic"], "nothing was there then"
    for path in ("/api/search/tags?scope=x", "/api/v2/search/tags?scope=x", "/api/v2/search/tags?limit=x",
                 "/api/v2/search/tags?start=1"):
        assert shop.server.get(path)[0] == 400, path


def values(shop, name, **parameters):
    answer, head = strict(shop.server, "ValuesV2Response",
                          ask(f"/api/v2/search/tag/{urllib.parse.quote(name, safe='/')}/values", **parameters))
    return [(v["type"], v.get("value", "")) for v in answer["tagValues"]], head


def tag_values(shop):
    routes = [("string", f"/{i}") for i in range(3)]
    for name, want in (
            ("resource.service.name", [("string", s) for s in ("api", "db", "web")]), ("span.route", routes),
            (".route", routes), ("span.http.status_code", [("int", "200"), ("int", "500")]),
            ("span.cached", [("bool", "false"), ("bool", "true")]),
            ("name", [("string", s) for s in ("GET /0", "GET /1", "GET /2", "call", "select")]),
            ("span:name", [("string", s) for s in ("GET /0", "GET /1", "GET /2", "call", "select")]),
            ("rootName", [("string", f"GET /{i}") for i in range(3)]), ("trace:rootService", [("string", "web")]),
            ("status", [("keyword", s) for s in ("ok", "error", "unset")]),
            ("kind", [("keyword", s) for s in ("client", "server", "producer", "consumer", "internal", "unspecified")]),
            ("duration", []), ("traceDuration", []), ("event:name", [("string", "retry")]),
            ("event.attempt", [("int", "1"), ("int", "2")]), ("link.why", [("string", "because")]),
            ("instrumentation:name", [("string", "t")]), ("span.nothing", []), ("resource.route", []),
            ('span."odd name"', sorted(("string", f'say "{i}" \\ é') for i in range(30)))):
        got, _ = values(shop, name)
        assert sorted(got) == sorted(want) if name.startswith("span.\"") else got == want, (name, got)
    assert values(shop, "span.ratio")[0] == [("float", f"{i / 4:g}") for i in range(30)], values(shop, "span.ratio")
    for name in ("nonsense", "span.", "{", "a b"):
        status, _, body = shop.server.get(f"/api/v2/search/tag/{urllib.parse.quote(name, safe='')}/values")
        assert status == 400, (name, status, body)
    got, head = values(shop, "span.ratio", limit=3)
    assert got == [("float", "0"), ("float", "0.25"), ("float", "0.5")] and "limit" in head["X-Takt-Partial"]
    assert values(shop, "name", start=1, end=2)[0] == []
    assert values(shop, "name", tag="x", **shop.range())[0] == values(shop, "name")[0], "tag is ignored"
    # v1: bare names, values as text.
    for name, want in (("service.name", ["api", "db", "web"]), ("http.status_code", ["200", "500"]),
                       ("status.code", ["unset", "ok", "error"]), ("error", ["true"]), ("root.service.name", ["web"]),
                       ("root.name", ["GET /0", "GET /1", "GET /2"]), ("attempt", ["1", "2"]), ("nothing", []),
                       ("name", ["GET /0", "GET /1", "GET /2", "call", "select"])):
        answer, _ = strict(shop.server, "ValuesResponse", f"/api/search/tag/{name}/values")
        assert answer["tagValues"] == want, (name, answer)
    for path in ("/api/search/tag/x", "/api/v2/search/tag/values", "/api/v2/search/tag/"):
        assert shop.server.get(path)[0] == 404, path


def tag_values_of_matches(shop):
    for q, want in (('{ resource.service.name = "web" }', ["GET /0", "GET /1", "GET /2"]), ("{ status = error }", ["call"]),
                    ('{ span.route = "/1" }', ["GET /1"]), ('{ .route = "/1" || .attempt = 2 }', ["GET /1", "call"]),
                    ('{ .a= && .route = "/2" }', ["GET /2"]), ('{ .route = "/2" && }', ["GET /2"]),
                    ("complete nonsense", None), ("{ }", None), ('{ span.route = "nowhere" }', []),
                    ('{ parent = nil && .route = "/0" }', ["GET /0"]), ("{ kind = client } | count() > 0", ["call"])):
        want = ["GET /0", "GET /1", "GET /2", "call", "select"] if want is None else want
        assert [v for _, v in values(shop, "name", q=q)[0]] == want, (q, values(shop, "name", q=q)[0])
    i = 7
    at = shop.start_s + i * 10
    got, _ = values(shop, "span.ratio", q='{ name =~ "GET.*" }', start=at - 5, end=at + 5)
    assert got == [("float", "1.75")], got


# --- one trace -------------------------------------------------------------------------------------------------

def spans_of_a_trace(shop):
    i = 10
    root, call, query = shop.spans[i]

    def picked(q, **how):
        answer, _ = strict(shop.server, "TraceByIDResponse", ask(f"/api/v2/traces/{shop.ids[i]}", q=q, **how))
        got = otlp.from_json(answer, "TraceByIDResponse")["trace"]
        return sorted(s["spanId"] for rs in got.get("resourceSpans", []) for ss in rs["scopeSpans"] for s in ss["spans"])

    for q, how, want in (
            ("{ }", {}, [root, call, query]), ('{ name = "select" }', {}, [query]), ('{ name = "nothing" }', {}, []),
            ('{ name = "select" }', {"keep_hierarchy": "true"}, [root, call, query]),
            ('{ name = "select" }', {"keep_hierarchy": "True"}, [root, call, query]),
            ('{ name = "select" }', {"keep_hierarchy": "f"}, [query]),
            ('{ name = "select" }', {"keep_hierarchy": "true", "ancestor_depth": 1}, [call, query]),
            ('{ name = "select" }', {"keep_hierarchy": "true", "ancestor_depth": 0}, [query]),
            ('{ name = "select" }', {"ancestor_depth": 1}, [query]), ("{ kind = server }", {"match_depth": 1}, [root, call]),
            ("{ kind = server }", {"match_depth": -1}, [root, call, query]), ("{ status = error }", {"match_depth": 0}, [call]),
            ("{ status = error }", {"match_depth": 1, "keep_hierarchy": 1}, [root, call, query]),
            ("{ event.attempt = 2 }", {}, [call]), ('{ resource.service.name = "db" || span.cached }', {}, [root, query])):
        assert picked(q, **how) == sorted(want), (q, how, picked(q, **how))
    for q, how in (("{ } | count() > 1", {}), ("{ } >> { }", {}), ("{ } | rate()", {}), ("{ rootName = \"x\" }", {}),
                   ("{ traceDuration > 1s }", {}), ("{", {}), ("{ }", {"match_depth": "x"}), ("{ }", {"match_depth": -2}),
                   ("{ }", {"keep_hierarchy": "maybe"})):
        status, head, body = shop.server.get(ask(f"/api/v2/traces/{shop.ids[i]}", q=q, **how))
        assert status == 400 and head["Content-Type"].startswith("text/plain"), (q, how, status, body)
    absent, _ = strict(shop.server, "TraceByIDResponse", ask(f"/api/v2/traces/{new_id()}", q="{ }"))
    assert absent["trace"] == {}, absent


# --- gRPC ------------------------------------------------------------------------------------------------------

def stream(channel, method, message, fields, answer):
    """All messages of a stream, decoded; or (status, text)."""
    call = channel.unary_stream(SERVICE + method)(otlp.encode(fields, message), timeout=60)
    try:
        return [otlp.decode(m, answer) for m in call]
    except grpc.RpcError as error:
        return error.code().name, error.details()


def check_streams(shop, channel):
    where = shop.range()
    (found,) = stream(channel, "Search", "SearchRequest",
                      {"query": "{ status = error }", "limit": 4, "spansPerSpanSet": 1, **where}, "SearchResponse")
    want = search(shop, "{ status = error }", limit=4, spss=1, **where)[0]
    assert found["traces"] == otlp.from_json(want, "SearchResponse")["traces"], (found, want)
    (found,) = stream(channel, "Search", "SearchRequest", {"tags": {"http.status_code": "500"}, "minDurationMs": 200},
                      "SearchResponse")
    assert shop.numbers(found) == [25, 20] and "spanSets" not in found["traces"][0], found
    (found,) = stream(channel, "Search", "SearchRequest", {}, "SearchResponse")
    assert len(found["traces"]) == 20, "as the test of a data source asks"
    (names,) = stream(channel, "SearchTags", "TagsRequest", {}, "TagsResponse")
    assert names["tagNames"] == sorted(sum(KEYS.values(), [])), names
    (names,) = stream(channel, "SearchTagsV2", "TagsRequest", {"scope": "span", "maxTagsPerScope": 2}, "TagsV2Response")
    assert names["scopes"] == [{"name": "span", "tags": KEYS["span"][:2]}], names
    (got,) = stream(channel, "SearchTagValues", "ValuesRequest", {"tagName": "service.name"}, "ValuesResponse")
    assert got["tagValues"] == ["api", "db", "web"], got
    (got,) = stream(channel, "SearchTagValuesV2", "ValuesRequest",
                    {"tagName": "resource.service.name", "query": "{ status = error }"}, "ValuesV2Response")
    assert got["tagValues"] == [{"type": "string", "value": "api"}], got
    start, end = shop.start_s * S, (shop.start_s + 300) * S
    (got,) = stream(channel, "MetricsQueryRange", "RangeRequest",
                    {"query": "{ } | rate() by (name)", "start": start, "end": end, "step": 60 * S}, "RangeResponse")
    want = metrics(shop, "{ } | rate() by (name)", start=start, end=end, step=60)
    assert got["series"] == otlp.from_json(want, "RangeResponse")["series"], (got, want)
    (got,) = stream(channel, "MetricsQueryInstant", "InstantRequest",
                    {"query": "{ } | count_over_time()", "start": start, "end": end}, "InstantResponse")
    want = metrics(shop, "{ } | count_over_time()", "InstantResponse", start=start, end=end)
    assert got["series"] == otlp.from_json(want, "InstantResponse")["series"], got
    for method, message, fields, words in (
            ("Search", "SearchRequest", {"query": "{ name > 3 }"}, "^"), ("Search", "SearchRequest", {"query": "{"}, "^"),
            ("Search", "SearchRequest", {"query": "{ " + " " * (128 << 10) + "}"}, ""),
            ("Search", "SearchRequest", {"query": "{}", "limit": 262145}, "limit"),
            ("Search", "SearchRequest", {"query": "{}", "start": 5, "end": 4}, "after"),
            ("Search", "SearchRequest", {"query": "{}", "tags": {"a": "b"}}, "tags"),
            ("SearchTagsV2", "TagsRequest", {"scope": "x"}, "scope"),
            ("SearchTagValuesV2", "ValuesRequest", {"tagName": "nonsense"}, ""),
            ("MetricsQueryRange", "RangeRequest", {"query": "{ }"}, "search"),
            ("MetricsQueryRange", "RangeRequest",
             {"query": "{ } | rate()", "start": 1, "end": S * 100000, "step": S}, "10000")):
        code, text = stream(channel, method, message, fields, "SearchResponse")
        assert code == "INVALID_ARGUMENT" and words in text and text == text.strip(), (method, fields, code, text)
    assert stream(channel, "Nothing", "SearchRequest", {}, "SearchResponse")[0] == "UNIMPLEMENTED"
    call = channel.unary_stream(SERVICE + "Search")(b"\xff\xff", timeout=60)
    try:
        list(call)
        raise AssertionError("damage was taken")
    except grpc.RpcError as error:
        assert error.code().name == "INVALID_ARGUMENT", error


def streams(shop):
    with grpc.insecure_channel(f"127.0.0.1:{shop.server.port()}") as channel:
        check_streams(shop, channel)


def certificate(directory):
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return key, cert


class SecureServer(Server):
    """Over TLS; the plain client of the tests does not speak it."""

    def __init__(self, directory):
        self.key, self.cert = certificate(directory)
        super().__init__(config=f"tls:\n  cert_file: {self.cert}\n  key_file: {self.key}\n")

    def _is_ready(self):
        try:
            return self.request("GET", "/ready")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None, headers=None, kind="http", timeout_s=60):
        import ssl
        context = ssl.create_default_context(cafile=self.cert)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port(kind), timeout=timeout_s, context=context)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def streams_over_tls():
    with SecureServer(temporary_directory()) as server:
        shop = Shop(server)
        credentials = grpc.ssl_channel_credentials(server.cert.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{server.port()}", credentials) as channel:
            check_streams(shop, channel)


def large_streams():
    """More than a megabyte comes in pieces that a client with a small limit takes, each trace once."""
    n, word = 300, "x" * 9000
    with Server() as server:
        now = time.time_ns()
        for k in range(10):
            spans = [span(startTimeUnixNano=now + i, attributes=attributes(word=f"{word}{k}.{i}")) for i in range(n // 10)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
        limit = [("grpc.max_receive_message_length", 1100000)]
        with grpc.insecure_channel(f"127.0.0.1:{server.port()}", options=limit) as channel:
            pieces = stream(channel, "Search", "SearchRequest", {"query": "{ .word != nil }", "limit": n}, "SearchResponse")
            ids = [t["traceID"] for p in pieces for t in p["traces"]]
            assert len(pieces) >= 5 and len(ids) == n == len(set(ids)), (len(pieces), len(ids))
            assert all("metrics" in p for p in pieces)
            pieces = stream(channel, "SearchTagValuesV2", "ValuesRequest", {"tagName": "span.word"}, "ValuesV2Response")
            assert len(pieces) >= 3 and sum(len(p["tagValues"]) for p in pieces) == n, len(pieces)
            how = {"query": "{ } | rate() by (span.word)", "start": now - S, "end": now + S, "step": S}
            pieces = stream(channel, "MetricsQueryRange", "RangeRequest", how, "RangeResponse")
            assert len(pieces) >= 3 and sum(len(p["series"]) for p in pieces) == n, len(pieces)


def progress_of_streams():
    """On the way a stream tells of traces that its last message has as well, and of what it looked at."""
    n = 4
    with Server(config="query:\n  progress: 1us\n") as server:
        now = time.time_ns()
        for k in range(n):
            spans = [span(startTimeUnixNano=now + k * S + i, attributes=attributes(k=k)) for i in range(50)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
            server.flush()
        with grpc.insecure_channel(f"127.0.0.1:{server.port()}") as channel:
            for query in ("{ }", "{ .k >= 0 } | count() > 0"):
                *told, last = stream(channel, "Search", "SearchRequest", {"query": query, "limit": 1000}, "SearchResponse")
                assert told and len(last["traces"]) == 50 * n, (len(told), len(last["traces"]))
                whole = {t["traceID"]: t for t in last["traces"]}
                seen = [t for piece in told for t in piece.get("traces", [])]
                assert len({t["traceID"] for t in seen}) == len(seen)
                assert all(whole[t["traceID"]] == t for t in seen)
                looked = [p["metrics"].get("inspectedTraces", 0) for p in (*told, last)]
                assert looked == sorted(looked) and looked[-1] == 50 * n, looked
            how = {"query": "{ } | count_over_time()", "start": now - S, "end": now + 10 * S, "step": 20 * S}
            *told, last = stream(channel, "MetricsQueryRange", "RangeRequest", how, "RangeResponse")
            assert told and not any(p.get("series") for p in told), told
            assert sum(s.get("value", 0) for s in last["series"][0]["samples"]) == 50 * n, last


def long_json():
    """JSON is one text however long a question takes: what streams tell on the way is not in it."""
    with Server(config="query:\n  progress: 1us\n") as server:
        now = time.time_ns()
        for k in range(4):
            spans = [span(startTimeUnixNano=now + k * S + i, attributes=attributes(k=k)) for i in range(50)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
            server.flush()
        found = server.get_json(ask("/api/search", q="{ }", limit=1000))
        assert len(found["traces"]) == 200 and found["metrics"]["inspectedTraces"] == 200, found["metrics"]
        for path, how in (("query_range", {"step": "20s"}), ("query", {})):
            answer = server.get_json(ask("/api/metrics/" + path, q="{ } | rate()", start=now - S, end=now + 10 * S, **how))
            assert len(answer["series"]) == 1, answer


def kept_answers():
    """What blocks answered to metrics is kept and told of; with or without it the answer is the same."""
    n, q = 3, "{ } | quantile_over_time(duration, .5, .9) by (span.k)"
    with Server() as server:
        now = time.time_ns() // (60 * S) * 60 * S
        late = request(*[span(startTimeUnixNano=now + S, endTimeUnixNano=now + 2 * S, attributes=attributes(k=9))])
        for k in range(n):
            spans = [span(startTimeUnixNano=now + i * S, endTimeUnixNano=now + i * S + (k + 1) * i * MS,
                          attributes=attributes(k=k)) for i in range(50)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
            server.flush()

        def answer(start=now - 60 * S):
            found = server.get_json(ask("/api/metrics/query_range", q=q, start=start, end=now + 120 * S, step="30s"))
            return found["series"]

        def told(name):
            return server.metrics()["takt_query_cache_" + name]

        first = answer()
        assert len(first) == 2 * n and told("hits_total") == 0 and told("misses_total") > 0, server.metrics()
        rows = told("answers")
        assert answer() == first and told("hits_total") == rows > 0 and told("answers") == rows
        assert 0 < told("bytes") < 64 << 20 and told("evictions_total") == 0
        later = answer(now - 30 * S)  # another range, the same intervals
        assert told("hits_total") == 2 * rows and len(later) == len(first)
        assert all(samples_of(x).items() >= samples_of(y).items() for x, y in zip(first, later))
        status = server.request("GET", "/status")[2].decode()
        assert re.search(rf"^answers +{int(rows)} kept", status, re.M), status
        assert server.post_traces(otlp.encode(late))[0] == 200  # in memory: counted each time
        assert len(answer()) == 2 * n + 2
        with_cache = answer()
        server.flush()
        assert answer() == answer() == with_cache
        server.stop()
        server.config = "query:\n  cache: 0\n"
        server.start()
        assert answer() == answer() == with_cache
        assert told("hits_total") == told("misses_total") == told("bytes") == 0


def passes(n):
    """A question that goes over all spans n times: nobody can wait for it."""
    return "+".join(["({}|rate())"] * n)


def until_running(server, n):
    until(f"{n} queries run", lambda: server.metrics()["takt_queries_running"] == n, 60, 0.01)


def queries_of_leavers():
    """A query stops when its client goes away, whichever way it came."""
    with Server(config="query:\n  timeout: 1h\n") as server:
        now = time.time_ns()
        for k in range(20):
            spans = [span(startTimeUnixNano=now + i, attributes=attributes(k=i)) for i in range(2000)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200

        path = ask("/api/metrics/query_range", q=passes(500), start=now - S, end=now + S, step="1s")
        client = socket.create_connection(("127.0.0.1", server.port()))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until_running(server, 1)
        client.close()
        until_running(server, 0)
        assert server.metrics()["takt_queries_canceled_total"] == 1
        with grpc.insecure_channel(f"127.0.0.1:{server.port()}") as channel:
            message = otlp.encode({"query": passes(900), "start": now - S, "end": now + S, "step": S}, "RangeRequest")
            call = channel.unary_stream(SERVICE + "MetricsQueryRange")(message, timeout=600)
            until_running(server, 1)
            call.cancel()
            until_running(server, 0)
        assert server.metrics()["takt_queries_canceled_total"] == 2


def queries_of_many_series():
    """An answer of very many samples ends with its time, or when its client goes away, like any other query."""
    now = time.time_ns() // S * S
    queries = ("{} | rate() by (name)", "{} | rate() by (name) | topk(10)",
               "({} | rate() by (name)) / ({} | rate() by (name))")
    packed = {"Accept-Encoding": "gzip"}

    def path_of(q):
        return ask("/api/metrics/query_range", q=q, start=now - 9000 * S, end=now, step="1s")

    with Server(config="query:\n  timeout: 1h\n  max_memory: 1GiB\n") as server:
        spans = [span(name=f"s{i}", startTimeUnixNano=now - S) for i in range(2000)]
        assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
        for n, q in enumerate(queries):
            client = socket.create_connection(("127.0.0.1", server.port()))
            client.sendall(f"GET {path_of(q)} HTTP/1.1\r\nHost: localhost\r\n"
                           "Accept-Encoding: gzip\r\n\r\n".encode())
            until_running(server, 1)
            time.sleep(0.1)  # it is past counting
            client.close()
            until_running(server, 0)
            assert server.metrics()["takt_queries_canceled_total"] == n + 1, q
        server.stop()
        server.config = "query:\n  timeout: 150ms\n  max_memory: 1GiB\n"
        server.start()
        for q in queries:
            status, head, body = server.request("GET", path_of(q), headers=packed)
            assert status == 504 and b"query.timeout" in body, (q, status, head, body[:200])
        try:  # begun, and then too late
            status, head, body = server.request("GET", path_of(queries[0]))
            assert status == 504, (status, len(body))
        except http.client.IncompleteRead:
            pass


# --- our own ---------------------------------------------------------------------------------------------------

def app_search(shop):
    page = shop.server.get_json(ask("/api/takt/search", q='{ kind = client && .attempt = 2 } | select(resource.service.name)',
                                    limit=3, count=1))
    assert set(page) == {"traces", "columns", "total", "matchedSpans", "exact", "complete", "why", "cursor", "scan"}, page
    assert page["columns"] == ["kind", "attempt", "service.name"] and page["total"] == shop.N, page
    assert page["matchedSpans"] == shop.N and page["exact"] is True and page["complete"] is True and page["why"] is None
    assert set(page["scan"]) == {"traces", "spans", "bytes", "blocks", "blocksTotal", "groups", "groupsTotal"}
    trace, i = page["traces"][0], shop.N - 1
    assert trace["traceId"] == shop.ids[i] and trace["rootService"] == "web" and trace["rootName"] == "GET /2", trace
    assert (trace["spans"], trace["errors"]) == (3, 0) and [s["name"] for s in trace["services"]] == ["api", "db", "web"]
    assert trace["sets"] == [{"attributes": [], "matched": 1, "spans": [
        {"spanId": shop.spans[i][1], "name": None, "startUnixNano": str(shop.start_ns(i) + MS),
         "durationNano": str(shop.duration_ms(i) * MS - 2 * MS), "error": False, "attributes": [
             {"key": "kind", "type": "kind", "value": "client"}, {"key": "attempt", "type": "int", "value": "2"},
             {"key": "service.name", "type": "string", "value": "api"}]}]}], trace["sets"]
    seen, cursor = [], ""
    while cursor is not None:
        page = shop.server.get_json(ask("/api/takt/search", q="{ }", limit=7, cursor=cursor))
        seen += [shop.ids.index(t["traceId"]) for t in page["traces"]]
        cursor = page["cursor"]
    assert seen == list(range(shop.N - 1, -1, -1)), seen
    slowest = shop.server.get_json(ask("/api/takt/search", q="{ status = error }", sort="slowest", limit=3))
    assert [shop.ids.index(t["traceId"]) for t in slowest["traces"]] == [25, 20, 15] and slowest["complete"], slowest
    for how in ({"q": "{"}, {"q": "{ } | rate()"}, {"q": "{ }", "sort": "best"}, {"q": "{ }", "count": "maybe"}):
        assert shop.server.get(ask("/api/takt/search", **how))[0] == 400, how
    assert len(shop.server.get_json("/api/takt/search?limit=2")["traces"]) == 2, "no query asks for everything"


def explanations(shop):
    """The same as compare() with the same selection, ranked."""
    where = shop.range()
    how = {"q": '{ name != "select" }', **where, "from": shop.start_s + 99, "to": shop.start_s + 205, "min": "150ms",
           "max": "500ms"}
    got = shop.server.get_json(ask("/api/takt/explain", **how))
    assert got["complete"] is True and got["why"] is None, got
    q = (f'{{ name != "select" }} | compare({{ duration >= 150ms && duration <= 500ms }}, 1000, '
         f'{how["from"] * S + 1}, {how["to"] * S + 1})')
    counts, totals = {}, {}
    for s in metrics(shop, q, "InstantResponse", **where)["series"]:
        kind = label_of(s, "__meta_type")
        (label,) = [x for x in s["labels"] if x["key"] != "__meta_type"]
        if kind.endswith("_total"):
            totals[label["key"], kind] = s.get("value", 0)
        else:
            value = str(next(iter(label["value"].values())))
            counts[label["key"], value.lower() if value in ("True", "False") else value, kind] = s.get("value", 0)
    assert got["attributes"], got
    ranks = []
    for a in got["attributes"]:
        key = (a["field"], a["value"])
        assert a["selection"] == counts.get((*key, "selection"), 0), (a, counts)
        assert a["rest"] == counts.get((*key, "baseline"), 0), (a, counts)
        assert a["selectionTotal"] == totals.get((a["field"], "selection_total"), 0), (a, totals)
        assert a["restTotal"] == totals.get((a["field"], "baseline_total"), 0), (a, totals)
        assert a["selectionMost"] == max(n for (f, _, side), n in counts.items() if (f, side) == (a["field"], "selection")) \
            if a["selectionTotal"] else a["selectionMost"] == 0, a
        share = a["selection"] / got["selection"] - a["rest"] / got["rest"]  # of all spans
        assert math.isclose(a["diff"], share, abs_tol=1e-12), a
        if not ranks or ranks[-1][0] != a["field"]:
            ranks.append((a["field"], abs(a["diff"])))
    assert len({f for f, _ in ranks}) == len(ranks), "values of one attribute stand together"
    assert [r for _, r in ranks] == sorted((r for _, r in ranks), reverse=True), ranks
    assert got == shop.server.get_json(ask("/api/takt/explain", **how)), "always the same"
    # A span that begins with the selection is not in it, one that begins as it ends is.
    edge = {"q": '{ kind = server }', **where, "from": shop.start_ns(3), "to": shop.start_ns(7)}
    assert shop.server.get_json(ask("/api/takt/explain", **edge))["selection"] == 4
    assert shop.server.get_json(ask("/api/takt/cohorts", **edge))["b"]["total"] == 4
    for bad in ({"q": "{ }"}, {"q": "{ }", **where}, {"q": "{ } | rate()", **where, "min": "1s"},
                {"q": "{ }", **where, "min": "2s", "max": "1s"}, {"q": "{ }", **where, "from": 9, "to": 8},
                {"q": "{", **where, "min": "1s"}):
        assert shop.server.get(ask("/api/takt/explain", **bad))[0] == 400, bad


def comparisons():
    """compare() counts what is there: each value of each field on both sides, of all times and of one, the most
    frequent ones where there are more than asked for."""
    dice, now_s = random.Random(11), int(time.time()) - 700
    spans, truth = [], []
    for i in range(400):
        values = {"colour": dice.choice(("red", "green", "blue")), "size": dice.randrange(4), "hot": dice.random() < 0.3,
                  "share": dice.randrange(3) / 4, "id": f"id{int(dice.random() ** 3 * 40)}"}
        values = {k: v for k, v in values.items() if dice.random() < 0.8}
        at, length = now_s * S + dice.randrange(1, 600 * S), dice.randrange(1, 100) * MS
        status, kind, name = dice.randrange(3), dice.randrange(1, 6), f"op{dice.randrange(3)}"
        spans.append(span(new_id(16), name=name, kind=kind, status={"code": status}, startTimeUnixNano=at,
                          endTimeUnixNano=at + length, attributes=attributes(**values)))
        truth.append((at, length, {
            "name": name, "kind": ("internal", "server", "client", "producer", "consumer")[kind - 1],
            "status": ("unset", "ok", "error")[status], "rootName": name, "resource.service.name": "svc",
            **{f"span.{k}": v for k, v in values.items()}}))
    with Server() as server:
        assert server.post_traces(otlp.encode(request(*spans, service="svc")))[0] == 200

        def asked(selection, more=""):
            answer = strict(server, "InstantResponse", ask("/api/metrics/query", q=f'{{ name != "op2" }} | compare('
                                                           f'{selection}{more})', start=now_s, end=now_s + 600))[0]
            out = {}
            for s in answer["series"]:
                (label,) = [x for x in s["labels"] if not x["key"].startswith("__meta_")]
                value = next(iter(label["value"].values()))
                value = {"intValue": int, "doubleValue": float}.get(next(iter(label["value"])), str)(value)
                out[label["key"], str(value), label_of(s, "__meta_type")] = s.get("value", 0)
            return out

        def counted(is_selected, top=1000):
            out = {}
            for at, length, fields in truth:
                side = "selection" if is_selected(at, length, fields) else "baseline"
                for k, v in fields.items() if fields["name"] != "op2" else ():
                    for key in ((k, str(v), side), (k, "nil", side + "_total")):
                        out[key] = out.get(key, 0) + 1
            most = {}
            for k, _, side in out:
                most[k, side] = sorted((n for (k2, _, s2), n in out.items() if (k2, s2) == (k, side)), reverse=True)[:top]
            return out, most

        fields = {k for _, _, f in truth for k in f}
        window = (now_s + 100) * S, (now_s + 400) * S
        for selection, more, test in (
                ("{ status = error }", ", 1000", lambda at, n, f: f["status"] == "error"),
                ('{ duration > 50ms && span.colour != "red" }', ", 1000",
                 lambda at, n, f: n > 50 * MS and f.get("span.colour", "red") != "red"),
                ("{ span.hot }", f", 1000, {window[0]}, {window[1]}",
                 lambda at, n, f: f.get("span.hot") is True and window[0] < at <= window[1])):
            got, (want, _) = asked(selection, more), counted(test)
            known = {k: v for k, v in got.items() if k[0] in fields}
            assert known == want, (selection, known.items() - want.items(), want.items() - known.items())
            assert not [k for k in got if k[0] in ("duration", "trace:id", "span:parentID", "nestedSetParent")], got
        # Of more values than asked for those that are most frequent, and the totals of all.
        for more, top in (("", 10), (", 2", 2)):
            got = asked("{ status = error }", more)
            want, most = counted(lambda at, n, f: f["status"] == "error", top)
            assert got.items() >= {k: v for k, v in want.items() if k[2].endswith("_total")}.items(), got
            for (k, side), counts in most.items():
                shown = [n for (k2, v, s2), n in got.items() if (k2, s2) == (k, side)]
                assert sorted(shown, reverse=True) == counts, (k, side, shown, counts)
            assert all(want[k] == n for k, n in got.items() if k[0] in fields), got
        # The same for people: shares, what differs most on top; of values that only one side gives nothing is claimed.
        want, _ = counted(lambda at, n, f: f["status"] == "error")
        spans = [want["name", "nil", side] for side in ("selection_total", "baseline_total")]
        for more in ("", ", 2"):
            code, out, err = takt("query", f'{{ name != "op2" }} | compare({{ status = error }}{more})', "--server",
                                  f"http://127.0.0.1:{server.port()}")
            head, first, *rows, last = out.splitlines()
            assert code == 0 and head.split() == ["FIELD", "VALUE", "DIFFERENCE", "SELECTION", "REST"], (code, out, err)
            assert more or first.split() == ["status", "error", "+100", "%", "100", "%", "0", "%"], out
            assert last.startswith(f"selection of {spans[0]} spans against the other {spans[1]};"), last
            differences = [int(re.search(r"([+-]\d+) %", row)[1]) for row in (first, *rows)]
            assert [abs(d) for d in differences] == sorted((abs(d) for d in differences), reverse=True), out
            for row in rows:
                field, value, *_ = row.split()
                if field in fields and field != "span.hot":
                    value = repr(float(value)) if field == "span.share" else value
                    shares = [round(100 * want.get((field, value, side), 0) / n)
                              for side, n in zip(("selection", "baseline"), spans)]
                    told = [int(x) for x in re.findall(r"(\d+) %", row)[1:]]
                    assert all(abs(a - b) <= 1 for a, b in zip(told, shares)), (row, shares)


def planted_causes(shop):
    """What makes spans slow comes first, for nine seeds of ten at least."""
    first = []
    with Server() as server:
        for seed in range(10):
            first.append(plant_and_explain(server, random.Random(seed), f"planted-{seed}", shop.start_s))
    assert sum(first) >= 9, first


def plant_and_explain(server, dice, service, start_s):
    cause, spans = f"key{dice.randrange(8)}", []
    for _ in range(400):
        slow = dice.random() < 0.15
        values = {f"key{k}": f"v{dice.randrange(dice.choice((2, 4, 30)))}" for k in range(8)}
        if dice.random() < (0.8 if slow else 0.05):
            values[cause] = "bad"
        if dice.random() < 0.03:
            values["rare"] = "seldom"
        at = start_s * S + dice.randrange(600 * S)
        end = at + (dice.randrange(900, 2000) if slow else dice.randrange(5, 800)) * MS
        spans.append(span(new_id(16), name=f"op{dice.randrange(3)}", kind=2, startTimeUnixNano=at,
                          endTimeUnixNano=end, attributes=attributes(**values)))
    assert server.post_traces(otlp.encode(request(*spans, service=service)))[0] == 200
    got = server.get_json(ask(
        "/api/takt/explain", q=f'{{ resource.service.name = "{service}" }}', start=start_s - 60, end=start_s + 700,
        **{"from": start_s - 1, "to": start_s + 601, "min": "850ms", "max": "10s"}))
    top = got["attributes"][0]
    return (top["field"], top["value"]) == (f"span.{cause}", "bad")


def analysis(shop):
    def analyzed(q, cursor=None, **how):
        return shop.server.get_json(ask("/api/takt/traceql/analyze", q=q, **({} if cursor is None else {"cursor": cursor}),
                                        **how))

    got = analyzed('{ .é = "𝄞" }')
    assert set(got) == {"kind", "canonical", "tokens", "diagnostics", "completion"}, got
    assert got["kind"] == "search" and got["canonical"] == '{ .é = "𝄞" }' and got["diagnostics"] == [], got
    text = [t for t in got["tokens"] if t["class"] == "string"]
    assert [(t["from"], t["to"]) for t in text] == [(7, 11)], text  # in UTF-16 code units
    assert analyzed("{ } | rate()")["kind"] == "metrics"
    got = analyzed("{ \0 }")  # a character as any other, which means nothing there
    (d,) = got["diagnostics"]
    assert (d["from"], d["to"], d["line"], d["column"]) == (2, 3, 1, 3) and got["kind"] == "invalid", got
    assert analyzed('{ .a = "\0" }')["canonical"] == '{ .a = "\\x00" }'
    long = '{ .a = "%s" } = ' % ("a" * ((128 << 10) - 30))
    (d,) = analyzed(long)["diagnostics"]
    assert d["column"] == len(long) + 1, d
    (d,) = analyzed(long + " " * 99)["diagnostics"]
    assert f"{len(long) + 99} bytes; at most 131072" in d["message"], d
    got = analyzed("{ name > 3 }")
    assert got["kind"] == "invalid" and got["canonical"] is None, got
    (d,) = [d for d in got["diagnostics"] if d["severity"] == "error"]
    assert set(d) == {"from", "to", "line", "column", "severity", "message"} and d["line"] == 1, d

    def texts(q, **how):
        got = analyzed(q, len(q.encode("utf-16-le")) // 2, **how)
        assert 0 <= got["completion"]["from"] <= got["completion"]["to"] <= len(q), got["completion"]
        return [i["text"] for i in got["completion"]["items"]]

    assert "span.route" in texts("{ span."), texts("{ span.")
    assert "span.route" in texts("{ rou") and "resource.service.name" in texts("{ "), texts("{ rou")
    assert '"api"' in texts("{ resource.service.name = "), texts("{ resource.service.name = ")
    assert "error" in texts("{ status = "), texts("{ status = ")
    assert "rate()" in texts("{ } | "), texts("{ } | ")
    assert {"span:childCount", "span:traceState", "nestedSetParent"} <= set(texts("{ ")), texts("{ ")
    assert texts("{ span:ch") == ["span:childCount"], texts("{ span:ch")
    assert "span.route" not in texts("{ span.", start=1, end=2)
    assert texts("") and analyzed("")["kind"] == "invalid"


def completions_fit(_):
    """What is offered behind an operator can stand there, and finds the span whose value it is."""
    odd = ['a.b(c)[d]{e}', 'x+y*z?', '^|$', 'q"q', "b\\s", "ключ 名前", " ", "\x1b[0m"]
    with Server() as server:
        spans = [span(new_id(16), name=v, status={"code": 2, "message": v}, attributes=attributes(v=v, n=i))
                 for i, v in enumerate(odd)]
        assert server.post_traces(otlp.encode(request(*spans)))[0] == 200

        def items(q):
            return server.get_json(ask("/api/takt/traceql/analyze", q=q,
                                       cursor=len(q.encode("utf-16-le")) // 2))["completion"]["items"]

        def found(q):
            return server.get_json(ask("/api/search", q=q))["traces"]

        for field in ("name", "statusMessage", ".v"):
            for op in ("=", "=~"):
                values = [i["text"] for i in items(f"{{ {field} {op} ") if i["kind"] == "value"]
                assert len(values) == len(odd), (field, op, values)
                for v in values:
                    assert len(found(f"{{ {field} {op} {v} }}")) == 1, (field, op, v)
        assert [i["text"] for i in items('{ .v = "q\\"')] == ['"q\\"q"'], items('{ .v = "q\\"')
        for q in ("{ name = ", "{ kind = ", "{ duration > ", "{ status != ", "{ .v =~ ", "{ .n !~ ", "{ trace:id = "):
            for item in items(q):
                if item["text"] != "(" and item["kind"] != "scope":
                    assert server.get(ask("/api/search", q=f"{q}{item['text']} }}"))[0] == 200, (q, item)


# --- limits ----------------------------------------------------------------------------------------------------

def deadlines(shop):
    """A query out of time answers with what it has, or that it has nothing."""
    with Server(flags=("--set", "query.timeout=1ms")) as server:
        for _ in range(3):
            spans = [span(name=f"s{i}", attributes=attributes(a=new_id(8))) for i in range(1000)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
        server.flush()
        seen = set()
        for path in (ask("/api/search", q='{ .a =~ ".*(0|1|2).*(3|4|5).*" } | by(.a)', limit=20),
                     ask("/api/metrics/query_range", q='{ .a =~ ".*(0|1|2).*" } | rate() by (.a)')):
            for _ in range(5):
                status, head, body = server.get(path)
                assert status in (200, 504), (status, body)
                if status == 504:
                    assert b"query.timeout" in body, body
                seen.add((status, bool(head["X-Takt-Partial"])))
        assert seen - {(200, False)}, "nothing took longer than a millisecond"


# --- the command line ------------------------------------------------------------------------------------------

def takt(*arguments, **environment):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", **environment})
    return done.returncode, done.stdout, done.stderr


def command_line(shop):
    """A server and its directory answer the same."""
    server = f"http://127.0.0.1:{shop.server.port()}"
    when = ["--from", shop.start_s - 60, "--to", shop.start_s + 360]
    for q in ("{ status = error } | select(span.http.status_code)", "{ } | by(resource.service.name) | count() > 0",
              "{ } | rate() by (resource.service.name)", "{ } | quantile_over_time(duration, .5, .99)"):
        for more in ([], ["--limit", 2], ["--json"]):
            by_server = takt("query", q, *when, *more, "--server", server, LANG="C.UTF-8")
            by_directory = takt("query", q, *when, *more, "--data", shop.server.data, LANG="C.UTF-8")
            assert by_server[0] == 0 and by_server[1], (q, by_server)
            if "--json" in more:
                both = [json.loads(x[1]) for x in (by_server, by_directory)]
                exact = all(x.get("exact") for x in both)
                for x in both:
                    for name in ("metrics", "scan") + (() if exact else ("total", "matchedSpans", "exact")):
                        x.pop(name, None)
                assert both[0] == both[1], (q, both)
            else:
                assert by_server == by_directory, (q, by_server, by_directory)
    code, out, _ = takt("query", "{ status = error }", *when, "--server", server, LANG="C.UTF-8")
    lines = out.splitlines()
    assert code == 0 and lines[0].split() == ["TRACE", "START", "(UTC)", "DURATION", "ROOT", "SPANS", "status"], lines
    assert shop.ids[25] in lines[1] and "260 ms" in lines[1] and "web: GET /1" in lines[1] and "error" in lines[1], lines
    assert lines[-1].startswith("6 traces"), lines
    code, out, _ = takt("query", "{ } | rate()", *when, "--step", "1m", "--server", server, LANG="C.UTF-8")
    assert code == 0 and "min 0" in out and "█" in out and "│" in out and "1 series" in out, out
    code, out, _ = takt("query", "{ } | rate()", *when, "--server", server, LANG="C")
    assert code == 0 and out.isascii() and "#" in out, out
    code, out, err = takt("query", "{ name > 3 }", "--server", "http://127.0.0.1:1")
    assert code == 1 and not out and "\n" in err and "^" in err, (code, out, err)
    code, out, err = takt("query", "{ }", "--server", "http://127.0.0.1:1")
    assert code == 1 and "Is the server running?" in err, (code, err)
    code, out, err = takt("query", "{ }", "--data", "/nowhere")
    assert code == 1 and "/nowhere" in err, (code, err)
    for words in ([], ["{ }", "two"], ["{ }", "--limit", "x"], ["{ }", "--since", "soon"], ["{ }", "--from", "1"],
                  ["{ }", "--from", "1", "--to", "2", "--since", "1h"], ["{ }", "--step", "0"], ["{ }", "--limit"]):
        code, out, err = takt("query", *words)
        assert code == 2 and not out and "--help" in err, (words, code, err)


def all_time():
    """What is stored begins and ends where its spans do, from the first one on, in memory as in blocks; one of an odd
    time does not make it a century."""
    now = time.time_ns()
    with Server() as server:
        def stored():
            store = server.get_json("/api/takt/status")["store"]
            return store["oldest_unix_ns"], store["newest_unix_ns"]

        def send_at(*starts):
            spans = [span(new_id(16), name=f"s{t}", startTimeUnixNano=t, endTimeUnixNano=t + 1) for t in starts]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200

        assert stored() == (None, None)
        send_at(now - 3000 * S, now - 5 * S)
        assert stored() == (str(now - 3000 * S), str(now - 5 * S))
        send_at(now - 40 * 86400 * S, now + 86400 * S, 0)
        assert stored() == (str(now - 3000 * S), str(now - 5 * S))
        server.flush()
        assert stored() == (str(now - 3000 * S), str(now - 5 * S))
        send_at(now - 4000 * S, now - S)
        assert stored() == (str(now - 4000 * S), str(now - S))
    with Server() as server:
        send_at(now - 50 * 86400 * S, now - 40 * 86400 * S)
        server.flush()
        assert stored() == (str(now - 50 * 86400 * S), str(now - 40 * 86400 * S)), "old ones are all there are"


def a_terminal_shows():
    """Columns line up by what a terminal shows, nothing that a sender wrote commands it, lists read as lists, and
    what is nothing is no 0."""
    def list_of(v):
        return {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": v}]}}}

    now = time.time_ns()
    texts = ["plain", "日本語", "e\u0301te\u0301", "\x1b[2J", "\u202egnp.exe", "a\nb\tc", "x" * 5000]
    with Server() as server:
        spans = [span(new_id(16), name=v, startTimeUnixNano=now - i * S, endTimeUnixNano=now,
                      attributes=[*attributes(v=v, n=i % 2), list_of(v)]) for i, v in enumerate(texts)]
        assert server.post_traces(otlp.encode(request(*spans, service="名前")))[0] == 200
        where = ("--server", f"http://127.0.0.1:{server.port()}")
        code, out, err = takt("query", "{ } | select(.v, .list, .n)", *where, LANG="C.UTF-8")
        assert code == 0 and not err, (code, err)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]", out), out
        assert "[a, 日本語]" in out and "[a, ?[2J]" in out and "a?b?c" in out and "?gnp.exe" in out, out
        wide = {"日": 2, "本": 2, "語": 2, "名": 2, "前": 2, "\u0301": 0}
        ends = {sum(wide.get(c, 1) for c in line[:line.index("[a, ")]) for line in out.splitlines() if "[a, " in line}
        assert len(ends) == 1 and max(map(len, out.splitlines())) < 300, (ends, out)
        code, out, err = takt("query", '{ name = "日本" && }', *where)
        assert code == 1 and err.endswith('  { name = "日本" && }\n' + " " * 21 + "^\n"), err
        code, out, _ = takt("query", "{ } | quantile_over_time(.n, 1)", *where, LANG="C.UTF-8")
        assert code == 0 and "min 1 " in out, out
        code, out, err = takt("query", "{ }", "--limit", "999999", *where)
        assert code == 1 and not out and err.startswith("takt query: limit=") and err.count("\n") == 1, err
        other = server.directory / "photos"
        other.mkdir()
        code, out, err = takt("query", "{ }", "--data", other)
        assert code == 1 and not out and "is no data directory" in err and not list(other.iterdir()), err


def cases(tap):
    server, state = Server(), {}

    def make_shop():
        state["shop"] = Shop(server)

    tap.case("starts", server.start, is_setup=True)
    tap.case("traces_of_a_shop", make_shop, is_setup=True)
    for case in (search_shape, search_protobuf, search_sets, search_pages, search_range, search_tags, search_errors,
                 metrics_shape, metrics_steps, metrics_times, metrics_instant, metrics_exemplars, metrics_errors, tag_names, tag_values,
                 tag_values_of_matches, spans_of_a_trace, streams, app_search, explanations, planted_causes, analysis, completions_fit,
                 command_line):
        tap.case(case.__name__, lambda c=case: c(state["shop"]))
    tap.case("runaway_expressions", lambda: runaway_expressions(state["shop"]))
    tap.case("streams_over_tls", streams_over_tls)
    tap.case("large_streams", large_streams)
    tap.case("comparisons", comparisons)
    tap.case("all_time", all_time)
    tap.case("a_terminal_shows", a_terminal_shows)
    tap.case("progress_of_streams", progress_of_streams)
    tap.case("kept_answers", kept_answers)
    tap.case("long_json", long_json)
    tap.case("queries_of_leavers", queries_of_leavers)
    tap.case("queries_of_many_series", queries_of_many_series)
    tap.case("deadlines", lambda: deadlines(state["shop"]))
    server.kill()
