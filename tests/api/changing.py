# SPDX-License-Identifier: Apache-2.0
"""What a deploy changed, by a real repository and by pushes, and the command that takes it back, run by a real shell."""
import hashlib
import json
import shutil
import subprocess
import time

from commands import takt
from delivery import DAY, HOUR, MINUTE, OPENAPI, Repository, conforms, event, send
from takt import Server, temporary_directory

BASE = "/api/takt/delivery/"


def asked(server, what, rollout):
    """The answer, which is as docs/openapi.json has it."""
    answer = server.get_json(f"{BASE}{what}?rollout={rollout}")
    conforms(answer, OPENAPI["paths"][BASE + what]["get"]["responses"]["200"]["content"]["application/json"]["schema"], what)
    return answer


def rollouts(server, **want):
    found = server.get_json(BASE + "deploys?window=365d")["rollouts"]
    return {r["version"]: r["id"] for r in found if all(r.get(k) == v for k, v in want.items())}


def files(changed):
    return {(k["kind"], f["path"], f["how"]) for k in changed["files"]["kinds"] for f in k["files"]}


def repository_of_three():
    """v1, v2 (which adds, changes, removes), v3 (which reverts a part), with two services in it."""
    repo, t = Repository(), int(time.time()) // HOUR * HOUR - 5 * DAY

    def commit(at, **texts):
        for name, text in texts.items():
            path = repo.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True) if text is None else path.write_text(text)
        repo.run("add", "-A")
        repo.run("commit", "-q", "-m", "work", at=at)

    commit(t, **{"web/main.go": "1", "web/go.mod": "require a.org/x v1.0.0\n", "web/config.yaml": "a: secret 1", "api/app.py": "1", "old.c": "1"})
    repo.tag("v1", t + MINUTE)
    commit(t + HOUR, **{"web/go.mod": "require a.org/x v1.1.0\nrequire b.org/y v0.1.0\n", "web/db/migrations/1.sql": "1", "api/app.py": "2"})
    commit(t + 2 * HOUR, **{"web/config.yaml": "a: secret 2", "web/main_test.go": "1", "old.c": None})
    repo.tag("v2", t + 2 * HOUR + MINUTE)
    commit(t + 3 * HOUR, **{"web/config.yaml": "a: secret 1", "web/umlaut-ä.go": "1", "web/many.yaml": "[" + "[1]," * 10000 + "1]"})
    repo.tag("v3", t + 3 * HOUR + MINUTE)
    return repo, t


