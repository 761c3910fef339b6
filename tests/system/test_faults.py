"""Bad surroundings: clusters that are away, disks that are full, files that are wrong."""
import json
import os
import pathlib
import socket
import sqlite3
import threading
import unittest
import urllib.request

from parts import Folder, Plane, Plumbd, Repository, application, config_map, eventually, run, unwrapped


class FaultCase(unittest.TestCase):
    number = 0

    def setUp(self):
        FaultCase.number += 1
        self.ns = f"fault-{FaultCase.number}"
        self.plane = Plane.shared()
        self.folder = Folder("fault").path
        self.repository = Repository(self.folder, "shop")

    def make(self, kubeconfig=None, folder=None, **spec):
        server = Plumbd(folder or self.folder, [{"name": "shop", "path": str(self.repository.bare), "clusters": ["eu-1"]}],
                        [{"name": "eu-1", "kubeconfig": str(kubeconfig or self.plane.kubeconfig)}], **spec)
        self.addCleanup(server.kill)
        return server

    def files(self, value):
        return {"plumbline.yaml": application("web", "web", namespace=self.ns), "web/a.yaml": config_map("a", key=value)}

    def value(self):
        return ((self.plane.get("configmap", "a", self.ns) or {}).get("data") or {}).get("key")


class Proxy:
    """Stands between plumbd and the API server (plain TCP, so TLS stays the API server's): `mode` says
    whether it passes bytes on, refuses, or cuts every connection in the middle of an answer."""

    def __init__(self, server):
        self.target = ("127.0.0.1", int(server.rsplit(":", 1)[1]))
        self.mode = "pass"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.change("refuse")
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            upstream = socket.create_connection(self.target)
            self.open += [client, upstream]
            threading.Thread(target=self.pump, args=(client, upstream, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(upstream, client, True), daemon=True).start()

    def pump(self, source, target, answers):
        try:
            while data := source.recv(65536):
                if answers and self.mode == "cut":
                    target.sendall(data[:len(data) // 2])
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def change(self, mode):
        self.mode = mode
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        self.open = []


class ClusterAway(FaultCase):
    def behind_proxy(self):
        config = pathlib.Path(self.plane.kubeconfig).read_text()
        address = next(line.split("server:")[1].strip().strip('"') for line in config.splitlines() if "server:" in line)
        proxy = Proxy(address)
        self.addCleanup(proxy.close)
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text(config.replace(address, f"https://127.0.0.1:{proxy.port}"))
        kubeconfig.chmod(0o600)
        return proxy, kubeconfig

    def test_while_a_cluster_is_away_pushes_are_judged_by_its_kept_schema_and_roll_out_later(self):
        proxy, kubeconfig = self.behind_proxy()
        server = self.make(kubeconfig).start()
        eventually("the schema was read", lambda: server.json("cluster")["clusters"][0]["reachable"])
        server.install_hooks(self.repository)
        proxy.change("refuse")
        server.restart()  # what it knows of the cluster is on disk
        self.repository.commit({**self.files("1"), "web/a.yaml": config_map("a", key="1").replace("\ndata:", "\ndato:")})
        refused = self.repository.push(check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('did you mean "data"?', refused.stdout)
        self.repository.commit(self.files("1"))
        self.repository.push("-o", "plumb.nowait")
        why = eventually("the failure is told", lambda: (lambda t: t if "eu-1" in t or "connect" in t else None)(
            server.plumb("why", "web", check=False).stdout))
        self.assertNotIn("healthy", why.splitlines()[0])
        proxy.change("pass")
        eventually("the push rolls out", lambda: self.value() == "1", seconds=120)

    def test_half_an_answer_is_no_answer(self):
        proxy, kubeconfig = self.behind_proxy()
        server = self.make(kubeconfig).start()
        eventually("the schema was read", lambda: server.json("cluster")["clusters"][0]["reachable"])
        server.install_hooks(self.repository)
        proxy.change("cut")
        self.repository.commit(self.files("1"))
        self.repository.push("-o", "plumb.nowait")
        eventually("an attempt has failed", lambda: server.json("jobs")["jobs"][0]["attempt"] >= 1)
        self.assertIn(server.json("jobs")["jobs"][0]["state"], ("queued", "running"), "it is tried again")
        proxy.change("pass")
        eventually("the push rolls out", lambda: self.value() == "1", seconds=120)

    def test_without_any_schema_the_structure_alone_is_judged_and_the_pusher_is_told(self):
        proxy, kubeconfig = self.behind_proxy()
        proxy.change("refuse")
        server = self.make(kubeconfig).start()
        server.install_hooks(self.repository)
        self.repository.commit(self.files("1"))
        pushed = self.repository.push("-o", "plumb.nowait")
        self.assertIn("judged structure only", unwrapped(pushed.stdout))
        self.repository.commit({"web/a.yaml": "apiVersion: v1\nkind: [\n"})
        self.assertNotEqual(self.repository.push(check=False).returncode, 0)
        proxy.change("pass")
        self.repository.git("reset", "-q", "--hard", "HEAD~1")
        eventually("the push rolls out", lambda: self.value() == "1", seconds=120)

    def test_another_cluster_behind_the_same_address_stops_everything(self):
        other = Plane("other")
        self.addCleanup(other.down)
        proxy, kubeconfig = self.behind_proxy()
        config = pathlib.Path(other.kubeconfig).read_text()
        server = self.make(kubeconfig).start()
        eventually("the cluster is known", lambda: server.json("cluster")["clusters"][0]["uid"])
        server.install_hooks(self.repository)
        server.kill()
        kubeconfig.write_text(config)
        server.start()
        self.repository.commit(self.files("1"))
        self.repository.push("-o", "plumb.nowait")
        eventually("it is said", lambda: "another cluster" in server.plumb("cluster", "list", check=False).stdout.lower()
                   or "not the cluster it was" in server.plumb("-o", "json", "cluster", "list", check=False).stdout)
        self.assertIsNone(other.get("configmap", "a", self.ns))


class OwnState(FaultCase):
    def test_a_second_plumbd_on_the_same_data_is_refused(self):
        first = self.make().start()
        code, said = self.make(folder=Folder("second").path, data=str(first.data)).refused_start()
        self.assertEqual(code, 2)
        self.assertRegex(said, r"error\[conflict\].*another")
        self.assertTrue(first.json("version"))

    def test_a_database_of_a_newer_version_is_refused_and_left_alone(self):
        server = self.make().start()
        server.stop()
        base = sqlite3.connect(server.data / "plumbline.db")
        tables = [r[0] for r in base.execute("SELECT name FROM sqlite_master WHERE type='table' AND (sql LIKE '%version%')")]
        self.assertTrue(tables, "the versions stand somewhere")
        base.execute(f"UPDATE {tables[0]} SET version = version + 1000")
        base.commit()
        base.close()
        code, said = server.refused_start()
        self.assertEqual(code, 2)
        self.assertRegex(said, r"error\[invalid\].*newer")

    def test_an_unreadable_kubeconfig_is_named(self):
        broken = self.folder / "broken.kubeconfig"
        broken.write_text("clusters: [\n")
        server = self.make(broken)
        process = server.launch()
        line = process.stdout.readline().decode()
        if line.startswith("plumbd ready"):
            text = eventually("the cluster says why", lambda: (lambda t: t if "broken.kubeconfig" in t else None)(
                server.plumb("-o", "json", "cluster", "list").stdout))
        else:
            process.wait()
            text = server.log.read_text()
        self.assertIn("broken.kubeconfig", text)

    def test_a_wrong_server_file_is_refused_with_line_and_the_nearest_key(self):
        server = self.make()
        server.file.write_text("apiVersion: plumbline.dev/v1\nkind: Server\nspec:\n  data: d\n  wokers: 3\n"
                               "  clusters: [{name: eu-1}]\n  repositories: []\n")
        code, said = server.refused_start()
        self.assertEqual(code, 2)
        self.assertIn("plumbd.yaml:5", said)
        self.assertIn('did you mean "workers"?', said)

    def test_a_full_disk_refuses_pushes_and_deliveries_and_heals_by_itself(self):
        small = self.folder / "small"
        small.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small)
        self.addCleanup(run, "umount", "-l", small)
        server = self.make(data=str(small / "data")).start()
        eventually("the schema was read", lambda: server.json("cluster")["clusters"][0]["reachable"])
        server.install_hooks(self.repository)
        self.repository.commit(self.files("1"))
        self.repository.push("-o", "plumb.wait=60s")
        ballast = small / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        self.repository.commit(self.files("2"))
        pushed = self.repository.push("-o", "plumb.nowait", check=False)
        ballast.unlink()
        if pushed.returncode != 0:
            self.assertIn("remote: error", pushed.stdout)
            self.repository.push("-o", "plumb.nowait")
        if server.process.poll() is not None:
            server.start()  # what a supervisor does
        eventually("the change rolls out", lambda: self.value() == "2", seconds=120)
        server.plumb("audit", "verify")


class Secrets(FaultCase):
    """A canary in every slot where a secret can stand is nowhere afterwards but in Git and the cluster."""

    def forms(self, canary):
        import base64
        yield canary.encode()
        for shift in range(3):
            coded = base64.b64encode(b"x" * shift + canary.encode()).rstrip(b"=")
            yield coded[4 if shift else 0:-4]
        yield json.dumps(canary + "\n")[1:-1].encode()

    def look(self, where, data, canary):
        for form in self.forms(canary):
            self.assertNotIn(form, data, f"the canary is in {where}")

    def test_secret_values_are_nowhere_but_in_git_and_in_the_cluster(self):
        import base64
        canary, broken, generated = "canary-1f0c77d2-plain", "canary-93ab41ee-broken", "canary-5b5e21fa-generated"
        server = self.make(http={"listen": "127.0.0.1:0"}).start(env={"PLUMB_DEBUG": "1"})
        eventually("the schema was read", lambda: server.json("cluster")["clusters"][0]["reachable"])
        server.install_hooks(self.repository)
        said = []
        secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{token: {canary}}}\n"
        files = {"plumbline.yaml": application("web", "web", namespace=self.ns) + "---\n" + application("gen", "gen", namespace=self.ns),
                 "web/secret.yaml": secret, "gen/kustomization.yaml": f"secretGenerator: [{{name: made, literals: ['token={generated}']}}]\n"}
        self.repository.commit(files)
        said.append(self.repository.push("-o", "plumb.wait=60s").stdout)
        held = self.plane.get("secret", "keys", self.ns)
        self.assertEqual(base64.b64decode(held["data"]["token"]).decode(), canary)
        # Every way to be refused: by our schema, by YAML, by the server itself (a label that is too long).
        for bad in (secret.replace(canary, broken).replace("stringData", "stringDato"),
                    secret.replace(f"token: {canary}", f"token: [{broken}]"),
                    secret.replace(canary, broken).replace("{token", "{{token"),
                    f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ndata: {{token: '{broken}!'}}\n",
                    f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ntype: kubernetes.io/tls\nstringData: {{token: {broken}}}\n",
                    f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ntype: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{broken}'}}\n"):
            self.repository.commit({"web/secret.yaml": bad})
            said.append(self.repository.push("-o", "plumb.wait=5s", check=False).stdout)
        self.repository.commit({"web/secret.yaml": secret.replace(canary, canary + "2")})
        said.append(self.repository.push("-o", "plumb.wait=60s", check=False).stdout)
        for verb in (["status"], ["apps"], ["diff", "web"], ["diff", "gen"], ["why", "web"], ["render", "web"], ["history", "web"],
                     ["jobs"], ["logs", "web"], ["audit", "list", "--limit", "1000"], ["cluster", "list"], ["repo", "list"]):
            for form in ([], ["-o", "json"]):
                said.append(server.plumb(*form, *verb, check=False).stdout)
        with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=30) as metrics:
            said.append(metrics.read().decode())
        server.stop()
        for value in (canary, broken, generated):
            for number, text in enumerate(said):
                self.look(f"what was said ({number}): {text[:200]}", text.encode(), value)
            for base, _, names in os.walk(self.folder):
                if "shop.git/objects" in base or "shop-work" in base:
                    continue
                for name in names:
                    path = pathlib.Path(base) / name
                    if path.is_file():
                        self.look(path, path.read_bytes(), value)
        self.assertEqual(list(self.folder.rglob("core*")), [])


if __name__ == "__main__":
    unittest.main()
