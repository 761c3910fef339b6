"""The benchmarks of scripts/bench (see there). Uses the real parts of tests/system/parts.py."""
import argparse
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))
import parts  # noqa: E402

SEED = 20261124


class Api:
    """A raw client of the API server: one connection for each thread that uses it."""

    def __init__(self, plane):
        folder = parts.Folder("bench").path
        config = json.loads(plane.kubectl("config", "view", "--raw", "-o", "json").stdout)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        for name, data in (("ca", cluster["certificate-authority-data"]), ("crt", user["client-certificate-data"]),
                           ("key", user["client-key-data"])):
            (folder / name).write_bytes(base64.b64decode(data))
        self.context = ssl.create_default_context(cafile=folder / "ca")
        self.context.load_cert_chain(folder / "crt", folder / "key")
        self.address = cluster["server"].removeprefix("https://")
        self.local = threading.local()

    def connect(self):
        connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def call(self, method, path, body=None):
        if not hasattr(self.local, "connection"):
            self.local.connection = self.connect()
        headers = {"Content-Type": "application/apply-patch+yaml"} if method == "PATCH" else {"Content-Type": "application/json"}
        self.local.connection.request(method, path, body and json.dumps(body), headers)
        answer = self.local.connection.getresponse()
        text = answer.read()
        if answer.status >= 300 and answer.status != 409:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def apply(self, namespace, name, value):
        self.call("PATCH", f"/api/v1/namespaces/{namespace}/configmaps/{name}?fieldManager=floor&force=true",
                  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}})


class Watch:
    """When did which value of a ConfigMap arrive? Its own connection and thread."""

    def __init__(self, api, namespace):
        self.seen, self.changed = {}, threading.Condition()
        version = api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps")["metadata"]["resourceVersion"]
        self.connection = api.connect()
        self.connection.sock.settimeout(None)
        self.connection.request("GET", f"/api/v1/namespaces/{namespace}/configmaps?watch=1&resourceVersion={version}")
        self.answer = self.connection.getresponse()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.answer:
            at = time.perf_counter()
            thing = json.loads(line)["object"]
            with self.changed:
                self.seen.setdefault((thing["metadata"]["name"], thing.get("data", {}).get("value")), at)
                self.changed.notify_all()

    def when(self, name, value, seconds=60):
        with self.changed:
            if not self.changed.wait_for(lambda: (name, value) in self.seen, seconds):
                raise RuntimeError(f"{name}={value} did not arrive within {seconds} s")
            return self.seen[(name, value)]


