"""Crash test: 500 pushes while plumbd and the hooks are killed at every named point, at random, and
stopped past their leases; then checker.py, which shares no code with the product, compares cluster,
repository and audit trail. The same changes and faults each time, at moments that are never the same;
PLUMB_CRASH_SEED names others ("random" draws them), PLUMB_CRASH_PUSHES makes a shorter run.
"""
import collections
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import unittest
import urllib.error
import urllib.request

from parts import CACHE, PEOPLE, Folder, Plane, Plumbd, Repository, application, eventually, run

# The rows of the fault table (docs/faults.md) that die inside plumbd; each must be hit this often.
SERVER_POINTS = ["receiver.before_verify", "receiver.before_commit", "receiver.after_commit", "dispatch.before_send",
                 "worker.before_plan", "plan.before_commit", "plan.after_commit", "apply.before_intent",
                 "intent.before_commit", "apply.after_intent", "apply.between_patches", "applied.before_commit",
                 "apply.before_prune", "apply.during_prune", "prune.before_commit", "apply.after_prune",
                 "apply.during_health", "settle.before_commit", "sqlite.before_commit", "sqlite.after_commit",
                 "spool.before_remove"]
HOOK_POINTS = ["hook.pre_receive", "hook.spool_prepared", "hook.post_receive"]
HITS = 5
PUSHES = int(os.environ.get("PLUMB_CRASH_PUSHES", "500"))
SECRET = "secret-of-the-crash-test"
ENDPOINT = "c0ffee0123456789abcd"
NAMESPACES = ["crash-a", "crash-b"]


def config_map(name, value):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": str(value)}})


def web(image):
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": f"shop/web:{image}"}]}}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                       "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": pod}})


class Shop:
    """What the repository holds: four plain applications, two overlays of one base, one Deployment."""

    def __init__(self, repository, dice):
        self.repository, self.dice = repository, dice
        self.values = {f"plain-{n}": {f"steady-{n}": 0, **{f"p{n}-{i}": 0 for i in range(5)}} for n in range(4)}
        self.image, self.base, self.extra_app, self.number = 1, 0, False, 0

    def files(self):
        documents = [application(name, name, namespace=NAMESPACES[i % 2]) for i, name in enumerate(self.values)]
        documents += [application(f"over-{e}", f"over/{e}", namespace=NAMESPACES[i]) for i, e in enumerate("xy")]
        documents.append(application("web", "web", namespace="crash-a", healthTimeout="60s"))
        if self.extra_app:
            documents.append(application("extra", "extra", namespace="crash-b"))
        files = {"plumbline.yaml": "---\n".join(documents), "web/web.json": web(self.image),
                 "over/base/kustomization.yaml": f"configMapGenerator: [{{name: gen, literals: ['value={self.base}']}}]\n",
                 "extra/a.json": config_map("extra", self.number)}
        for env in "xy":
            files[f"over/{env}/kustomization.yaml"] = f"resources: [../base]\nnamePrefix: {env}-\n"
        for app, maps in self.values.items():
            for name, value in maps.items():
                files[f"{app}/{name}.json"] = config_map(name, value)
        return files

    def change(self):
        """One random commit; returns its id."""
        self.number += 1
        for _ in range(self.dice.randint(1, 3)):
            app = self.dice.choice(list(self.values))
            maps = self.values[app]
            what = self.dice.random()
            if what < 0.45:
                maps[self.dice.choice(list(maps))] = self.number
            elif what < 0.6:
                maps[f"new-{self.number}-{app[-1]}{self.dice.randint(0, 9)}"] = self.number
            elif what < 0.75:
                loose = [m for m in maps if not m.startswith("steady")]
                if len(loose) > 4:  # below the guard of 30 %
                    del maps[self.dice.choice(loose)]
            elif what < 0.85:
                loose = [m for m in maps if m.startswith("new")]
                other = f"plain-{(int(app[-1]) + 2) % 4}"  # the same namespace: a hand-over
                if loose and len(maps) > 5:
                    moved = self.dice.choice(loose)
                    self.values[other][moved] = maps.pop(moved)
            elif what < 0.93:
                self.image += 1
            else:
                self.base += 1
        for folder in (*self.values, "over", "web", "extra"):
            shutil.rmtree(self.repository.work / folder, ignore_errors=True)
        return self.repository.commit(self.files(), f"change {self.number}")


