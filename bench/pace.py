# SPDX-License-Identifier: Apache-2.0
"""How much slower than at its best the processor is just now: others may share it, down to the units of a core.
CPU time of a piece of work that is always the same tells."""
import time

STEPS, TRIES = 20_000, 12


def work_ns():
    began, x = time.thread_time_ns(), 0
    for i in range(STEPS):
        x += i * i
    return time.thread_time_ns() - began


class Pace:
    def __init__(self):
        self.best = min(work_ns() for _ in range(4 * TRIES))

    def now(self):
        """1.0: as fast as it was at its best so far."""
        took = [work_ns() for _ in range(TRIES)]
        self.best = min(self.best, *took)
        return sum(took) / TRIES / self.best
