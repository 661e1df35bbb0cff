// SPDX-License-Identifier: Apache-2.0
// The calls of the simulated disk: they change the live state and note what is pending.
#include "os/disk_sim_internal.h"

enum { ARENA_MAX = 1 << 30, DIR_CHANGES_MAX = 64 << 20, NAMES_MAX = 1 << 20 };

struct disk_file {
    struct disk_sim *sim;
    struct sim_node *node;
    bool writable;
};

// --- the frame around every call ---

static bool must_fail(struct disk_sim *s, enum disk_sim_op op) {
    struct disk_sim_fault *f = &s->fault;
    if (f->nth == 0 || (f->op != DISK_SIM_ANY && f->op != op)) return false;
    s->fault_seen++;
    return s->fault_seen == f->nth || (s->fault_seen > f->nth && f->keep);
}

static enum err fault_err(const struct disk_sim *s) {
    return s->fault.err == ERR_OK ? ERR_IO : s->fault.err;
}

// Takes the lock. false: the call must leave without any effect. When s->failing is set, the call
// may still leave a part of its work; leave() then gives the error.
static bool enter(struct disk_sim *s, enum disk_sim_op op) {
    mutex_lock(&s->lock);
    s->calls[op]++;
    s->calls[DISK_SIM_ANY]++;
    if (s->down) return false;
    s->failing = must_fail(s, op);
    return true;
}

static enum err leave(struct disk_sim *s, enum err e) {
    if (s->down)
        e = ERR_IO;
    else if (s->failing) {
        s->down = s->fault.power_off;
        e = s->down ? ERR_IO : fault_err(s);
    }
    s->failing = false;
    mutex_unlock(&s->lock);
    return e;
}

// For calls that either happen or do not: a failing one does not, except that the power may go
// just after it took effect.
static bool takes_effect(struct disk_sim *s) {
    return !s->failing || (s->fault.power_off && sim_below(s, 2));
}

// --- folders ---

struct sim_entry *sim_find(const struct buf *entries, const char *name) {
    struct sim_entry *all = (struct sim_entry *)(void *)entries->ptr;
    for (size_t i = 0; i < entries->len / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0) return &all[i];
    return NULL;
}

void sim_set(struct buf *entries, const char *name, struct sim_node *node) {
    struct sim_entry *there = sim_find(entries, name);
    if (there) {
        there->node = node;
        return;
    }
    ASSERT(entries->cap - entries->len >= sizeof *there);
    struct sim_entry *all = (struct sim_entry *)(void *)entries->ptr;
    size_t at = entries->len / sizeof *all;
    for (; at > 0 && strcmp(all[at - 1].name, name) > 0; at--) all[at] = all[at - 1];
    all[at] = (struct sim_entry){ name, node };
    entries->len += sizeof *all;
}

void sim_remove(struct buf *entries, const char *name, const struct sim_node *node) {
    struct sim_entry *there = sim_find(entries, name);
    if (!there || there->node != node) return;
    char *end = entries->ptr + entries->len;
    memmove(there, there + 1, (size_t)(end - (char *)(there + 1)));
    entries->len -= sizeof *there;
}

static struct sim_node *node_new(struct disk_sim *s, bool is_dir) {
    struct sim_node *n = ARENA_NEW(&s->arena, struct sim_node);
    if (!n) return NULL;
    n->is_dir = is_dir;
    n->tail = &n->head;
    buf_init(&n->live, DISK_SIM_FILE_MAX);
    buf_init(&n->durable, DISK_SIM_FILE_MAX);
    n->next = s->nodes;
    s->nodes = n;
    return n;
}

static const char *name_at(const struct disk_sim *s, uint32_t i) {
    return ((const char *const *)(void *)s->names.ptr)[i];
}

static bool name_eq(const void *ctx, uint32_t i, const void *key) {
    return str_eq(str_of(name_at(ctx, i)), *(const struct str *)key);
}

static uint64_t name_hash(const void *ctx, uint32_t i) {
    return hash_str(str_of(name_at(ctx, i)));
}

