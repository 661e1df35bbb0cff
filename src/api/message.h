// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: a message of a table (otlp/schema.h) on its way out, field by field, as protobuf
// or as the JSON of that: what is told once is told in both. Fields come in any order, those of a
// list one after the other; what is zero or empty is left out, elements of lists and members of a
// oneof are not. JSON: 64-bit integers as strings, enums by name. Fields and nesting are those of the
// table: anything else is a bug of ours. thread: one at a time.
#pragma once

#include "base/json.h"
#include "otlp/schema.h"

enum { MESSAGE_DEPTH_MAX = 12 };

struct message_level {
    const struct otlp_message *type;
    const struct otlp_field *list; // JSON: whose list or map is open; NULL: none
    size_t body;                   // where it begins
    size_t entry;                  // protobuf: where the entry of a map that it is the value of does; 0: none
};

struct message {
    struct buf buf; // may be emptied between the fields of the outermost message
    bool is_json;
    enum err err; // ERR_INVALID: a value is no protobuf; sticks. Want of memory is the buffer's
    struct json_writer w;
    uint32_t depth;
    struct message_level level[MESSAGE_DEPTH_MAX];
    size_t done, done_len; // the message that ended last
};

void message_init(struct message *m, const struct otlp_message *type, bool is_json);
void message_fini(struct message *m);
// The end of the outermost message.
void message_close(struct message *m);

void message_text(struct message *m, uint32_t number, struct str s);
void message_number(struct message *m, uint32_t number, uint64_t v); // integers, bool, enum
void message_double(struct message *m, uint32_t number, double v);
// A message; an element of a list of them; the value of a map's entry.
void message_begin(struct message *m, uint32_t number);
void message_entry(struct message *m, uint32_t number, struct str key);
void message_end(struct message *m);
// The message that ended last once more, in another field of the same type.
void message_again(struct message *m, uint32_t number);
// A message that is protobuf already.
void message_whole(struct message *m, uint32_t number, struct str pb);
// A list that is there also when it has no elements, in JSON.
void message_list(struct message *m, uint32_t number);
