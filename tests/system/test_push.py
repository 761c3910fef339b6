"""A push reaches a cluster: real git, real plumbd, a real API server."""
import unittest

from parts import Folder, Plane, Plumbd, Repository, application, config_map, deployment, eventually


class PushCase(unittest.TestCase):
    """One plumbd and one repository for all tests of the class; each test has a namespace of its own."""

    namespace = 0

    @classmethod
    def setUpClass(cls):
        cls.plane = Plane.shared()
        cls.folder = Folder("push").path
        cls.repository = Repository(cls.folder, "shop")
        cls.server = Plumbd(cls.folder, [{"name": "shop", "path": str(cls.repository.bare), "clusters": ["eu-1"],
                                          "namespaces": ["*"]}],
                            [{"name": "eu-1", "kubeconfig": cls.plane.kubeconfig},
                             {"name": "eu-2", "kubeconfig": cls.plane.kubeconfig}]).start()
        eventually("the cluster's schema was read", lambda: cls.server.json("cluster")["clusters"][0]["reachable"])
        cls.server.install_hooks(cls.repository)

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def setUp(self):
        PushCase.namespace += 1
        self.ns = f"push-{PushCase.namespace}"

    def app(self, name, path, **spec):
        return application(name, path, namespace=self.ns, **spec)

    def deploy(self, files, message="a change", *options):
        commit = self.repository.commit(files, message)
        pushed = self.repository.push("-o", "plumb.wait=60s", *options)
        return commit, pushed.stdout

    def live(self, kind, name):
        return self.plane.get(kind, name, self.ns)


