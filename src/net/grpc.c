// SPDX-License-Identifier: Apache-2.0
#include "net/grpc.h"

#include "base/pb.h"

bool grpc_is_content_type(struct str value) {
    struct str want = STR("application/grpc");
    if (!str_eq_nocase(str_sub(value, 0, want.len), want)) return false;
    return value.len == want.len || strchr("+; \t", value.ptr[want.len]) != NULL;
}

bool grpc_timeout(struct str value, uint64_t *out_ns) {
    static const struct {
        char unit;
        uint64_t ns;
    } units[] = { { 'H', 3600000000000u }, { 'M', 60000000000u }, { 'S', 1000000000u },
                  { 'm', 1000000u },       { 'u', 1000u },        { 'n', 1u } };
    uint64_t n;
    if (value.len < 2 || value.len > 9 || !str_u64(str_sub(value, 0, value.len - 1), &n)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit != value.ptr[value.len - 1]) continue;
        if (__builtin_mul_overflow(n, units[i].ns, out_ns)) *out_ns = UINT64_MAX;
        return true;
    }
    return false;
}

void grpc_prefix_encode(bool compressed, uint32_t len, uint8_t out[static GRPC_PREFIX]) {
    uint32_t be = __builtin_bswap32(len);
    out[0] = compressed;
    memcpy(out + 1, &be, sizeof be);
}

void grpc_message_encode(struct buf *b, struct str text) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            buf_char(b, (char)c);
            continue;
        }
        buf_char(b, '%');
        buf_char(b, digits[c >> 4]);
        buf_char(b, digits[c & 15]);
    }
}

// google.rpc.Status: 1 code, 2 message, 3 details (google.protobuf.Any: 1 type_url, 2 value).
// google.rpc.RetryInfo: 1 retry_delay (google.protobuf.Duration: 1 seconds, 2 nanos).
void grpc_retry_status(struct buf *b, unsigned code, struct str message, uint32_t retry_after_ms) {
    pb_varint(b, 1, code);
    pb_bytes(b, 2, message);
    size_t any = pb_begin(b, 3);
    pb_bytes(b, 1, STR("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = pb_begin(b, 2);
    size_t delay = pb_begin(b, 1);
    pb_varint(b, 1, retry_after_ms / 1000);
    pb_varint(b, 2, (uint64_t)(retry_after_ms % 1000) * 1000000);
    pb_end(b, delay);
    pb_end(b, info);
    pb_end(b, any);
}
