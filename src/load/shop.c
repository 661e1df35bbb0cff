// SPDX-License-Identifier: Apache-2.0
#include "load/shop.h"

#include "load/attr.h"

enum { WORDS_MAX = 9, SCRATCH_MAX = 16 << 10 };

static const struct {
    const char *name, *nouns, *calls, *database;
    bool http;
} services[SHOP_SERVICES] = {
    { "frontend-web", "home product category basket account help", "api-gateway", "", true },
    { "mobile-bff", "feed item cart profile push", "api-gateway", "", true },
    { "api-gateway", "products carts orders users search",
      "auth catalog search recommendation cart checkout order user-profile review", "", true },
    { "auth", "token session mfa", "user-profile", "redis", true },
    { "user-profile", "profile address prefs", "loyalty", "postgresql", true },
    { "catalog", "product category brand image", "pricing inventory review", "postgresql", false },
    { "search", "query suggest facet", "catalog recommendation", "elasticsearch", true },
    { "recommendation", "similar trending personal", "catalog", "redis", false },
    { "cart", "cart item coupon", "pricing promotion inventory catalog", "redis", false },
    { "pricing", "price quote tier", "currency tax", "postgresql", false },
    { "promotion", "promo voucher", "loyalty", "mysql", false },
    { "inventory", "stock reserve sku", "warehouse", "postgresql", false },
    { "checkout", "checkout session", "cart payment shipping tax order inventory loyalty currency",
      "postgresql", true },
    { "payment", "charge refund method", "fraud-detection currency", "postgresql", false },
    { "fraud-detection", "score rule", "user-profile", "cassandra", false },
    { "order", "order line history", "inventory shipping notification", "postgresql", true },
    { "shipping", "quote label track", "warehouse", "mysql", false },
    { "tax", "rate calc", "", "", false },
    { "currency", "convert rates", "", "", false },
    { "notification", "send pref", "email", "redis", false },
    { "email", "send template", "", "postgresql", false },
    { "review", "review rating", "user-profile", "mongodb", true },
    { "analytics-ingest", "event batch", "", "clickhouse", false },
    { "warehouse", "pick pack slot", "", "postgresql", false },
    { "loyalty", "points tier", "notification", "mysql", false },
};

static const struct {
    const char *name, *consumer;
} topics[SHOP_TOPICS] = {
    { "orders.created", "warehouse" },
    { "payments.settled", "order" },
    { "stock.changed", "catalog" },
    { "clickstream", "analytics-ingest" },
    { "notifications.outbound", "notification" },
    { "loyalty.points", "loyalty" },
};

static const struct {
    const char *kind, *message;
} failures[SHOP_FAILURES] = {
    { "java.net.SocketTimeoutException", "Read timed out after 2000 ms" },
    { "io.grpc.StatusRuntimeException",
      "UNAVAILABLE: upstream connect error or disconnect/reset before headers" },
    { "PaymentDeclinedError", "card declined by issuer (code 51)" },
    { "psycopg.errors.DeadlockDetected", "deadlock detected" },
    { "TypeError", "Cannot read properties of undefined (reading 'price')" },
    { "IllegalStateError", "a state that this version does not know" },
};

// What building needs: where results live, a scratch buffer, and the first failure.
struct builder {
    struct arena *arena;
    struct dice *dice;
    struct buf scratch;
};

static struct str finish(struct builder *b) {
    struct str out = str_dup(b->arena, buf_view(&b->scratch));
    b->arena->failed |= b->scratch.failed;
    buf_reset(&b->scratch);
    return out;
}

static size_t words_of(const char *text, struct str words[WORDS_MAX]) {
    struct str rest = str_of(text);
    size_t n = 0;
    while (rest.len && n < WORDS_MAX) str_cut(rest, ' ', &words[n++], &rest);
    ASSERT(rest.len == 0);
    return n;
}