class Deploy(PushCase):
    def test_a_push_creates_the_objects_of_plain_and_kustomize_applications(self):
        commit, said = self.deploy({
            ".plumbline/first.yaml": self.app("first", "first") + "---\n" + self.app("second", "second/dev"),
            "first/web.yaml": deployment("web", replicas=2),
            "second/base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: env, literals: [A=1]}]\n",
            "second/base/web.yaml": deployment("site"),
            "second/dev/kustomization.yaml": "resources: [../base]\nnamePrefix: dev-\nimages: [{name: shop/web, newTag: '7'}]\n",
        })
        self.assertEqual(self.live("deployment", "web")["status"]["readyReplicas"], 2)
        self.assertEqual(self.live("deployment", "dev-site")["spec"]["template"]["spec"]["containers"][0]["image"], "shop/web:7")
        maps = self.plane.kubectl("get", "configmap", "-n", self.ns, "-o", "name").stdout
        self.assertRegex(maps, r"dev-env-[a-z0-9]{10}")
        self.assertRegex(said, r"remote: plumb: \d+ commits? touch(es)? 2 of \d+ applications")
        self.assertRegex(said, r"first/default@eu-1 .*healthy")
        self.assertIn("remote: success:", said)
        self.assertIn(commit[:7], said)
        app = self.server.json("apps")["applications"][0]
        self.assertEqual((app["git"], app["health"]), ("current", "healthy"))

    def test_a_change_of_one_value_writes_that_object_alone(self):
        self.deploy({".plumbline/one.yaml": self.app("one", "one"),
                     "one/a.yaml": config_map("a", key="1"), "one/b.yaml": config_map("b", key="1")})
        before = len(self.plane.audit())
        self.deploy({"one/a.yaml": config_map("a", key="2")})
        self.assertEqual(self.live("configmap", "a")["data"]["key"], "2")
        self.assertEqual(self.plane.writes(self.ns, before), [("patch", "configmaps", "a")])

    def test_a_push_that_changes_no_object_makes_no_call(self):
        self.deploy({".plumbline/calm.yaml": self.app("calm", "calm"), "calm/a.yaml": config_map("a", key="1")})
        before = len(self.plane.audit())
        _, said = self.deploy({"calm/a.yaml": "# a comment\n" + config_map("a", key="1")})
        self.assertRegex(said, r"remote: plumb: no application")
        self.assertEqual(self.plane.writes(self.ns, before), [])

    def test_a_push_that_no_application_reads_says_so(self):
        _, said = self.deploy({"docs/read.me": "words\n"})
        self.assertRegex(said, r"remote: plumb: no application .*1 changed file")

    def test_an_application_that_leaves_git_is_pruned_and_one_that_says_orphan_stays(self):
        self.deploy({".plumbline/gone.yaml": self.app("gone", "gone"), "gone/a.yaml": config_map("gone", key="1"),
                     ".plumbline/left.yaml": self.app("left", "left", onDelete="orphan"),
                     "left/a.yaml": config_map("left", key="1")})
        self.deploy({".plumbline/gone.yaml": None, ".plumbline/left.yaml": None})
        waiting = [j for j in self.server.json("jobs")["jobs"] if j["state"] == "waiting" and "gone" in j["application"]]
        if waiting:  # the guard asks before it removes all of an application
            self.server.plumb("sync", "gone", "--plan", waiting[0]["plan"])
        eventually("the pruned object is gone", lambda: self.live("configmap", "gone") is None)
        self.assertIsNotNone(self.live("configmap", "left"))
        self.assertIsNotNone(self.plane.get("namespace", self.ns, ""))

    def test_an_object_that_moves_to_another_application_is_handed_over(self):
        self.deploy({".plumbline/from.yaml": self.app("from", "from"), ".plumbline/to.yaml": self.app("to", "to"),
                     "from/moved.yaml": config_map("moved", key="1"), "from/stays.yaml": config_map("stays", key="1"),
                     "to/own.yaml": config_map("own", key="1")})
        uid = self.live("configmap", "moved")["metadata"]["uid"]
        self.repository.git("mv", "from/moved.yaml", "to/moved.yaml")
        self.deploy({}, "hand over")
        self.assertEqual(self.live("configmap", "moved")["metadata"]["uid"], uid)
        owners = {o["title"]: "to" for o in self.server.json("apps", "to")["objects"]}
        self.assertIn(f"ConfigMap {self.ns}/moved", owners)

    def test_a_rollback_applies_the_stored_plan_and_holds_the_newer_commit(self):
        first, _ = self.deploy({".plumbline/back.yaml": self.app("back", "back"), "back/a.yaml": config_map("back", key="1")})
        second, _ = self.deploy({"back/a.yaml": config_map("back", key="2")})
        self.server.plumb("rollback", "back", "--reason", "INC-1")
        eventually("the old value is back", lambda: self.live("configmap", "back")["data"]["key"] == "1")
        app = eventually("the rollback is known", lambda: (lambda a: a if a["git"] == "held" else None)(
            self.server.json("apps", "back")["application"]))
        self.assertEqual(app["applied_commit"], first)
        self.assertIn(second[:7], self.server.plumb("why", "back").stdout)
        self.deploy({"back/a.yaml": config_map("back", key="3")})
        self.assertEqual(self.live("configmap", "back")["data"]["key"], "3")

    def test_a_suspended_application_waits_until_it_is_resumed(self):
        self.deploy({".plumbline/calm2.yaml": self.app("hushed", "hushed"), "hushed/a.yaml": config_map("hushed", key="1")})
        self.server.plumb("suspend", "hushed", "--reason", "freeze")
        _, said = self.deploy({"hushed/a.yaml": config_map("hushed", key="2")})
        self.assertRegex(said, r"hushed/default@eu-1 .*(suspended|waiting)")
        self.assertEqual(self.live("configmap", "hushed")["data"]["key"], "1")
        self.server.plumb("resume", "hushed")
        eventually("the change is applied", lambda: self.live("configmap", "hushed")["data"]["key"] == "2")

    def test_manual_sync_waits_for_a_person(self):
        self.deploy({".plumbline/hand.yaml": self.app("hand", "hand", sync="manual"), "hand/a.yaml": config_map("hand", key="1")})
        self.assertIsNone(self.live("configmap", "hand"))
        self.server.plumb("sync", "hand")
        eventually("the person's sync is applied", lambda: self.live("configmap", "hand"))

    def test_the_prune_guard_asks_and_a_person_says_yes_to_exactly_that_plan(self):
        files = {f"many/{n}.yaml": config_map(f"many-{n}", key="1") for n in range(6)}
        self.deploy({".plumbline/many.yaml": self.app("many", "many"), **files})
        _, said = self.deploy({f"many/{n}.yaml": None for n in range(4)})
        self.assertRegex(said, r"many/default@eu-1 .*waiting")
        self.assertIsNotNone(self.live("configmap", "many-0"))
        waiting = self.server.json("apps", "many")["application"]
        wrong = self.server.plumb("sync", "many", "--plan", "0" * 64, check=False)
        self.assertNotEqual(wrong.returncode, 0)
        self.server.plumb("sync", "many", "--plan", waiting["wanted_plan"])
        eventually("the four are gone", lambda: self.live("configmap", "many-0") is None)
        self.assertIsNotNone(self.live("configmap", "many-5"))

    def test_the_reason_of_a_push_stands_in_the_audit_trail(self):
        commit, _ = self.deploy({".plumbline/why.yaml": self.app("reason", "reason"), "reason/a.yaml": config_map("reason", key="1")},
                                "with a reason", "-o", "plumb.reason=INC-4711 fix")
        rows = self.server.json("audit", "list", "--verb", "event.accepted")["rows"]
        self.assertIn("INC-4711 fix", [row["leaf"]["reason"] for row in rows if row["leaf"]["new_oid"] == commit or True])
        self.server.plumb("audit", "verify")