class Crash(unittest.TestCase):
    def setUp(self):
        seed = os.environ.get("PLUMB_CRASH_SEED", "952797")
        self.seed = random.SystemRandom().randint(1, 10**6) if seed == "random" else int(seed)
        print(f"\ncrash test: PLUMB_CRASH_SEED={self.seed}", flush=True)
        self.dice = random.Random(self.seed)
        self.plane = Plane("crash")
        self.folder = Folder("crash").path
        self.hits_file = self.folder / "hits"
        self.hits_file.touch()
        self.repository = Repository(self.folder, "shop")
        secret = self.folder / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.server = Plumbd(
            self.folder, [{"name": "shop", "path": str(self.repository.bare), "clusters": ["eu-1"],
                           "hooks": {"whenDown": "accept"},
                           "webhooks": [{"id": ENDPOINT, "provider": "gitea", "secrets": [{"file": str(secret)}]}]}],
            [{"name": "eu-1", "kubeconfig": self.plane.kubeconfig}], http={"listen": "127.0.0.1:0"},
            workers=3, lease="5s", scanInterval="1s")
        self.pushes = self.deliveries = self.kills = self.stops = 0
        self.shop = Shop(self.repository, self.dice)

    def tearDown(self):
        self.server.kill()
        self.plane.down()

    def env(self, rule=""):
        return {"PLUMB_FAIL": rule, "PLUMB_FAIL_LOG": str(self.hits_file)}

    def hits(self):
        return collections.Counter(line.split()[1] for line in self.hits_file.read_text().splitlines())

    def start(self, rule=""):
        """A failpoint may strike during the start itself: that is a hit too, and the next start has none."""
        try:
            self.server.start(self.env(rule))
        except AssertionError:
            if not rule:
                raise
            self.server.kill()

    def alive(self):
        return self.server.process is not None and self.server.process.poll() is None

    def push(self, rule=""):
        """One change, pushed. A hook that is killed may cost the push: it is pushed again, as a person would."""
        self.shop.change()
        for attempt in range(5):
            done = self.repository.push("-o", "plumb.nowait", check=False, env=self.env(rule if attempt == 0 else ""))
            if done.returncode == 0:
                break
        else:
            self.fail(f"the push was refused five times:\n{done.stdout}")
        self.pushes += 1

    def deliver(self):
        """A signed webhook of the newest commit. Nothing is expected of it: plumbd may die under it."""
        self.deliveries += 1
        head = self.repository.head()
        body = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": head, "commits": [],
                           "repository": {"id": 1, "name": "shop", "full_name": "shop/shop"},
                           "pusher": {"login": "ana", "id": 1, "username": "ana"}, "sender": {"login": "ana", "id": 1, "username": "ana"}}).encode()
        request = urllib.request.Request(f"http://{self.server.http}/hooks/{ENDPOINT}", data=body, headers={
            "X-Gitea-Event": "push", "X-Gitea-Delivery": f"delivery-{self.deliveries}",
            "Content-Type": "application/json",
            "X-Gitea-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except (urllib.error.URLError, OSError):
            pass

    def settle_or_die(self, seconds):
        """Until plumbd has died, or has nothing left to do."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            try:
                if not self.busy():
                    return
            except (AssertionError, KeyError, json.JSONDecodeError):
                continue

    def busy(self):
        jobs = self.server.json("jobs", "--limit", "50")["jobs"]
        return any(j["state"] in ("queued", "running") for j in jobs)

    def strike(self, point):
        """Runs plumbd until it dies at this point."""
        before = self.hits()[point]
        prune = "prune" in point
        self.server.kill()
        self.start(f"{point}=kill@{self.dice.randint(1, 3 if not prune else 1)}")
        for _ in range(12):
            if not self.alive():
                break
            if prune:
                self.shop.extra_app = False
                for app, maps in self.shop.values.items():
                    loose = [m for m in maps if not m.startswith("steady")]
                    if len(loose) > 4:
                        del maps[loose[0]]
                    else:
                        maps[f"new-{self.shop.number}-{app}"] = self.shop.number
            if "health" in point:
                self.shop.image += 1  # a Deployment that has to become healthy
            self.push()
            if point.startswith("receiver") and self.alive():
                self.deliver()
            self.settle_or_die(10)
        died = not self.alive()
        self.server.kill()
        self.assertTrue(died or self.hits()[point] > before, f"{point} was not reached by 12 pushes")

    def strike_hook(self, point):
        if not self.alive():
            self.start()
        self.push(f"{point}=kill")

    def kill_at_random(self):
        if not self.alive():
            self.start()
        self.push()
        time.sleep(self.dice.random() * 0.3)  # the moment is the fault
        self.server.kill()
        self.kills += 1

    def stop_past_the_lease(self):
        if not self.alive():
            self.start()
        self.push()
        time.sleep(self.dice.random() * 0.1)  # the moment is the fault
        self.server.process.send_signal(signal.SIGSTOP)
        time.sleep(6)  # longer than the lease: the fault itself
        self.server.process.send_signal(signal.SIGCONT)
        self.stops += 1
        self.settle_or_die(20)

    def test_nothing_is_lost_doubled_orphaned_or_pruned_wrongly_whatever_dies(self):
        decoys = {}
        for namespace in NAMESPACES:
            self.plane.kubectl("create", "namespace", namespace)
            self.plane.kubectl("create", "configmap", "decoy", "-n", namespace, "--from-literal=a=b")
            decoys[f"{namespace}/decoy"] = self.plane.get("configmap", "decoy", namespace)["metadata"]["uid"]
        self.start()
        eventually("the cluster answers", lambda: self.server.json("cluster")["clusters"][0]["reachable"])
        self.server.install_hooks(self.repository)
        self.push()
        self.settle_or_die(60)
        self.server.kill()

        faults = [(self.strike, p) for p in SERVER_POINTS for _ in range(HITS)]
        faults += [(self.strike_hook, p) for p in HOOK_POINTS for _ in range(HITS)]
        faults += [(self.kill_at_random, None)] * 40 + [(self.stop_past_the_lease, None)] * 5
        self.dice.shuffle(faults)
        for number, (fault, point) in enumerate(faults):
            if self.pushes >= PUSHES and PUSHES < 500:
                break
            fault(*([point] if point else []))
            if number % 20 == 19:
                print(f"  {number + 1} of {len(faults)} faults, {self.pushes} pushes", flush=True)
        while self.pushes < PUSHES:
            self.kill_at_random()
            if self.pushes % 50 == 0:
                print(f"  {self.pushes} pushes", flush=True)

        self.server.kill()
        self.start()
        eventually("every job has ended", lambda: not self.busy() and self.at_head(), seconds=120)
        self.server.stop()
        self.judge(decoys)

    def at_head(self):
        head = self.repository.head()
        repos = self.server.json("repo")["repositories"]
        return any(ref["planned"] == head for repo in repos for ref in repo["refs"])

    def judge(self, decoys):
        copy = self.folder / "copy.db"
        source = sqlite3.connect(self.server.data / "plumbline.db")
        with sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        state = self.folder / "state.json"
        state.write_text(json.dumps({
            "kubectl": str(CACHE / "kubectl"), "kubeconfig": self.plane.kubeconfig, "repository": str(self.repository.bare),
            "database": str(copy), "api_audit": str(self.plane.folder / self.plane.name / "audit.log"),
            "namespaces": NAMESPACES, "decoys": decoys,
            "steady": [f"{NAMESPACES[n % 2]}/steady-{n}" for n in range(4)]}))
        checker = self.check(state)
        hits = self.hits()
        print(f"  {self.pushes} pushes, {self.deliveries} deliveries, {self.kills} kills at random, {self.stops} stops past the lease")
        for point in SERVER_POINTS + HOOK_POINTS:
            print(f"  {hits[point]:>4} hits  {point}")
        print(checker.stdout, flush=True)
        self.assertEqual(checker.returncode, 0, checker.stdout)
        if PUSHES >= 500:
            self.assertEqual({p: hits[p] for p in SERVER_POINTS + HOOK_POINTS if hits[p] < HITS}, {}, "points hit too rarely")
        self.plant(state, copy)

    def check(self, state):
        return run(sys.executable, os.path.join(os.path.dirname(__file__), "checker.py"), state, check=False,
                   env={"CHECKER_HOME": str(self.folder), **PEOPLE})

    def plant(self, state, copy):
        """The checker's own test: each planted fault is found and named."""
        cluster = self.plane.kubectl
        cluster("patch", "configmap", "steady-0", "-n", "crash-a", "--type=merge", "-p", '{"data":{"value":"planted"}}')
        cluster("delete", "configmap", "steady-1", "-n", "crash-b")
        cluster("delete", "configmap", "decoy", "-n", "crash-b")
        cluster("apply", "--server-side", "--field-manager=plumbline", "-n", "crash-a", "-f", "-", input=config_map("orphan", 1))
        with sqlite3.connect(copy) as trail:
            for (trigger,) in trail.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                trail.execute(f"DROP TRIGGER {trigger}")  # what somebody who wants to forge would do first
            trail.execute("UPDATE audit_leaf SET leaf = replace(leaf, 'event.accepted', 'event.forged') WHERE sequence = "
                          "(SELECT max(sequence) FROM audit_leaf WHERE verb = 'event.accepted')")
        said = self.check(state).stdout
        for fault in ("value is 'planted'", "'steady-1') of the newest commit is not in the cluster", "decoy crash-b/decoy",
                      "orphan: ('crash-a', 'ConfigMap', 'orphan')", "the chain breaks at leaf"):
            self.assertIn(fault, said, "the checker did not find a planted fault")


if __name__ == "__main__":
    unittest.main()
