# SPDX-License-Identifier: Apache-2.0
"""Requests of these tests, and the ways they are sent and looked for."""
import base64
import json
import os
import socket
import struct
import time

import grpc

import otlp

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
NOW = time.time_ns()
ZSTD_BLOCK = 128 << 10


def new_id(n_bytes=16):
    return os.urandom(n_bytes).hex()


def span(trace_id=None, **fields):
    return {"traceId": trace_id or new_id(), "spanId": new_id(8), "name": "a span", "kind": 1,
            "startTimeUnixNano": NOW, "endTimeUnixNano": NOW + 10 ** 7, **fields}


def request(*spans, service="api-test"):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "t"},
                                                                     "spans": list(spans)}]}]}


def as_json(obj):
    """OTLP/JSON of a request."""
    def plain(value):
        if isinstance(value, dict):
            return {k: str(v) if k in ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "intValue")
                    else plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return json.dumps(plain(obj)).encode()


def zstd_stored(data):
    """A zstd frame (RFC 8878) whose blocks are stored as they are: one segment, its size in 4 bytes."""
    out = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
    blocks = [data[i:i + ZSTD_BLOCK] for i in range(0, len(data), ZSTD_BLOCK)] or [b""]
    for i, block in enumerate(blocks):
        out += struct.pack("<I", len(block) << 3 | (i == len(blocks) - 1))[:3] + block
    return out


def zstd_bomb(n_bytes):
    """A frame of unknown size with a window of 128 KiB whose blocks repeat one byte."""
    n = n_bytes // ZSTD_BLOCK
    out = struct.pack("<IBB", 0xFD2FB528, 0, 7 << 3)
    for i in range(n):
        out += struct.pack("<I", ZSTD_BLOCK << 3 | 1 << 1 | (i == n - 1))[:3] + b"\0"
    return out


def channel(server):
    return grpc.insecure_channel(f"127.0.0.1:{server.port('otlp-grpc')}",
                                 options=[("grpc.max_receive_message_length", -1)])


def grpc_send(server, body, path=EXPORT, compression=None, timeout_s=30):
    """(status name, answer or text)"""
    with channel(server) as c:
        try:
            return "OK", c.unary_unary(path)(body, timeout=timeout_s, compression=compression)
        except grpc.RpcError as error:
            return error.code().name, error.details()


def partial_success(body):
    """(rejected spans, text) of an ExportTraceServiceResponse; (0, "") when all were taken."""
    partial = otlp.decode(body, "ExportResponse").get("partialSuccess", {})
    return partial.get("rejectedSpans", 0), partial.get("errorMessage", "")


def expect_stored(server, sent):
    """Each trace of the request comes back as it was sent, and is in both lists."""
    traces = {}
    for rs in sent["resourceSpans"]:
        for ss in rs["scopeSpans"]:
            for s in ss["spans"]:
                part = {**rs, "scopeSpans": [{**ss, "spans": [s]}]}
                traces.setdefault(s["traceId"], {"resourceSpans": []})["resourceSpans"].append(part)
    listed = {t["traceID"].zfill(32) for t in server.get_json("/api/search?limit=10000")["traces"]}
    page = {t["traceId"] for t in server.get_json("/api/takt/traces?limit=10000")["traces"]}
    for trace_id, want in traces.items():
        status, body = server.trace_protobuf(trace_id)
        assert status == 200, status
        differs = otlp.difference(want, otlp.decode(body, "TraceByIDResponse").get("trace", {}))
        assert not differs, differs
        assert trace_id in listed, f"{trace_id} is not found by the search"
        assert trace_id in page, f"{trace_id} is not in the list of the web app"


def expect_absent(server, trace_id):
    status, _, body = server.get(f"/api/traces/{trace_id}")
    assert status == 404, (status, body)


def raw(server, data, kind="otlp-http", timeout_s=15):
    """Sends bytes; returns (what came back until the other side closed, seconds)."""
    began, out = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", server.port(kind)), timeout_s) as s:
        s.sendall(data)
        try:
            while chunk := s.recv(65536):
                out += chunk
        except ConnectionResetError:
            pass
    return out, time.monotonic() - began


def until(what, check, timeout_s=20, pause_s=0.05):
    """Waits until check() is true; returns its value."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(pause_s)
    raise AssertionError(f"not within {timeout_s} s: {what}")
