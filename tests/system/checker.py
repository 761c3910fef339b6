"""Says whether cluster, repository and audit trail agree. Shares no code with Plumbline.

    python3 checker.py STATE.json

STATE names the parts: kubectl, kubeconfig, repository, database (a copy), api_audit, namespaces,
decoys {"ns/name": uid}, steady ["ns/name" of ConfigMaps that no commit ever lacked].
It renders the newest commit by itself (git archive, plain JSON manifests, upstream kustomize inside
kubectl), recomputes the audit chain by itself, and reads the API server's own audit log.
"""
import collections
import hashlib
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile

LEAF_KEYS = {"actor", "actor_commitment", "assurance", "application", "at", "boot", "cluster_uid", "commit", "detail",
             "epoch", "event", "format", "job", "new_oid", "old_oid", "plan", "project", "reason", "ref", "repository",
             "result", "sequence", "verb"}


class Checker:
    def __init__(self, state):
        self.state = state
        self.problems = []
        self.facts = {}

    def wrong(self, text):
        self.problems.append(text)

    def kubectl(self, *argv, text=None):
        done = subprocess.run([self.state["kubectl"], "--kubeconfig", self.state["kubeconfig"], *argv], input=text,
                              stdin=None if text is not None else subprocess.DEVNULL, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {argv}: {done.stderr}")
        return done.stdout

    # ---- the repository says ----

    def wanted(self):
        """(namespace, kind, name) → (application, object) of the newest commit."""
        archive = subprocess.run(["git", "--git-dir", self.state["repository"], "archive", "refs/heads/main"],
                                 capture_output=True, check=True).stdout
        objects = {}
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
            for text in (pathlib.Path(folder) / "plumbline.yaml").read_text().split("---\n"):
                if not text.strip():
                    continue
                document = json.loads(text)
                spec = document["spec"]
                for made in self.render(pathlib.Path(folder) / spec["path"]):
                    place = (spec["namespace"], made["kind"], made["metadata"]["name"])
                    objects[place] = (document["metadata"]["name"], made)
        return objects

    def render(self, folder):
        if not (folder / "kustomization.yaml").exists():
            return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
        built = self.kubectl("kustomize", str(folder))
        made = json.loads(self.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", text=built))
        return made["items"] if made["kind"] == "List" else [made]

    # ---- the cluster says ----

    def live(self):
        objects = {}
        for namespace in self.state["namespaces"]:
            for item in json.loads(self.kubectl("get", "configmaps,deployments", "-n", namespace, "-o", "json",
                                                "--show-managed-fields"))["items"]:
                objects[(namespace, item["kind"], item["metadata"]["name"])] = item
        return objects

    def differs(self, want, have, where=""):
        """The first field of `want` that `have` does not hold."""
        if isinstance(want, dict):
            for key, value in want.items():
                if not isinstance(have, dict) or key not in have:
                    return f"{where}.{key} is missing"
                found = self.differs(value, have[key], f"{where}.{key}")
                if found:
                    return found
            return None
        if isinstance(want, list):
            if not isinstance(have, list) or len(want) != len(have):
                return f"{where} has another length"
            return next((f for f in (self.differs(w, h, f"{where}[{i}]") for i, (w, h) in enumerate(zip(want, have))) if f), None)
        return None if want == have else f"{where.rsplit('.', 1)[-1]} is {have!r}, Git says {want!r}"

    def check_cluster(self):
        wanted, live = self.wanted(), self.live()
        for place, (app, made) in wanted.items():
            if place not in live:
                self.wrong(f"{app}: {place} of the newest commit is not in the cluster")
                continue
            for part in ("data", "spec"):
                if part in made:
                    found = self.differs(made[part], live[place].get(part), part)
                    if found:
                        self.wrong(f"{app}: {place}: {found}")
            if made["kind"] == "ConfigMap" and set(made.get("data", {})) != set(live[place].get("data", {})):
                self.wrong(f"{app}: {place} holds keys that Git lacks")
        for place, item in live.items():
            ours = any(f["manager"] == "plumbline" for f in item["metadata"].get("managedFields", []))
            if ours and place not in wanted:
                self.wrong(f"orphan: {place} is ours and no application of the newest commit has it")
        for name, uid in self.state["decoys"].items():
            namespace, _, short = name.partition("/")
            if live.get((namespace, "ConfigMap", short), {}).get("metadata", {}).get("uid") != uid:
                self.wrong(f"decoy {name}, never ours, was touched")
        self.facts["objects"] = len(wanted)

    # ---- the API server's audit log says ----

    def check_calls(self, jobs):
        deletes, patches = collections.Counter(), collections.defaultdict(list)
        with open(self.state["api_audit"], encoding="utf-8") as log:
            for line in log:
                event = json.loads(line) if line.endswith("\n") else {}
                agent = event.get("userAgent", "")
                if not agent.startswith("plumbline") or event.get("stage") != "ResponseComplete":
                    continue
                target = event.get("objectRef", {})
                place = f"{target.get('namespace')}/{target.get('name')}"
                if event["verb"] == "delete" and event["responseStatus"]["code"] < 300:
                    deletes[place] += 1
                named = re.search(r"; job (\d+); epoch (\d+);", agent)
                if event["verb"] in ("patch", "delete") and not named:
                    self.wrong(f"a write that names no job: {event['verb']} {place} by {agent}")
                elif event["verb"] == "patch":
                    patches[int(named[1])].append((event["requestReceivedTimestamp"], int(named[2]), place))
        for name in self.state["steady"]:
            if deletes[name]:
                self.wrong(f"wrong prune: {name} was in every commit and was deleted {deletes[name]} times")
        # One writer: work on an (application, commit) may pass from one lease to the next, never go
        # on under an older lease once a newer one has written.
        by_pair = collections.defaultdict(list)
        for job, calls in patches.items():
            if job not in jobs:
                self.wrong(f"job {job} wrote to the cluster and is not in the trail")
                continue
            for received, epoch, place in calls:
                by_pair[jobs[job]].append((received, job, epoch, place))
        for (app, commit), calls in by_pair.items():
            newest = (0, 0)
            for received, job, epoch, place in sorted(calls):
                if (job, epoch) < newest:
                    self.wrong(f"two writers: {app} {commit[:7]}: job {job} epoch {epoch} wrote {place} after {newest}")
                newest = max(newest, (job, epoch))
        self.facts["patches"] = sum(map(len, patches.values()))
        self.facts["pairs"] = len(by_pair)
        self.facts["taken_up_again"] = sum(1 for calls in by_pair.values() if len({c[1:3] for c in calls}) > 1)
        self.facts["deletes"] = sum(deletes.values())
        if not patches:
            self.wrong("no write was seen at all: this check proves nothing")

    # ---- the trail says ----

    def check_trail(self):
        """Recomputes the chain; job → (application, commit) from its leaves."""
        base = sqlite3.connect(self.state["database"])
        chain, expected, jobs = bytes(32), 1, {}
        accepted, ended = set(), set()
        for sequence, leaf, stored in base.execute("SELECT sequence, leaf, chain FROM audit_leaf ORDER BY sequence"):
            raw = leaf if isinstance(leaf, bytes) else leaf.encode()
            chain = hashlib.sha256(chain + hashlib.sha256(b"\0" + raw).digest()).digest()
            if chain not in (stored, bytes.fromhex(stored) if isinstance(stored, str) else stored):
                self.wrong(f"the chain breaks at leaf {sequence}")
                break
            value = json.loads(raw)
            if sequence != expected or value["sequence"] != sequence:
                self.wrong(f"a gap in the trail before leaf {sequence}")
            expected = sequence + 1
            if set(value) != LEAF_KEYS:
                self.wrong(f"leaf {sequence} has other keys: {set(value) ^ LEAF_KEYS}")
            if value["verb"] == "event.accepted":
                accepted.add(value["event"])
            if value["verb"] in ("event.planned", "event.refused", "event.ignored"):
                ended.add(value["event"])
            if value["job"]:
                jobs[value["job"]] = (value["application"], value["commit"])
        events = {row[0]: row[1] for row in base.execute("SELECT id, state FROM event")}
        commands = {row[0] for row in base.execute("SELECT id FROM event WHERE trigger IN ('sync', 'rollback')")}
        if set(events) - commands != accepted & set(events) or accepted - set(events):
            self.wrong(f"events and leaves differ: {sorted(set(events) - commands ^ accepted)[:5]}")
        stuck = [i for i, state in events.items() if state == "received"]
        if stuck:
            self.wrong(f"events were accepted and never planned: {stuck[:5]}")
        open_jobs = base.execute("SELECT id, app, state, message FROM job WHERE state IN ('queued', 'running', 'poison', 'waiting')").fetchall()
        if open_jobs:
            self.wrong(f"jobs without an end: {open_jobs[:5]}")
        self.facts["leaves"] = expected - 1
        self.facts["events"] = len(events)
        return jobs

    def run(self):
        jobs = self.check_trail()
        self.check_calls(jobs)
        self.check_cluster()
        return {"problems": self.problems, "facts": self.facts}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        verdict = Checker(json.load(file)).run()
    print(json.dumps(verdict, indent=1))
    return 1 if verdict["problems"] else 0


if __name__ == "__main__":
    os.environ["HOME"] = os.environ.get("CHECKER_HOME", os.environ.get("HOME", "/"))
    sys.exit(main())
