// SPDX-License-Identifier: Apache-2.0
// What is told in JSON is what the protobuf of the same calls says in JSON.
#include "api/message.h"

#include "api/tempo.h"
#include "base/test.h"
#include "otlp/json.h"
#include "span/services.h"

static struct str random_text(char room[static 40]) {
    static const char bytes[] = "ab\"\\\n\x01\xc3\xa4 z\xff";
    size_t n = test_below(3) ? test_below(40) : 0;
    for (size_t i = 0; i < n; i++) room[i] = bytes[test_below(sizeof bytes - 1)];
    return (struct str){ room, n };
}

static uint64_t random_number(void) {
    uint64_t v = test_rand() >> test_below(64);
    return test_below(3) ? v : 0;
}

// Of one field, which is told the same way to both.
static void tell(struct message *both[2], const struct otlp_field *f, uint32_t depth);

static void tell_fields(struct message *both[2], const struct otlp_message *type, uint32_t depth) {
    uint32_t one = (uint32_t)test_below(type->n_fields);
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (type->fields[i].oneof ? i == one : test_below(4) > 0) tell(both, &type->fields[i], depth);
}

// As they are given: just so many bytes behind the text, all zero.
static struct str services_of(const struct buf *text) {
    char *room = mem_zalloc(text->len + SERVICES_PAD);
    if (text->len) memcpy(room, text->ptr, text->len);
    return (struct str){ room, text->len };
}

static uint32_t random_count(void) {
    return (uint32_t)(test_below(4) ? test_below(120) : random_number());
}

static void write_services(struct buf *text) {
    uint64_t n = test_below(12);
    buf_char(text, '{');
    for (uint64_t i = 0; i < n; i++) {
        char key[40];
        buf_str(text, i ? STR(",") : STR(""));
        json_quote(text, test_below(4) ? str_sub(STR("checkout-of-the-shop"), 0, 1 + test_below(20))
                                       : random_text(key));
        buf_fmt(text, ":[%u,%u]", random_count(), test_below(3) ? 0 : random_count());
    }
    buf_char(text, '}');
}

static void tell_services(struct message *both[2], const struct otlp_field *f) {
    struct buf text;
    buf_init(&text, SIZE_MAX);
    write_services(&text);
    struct str services = services_of(&text);
    for (int i = 0; i < 2; i++) {
        message_services(both[i], f->number, services);
        CHECK_OK(both[i]->err);
    }
    mem_free((void *)services.ptr);
    buf_fini(&text);
}

static void tell_message(struct message *both[2], const struct otlp_field *f, uint32_t depth) {
    char key[40];
    struct str name = random_text(key);
    if (f->map && test_below(2)) { // there is one map, of services
        tell_services(both, f);
        return;
    }
    if (f->message == &otlp_any_value && test_below(2)) {
        for (int i = 0; i < 2; i++) message_text_in(both[i], f->number, 1, name);
        return;
    }
    for (int i = 0; i < 2; i++)
        if (f->map)
            message_entry(both[i], f->number, name);
        else
            message_begin(both[i], f->number);
    if (depth < 8) tell_fields(both, f->map ? f->message->fields[1].message : f->message, depth + 1);
    for (int i = 0; i < 2; i++) message_end(both[i]);
    if (f->repeated && !f->map && test_below(2))
        for (int i = 0; i < 2; i++) message_again(both[i], f->number);
}

static void tell(struct message *both[2], const struct otlp_field *f, uint32_t depth) {
    char room[40];
    if (f->type == OTLP_TYPE_BYTES) return; // nothing of ours has any
    for (uint64_t n = f->repeated ? 1 + test_below(3) : 1; n > 0; n--) {
        struct str text = random_text(room);
        uint64_t v = random_number();
        if (f->type == OTLP_TYPE_UINT32 || f->type == OTLP_TYPE_ENUM) v &= 0x7fffffff;
        if (f->type == OTLP_TYPE_MESSAGE) {
            tell_message(both, f, depth);
            continue;
        }
        for (int i = 0; i < 2; i++)
            if (f->type == OTLP_TYPE_STRING)
                message_text(both[i], f->number, text);
            else if (f->type == OTLP_TYPE_DOUBLE)
                message_double(both[i], f->number, (double)v / 3);
            else
                message_number(both[i], f->number, f->type == OTLP_TYPE_BOOL ? v & 1 : v);
    }
}

