# SPDX-License-Identifier: Apache-2.0
"""The questions: templates over fields, operators and values, and some that a seed draws."""
import random

from asked import PAIRS, Above, Joined, Metric, Search, Spans, combine, spans
from rule import And, Compare, Condition, Is, Nil, Not, Or, Sql, attribute, duration, kind, status

STRINGS = {  # field: a value, a pattern
    "resource.service.name": ("cart", "c.*t"), "resource.telemetry.sdk.language": ("java", "(go|java)"),
    "span.http.request.method": ("POST", "P.*"), "span.http.route": ("/api/v2/carts/list", ".*[{]id[}]"),
    "span.db.system": ("redis", "my.*|post.*"), "span.text": ("a", "a.b"), "name": ("GET", "(GET|PUT) .*"),
    "rootName": ("GET /api/v2/home/list", ".*list"), "rootServiceName": ("mobile-bff", "m.*"),
    "statusMessage": ("deadlock detected", "card.*|dead.*"), "instrumentation:name": ("io.opentelemetry.db", "io.*"),
    "instrumentation.origin": ("s", "."), "event:name": ("exception", "e.*|t.*"), "event.code": ("ok", "b.."),
    "event.exception.type": ("TypeError", "Type.*|java.*"), "link.why": ("b", "[bc]"), ".code": ("ok", "b.."),
    ".why": ("b", "[ac]"), "parent.span.text": ("a", "A|"),
    "parent.resource.service.name": ("checkout", "c.*"), ".zone": ("r", "a|r"), ".service.name": ("order", "o.*"),
    ".db.operation.name": ("SELECT", "S.*"), "span.tags": ("x", "y|z"),
}
NUMBERS = {
    "span.http.response.status_code": (404, 404.5), "span.http.response.body.size": (20000, 150.25),
    "span.order.total": (50, 49.99), "span.load": (3, 2.75), "span.thread.id": (31, 30.5), "span.n": (0, -0.5),
    "span.sizes": (20, None), "event.attempt": (1, 0.5), "event.rules.count": (45, 44.5), "resource.rank": (0, 0.5),
    "link.messaging.batch.index": (5, 4.5), "parent.span.server.port": (8080, 8080.5), ".rank": (1, 0.5),
    "span:childCount": (1, 1.5), "instrumentation.level": (1, 0.5), "span.value": (3, 0.25), "event.value": (0, 0.25),
}
DURATIONS = {"duration": (200, "ms"), "traceDuration": (1, "s"), "event:timeSinceStart": (1, "ms"),
             "trace:duration": (150000, "us"), "span:duration": (0, "ns")}
TEXT_OPERATORS = ["=", "!=", "=~", "!~", "<", ">="]
NUMBER_OPERATORS = ["=", "!=", "<", "<=", ">", ">="]


def comparisons():
    for f, (value, pattern) in STRINGS.items():
        for op in TEXT_OPERATORS:
            if f != "span.tags" or op != "<":
                yield Compare(f, op, pattern if "~" in op else value)
        if f != "span.tags":
            yield from (Nil(f, op) for op in ("=", "!=")
                        if "." in f and not (op == "=" and f == "resource.service.name"))
    for f, (whole, fraction) in NUMBERS.items():
        yield from (Compare(f, op, whole) for op in NUMBER_OPERATORS)
        if fraction is not None:
            yield from (Compare(f, op, fraction) for op in ("<", ">="))
    yield from (Compare("span.tags", op, 5) for op in ("=", "!="))
    for f, (n, unit) in DURATIONS.items():
        yield from (Compare(f, op, duration(n, unit)) for op in NUMBER_OPERATORS)