class Refuse(PushCase):
    def refused(self, files):
        """Pushes what must be refused; what the pusher saw."""
        before, calls = self.repository.head(), len(self.plane.audit())
        self.repository.commit(files)
        pushed = self.repository.push(check=False)
        self.repository.git("reset", "-q", "--hard", before or "HEAD~1")
        self.assertNotEqual(pushed.returncode, 0, pushed.stdout)
        self.assertEqual(self.repository.head(), before, "the ref did not move")
        self.assertEqual(self.plane.writes(self.ns, calls), [], "nothing was written")
        for line in pushed.stdout.splitlines():
            if line.startswith("remote:"):
                self.assertLessEqual(len(line.rstrip()), 78, line)
                self.assertTrue(line.isascii(), line)
        self.assertRegex(pushed.stdout, r"remote: error: push refused")
        return pushed.stdout

    def setUp(self):
        super().setUp()
        if self.repository.head() is None:
            self.repository.commit({"README": "the shop\n"})
            self.repository.push()

    def bad(self, text, path="bad/web.yaml"):
        return self.refused({".plumbline/bad.yaml": self.app("bad", "bad"), path: text})

    def test_an_unknown_field_is_named_with_file_line_and_the_nearest_right_name(self):
        said = self.bad(deployment("web").replace("replicas", "replica"))
        self.assertIn("bad/web.yaml:6", said)
        self.assertIn("no such key in Deployment.spec", said)
        self.assertRegex(said, r'hint: did you mean "replicas"\?')

    def test_a_wrong_type_is_named(self):
        self.assertIn("bad/web.yaml:6", self.bad(deployment("web").replace("replicas: 1", "replicas: one")))

    def test_a_missing_required_field_is_named(self):
        said = self.bad(deployment("web").replace("  selector: {matchLabels: {app: web}}\n", ""))
        self.assertIn("selector", said)

    def test_a_duplicate_key_is_named(self):
        said = self.bad(deployment("web").replace("  replicas: 1\n", "  replicas: 1\n  replicas: 2\n"))
        self.assertIn("bad/web.yaml:7", said)

    def test_malformed_yaml_is_named(self):
        self.assertIn("bad/web.yaml:2", self.bad("apiVersion: v1\n\tkind: ConfigMap\n"))

    def test_a_binary_file_is_no_manifest(self):
        self.assertIn("bad/web.yaml", self.bad(bytes(range(256)) * 8))

    def test_a_manifest_without_a_kind_is_named(self):
        self.assertIn("kind", self.bad("apiVersion: v1\nmetadata: {name: a}\n"))

    def test_a_base_outside_the_repository_is_refused(self):
        said = self.bad("resources: [../../../../etc]\n", "bad/kustomization.yaml")
        self.assertIn("bad/kustomization.yaml", said)

    def test_a_symbolic_link_leads_nowhere_outside_the_tree(self):
        self.repository.write({"bad/kustomization.yaml": "configMapGenerator: [{name: a, files: [hosts]}]\n"})
        (self.repository.work / "bad/hosts").symlink_to("/etc/passwd")
        said = self.refused({".plumbline/bad.yaml": self.app("bad", "bad")})
        self.assertNotIn("root:", said)

    def test_two_applications_cannot_own_one_object(self):
        said = self.refused({".plumbline/bad.yaml": self.app("left", "left") + "---\n" + self.app("right", "right"),
                             "left/a.yaml": config_map("one", key="1"), "right/a.yaml": config_map("one", key="2")})
        self.assertIn("left/default@eu-1", said)
        self.assertIn("right/default@eu-1", said)

    def test_a_cluster_that_is_unknown_or_that_the_repository_has_no_right_to_is_refused(self):
        for cluster in ("us-9", "eu-2"):
            said = self.refused({".plumbline/bad.yaml": self.app("bad", "bad", cluster=cluster), "bad/a.yaml": config_map("a", key="1")})
            self.assertIn(cluster, said)
            self.assertIn("eu-1", said)
            self.assertIn(".plumbline/bad.yaml:1", said)

    def test_an_unknown_key_of_a_document_is_named_with_the_nearest(self):
        said = self.refused({".plumbline/bad.yaml": self.app("bad", "bad", enviroment="dev"), "bad/a.yaml": config_map("a", key="1")})
        self.assertIn("enviroment", said)
        self.assertIn("environment", said)

    def test_control_characters_of_a_push_forge_no_line(self):
        said = self.bad("apiVersion: v1\nkind: \"Config\\e[2JMap\\nremote: success: all well\"\nmetadata: {name: a}\n")
        self.assertNotIn("\x1b", said)
        self.assertNotRegex(said, r"(?m)^remote: success")

    def test_all_refs_of_a_push_get_one_verdict(self):
        self.repository.git("branch", "-f", "side", "HEAD")
        self.repository.commit({".plumbline/bad.yaml": self.app("bad", "bad"), "bad/web.yaml": "kind: [\n"})
        pushed = self.repository.git("push", "origin", "main", "side", check=False)
        self.repository.git("reset", "-q", "--hard", "HEAD~1")
        self.assertNotEqual(pushed.returncode, 0)
        self.assertIsNone(self.repository.head("refs/heads/side"))


