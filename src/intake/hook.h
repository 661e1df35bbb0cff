// SPDX-License-Identifier: Apache-2.0
// What the sources of intake.h share: the request at hand, events and claims said by table, the words
// that tools have for states. Private to this folder.
#pragma once

#include "base/document.h"
#include "intake/intake.h"
#include "intake/key.h"
#include "intake/signature.h"
#include "intake/stamp.h"

// Of two claims with one time, the later state has the higher rank.
enum { RANK_SAYS, RANK_WAITS, RANK_RUNS, RANK_DONE };

struct hook_in {
    const struct intake_request *r;
    struct str path; // of the URL, behind the name of the source
    struct arena *arena;
    struct err_ctx *ctx;
    struct intake *out;
    unsigned cap; // of out->events
    unsigned n_claims;
    struct document doc;
    struct intake_event spare; // takes what is said after a failure
    enum err err;              // sticks
};

struct hook {
    const char *name; // the first part of the source
    const struct signature_form *forms;
    unsigned n_forms;
    enum err (*read)(struct hook_in *in);
};
extern const struct hook hook_events, hook_github, hook_gitlab, hook_devlake, hook_alertmanager, hook_grafana,
    hook_pagerduty, hook_argocd, hook_argo_rollouts, hook_flux, hook_flagger, hook_opsgenie, hook_jenkins,
    hook_launchdarkly, hook_unleash;
extern const struct hook hook_otlp, hook_takt; // what spans and we ourselves tell: not to be sent to

#define HOOK_FORMS(list) .forms = (list), .n_forms = sizeof(list) / sizeof *(list)
// For sources that cannot sign: Authorization, X-Takt-Token or ?token=.
extern const struct signature_form hook_token_forms[3];

// The body as a document (of the whole request, or of what is given).
NODISCARD enum err hook_document(struct hook_in *in, struct str body, struct doc *out);
// The end of a read: the first error of the document, of the claims or of memory.
NODISCARD enum err hook_end(struct hook_in *in);
// "opened" or "": the text of a header, of the kept event when that is read again.
struct str hook_header(const struct hook_in *in, const char *name);

// A new event, known, whose body is that of the request; never NULL. Holds until the next one.
struct intake_event *hook_event(struct hook_in *in, struct str id, struct str type, int64_t time);
// Of a type that is not known, so whatever else could not be read of it is forgiven.
struct intake_event *hook_unknown(struct hook_in *in, struct str id, struct str type);
// "a.b" of two parts; "a" when the second is empty.
struct str hook_type(struct hook_in *in, struct str a, struct str b);

// --- claims --------------------------------------------------------------------------------------

// A claim of the newest event.
struct say {
    struct hook_in *in;
    struct claims *claims;
    struct claim *to;
};
struct say_path {
    enum fact_field field;
    const char *path;
};
struct say say_of(struct hook_in *in, enum fact_kind k, struct str key, int64_t time, uint8_t rank);
void say_text(struct say *s, enum fact_field f, struct str v);
// A deploy or an incident that names no service is one of its repository's, whose last word is the service.
// It is said at the first time that can be, so whoever else names a service, in whatever order, stands above
// it.
void say_service_of_repo(struct hook_in *in, enum fact_kind k, enum fact_field f, struct str key,
                         struct str repo);
// Lists in one text: what no longer fits is left out. say_list ends the buffer; one that failed for want
// of memory fails the arena.
void hook_list_add(struct buf *b, char between, struct str item);
void say_list(struct say *s, enum fact_field f, struct buf *b);
void say_labels(struct say *s, enum fact_field f, struct doc labels, const char *key);
void say_none(struct say *s, enum fact_field f); // there is none any more; as claim_none
void say_word(struct say *s, enum fact_field f, const char *v);
void say_time(struct say *s, enum fact_field f, int64_t ns);
void say_int(struct say *s, enum fact_field f, int64_t v);
void say_real(struct say *s, enum fact_field f, double v);
// What lies at the paths, each read as its field has it: texts also from integers, times from RFC 3339
// and its like. What is not there says nothing.
void say_paths(struct say *s, struct doc d, const struct say_path *paths, unsigned n);
#define SAY_PATHS(s, d, list) say_paths((s), (d), (list), sizeof(list) / sizeof *(list))

// A time as text; 0 when it is not there. doc_stamp_ms: a count of ms.
int64_t doc_stamp(struct doc d, const char *path);
int64_t doc_stamp_ms(struct doc d, const char *path);
int64_t time_or(int64_t time, int64_t otherwise); // the first that is not 0

// --- words ---------------------------------------------------------------------------------------

struct word {
    const char *from; // as the tool has it, in lower case
    const char *to;   // as fact.def has it
    uint8_t rank;
};
// Case does not matter. NULL: there is no such word.
const struct word *word_find(const struct word *words, unsigned n, struct str s);
#define WORD(list, s) word_find((list), sizeof(list) / sizeof *(list), (s))

// The state of a deploy, and the time that belongs to it. A NULL word says nothing.
void say_deploy(struct say *s, const struct word *w, int64_t time);
// The result of a run or a task, of all tools whose words are alike: success, failed, timed_out …
const struct word *result_word(struct str s);
// 1 is the worst: "P1", "sev2", "critical", "warning", "3"; P0 is 1 too. 0: not known.
int64_t severity_of(struct str s);
// A login that ends with [bot], or a type "Bot".
const char *author_kind(struct str login, struct str type);
bool hook_incident_label(struct str label);
// version, digest and (when nothing better is known) sha of a deploy from an image or a package URL.
void say_artifact(struct say *s, struct str image_or_purl);

// Alertmanager and Grafana send the same shape.
NODISCARD enum err alerts_read(struct hook_in *in, const char *provider);
// The teams that act on an incident, a line each: what lies at `key` of the items of a list.
void hook_teams_add(struct buf *b, struct doc list, const char *key);
// told: that there are none is told, and ends what was told before. Ends the buffer.
void say_teams(struct say *s, struct buf *b, bool told);
// Of labels those that begin with "team:", "team::" or "team/".
struct str hook_labelled_team(struct str label);                                     // empty: it names none
unsigned hook_labelled_teams_add(struct buf *b, struct doc labels, const char *key); // how many
// What the event is of such a label: none of its own, it was taken off, it was put on.
enum team_label { TEAM_LABEL_REPEATED, TEAM_LABEL_TAKEN, TEAM_LABEL_PUT };
// A claim of its own, for events of one second may tell different labels: one that only repeats them comes
// first, one that puts a label on last, so that an exchange ends with the new team.
void say_labelled_teams(struct hook_in *in, struct str incident, int64_t time, struct doc labels,
                        const char *key, enum team_label what);
// An object whose members are the names of fact.def's fields of the claim's kind.
void say_plain(struct say *s, struct doc d);
