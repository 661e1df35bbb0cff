# SPDX-License-Identifier: Apache-2.0
"""How much slower than at its best the machine is just now: others may share it, down to the units of a core and
its caches. CPU time of two pieces of work that are always the same tells: one that calculates, one that reads
memory."""
import time

STEPS, TRIES = 20_000, 12
LINES = b"\1" * (32 << 20)  # written: pages of zeros would all be one


def calculate():
    x = 0
    for i in range(STEPS):
        x += i * i


def read():
    LINES[::64]


def work_ns(work):
    began = time.thread_time_ns()
    work()
    return time.thread_time_ns() - began


class Pace:
    def __init__(self):
        self.best = {work: min(work_ns(work) for _ in range(4 * TRIES)) for work in (calculate, read)}

    def now(self):
        """1.0: as fast as it was at its best so far; of both pieces, the slower."""
        return max(self.of(work) for work in self.best)

    def of(self, work):
        took = [work_ns(work) for _ in range(TRIES)]
        self.best[work] = min(self.best[work], *took)
        return sum(took) / TRIES / self.best[work]