static uint8_t service_of(struct str name) {
    for (uint8_t i = 0; i < SHOP_SERVICES; i++)
        if (str_eq(name, str_of(services[i].name))) return i;
    ASSERT(!"a service that is in the table");
    return 0;
}

static struct str capital(struct builder *b, struct str word) {
    struct str out = str_dup(b->arena, word);
    if (out.len) ((char *)(uintptr_t)out.ptr)[0] = (char)(out.ptr[0] - 'a' + 'A');
    return out;
}

static struct str without(struct builder *b, const char *name, char replace) {
    for (const char *c = name; *c; c++)
        if (*c != '-')
            buf_char(&b->scratch, *c);
        else if (replace)
            buf_char(&b->scratch, replace);
    return finish(b);
}

static void http_op(struct builder *b, const char *service, struct str noun, const char *verb, bool by_id,
                    struct shop_op *out) {
    struct arena *a = b->arena;
    struct str address = str_fmt(a, "%s.shop.svc.cluster.local", service);
    out->is_http = true;
    out->by_id = by_id;
    out->is_post = verb[0] == 'P' && verb[1] == 'O';
    out->prefix = str_fmt(a, "/api/v2/%.*s/", STR_ARG(noun));
    struct str route = str_fmt(a, "%.*s%s", STR_ARG(out->prefix), by_id ? "{id}" : "list");
    out->name = str_fmt(a, "%s %.*s", verb, STR_ARG(route));
    out->client_name = str_of(verb);
    struct buf *s = &b->scratch;
    attr_str(s, ATTR_SPAN, "http.request.method", str_of(verb));
    attr_str(s, ATTR_SPAN, "http.route", route);
    attr_str(s, ATTR_SPAN, "url.scheme", STR("https"));
    attr_str(s, ATTR_SPAN, "server.address", address);
    attr_int(s, ATTR_SPAN, "server.port", 8080);
    attr_str(s, ATTR_SPAN, "network.protocol.version", STR("1.1"));
    out->constant = finish(b);
    attr_str(s, ATTR_SPAN, "http.request.method", str_of(verb));
    attr_str(s, ATTR_SPAN, "server.address", address);
    attr_int(s, ATTR_SPAN, "server.port", 8080);
    attr_str(s, ATTR_SPAN, "network.protocol.version", STR("1.1"));
    attr_str(s, ATTR_SPAN, "peer.service", str_of(service));
    out->client_constant = finish(b);
}

static void rpc_op(struct builder *b, const char *service, struct str noun, const char *verb,
                   struct shop_op *out) {
    struct arena *a = b->arena;
    struct str package = without(b, service, '\0'), thing = capital(b, noun);
    struct str rpc_service = str_fmt(a, "shop.%.*s.v1.%.*sService", STR_ARG(package), STR_ARG(thing));
    struct str method = str_fmt(a, "%s%.*s", verb, STR_ARG(thing));
    out->name = out->client_name = str_fmt(a, "%.*s/%.*s", STR_ARG(rpc_service), STR_ARG(method));
    struct buf *s = &b->scratch;
    attr_str(s, ATTR_SPAN, "rpc.system", STR("grpc"));
    attr_str(s, ATTR_SPAN, "rpc.service", rpc_service);
    attr_str(s, ATTR_SPAN, "rpc.method", method);
    attr_fmt(s, ATTR_SPAN, "server.address", "%s.shop.svc.cluster.local", service);
    attr_int(s, ATTR_SPAN, "server.port", 9090);
    out->constant = out->client_constant = finish(b);
}

static void served_ops(struct builder *b, uint8_t i, struct shop_ops *out) {
    static const char *const http_verbs[] = { "GET", "GET", "POST", "GET", "PUT" };
    static const char *const rpc_verbs[] = { "Get", "List", "Update" };
    struct str nouns[WORDS_MAX];
    size_t n = words_of(services[i].nouns, nouns);
    out->list = arena_zalloc(b->arena, 2 * n * sizeof *out->list);
    if (!out->list) return;
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < 2; k++) {
            struct shop_op *op = &out->list[out->n++];
            if (services[i].http)
                http_op(b, services[i].name, nouns[j], http_verbs[(j + k) % 5], k == 1, op);
            else
                rpc_op(b, services[i].name, nouns[j], rpc_verbs[(j + k) % 3], op);
        }
}