def words():
    for word in ("ok", "error", "unset"):
        yield from (Compare("status", op, status(word)) for op in ("=", "!="))
    for word in ("unspecified", "internal", "server", "client", "producer", "consumer"):
        yield Compare("kind", "=", kind(word))
    yield Compare("kind", "!=", kind("client"))
    for f in ("span.cache.hit", "span.flag", ".flag", "event.flag"):
        yield Is(f)
        if f != ".flag":  # which of several events it is that ! is of, nobody says
            yield Is(f, False)
        yield from (Compare(f, op, v) for op in ("=", "!=") for v in (True, False))
        yield from (Nil(f, op) for op in ("=", "!="))
    yield Sql("parent = nil", "s.parent IS NULL")
    yield Sql("parent != nil", "s.parent IS NOT NULL")
    yield Sql("nestedSetParent < 0", "s.parent_id IS NULL")
    yield Compare("span:parentID", "=", "")
    for key in ("space key", 'q"uote', "per.cent%25", "%", ":", "a:b:any", "ключ", "new\nline", "slash/\\", "a,b"):
        yield Compare(attribute("span", key), "=", "value 1")


SIZE, ROWS, LINE = '"span.http.response.body.size:int"', '"span.db.response.returned_rows:int"', '"span.n:int"'


def arithmetic():
    """Whole numbers divide towards zero, and by zero to nil."""
    quotient = 's."span.n:int" / s."span.zero:int"'
    yield Sql("span.http.response.body.size / 1000 >= 20", f"trunc(s.{SIZE} / 1000) >= 20")
    yield Sql("span.http.response.body.size % 7 = 3", f"s.{SIZE} % 7 = 3")
    yield Sql("span.n / 4 = -1", f"trunc(s.{LINE} / 4) = -1")
    yield Sql("span.n % 4 < 0", f"s.{LINE} % 4 < 0")
    yield Sql("span.n / 4.0 < -1", f"s.{LINE} / 4.0 < -1")
    yield Sql("span.n / span.zero > 2", f's."span.zero:int" <> 0 AND trunc({quotient}) > 2')
    yield Sql("span.n % span.zero = 0", f's."span.zero:int" <> 0 AND s.{LINE} % nullif(s."span.zero:int", 0) = 0')
    yield Sql("-span.n > 2", f"-s.{LINE} > 2")
    yield Sql("span.n * span.n = 25", f"s.{LINE} * s.{LINE} = 25")
    yield Sql("span.n ^ 3 < 0 - 20", f"s.{LINE} ** 3 < -20")
    yield Sql("span.n + span.load > 4.5", f's.{LINE} + s."span.load:float" > 4.5')
    yield Sql("span.n - span.zero * 2 = 3", f's.{LINE} - s."span.zero:int" * 2 = 3')
    yield Sql("duration > span.budget", 's.duration > s."span.budget:int"')
    yield Sql("duration * 2 > 30ms", "s.duration * 2 > 30000000")
    yield Sql("duration / 1ms > 5.5", "s.duration / 1e6 > 5.5")
    yield Sql("duration + 1s < 1010ms", "s.duration + 1000000000 < 1010000000")
    yield Sql("traceDuration - duration < 3ms", "s.trace_duration - s.duration < 3000000")
    yield Sql("duration > traceDuration / 2", "s.duration > trunc(s.trace_duration::DECIMAL(38, 0) / 2)")
    yield Sql("span.http.route = name", 's."span.http.route" = s.name')
    yield Sql("name =~ `GET.*` = true", "regexp_full_match(s.name, 'GET.*', 's')")
    yield Sql("rootServiceName = resource.service.name", 's.root_service = s."resource.service.name"')
    yield Sql("span.peer.service != resource.service.name", 's."span.peer.service" <> s."resource.service.name"')
    yield Sql("span.db.response.returned_rows > span.thread.id", f's.{ROWS} > s."span.thread.id:int"')
    yield Sql("500 > span.http.response.status_code", 's."span.http.response.status_code:int" < 500')


