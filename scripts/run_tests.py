"""Runs and counts the tests of one build folder; called by scripts/test (see there).

usage: run_tests.py [--quick] [--jobs N] [NAME…]     with PLUMB_BUILD, PLUMB_BIN in the environment
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
UNIT_DEADLINE = 900  # seconds for one executable
SYSTEM_DEADLINE = 3600  # seconds for one file


@dataclasses.dataclass
class Result:
    """What one executable, package or file came to; `output` is shown when something failed."""
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    output: str = ""


def say(result):
    line = f"  {result.name:<34} {result.passed:>4} passed"
    if result.failed:
        line += f"  {result.failed} FAILED"
    if result.skipped:
        line += f"  {result.skipped} skipped"
    print(f"{line}  {result.seconds:.1f} s")
    if result.failed:
        for text in result.output.splitlines()[-150:]:
            print(f"    | {text}")


def describe(case):
    """A failed case of Catch2's XML, as people read it."""
    lines = [f"FAILED: {case.get('name')}  ({case.get('filename')}:{case.get('line')})"]
    for node in case.iter():
        if node.tag == "Expression" and node.get("success") != "true":
            lines.append(f"  {node.get('filename')}:{node.get('line')}: {(node.findtext('Original') or '').strip()}")
            lines.append(f"    with: {(node.findtext('Expanded') or '').strip()}")
        if node.tag in ("Failure", "Exception", "FatalErrorCondition", "Info", "Warning"):
            lines.append(f"  {node.tag.lower()}: {(node.text or '').strip()}")
    return "\n".join(lines)


def count_catch(text, code, result):
    """Counts the cases in `text`, Catch2's XML. A program that died left no end: the case that was under way
    counts as failed, and so does a bad exit code that no case explains."""
    try:
        cases = list(xml.etree.ElementTree.fromstring(text).iter("TestCase"))
        for case in cases:
            good = case.find("OverallResult") is not None and case.find("OverallResult").get("success") == "true"
            result.passed += good
            result.failed += not good
            if not good:
                result.output += describe(case) + "\n"
    except xml.etree.ElementTree.ParseError:
        names = re.findall(r'<TestCase name="([^"]*)"', text)
        ends = re.findall(r'<OverallResult success="(true|false)"', text)
        result.passed += ends.count("true")
        result.failed += ends.count("false") + (len(names) > len(ends))
        result.output += f"the program ended within: {names[-1] if names else 'its start'}\n"
    if code != 0 and result.failed == 0:
        result.failed += 1
        result.output += "no case failed, and yet the program did\n"


def run_unit(name, command, folder):
    begun = time.monotonic()
    result = Result(name)
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        try:
            done = subprocess.run(command + ["-r", "xml", "-o", report.name], cwd=folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=UNIT_DEADLINE)
            code, said = done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            code, said = -1, (late.stdout or b"") + f"\nnot done after {UNIT_DEADLINE} s\n".encode()
        except OSError as problem:
            code, said = -1, str(problem).encode()
        count_catch(pathlib.Path(report.name).read_text(errors="replace"), code, result)
    if code != 0:
        result.output += f"exit code {code}; it said:\n{said.decode(errors='replace')[-6000:]}"
    result.seconds = time.monotonic() - begun
    return result


def unit_tests(wanted, jobs):
    build = pathlib.Path(os.environ["PLUMB_BUILD"])
    listed = json.loads(subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, check=True,
                                       stdout=subprocess.PIPE).stdout)
    for test in listed["tests"]:
        if "command" not in test and wanted("unit", test["name"]):
            yield Result(test["name"], failed=1, output="it was never built")
    tests = [t for t in listed["tests"] if "command" in t and wanted("unit", t["name"])]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(run_unit, t["name"], t["command"], build) for t in tests]
        for run in concurrent.futures.as_completed(runs):
            yield run.result()