// A statement with its verb; %T stands for the table, %R for a row of it.
struct statement {
    const char *verb, *text;
};
static const struct statement sql[] = {
    { "SELECT", "SELECT id, sku, status, quantity, updated_at, attributes FROM %T WHERE tenant_id = $1 AND "
                "%R_id = $2 ORDER BY updated_at DESC LIMIT 50" },
    { "UPDATE",
      "UPDATE %T SET status = $1, quantity = quantity - $2, updated_at = now() WHERE %R_id = $3 AND "
      "version = $4" },
    { "INSERT", "INSERT INTO %T (id, tenant_id, payload, created_at) VALUES ($1, $2, $3, now()) ON CONFLICT "
                "(id) DO NOTHING" },
    { "SELECT", "SELECT count(*), max(updated_at) FROM %T WHERE tenant_id = $1 AND status IN ($2, $3, $4) "
                "GROUP BY status" },
};
static const struct statement redis[] = { { "GET", "GET %T:?" },
                                          { "SETEX", "SETEX %T:? 300 ?" },
                                          { "HGETALL", "HGETALL %T:?" } };
static const struct statement mongodb[] = {
    { "find", "{\"find\":\"%T\",\"filter\":{\"productId\":\"?\",\"approved\":true},\"limit\":20}" },
    { "insert", "{\"insert\":\"%T\",\"filter\":{\"productId\":\"?\",\"approved\":true},\"limit\":20}" },
    { "aggregate", "{\"aggregate\":\"%T\",\"filter\":{\"productId\":\"?\",\"approved\":true},\"limit\":20}" },
};
#define SEARCH_BODY \
    "{\"query\":{\"bool\":{\"must\":[{\"match\":{\"title\":\"?\"}}],\"filter\":[{\"term\":{\"%T\":\"?\"}}]}" \
    "}," \
    "\"size\":24}"
static const struct statement elasticsearch[] = { { "search", SEARCH_BODY },
                                                  { "msearch", SEARCH_BODY },
                                                  { "index", SEARCH_BODY } };

static const struct {
    const char *name;
    uint16_t port;
    const struct statement *statements;
    size_t n;
} databases[] = {
    { "postgresql", 5432, sql, 4 },
    { "mysql", 3306, sql, 4 },
    { "clickhouse", 9000, sql, 3 },
    { "cassandra", 9042, sql, 3 },
    { "redis", 6379, redis, 3 },
    { "mongodb", 27017, mongodb, 3 },
    { "elasticsearch", 9200, elasticsearch, 3 },
};

static struct str fill(struct builder *b, const char *text, struct str table) {
    struct str row = str_sub(table, 0, table.len - 1);
    for (const char *c = text; *c; c++) {
        bool is_name = c[0] == '%' && (c[1] == 'T' || c[1] == 'R');
        if (!is_name)
            buf_char(&b->scratch, *c);
        else
            buf_str(&b->scratch, *++c == 'T' ? table : row);
    }
    return finish(b);
}

