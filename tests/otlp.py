# SPDX-License-Identifier: Apache-2.0
"""OTLP traces as plain dictionaries, from and to protobuf and from JSON: a second implementation that
tests compare Takt's with. Slow, generic, driven by the table below.

Names are those of OTLP/JSON; ids are hex text, bytes are bytes, integers int. What is empty or zero is
left out, except inside values, where an absent kind differs from a zero one."""
import base64
import json
import struct

# message: {field number: (name, type, repeated)}; types in capitals are messages of this table.
SCHEMA = {
    "Request": {1: ("resourceSpans", "ResourceSpans", True)},
    "TraceByIDResponse": {1: ("trace", "Request", False), 2: ("metrics", "Metrics", False),
                          3: ("status", "enum", False), 4: ("message", "string", False)},
    "Metrics": {1: ("inspectedBytes", "uint64", False)},
    "ExportResponse": {1: ("partialSuccess", "PartialSuccess", False)},
    "PartialSuccess": {1: ("rejectedSpans", "int64", False), 2: ("errorMessage", "string", False)},
    "RpcStatus": {1: ("code", "int32", False), 2: ("message", "string", False)},
    "ResourceSpans": {1: ("resource", "Resource", False), 2: ("scopeSpans", "ScopeSpans", True),
                      3: ("schemaUrl", "string", False)},
    "Resource": {1: ("attributes", "KeyValue", True), 2: ("droppedAttributesCount", "uint32", False)},
    "ScopeSpans": {1: ("scope", "Scope", False), 2: ("spans", "Span", True),
                   3: ("schemaUrl", "string", False)},
    "Scope": {1: ("name", "string", False), 2: ("version", "string", False),
              3: ("attributes", "KeyValue", True), 4: ("droppedAttributesCount", "uint32", False)},
    "Span": {1: ("traceId", "id", False), 2: ("spanId", "id", False), 3: ("traceState", "string", False),
             4: ("parentSpanId", "id", False), 5: ("name", "string", False), 6: ("kind", "enum", False),
             7: ("startTimeUnixNano", "fixed64", False), 8: ("endTimeUnixNano", "fixed64", False),
             9: ("attributes", "KeyValue", True), 10: ("droppedAttributesCount", "uint32", False),
             11: ("events", "Event", True), 12: ("droppedEventsCount", "uint32", False),
             13: ("links", "Link", True), 14: ("droppedLinksCount", "uint32", False),
             15: ("status", "Status", False), 16: ("flags", "fixed32", False)},
    "Event": {1: ("timeUnixNano", "fixed64", False), 2: ("name", "string", False),
              3: ("attributes", "KeyValue", True), 4: ("droppedAttributesCount", "uint32", False)},
    "Link": {1: ("traceId", "id", False), 2: ("spanId", "id", False), 3: ("traceState", "string", False),
             4: ("attributes", "KeyValue", True), 5: ("droppedAttributesCount", "uint32", False),
             6: ("flags", "fixed32", False)},
    "Status": {2: ("message", "string", False), 3: ("code", "enum", False)},
    "KeyValue": {1: ("key", "string", False), 2: ("value", "AnyValue", False)},
    "AnyValue": {1: ("stringValue", "string", False), 2: ("boolValue", "bool", False),
                 3: ("intValue", "int64", False), 4: ("doubleValue", "double", False),
                 5: ("arrayValue", "ArrayValue", False), 6: ("kvlistValue", "KeyValueList", False),
                 7: ("bytesValue", "bytes", False)},
    "ArrayValue": {1: ("values", "AnyValue", True)},
    "KeyValueList": {1: ("values", "KeyValue", True)},

    # Tempo's API, package tempopb. "{}" in front of a message: a map from text to it.
    "SearchRequest": {1: ("tags", "{}string", True), 2: ("minDurationMs", "uint32", False),
                      3: ("maxDurationMs", "uint32", False), 4: ("limit", "uint32", False),
                      5: ("start", "uint32", False), 6: ("end", "uint32", False), 8: ("query", "string", False),
                      9: ("spansPerSpanSet", "uint32", False)},
    "SearchResponse": {1: ("traces", "FoundTrace", True), 2: ("metrics", "SearchMetrics", False)},
    "FoundTrace": {1: ("traceID", "string", False), 2: ("rootServiceName", "string", False),
                   3: ("rootTraceName", "string", False), 4: ("startTimeUnixNano", "uint64", False),
                   5: ("durationMs", "uint32", False), 6: ("spanSet", "SpanSet", False),
                   7: ("spanSets", "SpanSet", True), 8: ("serviceStats", "{}ServiceStats", True)},
    "ServiceStats": {1: ("spanCount", "uint32", False), 2: ("errorCount", "uint32", False)},
    "SpanSet": {1: ("spans", "FoundSpan", True), 2: ("matched", "uint32", False),
                3: ("attributes", "KeyValue", True)},
    "FoundSpan": {1: ("spanID", "string", False), 2: ("name", "string", False),
                  3: ("startTimeUnixNano", "uint64", False), 4: ("durationNanos", "uint64", False),
                  5: ("attributes", "KeyValue", True)},
    "SearchMetrics": {1: ("inspectedTraces", "uint32", False), 2: ("inspectedBytes", "uint64", False),
                      3: ("totalBlocks", "uint32", False), 4: ("completedJobs", "uint32", False),
                      5: ("totalJobs", "uint32", False), 6: ("totalBlockBytes", "uint64", False),
                      7: ("inspectedSpans", "uint64", False)},
    "MetadataMetrics": {1: ("inspectedBytes", "uint64", False), 2: ("totalJobs", "uint32", False),
                        3: ("completedJobs", "uint32", False), 4: ("totalBlocks", "uint32", False),
                        5: ("totalBlockBytes", "uint64", False)},
    "TagsRequest": {1: ("scope", "string", False), 2: ("query", "string", False), 3: ("start", "uint32", False),
                    4: ("end", "uint32", False), 5: ("maxTagsPerScope", "uint32", False)},
    "TagsResponse": {1: ("tagNames", "string", True), 2: ("metrics", "MetadataMetrics", False)},
    "TagsV2Response": {1: ("scopes", "TagsScope", True), 2: ("metrics", "MetadataMetrics", False)},
    "TagsScope": {1: ("name", "string", False), 2: ("tags", "string", True)},
    "ValuesRequest": {1: ("tagName", "string", False), 2: ("query", "string", False),
                      3: ("start", "uint32", False), 4: ("end", "uint32", False),
                      5: ("maxTagValues", "uint32", False)},
    "ValuesResponse": {1: ("tagValues", "string", True), 2: ("metrics", "MetadataMetrics", False)},
    "ValuesV2Response": {1: ("tagValues", "TagValue", True), 2: ("metrics", "MetadataMetrics", False)},
    "TagValue": {1: ("type", "string", False), 2: ("value", "string", False)},
    "RangeRequest": {1: ("query", "string", False), 2: ("start", "uint64", False), 3: ("end", "uint64", False),
                     4: ("step", "uint64", False), 16: ("exemplars", "uint32", False),
                     17: ("maxSeries", "uint32", False)},
    "RangeResponse": {1: ("series", "TimeSeries", True), 2: ("metrics", "SearchMetrics", False),
                      3: ("status", "enum", False), 4: ("message", "string", False)},
    "TimeSeries": {1: ("labels", "KeyValue", True), 2: ("samples", "Sample", True),
                   4: ("exemplars", "Exemplar", True)},
    "Sample": {2: ("timestampMs", "int64", False), 1: ("value", "double", False)},
    "Exemplar": {1: ("labels", "KeyValue", True), 2: ("value", "double", False),
                 3: ("timestampMs", "int64", False)},
    "InstantRequest": {1: ("query", "string", False), 2: ("start", "uint64", False), 3: ("end", "uint64", False)},
    "InstantResponse": {1: ("series", "InstantSeries", True), 2: ("metrics", "SearchMetrics", False),
                        3: ("status", "enum", False), 4: ("message", "string", False)},
    "InstantSeries": {1: ("labels", "KeyValue", True), 2: ("value", "double", False)},
}
# What proto3 says is text, or a number that JSON writes as text.
JSON_TYPES = {"string": str, "bytes": str, "id": str, "enum": str, "bool": bool, "int64": str, "uint64": str,
              "fixed64": str, "int32": int, "uint32": int, "fixed32": int}
