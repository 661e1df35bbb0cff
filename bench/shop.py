# SPDX-License-Identifier: Apache-2.0
"""A made-up web shop: 25 services in 3 versions each, what they are called, store and say.

Everything here is fixed but for the names of pods and instances, which come from the caller's random
numbers. Whatever of a span does not vary is encoded once."""
from otlp import (EVENT_ATTRIBUTE, EVENT_NAME, RESOURCE, RESOURCE_ATTRIBUTE, SCOPE, SPAN_STATUS,
                  STATUS_CODE_ERROR, STATUS_MESSAGE, attribute, field, span_attributes)

N_NODES = 6
LANGUAGES = ["nodejs", "java", "go", "python", "dotnet"]

# service: the nouns it serves, the services it calls, its data base.
SERVICES = {
    "frontend-web": ("home product category basket account help", "api-gateway", None),
    "mobile-bff": ("feed item cart profile push", "api-gateway", None),
    "api-gateway": ("products carts orders users search",
                    "auth catalog search recommendation cart checkout order user-profile review", None),
    "auth": ("token session mfa", "user-profile", "redis"),
    "user-profile": ("profile address prefs", "loyalty", "postgresql"),
    "catalog": ("product category brand image", "pricing inventory review", "postgresql"),
    "search": ("query suggest facet", "catalog recommendation", "elasticsearch"),
    "recommendation": ("similar trending personal", "catalog", "redis"),
    "cart": ("cart item coupon", "pricing promotion inventory catalog", "redis"),
    "pricing": ("price quote tier", "currency tax", "postgresql"),
    "promotion": ("promo voucher", "loyalty", "mysql"),
    "inventory": ("stock reserve sku", "warehouse", "postgresql"),
    "checkout": ("checkout session", "cart payment shipping tax order inventory loyalty currency",
                 "postgresql"),
    "payment": ("charge refund method", "fraud-detection currency", "postgresql"),
    "fraud-detection": ("score rule", "user-profile", "cassandra"),
    "order": ("order line history", "inventory shipping notification", "postgresql"),
    "shipping": ("quote label track", "warehouse", "mysql"),
    "tax": ("rate calc", "", None),
    "currency": ("convert rates", "", None),
    "notification": ("send pref", "email", "redis"),
    "email": ("send template", "", "postgresql"),
    "review": ("review rating", "user-profile", "mongodb"),
    "analytics-ingest": ("event batch", "", "clickhouse"),
    "warehouse": ("pick pack slot", "", "postgresql"),
    "loyalty": ("points tier", "notification", "mysql"),
}
NAMES = list(SERVICES)
NOUNS = {name: nouns.split() for name, (nouns, _, _) in SERVICES.items()}
CALLS = {name: calls.split() for name, (_, calls, _) in SERVICES.items()}
DATABASE = {name: database for name, (_, _, database) in SERVICES.items()}
HTTP_SERVICES = set("frontend-web mobile-bff api-gateway auth search review checkout order "
                    "user-profile".split())

# topic: the service that consumes it.
TOPICS = {
    "orders.created": "warehouse",
    "payments.settled": "order",
    "stock.changed": "catalog",
    "clickstream": "analytics-ingest",
    "notifications.outbound": "notification",
    "loyalty.points": "loyalty",
}
TOPIC_NAMES = list(TOPICS)

# Where traces begin, as often as the weight says.
ENTRY_WEIGHTS = {"frontend-web": 50, "mobile-bff": 30, "api-gateway": 10, "analytics-ingest": 4,
                 "warehouse": 3, "email": 3}
ENTRIES = [name for name, weight in ENTRY_WEIGHTS.items() for _ in range(weight)]
LONE_ENTRIES = ("analytics-ingest", "warehouse", "email")

USER_AGENTS = [pattern % n for pattern in (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/%d.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1",
    "ShopApp/7.%d.0 (Android 15; Pixel 8) okhttp/4.12.0") for n in range(1, 9)]

SCOPE_HTTP, SCOPE_RPC, SCOPE_DB, SCOPE_KAFKA, SCOPE_SHOP = range(5)
SCOPES = [field(SCOPE, field(0x0A, name) + field(0x12, version)) for name, version in (
    (b"io.opentelemetry.http", b"2.11.0"), (b"io.opentelemetry.grpc", b"2.11.0"),
    (b"io.opentelemetry.db", b"2.11.0"), (b"io.opentelemetry.kafka", b"2.11.0"),
    (b"shop.instrumentation", b"0.9.1"))]

