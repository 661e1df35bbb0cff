#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the workload that Takt is measured on: traces of a made-up shop as OTLP requests.

usage: gen.py OUT SPANS WINDOW_S [SEED]

OUT.bin    repeated: u32 length (little-endian), an ExportTraceServiceRequest of about 500 spans
OUT.truth  a line per trace: trace id, number of spans, numbers of the requests that hold them
OUT.json   what the data holds: counts of errors, slow spans, rare values ...

The same arguments give the same bytes, everywhere. Times lie in the WINDOW_S seconds before END_NS;
replay moves them to now. Traces have 1 to 200 spans (a heavy tail, 19 on average); what one trace
sends reaches the six collectors at different moments, so requests cut through traces."""
import json
import math
import random
import struct
import sys
import time

import shop
from otlp import (EVENT_ATTRIBUTE, EVENT_NAME, EVENT_TIME, KIND_CLIENT, KIND_CONSUMER, KIND_INTERNAL,
                  KIND_PRODUCER, KIND_SERVER, LINK_ATTRIBUTE, LINK_SPAN_ID, LINK_TRACE_ID,
                  RESOURCE_SPANS, SCOPE_SPANS, SPAN, SPAN_END, SPAN_EVENT, SPAN_FLAGS_SAMPLED, SPAN_ID,
                  SPAN_KIND, SPAN_LINK, SPAN_NAME, SPAN_PARENT, SPAN_START, SPAN_TRACE_ID, attribute,
                  common_attribute, field, fixed64, span_attribute)

END_NS = 1_790_000_000_000_000_000
SPANS_PER_REQUEST = 500
SECOND_NS = 1_000_000_000
SLOW_NS = 2 * SECOND_NS
N_USERS = 200_000
RARE_USER = "user-rare-7f3a91"
RARE_USER_AT = (0.13, 0.41, 0.77)  # the parts of the run after which that user comes by
BAD_TRACES = 0.085  # the share of traces in which spans may fail
CACHED_SERVICES = ("cart", "pricing", "recommendation", "catalog")
ORDER_SERVICES = ("checkout", "payment", "order")
POD_SHARES = (0, 0, 0, 0, 0, 1, 1, 1, 2, 2)


class Dice:
    """The random numbers, and the shapes that are drawn from them."""

    def __init__(self, seed):
        source = random.Random(seed)
        self.unit, self.bits, self.gauss = source.random, source.getrandbits, source.gauss

    def below(self, n):
        return int(self.unit() * n)

    def skewed(self, n, power):
        """Below n, the small ones far more often."""
        return int(n * self.unit() ** power)

    def lognormal(self, median, sigma):
        return math.exp(self.gauss(math.log(median), sigma))

    def span_id(self):
        return self.bits(64).to_bytes(8, "big")

    def hexes(self, n):
        return "%0*x" % (n, self.bits(4 * n))

    def request_id(self):
        return "%08x-%04x-4%03x-a%03x-%012x" % (
            self.bits(32), self.bits(16), self.bits(12), self.bits(12), self.bits(48))


class Truth(dict):
    """What the data holds, counted while it is made."""

    def __init__(self):
        super().__init__(spans=0, traces=0, err_spans=0, err_traces=0, gt2s_spans=0, gt2s_traces=0,
                         rare_user_spans=0, rare_user_traces=0, checkout_post_spans=0, cache_hit_false=0,
                         links=0, events=0, gt5_err_traces=0)


class Trace:
    """One trace while it grows: a root, then children of spans that already serve something."""

    def __init__(self, world, start_ns, user):
        self.world, self.dice, self.truth, self.start_ns = world, world.dice, world.truth, start_ns
        dice = self.dice
        self.n_wanted = min(200, max(1, int(math.exp(dice.gauss(2.47, 1.03)))))
        self.trace_id = dice.bits(128).to_bytes(16, "big")
        self.user = span_attribute("user.id", user or "user-%06d" % dice.skewed(N_USERS, 1.6))
        self.session = span_attribute("session.id", "%032x" % dice.bits(128)) + common_attribute(
            "tenant.id", "tenant-%02d" % dice.skewed(20, 2))
        self.root_service = shop.ENTRIES[dice.below(len(shop.ENTRIES))]
        self.duration_ns = int(dice.lognormal(90e6, 1.25) * (1 + self.n_wanted / 40)) + 100_000
        self.bad = dice.unit() < BAD_TRACES
        self.failure = dice.below(len(shop.FAILURES))
        self.client_ip = "81.%d.%d.%d" % (dice.below(256), dice.below(256), dice.below(256))
        self.user_agent = shop.USER_AGENTS[dice.skewed(len(shop.USER_AGENTS), 2)]
        self.n_spans = self.n_errors = self.n_slow = self.n_with_user = 0
        self.servers = []  # (service, pod, span id, start, duration): what may get children

    def emit(self, pod, scope, span_id, parent_id, name, kind, start_ns, duration_ns, attributes,
             failed=False, event=b"", link=b""):
        self.n_spans += 1
        self.n_slow += duration_ns > SLOW_NS
        span = field(SPAN_TRACE_ID, self.trace_id) + field(SPAN_ID, span_id)
        if parent_id:
            span += field(SPAN_PARENT, parent_id)
        span += (field(SPAN_NAME, name.encode()) + bytes((SPAN_KIND, kind)) + fixed64(SPAN_START, start_ns)
                 + fixed64(SPAN_END, start_ns + duration_ns) + attributes)
        if failed:
            self.n_errors += 1
            self.truth["events"] += 1
            span += field(SPAN_EVENT, fixed64(EVENT_TIME, start_ns + duration_ns - 1000)
                          + shop.EXCEPTION_EVENTS[self.failure])
        span += event + link
        if failed:
            span += shop.ERROR_STATUSES[self.failure]
        span += SPAN_FLAGS_SAMPLED
        arrival_ns = start_ns + duration_ns + int(self.dice.unit() * 1e9)
        self.world.arrive(arrival_ns, pod, scope, self.trace_id, field(SPAN, span))

    def serve(self, service, parent_id, start_ns, duration_ns, op=None, failed=False):
        """A server span; further spans may hang below it."""
        dice = self.dice
        pod = self.world.pods[service][POD_SHARES[dice.below(10)]]
        span_id = dice.span_id()
        ops = shop.SERVER_OPERATIONS[service]
        op = op or ops[dice.skewed(len(ops), 1.4)]
        status = 500 if failed else 200 if dice.unit() < 0.96 else 404
        if op.http:
            scope = shop.SCOPE_HTTP
            path = op.prefix + (str(dice.skewed(5000, 2)) if op.by_id else "list")
            attributes = (
                op.constant + span_attribute("url.path", path)
                + common_attribute("http.response.status_code", status)
                + common_attribute("user_agent.original", self.user_agent)
                + span_attribute("client.address", self.client_ip) + self.user + self.session
                + span_attribute("http.request.header.x-request-id", dice.request_id())
                + span_attribute("http.response.body.size", 120 + dice.skewed(40000, 3)))
            self.truth["checkout_post_spans"] += service == "checkout" and op.verb == "POST"
        else:
            scope = shop.SCOPE_RPC
            attributes = (
                op.constant + common_attribute("rpc.grpc.status_code", 14 if failed else 0)
                + common_attribute("network.peer.address", pod.ip)
                + span_attribute("network.peer.port", 32768 + dice.below(28000))
                + common_attribute("thread.id", dice.below(64)) + self.user + self.session)
        self.n_with_user += 1
        if service in ORDER_SERVICES:
            attributes += span_attribute("order.total", round(math.exp(dice.gauss(3.9, 0.8)), 2))
        self.emit(pod, scope, span_id, parent_id, op.name, KIND_SERVER, start_ns, duration_ns, attributes,
                  failed)
        self.servers.append((service, pod, span_id, start_ns, duration_ns))

    def call(self, pod, parent_id, to, start_ns, duration_ns, failed):
        """A client span, and the server span that answers it."""
        dice = self.dice
        ops = shop.SERVER_OPERATIONS[to]
        op = ops[dice.skewed(len(ops), 1.4)]
        span_id = dice.span_id()
        peer = common_attribute("network.peer.address", self.world.pods[to][0].ip)
        if op.http:
            scope = shop.SCOPE_HTTP
            url = "http://%s.shop.svc.cluster.local:8080%s%s" % (
                to, op.prefix, dice.skewed(5000, 2) if op.by_id else "list")
            attributes = (
                op.client_constant + span_attribute("url.full", url)
                + common_attribute("http.response.status_code", 500 if failed else 200) + peer
                + common_attribute("thread.id", dice.below(64))
                + span_attribute("http.response.body.size", 120 + dice.skewed(40000, 3))
                + common_attribute("http.request.resend_count", 0))
        else:
            scope = shop.SCOPE_RPC
            attributes = (
                op.client_constant + common_attribute("rpc.grpc.status_code", 14 if failed else 0) + peer
                + common_attribute("peer.service", to) + common_attribute("thread.id", dice.below(64)))
        self.emit(pod, scope, span_id, parent_id, op.client_name, KIND_CLIENT, start_ns, duration_ns,
                  attributes, failed)
        self.serve(to, span_id, start_ns + duration_ns // 50, duration_ns - duration_ns // 20, op, failed)

    def ask_database(self, service, pod, parent_id, start_ns, duration_ns, failed):
        dice = self.dice
        ops = shop.DATABASE_OPERATIONS[service]
        op = ops[dice.skewed(len(ops), 1.3)]
        attributes = (
            op.constant + common_attribute("network.peer.address", "10.200.%d.5" % (len(service) % 8))
            + common_attribute("thread.id", dice.below(64))
            + common_attribute("db.client.connection.pool.name", service + "-primary")
            + common_attribute("network.peer.port", 5432)
            + common_attribute("peer.service", service + "-" + shop.DATABASE[service]))
        if op.redis:
            attributes += self.cache_hit(0.83)
        else:
            attributes += span_attribute("db.response.returned_rows", dice.below(50))
        self.emit(pod, shop.SCOPE_DB, dice.span_id(), parent_id, op.name, KIND_CLIENT, start_ns,
                  max(1000, duration_ns // 3), attributes, failed)

    def publish(self, pod, parent_id, start_ns, duration_ns):
        """A message, and the service that consumes it later; often linked to the previous trace."""
        dice = self.dice
        topic = shop.TOPIC_NAMES[dice.below(len(shop.TOPIC_NAMES))]
        message_id = "%08x-%04x" % (dice.bits(32), dice.bits(16))
        span_id = dice.span_id()
        partition = common_attribute("messaging.destination.partition.id", str(dice.below(24)))
        offset = span_attribute("messaging.kafka.offset", 1_000_000 + dice.bits(24))
        message = span_attribute("messaging.message.id", message_id) + partition + offset
        self.emit(pod, shop.SCOPE_KAFKA, span_id, parent_id, "send " + topic, KIND_PRODUCER, start_ns,
                  max(1000, duration_ns // 6), shop.PUBLISH[topic] + message)

        to = shop.TOPICS[topic]
        consumer, consumer_id = self.world.pods[to][dice.below(3)], dice.span_id()
        later_ns = start_ns + duration_ns + int(dice.lognormal(40e6, 1))
        takes_ns = int(dice.lognormal(12e6, 0.9))
        link = b""
        if self.world.previous_trace_id and dice.unit() < 0.5:
            self.truth["links"] += 1
            link = field(SPAN_LINK, field(LINK_TRACE_ID, self.world.previous_trace_id)
                         + field(LINK_SPAN_ID, dice.span_id())
                         + attribute(LINK_ATTRIBUTE, "messaging.batch.index", dice.below(10)))
        size = span_attribute("messaging.message.body.size", 200 + dice.below(4000))
        self.emit(consumer, shop.SCOPE_KAFKA, consumer_id, span_id, "process " + topic, KIND_CONSUMER,
                  later_ns, takes_ns, shop.CONSUME[topic] + message + size, link=link)
        self.servers.append((to, consumer, consumer_id, later_ns, takes_ns))

    def work(self, service, pod, parent_id, start_ns, duration_ns, failed):
        """An internal span."""
        dice = self.dice
        ops = shop.INTERNAL_OPERATIONS[service]
        op = ops[dice.below(len(ops))]
        attributes = (
            op.constant + common_attribute("thread.id", dice.below(64))
            + common_attribute("thread.name", "worker-%d" % dice.below(16)) + self.user
            + common_attribute("feature_flag.key", "exp-%d" % dice.below(12))
            + common_attribute("feature_flag.result.variant", "AB"[dice.below(2)])
            + span_attribute("app.items.count", dice.below(40)) + self.session)
        self.n_with_user += 1
        if service in CACHED_SERVICES:
            attributes += self.cache_hit(0.7)
        event = b""
        if dice.unit() < 0.1:
            self.truth["events"] += 1
            event = field(SPAN_EVENT, fixed64(EVENT_TIME, start_ns + duration_ns // 2)
                          + field(EVENT_NAME, b"rules.evaluated")
                          + attribute(EVENT_ATTRIBUTE, "rules.count", dice.below(90)))
        self.emit(pod, shop.SCOPE_SHOP, dice.span_id(), parent_id, op.name, KIND_INTERNAL, start_ns,
                  duration_ns, attributes, failed, event)

    def cache_hit(self, share):
        hit = self.dice.unit() < share
        self.truth["cache_hit_false"] += not hit
        return common_attribute("cache.hit", hit)

    def grow(self):
        """One more child (with what answers it) of a server span, the newest most often."""
        dice = self.dice
        service, pod, parent_id, parent_start_ns, parent_ns = self.servers[
            -1 - dice.skewed(len(self.servers), 1.7)]
        start_ns = parent_start_ns + int(parent_ns * dice.unit() * 0.85)
        left_ns = parent_start_ns + parent_ns - start_ns
        duration_ns = int(left_ns * (0.08 + 0.85 * dice.unit() ** 1.5)) + 1000
        what = dice.unit()
        failed = self.bad and dice.unit() < 0.32
        room_for_two = self.n_spans + 2 <= self.n_wanted
        calls = shop.CALLS[service]
        if what < 0.52 and calls and room_for_two:
            self.call(pod, parent_id, calls[dice.below(len(calls))], start_ns, duration_ns, failed)
        elif what < 0.86 and shop.DATABASE[service]:
            self.ask_database(service, pod, parent_id, start_ns, duration_ns, failed)
        elif what < 0.91 and room_for_two:
            self.publish(pod, parent_id, start_ns, duration_ns)
        else:
            self.work(service, pod, parent_id, start_ns, duration_ns, failed)

    def make(self):
        dice = self.dice
        if self.n_wanted == 1 and dice.unit() < 0.5:
            lone = shop.LONE_ENTRIES[dice.below(3)]
            self.serve(lone, None, self.start_ns, self.duration_ns, failed=self.bad)
        else:
            failed = self.bad and dice.unit() < 0.6
            self.serve(self.root_service, None, self.start_ns, self.duration_ns, failed=failed)
        while self.n_spans < self.n_wanted:
            self.grow()


class World:
    """The shop in time: makes traces, and brings their spans to the collectors in order of arrival."""

    def __init__(self, out, n_spans, window_s, seed):
        self.out, self.n_spans, self.window_ns = out, n_spans, window_s * 1e9
        self.begin_ns = END_NS - int(self.window_ns)
        self.dice, self.truth = Dice(seed), Truth()
        self.pods = shop.make_pods(self.dice.hexes)
        self.resources = [pod.resource for pods in self.pods.values() for pod in pods]
        self.previous_trace_id = None
        self.arrivals = {}  # second of arrival: spans
        self.collectors = [[] for _ in range(shop.N_NODES)]
        self.trace_spans, self.trace_requests = {}, {}  # trace id: number of spans; request numbers
        self.n_requests = self.n_bytes = 0

    def arrive(self, arrival_ns, pod, scope, trace_id, span):
        self.arrivals.setdefault(arrival_ns // SECOND_NS, []).append(
            (arrival_ns, pod.node, pod.resource_idx, scope, trace_id, span))

    def send(self, spans):
        """Writes one request: spans grouped by resource, then by scope."""
        groups = {}
        for _, _, resource, scope, trace_id, span in spans:
            groups.setdefault(resource, {}).setdefault(scope, [shop.SCOPES[scope]]).append(span)
            self.trace_requests.setdefault(trace_id, set()).add(self.n_requests)
        body = b"".join(
            field(RESOURCE_SPANS, self.resources[resource] + b"".join(
                field(SCOPE_SPANS, b"".join(parts)) for parts in scopes.values()))
            for resource, scopes in groups.items())
        self.out.write(struct.pack("<I", len(body)) + body)
        self.n_requests += 1
        self.n_bytes += len(body)

    def collect(self, second):
        """What arrives in this second goes to the collector of its node."""
        for span in sorted(self.arrivals.pop(second, []), key=lambda s: s[0]):
            collector = self.collectors[span[1]]
            collector.append(span)
            if len(collector) >= SPANS_PER_REQUEST:
                self.send(collector)
                collector.clear()

    def make_trace(self, start_ns, user):
        trace = Trace(self, start_ns, user)
        trace.make()
        truth = self.truth
        self.previous_trace_id = trace.trace_id
        self.trace_spans[trace.trace_id] = trace.n_spans
        truth["spans"] += trace.n_spans
        truth["traces"] += 1
        truth["err_spans"] += trace.n_errors
        truth["gt2s_spans"] += trace.n_slow
        truth["err_traces"] += trace.n_errors > 0
        truth["gt2s_traces"] += trace.n_slow > 0
        truth["gt5_err_traces"] += trace.n_errors > 5
        if user:
            truth["rare_user_traces"] += 1
            truth["rare_user_spans"] += trace.n_with_user

    def run(self):
        n_traces = max(1, self.n_spans // 20)
        rare_at = {int(n_traces * part) for part in RARE_USER_AT}
        second = self.begin_ns // SECOND_NS
        while self.truth["spans"] < self.n_spans:
            start_ns = self.begin_ns + int(self.window_ns * 0.985 * self.truth["spans"] / self.n_spans)
            start_ns += int(self.dice.unit() * 2e6)
            self.make_trace(start_ns, RARE_USER if self.truth["traces"] in rare_at else None)
            while second < start_ns // SECOND_NS:
                self.collect(second)
                second += 1
        for second in sorted(self.arrivals):
            self.collect(second)
        for collector in self.collectors:
            if collector:
                self.send(collector)


def write_truth(path, world):
    with open(path, "w") as out:
        for trace_id, n_spans in world.trace_spans.items():
            requests = ",".join(map(str, sorted(world.trace_requests[trace_id])))
            out.write(f"{trace_id.hex()} {n_spans} {requests}\n")


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.split("\n\n")[1])
    prefix, n_spans, window_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    began = time.monotonic()
    with open(prefix + ".bin", "wb") as out:
        world = World(out, n_spans, window_s, seed)
        world.run()
    write_truth(prefix + ".truth", world)
    truth = world.truth
    truth.update(batches=world.n_requests, bytes=world.n_bytes,
                 bytes_per_span=round(world.n_bytes / truth["spans"], 1), ops=shop.N_OPERATIONS,
                 mean_trace=round(truth["spans"] / truth["traces"], 2), end_ns=END_NS,
                 base_ns=world.begin_ns, gen_s=round(time.monotonic() - began, 1))
    with open(prefix + ".json", "w") as out:
        json.dump(truth, out, indent=1)
    print(json.dumps(truth))


if __name__ == "__main__":
    main()