// A name that lives as long as the disk; each takes room once. NULL = no memory.
static const char *keep_name(struct disk_sim *s, struct str name) {
    uint32_t n = (uint32_t)(s->names.len / sizeof(char *));
    uint32_t i = map_get(&s->name_map, hash_str(name), name_eq, s, &name);
    if (i != MAP_NONE) return name_at(s, i);
    const char *copy = str_z(&s->arena, name);
    if (!copy || !sim_reserve_bytes(&s->names, sizeof copy)) return NULL;
    if (map_put(&s->name_map, hash_str(name), n, name_hash, s) != ERR_OK) return NULL;
    buf_add(&s->names, &copy, sizeof copy);
    return copy;
}

// The folder that holds the last part of a path, and that part ("" for the root itself).
static enum err find_parent(struct disk_sim *s, const char *path, struct sim_node **out,
                            const char **out_name) {
    struct sim_node *at = s->root;
    struct str rest = str_of(path), part, last = STR("");
    while (rest.len) {
        (void)str_cut(rest, '/', &part, &rest);
        if (part.len == 0 || str_eq(part, STR("."))) continue;
        if (str_eq(part, STR(".."))) return ERR_INVALID;
        if (last.len) {
            const char *name = keep_name(s, last);
            if (!name) return ERR_NOMEM;
            struct sim_entry *ent = sim_find(&at->live, name);
            if (!ent || !ent->node->is_dir) return ERR_NOT_FOUND;
            at = ent->node;
        }
        last = part;
    }
    *out = at;
    *out_name = keep_name(s, last);
    return *out_name ? ERR_OK : ERR_NOMEM;
}

static enum err find(struct disk_sim *s, const char *path, struct sim_node **out) {
    struct sim_node *dir;
    const char *name;
    TRY(find_parent(s, path, &dir, &name));
    struct sim_entry *ent = *name ? sim_find(&dir->live, name) : NULL;
    if (*name && !ent) return ERR_NOT_FOUND;
    *out = ent ? ent->node : s->root;
    return ERR_OK;
}

// An entry goes, comes, or both, at once.
static enum err change_dirs(struct disk_sim *s, struct sim_dir_change c) {
    if (!sim_reserve_bytes(&s->dir_changes, sizeof c)) return ERR_NOMEM;
    if (c.to_dir && !sim_reserve_bytes(&c.to_dir->live, sizeof(struct sim_entry))) return ERR_NOMEM;
    buf_add(&s->dir_changes, &c, sizeof c);
    if (c.dir) {
        sim_remove(&c.dir->live, c.name, c.node);
        c.node->n_links--;
    }
    if (c.to_dir) {
        struct sim_entry *old = sim_find(&c.to_dir->live, c.to_name);
        if (old) old->node->n_links--;
        sim_set(&c.to_dir->live, c.to_name, c.node);
        c.node->n_links++;
    }
    return ERR_OK;
}

static enum err add_node(struct disk_sim *s, struct sim_node *dir, const char *name, bool is_dir,
                         struct sim_node **out) {
    struct sim_node *n = node_new(s, is_dir);
    if (!n) return ERR_NOMEM;
    TRY(change_dirs(s, (struct sim_dir_change){ .to_dir = dir, .to_name = name, .node = n }));
    *out = n;
    return ERR_OK;
}

// --- files ---

static enum err open_locked(struct disk_sim *s, const char *path, enum disk_open how, struct sim_node **out) {
    struct sim_node *dir;
    const char *name;
    TRY(find_parent(s, path, &dir, &name));
    struct sim_entry *ent = sim_find(&dir->live, name);
    if (how == DISK_CREATE) return ent || !*name ? ERR_EXISTS : add_node(s, dir, name, false, out);
    if (!ent || ent->node->is_dir) return ERR_NOT_FOUND;
    *out = ent->node;
    return ERR_OK;
}

static enum err sim_open(struct disk *d, const char *path, enum disk_open how, struct disk_file **out) {
    struct disk_sim *s = (struct disk_sim *)d;
    struct disk_file *f = mem_alloc(sizeof *f);
    if (!f) return ERR_NOMEM;
    *f = (struct disk_file){ .sim = s, .writable = how != DISK_READ };
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_OPEN) && takes_effect(s)) e = open_locked(s, path, how, &f->node);
    bool opened = e == ERR_OK && !s->failing && !s->down;
    s->n_open += opened;
    e = leave(s, e);
    if (opened)
        *out = f;
    else
        mem_free(f);
    return e;
}