ENUMS = {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3,
         "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5, "STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1,
         "STATUS_CODE_ERROR": 2, "COMPLETE": 0, "PARTIAL": 1}
WIRE = {"fixed64": 1, "double": 1, "fixed32": 5, "string": 2, "bytes": 2, "id": 2}


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _scalar_of(kind, raw):
    if kind == "string":
        return raw.decode()
    if kind == "id":
        return raw.hex()
    if kind == "bool":
        return bool(raw)
    if kind == "int64":
        return raw - (1 << 64) if raw >> 63 else raw
    if kind == "double":
        return struct.unpack("<d", struct.pack("<Q", raw))[0]
    return raw


def _entry_of(raw, kind):
    """(key, value) of an entry of a map."""
    entry = {}
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        size, at = _read_varint(raw, at)
        if tag not in (10, 18):
            raise ValueError(f"an entry of a map has no field {tag >> 3}")
        entry[tag >> 3], at = raw[at:at + size], at + size
    value = entry.get(2, b"")
    return entry.get(1, b"").decode(), decode(value, kind) if kind in SCHEMA else value.decode()


def decode(data, message="Request"):
    """Protobuf to a dictionary."""
    out, at = {}, 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            raw, at = _read_varint(data, at)
        elif wire == 1:
            raw, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif wire == 5:
            raw, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif wire == 2:
            size, at = _read_varint(data, at)
            raw, at = bytes(data[at:at + size]), at + size
            if len(raw) < size:
                raise ValueError("cut short")
        else:
            raise ValueError(f"wire type {wire}")
        if number not in SCHEMA[message]:
            raise ValueError(f"{message} has no field {number}")
        name, kind, repeated = SCHEMA[message][number]
        if kind.startswith("{}"):
            key, value = _entry_of(raw, kind[2:])
            out.setdefault(name, {})[key] = value
            continue
        value = decode(raw, kind) if kind in SCHEMA else _scalar_of(kind, raw)
        if repeated:
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def _encode_one(number, kind, value):
    if kind in SCHEMA:
        raw = encode(value, kind)
        return _varint(number << 3 | 2) + _varint(len(raw)) + raw
    wire = WIRE.get(kind, 0)
    head = _varint(number << 3 | wire)
    if kind == "double":
        return head + struct.pack("<d", value)
    if wire == 1:
        return head + struct.pack("<Q", value)
    if wire == 5:
        return head + struct.pack("<I", value)
    if wire == 2:
        raw = value.encode() if kind == "string" else bytes.fromhex(value) if kind == "id" else value
        return head + _varint(len(raw)) + raw
    return head + _varint(int(value) & (1 << 64) - 1)


