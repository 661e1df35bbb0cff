# SPDX-License-Identifier: Apache-2.0
"""Spans out of the tables of a block, as docs/formats/block.md describes them, and spans as they were
sent, both as nested tuples that can be compared. Shares nothing with Takt's own reader."""
import json
import re
import struct
import sys
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import otlp

ROOT = Path(__file__).resolve().parent.parent.parent

otlp.SCHEMA.update({
    "Rest": {1: ("attributes", "KeyValue", True), 5: ("parentSpanId", "id", False), 6: ("kind", "enum", False),
             7: ("code", "enum", False), 8: ("traceId", "id", False), 9: ("spanId", "id", False),
             10: ("large", "Large", True)},
    "Large": {1: ("key", "string", False), 2: ("hash", "id", False)},
    "Entity": {1: ("message", "bytes", False), 2: ("schemaUrl", "string", False)},
})

Span = namedtuple("Span", "trace span parent name kind status message state flags start end dropped attributes "
                          "events links resource scope")
Event = namedtuple("Event", "time name dropped attributes")
Link = namedtuple("Link", "trace span state flags dropped attributes")
Entity = namedtuple("Entity", "name version dropped schema_url attributes")
NAN = "7ff8000000000000"


# --- values ------------------------------------------------------------------------------------------

def double_bits(v):
    return NAN if v != v else struct.pack(">d", v).hex()  # JavaScript keeps no payloads


def value(any_value):
    """An AnyValue as a tuple; None: there is none."""
    if any_value is None or not any_value:
        return None if any_value is None else ("empty",)
    (kind, v), = any_value.items()
    if kind == "arrayValue":
        return kind, tuple(value(x) for x in v.get("values", []))
    if kind == "kvlistValue":
        return kind, tuple((x.get("key", ""), value(x.get("value"))) for x in v.get("values", []))
    return kind, double_bits(v) if kind == "doubleValue" else v


def attributes(pairs):
    """Sorted by key; equal keys in their order."""
    return tuple(sorted(((a.get("key", ""), value(a.get("value"))) for a in pairs), key=lambda a: a[0]))


# --- what was sent -----------------------------------------------------------------------------------

def sent_entity(message, schema_url):
    return Entity(message.get("name", ""), message.get("version", ""), message.get("droppedAttributesCount", 0),
                  schema_url, attributes(message.get("attributes", [])))


def sent_span(s, resource, scope):
    status = s.get("status", {})
    return Span(
        s["traceId"], s["spanId"], s.get("parentSpanId", ""), s.get("name", ""), s.get("kind", 0),
        status.get("code", 0), status.get("message", ""), s.get("traceState", ""), s.get("flags", 0),
        s.get("startTimeUnixNano", 0), s.get("endTimeUnixNano", 0),
        (s.get("droppedAttributesCount", 0), s.get("droppedEventsCount", 0), s.get("droppedLinksCount", 0)),
        attributes(s.get("attributes", [])),
        tuple(Event(e.get("timeUnixNano", 0), e.get("name", ""), e.get("droppedAttributesCount", 0),
                    attributes(e.get("attributes", []))) for e in s.get("events", [])),
        tuple(Link(k.get("traceId", ""), k.get("spanId", ""), k.get("traceState", ""), k.get("flags", 0),
                   k.get("droppedAttributesCount", 0), attributes(k.get("attributes", [])))
              for k in s.get("links", [])),
        resource, scope)


def sent_spans(request):
    for rs in request.get("resourceSpans", []):
        resource = sent_entity(rs.get("resource", {}), rs.get("schemaUrl", ""))
        for ss in rs.get("scopeSpans", []):
            scope = sent_entity(ss.get("scope", {}), ss.get("schemaUrl", ""))
            for span in ss.get("spans", []):
                yield sent_span(span, resource, scope)


# --- what lies in blocks -----------------------------------------------------------------------------

class Table:
    """A file as blocks.mjs prints it: columns by name, rows counted through all row groups."""

    def __init__(self, line):
        self.path = Path(line["file"])
        self.groups, self.columns = line["groups"], line["columns"]
        self.n = sum(self.groups)
        self.values = {c["name"]: c["values"] for c in self.columns}
        self.attribute_columns = [c["name"] for c in self.columns if "." in c["name"]]

    def text(self, column, row):
        return self.values[column][row]

    def int(self, column, row, default=0):
        v = self.values[column][row]
        return default if v is None else int(v)

    def group_starts(self):
        return [sum(self.groups[:i]) for i in range(len(self.groups))]