static enum err sim_read(struct disk_file *f, uint64_t off, void *dst, size_t n, size_t *out_n) {
    struct disk_sim *s = f->sim;
    if (enter(s, DISK_SIM_READ) && !s->failing) {
        struct str part = str_sub(buf_view(&f->node->live), off, n);
        if (part.len) memcpy(dst, part.ptr, part.len);
        *out_n = part.len;
    }
    return leave(s, ERR_OK);
}

static uint64_t used_bytes(const struct disk_sim *s) {
    uint64_t sum = 0;
    for (const struct sim_node *n = s->nodes; n; n = n->next)
        if (!n->is_dir && n->n_links) sum += n->live.len;
    return sum;
}

static enum err note_change(struct disk_sim *s, struct sim_node *n, struct sim_change change) {
    struct sim_change *c = arena_copy(&s->arena, &change, sizeof change);
    if (!c) return ERR_NOMEM;
    *n->tail = c;
    n->tail = &c->next;
    return ERR_OK;
}

static enum err write_locked(struct disk_sim *s, struct sim_node *n, uint64_t off, struct str bytes) {
    enum err e = ERR_OK;
    if (s->failing) bytes.len = sim_below(s, bytes.len + 1);
    uint64_t end = off + bytes.len, size = n->live.len;
    if (s->size_limit && end > size) {
        uint64_t used = used_bytes(s), room = s->size_limit > used ? s->size_limit - used : 0;
        if (end - size > room) {
            e = ERR_LIMIT;
            bytes.len = size + room > off ? size + room - off : 0;
            end = off + bytes.len;
        }
    }
    if (bytes.len == 0) return e;
    if (end > DISK_SIM_FILE_MAX) return ERR_LIMIT;
    if (end > size && !sim_reserve_bytes(&n->live, end - size)) return ERR_NOMEM;
    TRY(note_change(s, n, (struct sim_change){ .off = off, .bytes = bytes }));
    if (off > size) memset(n->live.ptr + size, 0, off - size);
    if (end > size) n->live.len = end;
    memcpy(n->live.ptr + off, bytes.ptr, bytes.len);
    return e;
}

static enum err sim_write(struct disk_file *f, uint64_t off, const struct iovec *iov, int n_iov) {
    struct disk_sim *s = f->sim;
    ASSERT(f->writable);
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_WRITE)) {
        size_t total = 0, at = 0;
        for (int i = 0; i < n_iov; i++) total += iov[i].iov_len;
        char *copy = arena_alloc(&s->arena, total);
        for (int i = 0; copy && i < n_iov; i++) {
            if (iov[i].iov_len) memcpy(copy + at, iov[i].iov_base, iov[i].iov_len);
            at += iov[i].iov_len;
        }
        e = copy ? write_locked(s, f->node, off, (struct str){ copy, total }) : ERR_NOMEM;
    }
    return leave(s, e);
}

static enum err sim_reserve(struct disk_file *f, uint64_t size_bytes) {
    (void)size_bytes;
    (void)enter(f->sim, DISK_SIM_RESERVE);
    return leave(f->sim, ERR_OK);
}

static enum err sim_sync(struct disk_file *f) {
    struct disk_sim *s = f->sim;
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_SYNC)) {
        if (s->failing && !s->fault.power_off)
            e = sim_sync_some(s, f->node, sim_below(s, 5));
        else if (takes_effect(s))
            e = sim_sync_all(f->node);
    }
    return leave(s, e);
}

static enum err sim_truncate(struct disk_file *f, uint64_t size_bytes) {
    struct disk_sim *s = f->sim;
    struct buf *live = &f->node->live;
    ASSERT(f->writable);
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_TRUNCATE) && takes_effect(s)) {
        bool grows = size_bytes > live->len;
        if (grows && !sim_reserve_bytes(live, size_bytes - live->len)) e = ERR_NOMEM;
        if (e == ERR_OK)
            e = note_change(s, f->node, (struct sim_change){ .is_truncate = true, .off = size_bytes });
        if (e == ERR_OK && grows) memset(live->ptr + live->len, 0, size_bytes - live->len);
        if (e == ERR_OK) live->len = size_bytes;
    }
    return leave(s, e);
}

static void sim_close(struct disk_file *f) {
    if (!f) return;
    mutex_lock(&f->sim->lock);
    f->sim->n_open--;
    mutex_unlock(&f->sim->lock);
    mem_free(f);
}

