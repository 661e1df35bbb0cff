# SPDX-License-Identifier: Apache-2.0
"""The command line, with the real program."""
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time

from limits import Certificates, TlsServer
from client import expect_absent, expect_stored, new_id, request, span, until
import otlp
from takt import BINARY, ROOT, Server, temporary_directory


def takt(*arguments, timeout_s=60, **environment):
    """(exit code, stdout, stderr)"""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s,
                          stdin=subprocess.DEVNULL, cwd=temporary_directory(),
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def commands():
    code, out, _ = takt("--help")
    assert code == 0
    return [line[2:18].strip() for line in out.splitlines() if line.startswith("  ") and line[2:18].strip()]


def help_of_every_command():
    names = commands()
    assert {"serve", "demo", "load", "trace", "query", "config check", "config print"} <= set(names), names
    for name in names:
        code, out, err = takt(*name.split(), "--help")
        assert code == 0 and out.startswith(f"usage: takt {name}") and not err, (name, code, out, err)
        assert ("--server URL" in out) == ("--ca FILE" in out), (name, out)
    for group in {name.split()[0] for name in names if " " in name and name.split()[0] not in names}:
        code, out, err = takt(group, "--help")
        members = [name for name in names if name.startswith(group + " ")]
        assert code == 0 and out.startswith(f"usage: takt {group} COMMAND") and not err, (group, code, out, err)
        assert all(name in out for name in members) and len(out.splitlines()) == 2 + len(members), out
        assert takt(group) == (2, "", out), takt(group)
    assert takt("--version")[1].startswith("takt "), takt("--version")
    code, out, err = takt()
    assert code == 2 and not out and "takt serve" in err or "serve" in err, (code, out, err)


def unknown_words():
    for name in commands():
        code, out, err = takt(*name.split(), "--nonsense")
        assert code == (1 if name == "compare" else 2) and "--nonsense" in err and "--help" in err, (name, code, out, err)
    for words in (["trace", "1", "2"], ["serve", "word"], ["load", "word"], ["nonsense"], ["config", "nonsense"],
                  ["trace"], ["serve", "--data"], ["load", "--rate", "fast"], ["load", "--shape", "round"],
                  ["serve", "--set", "retention"], ["demo", "--duration", "long"]):
        code, out, err = takt(*words)
        assert code == 2 and err, (words, code, out, err)


