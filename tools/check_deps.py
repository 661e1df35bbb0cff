#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the code to src/deps.txt and to the doors of base and os. Prints TAP.

Folders include only what their line allows, and the lines form no circle. The heap, the clock, files,
sockets and threads are reached only through base/mem.h and os/, so that tests can put something else
in their place."""
import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"
LINE_MAX = 110

# What may be called directly, and where. Tests and benchmarks may call everything.
HEAP = "malloc calloc realloc free strdup strndup asprintf"
KERNEL = ("time gettimeofday clock_gettime rand random srand open openat fopen socket connect accept4 "
          "pthread_create fork usleep nanosleep sleep")
ALLOWED = {
    "base/mem.c": HEAP,
    "base/str.c": HEAP,
    "base/test.c": HEAP + " " + KERNEL,
    "base/replay.c": HEAP + " " + KERNEL,
    "base/log.c": "clock_gettime",  # a line carries the time it was written
    "os/*": HEAP + " " + KERNEL,
}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join((HEAP + " " + KERNEL).split()))


def read_deps():
    deps = {}
    for line in (SRC / "deps.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            folder, _, below = line.partition(":")
            deps[folder] = below.split()
    for folder in deps:
        if deps[folder] == ["*"]:
            deps[folder] = [f for f in deps if f != folder]
    return deps


def circles(deps):
    done, path = set(), []

    def walk(folder):
        if folder in path:
            yield "circle: " + " -> ".join(path[path.index(folder):] + [folder])
        elif folder not in done:
            path.append(folder)
            for below in deps.get(folder, []):
                yield from walk(below)
            path.pop()
            done.add(folder)

    for folder in deps:
        yield from walk(folder)


def code_of(text):
    """The text without comments and string literals, with its line breaks."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: "\n" * m[0].count("\n"), text, flags=re.S)


def bad_includes(path, text, deps):
    folder = path.parts[0]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"(?:(\w+)/)?([^"]+)"', line)
        if not match:
            continue
        other = match[1]
        if other is None:
            yield f"{path}:{number}: include by its path from src/: {match[2]}"
        elif other not in (folder, "base") and other not in deps.get(folder, []):
            yield f"{path}:{number}: {folder} may not include {other} (src/deps.txt)"
        elif other != folder and match[2].endswith("_internal.h"):
            yield f"{path}:{number}: {other}/{match[2]} belongs to {other} alone"


def bad_calls(path, text):
    if re.search(r"_(test|fuzz|bench)\.c$", path.name):
        return
    allowed = (ALLOWED.get(str(path)) or ALLOWED.get(path.parts[0] + "/*") or "").split()
    for number, line in enumerate(code_of(text).splitlines(), 1):
        for name in CALL.findall(line):
            if name not in allowed:
                yield f"{path}:{number}: {name}() is called only through base/mem.h or os/"


def bad_lines(path, text):
    if path.suffix in (".c", ".h") and not text.startswith("// SPDX-License-Identifier: Apache-2.0\n"):
        yield f"{path}:1: the first line is the SPDX line"
    if path.suffix == ".h" and "#pragma once" not in text:
        yield f"{path}:1: #pragma once is missing"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LINE_MAX:
            yield f"{path}:{number}: {len(line)} columns, at most {LINE_MAX}"


def main():
    deps = read_deps()
    files = [(p.relative_to(SRC), p.read_text()) for p in sorted(SRC.glob("*/*.[ch]"))]
    unknown = [f"{p.parts[0]} has no line in src/deps.txt" for p, _ in files if p.parts[0] not in deps]
    checks = {
        "folders_form_no_circle": list(circles(deps)) + sorted(set(unknown)),
        "includes_obey_deps": [e for p, t in files for e in bad_includes(p, t, deps)],
        "doors_are_used": [e for p, t in files for e in bad_calls(p, t)],
        "files_keep_their_form": [e for p, t in files for e in bad_lines(p, t)],
    }
    for number, (name, errors) in enumerate(checks.items(), 1):
        for error in errors:
            print("#", error)
        print("not ok" if errors else "ok", number, "-", name)
    print(f"1..{len(checks)}")
    sys.exit(any(checks.values()))


if __name__ == "__main__":
    main()