def events():
    """What must hold of one event or link, and what of none."""
    ok, bad = Compare("event.code", "=", "ok"), Compare("event.code", "!=", "ok")
    first, later = Compare("event.attempt", "=", 0), Compare("event.attempt", ">", 0)
    a, heavy = Compare("link.why", "=", "a"), Compare("link.weight", ">", 9)
    yield And(ok, first)
    yield And(ok, later)
    yield And(bad, Not(later))
    yield Not(And(ok, later))
    yield And(Not(ok), Compare("span.n", ">", 0))
    yield Or(And(ok, first), And(bad, later))
    yield And(Or(ok, later), bad)
    yield And(a, heavy)
    yield And(ok, a, later, heavy)
    yield And(Nil("event.zone", "="), ok)
    yield Not(Nil("event.zone", "="))
    yield Not(Compare("event:name", "=", "exception"))
    yield And(Compare("status", "=", status("error")), Not(Compare("event:name", "=~", "ex.*")))
    yield And(Compare("event:name", "=", "try"), Compare("event:timeSinceStart", ">=", duration(1, "ms")))
    yield Or(Nil("link.why", "!="), Nil("event.code", "!="))
    yield And(Is("event.flag"), ok)
    yield And(Is("event.flag", False), bad)


def drawn(dice, n):
    """Trees of conditions."""
    leaves = [c for c in [*comparisons(), *words()] if not isinstance(c, Sql)]

    def tree(depth):
        if depth == 0 or dice.random() < 0.2:
            return dice.choice(leaves)
        form = dice.choice([And, And, Or, Or, Not])
        if form is Not:
            inside = tree(depth - 1)
            return inside if isinstance(inside, (Is, Not)) else Not(inside)
        return form(*(tree(depth - 1) for _ in range(dice.randint(2, 3))))

    for i in range(n):
        yield And(tree(2), tree(1)) if i % 4 == 0 else tree(2)


def drawn_questions(dice, n):
    operators = ["&&", "||"] + [n + op for op in PAIRS for n in ("", "!", "&")]
    trees = list(drawn(dice, n))
    for i, c in enumerate(trees):
        if i % 3 == 0:
            yield Search(combine(spans(c), dice.choice(operators), spans(dice.choice(trees))))
        elif i % 9 == 1:
            by = dice.choice(["resource.service.name", "status", "name"])
            yield Metric(spans(c), "avg_over_time(duration)", (by,))
        else:
            yield Search(spans(c))


def structure():
    sets = {"cart": spans(Compare("resource.service.name", "=", "cart")),
            "server": spans(Compare("kind", "=", kind("server"))),
            "error": spans(Compare("status", "=", status("error"))),
            "client": spans(Compare("kind", "=", kind("client"))),
            "slow": spans(Compare("duration", ">", duration(300, "ms"))),
            "shape": spans(Compare("span.zero", "=", 1)), "step": spans(Compare("span.load", ">", 1.5)),
            "side": spans(Compare("span.side", "<", "3")), "sides": spans(Nil("span.side", "!="))}
    for op in [n + op for op in PAIRS for n in ("", "!", "&")]:
        for a, b in (("server", "client"), ("error", "error"), ("slow", "cart"), ("shape", "step"), ("side", "sides")):
            yield combine(sets[a], op, sets[b])
    for op in ("&&", "||"):
        for a, b in (("cart", "error"), ("slow", "side"), ("server", "step")):
            yield combine(sets[a], op, sets[b])
    yield combine(combine(sets["server"], ">>", sets["cart"]), ">", sets["client"])
    yield combine(combine(sets["error"], "||", sets["slow"]), "<<", sets["server"])
    yield combine(combine(sets["cart"], "&&", sets["error"]), "~", spans())
    yield combine(sets["cart"], "!>>", combine(sets["slow"], "&>", sets["client"]))
    yield combine(combine(spans(), "!<", spans()), "&&", combine(spans(), "!>", spans()))


