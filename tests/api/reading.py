# SPDX-License-Identifier: Apache-2.0
"""Tempo's API, exactly: clients refuse fields that they do not know."""
import base64
import gzip
import http.client
import json
import re
import time

from client import expect_absent, new_id, request, span
import openmetrics
import otlp
from takt import ROOT as TREE, Server

S = 10 ** 9
MINUTE = 60 * S
TRACE_ID, ROOT, CHILD = "00000000000000000badcafe00000001", "0102030405060708", "f1f2f3f4f5f6f7f8"
START = 1_700_000_000 * S


def b64(hex_text):
    return base64.b64encode(bytes.fromhex(hex_text)).decode()


SENT = {"resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}],
                 "droppedAttributesCount": 1},
    "schemaUrl": "https://example.test/r",
    "scopeSpans": [{
        "scope": {"name": "lib", "version": "1.2", "attributes": [{"key": "s", "value": {"boolValue": False}}]},
        "schemaUrl": "https://example.test/s",
        "spans": [
            {"traceId": TRACE_ID, "spanId": ROOT, "name": "GET /", "kind": 2, "startTimeUnixNano": START,
             "endTimeUnixNano": START + 557 * 10 ** 6, "traceState": "a=1", "flags": 257,
             "attributes": [{"key": "n", "value": {"intValue": -5}}]},
            {"traceId": TRACE_ID, "spanId": CHILD, "parentSpanId": ROOT, "name": "query", "kind": 3,
             "startTimeUnixNano": START + 1, "endTimeUnixNano": START + 2, "droppedAttributesCount": 7,
             "status": {"code": 2, "message": "m"},
             "attributes": [{"key": "list", "value": {"arrayValue": {"values": [
                 {"doubleValue": 1.5}, {"bytesValue": b"\0\1"}, {"kvlistValue": {"values": [
                     {"key": "k", "value": {"intValue": 0}}]}}]}}}],
             "events": [{"timeUnixNano": START + 1, "name": "e", "attributes": [
                 {"key": "nan", "value": {"doubleValue": float("nan")}}], "droppedAttributesCount": 2}],
             "links": [{"traceId": TRACE_ID, "spanId": CHILD, "traceState": "l=1", "flags": 1}]}]}]}]}

# The same as Tempo's clients want it: ids and bytes in base64, enums by name, 64-bit integers as
# strings, 32-bit ones as numbers, no zeros.
BATCHES = [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}],
                 "droppedAttributesCount": 1},
    "schemaUrl": "https://example.test/r",
    "scopeSpans": [{
        "scope": {"name": "lib", "version": "1.2", "attributes": [{"key": "s", "value": {"boolValue": False}}]},
        "schemaUrl": "https://example.test/s",
        "spans": [
            {"traceId": b64(TRACE_ID), "spanId": b64(ROOT), "name": "GET /", "kind": "SPAN_KIND_SERVER",
             "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000557000000",
             "traceState": "a=1", "flags": 257, "attributes": [{"key": "n", "value": {"intValue": "-5"}}]},
            {"traceId": b64(TRACE_ID), "spanId": b64(CHILD), "parentSpanId": b64(ROOT), "name": "query",
             "kind": "SPAN_KIND_CLIENT", "startTimeUnixNano": "1700000000000000001",
             "endTimeUnixNano": "1700000000000000002", "droppedAttributesCount": 7,
             "status": {"code": "STATUS_CODE_ERROR", "message": "m"},
             "attributes": [{"key": "list", "value": {"arrayValue": {"values": [
                 {"doubleValue": 1.5}, {"bytesValue": "AAE="}, {"kvlistValue": {"values": [
                     {"key": "k", "value": {"intValue": "0"}}]}}]}}}],
             "events": [{"timeUnixNano": "1700000000000000001", "name": "e", "attributes": [
                 {"key": "nan", "value": {"doubleValue": "NaN"}}], "droppedAttributesCount": 2}],
             "links": [{"traceId": b64(TRACE_ID), "spanId": b64(CHILD), "traceState": "l=1",
                        "flags": 1}]}]}]}]


