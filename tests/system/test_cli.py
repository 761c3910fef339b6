"""Every verb of plumb against a real plumbd and a real cluster: what it says, and its exit code."""
import json
import shutil
import unittest

from parts import BIN, Folder, Plane, Plumbd, Repository, application, config_map, eventually, run


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.plane = Plane.shared()
        cls.folder = Folder("cli").path
        cls.repository = Repository(cls.folder, "shop")
        cls.server = Plumbd(cls.folder, [{"name": "shop", "path": str(cls.repository.bare), "clusters": ["eu-1"]}],
                            [{"name": "eu-1", "kubeconfig": cls.plane.kubeconfig}]).start()
        eventually("the cluster answers", lambda: cls.server.json("cluster")["clusters"][0]["reachable"])
        cls.server.install_hooks(cls.repository)
        cls.first = cls.repository.commit({
            "plumbline.yaml": application("web", "web", namespace="cli") + "---\n" + application("api", "api", namespace="cli", sync="manual"),
            "web/a.yaml": config_map("a", key="1"), "api/b.yaml": config_map("b", key="1"),
            "web/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter22222}\n"})
        cls.repository.push("-o", "plumb.wait=60s")
        cls.second = cls.repository.commit({"web/a.yaml": config_map("a", key="2")})
        cls.repository.push("-o", "plumb.wait=60s", "-o", "plumb.reason=second thoughts")

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def says(self, code, *argv):
        done = self.server.plumb(*argv, check=False)
        self.assertEqual(done.returncode, code, f"plumb {' '.join(argv)}:\n{done.stdout}")
        return done.stdout

    def test_status_and_apps_say_what_runs_and_what_needs_a_person(self):
        self.assertIn("healthy 1", self.says(0, "status"))
        self.assertIn("api/default@eu-1", self.says(0, "status"))
        rows = [line.split("\t") for line in self.says(0, "apps").splitlines()]
        self.assertEqual([row[0] for row in rows], ["api/default@eu-1", "web/default@eu-1"])
        objects = self.server.json("apps", "web")["objects"]
        self.assertEqual([o["state"] for o in objects], ["applied", "applied"])

    def test_why_answers_in_one_sentence(self):
        self.assertIn("healthy", self.says(0, "why", "web"))
        self.assertIn("manual", self.says(0, "why", "api"))

    def test_wait_answers_for_applications_and_commits(self):
        self.says(0, "wait", "web", "--timeout", "30s")
        self.says(3, "wait", "nobody", "--timeout", "5s")
        self.says(0, "wait", self.second[:10], "--timeout", "30s")

    def test_diff_ends_with_1_when_git_and_cluster_differ_and_masks_secrets(self):
        self.says(0, "diff", "web")
        self.assertIn("ConfigMap cli/b", self.says(1, "diff", "api"))

    def test_render_shows_objects_with_masked_secrets_without_a_server(self):
        said = self.says(0, "render", "web", "--repo", str(self.repository.work))
        self.assertIn("kind: ConfigMap", said)
        self.assertNotIn("hunter22222", said)

    def test_affected_names_what_a_range_touches(self):
        said = self.says(0, "affected", f"{self.first}..{self.second}", "--repo", str(self.repository.work))
        self.assertIn("web/default", said)
        self.assertNotIn("api/default", said)

    def test_config_check_lists_every_problem_and_ends_with_2(self):
        self.says(0, "config", "check", str(self.server.file))
        bad = self.folder / "bad.yaml"
        bad.write_text("apiVersion: plumbline.dev/v1\nkind: Server\nspec:\n  dta: x\n  wokers: 2\n")
        said = self.says(2, "config", "check", str(bad))
        self.assertIn("bad.yaml:4", said)
        self.assertIn("bad.yaml:5", said)

    def test_sync_suspend_and_resume_change_and_history_tells(self):
        self.says(0, "suspend", "web", "--reason", "lunch")
        self.assertIn("lunch", self.says(0, "why", "web"))
        self.says(0, "resume", "web")
        before = len(self.plane.audit())
        self.says(0, "sync", "web", "--reapply")
        self.says(0, "wait", "web", "--timeout", "30s")
        self.assertEqual({w[2] for w in self.plane.writes("cli", before)}, {"a", "s"})
        self.assertIn("second thoughts", json.dumps(self.server.json("history", "web")))

    def test_jobs_and_logs_tell_what_was_done(self):
        self.assertIn("web/default@eu-1", self.says(0, "jobs"))
        self.assertIn("applied ConfigMap cli/a", self.says(0, "logs", "web"))

    def test_rollback_to_a_commit_that_never_ran_is_refused_and_changes_nothing(self):
        self.says(2, "rollback", "web", "--to", "0123456789abcdef")
        self.assertEqual(self.plane.get("configmap", "a", "cli")["data"]["key"], "2")

    def test_audit_lists_by_filter_and_verifies_against_a_head_kept_elsewhere(self):
        self.assertIn("event.accepted", self.says(0, "audit", "list", "--repo", "shop"))
        rows = self.server.json("audit", "list", "--app", "web/default@eu-1", "--verb", "job.*")["rows"]
        self.assertEqual({row["leaf"]["application"] for row in rows}, {"web/default@eu-1"})
        verified = self.server.json("audit", "verify")
        self.assertTrue(verified["ok"])
        self.says(0, "audit", "verify", "--head", f"{verified['leaves']}:{verified['head']}")
        self.says(1, "audit", "verify", "--head", f"{verified['leaves']}:{'0' * 64}")

    def test_cluster_repo_hooks_and_version_answer(self):
        self.assertIn("eu-1", self.says(0, "cluster"))
        self.assertIn("shop", self.says(0, "repo"))
        self.assertIn("pre-receive", self.says(0, "hooks", "status", str(self.repository.bare)))
        self.assertIn("kustomize", self.says(0, "version"))

    def test_wrong_use_not_found_and_not_reached_have_their_own_exit_codes(self):
        self.assertIn("status", self.says(2, "statsu"))
        self.assertIn("web", self.says(3, "why", "wbe"))
        done = run(BIN / "plumb", "--socket", self.folder / "nobody.sock", "status", check=False)
        self.assertEqual(done.returncode, 5, done.stdout)

    def test_who_is_no_writer_may_read_and_may_not_change(self):
        plumb = shutil.copy(BIN / "plumb", self.folder)  # where other users may run it

        def as_nobody(*argv):
            return run(plumb, "--socket", self.server.socket, *argv, check=False, user=65534, group=65534, extra_groups=[])
        self.assertEqual(as_nobody("status").returncode, 0)
        denied = as_nobody("sync", "api")
        self.assertEqual(denied.returncode, 4, denied.stdout)
        self.assertIsNone(self.plane.get("configmap", "b", "cli"))


if __name__ == "__main__":
    unittest.main()