def encode(obj, message="Request"):
    """A dictionary to protobuf."""
    out = b""
    for number, (name, kind, repeated) in SCHEMA[message].items():
        if name in obj and kind.startswith("{}"):
            for key, value in obj[name].items():
                raw = _varint(10) + _varint(len(key.encode())) + key.encode()
                text = encode(value, kind[2:]) if kind[2:] in SCHEMA else value.encode()
                raw += _varint(18) + _varint(len(text)) + text
                out += _varint(number << 3 | 2) + _varint(len(raw)) + raw
        elif name in obj:
            values = obj[name] if repeated else [obj[name]]
            out += b"".join(_encode_one(number, kind, value) for value in values)
    return out


def _id_of_json(text):
    """Hex as OTLP/JSON has it, or base64 as Tempo's JSON has it."""
    is_hex = len(text) in (16, 32) and all(c in "0123456789abcdefABCDEF" for c in text)
    return text.lower() if is_hex else base64.b64decode(text).hex()


def from_json(obj, message="Request"):
    """Parsed JSON (OTLP/JSON, or what the API answers) to a dictionary."""
    names = {name: (kind, repeated) for name, kind, repeated in SCHEMA[message].values()}
    out = {}
    for name, value in obj.items():
        if name not in names:
            raise ValueError(f"{message} has no field {name!r}")
        kind, repeated = names[name]
        if value is None:
            continue
        if kind.startswith("{}"):
            out[name] = {k: from_json(v, kind[2:]) for k, v in value.items()}
            continue
        out[name] = [_from_json_one(v, kind) for v in value] if repeated else _from_json_one(value, kind)
    return out