def trace_shapes(server):
    v1 = server.get_json(f"/api/traces/{TRACE_ID}")
    assert v1 == {"batches": BATCHES}, json.dumps(v1)
    v2 = server.get_json(f"/api/v2/traces/{TRACE_ID}")
    assert v2["trace"] == {"resourceSpans": BATCHES}, json.dumps(v2)
    assert set(v2) == {"trace", "metrics"} and set(v2["metrics"]) <= {"inspectedBytes"}, v2
    assert all(isinstance(v, str) for v in v2["metrics"].values()), v2["metrics"]
    for path, message, inner in ((f"/api/traces/{TRACE_ID}", "Request", lambda t: t),
                                 (f"/api/v2/traces/{TRACE_ID}", "TraceByIDResponse", lambda t: t["trace"])):
        status, head, body = server.get(path, accept="application/protobuf")
        assert status == 200 and head["Content-Type"] == "application/protobuf", (status, head.items())
        got = otlp.decode(body, message)
        assert not otlp.difference(SENT, inner(got)), got
        assert message == "Request" or set(got) == {"trace", "metrics"}, got
    for accept in ("*/*", "application/json", "text/html, application/json;q=0.9", None):
        _, head, _ = server.get(f"/api/traces/{TRACE_ID}", accept=accept)
        assert head["Content-Type"] == "application/json", (accept, head["Content-Type"])


def trace_ids(server):
    for text in (TRACE_ID, TRACE_ID.upper(), TRACE_ID.lstrip("0"), "0" + TRACE_ID.lstrip("0")):
        assert server.get_json(f"/api/traces/{text}") == {"batches": BATCHES}, text
        assert server.get_json(f"/api/v2/traces/{text}")["trace"] == {"resourceSpans": BATCHES}, text
    for text in ("xyz", "0" * 33, "12%2034", "%00", "-1"):
        for path in ("/api/traces/", "/api/v2/traces/", "/api/takt/traces/"):
            status, head, body = server.get(path + text)
            assert status == 400 and head["Content-Type"].startswith("text/plain"), (path + text, status, body)
    assert server.get("/api/traces/")[0] in (400, 404)
    for path in ("/api/traces/", "/api/v2/traces/"):
        for behind in ("/", "/x", "/x/y"):
            assert server.get(path + TRACE_ID + behind)[0] == 404, "the path ends with the id"


def absent_trace(server):
    for text in (new_id(), "f", "0"):
        status, head, body = server.get(f"/api/traces/{text}")
        assert status == 404 and head["Content-Type"].startswith("text/plain"), (text, status, body)
        status, _, body = server.get(f"/api/v2/traces/{text}")
        assert status == 200, (text, status, body)
        answer = json.loads(body)
        assert answer["trace"] == {} and set(answer) == {"trace", "metrics"}, answer
        status, body = server.trace_protobuf(text)
        assert status == 200 and body.startswith(b"\x0a\0"), body  # present, and empty


def trace_parameters(server):
    second = START // S
    for query, want in ((f"start={second - 60}&end={second + 60}", 200), (f"start={second}&end={second}", 400),
                        (f"start={second + 1}&end={second}", 400), ("start=x&end=y", 400), ("start=-1&end=5", 400),
                        ("start=0&end=0", 200), ("mode=all", 200), ("mode=blocks", 200), ("mode=ingesters", 200),
                        ("mode=nothing", 400), ("blockStart=0&blockEnd=f", 200)):
        for version in ("", "v2/"):
            status, _, body = server.get(f"/api/{version}traces/{TRACE_ID}?{query}")
            absent = version == "" and status == 404 and want == 200
            assert status == want or absent, (version, query, status, body)


def trace_modes(server):
    """Heads are what Tempo calls ingesters. Outside of start and end blocks are not looked at."""
    new, old = new_id(), new_id()
    assert server.post_traces(otlp.encode(request(span(old, startTimeUnixNano=START))))[0] == 200
    server.flush()
    assert server.post_traces(otlp.encode(request(span(new, startTimeUnixNano=START))))[0] == 200
    second = START // S
    for trace_id, query, found in ((new, "mode=blocks", False), (new, "mode=ingesters", True),
                                   (old, "mode=blocks", True), (old, "mode=ingesters", False),
                                   (old, "mode=all", True), (new, "mode=all", True),
                                   (old, f"start={second - 9}&end={second + 9}", True),
                                   (old, f"start={second + 99999}&end={second + 199999}", False)):
        status, _, _ = server.get(f"/api/traces/{trace_id}?{query}")
        assert status == (200 if found else 404), (query, status)


