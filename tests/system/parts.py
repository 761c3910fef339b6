"""The real parts that a system test drives: control plane, plumbd, bare repositories, git.

Nothing here waits for time: `eventually` waits for a condition and fails with what it last saw.
Programs come from PLUMB_BIN (scripts/test sets it), the control plane from scripts/cluster.
"""
import atexit
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["PLUMB_BIN"])
CACHE = pathlib.Path(os.environ.get("PLUMB_CONTROL_PLANE_BIN", pathlib.Path.home() / ".cache/plumbline/bin"))
PEOPLE = {"GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@shop.example",
          "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@shop.example",
          "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}


class Failed(AssertionError):
    """A command that should have gone well, with all that it said."""


def run(*argv, check=True, env=None, **options):
    """Runs a program to its end; its output is one text."""
    done = subprocess.run([str(a) for a in argv], env={**os.environ, **(env or {})}, text=True,
                          errors="backslashreplace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=None if "input" in options else subprocess.DEVNULL, **options)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))}\nended with {done.returncode}:\n{done.stdout}")
    return done


def eventually(what, condition, seconds=60):
    """The first true answer of `condition`. `what` says in words what was waited for."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except (Failed, OSError, KeyError, json.JSONDecodeError) as error:
            last = error
        time.sleep(0.05)  # the pace of looking, not a wait for time to pass
    raise Failed(f"not within {seconds} s: {what}; last seen: {last}")


class Folder:
    """A folder of its own that is removed at the end of the process, readable by other users."""

    def __init__(self, name):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"plumb-{name}-"))
        self.path.chmod(0o755)
        if not os.environ.get("PLUMB_KEEP"):
            atexit.register(shutil.rmtree, self.path, ignore_errors=True)


class Plane:
    """A control plane of scripts/cluster: etcd, kube-apiserver, controllers, kwok."""

    _shared = None

    def __init__(self, name):
        self.name = f"{name}-{os.getpid()}"
        self.folder = Folder("plane").path
        self.env = {"PLUMB_CLUSTERS": str(self.folder)}
        run(SOURCE / "scripts/cluster", "up", self.name, env=self.env)
        atexit.register(self.down)
        self.kubeconfig = run(SOURCE / "scripts/cluster", "kubeconfig", self.name, env=self.env).stdout.strip()

    @classmethod
    def shared(cls):
        if cls._shared is None:
            cls._shared = Plane("system")
        return cls._shared

    def down(self):
        run(SOURCE / "scripts/cluster", "down", self.name, env=self.env, check=False)

    def kubectl(self, *argv, check=True, **options):
        return run(CACHE / "kubectl", "--kubeconfig", self.kubeconfig, *argv, check=check,
                   env={"HOME": str(self.folder)}, **options)

    def get(self, kind, name, namespace):
        """The live object, or None when there is none."""
        done = self.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def audit(self):
        """The API server's audit events, oldest first."""
        with open(self.folder / self.name / "audit.log", encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.endswith("\n")]

    def writes(self, namespace, since=0):
        """What Plumbline wrote to a namespace: (verb, resource, name), oldest first."""
        return [(e["verb"], e["objectRef"]["resource"], e["objectRef"].get("name", ""))
                for e in self.audit()[since:]
                if e.get("userAgent", "").startswith("plumbline") and e["stage"] == "ResponseComplete"
                and e["verb"] in ("patch", "create", "update", "delete")
                and e.get("objectRef", {}).get("namespace") == namespace]


class Repository:
    """A bare repository with a work clone beside it."""

    def __init__(self, folder, name, owner=None):
        self.name = name
        self.bare = folder / f"{name}.git"
        self.work = folder / f"{name}-work"
        self.owner = owner  # (uid, gid) that Git runs as on the server's side, or None
        run("git", "init", "-q", "--bare", "-b", "main", self.bare, env=PEOPLE, **self._as())
        run("git", "init", "-q", "-b", "main", self.work, env=PEOPLE, **self._as())
        self.git("remote", "add", "origin", self.bare)

    def _as(self):
        return {} if self.owner is None else {"user": self.owner[0], "group": self.owner[1], "extra_groups": []}

    def git(self, *argv, check=True, env=None):
        return run("git", *argv, cwd=self.work, check=check, env={**PEOPLE, **(env or {})}, **self._as())

    def write(self, files):
        """Writes files of the work clone; None removes one."""
        for name, text in files.items():
            path = self.work / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if self.owner:
            run("chown", "-R", f"{self.owner[0]}:{self.owner[1]}", self.work)

    def commit(self, files=None, message="a change"):
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *options, check=True, refspec="main", env=None):
        """`git push`; what the hooks said is in `.stdout`."""
        return self.git("push", *options, "origin", refspec, check=check, env=env)

    def head(self, ref="refs/heads/main"):
        """Where the ref of the bare repository stands, or None."""
        done = run("git", "--git-dir", self.bare, "rev-parse", "-q", "--verify", ref, check=False,
                   env={**PEOPLE, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                        "GIT_CONFIG_VALUE_0": "*"})
        return done.stdout.strip() if done.returncode == 0 else None


