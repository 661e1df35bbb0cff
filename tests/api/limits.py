# SPDX-License-Identifier: Apache-2.0
"""Bounds: TLS, the memory budget under a crowd, the disk budget, the stop under load."""
import gzip
import http.client
import json
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import grpc

from client import EXPORT, expect_stored, new_id, raw, request, span, until
import openmetrics
import otlp
from takt import Server, temporary_directory

MIB = 1 << 20


# --- TLS ----------------------------------------------------------------------------------------

class Certificates:
    """An authority, a server's and a client's certificate."""

    def __init__(self):
        self.directory = temporary_directory()
        self.ca = self.make("ca", "-x509", "-days", "2")
        self.server, self.client = self.sign("localhost"), self.sign("client")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=self.directory)

    def make(self, name, *kind):
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                     "-out", f"{name}.pem", *kind)
        return self.directory / f"{name}.pem"

    def sign(self, name):
        request_file = self.make(name)
        (self.directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signed = self.directory / f"{name}.crt"
        self.openssl("x509", "-req", "-in", request_file, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "2", "-extfile", "names", "-out", signed)
        return signed, self.directory / f"{name}.key"


class TlsServer(Server):
    def __init__(self, certificates, mutual):
        cert, key = certificates.server
        ca = f"  client_ca_file: {certificates.ca}\n" if mutual else ""
        super().__init__(config=f"tls:\n  cert_file: {cert}\n  key_file: {key}\n{ca}")
        self.certificates = certificates
        self.trust = ssl.create_default_context(cafile=str(certificates.ca))
        if mutual:
            self.trust.load_cert_chain(*certificates.client)

    def request(self, method, path, body=None, headers=None, kind="http", timeout_s=60):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port(kind), timeout=timeout_s,
                                                 context=self.trust)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def export(self, sent, with_client=True):
        ca = self.certificates.ca.read_bytes()
        cert, key = self.certificates.client
        own = {"private_key": key.read_bytes(), "certificate_chain": cert.read_bytes()} if with_client else {}
        credentials = grpc.ssl_channel_credentials(ca, **own)
        with grpc.secure_channel(f"localhost:{self.port('otlp-grpc')}", credentials) as channel:
            return channel.unary_unary(EXPORT)(otlp.encode(sent), timeout=20)


def tls_on_all_listeners(certificates):
    with TlsServer(certificates, False) as server:
        for sent, send in ((request(span()), lambda s: server.post_traces(otlp.encode(s))),
                           (request(span()), server.export)):
            send(sent)
            expect_stored(server, sent)
        for kind in ("http", "otlp-grpc", "otlp-http"):  # plain text gets no answer
            with socket.create_connection(("127.0.0.1", server.port(kind)), 10) as s:
                s.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                try:
                    assert not s.recv(100).startswith(b"HTTP/1.1 200"), kind
                except ConnectionResetError:
                    pass
        newest = ssl.create_default_context(cafile=str(certificates.ca))
        newest.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", server.port()), 10) as s, \
                newest.wrap_socket(s, server_hostname="localhost") as t:
            assert t.version() == "TLSv1.2"


def mutual_tls(certificates):
    with TlsServer(certificates, True) as server:
        sent = request(span())
        assert server.export(sent) == b""
        expect_stored(server, sent)
        try:
            server.export(sent, with_client=False)
            raise AssertionError("a client without a certificate was served by gRPC")
        except grpc.RpcError as error:
            assert error.code().name == "UNAVAILABLE", error
        nobody = ssl.create_default_context(cafile=str(certificates.ca))
        for kind in ("http", "otlp-http"):
            connection = http.client.HTTPSConnection("127.0.0.1", server.port(kind), timeout=10, context=nobody)
            try:
                connection.request("GET", "/ready")
                status = connection.getresponse().status
                raise AssertionError(f"a client without a certificate got {status} on {kind}")
            except (ssl.SSLError, ConnectionError, http.client.HTTPException):
                pass
        got = openmetrics.parse(server.get("/metrics")[2].decode())
        assert openmetrics.value(got, "takt_requests_refused_total", reason="tls") >= 3


# --- back-pressure ------------------------------------------------------------------------------

