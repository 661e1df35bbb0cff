# SPDX-License-Identifier: Apache-2.0
"""Whole questions, of conditions as rule.py has them: sets of spans, searches, metrics; in the words of TraceQL
(`ql`) and as SQL over the tables of tables.sql."""
from rule import NUMBERS, OPERATORS, And, field, literal

# --- sets of spans -----------------------------------------------------------------------------------

class Spans:
    """A set of spans of each trace: SQL with the columns uid and trace_id."""

    def __init__(self, ql, sql):
        self.ql, self.sql = ql, sql


def spans(*conditions):
    both = And(*conditions) if len(conditions) > 1 else conditions[0] if conditions else None
    ql, where = (f"{{ {both.ql} }}", both.closed()) if both else ("{ }", "true")
    return Spans(ql, f"SELECT s.uid, s.trace_id FROM spans s WHERE {where}")


# Which pairs a and b (spans) a structural operator joins.
PAIRS = {
    ">": "SELECT parent AS a, uid AS b FROM up", ">>": "SELECT ancestor AS a, uid AS b FROM above",
    "<": "SELECT uid AS a, parent AS b FROM up", "<<": "SELECT uid AS a, ancestor AS b FROM above",
    "~": "SELECT x.uid AS a, y.uid AS b FROM up x JOIN up y ON x.parent = y.parent AND x.uid <> y.uid",
}


def combine(left, op, right):
    ql = f"({left.ql} {op} {right.ql})"
    head = f"WITH a AS ({left.sql}), b AS ({right.sql})"
    if op == "||":
        return Spans(ql, f"{head} SELECT * FROM a UNION SELECT * FROM b")
    if op == "&&":
        return Spans(ql, f"{head} SELECT * FROM (SELECT * FROM a UNION SELECT * FROM b) WHERE trace_id IN "
                         "(SELECT trace_id FROM a) AND trace_id IN (SELECT trace_id FROM b)")
    head += (f", pairs AS (SELECT p.* FROM ({PAIRS[op.lstrip('!&')]}) p WHERE p.a IN (SELECT uid FROM a) "
             "AND p.b IN (SELECT uid FROM b))")
    if op[0] == "!":
        return Spans(ql, f"{head} SELECT * FROM b WHERE uid NOT IN (SELECT b FROM pairs)")
    if op[0] == "&":
        return Spans(ql, f"{head} SELECT * FROM (SELECT * FROM a UNION SELECT * FROM b) WHERE uid IN "
                         "(SELECT a FROM pairs UNION SELECT b FROM pairs)")
    return Spans(ql, f"{head} SELECT * FROM b WHERE uid IN (SELECT b FROM pairs)")


# --- questions ---------------------------------------------------------------------------------------

STEP_NS = 5 * 10**9
SAMPLE_MS = f"((s.start_ns - 1) // {STEP_NS} + 1) * {STEP_NS // 10**6}"


class Search:
    """SQL: a row per set: trace id, labels l0 l1 …, aggregates a0 a1 …, spans n."""

    def __init__(self, of, by=(), keep=(), show=()):
        fields = [field(f) for f in by]
        stages = [f"by({f.ql})" for f in fields] + [f"{a} {op} {literal(v).ql}" for a, op, v in keep]
        self.ql = " | ".join([of.ql, *stages])
        self.by = [f"by({f.ql})" for f in fields]
        self.aggregates = [a for a, _, _ in keep]
        labels = [f"{f.label()} AS l{i}" for i, f in enumerate(fields)]
        values = [f"({aggregate(a)})::DOUBLE AS a{i}" for i, a in enumerate(self.aggregates)]
        having = [f"coalesce({aggregate(a)} {OPERATORS[op]} {literal(v).sql}, false)" for a, op, v in keep]
        keys = ["s.trace_id", *(f"l{i}" for i in range(len(fields)))]
        self.sql = (f"SELECT {', '.join(['s.trace_id', *labels, *values, 'count(*)::INT AS n'])} FROM ({of.sql}) x "
                    f"JOIN spans s ON s.uid = x.uid GROUP BY {', '.join(keys)}")
        if having:
            self.sql += f" HAVING {' AND '.join(having)}"


def aggregate(ql):
    """count(), or avg min max sum of a field, in SQL."""
    function, _, inside = ql.rstrip(")").partition("(")
    if function == "count":
        return "count(*)"
    f = field(inside)
    sql = f"{function}({f.number()})"
    return f"round({sql})" if function == "avg" and "duration" in f.columns else sql  # whole nanoseconds


class Metric:
    """SQL: a row per sample: labels, time, value (as lowest and highest that is right)."""
    range_ns = (0, 0)  # of all of them

    def __init__(self, of, function, by=()):
        fields = [field(f) for f in by]
        self.ql = f"{of.ql} | {function}" + (f" by({', '.join(by)})" if by else "")
        self.by = list(by)
        name_of, _, inside = function.rstrip(")").partition("(")
        arguments = [a.strip() for a in inside.split(",")]
        low = high = self.value_of(name_of, arguments)
        if name_of == "quantile_over_time":
            low, high = (f"{quantile(arguments, d)} * {off}" for d, off in ((-1, 0.99), (1, 1.01)))
        labels = [f"{f.label()} AS l{i}" for i, f in enumerate(fields)]
        keys = [f"l{i}" for i in range(len(fields))]
        columns = [*labels, f"{SAMPLE_MS} AS ms", f"({low})::DOUBLE AS low", f"({high})::DOUBLE AS high"]
        start_ns, end_ns = self.range_ns
        self.sql = (f"SELECT {', '.join(columns)} FROM ({of.sql}) x JOIN spans s ON s.uid = x.uid "
                    f"WHERE s.start_ns > {start_ns} AND s.start_ns <= {end_ns} GROUP BY {', '.join([*keys, 'ms'])}")

    @staticmethod
    def value_of(function, arguments):
        if function == "rate":
            return f"count(*) / {STEP_NS / 1e9}"
        if function == "count_over_time":
            return "count(*)"
        return f"{function.removesuffix('_over_time')}({in_unit(arguments[0])})"


class Joined(Metric):
    """Samples of the same labels and time, calculated with. A sample that is not there would give 0 or nothing."""

    def __init__(self, left, op, right):
        self.ql, self.by = f"({left.ql}) {op} ({right.ql})", left.by
        keys = [f"l{i}" for i in range(len(self.by))]
        same = " AND ".join([f"a.{k} IS NOT DISTINCT FROM b.{k}" for k in keys] + ["a.ms = b.ms"])
        values = [f"a.{side} {op} nullif(b.{side}, 0) AS {side}" for side in ("low", "high")]
        self.sql = (f"SELECT {', '.join([*(f'a.{k}' for k in keys), 'a.ms', *values])} FROM ({left.sql}) a "
                    f"JOIN ({right.sql}) b ON {same}")


class Above(Metric):
    def __init__(self, of, least):
        self.ql, self.by = f"{of.ql} > {least}", of.by
        self.sql = f"SELECT * FROM ({of.sql}) WHERE low > {least}"


def in_unit(ql):
    f = field(ql)
    return f.number() + (" / 1e9" if "duration" in f.columns else "")


def quantile(arguments, direction):
    """One rank further down or up, since ranks are counted in several ways."""
    value = in_unit(arguments[0])
    return (f"list_sort(list({value}))[greatest(1, least(count({value}), "
            f"{'floor' if direction < 0 else 'ceil'}({arguments[1]} * count({value})) + {direction}))::INT]")