static void asked_ops(struct builder *b, uint8_t i, struct shop_ops *out) {
    const char *service = services[i].name, *database = services[i].database;
    size_t kind = 0;
    if (!*database) return;
    while (!str_eq(str_of(databases[kind].name), str_of(database))) kind++;
    struct str nouns[WORDS_MAX], namespace = without(b, service, '_');
    size_t n = words_of(services[i].nouns, nouns);
    out->list = arena_zalloc(b->arena, databases[kind].n * sizeof *out->list);
    if (!out->list) return;
    for (size_t j = 0; j < databases[kind].n; j++) {
        struct shop_op *op = &out->list[out->n++];
        const struct statement *st = &databases[kind].statements[j];
        struct str table = str_fmt(b->arena, "%.*ss", STR_ARG(nouns[j % n]));
        struct str text = fill(b, st->text, table);
        struct buf *s = &b->scratch;
        op->name = str_fmt(b->arena, "%s %.*s", st->verb, STR_ARG(table));
        attr_str(s, ATTR_SPAN, "db.system", str_of(database));
        attr_str(s, ATTR_SPAN, "db.namespace", namespace);
        attr_str(s, ATTR_SPAN, "db.operation.name", str_of(st->verb));
        attr_str(s, ATTR_SPAN, "db.collection.name", table);
        attr_str(s, ATTR_SPAN, "db.query.text", text);
        attr_fmt(s, ATTR_SPAN, "server.address", "%s-%s-0.%s.svc.cluster.local", service, database, database);
        attr_int(s, ATTR_SPAN, "server.port", databases[kind].port);
        attr_fmt(s, ATTR_SPAN, "network.peer.address", "10.200.%zu.5", strlen(service) % 8);
        attr_int(s, ATTR_SPAN, "network.peer.port", 5432);
        attr_fmt(s, ATTR_SPAN, "db.client.connection.pool.name", "%s-primary", service);
        attr_fmt(s, ATTR_SPAN, "peer.service", "%s-%s", service, database);
        op->constant = finish(b);
    }
}

static void done_ops(struct builder *b, uint8_t i, struct shop_ops *out) {
    static const char *const functions[] = { "validate", "render", "applyRules" };
    const char *service = services[i].name;
    struct str nouns[WORDS_MAX], module = without(b, service, '_');
    size_t n = words_of(services[i].nouns, nouns);
    out->list = arena_zalloc(b->arena, 3 * sizeof *out->list);
    if (!out->list) return;
    for (size_t j = 0; j < 2 + strlen(service) % 2; j++) {
        struct shop_op *op = &out->list[out->n++];
        struct buf *s = &b->scratch;
        op->name = str_fmt(b->arena, "%.*s.%s", STR_ARG(nouns[j % n]), functions[j]);
        attr_fmt(s, ATTR_SPAN, "code.function.name", "shop.%.*s.%.*s", STR_ARG(module), STR_ARG(op->name));
        attr_fmt(s, ATTR_SPAN, "code.file.path", "/app/src/%s/%s.%s", service, functions[j], j ? "ts" : "go");
        attr_int(s, ATTR_SPAN, "code.line.number", 40 + 13 * j);
        op->constant = finish(b);
    }
}

static struct str hexes(struct builder *b, unsigned n) {
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < n; i++) buf_char(&b->scratch, digits[dice_below(b->dice, 16)]);
    return finish(b);
}

static void open_pod(struct builder *b, uint8_t i, unsigned version, struct str number,
                     struct shop_pod *out) {
    static const char *const languages[] = { "nodejs", "java", "go", "python", "dotnet" };
    struct arena *a = b->arena;
    const char *service = services[i].name;
    unsigned node = (i * 3u + version) % 6;
    struct str set = hexes(b, 9), end = hexes(b, 5), id = hexes(b, 32);
    struct str host = str_fmt(a, "%s-%.*s-%.*s", service, STR_ARG(set), STR_ARG(end));
    out->ip = str_fmt(a, "10.%u.%u.%u", node, i, 10 + version);
    struct buf *s = &b->scratch;
    attr_str(s, ATTR_RESOURCE, "service.name", str_of(service));
    attr_str(s, ATTR_RESOURCE, "service.version", number);
    attr_str(s, ATTR_RESOURCE, "service.namespace", STR("shop"));
    attr_str(s, ATTR_RESOURCE, "service.instance.id", id);
    attr_str(s, ATTR_RESOURCE, "deployment.environment.name", STR("production"));
    attr_str(s, ATTR_RESOURCE, "k8s.cluster.name", STR("prod-eu-west-1"));
    attr_str(s, ATTR_RESOURCE, "k8s.namespace.name", STR("shop"));
    attr_str(s, ATTR_RESOURCE, "k8s.deployment.name", str_of(service));
    attr_str(s, ATTR_RESOURCE, "k8s.pod.name", host);
    attr_fmt(s, ATTR_RESOURCE, "k8s.node.name", "ip-10-%u-0-17.eu-west-1.compute.internal", node);
    attr_str(s, ATTR_RESOURCE, "host.name", host);
    attr_str(s, ATTR_RESOURCE, "telemetry.sdk.name", STR("opentelemetry"));
    attr_str(s, ATTR_RESOURCE, "telemetry.sdk.language", str_of(languages[i % 5]));
    attr_fmt(s, ATTR_RESOURCE, "telemetry.sdk.version", "1.%d.0", 30 + i % 9);
    out->resource = finish(b);
}