def engine_tests(wanted, _jobs):
    if not wanted("engines", "engines"):
        return
    begun = time.monotonic()
    kubectl = pathlib.Path(os.environ["PLUMB_CONTROL_PLANE_BIN"])
    path = f"{kubectl}:{os.environ['PATH']}"  # parity is judged against upstream's own program
    done = subprocess.run(["go", "test", "-count=1", "-json", "./..."], cwd=ROOT / "engines", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PATH": path})
    packages, said = {}, {}
    for line in done.stdout.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        name = event.get("Package", event.get("ImportPath", "?")).replace("plumbline.dev/", "")
        package = packages.setdefault(name, Result(name))
        key = (name, event.get("Test"))
        if "Output" in event:
            said[key] = said.get(key, "") + event["Output"]
        action, is_case = event.get("Action"), "Test" in event
        if is_case and action in ("pass", "fail", "skip"):
            package.passed += action == "pass"
            package.failed += action == "fail"
            package.skipped += action == "skip"
            if action == "fail":
                package.output += said.get(key, "")
        elif action in ("pass", "fail", "skip"):
            package.seconds = event.get("Elapsed", 0.0)
            if action == "fail" and package.failed == 0:
                package.failed += 1
                package.output += said.get(key, "") + done.stderr
    yield from (p for p in packages.values() if p.passed or p.failed or p.skipped)
    if done.returncode != 0 and not any(p.failed for p in packages.values()):
        yield Result("engines", failed=1, output=done.stderr, seconds=time.monotonic() - begun)


def count_unittest(text, code, result):
    """Python's own summary: `Ran 12 tests …`, then OK or FAILED (failures=1, errors=1, skipped=2)."""
    ran = re.findall(r"^Ran (\d+) tests? in", text, re.M)
    ends = re.findall(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", text, re.M)
    counts = dict(re.findall(r"(\w[\w ]*)=(\d+)", ends[-1])) if ends else {}
    bad = sum(int(counts.get(key, 0)) for key in ("failures", "errors", "unexpected successes"))
    result.skipped = int(counts.get("skipped", 0))
    result.failed = bad
    result.passed = max(0, int(ran[-1]) - bad - result.skipped) if ran else 0
    if not ran or not ends or (code != 0 and bad == 0):
        result.failed += 1


def system_tests(wanted, _jobs):
    for folder in ("system", "crash"):
        files = sorted((ROOT / "tests" / folder).glob("*_test.py")) + sorted((ROOT / "tests" / folder).glob("test_*.py"))
        for file in files:
            if not wanted("system", f"{folder}/{file.stem}"):
                continue
            begun = time.monotonic()
            result = Result(f"{folder}/{file.stem}")
            print(f"  {result.name} …")
            child = subprocess.Popen([sys.executable, "-u", "-m", "unittest", "-v", file.stem], cwd=file.parent,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     env={**os.environ, "PYTHONPATH": f"{file.parent}:{ROOT / 'tests' / 'system'}",
                                          "PYTHONDONTWRITEBYTECODE": "1"})
            lines = []
            late = threading.Timer(SYSTEM_DEADLINE, child.kill)
            late.start()
            for raw in child.stdout:  # live: some of these take minutes
                line = raw.decode(errors="replace").rstrip("\n")
                lines.append(line)
                print(f"    | {line}")
            late.cancel()
            count_unittest("\n".join(lines), child.wait(), result)
            result.seconds = time.monotonic() - begun
            yield result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=["unit", "engines", "system"])
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_intermixed_args()

    def wanted(kind, name):
        return not arguments.names or any(n == kind or n in name for n in arguments.names)

    kinds = {"unit": unit_tests, "engines": engine_tests, "system": system_tests}
    if arguments.quick:
        del kinds["system"]
    if arguments.only:
        kinds = {arguments.only: kinds[arguments.only]}
    results = []
    for kind, run in kinds.items():
        print(f"== {kind} tests")
        begun = time.monotonic()
        of_kind = []
        for result in run(wanted, arguments.jobs):
            if kind != "system" or not result.failed:
                say(result)
            else:
                say(dataclasses.replace(result, output=""))  # it was shown live
            of_kind.append(result)
        print(f"  {kind}: {sum(r.passed for r in of_kind)} passed, {sum(r.failed for r in of_kind)} failed "
              f"in {time.monotonic() - begun:.1f} s")
        results += of_kind
    for result in results:
        if result.failed:
            print(f"failed: {result.name} ({result.failed})")
    skipped = sum(r.skipped for r in results)
    if skipped:
        print(f"{skipped} skipped")
    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    if passed + failed == 0:
        print("no test ran")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
