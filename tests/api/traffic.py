# SPDX-License-Identifier: Apache-2.0
"""Requests of a service in two versions, as spans, with a planted difference; for tests and benchmarks."""
import random

import otlp

SECOND_NS = 10 ** 9


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def evaluate(span, at, key, variant, form):
    """An evaluation of a flag, after another flag's where there can be several."""
    if form in ("span", "caller"):
        span["attributes"] = [attribute("feature_flag.key", key), attribute("feature_flag.result.variant", variant)]
        return
    name, field = ("feature_flag.evaluation", "feature_flag.result.variant") if form == "event" else \
        ("feature_flag", "feature_flag.variant")
    span["events"] = [{"timeUnixNano": at, "name": name, "attributes": [attribute("feature_flag.key", k), attribute(field, v)]}
                      for k, v in (("another", "blue"), (key, variant))]


class Traffic:
    """Requests of a service: a root span of a gateway, a server span of the service below it."""

    def __init__(self, server, seed, service="shop"):
        self.server, self.dice, self.service = server, random.Random(seed), service
        self.failed = {}  # version: ids of traces that failed
        self.sent = {}

    def send(self, version, start, end, n, share, ms=40, route="GET /cart", pods=5, exception=None, user=False,
             environment=None, caller="gateway", keep=None, flag=None, calls=(), within=0):
        """keep: (of successes, of errors), the probability that a sampler keeps a trace, which it says.
        flag: (key, variant, form), an evaluation as an attribute ("span"), event ("event", "old event") of the request,
        or as one of the caller's ("caller"). calls: attributes of a client span each, of every request.
        within: so many spans of the service below each request."""
        by_pod, edge = {}, []
        for _ in range(n):
            trace, root, inner = (f"{self.dice.getrandbits(bits):0{bits // 4}x}" for bits in (128, 64, 64))
            at = int(self.dice.uniform(start, end) * SECOND_NS)
            took = int(ms * 10 ** 6 * self.dice.lognormvariate(0, 0.3))
            failed = self.dice.random() < share
            span = {"traceId": trace, "spanId": inner, "parentSpanId": root, "name": route, "kind": 2,
                    "startTimeUnixNano": at, "endTimeUnixNano": at + took}
            gate = {"traceId": trace, "spanId": root, "name": "edge", "kind": 2, "startTimeUnixNano": at - 1000,
                    "endTimeUnixNano": at + took + 1000}
            if keep:
                probability = keep[failed]
                if self.dice.random() >= probability:
                    continue
                span["traceState"] = gate["traceState"] = f"ot=th:{int((1 - probability) * 2 ** 56):014x}"
            if flag:
                evaluate(gate if flag[2] == "caller" else span, at, *flag)
            if failed:
                span["status"] = gate["status"] = {"code": 2}
                self.failed.setdefault(version, set()).add(trace)
                if user:
                    span["attributes"] = span.get("attributes", []) + [attribute("enduser.id", f"user {self.dice.randrange(1000)}")]
                if exception:
                    span["events"] = span.get("events", []) + [{"timeUnixNano": at, "name": "exception", "attributes": [
                        attribute("exception.type", exception), attribute("exception.message", "no such thing")]}]
            pod = by_pod.setdefault(self.dice.randrange(pods), [])
            pod.append(span)
            pod += [{"traceId": trace, "spanId": f"{self.dice.getrandbits(64):016x}", "parentSpanId": inner, "name": "call",
                     "kind": 3, "startTimeUnixNano": at, "endTimeUnixNano": at + took // 2,
                     "attributes": [attribute(key, value) for key, value in call.items()]} for call in calls]
            pod += [{"traceId": trace, "spanId": f"{self.dice.getrandbits(64):016x}", "parentSpanId": inner, "name": "SELECT",
                     "kind": 3, "startTimeUnixNano": at, "endTimeUnixNano": at + took} for _ in range(within)]
            edge.append(gate)
        self.sent[version] = self.sent.get(version, 0) + n
        resources = [({"service.name": caller}, edge)]
        for pod, spans in by_pod.items():
            about = {"service.name": self.service, "service.version": version, "service.instance.id": f"{version}-{pod}"}
            if environment:
                about["deployment.environment.name"] = environment
            resources.append((about, spans))
        body = {"resourceSpans": [{"resource": {"attributes": [attribute(k, v) for k, v in about.items() if v]},
                                   "scopeSpans": [{"scope": {"name": "t"}, "spans": spans}]} for about, spans in resources]}
        status, _, answer = self.server.post_traces(otlp.encode(body))
        assert status == 200, answer