// --- paths ---

static enum err sim_stat(struct disk *d, const char *path, struct disk_stat *out) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    struct sim_node *n;
    if (enter(s, DISK_SIM_STAT) && !s->failing) {
        e = find(s, path, &n);
        if (e == ERR_OK)
            *out = (struct disk_stat){ .size_bytes = n->is_dir ? 0 : n->live.len, .is_dir = n->is_dir };
    }
    return leave(s, e);
}

static enum err mkdir_locked(struct disk_sim *s, const char *path) {
    struct sim_node *at = s->root;
    struct str rest = str_of(path), part;
    while (rest.len) {
        (void)str_cut(rest, '/', &part, &rest);
        if (part.len == 0 || str_eq(part, STR("."))) continue;
        const char *name = keep_name(s, part);
        if (!name) return ERR_NOMEM;
        struct sim_entry *ent = sim_find(&at->live, name);
        if (ent && !ent->node->is_dir) return ERR_EXISTS;
        if (ent)
            at = ent->node;
        else
            TRY(add_node(s, at, name, true, &at));
    }
    return ERR_OK;
}

static enum err link_locked(struct disk_sim *s, const char *from, const char *to) {
    struct sim_node *n, *dir;
    const char *name;
    TRY(find(s, from, &n));
    TRY(find_parent(s, to, &dir, &name));
    if (!*name || sim_find(&dir->live, name)) return ERR_EXISTS;
    if (n->is_dir) return ERR_IO;
    return change_dirs(s, (struct sim_dir_change){ .to_dir = dir, .to_name = name, .node = n });
}

static enum err rename_locked(struct disk_sim *s, const char *from, const char *to) {
    struct sim_dir_change c = { 0 };
    TRY(find(s, from, &c.node));
    TRY(find_parent(s, from, &c.dir, &c.name));
    TRY(find_parent(s, to, &c.to_dir, &c.to_name));
    struct sim_entry *old = sim_find(&c.to_dir->live, c.to_name);
    if (old && old->node->is_dir) return ERR_EXISTS;
    return change_dirs(s, c);
}

static enum err remove_locked(struct disk_sim *s, const char *path, bool is_dir) {
    struct sim_dir_change c = { 0 };
    TRY(find(s, path, &c.node));
    TRY(find_parent(s, path, &c.dir, &c.name));
    if (c.node == s->root || c.node->is_dir != is_dir) return is_dir ? ERR_NOT_FOUND : ERR_IO;
    if (is_dir && c.node->live.len) return ERR_EXISTS;
    return change_dirs(s, c);
}

static enum err sim_mkdir(struct disk *d, const char *path) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_MKDIR) && takes_effect(s)) e = mkdir_locked(s, path);
    return leave(s, e);
}

static enum err sim_link(struct disk *d, const char *from, const char *to) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_LINK) && takes_effect(s)) e = link_locked(s, from, to);
    return leave(s, e);
}

static enum err sim_rename(struct disk *d, const char *from, const char *to) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_RENAME) && takes_effect(s)) e = rename_locked(s, from, to);
    return leave(s, e);
}

static enum err sim_unlink(struct disk *d, const char *path) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_UNLINK) && takes_effect(s)) e = remove_locked(s, path, false);
    return leave(s, e);
}

static enum err sim_rmdir(struct disk *d, const char *path) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_RMDIR) && takes_effect(s)) e = remove_locked(s, path, true);
    return leave(s, e);
}

static enum err sim_sync_dir_call(struct disk *d, const char *path) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    struct sim_node *n;
    if (enter(s, DISK_SIM_SYNC_DIR)) {
        e = find(s, path, &n);
        if (e == ERR_OK && !n->is_dir) e = ERR_NOT_FOUND;
        if (e == ERR_OK && takes_effect(s)) e = sim_sync_dir(s, n);
    }
    return leave(s, e);
}

// The names are copied first: what is called back may call the disk.
static enum err gather(struct disk_sim *s, const char *path, struct buf *out) {
    struct sim_node *n;
    TRY(find(s, path, &n));
    if (!n->is_dir) return ERR_NOT_FOUND;
    struct sim_entry *all = (struct sim_entry *)(void *)n->live.ptr;
    for (size_t i = 0; i < n->live.len / sizeof *all; i++) {
        buf_char(out, all[i].node->is_dir);
        buf_add(out, all[i].name, strlen(all[i].name) + 1);
    }
    return out->failed ? ERR_NOMEM : ERR_OK;
}