def files_of_a_repository():
    """What differs between the two commits, by kind; of a service with paths, what lies in them; gone with the repository."""
    repo, t = repository_of_three()
    with Server() as server:
        pass
    for service in ("all", "web"):
        code, _, err = takt("import", "git", repo.path, "--service", service, "--tags", "^v", "--data", server.data)
        assert code == 0, err
    file = temporary_directory() / "services.yaml"
    file.write_text("services:\n  web: {paths: [web]}\n")
    with Server(server.data, flags=["--set", f"delivery.catalogue={file}"]) as server:
        whole, web = rollouts(server, service="all"), rollouts(server, service="web")
        first, second, third = (asked(server, "changed", whole[v]) for v in ("v1", "v2", "v3"))
        assert first["files"]["state"] == "unknown" and "before it" in first["files"]["why"] and "before" not in first, first
        assert second["files"]["state"] == "known" and second["files"]["by"] == "git" and second["files"]["n"] == 6, second
        assert second["before"]["id"] == whole["v1"] and second["before"]["version"] == "v1", second
        wanted = {("dependency", "web/go.mod", "changed"), ("migration", "web/db/migrations/1.sql", "added"),
                  ("code", "api/app.py", "changed"), ("config", "web/config.yaml", "changed"),
                  ("test", "web/main_test.go", "added"), ("code", "old.c", "removed")}
        assert files(second) == wanted, files(second)
        parts = {f["path"]: [(p["name"], p["how"]) for p in f["parts"]] for k in second["files"]["kinds"] for f in k["files"] if "parts" in f}
        assert parts == {"web/config.yaml": [("a", "changed")], "web/go.mod": [("a.org/x", "changed"), ("b.org/y", "added")]}, parts
        assert "secret" not in json.dumps(second), "values of configuration stay where they are"
        assert files(third) == {("config", "web/config.yaml", "changed"), ("config", "web/many.yaml", "added"), ("code", "web/umlaut-ä.go", "added")}, files(third)
        unread = {f["path"]: f["parts_why"] for k in third["files"]["kinds"] for f in k["files"] if "parts_why" in f}
        assert unread == {"web/many.yaml": "many.yaml:1: more than 20000 values"} and third["files"]["state"] == "known", unread
        assert files(asked(server, "changed", web["v2"])) == {f for f in wanted if f[1].startswith("web/")}
        # Back to v1: the same files, the other way round.
        sha = repo.run("rev-parse", "v2^{commit}"), repo.run("rev-parse", "v3^{commit}")
        at = t + 4 * HOUR
        send(server, [event("deploy", at, id="back", service="all", environment="production", version="v2", sha=sha[0],
                            state="success", succeeded_at=at),
                      event("deploy", at - MINUTE, id="c", service="all", environment="production", version="c7",
                            change_kind="config", state="success", succeeded_at=at - MINUTE),
                      event("flag_change", at - MINUTE, id="f", service="all", flag="fast", action="on", changed_at=at - MINUTE)])
        back = next(r for r in server.get_json(BASE + "deploys?window=365d&service=all")["rollouts"] if r["kind"] == "rollback")
        changed = asked(server, "changed", back["id"])
        assert files(changed) == {("config", "web/config.yaml", "changed"), ("config", "web/many.yaml", "removed"), ("code", "web/umlaut-ä.go", "removed")}, changed
        assert [(r["change"], r["version"]) for r in changed["rollouts"]] == [("config", "c7")], changed
        assert [(f["flag"], f["action"]) for f in changed["flags"]] == [("fast", "on")], changed
        assert not asked(server, "changed", whole["v3"])["rollouts"], "what came later is not between"
        where = "--server", f"http://127.0.0.1:{server.port()}"
        code, out, err = takt("changed", whole["v2"], *where)
        assert code == 0 and out.startswith("since v1 of 20") and "dependency: 1 file\n  changed  web/go.mod\n" in out, (out, err)
        assert "  changed  a.org/x v1.0.0 to v1.1.0\n" in out and "  changed  a \n" in out, out
        code, out, err = takt("changed", back["id"], *where)
        assert "\n           not compared: before: many.yaml:1: more than 20000 values\n" in out, out
        assert code == 0 and "  config   c7 20" in out and "  on       fast 20" in out, (out, err)
        code, out, err = takt("changed", "0123456789abcdef", *where)
        assert code == 1 and not out and "none is known by this name" in err, (code, out, err)
        assert takt("changed")[0] == 2
        shutil.rmtree(repo.path)
        assert "files: not known: " in takt("changed", whole["v2"], *where)[1]
        gone = asked(server, "changed", whole["v2"])["files"]
        assert gone["state"] == "unknown" and gone["n"] == 0 and str(repo.path) in gone["why"], gone
        assert server.get(BASE + "changed?rollout=0123456789abcdef")[0] == 404 and server.get(BASE + "changed")[0] == 400


