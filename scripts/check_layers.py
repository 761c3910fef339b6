#!/usr/bin/env python3
"""Who may include whom. Reads every `#include "folder/…"` and every heavy third-party header of the C++ sources.

usage: scripts/check_layers.py [ROOT]      exit code 1 and one line for each arrow that must not be

The table is the one of README.md. A new arrow is a decision: change it there, here and in the folder's
CMakeLists.txt, or find the type in core/ that makes it unnecessary.
"""
import pathlib
import re
import sys

BASE = {"core", "drivers"}
STAGES = {"queue", "plan", "apply", "audit"}
MAY = {
    "core": {"core"},
    "drivers": BASE,
    "config": BASE | {"config"},
    "queue": BASE | {"queue"},
    "audit": BASE | {"audit"},
    "plan": BASE | {"config", "plan"},
    "apply": BASE | {"config", "apply"},
    "worker": BASE | {"config", "worker"} | STAGES,
    "hooks": BASE | {"config", "hooks"},
    "receiver": BASE | {"config", "receiver"},
    "console": BASE | {"config", "plan", "console"},
    "server": BASE | {"config", "worker", "hooks", "receiver", "server"} | STAGES,
}
# Library headers and the one folder that may see them. tests/ may include anything.
OWNERS = {
    "sqlite3.h": "drivers/sqlite",
    "git2.h": "drivers/git",
    "zmq.hpp": "drivers/zmq",
    "httplib.h": "drivers/http",
    "yaml-cpp/": "drivers/yaml",
    "curl/": "drivers/kube",
    "openssl/": "drivers/",
    "seccomp.h": "drivers/process",
}
HEAVY = {"nlohmann/json.hpp", "CLI/CLI.hpp"} | set(OWNERS)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def problems_of(path, name):
    folder = name.split("/")[0]
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        header = found.group(2)
        target = header.split("/")[0]
        where = f"{name}:{number}"
        if found.group(1) == '"' and (target in MAY or target == "tests") and target not in MAY[folder]:
            yield f"{where}: {folder}/ may not include {header}; it may include {', '.join(sorted(MAY[folder]))}"
        for heavy in HEAVY:
            if header != heavy and not (heavy.endswith("/") and header.startswith(heavy)):
                continue
            owner = OWNERS.get(heavy)
            if owner and not name.startswith(owner):
                yield f"{where}: only {owner} may include {header}"


def heavy_headers(root, includes):
    """Our headers through which a library's heavy header comes in; none may be included from another folder."""
    tainted = {name for name, seen in includes.items() if name.endswith(".h") and
               any(header == heavy or (heavy.endswith("/") and header.startswith(heavy))
                   for header in seen for heavy in HEAVY)}
    grows = True
    while grows:
        more = {name for name, seen in includes.items() if name.endswith(".h") and tainted & set(seen)} - tainted
        tainted |= more
        grows = bool(more)
    for name, seen in includes.items():
        for header in sorted(tainted & set(seen)):
            if pathlib.PurePath(header).parent != pathlib.PurePath(name).parent:
                yield f"{name}: {header} brings in a heavy header: hide that in a .cpp file"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1]
    files, bad, includes = 0, [], {}
    for folder in MAY:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                files += 1
                name = path.relative_to(root).as_posix()
                bad += problems_of(path, name)
                lines = path.read_text(errors="replace").splitlines()
                includes[name] = [m.group(2) for m in map(INCLUDE.match, lines) if m]
    bad += heavy_headers(root, includes)
    for line in bad:
        print(line)
    if files == 0:
        print(f"no sources under {root}")
        return 1
    print(f"layers: {files} files, {len(bad)} wrong arrows")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