# --- search -------------------------------------------------------------------------------------

SUMMARY = {"traceID": str, "rootServiceName": str, "rootTraceName": str, "startTimeUnixNano": str,
           "durationMs": int, "serviceStats": dict}
METRICS = {"inspectedTraces": int, "inspectedBytes": str, "totalBlocks": int, "completedJobs": int,
           "totalJobs": int, "totalBlockBytes": str, "inspectedSpans": str}


def strict(obj, types):
    for key, value in obj.items():
        assert key in types, f"unknown field {key}"
        assert type(value) is types[key], f"{key} is {value!r}"
        assert value or key in ("serviceStats",), f"{key} is empty, and should be absent"


class Shop:
    """Forty traces, a minute apart, newest last; some in blocks, some in memory, some in both."""

    def __init__(self, server):
        self.now_s = int(time.time())
        self.ids = [new_id() for _ in range(40)]
        self.starts = [(self.now_s - 40 * 60 + 60 * i) * S for i in range(40)]
        self.durations_ms = [(i % 10) * 100 for i in range(40)]
        for i in range(40):
            status = {"code": 2} if i % 7 == 0 else {}
            root = span(self.ids[i], name=f"GET /{i}", startTimeUnixNano=self.starts[i], status=status,
                        endTimeUnixNano=self.starts[i] + self.durations_ms[i] * 10 ** 6)
            child = span(self.ids[i], parentSpanId=root["spanId"], startTimeUnixNano=self.starts[i] + 1,
                         endTimeUnixNano=self.starts[i] + 2)
            assert server.post_traces(otlp.encode(request(root, service="web")))[0] == 200
            if i in (10, 30):
                server.flush()
            assert server.post_traces(otlp.encode(request(child, service="db")))[0] == 200

    def found(self, server, query=""):
        """Numbers of the traces that a search lists."""
        answer = server.get_json(f"/api/search?limit=1000&{query}")
        ids = [t["traceID"].zfill(32) for t in answer["traces"]]
        return [self.ids.index(i) for i in ids if i in self.ids]


def search_shape(server, shop):
    answer = server.get_json("/api/search?limit=1000")
    assert set(answer) == {"traces", "metrics"}, answer
    strict(answer["metrics"], METRICS)
    for trace in answer["traces"]:
        strict(trace, SUMMARY)
        for stats in trace["serviceStats"].values():
            strict(stats, {"spanCount": int, "errorCount": int})
    by_id = {t["traceID"]: t for t in answer["traces"]}
    one = by_id[shop.ids[7].lstrip("0")]
    assert one == {"traceID": shop.ids[7].lstrip("0"), "rootServiceName": "web", "rootTraceName": "GET /7",
                   "startTimeUnixNano": str(shop.starts[7]), "durationMs": 700,
                   "serviceStats": {"web": {"spanCount": 1, "errorCount": 1}, "db": {"spanCount": 1}}}, one
    assert "durationMs" not in by_id[shop.ids[0].lstrip("0")], "zero is absent"
    assert by_id[TRACE_ID.lstrip("0")]["durationMs"] == 557
    orphan = span(parentSpanId="ab" * 8)
    assert server.post_traces(otlp.encode(request(orphan)))[0] == 200
    answer = server.get_json("/api/search?limit=1000")
    one = next(t for t in answer["traces"] if t["traceID"].zfill(32) == orphan["traceId"])
    assert one["rootServiceName"] == "<root span not yet received>" and "rootTraceName" not in one, one


def search_order_and_limit(server, shop):
    everything = [(int(t["startTimeUnixNano"]), t["traceID"].zfill(32))
                  for t in server.get_json("/api/search?limit=1000")["traces"]]
    assert everything == sorted(everything, key=lambda t: (-t[0], t[1])), "not newest first"
    assert [i for i in shop.found(server)] == list(range(39, -1, -1))
    assert len(server.get_json("/api/search")["traces"]) == 20
    for n in (1, 7, 262144):
        got = server.get_json(f"/api/search?limit={n}")["traces"]
        assert [t["traceID"].zfill(32) for t in got] == [i for _, i in everything[:n]], n
    for query in ("limit=0", "limit=262145", "limit=-1", "limit=x", "limit=1.5", "spss=101", "limit=%zz", "q=50%",
                  "limit=1%00", "%2=1"):
        status, head, body = server.get(f"/api/search?{query}")
        assert status == 400 and head["Content-Type"].startswith("text/plain"), (query, status, body)