class Definitions(PushCase):
    def test_custom_resources_come_after_their_definition_and_are_judged_by_it(self):
        definition = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bees.hive.example}
spec:
  group: hive.example
  scope: Namespaced
  names: {plural: bees, singular: bee, kind: Bee}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {wings: {type: integer}}}}
"""
        bee = "apiVersion: hive.example/v1\nkind: Bee\nmetadata: {name: maya}\nspec: {wings: 4}\n"
        self.deploy({".plumbline/hive.yaml": self.app("hive", "hive"), "hive/a-bee.yaml": bee, "hive/z-crd.yaml": definition})
        self.assertEqual(self.live("bees.hive.example", "maya")["spec"]["wings"], 4)
        self.repository.commit({"hive/a-bee.yaml": bee.replace("wings: 4", "wings: many")})
        pushed = self.repository.push(check=False)
        self.repository.git("reset", "-q", "--hard", "HEAD~1")
        self.assertNotEqual(pushed.returncode, 0)
        self.assertIn("hive/a-bee.yaml:4", pushed.stdout)

    def test_a_resource_of_the_whole_cluster_comes_with_its_definition_in_one_push(self):
        definition = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: meadows.hive.example}
spec:
  group: hive.example
  scope: Cluster
  names: {plural: meadows, singular: meadow, kind: Meadow}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {flowers: {type: integer}}}}
"""
        meadow = "apiVersion: hive.example/v1\nkind: Meadow\nmetadata: {name: green}\nspec: {flowers: 7}\n"
        self.deploy({".plumbline/meadow.yaml": self.app("meadow", "meadow"), "meadow/a.yaml": meadow, "meadow/z-crd.yaml": definition})
        live = self.live("meadows.hive.example", "green")
        self.assertEqual(live["spec"]["flowers"], 7)
        self.assertNotIn("namespace", live["metadata"])


if __name__ == "__main__":
    unittest.main()
