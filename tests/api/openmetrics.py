# SPDX-License-Identifier: Apache-2.0
"""A strict reader of OpenMetrics text (openmetrics.io, specification 1.0): whatever it does not like is
an error."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)$")
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SUFFIXES = {"counter": ("_total", "_created"), "gauge": ("",), "info": ("_info",), "unknown": ("",),
            "histogram": ("_bucket", "_count", "_sum", "_created")}


def _labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"bad labels: {text}"
        assert match[1] not in labels, f"the label {match[1]} comes twice: {text}"
        labels[match[1]] = match[2]
        at = match.end()
    return labels


class Family:
    def __init__(self, name):
        self.name, self.type, self.help, self.samples = name, None, None, {}

    def add(self, name, labels, value):
        suffix = name[len(self.name):]
        assert suffix in SUFFIXES[self.type], f"{name} is no sample of a {self.type}"
        assert suffix != "_total" and self.type != "histogram" or value >= 0, f"{name} {value}"
        key = (name, tuple(sorted(labels.items())))
        assert key not in self.samples, f"{key} comes twice"
        self.samples[key] = value

    def check(self):
        assert self.type and self.help, f"{self.name}: TYPE and HELP are needed"
        if self.type != "histogram":
            return
        buckets = [(float(dict(labels)["le"]), value) for (name, labels), value in self.samples.items()
                   if name.endswith("_bucket")]
        assert buckets == sorted(buckets), f"{self.name}: buckets are not in order, or not cumulative"
        assert buckets[-1][0] == float("inf"), f"{self.name}: the last bucket is not +Inf"
        assert self.samples[(self.name + "_count", ())] == buckets[-1][1], self.name


def parse(text):
    """{family name: Family}"""
    families, current = {}, None
    assert text.endswith("# EOF\n"), "does not end with # EOF"
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        word = re.match(rf"# (HELP|TYPE|UNIT) ({NAME}) (.+)$", line)
        if word:
            if not current or current.name != word[2]:
                assert word[2] not in families, f"{word[2]} is not in one piece"
                current = families[word[2]] = Family(word[2])
            assert not current.samples, f"{line}: after the samples"
            attribute = word[1].lower()
            assert getattr(current, attribute, None) is None, f"{line}: comes twice"
            assert attribute != "type" or word[3] in SUFFIXES, line
            setattr(current, attribute, word[3])
            continue
        sample = SAMPLE.match(line)
        assert sample, f"no line of OpenMetrics: {line!r}"
        assert current and current.type and sample[1].startswith(current.name), f"{line}: of no family"
        current.add(sample[1], _labels(sample[2] or ""), float(sample[3]))
    for family in families.values():
        family.check()
    return families


def value(families, name, **labels):
    """The sum of the samples of that name whose labels have these values."""
    found = [v for family in families.values() for (n, have), v in family.samples.items()
             if n == name and labels.items() <= dict(have).items()]
    assert found, f"there is no {name} with {labels}"
    return sum(found)