STACK = "\n".join(f"    at shop.internal.module{i}.Handler.invoke(Handler.java:{30 + 17 * i})"
                  for i in range(12))
FAILURES = [
    ("java.net.SocketTimeoutException", "Read timed out after 2000 ms"),
    ("io.grpc.StatusRuntimeException",
     "UNAVAILABLE: upstream connect error or disconnect/reset before headers"),
    ("PaymentDeclinedError", "card declined by issuer (code 51)"),
    ("psycopg.errors.DeadlockDetected", "deadlock detected"),
    ("TypeError", "Cannot read properties of undefined (reading 'price')"),
]


def _exception_event(kind, message):
    return field(EVENT_NAME, b"exception") + b"".join(
        attribute(EVENT_ATTRIBUTE, key, value) for key, value in (
            ("exception.type", kind), ("exception.message", message),
            ("exception.stacktrace", f"{kind}: {message}\n{STACK}"), ("exception.escaped", "false")))


EXCEPTION_EVENTS = [_exception_event(kind, message) for kind, message in FAILURES]
ERROR_STATUSES = [field(SPAN_STATUS, field(STATUS_MESSAGE, message.encode()) + STATUS_CODE_ERROR)
                  for _, message in FAILURES]


class Operation:
    """Something that a service does: its span name and the attributes that never change."""

    def __init__(self, name, constant):
        self.name, self.constant = name, span_attributes(constant)


def _http_operation(service, noun, verb, by_id):
    address = f"{service}.shop.svc.cluster.local"
    prefix = f"/api/v2/{noun}/"
    route = prefix + ("{id}" if by_id else "list")
    op = Operation(f"{verb} {route}", [
        ("http.request.method", verb), ("http.route", route), ("url.scheme", "https"),
        ("server.address", address), ("server.port", 8080), ("network.protocol.version", "1.1")])
    op.http, op.verb, op.prefix, op.by_id = True, verb, prefix, by_id
    op.client_name = verb
    op.client_constant = span_attributes([
        ("http.request.method", verb), ("server.address", address), ("server.port", 8080),
        ("network.protocol.version", "1.1"), ("peer.service", service)])
    return op


def _rpc_operation(service, noun, verb):
    rpc_service = f"shop.{service.replace('-', '')}.v1.{noun.capitalize()}Service"
    method = verb + noun.capitalize()
    op = Operation(f"{rpc_service}/{method}", [
        ("rpc.system", "grpc"), ("rpc.service", rpc_service), ("rpc.method", method),
        ("server.address", f"{service}.shop.svc.cluster.local"), ("server.port", 9090)])
    op.http, op.client_name, op.client_constant = False, op.name, op.constant
    return op


def _server_operations(service):
    http_verbs = ["GET", "GET", "POST", "GET", "PUT"]
    rpc_verbs = ["Get", "List", "Update"]
    for j, noun in enumerate(NOUNS[service]):
        for k in range(2):
            if service in HTTP_SERVICES:
                yield _http_operation(service, noun, http_verbs[(j + k) % 5], k == 1)
            else:
                yield _rpc_operation(service, noun, rpc_verbs[(j + k) % 3])


PORTS = {"postgresql": 5432, "mysql": 3306, "redis": 6379, "mongodb": 27017, "cassandra": 9042,
         "clickhouse": 9000, "elasticsearch": 9200}


def _sql(j, table):
    row = table[:-1]
    return [
        ("SELECT", f"SELECT id, sku, status, quantity, updated_at, attributes FROM {table} "
                   f"WHERE tenant_id = $1 AND {row}_id = $2 ORDER BY updated_at DESC LIMIT 50"),
        ("UPDATE", f"UPDATE {table} SET status = $1, quantity = quantity - $2, updated_at = now() "
                   f"WHERE {row}_id = $3 AND version = $4"),
        ("INSERT", f"INSERT INTO {table} (id, tenant_id, payload, created_at) "
                   f"VALUES ($1, $2, $3, now()) ON CONFLICT (id) DO NOTHING"),
        ("SELECT", f"SELECT count(*), max(updated_at) FROM {table} "
                   f"WHERE tenant_id = $1 AND status IN ($2, $3, $4) GROUP BY status"),
    ][j]


