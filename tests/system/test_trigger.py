"""Every way a moved ref is noticed: hooks in both layouts, smart HTTP, the spool, the scan, webhooks."""
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from parts import PEOPLE, Folder, Plane, Plumbd, Repository, application, config_map, deployment, eventually, run

SERVER_USER, GIT_USER = (12001, 12001), (12002, 12002)


def serve_git(folder):
    """`git http-backend` behind a CGI server on loopback; (address, close)."""
    backend = run("git", "--exec-path").stdout.strip() + "/git-http-backend"

    class Cgi(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def chunks(self):
            while True:
                size = int(self.rfile.readline().strip(), 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return
                yield data

        def do_GET(self):
            path, _, query = self.path.partition("?")
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(self.chunks())
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            env = {**os.environ, **PEOPLE, "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1",
                   "REMOTE_USER": "ana", "REMOTE_ADDR": "127.0.0.1", "REQUEST_METHOD": self.command, "PATH_INFO": path,
                   "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                   "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
            if self.headers.get("Content-Encoding"):
                env["HTTP_CONTENT_ENCODING"] = self.headers["Content-Encoding"]
            done = subprocess.run([backend], input=body, env=env, stdout=subprocess.PIPE, check=False)
            head, _, answer = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cgi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}", server


class TriggerCase(unittest.TestCase):
    number = 0

    def setUp(self):
        TriggerCase.number += 1
        self.ns = f"trigger-{TriggerCase.number}"
        self.plane = Plane.shared()
        self.folder = Folder("trigger").path

    def serve(self, repository, hooks=True, user=None, binding=None, **spec):
        self.server = Plumbd(self.folder, [{"name": repository.name, "path": str(repository.bare), "clusters": ["eu-1"],
                                            **(binding or {})}],
                             [{"name": "eu-1", "kubeconfig": self.kubeconfig(user)}], user=user, **spec)
        self.server.start()
        self.addCleanup(self.server.kill)
        eventually("the cluster answers", lambda: self.server.json("cluster")["clusters"][0]["reachable"])
        if hooks:
            self.server.install_hooks(repository)
        return self.server

    def kubeconfig(self, user):
        if user is None:
            return self.plane.kubeconfig
        copy = self.folder / "kubeconfig"
        copy.write_text(pathlib.Path(self.plane.kubeconfig).read_text())
        os.chown(copy, *user)
        copy.chmod(0o600)
        return str(copy)

    def live(self, name="a"):
        return self.plane.get("configmap", name, self.ns)

    def files(self, value):
        return {"plumbline.yaml": application("web", "web", namespace=self.ns), "web/a.yaml": config_map("a", key=value)}


class Layouts(TriggerCase):
    def test_git_and_plumbd_may_run_as_two_users_that_cannot_read_each_others_files(self):
        os.chmod(self.folder, 0o777)
        repository = Repository(self.folder, "shop", owner=GIT_USER)
        self.serve(repository, user=SERVER_USER)
        repository.commit(self.files("1"))
        pushed = repository.push("-o", "plumb.wait=60s")
        self.assertRegex(pushed.stdout, r"web/default@eu-1 .*healthy")
        self.assertEqual(self.live()["data"]["key"], "1")
        head = repository.head()
        repository.commit({"web/a.yaml": config_map("a", key="2").replace("\ndata:", "\ndato:")})
        pushed = repository.push(check=False)
        self.assertNotEqual(pushed.returncode, 0)
        self.assertIn("web/a.yaml:5", pushed.stdout)
        self.assertEqual(repository.head(), head)
        self.assertEqual(list((self.server.data / "incoming").glob("*")) if (self.server.data / "incoming").exists() else [], [])

    def test_a_push_over_smart_http_is_judged_and_shown_like_any_other(self):
        repository = Repository(self.folder, "shop")
        run("git", "--git-dir", repository.bare, "config", "http.receivepack", "true")
        self.serve(repository)
        address, web = serve_git(self.folder)
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        repository.git("remote", "set-url", "origin", f"{address}/shop.git")
        repository.commit(self.files("1"))
        pushed = repository.push("-o", "plumb.wait=60s")
        self.assertRegex(pushed.stdout, r"web/default@eu-1 .*healthy")
        self.assertEqual(self.live()["data"]["key"], "1")
        repository.commit({"web/a.yaml": "kind: [\n"})
        refused = repository.push(check=False)
        self.assertIn("pre-receive hook declined", refused.stdout)
        self.assertIn("web/a.yaml", refused.stdout)

    def test_hooks_that_were_there_before_go_on_to_run_and_come_back_when_ours_leave(self):
        repository = Repository(self.folder, "shop")
        mine = repository.bare / "hooks" / "pre-receive"
        mine.write_text("#!/bin/sh\ncat > \"$GIT_DIR/seen\"\necho mine ran\n")
        mine.chmod(0o755)
        before = mine.read_text()
        self.serve(repository)
        self.server.install_hooks(repository)  # twice is once
        repository.commit(self.files("1"))
        pushed = repository.push("-o", "plumb.wait=60s")
        self.assertIn("mine ran", pushed.stdout)
        self.assertIn("refs/heads/main", (repository.bare / "seen").read_text())
        self.assertEqual(self.live()["data"]["key"], "1")
        run(self.server.process.args[0].parent / "plumb", "hooks", "uninstall", repository.bare, env=PEOPLE)
        self.assertEqual(mine.read_text(), before)


class ClientAway(TriggerCase):
    def test_a_pusher_who_vanishes_in_the_middle_stops_nothing(self):
        repository = Repository(self.folder, "shop")
        self.serve(repository)
        repository.commit({"plumbline.yaml": application("web", "web", namespace=self.ns),
                           **{f"web/{n}.yaml": deployment(f"web-{n}") for n in range(5)}})
        push = subprocess.Popen(["git", "push", "-o", "plumb.wait=60s", "origin", "main"], cwd=repository.work,
                                env={**os.environ, **PEOPLE}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually("the ref has moved", lambda: repository.head())
        push.kill()
        push.wait()
        app = eventually("the rollout goes on to its end", lambda: (lambda a: a if a["health"] == "healthy" else None)(
            self.server.json("apps", "web")["application"]))
        self.assertEqual(app["applied_commit"], repository.head())
        self.assertEqual(self.plane.get("deployment", "web-4", self.ns)["status"]["readyReplicas"], 1)


class ServerAway(TriggerCase):
    def test_while_plumbd_is_down_a_push_to_a_branch_that_deploys_is_refused(self):
        repository = Repository(self.folder, "shop")
        self.serve(repository)
        self.server.kill()
        repository.commit(self.files("1"))
        pushed = repository.push(check=False)
        self.assertNotEqual(pushed.returncode, 0)
        self.assertIn("plumbd did not answer", pushed.stdout)
        self.assertIsNone(repository.head())
        self.assertEqual(repository.push(refspec="main:refs/heads/topic").returncode, 0, "other branches pass")

    def test_a_push_that_was_accepted_unchecked_is_rolled_out_when_plumbd_is_back(self):
        repository = Repository(self.folder, "shop")
        server = self.serve(repository, binding={"hooks": {"whenDown": "accept"}})
        server.kill()
        repository.commit(self.files("1"))
        pushed = repository.push()
        self.assertIn("accepted unchecked", pushed.stdout)
        server.start()
        eventually("the push is rolled out", lambda: (self.live() or {}).get("data") == {"key": "1"})

    def test_a_ref_that_moved_without_any_hook_is_found_by_the_scan(self):
        repository = Repository(self.folder, "shop")
        self.serve(repository, hooks=False)
        repository.commit(self.files("1"))
        repository.push()
        eventually("the scan finds it", lambda: (self.live() or {}).get("data") == {"key": "1"})

    def test_a_branch_that_is_deleted_removes_nothing(self):
        repository = Repository(self.folder, "shop")
        run("git", "--git-dir", repository.bare, "config", "receive.denyDeleteCurrent", "ignore")
        self.serve(repository)
        repository.commit(self.files("1"))
        repository.push("-o", "plumb.wait=60s")
        repository.git("push", "origin", ":main")
        self.assertIsNone(repository.head())
        repository.push(refspec="main:refs/heads/other")
        rows = self.server.json("audit", "list")["rows"]
        self.assertIsNotNone(self.live())
        self.assertNotIn("prune.intended", [row["leaf"]["verb"] for row in rows])

    def test_a_force_push_brings_the_older_tree_back(self):
        repository = Repository(self.folder, "shop")
        self.serve(repository)
        repository.commit(self.files("1"))
        repository.push("-o", "plumb.wait=60s")
        repository.commit({"web/a.yaml": config_map("a", key="2")})
        repository.push("-o", "plumb.wait=60s")
        repository.git("reset", "-q", "--hard", "HEAD~1")
        repository.push("-f", "-o", "plumb.wait=60s")
        eventually("the older value is live", lambda: self.live()["data"]["key"] == "1")


class Webhook(TriggerCase):
    SECRET = "a-webhook-secret-of-a-test"

    def post(self, body, secret=SECRET, delivery="d-1", event="push", signature=None):
        request = urllib.request.Request(f"http://{self.server.http}/hooks/0123456789abcdef0123", data=body, method="POST", headers={
            "Content-Type": "application/json", "X-Gitea-Event": event, "X-Gitea-Delivery": delivery,
            "X-Gitea-Signature": signature or hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, {}

    def test_a_signed_delivery_deploys_and_a_repeat_or_a_forgery_does_not(self):
        secret = self.folder / "hook.secret"
        secret.write_text(self.SECRET + "\n")
        secret.chmod(0o600)
        repository = Repository(self.folder, "shop")
        self.serve(repository, hooks=False, http={"listen": "127.0.0.1:0"}, scanInterval="1h",
                   binding={"webhooks": [{"id": "0123456789abcdef0123", "provider": "gitea",
                                          "secrets": [{"file": str(secret)}]}]})
        commit = repository.commit(self.files("1"))
        repository.push()
        body = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": commit, "commits": [],
                           "repository": {"id": 1, "name": "shop", "full_name": "shop/shop", "clone_url": "http://forge.example/shop/shop.git"},
                           "pusher": {"login": "ana", "id": 1, "username": "ana"}, "sender": {"login": "ana", "id": 1, "username": "ana"}}).encode()
        self.assertEqual(self.post(body, secret="another")[0], 401)
        self.assertEqual(self.post(body, signature="00")[0], 401)
        status, first = self.post(body)
        self.assertIn(status, (200, 201, 202))
        eventually("the delivery deploys", lambda: (self.live() or {}).get("data") == {"key": "1"})
        status, again = self.post(body)
        self.assertIn(status, (200, 201, 202))
        self.assertEqual(first.get("event"), again.get("event"))
        accepted = self.server.json("audit", "list", "--verb", "event.accepted")["rows"]
        self.assertEqual(len([r for r in accepted if r["leaf"]["assurance"] == "platform"]), 1)
        with urllib.request.urlopen(f"http://{self.server.http}/metrics", timeout=30) as metrics:
            self.assertIn("plumb", metrics.read().decode())
        with urllib.request.urlopen(f"http://{self.server.http}/readyz", timeout=30) as ready:
            self.assertEqual(ready.status, 200)


if __name__ == "__main__":
    unittest.main()
