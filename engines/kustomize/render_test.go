package kustomize

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"plumbline.dev/engines/treetest"
)

func TestMain(m *testing.M) {
	Seal()
	os.Exit(m.Run())
}

func cases(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("../testdata/build")
	if err != nil || len(entries) < 30 {
		t.Fatalf("%d cases, %v", len(entries), err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// folder to build: the overlay if the case has one.
func target(name string) string {
	if _, err := os.Stat(filepath.Join("../testdata/build", name, "overlay")); err == nil {
		return name + "/overlay"
	}
	return name
}

func disk(t testing.TB, root string) *treetest.Disk {
	t.Helper()
	source, err := treetest.New(root)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// upstream builds on the real disk with kustomize alone, as `kubectl kustomize` does.
func upstream(t *testing.T, folder string) []string {
	t.Helper()
	openapi.ResetOpenAPI()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	objects, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	openapi.ResetOpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, object := range objects.Resources() {
		text, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func texts(result Result) []string {
	var all []string
	for _, object := range result.Objects {
		all = append(all, object.JSON)
	}
	return all
}

func TestEveryCaseIsWhatUpstreamBuilds(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			want := upstream(t, filepath.Join("../testdata/build", target(name)))
			result, err := Render(disk(t, "../testdata/build"), target(name))
			openapi.ResetOpenAPI()
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 || !slices.Equal(texts(result), want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(texts(result), "\n"), strings.Join(want, "\n"))
			}
			for _, object := range result.Objects {
				if !strings.HasPrefix(object.OriginPath, name+"/") || object.OriginName == "" || object.OriginKind == "" {
					t.Errorf("origin of %s: %+v", object.JSON, object)
				}
				if _, err := os.Stat(filepath.Join("../testdata/build", object.OriginPath)); err != nil {
					t.Error(err)
				}
			}
			if result.Recycle != (name == "openapi") {
				t.Errorf("recycle is %v", result.Recycle)
			}
		})
	}
}

// The comparison above must be able to fail, and a render must leave nothing behind for the next.
func TestARenderDoesNotDependOnTheOneBefore(t *testing.T) {
	openapi.ResetOpenAPI()
	first := map[string][]string{}
	for pass := range 2 {
		names := cases(t)
		if pass == 1 {
			slices.Reverse(names)
		}
		for _, name := range names {
			result, err := Render(disk(t, "../testdata/build"), target(name))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if result.Recycle {
				openapi.ResetOpenAPI() // the parent takes a new process
			}
			if pass == 0 {
				first[name] = texts(result)
			} else if !slices.Equal(first[name], texts(result)) {
				t.Errorf("%s changed:\n%s", name, strings.Join(texts(result), "\n"))
			}
		}
	}
	if slices.Equal(first["replicas"], first["images"]) {
		t.Error("two different cases look the same")
	}
}

func TestOriginsNameTheFileAndTheNameInIt(t *testing.T) {
	want := map[string][3]string{
		"dev-web":  {"generators/base/deploy.yaml", "Deployment", "web"},
		"settings": {"generators/overlay/kustomization.yaml", "ConfigMap", "settings"},
		"login":    {"generators/overlay/kustomization.yaml", "Secret", "login"},
	}
	result, err := Render(disk(t, "../testdata/build"), "generators/overlay")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, object := range result.Objects {
		for name, origin := range want {
			got := [3]string{object.OriginPath, object.OriginKind, object.OriginName}
			if strings.Contains(object.JSON, name) && object.OriginKind == origin[1] && object.OriginName == origin[2] {
				if got != origin {
					t.Errorf("%s: %v, want %v", name, got, origin)
				}
				seen++
			}
		}
	}
	if seen != len(want) {
		t.Errorf("found %d of %d in %+v", seen, len(want), result.Objects)
	}
	// Two overlays of one base in one build: each object has the file of its own overlay.
	nested, err := Render(disk(t, "../testdata/build"), "nested/overlay")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range nested.Objects {
		var meta struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal([]byte(object.JSON), &meta); err != nil {
			t.Fatal(err)
		}
		if environment, own, _ := strings.Cut(meta.Metadata.Name, "-"); own == "own" &&
			object.OriginPath != "nested/envs/"+environment+"/own.yaml" {
			t.Errorf("%s comes from %s", meta.Metadata.Name, object.OriginPath)
		}
	}
}

func TestAThingIsAskedOnce(t *testing.T) {
	source := disk(t, "../testdata/build")
	if _, err := Render(source, "patch_annotations/overlay"); err != nil { // builds twice
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, ask := range source.Asks {
		if seen[ask] {
			t.Errorf("%q twice", ask)
		}
		seen[ask] = true
	}
}

func TestWhatIsRefused(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	function := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: f\n  annotations:\n    config.kubernetes.io/function: |\n" +
		"      exec: {path: /bin/true}\n"
	write("other/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
	write("app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
	write("app/function.yaml", function)
	write("app/container.yaml", strings.Replace(function, "exec: {path: /bin/true}", "container: {image: example.com/f}", 1))
	write("app/plugin.yaml", "apiVersion: example.com/v1\nkind: Plugin\nmetadata: {name: p}\n")
	write("app/bad.yaml", "a: [1\n")
	write("app/nokind.yaml", "metadata: {name: a}\n")
	write("loop/kustomization.yaml", "resources: [../app]\n")
	write("file", "x")
	if err := os.Symlink("/etc/hostname", filepath.Join(root, "app/out.yaml")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ kustomization, want string }{
		"above the root":       {"resources: [../../outside]", "'outside' is outside of the repository"},
		"above and back":       {"resources: [../../x/../app/cm.yaml]", "'app/cm.yaml' is outside of the repository"},
		"absolute file":        {"resources: [/etc/hostname]", "outside of the repository"},
		"file of another":      {"resources: [../other/cm.yaml]", "security; file 'other/cm.yaml' is not in or below 'app'"},
		"link out":             {"resources: [out.yaml]", "link out of the repository"},
		"generator reads out":  {"configMapGenerator: [{name: a, files: [../../etc/passwd]}]", "outside of the repository"},
		"remote base":          {"resources: ['https://github.com/example/repo//base?ref=v1']", "not fetched"},
		"remote base, short":   {"resources: [github.com/example/repo]", "remote bases are not fetched"},
		"remote base over ssh": {"resources: ['git@github.com:example/repo.git']", "remote bases are not fetched"},
		"remote component":     {"components: ['https://example.com/repo.git']", "remote bases are not fetched"},
		"remote file":          {"resources: [https://example.com/a.yaml]", "not fetched"},
		"remote patch":         {"resources: [cm.yaml]\npatches: [{path: 'http://127.0.0.1:1/p.yaml'}]", "no network"},
		"remote schema":        {"resources: [cm.yaml]\nopenapi: {path: 'http://127.0.0.1:1/s.json'}", "no network"},
		"helm":                 {"helmCharts: [{name: a, repo: https://example.com}]", "helmCharts in a kustomization are not rendered"},
		"exec function":        {"resources: [cm.yaml]\ntransformers: [function.yaml]", "only kustomize's builtin"},
		"container function":   {"resources: [cm.yaml]\ngenerators: [container.yaml]", "only kustomize's builtin"},
		"plugin":               {"resources: [cm.yaml]\ntransformers: [plugin.yaml]", "only kustomize's builtin"},
		"validator":            {"resources: [cm.yaml]\nvalidators: [plugin.yaml]", "only kustomize's builtin"},
		"missing file":         {"resources: [nowhere.yaml]", "nowhere.yaml"},
		"bad YAML":             {"resources: [bad.yaml]", "bad.yaml"},
		"no kind":              {"resources: [nokind.yaml]", "missing"},
		"unknown field":        {"resource: [cm.yaml]", `unknown field "resource"`},
		"broken kustomization": {"resources: [", "yaml"},
		"empty kustomization":  {"", "empty"},
		"itself":               {"resources: [../loop]", "cycle detected"},
		"same object twice":    {"resources: [cm.yaml, ../other/../app/cm.yaml]", "already registered"},
		"zero byte":            {`resources: ["a\0b.yaml"]`, "zero byte"},
	} {
		t.Run(name, func(t *testing.T) {
			write("app/kustomization.yaml", c.kustomization+"\n")
			result, err := Render(disk(t, root), "app")
			openapi.ResetOpenAPI()
			if err == nil {
				t.Fatalf("rendered %v", result.Objects)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("message without %q:\n%s", c.want, err)
			}
			if strings.Contains(err.Error(), "plumbline-repository") {
				t.Errorf("message with the inner path:\n%s", err)
			}
		})
	}
	for folder, want := range map[string]string{
		"nowhere": "there is no folder 'nowhere'", "file": "is a file", "other": "unable to find one of", "../x": "no folder", "/etc": "no folder"} {
		if _, err := Render(disk(t, root), folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("folder %q: %v", folder, err)
		}
	}
}

func TestInjectionChangesNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"block":            {"resources: [a]\n", "buildMetadata: [originAnnotations]\nresources: [a]\n"},
		"comments, marker": {"# c\n---\nresources: [a]\n", "# c\n---\nbuildMetadata: [originAnnotations]\nresources: [a]\n"},
		"indented":         {"  resources: [a]\n  namePrefix: b\n", "  buildMetadata: [originAnnotations]\n  resources: [a]\n  namePrefix: b\n"},
		"flow":             {"{resources: [a]}", "{buildMetadata: [originAnnotations], resources: [a]}"},
		"JSON":             {`{"resources": ["a"]}`, `{buildMetadata: [originAnnotations], "resources": ["a"]}`},
		"flow list":        {"resources: [a]\nbuildMetadata: [managedByLabel]\n", "resources: [a]\nbuildMetadata: [originAnnotations, managedByLabel]\n"},
		"block list":       {"buildMetadata:\n  - managedByLabel\nresources: [a]\n", "buildMetadata:\n  - originAnnotations\n  - managedByLabel\nresources: [a]\n"},
		"empty list":       {"buildMetadata: []\nresources: [a]\n", "buildMetadata: [originAnnotations, ]\nresources: [a]\n"},
		"CRLF":             {"resources: [a]\r\nnamePrefix: b\r\n", "buildMetadata: [originAnnotations]\nresources: [a]\r\nnamePrefix: b\r\n"},
		"not ASCII before": {"{\"é\": 1, buildMetadata: [managedByLabel]}", "{\"é\": 1, buildMetadata: [originAnnotations, managedByLabel]}"},
		"asked":            {"buildMetadata: [originAnnotations]\n", "buildMetadata: [originAnnotations]\n"},
		"broken":           {"resources: [", "resources: ["},
		"a list":           {"- a\n", "- a\n"},
		"two documents":    {"a: 1\n---\nb: 2\n", ""},
		"wrong type":       {"buildMetadata: yes\n", "buildMetadata: yes\n"},
		"empty":            {"", ""},
		"question mark":    {"? resources\n: [a]\n", "? resources\n: [a]\n"},
	} {
		got, asked := withOrigins([]byte(c.before))
		if name != "two documents" && string(got) != c.after {
			t.Errorf("%s: %q, want %q", name, got, c.after)
		}
		if asked != (name == "asked") {
			t.Errorf("%s: asked is %v", name, asked)
		}
	}
}

func FuzzInjection(f *testing.F) {
	for _, name := range []string{"generators/overlay", "own_metadata/overlay", "flow_root", "vars/overlay"} {
		content, err := os.ReadFile(filepath.Join("../testdata/build", name, "kustomization.yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		edited, _ := withOrigins(content)
		before, root := decode(content)
		after, _ := decode(edited)
		if root == nil || len(edited) == len(content) {
			return
		}
		delete(before, "buildMetadata")
		delete(after, "buildMetadata")
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q", content, edited)
		}
	})
}

func BenchmarkSmallOverlay(b *testing.B) {
	source := disk(b, "../testdata/build")
	for b.Loop() {
		if _, err := Render(source, "images/overlay"); err != nil {
			b.Fatal(err)
		}
	}
}

// The version is part of every cache key of plumbd.
func TestTheVersionIsTheLinkedOne(t *testing.T) {
	module, err := os.ReadFile("../go.mod")
	if err != nil || !strings.Contains(string(module), "sigs.k8s.io/kustomize/api "+Version+"\n") {
		t.Errorf("go.mod and %s differ (%v)", Version, err)
	}
}