def _statement(database, j, table):
    """(verb, text) of the j-th statement on a table."""
    if database in ("postgresql", "mysql", "clickhouse", "cassandra"):
        return _sql(j, table)
    if database == "redis":
        return [("GET", f"GET {table}:?"), ("SETEX", f"SETEX {table}:? 300 ?"),
                ("HGETALL", f"HGETALL {table}:?")][j]
    if database == "mongodb":
        verb = ["find", "insert", "aggregate"][j]
        return verb, f'{{"{verb}":"{table}","filter":{{"productId":"?","approved":true}},"limit":20}}'
    verb = ["search", "msearch", "index"][j]
    return verb, ('{"query":{"bool":{"must":[{"match":{"title":"?"}}],'
                  f'"filter":[{{"term":{{"{table}":"?"}}}}]}}}},"size":24}}')


def _database_operations(service):
    database = DATABASE[service]
    if not database:
        return
    for j in range(4 if database in ("postgresql", "mysql") else 3):
        table = NOUNS[service][j % len(NOUNS[service])] + "s"
        verb, text = _statement(database, j, table)
        op = Operation(f"{verb} {table}", [
            ("db.system", database), ("db.namespace", service.replace("-", "_")),
            ("db.operation.name", verb), ("db.collection.name", table), ("db.query.text", text),
            ("server.address", f"{service}-{database}-0.{database}.svc.cluster.local"),
            ("server.port", PORTS[database])])
        op.redis = database == "redis"
        yield op


def _internal_operations(service):
    for j, function in enumerate(["validate", "render", "applyRules"][:2 + len(service) % 2]):
        name = f"{NOUNS[service][j % len(NOUNS[service])]}.{function}"
        yield Operation(name, [
            ("code.function.name", f"shop.{service.replace('-', '_')}.{name}"),
            ("code.file.path", f"/app/src/{service}/{function}.{'ts' if j else 'go'}"),
            ("code.line.number", 40 + 13 * j)])


SERVER_OPERATIONS = {s: list(_server_operations(s)) for s in NAMES}
DATABASE_OPERATIONS = {s: list(_database_operations(s)) for s in NAMES}
INTERNAL_OPERATIONS = {s: list(_internal_operations(s)) for s in NAMES}
N_OPERATIONS = sum(len(ops) for kind in (SERVER_OPERATIONS, DATABASE_OPERATIONS, INTERNAL_OPERATIONS)
                   for ops in kind.values())

PUBLISH = {topic: span_attributes([
    ("messaging.system", "kafka"), ("messaging.destination.name", topic),
    ("messaging.operation.type", "publish"), ("messaging.operation.name", "send"),
    ("server.address", "kafka-bootstrap.kafka.svc"), ("server.port", 9092)]) for topic in TOPICS}
CONSUME = {topic: span_attributes([
    ("messaging.system", "kafka"), ("messaging.destination.name", topic),
    ("messaging.operation.type", "process"), ("messaging.operation.name", "process"),
    ("messaging.consumer.group.name", consumer + "-cg"),
    ("server.address", "kafka-bootstrap.kafka.svc")]) for topic, consumer in TOPICS.items()}


class Pod:
    """One of three running versions of a service, with its encoded resource."""

    def __init__(self, service, index, hexes):
        service_idx = NAMES.index(service)
        self.node, self.resource_idx = (3 * service_idx + index) % N_NODES, 3 * service_idx + index
        self.ip = f"10.{self.node}.{service_idx}.{10 + index}"
        host = f"{service}-{hexes(9)}-{hexes(5)}"
        instance = "-".join((hexes(8), hexes(4), hexes(4), hexes(4), hexes(12)))
        version = f"{1 + service_idx % 4}.{10 + index}.{(service_idx * 7 + index) % 20}"
        self.resource = field(RESOURCE, b"".join(attribute(RESOURCE_ATTRIBUTE, key, value) for key, value in (
            ("service.name", service), ("service.version", version), ("service.namespace", "shop"),
            ("service.instance.id", instance),
            ("deployment.environment.name", "production"), ("k8s.cluster.name", "prod-eu-west-1"),
            ("k8s.namespace.name", "shop"), ("k8s.deployment.name", service), ("k8s.pod.name", host),
            ("k8s.node.name", f"ip-10-{self.node}-0-17.eu-west-1.compute.internal"), ("host.name", host),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.language", LANGUAGES[service_idx % 5]),
            ("telemetry.sdk.version", f"1.{30 + service_idx % 9}.0"))))


def make_pods(hexes):
    """hexes(n) gives n random hex digits."""
    return {service: [Pod(service, index, hexes) for index in range(3)] for service in NAMES}
