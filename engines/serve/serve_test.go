package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/engines/frame"
	"plumbline.dev/engines/kustomize"
	"plumbline.dev/engines/treetest"
)

func TestMain(m *testing.M) {
	kustomize.Seal()
	os.Exit(m.Run())
}

// plumbd plays the parent: it sends requests and answers questions until the final frame.
type plumbd struct {
	t      *testing.T
	to     io.WriteCloser
	from   io.Reader
	source *treetest.Disk
	ended  chan error
}

func start(t *testing.T, root string) *plumbd {
	t.Helper()
	source, err := treetest.New(root)
	if err != nil {
		t.Fatal(err)
	}
	in, to := io.Pipe()
	from, out := io.Pipe()
	p := &plumbd{t, to, from, source, make(chan error, 1)}
	go func() {
		p.ended <- Serve(in, out)
		out.Close()
	}()
	return p
}

type reply struct {
	Op, Path, Message, Kustomize, Go string
	V                                int
	Recycle                          bool
	Objects                          []kustomize.Object
}

func (p *plumbd) call(request any) reply {
	p.t.Helper()
	if err := frame.Write(p.to, request); err != nil {
		p.t.Fatal(err)
	}
	for {
		body, err := frame.Read(p.from)
		if err != nil {
			p.t.Fatal(err)
		}
		var r reply
		if err := json.Unmarshal(body, &r); err != nil {
			p.t.Fatal(err)
		}
		if r.Op != "read" && r.Op != "list" && r.Op != "look" {
			return r
		}
		if err := frame.Write(p.to, p.answer(r)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *plumbd) answer(question reply) any {
	switch question.Op {
	case "read":
		data, err := p.source.Read(question.Path)
		if err != nil {
			return map[string]any{"ok": false, "absent": os.IsNotExist(err), "message": err.Error()}
		}
		return map[string]any{"ok": true, "data": data}
	case "look":
		found, err := p.source.Look(question.Path)
		if err != nil {
			return map[string]any{"ok": false, "message": err.Error()}
		}
		return map[string]any{"ok": true, "found": found.Found, "folder": found.Folder, "path": found.Path}
	}
	return map[string]any{"ok": false, "message": "unexpected"}
}

func TestAConversation(t *testing.T) {
	p := start(t, "../testdata/build")
	hello := p.call(map[string]any{"v": 1, "op": "hello"})
	if hello.Op != "hello" || hello.V != 1 || hello.Kustomize != kustomize.Version || !strings.HasPrefix(hello.Go, "go1.") {
		t.Errorf("hello: %+v", hello)
	}
	done := p.call(map[string]any{"op": "kustomize", "folder": "nested/overlay"})
	if done.Op != "done" || len(done.Objects) != 6 || done.Recycle {
		t.Errorf("done: %+v", done)
	}
	for _, object := range done.Objects {
		if !json.Valid([]byte(object.JSON)) || strings.Contains(object.JSON, "config.kubernetes.io/origin") {
			t.Errorf("object: %s", object.JSON)
		}
	}
	failed := p.call(map[string]any{"op": "kustomize", "folder": "nowhere"})
	if failed.Op != "failed" || failed.Message != "there is no folder 'nowhere'" {
		t.Errorf("failed: %+v", failed)
	}
	custom := p.call(map[string]any{"op": "kustomize", "folder": "openapi/overlay"})
	if custom.Op != "done" || !custom.Recycle {
		t.Errorf("a custom schema: %+v", custom)
	}
	if other := p.call(map[string]any{"op": "dance"}); other.Op != "failed" || !strings.Contains(other.Message, `"dance"`) {
		t.Errorf("unknown operation: %+v", other)
	}
	if newer := p.call(map[string]any{"v": 2, "op": "hello"}); newer.Op != "failed" || !strings.Contains(newer.Message, "speaks 1") {
		t.Errorf("newer version: %+v", newer)
	}
	p.to.Close()
	if err := <-p.ended; err != nil {
		t.Errorf("the end: %v", err)
	}
}

func TestTheParentsRefusalReachesTheAuthor(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "kustomization.yaml"), []byte("resources: [link.yaml]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	failed := start(t, root).call(map[string]any{"op": "kustomize", "folder": ""})
	if failed.Op != "failed" || !strings.Contains(failed.Message, "'link.yaml' is a link out of the repository") {
		t.Errorf("%+v", failed)
	}
}

func TestALostParentEndsTheRender(t *testing.T) {
	for name, last := range map[string]func(p *plumbd){
		"closed": func(p *plumbd) { p.to.Close() },
		"noise":  func(p *plumbd) { fmt.Fprint(p.to, "\x00\x00\x00\x03zzz") },
	} {
		p := start(t, "../testdata/build")
		if err := frame.Write(p.to, map[string]any{"op": "kustomize", "folder": "plain"}); err != nil {
			t.Fatal(err)
		}
		if _, err := frame.Read(p.from); err != nil { // its first question
			t.Fatal(err)
		}
		last(p)
		if err := <-p.ended; err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x14{\"v\":1,\"op\":\"hello\"}"))
	f.Add([]byte("\x00\x00\x00\x22{\"op\":\"kustomize\",\"folder\":\"../a\"}\x00\x00\x00\x0b{\"ok\":true}"))
	f.Add([]byte("\x00\x00\x00\x1d{\"op\":\"kustomize\",\"folder\":1}"))
	f.Fuzz(func(_ *testing.T, input []byte) {
		_ = Serve(strings.NewReader(string(input)), io.Discard) // must neither crash nor hang
	})
}
