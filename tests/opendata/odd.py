# SPDX-License-Identifier: Apache-2.0
"""Spans with everything that OTLP can say and few senders do."""
import hashlib
import struct

SECOND_NS = 10**9
NAN_WITH_PAYLOAD = struct.unpack("<d", bytes.fromhex("010000000000f87f"))[0]


def string(v):
    return {"stringValue": v}


def array(*values):
    return {"arrayValue": {"values": list(values)}}


def kvlist(*pairs):
    return {"kvlistValue": {"values": [{"key": k, "value": v} for k, v in pairs]}}


def deep(levels):
    v = {"intValue": 1}
    for level in range(levels):
        v = array(v) if level % 2 else kvlist(("down", v))
    return v


VALUES = {
    "string": string("text"), "string.empty": string(""), "string.nul": string("a\0b"),
    "string.unicode": string("Grüße, Welt \U0001f600 \u2028 \"quoted\" \\ \n\t"),
    "string.70k": string("0123456789" * 7168), "string.64k": string("x" * 65536),
    "bool.true": {"boolValue": True}, "bool.false": {"boolValue": False},
    "int.zero": {"intValue": 0}, "int.max": {"intValue": 2**63 - 1}, "int.min": {"intValue": -2**63},
    "int.minus": {"intValue": -1}, "int.2p53": {"intValue": 2**53 + 1},
    "double.zero": {"doubleValue": 0.0}, "double.minus.zero": {"doubleValue": -0.0},
    "double.nan": {"doubleValue": float("nan")}, "double.nan.payload": {"doubleValue": NAN_WITH_PAYLOAD},
    "double.inf": {"doubleValue": float("inf")}, "double.minus.inf": {"doubleValue": float("-inf")},
    "double.tiny": {"doubleValue": 5e-324}, "double.huge": {"doubleValue": 1.7976931348623157e308},
    "double.third": {"doubleValue": 1 / 3}, "double.whole": {"doubleValue": 3.0},
    "bytes": {"bytesValue": bytes(range(256))}, "bytes.empty": {"bytesValue": b""},
    "bytes.70k": {"bytesValue": b"\0\xff" * 35840},
    "empty": {}, "array.empty": {"arrayValue": {}}, "kvlist.empty": {"kvlistValue": {}},
    "array.all": array(string(""), string("s"), {"boolValue": False}, {"intValue": -2**63}, {"doubleValue": -0.0},
                       {"doubleValue": float("nan")}, {}, {"bytesValue": b"\1"}, array(), kvlist(("", string("")))),
    "array.nan.payload": array({"doubleValue": NAN_WITH_PAYLOAD}),
    "array.control": array(string("\1" * 30000)),  # as text over 64 KiB
    "array.70k": array(string("y" * 71680)),
    "kvlist": kvlist(("a", {"intValue": 1}), ("a", {"intValue": 2}), ("A", {"intValue": 3}), ("n", {})),
    "kvlist.absent": {"kvlistValue": {"values": [{"key": "no value"}]}},
    "deep": deep(30),
}
ODD_KEYS = ["", ":", "%", "%3A", "a:int", "a:b:any", "a%b", "per.cent%25", "dot.", ".dot", "dots.a.b.c", 'q"uote',
            "q'uote", "space key", "ключ", "a\0b", "UserId", "userid", "userId", "USERID", "span_id", "name", "x" * 300,
            "a,b", "a`b", "slash/\\", "new\nline", "é", "É", "\U0001f600"]


def attribute(key, v):
    return {"key": key, "value": v} if v is not None else {"key": key}


def ident(n, size=8):
    return hashlib.sha256(str(n).encode()).hexdigest()[:size * 2]


class Maker:
    def __init__(self, now_ns):
        self.now_ns, self.n, self.spans = now_ns, 0, []

    def span(self, trace="odd", **fields):
        self.n += 1
        start = self.now_ns + self.n * 1001
        span = {"traceId": ident(trace, 16), "spanId": ident(self.n), "name": f"span {self.n}", "kind": self.n % 6,
                "startTimeUnixNano": start, "endTimeUnixNano": start + self.n % 7 * 999983}
        span.update({k: v for k, v in fields.items() if v is not None})
        self.spans.append({k: v for k, v in span.items() if v not in (0, "", [])})
        return span


