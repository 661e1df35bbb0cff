// SPDX-License-Identifier: Apache-2.0
#include "ingest/body.h"

#include <libdeflate.h>
#include <lz4.h>
#include <zstd.h>

#include "otlp/json.h"

enum { GUESS_MIN = 64 << 10, GROWTH = 4, TYPICAL_RATIO = 8 };

// gzip ends with the size of its last member, mostly the only one. One byte more: a decoder that
// fills its room to the last byte cannot tell whether that was all.
size_t body_unpacked_guess(enum body_packing packing, struct str body, size_t max) {
    uint64_t guess = (uint64_t)body.len * TYPICAL_RATIO;
    if (packing == BODY_GZIP && body.len > 4) {
        uint32_t claimed;
        memcpy(&claimed, body.ptr + body.len - 4, sizeof claimed);
        if (claimed >= body.len / 2) guess = claimed + 1ull;
    }
    if (packing == BODY_ZSTD) {
        uint64_t claimed = ZSTD_getFrameContentSize(body.ptr, body.len);
        if (claimed < ZSTD_CONTENTSIZE_ERROR) guess = claimed + 1;
    }
    if (guess < GUESS_MIN) guess = GUESS_MIN;
    return guess < max ? (size_t)guess : max;
}

// gzip does not say reliably how large the content is (and may have several members), so the
// buffer grows until it fits or the limit is reached.
static enum err unpack_gzip(struct str body, size_t max, struct buf *out, struct err_ctx *ctx) {
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    const char *in = body.ptr;
    size_t left = body.len, start = out->len, room = body_unpacked_guess(BODY_GZIP, body, max);
    enum err e = d ? ERR_OK : ERR_NOMEM;
    while (e == ERR_OK && left > 0) {
        size_t used, got, have = out->len - start;
        if (room > max - have) room = max - have;
        if (!buf_reserve(out, room ? room : 1)) {
            e = ERR_NOMEM;
            break;
        }
        enum libdeflate_result r =
            libdeflate_gzip_decompress_ex(d, in, left, out->ptr + out->len, room, &used, &got);
        if (r == LIBDEFLATE_SUCCESS) {
            out->len += got;
            in += used;
            left -= used;
        } else if (r == LIBDEFLATE_INSUFFICIENT_SPACE && room < max - have) {
            room = room > max / GROWTH ? max : room * GROWTH;
        } else if (r == LIBDEFLATE_INSUFFICIENT_SPACE) {
            e = err_set(ctx, ERR_LIMIT, "the gzip body unpacks to more than %zu bytes", max);
        } else {
            e = err_set(ctx, ERR_INVALID, "the body is not valid gzip");
        }
    }
    if (d) libdeflate_free_decompressor(d);
    return e;
}

static enum err unpack_zstd(struct str body, size_t max, struct buf *out, struct err_ctx *ctx) {
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_inBuffer in = { body.ptr, body.len, 0 };
    size_t start = out->len, hint = 1;
    enum err e = d ? ERR_OK : ERR_NOMEM;
    if (d && ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 23))) e = ERR_NOMEM;
    while (e == ERR_OK && (in.pos < in.size || hint != 0)) {
        size_t have = out->len - start, room = have < GUESS_MIN ? GUESS_MIN : have;
        if (room > max - have) room = max - have;
        if (!buf_reserve(out, room + 1)) {
            e = ERR_NOMEM;
            break;
        }
        ZSTD_outBuffer o = { out->ptr + out->len, room, 0 };
        size_t before = in.pos;
        hint = ZSTD_decompressStream(d, &o, &in);
        out->len += o.pos;
        if (ZSTD_isError(hint))
            e = err_set(ctx, ERR_INVALID, "the body is not valid zstd");
        else if (o.pos == 0 && in.pos == before && room == 0)
            e = err_set(ctx, ERR_LIMIT, "the zstd body unpacks to more than %zu bytes", max);
        else if (o.pos == 0 && in.pos == before)
            e = err_set(ctx, ERR_INVALID, "the zstd body breaks off");
    }
    ZSTD_freeDCtx(d);
    return e;
}

// lz4 is only what we packed ourselves: its content's size stands in front.
static enum err unpack_lz4(struct str body, size_t max, struct buf *out, struct err_ctx *ctx) {
    uint32_t size;
    if (body.len < sizeof size) return err_set(ctx, ERR_INVALID, "the lz4 body breaks off");
    memcpy(&size, body.ptr, sizeof size);
    if (size > max) return err_set(ctx, ERR_LIMIT, "the lz4 body unpacks to more than %zu bytes", max);
    if (!buf_reserve(out, size + 1ull)) return ERR_NOMEM;
    int n = LZ4_decompress_safe(body.ptr + sizeof size, out->ptr + out->len, (int)(body.len - sizeof size),
                                (int)size);
    if (n < 0 || (uint32_t)n != size) return err_set(ctx, ERR_INVALID, "the body is not valid lz4");
    out->len += size;
    return ERR_OK;
}

enum err body_unpack(enum body_packing packing, struct str body, size_t max, struct buf *out,
                     struct err_ctx *ctx) {
    switch (packing) {
    case BODY_RAW: buf_str(out, body); return out->failed ? ERR_NOMEM : ERR_OK;
    case BODY_GZIP: return unpack_gzip(body, max, out, ctx);
    case BODY_ZSTD: return unpack_zstd(body, max, out, ctx);
    case BODY_LZ4: return unpack_lz4(body, max, out, ctx);
    case BODY_PACKING_COUNT:
    default: return err_set(ctx, ERR_UNSUPPORTED, "unknown packing of a body");
    }
}

enum err body_pack_lz4(struct str body, struct buf *out) {
    uint32_t size = (uint32_t)body.len;
    if (body.len > LZ4_MAX_INPUT_SIZE) return ERR_LIMIT;
    int bound = LZ4_compressBound((int)size);
    size_t start = out->len;
    if (!buf_reserve(out, sizeof size + (size_t)bound)) return ERR_NOMEM;
    buf_add(out, &size, sizeof size);
    int n = LZ4_compress_default(body.ptr, out->ptr + out->len, (int)size, bound);
    out->len += n > 0 ? (size_t)n : 0;
    if (n > 0 && out->len - start < body.len) return ERR_OK;
    out->len = start;
    return ERR_LIMIT;
}

enum err body_to_protobuf(enum body_format format, struct str body, struct buf *scratch, struct str *out,
                          struct err_ctx *ctx) {
    *out = body;
    if (format == BODY_PROTOBUF) return ERR_OK;
    TRY(otlp_json_to_pb(body, scratch, NULL, ctx));
    *out = buf_view(scratch);
    return ERR_OK;
}