def check_json(obj, message, at=""):
    """Refuses what a strict client of protobuf's JSON would: fields that it does not know, and values of another
    JSON type; and zero values, which are left out. Lists may be empty at the top."""
    names = {name: (kind, repeated) for name, kind, repeated in SCHEMA[message].values()}
    for name, value in obj.items():
        where = f"{at}{message}.{name}"
        assert name in names, f"{where}: there is no such field"
        kind, repeated = names[name]
        if kind.startswith("{}"):
            assert isinstance(value, dict) and value, where
            for v in value.values():
                check_json(v, kind[2:], where + " ")
            continue
        assert not repeated or (isinstance(value, list) and (value or not at)), where
        for v in value if repeated else [value]:
            if kind in SCHEMA:
                check_json(v, kind, where + " ")
            elif kind == "double":
                assert isinstance(v, (int, float)) or v in ("NaN", "Infinity", "-Infinity"), (where, v)
            else:
                assert type(v) is JSON_TYPES[kind], (where, v)
            zero = v in ("", 0, False) or (v == "0" and kind not in ("string", "bytes", "id"))
            assert message == "AnyValue" or repeated or not zero, (where, v)


def parse_json(text):
    """json.loads, but -0 stays what it is."""
    return json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def _from_json_one(value, kind):
    if kind in SCHEMA:
        return from_json(value, kind)
    if kind == "id":
        return _id_of_json(value)
    if kind == "bytes":
        return base64.b64decode(value)
    if kind == "enum":
        return ENUMS[value] if isinstance(value, str) else value
    if kind == "double":
        return float(value)
    return int(value) if kind in ("int64", "uint64", "uint32", "fixed64", "fixed32") else value


def _freeze_value(value):
    if not value:
        return ("none",)
    (kind, v), = value.items()
    if kind == "arrayValue":
        return kind, tuple(_freeze_value(x) for x in v.get("values", []))
    if kind == "kvlistValue":
        return kind, tuple((x.get("key", ""), _freeze_value(x.get("value"))) for x in v.get("values", []))
    if kind == "doubleValue":
        return kind, struct.pack("<d", v)  # the bits: NaN is equal to itself here
    return kind, v


def _freeze(obj):
    """A message as nested tuples, without empty and zero fields. Attributes are a set; only of equal keys
    the order counts."""
    out = []
    for name, value in sorted(obj.items()):
        if name == "attributes":
            pairs = [(a.get("key", ""), _freeze_value(a.get("value"))) for a in value]
            value = tuple(sorted(pairs, key=lambda pair: pair[0]))
        elif isinstance(value, list):
            value = tuple(_freeze(v) for v in value)
        elif isinstance(value, dict):
            value = _freeze(value)
        if value not in (0, "", (), b""):
            out.append((name, value))
    return tuple(out)


def canonical(request):
    """The spans of a request as a sorted list of comparable values, each with its resource and scope.
    The order of attributes does not count, that of events and links does."""
    spans = []
    for rs in request.get("resourceSpans", []):
        resource = ("resource", _freeze(rs.get("resource", {})) + (("url", rs.get("schemaUrl", "")),))
        for ss in rs.get("scopeSpans", []):
            scope = ("scope", _freeze(ss.get("scope", {})) + (("url", ss.get("schemaUrl", "")),))
            for span in ss.get("spans", []):
                spans.append((_freeze(span), resource, scope))
    return sorted(spans, key=repr)


def _differing(want, got):
    """The parts of two spans that differ: (name, value) pairs of the one that the other has not."""
    parts = []
    for a, b in zip(want, got):
        a, b = (a[1], b[1]) if a[0] in ("resource", "scope") else (a, b)
        parts += [f"  sent {x!r}" for x in a if x not in b] + [f"  got  {x!r}" for x in b if x not in a]
    return parts


def difference(want, got):
    """"" when two requests hold the same spans, otherwise what differs, in a few lines."""
    want, got = canonical(want), canonical(got)
    lines = [f"sent {len(want)} spans, got {len(got)}"] if len(want) != len(got) else []
    missing, extra = [x for x in want if x not in got], [x for x in got if x not in want]
    for span in missing[:2]:
        span_id = dict(span[0]).get("spanId")
        twin = [x for x in extra if dict(x[0]).get("spanId") == span_id]
        lines.append(f"span {span_id} " + ("differs" if twin else "is missing"))
        lines += _differing(span, twin[0]) if twin else []
    if extra and not missing:
        lines.append(f"nobody sent {extra[0][0]!r}")
    return "\n".join(lines)