def pipelines():
    every = spans()
    error, client = spans(Compare("status", "=", status("error"))), spans(Compare("kind", "=", kind("client")))
    http = spans(Nil("span.http.response.body.size", "!="))
    shapes = spans(Nil("span.n", "!="))
    below = combine(spans(Compare("resource.service.name", "=", "checkout")), ">>", client)
    for of in (every, error, client, below):
        yield Search(of, keep=[("count()", ">", 3)])
        yield Search(of, by=["resource.service.name"])
        yield Search(of, by=["resource.service.name"], keep=[("count()", ">=", 2)])
        yield Search(of, by=["span.http.request.method"], keep=[("count()", "!=", 1)])
        yield Search(of, by=["status", "kind"])
    for op in NUMBER_OPERATORS:
        yield Search(every, keep=[("count()", op, 10)])
    for f, of, v in (("duration", every, duration(100, "ms")), ("span.http.response.body.size", http, 9000),
                     ("span.order.total", every, 60.5), ("span.n", shapes, 2), ("span.load", shapes, 2.5)):
        for function in ("avg", "min", "max", "sum"):
            yield Search(of, keep=[(f"{function}({f})", ">", v)])
        yield Search(of, by=["name"], keep=[(f"avg({f})", "<=", v)])
        yield Search(of, by=["rootServiceName"], keep=[(f"max({f})", ">=", v), ("count()", ">", 1)])
    for f in ("rootName", "span.cache.hit", "event.exception.type", "span.http.response.status_code", "statusMessage",
              "span:childCount", "span.flag", ".zone"):
        yield Search(every if f != ".zone" else shapes, by=[f])
    text = Spans("({ status = error } | { kind = client }) && { kind = server }",
                 combine(spans(Compare("status", "=", status("error")), Compare("kind", "=", kind("client"))), "&&",
                         spans(Compare("kind", "=", kind("server")))).sql)
    yield Search(text, keep=[("count()", ">", 2)])


def metrics():
    every = spans(Compare("traceDuration", "<", duration(1, "h")))
    error, client = spans(Compare("status", "=", status("error"))), spans(Compare("kind", "=", kind("client")))
    http = spans(Compare("span.http.response.status_code", ">=", 400))
    below = combine(spans(Compare("resource.service.name", "=", "cart")), ">", client)
    for of in (every, error, http, below):
        for function in ("rate()", "count_over_time()"):
            yield from (Metric(of, function, by) for by in ((), ("resource.service.name",), ("status", "kind")))
    for f in ("duration", "span.http.response.body.size", "span.order.total", "span.thread.id", "span.n", "span.load"):
        for function in ("min", "max", "avg", "sum"):
            yield Metric(every, f"{function}_over_time({f})")
            yield Metric(every, f"{function}_over_time({f})", ("resource.service.name",))
    for by in ("name", "rootName", "span.cache.hit", "span.db.system", "event.exception.type", "statusMessage",
               "span.http.response.status_code", "instrumentation:name"):
        yield Metric(every, "count_over_time()", (by,))
        yield Metric(client, "avg_over_time(duration)", (by, "rootServiceName"))
    for of, by in ((error, ()), (client, ("resource.service.name",)), (below, ("name",)),
                   (error, ("kind", "rootName"))):
        part, whole = Metric(of, "count_over_time()", by), Metric(every, "count_over_time()", by)
        yield Joined(part, "/", whole)
        yield Joined(part, "*", Metric(every, "max_over_time(duration)", by))
        yield Above(part, 3)
        yield Above(Metric(of, "avg_over_time(duration)", by), 0.1)
    for q in (0.5, 0.9, 0.99):
        yield Metric(every, f"quantile_over_time(duration, {q})")
        yield Metric(every, f"quantile_over_time(span.http.response.body.size, {q})", ("resource.service.name",))


def all_questions(seed):
    """{group: questions}"""
    def searches(some):
        return [Search(spans(c) if isinstance(c, Condition) else c) for c in some]

    return {"one condition": searches(comparisons()), "words, flags, odd keys": searches(words()),
            "arithmetic": searches(arithmetic()), "events and links": searches(events()),
            "structure": searches(structure()), "drawn": list(drawn_questions(random.Random(seed), 90)),
            "pipelines": list(pipelines()), "metrics": list(metrics())}
