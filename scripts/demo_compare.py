"""Compares what Plumbline made of a commit with what upstream's own tools make of it; called by scripts/demo.

usage: demo_compare.py --kubectl K --ours KUBECONFIG --upstream KUBECONFIG --what WORDS [--plant] NAMESPACE=FOLDER…

Each folder is rendered by `kubectl kustomize` (or read as plain files) and applied to the second control plane by
`kubectl apply --server-side`; what the folder holds no more is deleted there by hand. Then every object of those
kinds in those namespaces must be the same in both clusters, but for what a cluster gives an object itself.
A folder that is not there is an application that is gone: its namespace must hold nothing.
--plant changes one value in the second cluster first; then a comparison that finds nothing is the failure.
"""
import argparse
import difflib
import json
import pathlib
import subprocess
import sys
import time

KINDS = "deployments.apps,services,configmaps,secrets,cronjobs.batch,poddisruptionbudgets.policy"
# Given by the cluster, different in each: names and numbers, times, state.
OF_THE_CLUSTER = ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"]
BY_CONTROLLERS = {"deployment.kubernetes.io/revision"}
OURS = "plumbline.dev/"  # labels and annotations that Plumbline puts on what it owns
NOT_APPLIED = {("ConfigMap", "kube-root-ca.crt")}


class Cluster:
    def __init__(self, kubectl, kubeconfig):
        self.base = [kubectl, "--kubeconfig", kubeconfig, "--request-timeout=30s"]

    def run(self, *words, data=None):
        done = subprocess.run([*self.base, *words], input=data, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"error: kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def objects(self, namespace):
        found = json.loads(self.run("get", KINDS, "--namespace", namespace, "-o", "json"))["items"]
        return {(o["kind"], o["metadata"]["name"]): o for o in found if (o["kind"], o["metadata"]["name"]) not in NOT_APPLIED}


def normal(thing):
    """What Git says about an object, and nothing that the cluster says."""
    thing = json.loads(json.dumps(thing))
    thing.pop("status", None)
    metadata = thing["metadata"]
    for key in OF_THE_CLUSTER:
        metadata.pop(key, None)
    for field in ("labels", "annotations"):
        kept = {k: v for k, v in metadata.pop(field, {}).items() if k not in BY_CONTROLLERS and OURS not in k}
        if kept:
            metadata[field] = kept
    if thing["kind"] == "Service":
        for key in ("clusterIP", "clusterIPs"):
            thing["spec"].pop(key, None)
        for port in thing["spec"].get("ports", []):
            port.pop("nodePort", None)
    return thing


def render(kubectl, folder):
    if (folder / "kustomization.yaml").exists():
        return subprocess.run([kubectl, "kustomize", folder], text=True, stdout=subprocess.PIPE, check=True).stdout
    return "\n---\n".join(file.read_text() for file in sorted(folder.glob("*.yaml")))


def bring_upstream_to(cluster, kubectl, namespace, folder):
    cluster.run("apply", "-f", "-", data=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    wanted = set()
    if folder.is_dir():
        text = render(kubectl, folder)
        applied = cluster.run("apply", "--server-side", "--force-conflicts", "--namespace", namespace, "-o", "json", "-f", "-", data=text)
        decoder, at = json.JSONDecoder(), 0
        while at < len(applied.rstrip()):
            one, end = decoder.raw_decode(applied[at:].lstrip())
            at += len(applied[at:]) - len(applied[at:].lstrip()) + end
            for item in one.get("items", [one]):
                wanted.add((item["kind"], item["metadata"]["name"]))
    for kind, name in sorted(set(cluster.objects(namespace)) - wanted):
        cluster.run("delete", kind, name, "--namespace", namespace, "--wait=true")


def differences(ours, upstream):
    for key in sorted(set(ours) | set(upstream)):
        sides = [json.dumps(normal(side[key]), indent=1, sort_keys=True).splitlines() if key in side else ["absent"]
                 for side in (upstream, ours)]
        if sides[0] != sides[1]:
            yield f"{key[0]} {key[1]}", list(difflib.unified_diff(*sides, "upstream", "plumbline", lineterm="", n=2))


def main():
    parser = argparse.ArgumentParser()
    for name in ("--kubectl", "--ours", "--upstream", "--what"):
        parser.add_argument(name, required=True)
    parser.add_argument("--plant", action="store_true")
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()
    begun = time.monotonic()
    ours, upstream = (Cluster(arguments.kubectl, c) for c in (arguments.ours, arguments.upstream))
    pairs = [(f.split("=", 1)[0], pathlib.Path(f.split("=", 1)[1])) for f in arguments.folders]
    for namespace, folder in pairs:
        bring_upstream_to(upstream, arguments.kubectl, namespace, folder)
    if arguments.plant:
        namespace = pairs[0][0]
        upstream.run("patch", "configmap", "catalog", "--namespace", namespace, "--type=merge", "-p", '{"data":{"currency":"USD"}}')
    count, found = 0, []
    for namespace, _ in pairs:
        one, other = ours.objects(namespace), upstream.objects(namespace)
        count += len(set(one) | set(other))
        found += [(f"{title} in {namespace}", lines) for title, lines in differences(one, other)]
    seconds = time.monotonic() - begun
    if arguments.plant:
        planted = [title for title, lines in found if any("USD" in line for line in lines)]
        if len(found) == 1 and planted:
            print(f"  compared {arguments.what}: found it, and nothing else ({planted[0]}), {seconds:.1f} s")
            return 0
        print(f"error: one difference was planted, and {len(found)} were found: the comparison proves nothing")
        return 1
    for title, lines in found:
        print(f"  {title} differs:")
        print("\n".join(f"    {line}" for line in lines))
    if count == 0:
        print("error: there was nothing to compare")
        return 1
    print(f"  compared {arguments.what}: {count} objects, {len(found)} differ from upstream's, {seconds:.1f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
