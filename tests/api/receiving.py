# SPDX-License-Identifier: Apache-2.0
"""OTLP in: every encoding on both protocols, and a clear answer to what cannot be taken."""
import gzip
import http.client
import json
import random
import socket
import subprocess
import threading

import grpc

from client import (EXPORT, as_json, expect_absent, expect_stored, grpc_send, new_id, partial_success, raw,
                    request, span, zstd_bomb, zstd_stored)
import otlp
from takt import Server, temporary_directory

LIMITS = ("--set", "ingest.max_request_bytes=1MiB", "--set", "ingest.max_decoded_bytes=4MiB")
JSON, PROTOBUF = "application/json", "application/x-protobuf"


def some():
    trace_id = new_id()
    return request(span(trace_id), span(trace_id, kind=3, status={"code": 2, "message": "no"},
                                        attributes=[{"key": "b", "value": {"bytesValue": b"\0\xff"}},
                                                    {"key": "i", "value": {"intValue": -2 ** 63}}]))


def http_encoding(server, encode, content_type, packing, pack):
    sent = some()
    headers = {"Content-Encoding": packing} if packing else {}
    status, head, body = server.post_traces(pack(encode(sent)), content_type, headers)
    assert status == 200, (status, body)
    assert head["Content-Type"] == content_type.split(";")[0].replace("application/protobuf", PROTOBUF)
    assert body == (b"{}" if JSON in content_type else b""), body
    expect_stored(server, sent)


def gzip_in_members(server):
    sent = some()
    body = otlp.encode(sent)
    packed = gzip.compress(body[:50]) + gzip.compress(body[50:])
    assert server.post_traces(packed, headers={"Content-Encoding": "gzip"})[0] == 200
    expect_stored(server, sent)


def grpc_encoding(server, compression):
    sent = some()
    assert grpc_send(server, otlp.encode(sent), compression=compression) == ("OK", b"")
    expect_stored(server, sent)


def grpc_zstd(server):
    """Python's gRPC has no zstd; curl sends what we pack."""
    sent = some()
    packed = zstd_stored(otlp.encode(sent))
    file = temporary_directory() / "body"
    file.write_bytes(b"\1" + len(packed).to_bytes(4, "big") + packed)
    answer = subprocess.run(
        ["curl", "-sS", "-D", "-", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H",
         "te: trailers", "-H", "grpc-encoding: zstd", "--data-binary", f"@{file}",
         f"http://127.0.0.1:{server.port('otlp-grpc')}{EXPORT}"], capture_output=True, check=True).stdout
    assert b"grpc-status: 0" in answer, answer
    expect_stored(server, sent)


def keep_alive(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port("otlp-http"), timeout=20)
    connection.connect()
    own = connection.sock.getsockname()
    for _ in range(3):
        sent = some()
        connection.request("POST", "/v1/traces", otlp.encode(sent), {"Content-Type": PROTOBUF})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == b""
        assert connection.sock and connection.sock.getsockname() == own, "a new connection was needed"
        expect_stored(server, sent)
    connection.close()