def lists_that_are_cut():
    """Rollouts of configuration and changes of flags in between: the last 200 of each, with how many there are."""
    with Server() as server:
        t = int(time.time()) // HOUR * HOUR - DAY
        rollout = lambda name, at, kind: event("deploy", at, id=name, service="shop", environment="production", version=name,
                                               change_kind=kind, state="success", succeeded_at=at)
        send(server, [rollout("v1", t, "service"), rollout("v2", t + HOUR, "service")])
        send(server, [rollout(f"c{i}", t + 1 + i, "config") for i in range(201)])
        send(server, [event("flag_change", t + 1 + i, id=f"f{i}", service="shop", flag=f"f{i}", action="on\x1b[31m", changed_at=t + 1 + i)
                      for i in range(203)])
        found = rollouts(server)
        changed = asked(server, "changed", found["v2"])
        assert (changed["rollouts_n"], len(changed["rollouts"]), changed["rollouts"][-1]["version"]) == (201, 200, "c1"), changed
        assert (changed["flags_n"], len(changed["flags"]), changed["flags"][-1]["flag"]) == (203, 200, "f3"), changed
        first = asked(server, "changed", found["v1"])
        assert (first["rollouts_n"], first["flags_n"]) == (0, 0), first
        code, out, err = takt("changed", found["v2"], "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "  the last 200 of 201\n" in out and "  the last 200 of 203\n" in out, (out, err)
        assert "\x1b" not in out and "  on?[31m  f202 20" in out, out


def long_words_stand_apart():
    """`takt changed` sets a blank behind a first word that fills its column."""
    with Server() as server:
        t = int(time.time()) // HOUR * HOUR - DAY
        send(server, [event("deploy", t + at, id=name, service="shop", environment="production", version=name, change_kind=kind,
                            state="success", succeeded_at=t + at)
                      for name, at, kind in (("v1", 0, "service"), ("i1", 5, "infrastructure"), ("v2", HOUR, "service"))])
        send(server, [event("flag_change", t + at, id=flag, service="shop", flag=flag, action=action, changed_at=t + at)
                      for flag, at, action in (("fast", 9, "segment updated"), ("wide", 10, "nine more"), ("slim", 11, "eight it"))])
        code, out, err = takt("changed", rollouts(server)["v2"], "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "\n  infrastructure i1 20" in out and "\n  segment updated fast 20" in out, (out, err)
        assert "\n  nine more wide 20" in out and "\n  eight it slim 20" in out, out


def files_of_pushes():
    """No history was imported: the lists of pushes, folded over the commits that a rollout brought; also after a reprocess."""
    t = int(time.time()) // HOUR * HOUR - 2 * DAY
    sha = lambda n: hashlib.sha1(b"push %d" % n).hexdigest()
    stamp = lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

    def push(server, before, commits, at):
        body = {"ref": "refs/heads/main", "before": sha(before), "after": sha(commits[-1][0]), "forced": False,
                "repository": {"full_name": "acme/shop", "html_url": "https://github.com/acme/shop", "default_branch": "main",
                               "pushed_at": at},
                "commits": [{"id": sha(n), "timestamp": stamp(at - 60 + n), "message": f"work {n}", "author": {"name": "Ann"},
                             "distinct": True, **lists} for n, lists in commits]}
        status, _, text = server.request("POST", "/hooks/github", json.dumps(body).encode(), {
            "X-GitHub-Event": "push", "X-GitHub-Delivery": sha(at), "Content-Type": "application/json"})
        assert status == 202, (status, text)

    deploy = lambda n, at: event("deploy", at, id=sha(n), service="shop", environment="production", version=f"v{n}", sha=sha(n),
                                 repo="github.com/acme/shop", state="success", succeeded_at=at)
    with Server() as server:
        push(server, 0, [(1, {"added": ["a.c"]})], t)
        push(server, 1, [(2, {"added": ["b.c", "tmp"], "modified": ["go.mod"]}), (3, {"removed": ["tmp", "a.c"], "modified": ["b.c"]})],
             t + HOUR)
        send(server, [deploy(1, t + 10 * MINUTE), deploy(3, t + 2 * HOUR)])
        for _ in range(2):
            changed = asked(server, "changed", rollouts(server)["v3"])
            assert changed["files"]["state"] == "known" and changed["files"]["by"] == "pushes", changed
            assert files(changed) == {("code", "b.c", "added"), ("dependency", "go.mod", "changed"), ("code", "a.c", "removed")}, changed
            assert server.request("POST", "/api/takt/delivery/reprocess")[0] == 200
        push(server, 3, [(4, {"added": ["d.c"]}), (5, {})], t + 3 * HOUR)
        send(server, [deploy(5, t + 4 * HOUR)])
        cut = asked(server, "changed", rollouts(server)["v5"])["files"]
        assert (cut["state"], cut["n"], cut["commits_told"]) == ("cut", 1, 1) and "not tell all" in cut["why"], cut
        # A commit whose lists are empty changed no file, and that is told.
        push(server, 5, [(6, {"modified": ["d.c"]}), (7, {"added": [], "removed": [], "modified": []})], t + 5 * HOUR)
        send(server, [deploy(7, t + 6 * HOUR)])
        known = asked(server, "changed", rollouts(server)["v7"])["files"]
        assert (known["state"], known["n"], known["commits_told"]) == ("known", 1, 2), known


HOSTILE = ["v1; touch owned", "$(touch owned)", "`touch owned`", "it's", "''\\''", "a b\\", "\"x\" && touch owned", "*", "~", "{sha}",
           "v1|tee owned", "ä", "%1", "a=b", "#", "!x", "$HOME", "\\$(touch owned)"]


def a_shell_sees_one_word():
    """Whatever a version is called, the command hands it to the tool as it is, and runs nothing else."""
    t = int(time.time()) - DAY
    with Server() as server:
        put = lambda template: server.request("PUT", BASE + "catalogue/shop", json.dumps({"rollback": template}).encode())
        assert put("printf %s\\|%s {version} {previous}")[0] == 200
        for n, version in enumerate(["v0", *HOSTILE]):
            send(server, [event("deploy", t + n * MINUTE, id=str(n), service="shop", environment="production", version=version,
                                state="success", succeeded_at=t + n * MINUTE)])
        ids = rollouts(server)
        last = asked(server, "deploy", ids[HOSTILE[-1]])["rollback"]
        assert last["by"] == "catalogue", last
        earlier = asked(server, "deploy", ids[HOSTILE[3]])["rollback"]
        assert "command" not in earlier and earlier["why"] == f"{HOSTILE[-1]} was rolled out after it", earlier
        for n, version in enumerate(HOSTILE):  # each as the newest of a service of its own
            name = f"s{n}"
            assert server.request("PUT", f"{BASE}catalogue/{name}", json.dumps({"rollback": "printf %s\\|%s {version} {previous}"}).encode())[0] == 200
            send(server, [event("deploy", t + i * MINUTE, id=f"{name} {i}", service=name, environment="production", version=v,
                                state="success", succeeded_at=t + i * MINUTE) for i, v in enumerate(("before", version))])
            command = asked(server, "deploy", rollouts(server, service=name)[version])["rollback"]["command"]
            for shell in ("sh", "bash"):
                place = temporary_directory()
                done = subprocess.run([shell, "-c", command], cwd=place, capture_output=True, text=True, check=True)
                assert done.stdout == f"{version}|before" and not list(place.iterdir()), (shell, command, done)
        for wrong, why in (("x {name}", "there is no placeholder {name}"), ("x '{version}'", "within quotes"), ("x" * 501, "longer than 500")):
            status, _, text = put(wrong)
            assert status == 400 and text.decode().startswith("rollback: ") and why in text.decode(), (wrong, status, text)
        # An incident tells it too.
        send(server, [event("incident", t + DAY - HOUR, id="i", service="s0", title="down", state="triggered", severity=1,
                            detected_at=t + 3 * MINUTE)])
        code, out, err = takt("incident", "i", "--server", f"http://127.0.0.1:{server.port()}")
        assert code == 0 and "roll back    printf %s\\|%s 'v1; touch owned' before" in out, (out, err)
    file = temporary_directory() / "services.yaml"
    file.write_text("services:\n  shop:\n    rollback: \"undo ${version}\"\n")
    code, _, err = takt("catalogue", "check", file)
    assert code == 1 and f"{file}:3: services.shop.rollback: a placeholder stands behind $" in err, (code, err)


def cases(tap):
    for case in (files_of_a_repository, lists_that_are_cut, long_words_stand_apart, files_of_pushes, a_shell_sees_one_word):
        tap.case(case.__name__, case)