def attribute_of(column, text):
    """(key, value) of a cell."""
    name, _, kind = column.partition(".")[2].partition(":")
    key = re.sub("%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), name)
    if kind == "int":
        return key, ("intValue", int(text))
    if kind == "float":
        return key, ("doubleValue", text)
    if kind == "bool":
        return key, ("boolValue", text == "1")
    if kind == "any":
        return key, value(otlp.from_json(otlp.parse_json(text), "AnyValue"))
    return key, ("stringValue", text)


class Block:
    def __init__(self, tables):
        self.tables = tables
        self.spans = tables["spans"]
        self.resources = [self._entity("resources", i, "Resource") for i in range(tables["resources"].n)]
        self.scopes = [self._entity("scopes", i, "Scope") for i in range(tables["scopes"].n)]

    def _entity(self, table, row, message):
        t = self.tables[table]
        raw = otlp.decode(bytes.fromhex(t.text("otlp", row)), "Entity")
        return sent_entity(otlp.decode(raw.get("message", b""), message), raw.get("schemaUrl", ""))

    def _large(self, reference):
        t = self.tables["large"]
        row = t.values["hash"].index(reference["hash"])
        any_value = otlp.decode(bytes.fromhex(t.text("value", row)), "AnyValue")
        return reference.get("key", ""), value(any_value)

    def _rest(self, table, row):
        raw = self.tables[table].text("rest", row)
        return otlp.decode(bytes.fromhex(raw), "Rest") if raw else {}

    def _attributes(self, table, row, rest):
        t = self.tables[table]
        pairs = [attribute_of(c, t.values[c][row]) for c in t.attribute_columns if t.values[c][row] is not None]
        pairs += attributes(rest.get("attributes", []))
        pairs += [self._large(reference) for reference in rest.get("large", [])]
        return tuple(sorted(pairs, key=lambda a: a[0]))

    def _children(self, table):
        """{row of the span in its file: rows of the table}"""
        out = {}
        if table not in self.tables:
            return out
        t = self.tables[table]
        starts, span_starts = t.group_starts(), self.spans.group_starts()
        assert len(starts) == len(span_starts), "row groups do not match"
        for g, n in enumerate(t.groups):
            rows = [t.int("row", starts[g] + i) for i in range(n)]
            assert rows == sorted(rows), f"{table} are not in the order of the spans"
            for i, row in enumerate(rows):
                out.setdefault(span_starts[g] + row, []).append(starts[g] + i)
        return out

    def _event(self, row, start):
        t, rest = self.tables["events"], self._rest("events", row)
        return Event((start + t.int("offset", row)) % (1 << 64), t.text("name", row),
                     t.int("dropped_attributes", row), self._attributes("events", row, rest))

    def _link(self, row):
        t, rest = self.tables["links"], self._rest("links", row)
        trace, span = t.text("trace_id", row), t.text("span_id", row)
        return Link(rest.get("traceId", trace if trace.strip("0") else ""),
                    rest.get("spanId", span if span.strip("0") else ""),
                    t.text("trace_state", row), t.int("flags", row), t.int("dropped_attributes", row),
                    self._attributes("links", row, rest))

    def all_spans(self):
        t = self.spans
        events, links = self._children("events"), self._children("links")
        for row in range(t.n):
            rest, start = self._rest("spans", row), t.int("start", row)
            back = t.int("parent", row)
            parent = t.text("span_id", row - back) if back else t.text("parent_id", row) or ""
            assert not (back and t.text("parent_id", row)), "a parent both near and far"
            yield Span(
                t.text("trace_id", row), t.text("span_id", row), rest.get("parentSpanId", parent), t.text("name", row),
                rest.get("kind", t.int("kind", row)), rest.get("code", t.int("status", row)),
                t.text("status_message", row) or "", t.text("trace_state", row) or "", t.int("flags", row),
                start, start + t.int("duration", row),
                tuple(t.int("dropped_" + what, row) for what in ("attributes", "events", "links")),
                self._attributes("spans", row, rest),
                tuple(self._event(e, start) for e in events.get(row, [])),
                tuple(self._link(k) for k in links.get(row, [])),
                self.resources[t.int("resource", row)], self.scopes[t.int("scope", row)])

    def all_traces(self):
        """The rows that traces.parquet must have, from the spans."""
        spans = list(self.all_spans())
        for first, n in zip(self.spans.group_starts(), self.spans.groups):
            at = first
            while at < first + n:
                run = at
                while at < first + n and spans[at].trace == spans[run].trace:
                    at += 1
                yield trace_row(spans[run:at], run - first)


def service_of(entity):
    found = [v[1] for key, v in entity.attributes if key == "service.name" and v and v[0] == "stringValue"]
    return found[0] if found else ""


def trace_row(spans, first_row):
    begin, services = min(s.start for s in spans), {}
    for s in spans:
        count = services.setdefault(service_of(s.resource), [0, 0])
        count[0] += 1
        count[1] += s.status == 2
    roots = [s for s in spans if not s.parent]
    durations = [max(s.end - s.start, 0) for s in spans]
    return {
        "trace_id": spans[0].trace, "first_row": first_row, "rows": len(spans), "start": begin,
        "duration": max(s.start + d for s, d in zip(spans, durations)) - begin,
        "last_start": max(s.start for s in spans) - begin,
        "root_service": service_of(roots[0].resource) if roots else None,
        "root_name": roots[0].name if roots else None,
        "errors": sum(s.status == 2 for s in spans), "longest": max(durations),
        "services": json.dumps(services, sort_keys=True, separators=(",", ":"), ensure_ascii=False)}