PREFLIGHT = {"Origin": "https://shop.test", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type,x-team"}


def pages_may_not_send(server):
    """Unless they are named: any page that is open on this machine could make up traces, and deliveries."""
    before = server.metrics()["takt_spans_received_total"]
    refused = "takt_requests_refused_total"
    was = server.metrics()[refused]
    for method, body, headers in (("OPTIONS", b"", PREFLIGHT), ("POST", otlp.encode(some()), {"Origin": "https://shop.test"}),
                                  ("POST", otlp.encode(some()), {"Origin": "http://localhost:5173"})):
        status, head, text = server.request(method, "/v1/traces", body, {"Content-Type": PROTOBUF, **headers}, kind="otlp-http")
        assert status == 403 and head["Access-Control-Allow-Origin"] is None, (status, head.items())
        assert text.decode() == (f'pages of "{headers["Origin"]}" may not send spans: the setting otlp.http.cors_origins lists '
                                 "the origins whose pages may\n"), text
    assert server.metrics()["takt_spans_received_total"] == before and server.metrics()[refused] == was + 3


def cors():
    with Server(config="otlp:\n  http:\n    cors_origins: ['*']\n") as server:
        status, head, body = server.request("OPTIONS", "/v1/traces", headers=PREFLIGHT, kind="otlp-http")
        assert (status, body) == (204, b""), (status, body)
        assert head["Access-Control-Allow-Origin"] == "*" and "POST" in head["Access-Control-Allow-Methods"]
        assert head["Access-Control-Allow-Headers"] == "content-type,x-team"
        for body, want in ((otlp.encode(some()), 200), (b"\xff", 400)):
            status, head, _ = server.post_traces(body, headers={"Origin": "https://shop.test"})
            assert status == want and head["Access-Control-Allow-Origin"] == "*", (status, head.items())


def cors_only_for_named_origins():
    config = "otlp:\n  http:\n    cors_origins: [https://shop.test]\n"
    with Server(config=config) as server:
        for origin, want in (("https://shop.test", "https://shop.test"), ("https://other.test", None)):
            _, head, _ = server.post_traces(b"", headers={"Origin": origin})
            assert head["Access-Control-Allow-Origin"] == want, (origin, head.items())
        spans = otlp.encode(some())
        # A page whose name was made to lead here is of one origin with us: its browser does not ask first.
        moved = {"Origin": "http://evil.example:4318", "Host": "evil.example:4318"}
        for headers, want in ((moved, 403), ({"Origin": "null"}, 403), ({"Origin": "https://shop.test"}, 200),
                              ({"Host": "collector.example:4318"}, 200)):
            status, _, body = server.post_traces(spans, headers=headers)
            assert status == want, (headers, status, body)
        assert server.metrics()["takt_spans_received_total"] == 2 * len(some()["resourceSpans"][0]["scopeSpans"][0]["spans"])


def other_signals(server):
    for name in ("logs", "metrics"):
        status, _, body = server.request("POST", f"/v1/{name}", b"", {"Content-Type": PROTOBUF},
                                         kind="otlp-http")
        assert status == 404 and f"OTEL_{name.upper()}_EXPORTER=none".encode() in body, (status, body)
        path = f"/opentelemetry.proto.collector.{name}.v1.{name.capitalize()}Service/Export"
        status, text = grpc_send(server, b"", path)
        assert status == "UNIMPLEMENTED" and f"OTEL_{name.upper()}_EXPORTER=none" in text, (status, text)
    assert grpc_send(server, b"", "/a.Service/Method")[0] == "UNIMPLEMENTED"


def wrong_content_type(server):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        status, _, body = server.post_traces(b"", content_type)
        assert status == 415 and body.endswith(b"application/json\n"), (content_type, status, body)
    listed = [r for r in server.get_json("/api/takt/status")["refusals"] if r["reason"] == "content_type"]
    assert listed and not any("\n" in r["text"] for r in listed), listed  # what is shown is no line of a body
    status, _, _ = server.request("POST", "/v1/traces", b"", {}, kind="otlp-http")
    assert status == 415, status
    status, _, body = server.post_traces(b"", headers={"Content-Encoding": "br"})
    assert status == 415 and b"gzip" in body, (status, body)


def wrong_method_and_path(server):
    status, head, _ = server.request("GET", "/v1/traces", kind="otlp-http")
    assert status == 405 and head["Allow"] == "POST, OPTIONS", (status, head.items())
    status, _, body = server.request("POST", "/v1/spans", b"", {"Content-Type": PROTOBUF}, kind="otlp-http")
    assert status == 404 and b"/v1/traces" in body, (status, body)


def malformed(server):
    sent = otlp.encode(some())
    for body in (b"\xff", sent[:-1], b"\x0a\x7f"):
        status, head, answer = server.post_traces(body)
        assert status == 400 and head["Content-Type"] == PROTOBUF, (status, head.items())
        answer = otlp.decode(answer, "RpcStatus")
        assert answer["code"] == 3 and answer["message"], answer
        status, text = grpc_send(server, body)
        assert status == "INVALID_ARGUMENT" and text, (status, text)
    for body in (b"", b"[]", b'{"resourceSpans":[{]}', as_json(some())[:-1]):
        status, head, answer = server.post_traces(body, JSON)
        assert status == 400 and head["Content-Type"] == JSON, (status, head.items())
        answer = json.loads(answer)
        assert answer["code"] == 3 and answer["message"], answer
    for packing in ("gzip", "zstd"):
        assert server.post_traces(sent, headers={"Content-Encoding": packing})[0] == 400
    half = gzip.compress(sent)[:-9]
    assert server.post_traces(half, headers={"Content-Encoding": "gzip"})[0] == 400
    assert server.post_traces(zstd_stored(sent)[:-3], headers={"Content-Encoding": "zstd"})[0] == 400


def too_large(server):
    head = b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    for rest in (b"Content-Length: 99999999\r\n\r\n",  # answered before the body comes
                 b"Transfer-Encoding: chunked\r\n\r\n100001\r\n" + bytes((1 << 20) + 1) + b"\r\n"):
        answer, _ = raw(server, head + rest)
        assert answer.startswith(b"HTTP/1.1 413 ") and b"limit" in answer, answer
    status, text = grpc_send(server, bytes((1 << 20) + 1))
    assert status == "RESOURCE_EXHAUSTED" and "limit" in text, (status, text)


def bombs(server):
    for packing, body in (("gzip", gzip.compress(bytes(32 << 20))), ("zstd", zstd_bomb(64 << 20)),
                          ("gzip", gzip.compress(bytes(3 << 20)) * 2)):
        status, _, answer = server.post_traces(body, headers={"Content-Encoding": packing})
        assert status == 413 and b"unpacks to more than" in answer, (packing, status, answer)
    status, text = grpc_send(server, bytes(32 << 20), compression=grpc.Compression.Gzip)
    assert status == "RESOURCE_EXHAUSTED" and "unpacks to more than" in text, (status, text)
    padded = some()
    padded["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] = "x" * (3 << 20)
    body = otlp.encode(padded)  # large, but not too large
    assert server.post_traces(gzip.compress(body), headers={"Content-Encoding": "gzip"})[0] == 200
    expect_stored(server, padded)


def bad_spans():
    """(span, part of the text that names what is wrong with it)"""
    deep = {"intValue": 1}
    for _ in range(40):
        deep = {"arrayValue": {"values": [deep]}}
    return [(span("00" * 16), "trace id"), (span("ab" * 15), "trace id"), (span("ab" * 17), "trace id"),
            (span(spanId="00" * 8), "span id"), (span(spanId="ab" * 7), "span id"),
            (span(startTimeUnixNano=2 ** 63), "time"),
            (span(attributes=[{"key": "a", "value": deep}]), "nested")]


def partial(server, send):
    """Half of the spans cannot be taken; the others are stored, and the answer says what and why."""
    bad = bad_spans()
    good = [span() for _ in bad]
    mixed = [s for pair in zip(good, (b for b, _ in bad)) for s in pair]
    rejected, text = send(server, request(*mixed))
    assert rejected == len(bad), (rejected, text)
    for _, words in bad:
        assert words in text, f"{words!r} is not in {text!r}"
    expect_stored(server, request(*good))
    expect_absent(server, bad[5][0]["traceId"])


def send_protobuf(server, sent):
    status, _, body = server.post_traces(otlp.encode(sent))
    assert status == 200, (status, body)
    return partial_success(body)


def send_json(server, sent):
    status, _, body = server.post_traces(as_json(sent), JSON)
    assert status == 200, (status, body)
    answer = json.loads(body)["partialSuccess"]
    assert isinstance(answer["rejectedSpans"], str), "64-bit integers are strings"
    return int(answer["rejectedSpans"]), answer["errorMessage"]


def send_grpc(server, sent):
    status, body = grpc_send(server, otlp.encode(sent))
    assert status == "OK", (status, body)
    return partial_success(body)


def nothing_but_bad(server):
    bad = span("00" * 16)
    assert send_protobuf(server, request(bad))[0] == 1
    assert server.post_traces(b"")[0] == 200, "an empty request is fine"
    assert server.post_traces(b"{}", JSON)[0] == 200


def broken_off(server, seed):
    """Garbage and torn requests on every port, beside good ones."""
    dice = random.Random(seed)
    body = otlp.encode(some())
    head = (f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: {PROTOBUF}\r\nContent-Length: "
            f"{len(body)}\r\n\r\n").encode()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    def hurt():
        for i in range(40):
            kind = dice.choice(("http", "otlp-grpc", "otlp-http"))
            whole = dice.choice((head + body, preface + dice.randbytes(200), dice.randbytes(300)))
            with socket.create_connection(("127.0.0.1", server.port(kind)), 10) as s:
                s.sendall(whole[:dice.randrange(1, len(whole))])

    thread = threading.Thread(target=hurt)
    thread.start()
    while thread.is_alive():
        sent = some()
        assert server.post_traces(otlp.encode(sent))[0] == 200
        assert grpc_send(server, otlp.encode(some())) == ("OK", b"")
        expect_stored(server, sent)
    thread.join()
    assert server.process.poll() is None


def duplicates(server):
    sent = some()
    for _ in range(3):
        assert server.post_traces(otlp.encode(sent))[0] == 200
        assert grpc_send(server, otlp.encode(sent)) == ("OK", b"")
    expect_stored(server, sent)
    server.flush()
    assert server.post_traces(otlp.encode(sent))[0] == 200
    expect_stored(server, sent)


def budget_is_given_back():
    """Far more than the memory budget in bodies, one after the other: each gets its memory."""
    with Server(flags=("--set", "memory.budget=64MiB")) as server:
        for encode, content_type in ((otlp.encode, PROTOBUF), (as_json, JSON)):
            for pack, headers in ((bytes, {}), (gzip.compress, {"Content-Encoding": "gzip"})):
                body = pack(encode(request(span(name="x" * (1 << 20)))))
                for _ in range(20):
                    status, _, answer = server.post_traces(body, content_type, headers)
                    assert status == 200, (content_type, headers, status, answer)


class SlowClients:
    """Clients that fall silent; they are begun first and looked at last, for timeouts take long."""

    def __init__(self, server, begin):
        if not begin:
            return
        head = b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
        self.found, self.threads = {}, []
        for name, data in (("silent", b""), ("half a head", head), ("half a body",
                           head + b"Content-Length: 100\r\n\r\nabc"), ("half a preface", b"PRI * HT")):
            self.threads.append(threading.Thread(target=self.wait, args=(server, name, data)))
            self.threads[-1].start()

    def wait(self, server, name, data):
        try:
            self.found[name] = raw(server, data, timeout_s=45)
        except OSError as error:
            self.found[name] = (str(error).encode(), 1e9)

    def check(self):
        for thread in self.threads:
            thread.join()
        for name, (answer, seconds) in self.found.items():
            most = 35 if name == "half a body" else 13
            assert 5 < seconds < most, f"{name}: closed after {seconds:.1f} s"
            if name.startswith("half a") and name != "half a preface":
                assert answer.startswith(b"HTTP/1.1 408 "), f"{name}: {answer!r}"


def cases(tap):
    server = Server(flags=LIMITS)
    tap.case("starts", server.start, is_setup=True)
    slow = SlowClients(server, tap.only in ("", "slow_and_silent_clients_time_out"))
    same = bytes
    for name, encode, content_type in (("protobuf", otlp.encode, PROTOBUF), ("json", as_json, JSON)):
        for packing, pack in ((None, same), ("identity", same), ("gzip", gzip.compress), ("zstd", zstd_stored)):
            tap.case(f"http_{name}_{packing or 'plain'}", http_encoding, server, encode, content_type, packing,
                     pack)
    tap.case("http_json_charset", http_encoding, server, as_json, JSON + "; charset=utf-8", None, same)
    tap.case("http_protobuf_short_type", http_encoding, server, otlp.encode, "application/protobuf", None, same)
    tap.case("http_gzip_in_members", gzip_in_members, server)
    tap.case("grpc_identity", grpc_encoding, server, None)
    tap.case("grpc_gzip", grpc_encoding, server, grpc.Compression.Gzip)
    tap.case("grpc_zstd", grpc_zstd, server)
    for case in (keep_alive, pages_may_not_send, other_signals, wrong_content_type, wrong_method_and_path, malformed,
                 too_large, bombs, nothing_but_bad, duplicates):
        tap.case(case.__name__, case, server)
    tap.case("cors", cors)
    tap.case("cors_only_for_named_origins", cors_only_for_named_origins)
    tap.case("budget_is_given_back", budget_is_given_back)
    for send in (send_protobuf, send_json, send_grpc):
        tap.case("partial_success_" + send.__name__[5:], partial, server, send)
    tap.case("broken_off", broken_off, server, tap.seed)
    tap.case("slow_and_silent_clients_time_out", slow.check)
    server.kill()