def search_range(server, shop):
    at = [s // S for s in shop.starts]
    for start, end in ((at[5], at[9]), (at[5] - 1, at[9]), (at[5] - 1, at[9] - 1), (at[0] - 9, at[39] + 9), (1, 2)):
        want = [i for i in range(39, -1, -1) if start * S < shop.starts[i] + 1 and shop.starts[i] <= end * S]
        assert shop.found(server, f"start={start}&end={end}") == want, (start, end)  # in (start, end]
    edge = span(startTimeUnixNano=(at[0] - 600) * S)
    assert server.post_traces(otlp.encode(request(edge)))[0] == 200
    for start, end, n in ((at[0] - 601, at[0] - 600, 1), (at[0] - 600, at[0] - 599, 0)):
        assert len(server.get_json(f"/api/search?start={start}&end={end}")["traces"]) == n, (start, end)
    for query in (f"start={at[1]}", f"end={at[1]}", f"start={at[1]}&end={at[1]}", f"start={at[1]}&end={at[0]}",
                  "start=a&end=b", "since=x", "since=-5m"):
        assert server.get(f"/api/search?{query}")[0] == 400, query
    got = shop.found(server, "since=10m30s")
    assert got == list(range(39, 39 - len(got), -1)) and len(got) in (10, 11), got
    assert shop.found(server, f"since=24h&start={at[1]}&end={at[2]}") == list(range(39, -1, -1)), "since wins"


def search_duration(server, shop):
    for query, fits in (("minDuration=500ms", lambda d: d >= 500), ("maxDuration=0.2s", lambda d: d <= 200),
                        ("minDuration=300ms&maxDuration=300ms", lambda d: d == 300),
                        ("minDuration=1h2m3s", lambda d: False), ("minDuration=0", lambda d: True)):
        want = [i for i in range(39, -1, -1) if fits(shop.durations_ms[i])]
        # The child makes a trace of no length 2 ns long.
        assert shop.found(server, query) == want, query
    for query in ("minDuration=5", "minDuration=fast", "maxDuration=1x"):
        assert server.get(f"/api/search?{query}")[0] == 400, query


def pages_of_the_app(server, shop):
    """The list of the web app, page by page, is the same as the whole."""
    whole = [t["traceId"] for t in server.get_json("/api/takt/traces?limit=1000")["traces"]]
    pages, cursor = [], ""
    while cursor is not None:
        page = server.get_json(f"/api/takt/traces?limit=7&cursor={cursor}")
        pages += [t["traceId"] for t in page["traces"]]
        assert page["total"] == len(whole), page["total"]
        cursor = page["cursor"]
    assert pages == whole and len(set(whole)) == len(whole)
    for query, fits in (("errors=1", lambda i: i % 7 == 0), ("service=web", lambda i: True),
                        ("service=nobody", lambda i: False), ("operation=GET%20/9", lambda i: i == 9),
                        ("service=db&minDuration=800ms", lambda i: shop.durations_ms[i] >= 800)):
        got = [shop.ids.index(t["traceId"]) for t in
               server.get_json(f"/api/takt/traces?limit=1000&{query}")["traces"] if t["traceId"] in shop.ids]
        assert got == [i for i in range(39, -1, -1) if fits(i)], (query, got)
    assert server.get("/api/takt/traces?cursor=nonsense")[0] == 400


# --- the rest -----------------------------------------------------------------------------------

def small_endpoints(server):
    assert server.get("/api/echo")[::2] == (200, b"echo")
    assert server.get("/ready")[::2] == (200, b"ready")
    info = server.get_json("/api/status/buildinfo")
    made_of_git = (TREE / ".git").exists()  # else it is a copy, which has no revision
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?" if made_of_git else "", info["revision"]), info
    assert set(info) == {"version", "revision", "branch", "buildDate", "buildUser", "goVersion"}, info
    assert info["version"] and all(isinstance(v, str) for v in info.values()), info
    status, head, body = server.get("/status")
    assert status == 200 and head["Content-Type"].startswith("text/plain") and b"blocks" in body, body
    test = server.request("POST", "/api/takt/test-span", b"")
    trace_id = json.loads(test[2])["traceId"]
    assert len(server.get_json(f"/api/traces/{trace_id}")["batches"]) == 1


def unknown_paths(server):
    for path in ("/api", "/api/", "/api/nothing", "/api/v2/nothing", "/api/traces", "/api/searching",
                 "/api/takt/nothing", f"/api/takt/traces/{TRACE_ID}/nothing", "/api/metrics/nothing", "/api/search/tag/x", "/api/v2/search/tag/x"):
        status, head, _ = server.get(path)
        assert status == 404 and head["Content-Type"].startswith("text/plain"), (path, status)
    for method, path, allow in (("POST", "/api/search", "GET, HEAD"), ("DELETE", "/api/echo", "GET, HEAD"),
                                ("GET", "/flush", "POST"), ("PUT", "/metrics", "GET, HEAD"),
                                ("PUT", f"/api/takt/traces/{TRACE_ID}", "GET, HEAD, DELETE")):
        status, head, _ = server.request(method, path)
        assert (status, head["Allow"]) == (405, allow), (method, path, status, head.items())


def deletion(server):
    """What is deleted is gone for every question, at once and after a restart; the rest stays."""
    gone, stays = new_id(16), new_id(16)
    for trace in (gone, stays):
        server.post_traces(otlp.encode(request(span(trace, name="deletion"))))
    path = f"/api/takt/traces/{gone}"
    status, _, body = server.request("DELETE", path)
    assert status == 200 and json.loads(body) == {"deletedSpans": 1}, (status, body)
    assert server.request("DELETE", path)[0] == 404
    assert server.request("DELETE", "/api/takt/traces/xyz")[0] == 400
    for _ in range(2):
        expect_absent(server, gone)
        found = server.get_json("/api/search?q=%7Bname%3D%22deletion%22%7D&start=1&end=4000000000")["traces"]
        assert [t["traceID"].zfill(32) for t in found] == [stays], found
        server.stop()
        server.start()


def head_requests(server):
    for path in ("/api/echo", f"/api/traces/{TRACE_ID}", "/api/search", "/metrics", "/"):
        _, want, body = server.get(path)
        status, head, nothing = server.request("HEAD", path)
        assert status == 200 and nothing == b"", (path, status, nothing)
        assert head["Content-Type"] == want["Content-Type"], path
        assert path in ("/metrics", "/api/search") or head["Content-Length"] == want["Content-Length"], path


def gzip_answers(server):
    for path in ("/api/search?limit=1000", "/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port(), timeout=20)
        connection.request("GET", path, headers={"Accept-Encoding": "gzip, deflate"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Vary"], answer.headers.items()
        assert len(gzip.decompress(body)) > len(body), path
        _, head, _ = server.get(path)
        assert head["Content-Encoding"] is None, path


def metrics(server):
    status, head, body = server.get("/metrics")
    assert status == 200, status
    assert head["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = openmetrics.parse(body.decode())
    for name in ("takt_spans_received_total", "takt_traces_partial_ratio", "takt_query_duration_seconds_count",
                 "takt_spans_dropped_total", "takt_spans_refused_total", "takt_requests_refused_total",
                 "takt_traces_error_total", "takt_storage_cost_per_million_traces", "takt_retention_days",
                 "takt_trace_rebuild_total", "takt_ingest_saturation", "takt_wal_bytes", "takt_queued_requests",
                 "takt_storage_bytes_per_span", "takt_filter_bytes", "takt_idle_memory_bytes"):
        openmetrics.value(families, name)
    for of in ("dictionaries", "traces"):
        openmetrics.value(families, "takt_index_bytes", of=of)
    for of in ("columns", "traces", "answers"):
        openmetrics.value(families, "takt_large_pages_bytes", of=of)
    assert openmetrics.value(families, "takt_queue_age_seconds", queue="requests") == 0
    before = openmetrics.value(families, "takt_spans_received_total", protocol="otlp_http")
    refused = openmetrics.value(families, "takt_spans_refused_total", reason="trace_id")
    assert server.post_traces(otlp.encode(request(span(), span(), span("00" * 16))))[0] == 200
    assert server.post_traces(b"\xff")[0] == 400
    after = openmetrics.parse(server.get("/metrics")[2].decode())
    assert openmetrics.value(after, "takt_spans_received_total", protocol="otlp_http") == before + 2
    assert openmetrics.value(after, "takt_spans_refused_total", reason="trace_id") == refused + 1
    assert openmetrics.value(after, "takt_requests_refused_total", protocol="otlp_http", reason="malformed") == 1
    assert openmetrics.value(after, "takt_queue_age_seconds", queue="head") > 0  # until it is cut
    server.flush()
    families = openmetrics.parse(server.get("/metrics")[2].decode())
    assert openmetrics.value(families, "takt_queue_age_seconds", queue="head") == 0


def giant_trace():
    """Larger than query.max_trace_bytes: the old path refuses, the new one shows a part and says so."""
    trace_id, small = new_id(), span()
    with Server(flags=("--set", "query.max_trace_bytes=1MiB")) as server:
        assert server.post_traces(otlp.encode(request(small)))[0] == 200
        for _ in range(8):
            spans = [span(trace_id, name=new_id(250)) for _ in range(600)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
        for flushed in (False, True):
            status, _, body = server.get(f"/api/traces/{trace_id}")
            assert status == 422 and b"query.max_trace_bytes" in body, (flushed, status, body[:200])
            answer = server.get_json(f"/api/v2/traces/{trace_id}")
            assert answer["status"] == "PARTIAL" and "(1048576 bytes)" in answer["message"], answer
            n = sum(len(ss["spans"]) for rs in answer["trace"]["resourceSpans"] for ss in rs["scopeSpans"])
            assert 0 < n < 4800, n
            pb = otlp.decode(server.trace_protobuf(trace_id)[1], "TraceByIDResponse")
            assert pb["status"] == 1 and pb["message"] == answer["message"], (pb["status"], pb["message"])
            assert server.get(f"/api/traces/{small['traceId']}")[0] == 200
            server.flush()


def damaged_filter_is_told():
    """One bit of a bloom filter would hide a trace: instead the answer says that the block is damaged."""
    head = bytes.fromhex("1c1c00001c1c00001c1c000000")  # the end of a filter's header, as we write it
    with Server() as server:
        trace = new_id()
        assert server.post_traces(otlp.encode(request(span(trace))))[0] == 200
        server.flush()
        assert server.get(f"/api/v2/traces/{trace}")[0] == 200
        server.stop()
        file, = server.data.glob("blocks/*/*/traces.parquet")
        whole = file.read_bytes()
        at = whole.index(head) + len(head)
        bit = next(i for i in range(256) if whole[at + i // 8] >> i % 8 & 1)
        damaged = bytearray(whole)
        damaged[at + bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        server.start()
        for path in (f"/api/v2/traces/{trace}", "/api/search?limit=1", "/api/v2/search/tags"):
            status, _, body = server.get(path)
            assert status == 500 and b"damaged" in body, (path, status, body)
        server.stop()
        file.write_bytes(whole)
        server.start()
        assert server.get(f"/api/v2/traces/{trace}")[0] == 200


def cases(tap):
    server, state = Server(), {}

    def make_shop():
        state["shop"] = Shop(server)

    def from_memory():
        assert server.post_traces(otlp.encode(SENT))[0] == 200
        trace_shapes(server)

    def from_a_block():
        server.flush()
        trace_shapes(server)

    tap.case("damaged_filter_is_told", damaged_filter_is_told)
    tap.case("starts", server.start, is_setup=True)
    tap.case("a_trace_that_is_not_there", expect_absent, server, TRACE_ID)
    tap.case("trace_shapes_from_memory", from_memory)
    tap.case("trace_shapes_from_a_block", from_a_block)
    for case in (trace_ids, absent_trace, trace_parameters, trace_modes):
        tap.case(case.__name__, case, server)
    tap.case("traces_of_a_shop", make_shop, is_setup=True)
    for case in (search_shape, search_order_and_limit, search_range, search_duration, pages_of_the_app):
        tap.case(case.__name__, lambda c=case: c(server, state["shop"]))
    for case in (small_endpoints, unknown_paths, head_requests, gzip_answers, metrics, deletion):
        tap.case(case.__name__, case, server)
    tap.case("giant_trace", giant_trace)
    server.kill()