static enum err sim_list(struct disk *d, const char *path, void *ctx,
                         enum err (*each)(void *ctx, const char *name, bool is_dir)) {
    struct disk_sim *s = (struct disk_sim *)d;
    struct buf names;
    buf_init(&names, DISK_SIM_FILE_MAX);
    enum err e = ERR_OK;
    if (enter(s, DISK_SIM_LIST) && !s->failing) e = gather(s, path, &names);
    e = leave(s, e);
    for (size_t i = 0; e == ERR_OK && i < names.len; i += strlen(names.ptr + i + 1) + 2)
        e = each(ctx, names.ptr + i + 1, names.ptr[i]);
    buf_fini(&names);
    return e;
}

static enum err sim_space(struct disk *d, const char *path, uint64_t *out_free, uint64_t *out_total) {
    struct disk_sim *s = (struct disk_sim *)d;
    enum err e = ERR_OK;
    struct sim_node *n;
    if (enter(s, DISK_SIM_SPACE) && !s->failing) {
        e = find(s, path, &n);
        uint64_t used = used_bytes(s), total = s->size_limit ? s->size_limit : 1ull << 40;
        *out_total = total;
        *out_free = used < total ? total - used : 0;
    }
    return leave(s, e);
}

// --- life and control ---

static const struct disk_ops sim_ops = {
    .open = sim_open,
    .read = sim_read,
    .write = sim_write,
    .reserve = sim_reserve,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .close = sim_close,
    .stat = sim_stat,
    .mkdir = sim_mkdir,
    .link = sim_link,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .rmdir = sim_rmdir,
    .sync_dir = sim_sync_dir_call,
    .list = sim_list,
    .space = sim_space,
};

enum err disk_sim_new(const struct disk_sim_opts *opts, struct disk **out) {
    struct disk_sim *s = mem_zalloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    s->base.ops = &sim_ops;
    mutex_init(&s->lock);
    arena_init(&s->arena, ARENA_MAX, NULL);
    buf_init(&s->dir_changes, DIR_CHANGES_MAX);
    buf_init(&s->names, NAMES_MAX * sizeof(char *));
    map_init(&s->name_map, NAMES_MAX);
    s->rand = opts->seed;
    s->size_limit = opts->size_limit_bytes;
    s->root = node_new(s, true);
    if (!s->root) {
        disk_sim_free(&s->base);
        return ERR_NOMEM;
    }
    *out = &s->base;
    return ERR_OK;
}

void disk_sim_free(struct disk *d) {
    struct disk_sim *s = (struct disk_sim *)d;
    if (!s) return;
    ASSERT(s->n_open == 0);
    for (struct sim_node *n = s->nodes; n; n = n->next) {
        buf_fini(&n->live);
        buf_fini(&n->durable);
    }
    buf_fini(&s->dir_changes);
    buf_fini(&s->names);
    map_fini(&s->name_map);
    arena_fini(&s->arena);
    mutex_fini(&s->lock);
    mem_free(s);
}

void disk_sim_arm(struct disk *d, const struct disk_sim_fault *fault) {
    struct disk_sim *s = (struct disk_sim *)d;
    mutex_lock(&s->lock);
    s->fault = fault ? *fault : (struct disk_sim_fault){ 0 };
    s->fault_seen = 0;
    mutex_unlock(&s->lock);
}

void disk_sim_limit(struct disk *d, uint64_t size_limit_bytes) {
    struct disk_sim *s = (struct disk_sim *)d;
    mutex_lock(&s->lock);
    s->size_limit = size_limit_bytes;
    mutex_unlock(&s->lock);
}

bool disk_sim_is_down(struct disk *d) {
    struct disk_sim *s = (struct disk_sim *)d;
    mutex_lock(&s->lock);
    bool down = s->down;
    mutex_unlock(&s->lock);
    return down;
}

uint64_t disk_sim_calls(struct disk *d, enum disk_sim_op op) {
    return ((struct disk_sim *)d)->calls[op];
}

uint64_t disk_sim_open_files(struct disk *d) {
    return ((struct disk_sim *)d)->n_open;
}
