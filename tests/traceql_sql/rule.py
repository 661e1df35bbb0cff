# SPDX-License-Identifier: Apache-2.0
"""TraceQL as SQL: each thing here has the words of TraceQL (`ql`) and what they mean over the tables of
tables.sql. A condition in SQL is never NULL: comparisons with what is absent are false."""
import re

COLUMNS = {}  # {table: names of its columns}, set once the tables are there
PLACES = {"span": ("s", "spans", "span"), "resource": ("s", "spans", "resource"),
          "instrumentation": ("s", "spans", "scope"), "event": ("e", "events", "event"),
          "link": ("l", "links", "link")}
CHILDREN = {"e": "events", "l": "links"}
NUMBERS = ("int", "float", "duration")
STATUS_CODE = "CASE {} WHEN 'unset' THEN 0 WHEN 'ok' THEN 1 ELSE 2 END"


def text(s):
    return "'" + s.replace("'", "''") + "'"


def name(s):
    return '"' + s.replace('"', '""') + '"'


def any_of(parts):
    return "(" + " OR ".join(parts) + ")" if parts else "false"


# --- values ------------------------------------------------------------------------------------------

class Literal:
    def __init__(self, ql, kind, sql):
        self.ql, self.kind, self.sql = ql, kind, sql


def literal(v):
    if isinstance(v, Literal):
        return v
    if isinstance(v, bool):
        return Literal(str(v).lower(), "bool", str(v).lower())
    if isinstance(v, int):
        return Literal(str(v), "int", str(v))
    if isinstance(v, float):
        return Literal(repr(v), "float", repr(v))
    quoted = v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return Literal(f'"{quoted}"', "string", text(v))


UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def duration(n, unit):
    return Literal(f"{n}{unit}", "duration", str(n * UNITS[unit]))


def status(word):
    return Literal(word, "status", text(word))


def kind(word):
    return Literal(word, "kind", text(word))


# --- comparisons of typed columns --------------------------------------------------------------------

OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def compare_text(c, op, sql):
    if op in OPERATORS:
        return f"{c} {OPERATORS[op]} {sql}"
    return ("NOT " if op == "!~" else "") + f"regexp_full_match({c}, {sql}, 's')"


def compare_number(column_kind, c, op, v):
    op = OPERATORS[op]
    if column_kind == "float":  # SQL has NaN equal to itself and above all
        return f"(isnan({c}) OR {c} <> {v.sql})" if op == "<>" else f"(NOT isnan({c}) AND {c} {op} {v.sql}::DOUBLE)"
    if v.kind == "float":
        return f"{c}::DECIMAL(38, 9) {op} {v.sql}::DECIMAL(38, 9)"
    return f"{c} {op} {v.sql}"


ELEMENTS = {"string": ("stringValue", "VARCHAR"), "int": ("intValue", "BIGINT"), "float": ("doubleValue", "DOUBLE"),
            "bool": ("boolValue", "BOOLEAN")}


def elements(c, kind):
    """The elements that are of this kind."""
    key, sql_type = ELEMENTS[kind]
    element = f"json_extract_string(x, '$.{key}')"
    return f"[{element}::{sql_type} for x in {every_element(c)} if {element} IS NOT NULL]"


def every_element(c):
    return f"CAST(json_extract({c}, '$.arrayValue.values[*]') AS JSON[])"


def compare_array(c, op, v):
    """Some element is so; of != and !~: no element is equal, matches. All must be of one kind."""
    positive = {"!=": "=", "!~": "=~"}.get(op, op)
    some = f"len([y for y in {elements(c, v.kind)} if {compare_text('y', positive, v.sql)}]) > 0"
    kinds = [v.kind] if positive == op else ELEMENTS
    uniform = any_of([f"len({elements(c, k)}) = len({every_element(c)})" for k in kinds])
    return f"(json_extract({c}, '$.arrayValue') IS NOT NULL AND {uniform} AND {'' if positive == op else 'NOT '}{some})"


def compare(columns, op, v):
    """columns: {kind: SQL}. Where the kinds differ, it is false."""
    parts = []
    for column_kind, c in columns.items():
        if column_kind == v.kind == "string":
            parts.append(compare_text(c, op, v.sql))
        elif column_kind in NUMBERS and v.kind in NUMBERS:
            parts.append(compare_number(column_kind, c, op, v))
        elif column_kind == "status" and v.kind == "int":
            parts.append(f"{STATUS_CODE.format(c)} {OPERATORS[op]} {v.sql}")
        elif column_kind == v.kind and v.kind in ("status", "kind", "bool"):
            parts.append(f"{c} {OPERATORS[op]} {v.sql}")
        elif column_kind == "any" and v.kind in ELEMENTS:
            parts.append(compare_array(c, op, v))
    return any_of([f"coalesce({p}, false)" for p in parts])


