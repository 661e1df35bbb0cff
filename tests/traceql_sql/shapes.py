# SPDX-License-Identifier: Apache-2.0
"""Spans that the workload does not have: keys under every scope, arrays, zeros, several events and links,
parents that are missing, shared or sent elsewhere. In two requests, for two blocks."""
import odd
from odd import array, attribute, ident, string

MS = 10**6


def integer(n):
    return {"intValue": n}


def attributes(**values):
    return [attribute(k.replace("__", "."), v) for k, v in values.items() if v is not None]


def event(name, start_ns, after_ms, **values):
    return {"name": name, "timeUnixNano": start_ns + after_ms * MS, "attributes": attributes(**values)}


def requests(now_ns):
    flag = [None, {"boolValue": True}, {"boolValue": False}]
    parts = ([], [])
    m = odd.Maker(now_ns)
    for n in range(24):
        start = now_ns + n * 10 * MS
        values = {"n": integer(n - 6), "zero": integer(n % 3), "load": {"doubleValue": n / 4},
                  "budget": integer(n * MS), "zone": string("ab"[n % 2]) if n % 3 == 0 else None,
                  "flag": flag[n % 3], "text": string(["A", "a", "a\nb", ""][n % 4]),
                  "tags": [array(string("x"), string("y")), array(string("z")), array(), None][n % 4],
                  "sizes": array(integer(n), integer(20 + n % 2))}
        events = [event("try", start, i, attempt=integer(i), code=string("ok" if i == n % 3 else "bad"),
                        zone=string(f"e{i}") if n % 4 == 0 else None, flag=flag[(n + i) % 3]) for i in range(n % 4)]
        links = [{"traceId": ident(f"shape {i}", 16), "spanId": ident(i), "attributes": attributes(
            why=string("ab"[i]), weight=integer(n + i))} for i in range(n % 3)]
        trace, parent = n % 3, n - 3 if n >= 3 else None
        if n == 9:
            parent = "nobody"
        span = m.span(trace=f"shape {trace}", spanId=ident(f"shape {n}"), name=f"step {n % 5}",
                      parentSpanId=None if parent is None else ident(f"shape {parent}"), startTimeUnixNano=start,
                      endTimeUnixNano=start + (n % 7) * 3 * MS, events=events, links=links,
                      status={"code": n % 3, "message": f"message {n}"} if n % 4 else None,
                      attributes=attributes(**values))
        parts[n % 2].append(span)
    # A client and a server that share an id, and a child of theirs; siblings.
    shared = [("top", None, 90), ("both", "top", 50), ("both", "top", 40), ("leaf", "both", 5), ("leaf 2", "both", 6),
              ("alone", "top", 1)]
    for i, (span_id, parent, ms) in enumerate(shared):
        parts[i % 2].append(m.span(
            trace="shared", spanId=ident(span_id), parentSpanId=ident(parent) if parent else None, kind=i % 6,
            name=f"{span_id} {i}", startTimeUnixNano=now_ns + i * MS, endTimeUnixNano=now_ns + ms * MS,
            attributes=attributes(side=string(f"{i}"))))
    for i, some in enumerate(parts):
        resource = {"attributes": attributes(service__name=string(f"shapes-{i}"), zone=string("r"), rank=integer(i))}
        scope = {"name": "shaper", "version": f"0.{i}",
                 "attributes": attributes(origin=string("st"[i]), level=integer(i))}
        yield {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [
            {k: v for k, v in s.items() if v} for s in some]}]}]}