TEST(message_json_says_what_its_protobuf_says) {
    const struct otlp_message *types[] = { &tempo_search_response,    &tempo_tags_response,
                                           &tempo_tags_v2_response,   &tempo_values_response,
                                           &tempo_values_v2_response, &tempo_range_response,
                                           &tempo_instant_response };
    for (int i = 0; i < 500; i++) {
        const struct otlp_message *type = types[test_below(sizeof types / sizeof *types)];
        struct message json, pb, *both[2] = { &json, &pb };
        struct buf want;
        buf_init(&want, SIZE_MAX);
        message_init(&json, type, true);
        message_init(&pb, type, false);
        tell_fields(both, type, 0);
        message_close(&json);
        message_close(&pb);
        CHECK_OK(otlp_pb_to_json(type, buf_view(&pb.buf), OTLP_FLAVOUR_TEMPO, &want));
        CHECK_STR(buf_view(&json.buf), buf_view(&want));
        message_fini(&json);
        message_fini(&pb);
        buf_fini(&want);
    }
}

// A list of services with some bytes changed: what JSON says is what protobuf says, an error included, and
// what was written before is whole.
TEST(message_of_damaged_services) {
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        struct message json, pb, *both[2] = { &json, &pb };
        struct buf text, want;
        buf_init(&text, SIZE_MAX);
        buf_init(&want, SIZE_MAX);
        write_services(&text);
        for (int k = (int)test_below(3); k > 0; k--)
            text.ptr[test_below(text.len)] = "\"\\:[],{}0a\n\xff"[test_below(12)];
        if (test_below(4) == 0) text.len = test_below(text.len + 1);
        struct str services = services_of(&text);
        for (int k = 0; k < 2; k++) {
            message_init(both[k], &tempo_search_response, k == 0);
            message_begin(both[k], TEMPO_LIST);
            message_text(both[k], TEMPO_TRACE_ID, STR("1"));
            message_number(both[k], TEMPO_START, 1);
            message_services(both[k], TEMPO_SERVICE_STATS, services);
            message_end(both[k]);
            message_close(both[k]);
        }
        CHECK(json.err == pb.err && (json.err == ERR_OK || json.err == ERR_CORRUPT));
        refused += json.err == ERR_CORRUPT;
        CHECK_OK(otlp_pb_to_json(&tempo_search_response, buf_view(&pb.buf), OTLP_FLAVOUR_TEMPO, &want));
        CHECK_STR(buf_view(&json.buf), buf_view(&want));
        mem_free((void *)services.ptr);
        for (int k = 0; k < 2; k++) message_fini(both[k]);
        buf_fini(&want);
        buf_fini(&text);
    }
    CHECK(refused > 500 && refused < 2500);
}

TEST(message_without_memory) {
    for (uint64_t n = 1; n < 12; n++) {
        struct message m;
        message_init(&m, &tempo_search_response, n % 2);
        mem_fail_at(n / 2 + 1, true);
        message_begin(&m, TEMPO_LIST);
        message_text(&m, TEMPO_TRACE_ID, STR("0123456789abcdef0123456789abcdef0123456789abcdef"));
        message_begin(&m, TEMPO_SPAN_SET);
        message_number(&m, TEMPO_SET_MATCHED, 7);
        message_end(&m);
        message_again(&m, TEMPO_SPAN_SETS);
        message_end(&m);
        message_close(&m);
        mem_fail_at(0, false);
        CHECK(!m.buf.failed || m.buf.len < 200);
        message_fini(&m);
    }
}