def present(columns):
    return any_of([f"{c} IS NOT NULL" for c in columns.values()])


# --- fields ------------------------------------------------------------------------------------------

def attribute_columns(scope, key, alias):
    _, table, prefix = PLACES[scope]
    column = f"{prefix}." + key.replace("%", "%25").replace(":", "%3A")
    kinds = {"string": column, "int": column + ":int", "float": column + ":float", "bool": column + ":bool",
             "any": column + ":any"}
    return {k: f"{alias}.{name(c)}" for k, c in kinds.items() if c in COLUMNS[table]}


class Field:
    """An attribute with a scope, or an intrinsic. `alias`: s, e or l: of what it is."""

    def __init__(self, ql, columns, alias="s"):
        self.ql, self.columns, self.alias = ql, columns, alias

    def mentions(self):
        return {self.alias} - {"s"}

    def compare(self, op, v):
        return compare(self.columns, op, v)

    def present(self):
        return present(self.columns)

    def label(self):
        """For by(): as text, whatever kind it is. Of events the first that has it; the data has one."""
        value = f"coalesce({', '.join(f'{c}::VARCHAR' for c in self.columns.values())})"
        if self.alias == "s":
            return value
        return f"(SELECT min({value}) FROM {CHILDREN[self.alias]} {self.alias} WHERE {self.alias}.uid = s.uid)"

    def number(self):
        found, = (c for k, c in self.columns.items() if k in NUMBERS)
        return found


def attribute(scope, key):
    alias = PLACES[scope][0]
    plain = all(c.isalnum() or c in "._-" for c in key) and key.isascii()
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    quoted = key if plain else f'"{escaped}"'
    return Field(f"{scope}.{quoted}", attribute_columns(scope, key, alias), alias)


class ParentField:
    def __init__(self, scope, key):
        self.ql = f"parent.{scope}.{key}"
        self.columns = attribute_columns(scope, key, "p")

    def mentions(self):
        return set()

    def _of_parent(self, condition):
        return f"EXISTS (SELECT 1 FROM spans p WHERE p.uid = s.parent AND {condition})"

    def compare(self, op, v):
        return self._of_parent(compare(self.columns, op, v))

    def present(self):
        return self._of_parent(present(self.columns))


class UnscopedField:
    """The first that has the key of span, resource, events, links, scope; of events any."""

    def __init__(self, key):
        self.ql, self.fields = f".{key}", [attribute(scope, key) for scope in
                                           ("span", "resource", "event", "link", "instrumentation")]

    def mentions(self):
        return set()

    @staticmethod
    def _there(field, condition):
        if field.alias == "s":
            return condition
        alias = field.alias
        return f"EXISTS (SELECT 1 FROM {CHILDREN[alias]} {alias} WHERE {alias}.uid = s.uid AND {condition})"

    def compare(self, op, v):
        whens = " ".join(f"WHEN {self._there(f, f.present())} THEN {self._there(f, f.compare(op, v))}"
                         for f in self.fields if f.columns)
        return f"(CASE {whens} ELSE false END)" if whens else "false"

    def present(self):
        return any_of([self._there(f, f.present()) for f in self.fields if f.columns])

    def label(self):
        return f"coalesce({', '.join(f.label() for f in self.fields if f.columns)})"


INTRINSICS = {
    "name": ("string", "s.name"), "span:name": ("string", "s.name"), "duration": ("duration", "s.duration"),
    "span:duration": ("duration", "s.duration"), "status": ("status", "s.status"),
    "kind": ("kind", "s.kind"), "statusMessage": ("string", "coalesce(s.status_message, '')"),
    "rootName": ("string", "s.root_name"), "rootServiceName": ("string", "s.root_service"),
    "trace:rootName": ("string", "s.root_name"), "trace:rootService": ("string", "s.root_service"),
    "traceDuration": ("duration", "s.trace_duration"), "trace:duration": ("duration", "s.trace_duration"),
    "span:id": ("string", "s.span_id"), "trace:id": ("string", "s.trace_id"),
    "span:parentID": ("string", "coalesce(s.parent_id, '')"), "span:childCount": ("int", "s.child_count"),
    "instrumentation:name": ("string", "coalesce(s.scope_name, '')"),
    "instrumentation:version": ("string", "coalesce(s.scope_version, '')"),
    "event:name": ("string", "e.name"), "event:timeSinceStart": ("duration", "e.offset_ns"),
    "link:traceID": ("string", "l.linked_trace_id"), "link:spanID": ("string", "l.linked_span_id"),
}