def output_that_cannot_be_written():
    for words in (["--help"], ["serve", "--help"], ["config", "print"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BINARY, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert done.returncode == 1 and "could not be written" in done.stderr, (words, done)


def without_libcurl():
    """Only the client side needs it: it says what is missing, and the rest works."""
    broken, foreign = temporary_directory(), temporary_directory()
    (broken / "libcurl.so.4").write_text("not a library")
    (foreign / "libcurl.so.4").symlink_to("/lib/x86_64-linux-gnu/libm.so.6")
    with Server() as server:
        trace = new_id()
        assert server.post_traces(otlp.encode(request(span(trace))))[0] == 200
        address = f"http://127.0.0.1:{server.port()}"
        for directory, why in ((broken, "file too short"), (foreign, "it has no curl_global_init")):
            for words in (["trace", trace], ["query", "{ }"], ["dora"], ["event", "deploy", "--service", "a"]):
                code, out, err = takt(*words, "--server", address, LD_LIBRARY_PATH=str(directory))
                assert code == 1 and not out, (words, code, out, err)
                assert "libcurl4" in err and why in err and "--data" in err and "running" not in err, (words, err)
        code, out, err = takt("trace", trace, "--data", server.data, LD_LIBRARY_PATH=str(broken))
        assert code == 0 and out and not err, (code, out, err)
        assert takt("trace", trace, "--server", address)[0] == 0


def deletion_of_everything():
    """Said twice or not done; the command line does both."""
    with Server() as server:
        address = ["--server", f"http://127.0.0.1:{server.port()}"]
        ids = [new_id(16) for _ in range(3)]
        for trace in ids:
            server.post_traces(otlp.encode(request(span(trace, name="deletion"))))
        status, _, body = server.request("DELETE", "/api/takt/traces")
        assert status == 400 and b"everything=yes" in body, (status, body)
        for path in ("?everything=yes", f"/{ids[0]}"):  # of a page whose name was made to lead here
            page = {"Host": "evil.example:3200", "Origin": "http://evil.example:3200"}
            assert server.request("DELETE", "/api/takt/traces" + path, headers=page)[0] == 403
        assert takt("delete", *address)[0] == 2 and takt("delete", "xyz", *address)[0] == 2
        code, out, err = takt("delete", ids[0], new_id(16), *address)
        assert code == 1 and out == f"{ids[0]}: 1 spans deleted\n" and "not found" in err, (code, out, err)
        code, out, err = takt("delete", "--everything", *address)
        assert (code, out) == (0, "all traces: 2 spans deleted\n"), (code, out, err)
        for _ in range(2):
            for trace in ids:
                expect_absent(server, trace)
            server.stop()
            server.start()
        status, _, body = server.request("DELETE", "/api/takt/traces?everything=yes")
        assert status == 404 and b"no traces" in body, (status, body)


def private_authority():
    """A server whose certificate nobody here knows is asked once its authority is named."""
    certificates = Certificates()
    with TlsServer(certificates, False) as server:
        address = ["--server", f"https://localhost:{server.port()}"]
        code, out, err = takt("catalogue", "--json", *address)
        assert code == 1 and "--ca FILE" in err and "TAKT_CA" in err and "Is the server running" not in err, (code, out, err)
        code, out, err = takt("catalogue", "--json", *address, "--ca", certificates.directory / "none.pem")
        assert code == 1 and "none.pem" in err and "Is the server running" not in err, (code, out, err)
        for words, environment in ((["--ca", certificates.ca], {}), ([f"--ca={certificates.ca}"], {}),
                                   ([], {"TAKT_CA": str(certificates.ca)})):
            code, out, err = takt("catalogue", "--json", *address, *words, **environment)
            assert code == 0 and json.loads(out) and not err, (words, code, out, err)
        wrong = takt("catalogue", "--server", f"https://127.0.0.2:{server.port()}", "--ca", certificates.ca)
        assert wrong[0] == 1 and "127.0.0.2" in wrong[2], wrong
    assert takt("catalogue", "--ca")[0] == 2 and takt("serve", "--ca", "x")[0] == 2
    assert "--ca FILE" in takt("query", "--help")[1] and "--ca" not in takt("serve", "--help")[1]


def errors_say_what_to_do():
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        code, _, err = takt("load", "--target", f"http://{address}", "--duration", "1s")
        assert code == 1 and f"cannot connect to {address}" in err and "--target" in err, (code, err)
    directory = temporary_directory()
    code, _, err = takt("config", "check", directory)
    assert code == 1 and f"{directory} is a directory" in err, (code, err)


def busy_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = f"127.0.0.1:{s.getsockname()[1]}"
        free = ["--http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]
        for i, flag in ((1, "--http"), (3, "--otlp-grpc"), (5, "--otlp-http")):
            flags = list(free)
            flags[i] = address
            code, _, err = takt("serve", "--data", temporary_directory() / "d", *flags)
            assert code == 1 and address in err and flag in err, (flag, code, err)


def second_server():
    with Server() as server:
        code, _, err = takt("serve", "--data", server.data, "--http", "127.0.0.1:0", "--otlp-grpc", "off",
                            "--otlp-http", "off")
        assert code == 1 and f"process {server.process.pid};" in err and "--server" in err, (code, err)


def bad_configuration():
    file = temporary_directory() / "takt.yaml"
    for text, line, words in (
            ("retention: 7d\nretentoin: 7d\n", 2, "retentoin"), ("retention: soon\n", 1, "retention"),
            ("http:\n  address: 127.0.0.1:3200\n  port: 1\n", 3, "port"), ("a: [\n", None, ""),
            ("head:\n  cut_spans: 12\n", 2, "cut_spans"), ("disk:\n  when_full: explode\n", 2, "refuse"),
            ("retention: 7d\nretention: 8d\n", 2, "retention"), ("- a\n", 1, "")):
        file.write_text(text)
        for command in (["config", "check", file], ["serve", "--config", file, "--data", file.parent / "d"]):
            code, out, err = takt(*command)
            where = f"{file}:{line}" if line else f"{file}:"
            assert code == 1 and where in err and words in err, (text, command[0], code, err)
    assert not (file.parent / "d").exists(), "a wrong configuration made a directory"
    file.write_text("retention: 7d\n")
    assert takt("config", "check", file)[0] == 0
    code, _, err = takt("config", "check", "--set", "retention=soon")
    assert code == 1 and "--set retention: expected" in err, (code, err)
    code, _, err = takt("config", "check", file.parent / "absent.yaml")
    assert code == 1 and "absent.yaml" in err, (code, err)


def disk_budget_without_room():
    """Refused at the start, with what is needed; it would be full for ever."""
    directory = temporary_directory()
    small = ("--set", "disk.budget=64MiB", "--set", "head.cut_bytes=49MiB", "--set", "memory.budget=1GiB")
    for words in (["config", "check"], ["serve", "--data", directory / "d"]):
        code, out, err = takt(*words, *small)
        assert code == 1 and not out and "disk.budget (64 MiB)" in err and "head.cut_bytes (49 MiB)" in err, (words, code, err)
        assert "set disk.budget to 65 MiB or more" in err, err
    assert not (directory / "d").exists(), "a wrong configuration made a directory"
    with Server(directory / "d", flags=small[:2] + ("--set", "head.cut_bytes=48MiB")) as server:
        assert server.post_traces(otlp.encode(request(span())))[0] == 200
    # Without a setting it is what was free at the first start.
    (directory / "d/disk-budget").write_text(str(20 << 20))
    address = ("--http", "127.0.0.1:0", "--otlp-grpc", "off", "--otlp-http", "off")
    code, _, err = takt("serve", "--data", directory / "d", *address)
    assert code == 1 and "are 20 MiB" in err and "set disk.budget" in err, (code, err)
    with Server(directory / "d", flags=("--set", "disk.budget=256MiB")):
        pass


def printed_configuration():
    file = temporary_directory() / "takt.yaml"
    file.write_text("retention: 7d\nhead:\n  cut_spans: 5000\notlp:\n  http:\n    cors_origins: [https://a.test]\n")
    code, first, _ = takt("config", "print", file)
    assert code == 0 and re.search(r"cut_spans: 5000", first), first
    file.write_text(first)
    assert takt("config", "check", file)[0] == 0, takt("config", "check", file)
    code, second, _ = takt("config", "print", file)
    assert second == first, "what is printed does not load as the same"
    with Server(config=first.replace("127.0.0.1:4318", "127.0.0.1:0")):
        pass
    code, markdown, _ = takt("config", "print", "--markdown")
    assert code == 0 and markdown == (ROOT / "docs/config.md").read_text(), "docs/config.md is out of date"


# --- takt trace ---------------------------------------------------------------------------------

def checksums(directory):
    return {str(f.relative_to(directory)): (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_mtime_ns)
            for f in sorted(directory.rglob("*")) if f.is_file()}


def sent_traces(server):
    """Three traces: in a block, in a block and in memory, in memory."""
    ids = [new_id() for _ in range(3)]
    sent = {i: [span(i, name="first"), span(i, name="second", status={"code": 2})] for i in ids}

    def send(trace_id, part):
        assert server.post_traces(otlp.encode(request(sent[trace_id][part])))[0] == 200

    send(ids[0], 0), send(ids[0], 1), send(ids[1], 0)
    server.flush()
    send(ids[1], 1), send(ids[2], 0), send(ids[2], 1)
    return {i: request(*spans) for i, spans in sent.items()}


def check_trace_command(sent, *where):
    for trace_id, want in sent.items():
        code, out, err = takt("trace", trace_id, "--json", *where)
        assert code == 0 and not err, (where, code, err)
        differs = otlp.difference(want, otlp.from_json(json.loads(out)))
        assert not differs, differs
        code, out, err = takt("trace", trace_id, *where)
        assert code == 0 and "first" in out and "ERROR" in out and "2 spans" in out, (out, err)
    code, out, err = takt("trace", new_id(), *where)
    assert code == 1 and not out and "no" in err, (code, out, err)
    code, _, err = takt("trace", "not-an-id", *where)
    assert code in (1, 2) and "not-an-id" in err, (code, err)


def trace_of_a_server_and_of_its_directory():
    server = Server()
    server.start()
    sent = sent_traces(server)
    address = f"http://127.0.0.1:{server.port()}"
    check_trace_command(sent, "--server", address)
    assert takt("trace", next(iter(sent)), TAKT_SERVER=address)[0] == 0
    for state in ("running", "stopped"):
        before = checksums(server.data)
        assert before, "nothing was stored"
        check_trace_command(sent, "--data", server.data)
        assert checksums(server.data) == before, f"reading the directory of a {state} server changed it"
        if state == "running":
            assert server.stop()[0] == 0
    code, _, err = takt("trace", next(iter(sent)), "--server", address)
    assert code == 1 and "--server" in err and "--data" in err, (code, err)
    nowhere = server.directory / "nowhere"
    code, _, err = takt("trace", new_id(), "--data", nowhere)
    assert code == 1 and "nowhere" in err and not nowhere.exists(), (code, err)
    server.start()
    for want in sent.values():
        expect_stored(server, want)
    server.kill()
    check_trace_command(sent, "--data", server.data)  # of a server that was killed


def unreadable_directory():
    """A directory whose parts are broken is reported, and left as it is."""
    server = Server()
    server.start()
    sent_traces(server)
    server.kill()
    for file in (server.data / "catalog").rglob("*"):
        if file.is_file():
            file.write_bytes(b"not a catalog")
    before = checksums(server.data)
    code, _, err = takt("trace", new_id(), "--data", server.data)
    assert code == 1 and "damaged" in err, (code, err)
    code, _, err = takt("serve", "--data", server.data, "--http", "127.0.0.1:0", "--otlp-grpc", "off",
                        "--otlp-http", "off")
    assert code == 1 and "damaged" in err, (code, err)
    after = checksums(server.data)
    mine = [name for name in before if "lock" not in str(name) and "facts.db" not in str(name)]  # the facts are well
    assert all(after[name] == before[name] for name in mine), "damaged files were touched"


# --- takt demo, takt load -----------------------------------------------------------------------

def demo():
    began = time.monotonic()
    process = subprocess.Popen([BINARY, "demo", "--duration", "12s", "--http", "127.0.0.1:0", "--otlp-http",
                                "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    text = ""
    while "ends it" not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    server = Server()
    server.process = process
    server.addresses["http"] = ("127.0.0.1", int(re.search(r"Open +http://[^:]+:(\d+)", text)[1]))
    directory = re.search(r"Data +(\S+)", text)[1]
    assert os.path.isdir(directory), directory
    for what, query in (("an error trace", "errors=1"), ("a slow trace", "minDuration=1s")):
        left = 10 - (time.monotonic() - began)
        until(what, lambda q=query: server.get_json(f"/api/takt/traces?limit=1&{q}")["traces"], left)
    print(f"# an error trace and a slow trace within {time.monotonic() - began:.1f} s")
    assert process.wait(20) == 0
    process.stdout.close()
    assert not os.path.exists(directory), f"{directory} is still there"


def demo_ends_with_ctrl_c():
    process = subprocess.Popen([BINARY, "demo", "--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0",
                                "--otlp-grpc", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    text = ""
    while "ends it" not in text:
        text += process.stdout.readline()
    directory = re.search(r"Data +(\S+)", text)[1]
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0 and not os.path.exists(directory)
    process.stdout.close()


def load(shape, scheme, kind):
    with Server() as server:
        target = f"{scheme}://127.0.0.1:{server.port(kind)}"
        more = ["--spans", "3000"] if shape == "wide" else []
        code, out, err = takt("load", "--target", target, "--rate", "2000", "--duration", "2s", "--seed", "7",
                              "--shape", shape, *more)
        assert code == 0, (code, err)
        said = json.loads(out)
        assert said["spans"] == said["acked_spans"] > 1000 and said["rejected_spans"] == 0, said
        assert server.metrics()["takt_spans_received_total"] == said["spans"], server.metrics()
        assert server.get_json("/api/search?limit=10")["traces"]


def load_without_a_server():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        for scheme in ("http", "grpc"):  # said at once: nothing was there yet that might come back
            code, out, err = takt("load", "--target", f"{scheme}://127.0.0.1:{s.getsockname()[1]}", "--duration", "1h")
            assert code == 1 and "cannot connect" in err and json.loads(out)["seconds"] < 5, (code, out, err)


def block_stat():
    with Server() as server:
        sent_traces(server)
        code, out, err = takt("block", "stat", server.data)
        assert code == 0 and "trace_id" in out and not err, (code, out, err)
        got = json.loads(takt("block", "stat", server.data, "--json")[1])
        assert got["spans"] == 3 and {"file", "column", "bytes", "bytes_plain"} == set(got["columns"][0]), got


def cases(tap):
    for case in (help_of_every_command, unknown_words, output_that_cannot_be_written, without_libcurl, busy_port, second_server, bad_configuration, disk_budget_without_room,
                 printed_configuration, trace_of_a_server_and_of_its_directory, unreadable_directory,
                 deletion_of_everything, private_authority, errors_say_what_to_do, demo,
                 demo_ends_with_ctrl_c, load_without_a_server, block_stat):
        tap.case(case.__name__, case)
    for shape, scheme, kind in (("shop", "http", "otlp-http"), ("shop", "grpc", "otlp-grpc"),
                                ("wide", "grpc", "otlp-grpc")):
        tap.case(f"load_{shape}_{scheme}", load, shape, scheme, kind)
