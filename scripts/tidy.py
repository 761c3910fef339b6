#!/usr/bin/env python3
"""clang-tidy over our .cpp files, several at a time; what was clean and has not changed is not looked at again.

usage: scripts/tidy.py BUILD_FOLDER [--jobs N] [FILE…]     exit code 1 if there is a finding

"Not changed" means: the file, all of our headers that it includes, .clang-tidy and the tool's version.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)
CACHE = pathlib.Path(os.environ.get("PLUMB_CACHE", pathlib.Path.home() / ".cache/plumbline")) / "tidy"


def closure(path, seen):
    if path in seen or not path.is_file():
        return seen
    seen[path] = path.read_bytes()
    for header in INCLUDE.findall(seen[path]):
        closure(ROOT / header.decode(), seen)
    return seen


def key_of(path, common):
    digest = hashlib.sha256(common)
    for file, data in sorted(closure(path, {}).items()):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + data)
    return digest.hexdigest()


def check(path, build, key):
    done = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), "--extra-arg=-Wno-everything", str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / key).touch()
        return ""
    return done.stdout or done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_intermixed_args()
    known = {pathlib.Path(e["directory"], e["file"]).resolve()
             for e in json.loads((arguments.build / "compile_commands.json").read_text())}
    wanted = [pathlib.Path(f).resolve() for f in arguments.files] or sorted(known)
    # The tests' executables are compiled against Catch2, which takes longer than everything else together.
    wanted = [f for f in wanted if f in known and ROOT in f.parents and "tests" not in f.relative_to(ROOT).parts]
    common = (ROOT / ".clang-tidy").read_bytes() + subprocess.run(["clang-tidy", "--version"], stdout=subprocess.PIPE).stdout
    todo = [(f, key_of(f, common)) for f in wanted]
    todo = [(f, key) for f, key in todo if not (CACHE / key).exists()]
    print(f"  tidy: {len(wanted)} files, {len(todo)} changed since they were clean")
    bad, begun, told = 0, time.monotonic(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {pool.submit(check, f, arguments.build, key): f for f, key in todo}
        for number, run in enumerate(concurrent.futures.as_completed(runs), 1):
            if run.result():
                bad += 1
                print(run.result())
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"  tidy: {number} of {len(todo)} after {told - begun:.0f} s")
    print(f"  tidy: {bad} files with findings, {time.monotonic() - begun:.1f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
