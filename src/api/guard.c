// SPDX-License-Identifier: Apache-2.0
#include "api/guard.h"

#include "api/api_internal.h"

enum { HOST_SHOWN = 80 };

static struct str without_port(struct str host) {
    ptrdiff_t end = host.len && host.ptr[0] == '[' ? str_find(host, ']') : -1;
    if (end >= 0 && ((size_t)end + 1 == host.len || host.ptr[end + 1] == ':'))
        return str_sub(host, 0, (size_t)end + 1);
    ptrdiff_t colon = str_find(host, ':');
    return colon < 0 ? host : str_sub(host, 0, (size_t)colon);
}

// No name ends in a number, so all of digits and dots is an address.
bool guard_is_loopback(struct str host) {
    struct str name = without_port(host);
    if (str_eq_nocase(name, STR("localhost")) || str_eq(name, STR("[::1]"))) return true;
    if (!str_starts(name, STR("127."))) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] != '.' && (name.ptr[i] < '0' || name.ptr[i] > '9')) return false;
    return true;
}

bool guard_is_named(struct str host, const struct str *names, uint32_t n) {
    struct str name = without_port(host);
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(names[i], STR("*")) || str_eq_nocase(without_port(names[i]), name)) return true;
    return false;
}

bool guard_is_same_origin(const struct net_request *rq) {
    struct str origin = net_request_header(rq, STR("origin")), scheme, host;
    ptrdiff_t colon = str_find(origin, ':');
    if (colon < 0) return false;
    scheme = str_sub(origin, 0, (size_t)colon);
    host = str_sub(origin, (size_t)colon, origin.len);
    if (!str_eq(scheme, STR("http")) && !str_eq(scheme, STR("https"))) return false;
    return str_starts(host, STR("://")) && str_eq_nocase(str_sub(host, 3, host.len), rq->host);
}

// What takes data has its own rules (hook_may_send), and tunnels with names of their own lead there.
static bool takes_events(const struct net_request *rq) {
    return str_eq(rq->path, STR("/events")) || str_starts(rq->path, STR("/hooks/"));
}

bool guard_host(const struct api *a, struct net_request *rq) {
    const struct api_opts *o = &a->opts;
    // Browsers always name a host. With TLS they find out that the name is not the certificate's.
    if (!a->on_loopback || o->tls || rq->host.len == 0 || takes_events(rq)) return true;
    if (guard_is_loopback(rq->host) || guard_is_named(rq->host, o->hosts, o->n_hosts)) return true;
    struct str shown = str_sub(rq->host, 0, HOST_SHOWN);
    if (rq->is_grpc)
        net_reply(rq, &(struct net_reply){ .grpc_status = NET_GRPC_PERMISSION_DENIED,
                                           .grpc_message = STR("this name is not one of http.hosts") });
    else
        reply_error(
            rq, 403,
            "this server listens on this machine only, and was asked by the name \"%.*s\"; if that is "
            "meant (a proxy in front of it, say), put the name into the setting http.hosts",
            STR_ARG(shown));
    return false;
}

// Sec-Fetch-Site is the browser's own word; a proxy may have put its own name in the place of the host.
bool guard_own_page(struct net_request *rq) {
    bool own = !is_page(rq) || guard_is_same_origin(rq) ||
               str_eq(net_request_header(rq, STR("sec-fetch-site")), STR("same-origin"));
    if (!own)
        reply_error(
            rq, 403,
            "of web pages only this server's own may ask for this; a proxy in front of it must hand on "
            "the Host that it was asked by");
    return own;
}