class Crowd:
    """Clients that send one large request each at the same time, and again whatever is refused."""

    def __init__(self, server, n, make_body, headers):
        self.server, self.n, self.make_body, self.headers = server, n, make_body, headers
        self.lock, self.refusals, self.failures, self.gate = threading.Lock(), {}, [], threading.Barrier(n)

    def one(self, number):
        body = self.make_body(number)
        self.gate.wait()
        end = time.monotonic() + 240
        while time.monotonic() < end:
            try:
                status, head, answer = self.server.post_traces(body, headers=self.headers)
            except OSError as error:  # closed while we were sending, after an early answer
                status, head, answer = f"{type(error).__name__}", {"Retry-After": "1"}, b""
            if status == 200:
                if answer:
                    self.failures.append(f"partial success: {answer!r}")
                return
            with self.lock:
                self.refusals[status] = self.refusals.get(status, 0) + 1
            if status not in (429, 503, "ConnectionResetError", "BrokenPipeError", "RemoteDisconnected"):
                self.failures.append(f"{status} {answer!r}")
                return
            if not head.get("Retry-After"):
                self.failures.append(f"{status} without Retry-After")
            time.sleep(random.uniform(0.2, 1.0))
        self.failures.append("no success within 240 s")

    def run(self):
        threads = [threading.Thread(target=self.one, args=(i,)) for i in range(self.n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not self.failures, (len(self.failures), self.failures[:3])


def large_body(dice, n_bytes):
    """(body, trace id, spans): spans of 1 KiB that hardly compress."""
    trace_id = dice.randbytes(16).hex()
    spans = [span(trace_id, attributes=[{"key": "payload", "value": {"stringValue": dice.randbytes(500).hex()}}])
             for _ in range(n_bytes // 1150)]
    return otlp.encode(request(*spans)), trace_id, len(spans)


def crowd(tap_seed, gzipped):
    """200 connections with 4 MiB each against 256 MiB: bounded memory, and nothing is lost."""
    dice, connections = random.Random(tap_seed), 200
    made = [large_body(dice, 4 * MIB) for _ in range(8)]
    bodies = [gzip.compress(body, 1) if gzipped else body for body, _, _ in made]

    def make_body(number):
        """One of the bodies with a trace id of its own."""
        body, trace_id, _ = made[number % 8]
        mine = body.replace(bytes.fromhex(trace_id), ids[number])
        return gzip.compress(mine, 1) if gzipped else mine

    ids = [dice.randbytes(16) for _ in range(connections)]
    server = Server(flags=("--set", "memory.budget=256MiB"))
    with server:
        test = Crowd(server, connections, make_body, {"Content-Encoding": "gzip"} if gzipped else {})
        test.run()
        peak = server.peak_memory()
        print(f"# bodies of {len(bodies[0]) / MIB:.1f} MiB; peak memory {peak / MIB:.0f} MiB; "
              f"refusals by status: {test.refusals}")
        got = openmetrics.parse(server.get("/metrics")[2].decode())
        counted = openmetrics.value(got, "takt_requests_refused_total", protocol="otlp_http")
        refused = sum(test.refusals.values())
        assert counted >= test.refusals.get(429, 0) + test.refusals.get(503, 0), (counted, test.refusals)
        print(f"# {refused} refusals seen, {counted:.0f} counted")
        assert peak <= 1.25 * 256 * MIB, f"peak memory {peak / MIB:.0f} MiB"
        spans = sum(made[i % 8][2] for i in range(connections))
        received = openmetrics.value(got, "takt_spans_received_total", protocol="otlp_http")
        assert received >= spans, f"{received} spans received of {spans}"
        server.flush()
        for i in range(0, connections, 7):
            body = otlp.decode(server.trace_protobuf(ids[i].hex())[1], "TraceByIDResponse")
            n = sum(len(ss["spans"]) for rs in body["trace"]["resourceSpans"] for ss in rs["scopeSpans"])
            assert n == made[i % 8][2], f"trace {i}: {n} spans of {made[i % 8][2]}"
        until("every span is in a block", lambda: server.metrics()["takt_block_spans"] == spans)


def many_large_queries_share_their_memory(seed):
    """Several queries that want more than there is for all: some are answered, the others told to come again; what
    they have together stays within, and small ones get through at any time."""
    dice, limit = random.Random(seed), 32 * MIB
    large = "/api/metrics/query_range?step=10&since=1h&maxSeries=100000&q=" + urllib.parse.quote("{ } | rate() by (span.id)")

    def ask(path, into, times):
        for _ in range(times):
            status, head, body = server.get(path, timeout_s=60)
            into.append((status, head["Retry-After"], head["X-Takt-Partial"], body[:300]))

    with Server(flags=("--set", f"query.max_memory_total={limit}", "--set", "query.max_memory=28MiB",
                       "--set", "query.cache=1")) as server:
        for _ in range(8):
            spans = [span(attributes=[{"key": "id", "value": {"stringValue": dice.randbytes(8).hex()}}]) for _ in range(500)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
        alone = []
        ask(large, alone, 1)
        assert alone[0][0] == 200 and not alone[0][2], alone[0]
        answers, small, refused, most = [], [], [], 0
        while not refused and len(answers) < 400:  # who waits may be served
            threads = [threading.Thread(target=ask, args=(large, answers, 4)) for _ in range(8)]
            threads.append(threading.Thread(target=ask, args=("/api/search?limit=1", small, 40)))
            for t in threads:
                t.start()
            while any(t.is_alive() for t in threads):
                most = max(most, server.metrics()["takt_query_memory_bytes"])
                time.sleep(0.01)
            refused = [a for a in answers if a[0] != 200]
        print(f"# {len(answers)} large queries, {len(refused)} told to come again; {most / MIB:.0f} MiB of {limit / MIB:.0f} at most")
        assert all(a[:3] == alone[0][:3] for a in answers if a[0] == 200), "an answer that lacks something"
        assert all(a[0] == 429 and a[1] == "1" and b"query.max_memory_total, 32 MiB" in a[3] for a in refused), refused[:2]
        assert refused and len(refused) < len(answers), (len(refused), len(answers))
        assert all(a[0] == 200 for a in small), small
        got = server.metrics()
        assert most <= limit == got["takt_query_memory_limit_bytes"], most
        assert got["takt_query_memory_refused_total"] == len(refused) <= got["takt_query_memory_waits_total"], got
        until("all is given back", lambda: server.metrics()["takt_query_memory_bytes"] == 0, 10)


def slow_readers_hold_no_more_than_their_share(seed):
    """Many ask for a large trace and read nothing of it: the rest is told to come later, the small ones are answered."""
    dice = random.Random(seed)
    with Server(flags=("--set", "memory.budget=128MiB")) as server:
        trace = new_id()
        for _ in range(10):
            texts = [{"key": f"text.{i}", "value": {"stringValue": dice.randbytes(50 << 10).hex()}} for i in range(8)]
            assert server.post_traces(otlp.encode(request(span(trace, attributes=texts))))[0] == 200
        path = f"/api/v2/traces/{trace}"
        status, _, body = server.get(path)
        assert status == 200 and len(body) > 7 * MIB, (status, len(body))
        held, before = [], server.peak_memory()
        for _ in range(40):
            s = socket.create_connection(("127.0.0.1", server.port()))
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            held.append(s)
        value = lambda name: openmetrics.value(openmetrics.parse(server.get("/metrics")[2].decode()), name)
        until("most are refused", lambda: value("takt_answers_refused_total") >= 35, 60)
        assert 7 * MIB < value("takt_answers_waiting_bytes") <= 16 * MIB, value("takt_answers_waiting_bytes")
        status, head, body = server.get(path)
        assert status == 429 and head["Retry-After"] and b"read slowly" in body, (status, body[:100])
        assert server.get("/api/search?limit=1")[0] == 200
        grown = server.peak_memory() - before
        assert grown < 48 * MIB, f"{grown / MIB:.0f} MiB more"
        for s in held:
            s.close()
        until("the large answer is to be had again", lambda: server.get(path)[0] == 200, 30)
        until("nothing is left", lambda: value("takt_answers_waiting_bytes") == 0, 30)


def large_traces_stay_in_the_budget(seed):
    """A hundred ask for a trace of 60,000 spans in every form and read nothing of it; then they read."""
    dice, trace, clients = random.Random(seed), new_id(), 100
    forms = [("", f"/api/v2/traces/{trace}"), ("Accept: application/protobuf\r\n", f"/api/v2/traces/{trace}"),
             ("", f"/api/traces/{trace}"), ("", f"/api/takt/traces/{trace}/json"),
             ("Accept-Encoding: gzip\r\n", f"/api/v2/traces/{trace}")]

    def ask(number):
        headers, path = forms[number % len(forms)]
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", server.port()))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
        return s

    def read(s):
        """(status, body, whether the answer says when to come again)"""
        answer = http.client.HTTPResponse(s)
        answer.begin()
        body = answer.read()
        s.close()
        body = gzip.decompress(body) if answer.getheader("Content-Encoding") else body
        return answer.status, without_metrics(body), bool(answer.getheader("Retry-After"))

    def without_metrics(body):
        """How much was read of the disk differs from time to time; it comes last."""
        if body[:1] != b"\n":
            return body.rsplit(b'"metrics"', 1)[0]
        size = shift = 0
        for at in range(1, 11):
            size, shift = size | (body[at] & 127) << shift, shift + 7
            if body[at] < 128:
                return body[:at + 1 + size]

    with Server(flags=("--set", "memory.budget=256MiB", "--set", "head.cut_age=1h")) as server:
        for _ in range(12):
            spans = [span(trace, attributes=[{"key": f"k{i}", "value": {"stringValue": dice.randbytes(12).hex()}}
                                             for i in range(6)]) for _ in range(5000)]
            assert server.post_traces(otlp.encode(request(*spans)))[0] == 200
        server.flush()
        whole = [read(ask(i)) for i in range(len(forms))]
        assert all(status == 200 and len(body) > 15 * MIB for status, body, _ in whole), [(w[0], len(w[1])) for w in whole]
        assert whole[4][1] == whole[0][1] and len(json.loads(whole[2][1])) == 1, "packed is another answer"
        assert sum(len(ss["spans"]) for rs in json.loads(whole[3][1])["resourceSpans"] for ss in rs["scopeSpans"]) == 60000
        one = server.peak_memory()
        held = [ask(i) for i in range(clients)]
        until("all are on their way, and hold no worker", lambda: server.metrics()["takt_answers_refused_total"] >= clients / 2
              and server.metrics()["takt_queries_running"] == 0, 120)
        assert server.get("/api/search?limit=1", timeout_s=20)[0] == 200
        peak = server.peak_memory()
        print(f"# peak {one / MIB:.0f} MiB one by one, {peak / MIB:.0f} MiB with {clients} that read nothing")
        assert peak <= 1.25 * 256 * MIB, f"peak memory {peak / MIB:.0f} MiB"
        answers = [read(s) for s in held]
        for i, (status, body, again) in enumerate(answers):
            assert (status, body) == whole[i % len(forms)][:2] if status == 200 else status in (429, 503) and again, (i, status, body[:80])
        refused, counted = sum(status != 200 for status, _, _ in answers), server.metrics()["takt_answers_refused_total"]
        assert counted == refused, (counted, refused)
        until("nothing is left", lambda: server.metrics()["takt_answers_waiting_bytes"] == 0, 30)


def slow_readers_of_long_searches_hold_up_nobody(seed):
    """As many as there are workers ask for all texts and read none: the next question is answered all the same."""
    dice = random.Random(seed)
    readers = min(max(2, os.cpu_count()), 12)
    with Server(flags=("--set", "memory.budget=1GiB")) as server:
        for _ in range(10):
            texts = [[{"key": "text", "value": {"stringValue": dice.randbytes(30 << 10).hex()}}] for _ in range(15)]
            assert server.post_traces(otlp.encode(request(*[span(attributes=t) for t in texts])))[0] == 200
        path = "/api/search?limit=1000&q=" + urllib.parse.quote("{ } | select(span.text)")
        status, head, body = server.get(path)
        assert status == 200 and len(body) > 8 * MIB and head["Transfer-Encoding"] == "chunked", (status, len(body), head.items())
        held = []
        for _ in range(readers):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", server.port()))
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            held.append(s)
        until("all wait for their readers", lambda: server.metrics()["takt_answers_waiting_bytes"] > 2 * MIB * readers, 30)
        assert server.get("/api/search?limit=1", timeout_s=20)[0] == 200  # less than a slow reader is waited for
        for s in held:
            s.close()
        until("nothing is left", lambda: server.metrics()["takt_answers_waiting_bytes"] == 0, 30)
        assert server.get(path)[2] == body


# --- web pages ----------------------------------------------------------------------------------

def status_of(server, host, path="/api/search?limit=1", method="GET", **headers):
    return server.request(method, path, headers={"Host": host, **headers})[0]


def names_that_lead_here():
    """A page whose name was made to lead to this machine reads nothing; who is meant to ask by a name, may."""
    search = "/tempopb.StreamingQuerier/SearchTags"

    def grpc_status(server, authority, kind="http", path=search, body=b""):
        options = [("grpc.default_authority", authority)]
        with grpc.insecure_channel(f"127.0.0.1:{server.port(kind)}", options=options) as channel:
            try:
                list(channel.unary_stream(path)(body, timeout=20))
                return "OK"
            except grpc.RpcError as error:
                return error.code().name

    with Server() as server:
        for path in ("/", "/api/search", "/api/traces/1", "/metrics", "/ready", "/status", "/api/takt/status", "/nowhere"):
            status, _, body = server.request("GET", path, headers={"Host": "evil.example:3200"})
            assert status == 403 and b"http.hosts" in body and b'"evil.example:3200"' in body, (path, status, body)
        assert status_of(server, "evil.example", "/flush", "POST") == 403
        for host in ("127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1", "0.0.0.0"):
            assert status_of(server, host) == 403, host
        for host in ("localhost", "LocalHost:1", "127.0.0.1", "127.1.2.3:80", "[::1]:3200"):
            assert status_of(server, host) == 200, host
        assert raw(server, b"GET /ready HTTP/1.0\r\n\r\n", "http")[0].startswith(b"HTTP/1.1 200")  # no browser
        target = b"GET http://evil.example/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert raw(server, target, "http")[0].startswith(b"HTTP/1.1 403")
        assert grpc_status(server, "localhost:3200") == "OK"
        assert grpc_status(server, "evil.example") == "PERMISSION_DENIED"
        # Data comes in by any name: a page learns nothing from it, and collectors have names of their own.
        body = otlp.encode(request(span()))
        headers = {"Content-Type": "application/x-protobuf", "Host": "collector.example:4318"}
        assert server.request("POST", "/v1/traces", body, headers, "otlp-http")[0] == 200
        assert grpc_status(server, "collector.example", "otlp-grpc", EXPORT, body) == "OK"
    with Server(flags=("--set", "http.hosts=takt.example, other.example")) as server:
        assert [status_of(server, h) for h in ("takt.example", "OTHER.example:8443", "evil.example", "localhost")] == [200, 200, 403, 200]
    with Server(flags=("--set", "http.hosts=*")) as server:
        assert status_of(server, "evil.example") == 200
    with Server(flags=("--http", "0.0.0.0:0")) as server:  # whoever can reach it may read it
        assert status_of(server, "host.docker.internal:3200") == 200


def pages_change_nothing():
    """What changes something is for tools, the test span for pages of this server too."""
    with Server() as server:
        own = f"127.0.0.1:{server.port()}"
        for origin in (f"http://{own}", "https://evil.example", "null"):
            assert status_of(server, own, "/flush", "POST", Origin=origin) == 403, origin
        assert status_of(server, own, "/flush", "POST") == 200
        for want, host, headers in ((200, own, {}), (200, own, {"Origin": f"http://{own}"}), (403, own, {"Origin": "null"}),
                                    (403, own, {"Origin": "https://evil.example"}), (403, own, {"Origin": f"ftp://{own}"}),
                                    (200, "localhost", {"Origin": "https://proxy.example", "Sec-Fetch-Site": "same-origin"}),
                                    (403, "localhost", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})):
            assert status_of(server, host, "/api/takt/test-span", "POST", **headers) == want, (want, host, headers)


# --- the disk -----------------------------------------------------------------------------------

DISK = ("--set", "disk.budget=64MiB", "--set", "head.cut_bytes=8MiB", "--set", "wal.segment_bytes=1MiB",
        "--set", "merge.enabled=false")


def fill(server, dice, n):
    """Sends n requests of about 3 MiB; returns the statuses."""
    statuses = []
    for i in range(n):
        statuses.append(server.post_traces(large_body(dice, 3 * MIB)[0])[0])
        if i % 2:
            server.flush()
    return statuses


def disk_full_refuses(seed):
    with Server(flags=DISK) as server:
        dice = random.Random(seed)
        assert fill(server, dice, 1) == [200]
        statuses = fill(server, dice, 60)
        assert statuses[0] == 200 and statuses[-1] == 429, statuses
        status, head, body = server.post_traces(otlp.encode(request(span())))
        assert status == 429 and head["Retry-After"] and b"disk" in body, (status, head.items(), body)
        got = openmetrics.parse(server.get("/metrics")[2].decode())
        assert openmetrics.value(got, "takt_requests_refused_total", reason="disk") > 0
        assert openmetrics.value(got, "takt_ingest_saturation") == 1
        assert openmetrics.value(got, "takt_spans_dropped_total") == 0
        used = sum(f.stat().st_size for f in server.data.rglob("*") if f.is_file())
        assert used < 66 * MIB, f"{used / MIB:.0f} MiB on disk"


def disk_full_drops_the_oldest(seed):
    with Server(flags=(*DISK, "--set", "disk.when_full=drop_oldest")) as server:
        dice = random.Random(seed)
        oldest = request(span())
        assert server.post_traces(otlp.encode(oldest))[0] == 200
        server.flush()
        assert fill(server, dice, 40) == [200] * 40
        newest = request(span())
        assert server.post_traces(otlp.encode(newest))[0] == 200
        expect_stored(server, newest)
        gone = until("the oldest is gone", lambda: server.get(
            f"/api/traces/{oldest['resourceSpans'][0]['scopeSpans'][0]['spans'][0]['traceId']}")[0] == 404)
        got = openmetrics.parse(server.get("/metrics")[2].decode())
        assert gone and openmetrics.value(got, "takt_spans_dropped_total", reason="disk_budget") > 0
        used = until("the budget is kept", lambda: sum(
            f.stat().st_size for f in server.data.rglob("*") if f.is_file()) < 70 * MIB)
        assert used


def facts_fill_the_disk(seed):
    """Bodies of webhooks are kept for ever, and count: at the budget they are refused as traces are, and said."""
    with Server(flags=DISK) as server:
        dice = random.Random(seed)

        def tell(i):
            body = {"specversion": "1.0", "id": f"{seed}-{i}", "source": "test", "type": "org.example.big",
                    "data": dice.randbytes(MIB).hex()}
            return server.request("POST", "/events", json.dumps(body).encode(), {"Content-Type": "application/cloudevents+json"})

        def tell_until_full(first):
            statuses = []
            while len(statuses) < 40 and 429 not in statuses:
                statuses.append(tell(first + len(statuses))[0])
            assert statuses == [202] * (len(statuses) - 1) + [429], statuses

        tell_until_full(0)
        assert "disk.full_of_facts" not in server.log.read_text()
        status, head, body = tell(1000)
        assert status == 429 and head["Retry-After"] and b"disk budget" in body, (status, body)
        value = lambda name, **labels: openmetrics.value(openmetrics.parse(server.get("/metrics")[2].decode()), name, **labels)
        facts = sum(f.stat().st_size for f in server.data.glob("facts.db*"))
        assert value("takt_disk_bytes", of="facts") == facts > 50 * MIB and facts < 66 * MIB, facts
        assert value("takt_disk_budget_bytes") == 64 * MIB and value("takt_delivery_requests_refused_total", reason="disk") == 2
        until("traces are refused too", lambda: server.post_traces(otlp.encode(request(span())))[0] == 429, 30)
        assert value("takt_disk_full") == 1
        store = server.get_json("/api/takt/status")["store"]
        assert store["disk_full"] and store["facts_bytes"] == facts and store["disk_bytes"] >= facts, store
        assert f"facts {facts} of them: full" in server.get("/status")[2].decode()
        assert "disk.full" in server.log.read_text()
        server.stop()
        # Blocks that go make no room where the facts alone fill it: none goes.
        server.flags += ["--set", "disk.when_full=drop_oldest"]
        server.start()
        tell_until_full(100)  # the journal of the facts went at the stop
        until("full", lambda: value("takt_disk_full") == 1, 30)
        assert value("takt_spans_dropped_total") == 0 and tell(1001)[0] == 429
        server.stop()
        # Where the facts leave no room at all, the server still answers, and its log says what is needed.
        server.flags += ["--set", "head.cut_bytes=48MiB"]
        server.start()
        assert "disk.full_of_facts" in server.log.read_text() and tell(1001)[0] == 429
        assert server.get("/api/takt/delivery/measures")[0] == 200
        server.stop()
        server.flags += ["--set", "disk.budget=256MiB", "--set", "head.cut_bytes=8MiB"]
        server.start()
        until("there is room", lambda: value("takt_disk_full") == 0, 30)
        assert tell(1002)[0] == 202 and server.post_traces(otlp.encode(request(span())))[0] == 200


# --- the stop -----------------------------------------------------------------------------------

def stop_under_load(seed):
    """SIGTERM while requests rain: over within 2 s, and what was acknowledged is there afterwards."""
    server, acked, stopping = Server(), [], threading.Event()
    server.start()

    def send():
        while not stopping.is_set():
            one = span()
            try:
                if server.post_traces(otlp.encode(request(one, *[span(one["traceId"]) for _ in range(50)])))[0] == 200:
                    acked.append(one["traceId"])
            except OSError:
                time.sleep(0.01)

    def ask():
        while not stopping.is_set():
            try:
                server.get("/api/search?limit=1000")
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)

    def hold():
        """An idle connection and one in the middle of a request."""
        with socket.create_connection(("127.0.0.1", server.port("otlp-http"))) as s:
            s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: a\r\n")
            stopping.wait()

    threads = [threading.Thread(target=f) for f in (send, send, send, send, ask, hold)]
    for t in threads:
        t.start()
    time.sleep(1.5)
    code, seconds = server.stop()
    stopping.set()
    for t in threads:
        t.join()
    assert code == 0 and seconds < 2, f"exit code {code} after {seconds:.2f} s"
    assert len(acked) > 20, len(acked)
    print(f"# {len(acked)} requests acknowledged, stopped in {seconds:.2f} s")
    server.start()
    for trace_id in acked:
        body = otlp.decode(server.trace_protobuf(trace_id)[1], "TraceByIDResponse")
        n = sum(len(ss["spans"]) for rs in body["trace"]["resourceSpans"] for ss in rs["scopeSpans"])
        assert n == 51, (trace_id, n)
    server.kill()


def flush():
    with Server() as server:
        server.flush()  # of nothing
        assert server.metrics()["takt_blocks"] == 0
        sent = request(span())
        assert server.post_traces(otlp.encode(sent))[0] == 200
        server.flush()
        assert re.search(r"block", str(list(server.data.rglob("*.parquet")))), "no file of a block"
        got = server.metrics()
        assert (got["takt_blocks"], got["takt_head_spans"]) == (1, 0), got
        expect_stored(server, sent)


def cases(tap):
    certificates = Certificates()
    tap.case("tls_on_all_listeners", tls_on_all_listeners, certificates)
    tap.case("mutual_tls", mutual_tls, certificates)
    tap.case("flush", flush)
    tap.case("stop_under_load", stop_under_load, tap.seed)
    tap.case("crowd_of_200", crowd, tap.seed, False)
    tap.case("crowd_of_200_with_gzip", crowd, tap.seed, True)
    tap.case("many_large_queries_share_their_memory", many_large_queries_share_their_memory, tap.seed)
    tap.case("slow_readers_hold_no_more_than_their_share", slow_readers_hold_no_more_than_their_share, tap.seed)
    tap.case("large_traces_stay_in_the_budget", large_traces_stay_in_the_budget, tap.seed)
    tap.case("slow_readers_of_long_searches_hold_up_nobody", slow_readers_of_long_searches_hold_up_nobody, tap.seed)
    tap.case("names_that_lead_here", names_that_lead_here)
    tap.case("pages_change_nothing", pages_change_nothing)
    tap.case("disk_full_refuses", disk_full_refuses, tap.seed)
    tap.case("facts_fill_the_disk", facts_fill_the_disk, tap.seed)
    tap.case("disk_full_drops_the_oldest", disk_full_drops_the_oldest, tap.seed)