class Plumbd:
    """A plumbd of its own: file, data, socket, log. Killed at the end of the process."""

    def __init__(self, folder, repositories, clusters, user=None, **spec):
        self.folder = folder
        self.data = folder / "data"
        self.socket = folder / "plumbd.sock"
        self.file = folder / "plumbd.yaml"
        self.log = folder / "plumbd.log"
        self.user = user
        self.process = None
        self.http = ""
        self.spec = {"data": str(self.data), "socket": str(self.socket), "clusters": clusters,
                     "repositories": repositories, "scanInterval": "2s", **spec}
        self.write_file()
        atexit.register(self.kill)

    def write_file(self):
        # JSON is YAML.
        self.file.write_text(json.dumps({"apiVersion": "plumbline.dev/v1", "kind": "Server", "spec": self.spec}, indent=1))

    def launch(self, env=None):
        """Starts the process; does not wait."""
        user = {} if self.user is None else {"user": self.user[0], "group": self.user[1], "extra_groups": []}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BIN / "plumbd", "--config", self.file], stdout=subprocess.PIPE,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(env or {})}, **user)
        return self.process

    def start(self, env=None):
        process = self.launch(env)
        line = process.stdout.readline().decode()
        if not line.startswith("plumbd ready"):
            process.wait()
            raise Failed(f"plumbd did not start ({process.returncode}): {line}{self.log.read_text()[-3000:]}")
        self.http = next((w.removeprefix("http=") for w in line.split() if w.startswith("http=")), "")
        return self

    def refused_start(self):
        """Starts a plumbd that is expected to say no; (exit code, what it said)."""
        before = self.log.stat().st_size if self.log.exists() else 0
        process = self.launch()
        out, _ = process.communicate(timeout=60)
        return process.returncode, out.decode() + self.log.read_text()[before:]

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()
        if self.process and self.process.stdout:
            self.process.stdout.close()
        self.process = None

    def stop(self):
        self.kill(signal.SIGTERM)

    def restart(self, env=None):
        self.kill()
        return self.start(env)

    def plumb(self, *argv, check=True, env=None):
        return run(BIN / "plumb", "--socket", self.socket, *argv, check=check, env=env)

    def json(self, *argv, check=True):
        return json.loads(self.plumb("-o", "json", *argv, check=check).stdout)

    def install_hooks(self, repository):
        return run(BIN / "plumb", "--socket", self.socket, "hooks", "install", repository.bare, env=PEOPLE,
                   **repository._as())


@contextlib.contextmanager
def running(server, env=None):
    server.start(env)
    try:
        yield server
    finally:
        server.kill()


def unwrapped(said):
    """What the hooks said as one line: their texts are wrapped at 70 columns."""
    return " ".join(line.removeprefix("remote:").strip() for line in said.splitlines())


def config_map(name, **data):
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{lines}"


def deployment(name, image="shop/web:1", replicas=1):
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: web
          image: {image}
"""


def application(name, path, **spec):
    return json.dumps({"apiVersion": "plumbline.dev/v1", "kind": "Application", "metadata": {"name": name},
                       "spec": {"path": path, **spec}}) + "\n"
