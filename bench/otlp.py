# SPDX-License-Identifier: Apache-2.0
"""The few lines of OTLP protobuf that the generator needs: bytes in, bytes out."""
import struct

# Field numbers of opentelemetry/proto/trace/v1/trace.proto, as whole tags (number << 3 | wire type).
RESOURCE_SPANS = RESOURCE = SCOPE = 0x0A
SCOPE_SPANS = SPAN = 0x12
SPAN_TRACE_ID, SPAN_ID, SPAN_PARENT, SPAN_NAME = 0x0A, 0x12, 0x22, 0x2A
SPAN_KIND, SPAN_START, SPAN_END, SPAN_ATTRIBUTE = 0x30, 0x39, 0x41, 0x4A
SPAN_EVENT, SPAN_LINK, SPAN_STATUS = 0x5A, 0x6A, 0x7A
EVENT_TIME, EVENT_NAME, EVENT_ATTRIBUTE = 0x09, 0x12, 0x1A
LINK_TRACE_ID, LINK_SPAN_ID, LINK_ATTRIBUTE = 0x0A, 0x12, 0x22
RESOURCE_ATTRIBUTE = 0x0A
STATUS_MESSAGE, STATUS_CODE_ERROR = 0x12, b"\x18\x02"
SPAN_FLAGS_SAMPLED = b"\x85\x01" + struct.pack("<I", 0x101)  # sampled, parent known to be local

KIND_INTERNAL, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER = 1, 2, 3, 4, 5

pack_double = struct.Struct("<d").pack
pack_fixed64 = struct.Struct("<Q").pack


def varint(n):
    if n < 128:
        return bytes((n,))
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(tag, content):
    """A length-delimited field."""
    return bytes((tag,)) + varint(len(content)) + content


def fixed64(tag, value):
    return bytes((tag,)) + pack_fixed64(value)


def any_value(v):
    """KeyValue.value (field 2) holding an AnyValue."""
    if v is True or v is False:
        return b"\x12\x02\x10" + bytes((v,))
    if type(v) is int:
        number = varint(v & 0xFFFFFFFFFFFFFFFF)
        return bytes((0x12, 1 + len(number), 0x18)) + number
    if type(v) is float:
        return b"\x12\x09\x21" + pack_double(v)
    return field(0x12, field(0x0A, v.encode()))


_keys = {}


def attribute(tag, key, value):
    encoded_key = _keys.get(key)
    if encoded_key is None:
        encoded_key = _keys[key] = field(0x0A, key.encode())
    return field(tag, encoded_key + any_value(value))


def span_attribute(key, value):
    return attribute(SPAN_ATTRIBUTE, key, value)


_attributes = {}


def common_attribute(key, value):
    """A span attribute whose value recurs often enough to be kept encoded."""
    kept = (key, value, type(value))  # 1, 1.0 and True are equal, but not here
    encoded = _attributes.get(kept)
    if encoded is None:
        encoded = _attributes[kept] = span_attribute(key, value)
    return encoded


def span_attributes(pairs):
    return b"".join(span_attribute(k, v) for k, v in pairs)
