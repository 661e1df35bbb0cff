# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of its own: a throw-away cluster that listens on a Unix socket only."""
import atexit
import glob
import os
import shutil
import subprocess
import tempfile
import time


class Postgres:
    """Tables `products` and `orders`. .environment is what libpq and pg need to find it."""

    def __init__(self):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            raise RuntimeError("PostgreSQL is not installed (postgresql-15)")
        self.bin = programs[-1]
        self.directory = tempfile.mkdtemp(prefix="takt-pg-")
        # The server refuses to run as root.
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.prefix:
            shutil.chown(self.directory, "postgres")
        self.environment = {"PGHOST": self.directory, "PGUSER": "postgres", "PGDATABASE": "postgres"}
        self.server = None
        atexit.register(self.stop)

    def _run(self, program, *args, **more):
        return subprocess.run([*self.prefix, f"{self.bin}/{program}", *args], cwd="/", check=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)

    def start(self):
        data = self.directory + "/data"
        self._run("initdb", "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", data)
        log = open(self.directory + "/log", "w")
        self.server = subprocess.Popen(
            [*self.prefix, f"{self.bin}/postgres", "-D", data, "-k", self.directory, "-c", "listen_addresses=",
             "-c", "fsync=off"], cwd="/", stdout=log, stderr=log, start_new_session=True)
        sql = ("CREATE TABLE products (id int PRIMARY KEY, name text, price numeric);"
               "INSERT INTO products VALUES (1, 'tea', 3.5), (2, 'Käse', 7), (3, '寿司', 12.25);"
               "CREATE TABLE orders (id serial PRIMARY KEY, product int REFERENCES products, amount int)")
        for attempt in range(100):
            try:
                self._run("psql", "-h", self.directory, "-U", "postgres", "-qc", sql)
                return
            except subprocess.CalledProcessError:
                if attempt == 99 or self.server.poll() is not None:
                    raise RuntimeError(open(self.directory + "/log").read()) from None
                time.sleep(0.1)

    def stop(self):
        pid_file = self.directory + "/data/postmaster.pid"
        if self.server and self.server.poll() is None and os.path.exists(pid_file):
            self._run("pg_ctl", "-D", self.directory + "/data", "-m", "immediate", "stop")
            self.server.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)
