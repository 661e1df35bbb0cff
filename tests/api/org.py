# SPDX-License-Identifier: Apache-2.0
"""Twelve weeks of an organisation with planted truth, harder than delivery.Plan: partial rollouts that are mended,
canaries that are stopped, flags, causes of incidents that somebody names days later, clocks that are off by minutes,
events that come late, twice and backwards. The truth comes from the plan."""
import json
import random

from delivery import DAY, HOUR, MINUTE, Plan, event, measures, send, window, without_as_of
from takt import Server

END = 1794744000  # far enough in the past for reviews that come days later


class Org(Plan):
    """The clock of a service's deploys, and the one of its incidents, are each off by a constant: times that one
    source tells stay right, those between two do not."""

    def __init__(self, seed, end=END):
        self.tries_again = self.stopped = self.flips = 0
        self.skews, self.late = {}, []
        super().__init__(seed, end)

    def skew(self, source, name):
        if (source, name) not in self.skews:
            self.skews[source, name] = self.dice.randrange(-2 * MINUTE, 2 * MINUTE)
        return self.skews[source, name]

    def deploy(self, service, version, at, state="success", target="eu", kind=None, started=True):
        super().deploy(service, version, at + self.skew("deploys", service), state, target, kind, started)

    def incident(self, name, began, resolved):
        skew = self.skew("incidents", name)
        super().incident(name, began + skew, resolved + skew)
        return f"{name} {began + skew}", skew

    def change(self, name, version, at):
        what, text = self.dice.random(), f"v{version}"
        if what < 0.35:
            return super().change(name, version, at)
        if what < 0.55:  # the second target fails, and is done again: one rollout, not at the first try
            self.deploy(name, text, at - 30 * MINUTE)
            self.deploy(name, text, at - 20 * MINUTE, state="failure", target="us")
            self.deploy(name, text, at, target="us")
            self.deploys, self.tries_again = self.deploys + 1, self.tries_again + 1
        elif what < 0.7:  # its canary is bad: it goes no further
            self.deploy(name, text, at, state="failure", target="canary")
            for state, when, weight in (("progressing", at - 15 * MINUTE, 5), ("failed", at, 0)):
                self.events.append(event("canary", when, id=f"{name} {version}", service=name, environment="production",
                                         version=text, state=state, weight=weight))
            self.lost, self.stopped = self.lost + 1, self.stopped + 1
        elif what < 0.85:  # a flag is turned on and off: no rollout
            self.deploy(name, text, at)
            self.deploys, self.flips = self.deploys + 1, self.flips + 2
            for i, action in enumerate(("on", "off")):
                self.events.append(event("flag_change", at + (i + 1) * HOUR, id=f"{name} {version} {action}", service=name,
                                         environment="production", flag=f"{name}-{version}", action=action))
        else:  # breaks after more than a day; who is to blame is said in the review, days later
            self.deploy(name, text, at)
            key, skew = self.incident(name, at + 30 * HOUR, at + 32 * HOUR)
            self.late.append(event("incident", at + 3 * DAY, id=key, caused_by=text))
            self.deploys, self.failed = self.deploys + 1, self.failed + 1
            self.recoveries.append(32 * HOUR + skew - self.skew("deploys", name))
            return 33 * HOUR
        return 0

    def truth(self):
        found = super().truth()
        ended = self.deploys + self.rollbacks + self.lost
        found["first_try_rate"] = (self.deploys + self.rollbacks - self.tries_again) / ended
        return found


def expect(found, plan):
    for name, want in plan.truth().items():
        if want is not None:
            assert abs(found[name]["value"] - want) <= 1e-9 * want + 1e-12, (name, found[name], want)


def twelve_weeks(seed):
    print(f"# seed {seed}")
    plan, dice = Org(seed), random.Random(seed)
    assert plan.tries_again and plan.stopped and plan.flips and plan.late and plan.failed
    answers = []
    for turn in range(3):
        events = plan.events + plan.late
        if turn:
            events += dice.sample(events, len(events) // 2)
            dice.shuffle(events)
        if turn == 2:
            events.sort(key=lambda e: e["time"], reverse=True)
        with Server() as server:
            for i in range(0, len(events), 97):
                send(server, events[i:i + 97])
                if turn == 1 and i == 97:
                    measures(server, **window(plan))  # what is derived now must be derived anew
                    server.kill()
                    server.start()
            found = measures(server, **window(plan))
            expect(found, plan)
            answers.append(without_as_of(found))
            flags = server.get_json("/api/takt/delivery/intake")
            assert flags["sources"][0]["events"] == len({json.dumps(e, sort_keys=True) for e in events}), flags
    assert answers[0] == answers[1] == answers[2]


def cases(tap):
    for seed in range(tap.seed, tap.seed + 3):
        tap.case(f"twelve_weeks_{seed}", twelve_weeks, seed)
