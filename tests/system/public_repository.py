"""Deploys somebody else's repository by a push, with a plumbline document of a few lines, and compares the
cluster with what upstream's own tools make of the same commit on a second control plane.

    PLUMB_BIN=<folder of the programs> python3 tests/system/public_repository.py GIT_DIR NAME=PATH…

Not part of the tests that CI runs, since those have no network to bring a repository with.
"""
import os
import subprocess
import sys
import time

from parts import CACHE, SOURCE, Folder, Plane, Plumbd, Repository, application, eventually

sys.path.insert(0, str(SOURCE / "scripts"))
import demo_compare  # noqa: E402

demo_compare.KINDS = ("deployments.apps,statefulsets.apps,services,configmaps,secrets,serviceaccounts,cronjobs.batch,"
                      "horizontalpodautoscalers.autoscaling,networkpolicies.networking.k8s.io,poddisruptionbudgets.policy")


def main():
    git_dir, *wanted = sys.argv[1:]
    folder = Folder("public").path
    ours, upstream = Plane("ours"), Plane("upstream")
    repository = Repository(folder, "public")
    pairs = [w.split("=", 1) for w in wanted]
    folders = sorted({path.split("/")[0] for _, path in pairs})  # a partial copy lacks large files elsewhere
    archive = subprocess.run(["git", "--git-dir", git_dir, "archive", "HEAD", "--", *folders], stdout=subprocess.PIPE,
                             check=True).stdout
    subprocess.run(["tar", "-x", "-C", repository.work], input=archive, check=True)
    repository.write({"plumbline.yaml": "---\n".join(application(n, p, namespace=f"public-{n}", healthTimeout="60s") for n, p in pairs)})
    server = Plumbd(folder, [{"name": "public", "path": str(repository.bare), "clusters": ["eu-1"]}],
                    [{"name": "eu-1", "kubeconfig": ours.kubeconfig}]).start()
    eventually("the cluster answers", lambda: server.json("cluster")["clusters"][0]["reachable"])
    server.install_hooks(repository)
    repository.commit(message="as it came, and a plumbline document")
    begun = time.monotonic()
    print(repository.push("-o", "plumb.wait=120s").stdout)
    print(f"push until settled: {time.monotonic() - begun:.1f} s")
    one, other = (demo_compare.Cluster(str(CACHE / "kubectl"), p.kubeconfig) for p in (ours, upstream))
    count, found = 0, []
    for name, path in pairs:
        namespace = f"public-{name}"
        demo_compare.bring_upstream_to(other, str(CACHE / "kubectl"), namespace, repository.work / path)

        def compare():
            mine, theirs = one.objects(namespace), other.objects(namespace)
            return len(mine), list(demo_compare.differences(mine, theirs))
        objects, differ = compare()
        deadline = time.monotonic() + 20
        while differ and time.monotonic() < deadline:  # controllers of both clusters are still at work
            objects, differ = compare()
        count += objects
        found += differ
        print(f"{path}: {objects} objects, {len(differ)} differ")
    for title, lines in found:
        print(title, *lines, sep="\n  ")
    print(server.plumb("status").stdout)
    server.stop()
    return 1 if found or not count else 0


if __name__ == "__main__":
    os.environ.setdefault("GIT_OPTIONAL_LOCKS", "0")
    sys.exit(main())