def ask(path, method, **params):
    """One request to plumbd's socket (docs/formats.md, "Local socket")."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        body = b"J" + json.dumps({"v": 1, "method": method, "params": params}).encode()
        line.sendall(struct.pack(">I", len(body)) + body)
        stream = line.makefile("rb")
        while True:
            (length,) = struct.unpack(">I", stream.read(4))
            answer = json.loads(stream.read(length)[1:])
            if "event" not in answer:
                return answer.get("result") or answer["error"]


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Bench:
    def __init__(self, arguments):
        self.quick, self.apps, self.out = arguments.quick, arguments.apps, pathlib.Path(arguments.out)
        self.plane = parts.Plane("bench")
        self.api = Api(self.plane)
        self.random = random.Random(SEED)
        self.rows = []
        self.commit = parts.run("git", "-C", ROOT, "rev-parse", "--short", "HEAD", check=False).stdout.strip()
        self.floor_ms = None

    def rounds(self, many):
        return max(5, many // 5) if self.quick else many

    def note(self, bench, what, value, unit, goal=""):
        self.rows.append((bench, what, value, unit, goal))
        print(f"  {bench} {what}: {value:.1f} {unit}")
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with open(self.out, "a", encoding="utf-8") as out:
            out.write(json.dumps({"at": int(time.time() * 1000), "commit": self.commit, "cores": os.cpu_count(),
                                  "bench": bench, "what": what, "value": round(value, 3), "unit": unit,
                                  "goal": goal, "quick": self.quick}) + "\n")

    def namespace(self, name):
        self.api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    # ---- floor ----

    def floor(self):
        self.namespace("floor")
        times = []
        for number in range(self.rounds(300)):
            begun = time.perf_counter()
            self.api.apply("floor", f"one-{number % 10}", str(number))
            times.append((time.perf_counter() - begun) * 1000)
        self.floor_ms = statistics.median(times)
        self.note("B0", "one server-side apply, p50", self.floor_ms, "ms")
        self.note("B0", "one server-side apply, p99", quantile(times, 0.99), "ms")
        count = self.rounds(1000)
        begun = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: self.api.apply("floor", f"many-{n}", "1"), range(count)))
        self.note("B0", "16 at once", count / (time.perf_counter() - begun), "applies/s")

    # ---- a server and a repository ----

    def server(self, name, files):
        """plumbd with one repository that holds `files`, pushed and applied."""
        folder = parts.Folder(name).path
        repository = parts.Repository(folder, name)
        bound = {"name": name, "path": str(repository.bare), "namespaces": [name, f"{name}-*"],
                 "environments": {"dev": {"cluster": "bench", "namespace": name}}, "hooks": {"wait": "1s", "deadline": "120s"}}
        plumbd = parts.Plumbd(folder, [bound], [{"name": "bench", "kubeconfig": self.plane.kubeconfig}], scanInterval="30s")
        plumbd.start()
        plumbd.install_hooks(repository)
        commit = repository.commit(files, "all")
        begun = time.perf_counter()
        repository.push("-o", "plumb.nowait")
        pushed = time.perf_counter() - begun
        done = ask(plumbd.socket, "wait", what=commit, timeout_ms=600_000)
        if not done.get("ok"):
            raise RuntimeError(f"{name}: the first push did not become healthy: {json.dumps(done)[:600]}")
        return repository, plumbd, pushed, time.perf_counter() - begun

    def change(self, repository, watch, path, name, value):
        """Milliseconds from the start of `git push` to the changed object."""
        repository.commit({path: parts.config_map(name, value=value)}, f"{name}={value}")
        begun = time.perf_counter()
        repository.push("-o", "plumb.nowait")
        return (watch.when(name, value) - begun) * 1000

    def planned(self, plumbd, commit):
        for repository in ask(plumbd.socket, "repos")["repositories"]:
            return any(ref["planned"] == commit for ref in repository["refs"])

    # ---- B1 ----

    def push(self):
        if self.floor_ms is None:
            self.floor()
        files = {f"apps/shop/dev/cm{n}.yaml": parts.config_map(f"cm{n}", value="0") for n in range(10)}
        files["docs/readme.md"] = "0\n"
        repository, plumbd, _, _ = self.server("bench-push", files)
        bare = parts.Repository(parts.Folder("bare").path, "bare")
        bare.commit(files, "all")
        bare.push()
        watch = Watch(self.api, "bench-push")
        times, without, untouched = [], [], []
        for number in range(1, self.rounds(100) + 1):
            times.append(self.change(repository, watch, f"apps/shop/dev/cm{number % 10}.yaml", f"cm{number % 10}", str(number)))
        for number in range(1, self.rounds(50) + 1):
            for target, out in ((repository, untouched), (bare, without)):
                target.commit({"docs/readme.md": f"{number}\n"}, "words")
                begun = time.perf_counter()
                target.push()
                out.append((time.perf_counter() - begun) * 1000)
        plain = statistics.median(without)
        self.note("B1", "push to changed object, p50", statistics.median(times), "ms", "<= 100")
        self.note("B1", "push to changed object, p99", quantile(times, 0.99), "ms", "<= 250")
        self.note("B1", "bare push without hooks, p50", plain, "ms")
        self.note("B1", "ratio to bare push + one apply", statistics.median(times) / (plain + self.floor_ms), "x")
        self.note("B1", "a push that touches nothing adds, p50", statistics.median(untouched) - plain, "ms", "< 50")
        plumbd.stop()

    # ---- no-op ----

    def noop(self):
        files = {f"apps/shop/dev/cm{n}.yaml": parts.config_map(f"cm{n}", value="0") for n in range(10)}
        repository, plumbd, _, _ = self.server("bench-noop", files)
        before = len(self.plane.audit())
        commit = repository.commit({"apps/shop/dev/cm1.yaml": "# words only\n" + files["apps/shop/dev/cm1.yaml"]}, "a comment")
        repository.push()
        parts.eventually("the commit is planned", lambda: self.planned(plumbd, commit))
        changed = repository.commit({"apps/shop/dev/cm2.yaml": parts.config_map("cm2", value="1")}, "then a real change")
        seen = len(self.plane.audit())
        repository.push("-o", "plumb.nowait")
        ask(plumbd.socket, "wait", what=changed, timeout_ms=60_000)
        parts.eventually("the real change was seen in the audit log",
                         lambda: any(e["verb"] == "patch" for e in self.plane.audit()[seen:] if e.get("userAgent", "").startswith("plumb")))
        quiet = [e for e in self.plane.audit()[before:seen] if e.get("userAgent", "").startswith("plumb") and e["verb"] != "watch"]
        self.note("noop", "calls after a push that changes no object", len(quiet), "calls", "0")
        plumbd.stop()

    # ---- B3 ----

    def fleet_of(self, count):
        name = f"bench-fleet{count}"
        files = {}
        for number in range(count):
            files[f"apps/a{number:05}/dev/kustomization.yaml"] = "resources: [cm.yaml]\n"
            files[f"apps/a{number:05}/dev/cm.yaml"] = parts.config_map(f"cm{number}", value="0")
        repository, plumbd, pushed, installed = self.server(name, files)
        self.note("B3", f"{count} applications: first push judged in", pushed, "s")
        self.note("B3", f"{count} applications: first push healthy in", installed, "s")
        watch = Watch(self.api, name)
        before = plumbd.json("status")["renders"]
        times = []
        for number in range(1, self.rounds(50) + 1):
            app = self.random.randrange(count)
            times.append(self.change(repository, watch, f"apps/a{app:05}/dev/cm.yaml", f"cm{app}", f"v{number}"))
        renders = (plumbd.json("status")["renders"] - before) / len(times)
        self.note("B3", f"{count} applications: push to changed object, p50", statistics.median(times), "ms")
        self.note("B3", f"{count} applications: renders for each push", renders, "renders", "1")
        memory = int(pathlib.Path(f"/proc/{plumbd.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        self.note("B3", f"{count} applications: memory of plumbd", memory / 2**20, "MiB")
        plumbd.stop()
        return statistics.median(times)

    def fleet(self):
        print(f"  seed {SEED}")
        small, large = self.fleet_of(10), self.fleet_of(self.apps)
        self.note("B3", f"ratio {self.apps} : 10 applications", large / small, "x", "<= 1.3")

    def table(self):
        print(f"\n{'bench':<6} {'what':<58} {'value':>10} {'unit':<10} goal")
        for bench, what, value, unit, goal in self.rows:
            print(f"{bench:<6} {what:<58} {value:>10.1f} {unit:<10} {goal}")
        print(f"appended to {self.out}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--out", required=True)
    parser.add_argument("names", nargs="*", default=[])
    arguments = parser.parse_intermixed_args()
    names = arguments.names or ["floor", "push", "noop", "fleet"]
    if not set(names) <= {"floor", "push", "noop", "fleet"}:
        parser.error("known benchmarks: floor, push, noop, fleet")
    bench = Bench(arguments)
    for name in names:
        print(f"== {name}")
        getattr(bench, name)()
    bench.table()


if __name__ == "__main__":
    main()
