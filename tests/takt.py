# SPDX-License-Identifier: Apache-2.0
"""What tests and benchmarks in Python share: a server of their own, and TAP. Standard library only."""
import atexit
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("TAKT", str(ROOT / "build/takt"))
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def temporary_directory():
    """A directory that is gone when the program ends; TAKT_KEEP=1 keeps it for a look."""
    path = tempfile.mkdtemp(prefix="takt-")
    if not os.environ.get("TAKT_KEEP"):
        atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


class Server:
    """A `takt serve` on free ports. Its log is in .log; .config (YAML text) is read at each start."""

    def __init__(self, data=None, config="", flags=()):
        self.directory = temporary_directory()
        self.data = Path(data) if data else self.directory / "data"
        self.config, self.flags = config, list(flags)
        self.log = self.directory / "log"
        self.process = None
        self.addresses = {}  # "http", "otlp-grpc", "otlp-http": (host, port)
        atexit.register(self.kill)

    def spawn(self):
        """Starts and waits for nothing; returns where its lines begin in .log."""
        command = [BINARY, "serve", "--data", str(self.data), "--http", "127.0.0.1:0",
                   "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", *self.flags]
        if self.config:
            file = self.directory / "takt.yaml"
            file.write_text(self.config)
            command += ["--config", str(file)]
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return offset

    def start(self, timeout_s=60):
        """Starts and waits for the addresses; returns the seconds until /ready said yes."""
        began = time.monotonic()
        offset = self.spawn()
        while time.monotonic() < began + timeout_s:
            self._read_addresses(offset)
            if len(self.addresses) == 3 and self._is_ready():
                return time.monotonic() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        self.kill()
        raise RuntimeError("takt did not start:\n" + self.log.read_text(errors="replace")[offset:])

    def _read_addresses(self, offset):
        with self.log.open("rb") as log:
            log.seek(offset)
            text = log.read().decode(errors="replace")
        self.addresses = {}
        for name, host, port in re.findall(r"^(\S+)\s+\w+://([\w.]+|\[[^\]]*\]):(\d+)\s*$", text, re.M):
            kind = "otlp-grpc" if "grpc" in name else "otlp-http" if "otlp" in name else "http"
            self.addresses[kind] = (host, int(port))

    def _is_ready(self):
        try:
            return self.get("/ready")[0] == 200
        except OSError:
            return False

    def port(self, kind="http"):
        return self.addresses[kind][1]

    def request(self, method, path, body=None, headers=None, kind="http", timeout_s=60):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(kind), timeout=timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, accept=None, **how):
        return self.request("GET", path, headers={"Accept": accept} if accept else None, **how)

    def get_json(self, path, **how):
        status, _, body = self.get(path, **how)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:200]!r}")
        return json.loads(body)

    def post_traces(self, body, content_type="application/x-protobuf", headers=None):
        return self.request("POST", "/v1/traces", body, {"Content-Type": content_type, **(headers or {})},
                            kind="otlp-http")

    def flush(self):
        status, _, body = self.request("POST", "/flush", b"", timeout_s=300)
        if status // 100 != 2:
            raise RuntimeError(f"POST /flush: {status} {body[:200]!r}")

    def trace_protobuf(self, trace_id):
        """(status, body) of the v2 answer."""
        status, _, body = self.get(f"/api/v2/traces/{trace_id}", accept="application/protobuf")
        return status, body

    def metrics(self):
        """{name: sum over its label sets}"""
        status, _, body = self.get("/metrics")
        values = {}
        for name, value in re.findall(r"^([a-zA-Z_:]\w*)(?:\{[^}]*\})? (\S+)", body.decode(), re.M):
            values[name] = values.get(name, 0) + float(value)
        return values if status == 200 else {}

    def cpu_s(self):
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def peak_memory(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    def bytes_written(self):
        io = Path(f"/proc/{self.process.pid}/io").read_text()
        return int(re.search(r"^write_bytes: (\d+)", io, re.M)[1])

    def stop(self, timeout_s=30):
        """SIGTERM; returns (exit code, seconds)."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return code, time.monotonic() - began

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()


class Tap:
    """Test cases one after the other; a case fails by an exception."""

    def __init__(self):
        self.n = self.failed = 0
        self.only = ""  # the one case to run, beside those that set the others up
        self.seed = int(os.environ.get("TAKT_TEST_SEED", "1"))
        print("# seed", self.seed)

    def case(self, name, run, *args, is_setup=False):
        if self.only and name != self.only and not is_setup:
            return
        began = time.monotonic()
        self.n += 1
        try:
            run(*args)
            word = "ok"
        except Exception:  # whatever it is, the other cases still run
            self.failed += 1
            word = "not ok"
            for line in traceback.format_exc().splitlines():
                print("#", line)
        print(f"{word} {self.n} - {name} # {(time.monotonic() - began) * 1000:.0f} ms", flush=True)

    def end(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed or not self.n else 0)