def field(ql):
    """span.x, parent.span.x, .x, or the name of an intrinsic."""
    if ql in INTRINSICS:
        field_kind, sql = INTRINSICS[ql]
        return Field(ql, {field_kind: sql}, re.search(r"\b([sel])\.", sql)[1])
    scope, _, key = ql.partition(".")
    if scope == "parent":
        return ParentField(*key.split(".", 1))
    return attribute(scope, key) if scope else UnscopedField(key)


# --- conditions --------------------------------------------------------------------------------------

class Condition:
    """closed: of a span. bound: of a span with an event or a link at hand, as `have` says."""

    def conjuncts(self):
        return [self]

    def bound(self, have):
        """What needs an event or a link that is not at hand is not true."""
        return self.sql() if self.mentions() <= have else "false"

    def closed(self):
        return f"({exists([self])})" if self.mentions() else self.sql()


def exists(conditions):
    """There is an event, a link, for which all of these are true; or they are true without."""
    mentioned = sorted(set().union(*(c.mentions() for c in conditions)))
    ways = []
    for have in subsets(mentioned):
        bound = [c.bound(set(have)) for c in conditions]
        if "false" in bound:
            continue
        tables = ", ".join(f"{CHILDREN[alias]} {alias}" for alias in have)
        joined = " AND ".join([f"{alias}.uid = s.uid" for alias in have] + bound)
        ways.append(f"EXISTS (SELECT 1 FROM {tables} WHERE {joined})" if have else joined)
    return any_of(ways)


def subsets(of):
    return [[x for i, x in enumerate(of) if n >> i & 1] for n in range(1 << len(of))]


class Compare(Condition):
    def __init__(self, left, op, right):
        self.field, self.op, self.right = field(left) if isinstance(left, str) else left, op, literal(right)
        self.ql = f"{self.field.ql} {op} {self.right.ql}"

    def mentions(self):
        return self.field.mentions()

    def sql(self):
        return self.field.compare(self.op, self.right)


class Nil(Condition):
    def __init__(self, left, op):
        self.field, self.op = field(left), op
        self.ql = f"{self.field.ql} {op} nil"

    def mentions(self):
        return self.field.mentions()

    def sql(self):
        return ("NOT " if self.op == "=" else "") + self.field.present()


class Is(Condition):
    """A field alone: is it the boolean true? With ! in front: is it false? Of events and links ! is the plain
    opposite, also where they do not have it."""

    def __init__(self, left, wanted=True):
        self.field, self.wanted = field(left), wanted
        self.ql = ("" if wanted else "!") + self.field.ql

    def mentions(self):
        return self.field.mentions()

    def sql(self):
        if self.mentions() and not self.wanted:
            return f"(NOT {self.field.compare('=', literal(True))})"
        return self.field.compare("=", literal(self.wanted))

    def closed(self):
        if self.wanted or not self.mentions():
            return super().closed()
        return f"(NOT {Is(self.field.ql).closed()})"


class Sql(Condition):
    """Both written by hand; of the span alone."""

    def __init__(self, ql, sql):
        self.ql, self.text = ql, f"coalesce({sql}, false)"

    def mentions(self):
        return set()

    def sql(self):
        return self.text


class Several(Condition):
    def __init__(self, *parts):
        self.parts, self.ql = parts, "(" + f" {self.word} ".join(p.ql for p in parts) + ")"

    def mentions(self):
        return set().union(*(p.mentions() for p in self.parts))


class And(Several):
    """Of conditions on events and links several must hold of the same one; a single one is as if alone."""
    word = "&&"

    def conjuncts(self):
        return [c for p in self.parts for c in p.conjuncts()]

    def closed(self):
        some = self.conjuncts()
        of_children = [c for c in some if c.mentions()]
        together = len(of_children) > 1
        parts = [c.closed() for c in some if not (together and c.mentions())]
        return "(" + " AND ".join(parts + ([exists(of_children)] if together else [])) + ")"

    def bound(self, have):
        return "(" + " AND ".join(p.bound(have) for p in self.parts) + ")"


class Or(Several):
    word = "||"

    def closed(self):
        return any_of([p.closed() for p in self.parts])

    def bound(self, have):
        return any_of([p.bound(have) for p in self.parts])


class Not(Condition):
    def __init__(self, part):
        self.part, self.ql = part, f"!({part.ql})"

    def mentions(self):
        return self.part.mentions()

    def closed(self):
        return f"(NOT {self.part.closed()})"

    def bound(self, have):
        return f"(NOT {self.part.bound(have)})" if self.mentions() <= have else "false"