def with_values(m):
    everything = [attribute(k, v) for k, v in VALUES.items()]
    for key, v in VALUES.items():  # on a span, an event and a link each; under one key, so that types mix
        pairs = [attribute("value", v), attribute(key, v)]
        m.span(trace=key, attributes=pairs, events=[{"timeUnixNano": m.now_ns, "name": key, "attributes": pairs}],
               links=[{"traceId": ident("else", 16), "spanId": ident("else"), "attributes": pairs}])
    m.span(attributes=everything, events=[{"name": "all", "attributes": everything, "droppedAttributesCount": 3}] * 2)
    m.span(attributes=[attribute("value", None), attribute("twice", string("a")), attribute("twice", {"intValue": 1}),
                       attribute("twice", string("a"))])
    for i in range(len(ODD_KEYS)):
        texts = [attribute(k, string(f"value {i}")) for k in ODD_KEYS[i:]]
        m.span(attributes=texts + [attribute("i", {"intValue": i})])


def with_fields(m):
    m.span(name="", kind=0, startTimeUnixNano=0, endTimeUnixNano=0)
    m.span(kind=255, status={"code": 2, "message": "bad"}, traceState="a=1,b=2", flags=2**32 - 1)
    m.span(kind=300, status={"code": 999})
    m.span(status={"message": "only a message"}, droppedAttributesCount=1, droppedEventsCount=2**32 - 1,
           droppedLinksCount=7)
    m.span(startTimeUnixNano=m.now_ns, endTimeUnixNano=m.now_ns - 12345)  # ends before it starts
    m.span(parentSpanId="0a0b0c")  # not eight bytes
    m.span(parentSpanId="00" * 8)
    m.span(parentSpanId=ident("nobody"))
    m.span(links=[{"traceId": "0102", "spanId": "03"}, {"traceId": "00" * 16, "spanId": "00" * 8, "traceState": "x=y",
                  "flags": 257, "droppedAttributesCount": 2}, {}])
    m.span(events=[{"timeUnixNano": 0, "name": ""}, {"timeUnixNano": 2**64 - 1, "name": "late"}, {"name": "none"}])
    for i, parent in enumerate([None, 0, 0, 1, 3, 2]):  # a tree whose parents start later and earlier
        m.span(trace="tree", spanId=ident(f"tree {i}"), startTimeUnixNano=m.now_ns + (i * 7 % 5) * SECOND_NS,
               parentSpanId=None if parent is None else ident(f"tree {parent}"))
    own = m.span(trace="loop", spanId=ident("own"), parentSpanId=ident("own"))
    m.span(trace="loop", spanId=ident("own"), parentSpanId=ident("own"), endTimeUnixNano=own["endTimeUnixNano"] + 9)
    for i, start in enumerate([1, 10**9, m.now_ns - 8 * 86400 * SECOND_NS, m.now_ns + 3600 * SECOND_NS,
                               9_200_000_000_000_000_000, 2**63 - 2]):  # outliers
        m.span(trace=f"outlier {i % 2}", startTimeUnixNano=start, endTimeUnixNano=min(start + 5, 2**63 - 2),
               events=[{"timeUnixNano": start + 3, "name": "there"}],
               links=[{"traceId": ident("else", 16), "spanId": ident(i)}], attributes=[attribute("i", {"intValue": i})])


def many_keys(now_ns):
    """More keys than a file has columns; some come more often than others."""
    m = Maker(now_ns)
    for i in range(400):
        m.span(trace=f"many {i // 40}", attributes=[attribute(f"key.{k}", {"intValue": i * k})
                                                    for k in range(i, 400, 1 + i % 50)])
    resource = {"attributes": [attribute("service.name", string("many"))]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "many"}, "spans": m.spans}]}]}


def request(now_ns):
    """One request; its spans are under several resources and scopes. Some of them come twice."""
    m = Maker(now_ns)
    with_values(m)
    with_fields(m)
    entities = [attribute(k, v) for k, v in VALUES.items()] + [attribute(k, string("odd key")) for k in ODD_KEYS]
    resources = [
        {"resource": {"attributes": [attribute("service.name", string("odd"))]},
         "schemaUrl": "https://example.com/1.26.0"},
        {"resource": {"attributes": [attribute("service.name", {"intValue": 5})] + entities,
                      "droppedAttributesCount": 4}},
        {}, {"resource": {}, "schemaUrl": "only a url"},
    ]
    scopes = [{"scope": {"name": "lib", "version": "1.0", "attributes": entities, "droppedAttributesCount": 1},
               "schemaUrl": "https://example.com/1.27.0"},
              {"scope": {"name": "lib"}}, {}]
    out = [{**r, "scopeSpans": [{**s, "spans": []} for s in scopes]} for r in resources]
    for i, span in enumerate(m.spans):
        places = [i] if i % 10 else [i, i, i + 1]  # equal ones, and one under another scope or resource
        for place in places:
            out[place % 4]["scopeSpans"][place % 3]["spans"].append(span)
    return {"resourceSpans": out}