static void open_service(struct builder *b, uint8_t i, struct shop_service *out) {
    out->name = str_of(services[i].name);
    out->database = str_of(services[i].database);
    out->is_cache = str_eq(out->database, STR("redis"));
    struct str calls[WORDS_MAX];
    out->n_calls = (uint8_t)words_of(services[i].calls, calls);
    for (size_t c = 0; c < out->n_calls; c++) out->calls[c] = service_of(calls[c]);
    served_ops(b, i, &out->served);
    asked_ops(b, i, &out->asked);
    done_ops(b, i, &out->done);
    for (unsigned version = 0; version < SHOP_VERSIONS; version++)
        open_pod(b, i, version,
                 str_fmt(b->arena, "%d.%u.%u", 1 + i % 4, 10 + version, (i * 7u + version) % 20),
                 &out->pods[version]);
}

static void open_topics(struct builder *b, struct shop *out) {
    for (size_t i = 0; i < SHOP_TOPICS; i++) {
        struct shop_topic *t = &out->topics[i];
        t->name = str_of(topics[i].name);
        t->consumer = service_of(str_of(topics[i].consumer));
        for (int consume = 0; consume < 2; consume++) {
            struct buf *s = &b->scratch;
            attr_str(s, ATTR_SPAN, "messaging.system", STR("kafka"));
            attr_str(s, ATTR_SPAN, "messaging.destination.name", t->name);
            attr_str(s, ATTR_SPAN, "messaging.operation.type", consume ? STR("process") : STR("publish"));
            attr_str(s, ATTR_SPAN, "messaging.operation.name", consume ? STR("process") : STR("send"));
            attr_str(s, ATTR_SPAN, "server.address", STR("kafka-bootstrap.kafka.svc"));
            if (consume)
                attr_fmt(s, ATTR_SPAN, "messaging.consumer.group.name", "%s-cg", topics[i].consumer);
            else
                attr_int(s, ATTR_SPAN, "server.port", 9092);
            *(consume ? &t->consume : &t->publish) = finish(b);
        }
    }
}

static void open_failures(struct builder *b, struct shop *out) {
    for (int i = 0; i < 12; i++)
        buf_fmt(&b->scratch, "\n    at shop.internal.module%d.Handler.invoke(Handler.java:%d)", i,
                30 + 17 * i);
    struct str stack = finish(b);
    for (size_t i = 0; i < SHOP_FAILURES; i++) {
        struct str kind = str_of(failures[i].kind), message = str_of(failures[i].message);
        struct str trace =
            str_fmt(b->arena, "%.*s: %.*s%.*s", STR_ARG(kind), STR_ARG(message), STR_ARG(stack));
        struct buf *s = &b->scratch;
        pb_bytes(s, 2, STR("exception"));
        attr_str(s, ATTR_EVENT, "exception.type", kind);
        attr_str(s, ATTR_EVENT, "exception.message", message);
        attr_str(s, ATTR_EVENT, "exception.stacktrace", trace);
        out->failures[i].event = finish(b);
        pb_bytes(s, 2, message);
        pb_varint(s, 3, 2); // STATUS_CODE_ERROR
        out->failures[i].status = finish(b);
    }
}

static void open_scopes(struct builder *b, struct shop *out) {
    static const char *const names[SHOP_SCOPES] = { "io.opentelemetry.http", "io.opentelemetry.grpc",
                                                    "io.opentelemetry.db", "io.opentelemetry.kafka",
                                                    "shop.instrumentation" };
    for (size_t i = 0; i < SHOP_SCOPES; i++) {
        pb_bytes(&b->scratch, 1, str_of(names[i]));
        pb_bytes(&b->scratch, 2, i == SHOP_OWN ? STR("0.9.1") : STR("2.11.0"));
        out->scopes[i] = finish(b);
    }
}

static void open_user_agents(struct builder *b, struct shop *out) {
    struct arena *a = b->arena;
    for (unsigned i = 0; i < SHOP_USER_AGENTS / 3; i++) {
        out->user_agents[i] = str_fmt(a,
                                      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
                                      "(KHTML, like Gecko) Chrome/%u.0.0.0 Safari/537.36",
                                      i + 1);
        out->user_agents[8 + i] = str_fmt(a,
                                          "Mozilla/5.0 (iPhone; CPU iPhone OS 18_%u like Mac OS X) "
                                          "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
                                          "Mobile/15E148 Safari/604.1",
                                          i + 1);
        out->user_agents[16 + i] = str_fmt(a, "ShopApp/7.%u.0 (Android 15; Pixel 8) okhttp/4.12.0", i + 1);
    }
}

enum err shop_open(struct arena *a, struct dice *d, struct shop *out) {
    *out = (struct shop){ 0 };
    struct builder b = { .arena = a, .dice = d };
    buf_init(&b.scratch, SCRATCH_MAX);
    for (uint8_t i = 0; i < SHOP_SERVICES; i++) open_service(&b, i, &out->services[i]);
    open_topics(&b, out);
    open_failures(&b, out);
    open_scopes(&b, out);
    open_user_agents(&b, out);
    buf_fini(&b.scratch);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err shop_deploy(struct arena *a, struct dice *d, uint8_t service, unsigned pod, struct str version,
                     struct shop *shop) {
    struct builder b = { .arena = a, .dice = d };
    struct shop_pod made;
    buf_init(&b.scratch, SCRATCH_MAX);
    open_pod(&b, service, pod, version, &made);
    buf_fini(&b.scratch);
    if (a->failed) return ERR_NOMEM;
    shop->services[service].pods[pod] = made;
    return ERR_OK;
}

enum {
    FRONTEND_WEB = 0,
    MOBILE_BFF = 1,
    API_GATEWAY = 2,
    RECOMMENDATION = 7,
    CART = 8,
    PRICING = 9,
    CATALOG = 5,
    CHECKOUT = 12,
    PAYMENT = 13,
    ORDER = 15,
    EMAIL = 20,
    ANALYTICS = 22,
    WAREHOUSE = 23
};

uint8_t shop_entry(struct dice *d) {
    uint32_t percent = dice_below(d, 100);
    if (percent < 50) return FRONTEND_WEB;
    if (percent < 80) return MOBILE_BFF;
    if (percent < 90) return API_GATEWAY;
    return percent < 94 ? ANALYTICS : percent < 97 ? WAREHOUSE : EMAIL;
}

uint8_t shop_lone_entry(struct dice *d) {
    static const uint8_t lone[] = { ANALYTICS, WAREHOUSE, EMAIL };
    return lone[dice_below(d, 3)];
}

bool shop_takes_orders(uint8_t service) {
    return service == CHECKOUT || service == PAYMENT || service == ORDER;
}

bool shop_keeps_cache(uint8_t service) {
    return service == CART || service == PRICING || service == RECOMMENDATION || service == CATALOG;
}
