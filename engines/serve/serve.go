// Package serve speaks the engine pipe (docs/formats.md, "Engine pipe (version 1)").
package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"plumbline.dev/engines/frame"
	"plumbline.dev/engines/kustomize"
	"plumbline.dev/engines/tree"
)

const version = 1

type request struct {
	V      *int   `json:"v"`
	Op     string `json:"op"`
	Folder string `json:"folder"`
}

type question struct {
	Op   string `json:"op"`
	Path string `json:"path"`
}

type answer struct {
	OK      bool   `json:"ok"`
	Absent  bool   `json:"absent"`
	Message string `json:"message"`
	Data    []byte `json:"data"`
	Names   []struct {
		Name   string `json:"name"`
		Folder bool   `json:"folder"`
	} `json:"names"`
	Found  bool   `json:"found"`
	Folder bool   `json:"folder"`
	Path   string `json:"path"`
}

type done struct {
	Op      string             `json:"op"`
	Objects []kustomize.Object `json:"objects"`
	Recycle bool               `json:"recycle,omitempty"`
}

type failed struct {
	Op      string `json:"op"`
	Message string `json:"message"`
	Recycle bool   `json:"recycle,omitempty"`
}

type hello struct {
	Op        string `json:"op"`
	V         int    `json:"v"`
	Kustomize string `json:"kustomize"`
	Go        string `json:"go"`
}

// parent asks over the pipe; it is the tree.Source of a render.
type parent struct {
	in  io.Reader
	out io.Writer
}

func (p parent) ask(op, path string) (answer, error) {
	var a answer
	if err := frame.Write(p.out, question{op, path}); err != nil {
		panic(tree.NewBroken(err))
	}
	body, err := frame.Read(p.in)
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil {
		panic(tree.NewBroken(err))
	}
	if a.OK {
		return a, nil
	}
	if a.Message == "" {
		a.Message = op + " '" + path + "': refused"
	}
	if a.Absent {
		return a, fmt.Errorf("%s: %w", a.Message, os.ErrNotExist)
	}
	return a, errors.New(a.Message)
}

func (p parent) Read(path string) ([]byte, error) {
	a, err := p.ask("read", path)
	return a.Data, err
}

func (p parent) List(path string) ([]tree.Name, error) {
	a, err := p.ask("list", path)
	names := make([]tree.Name, 0, len(a.Names))
	for _, name := range a.Names {
		names = append(names, tree.Name{Name: name.Name, Folder: name.Folder})
	}
	return names, err
}

func (p parent) Look(path string) (tree.Found, error) {
	a, err := p.ask("look", path)
	return tree.Found{Found: a.Found, Folder: a.Folder, Path: a.Path}, err
}

// Serve answers requests until the parent closes the pipe (nil) or breaks the protocol.
func Serve(in io.Reader, out io.Writer) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			broken, ours := trouble.(tree.Broken)
			if !ours {
				panic(trouble)
			}
			err = broken
		}
	}()
	for {
		body, err := frame.Read(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var r request
		if err := json.Unmarshal(body, &r); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if err := frame.Write(out, handle(parent{in, out}, r)); err != nil {
			return err
		}
	}
}

func handle(source tree.Source, r request) any {
	switch {
	case r.V != nil && *r.V != version:
		return failed{Op: "failed", Message: fmt.Sprintf("protocol version %d; this program speaks %d", *r.V, version)}
	case r.Op == "hello":
		return hello{"hello", version, kustomize.Version, runtime.Version()}
	case r.Op != "kustomize":
		return failed{Op: "failed", Message: fmt.Sprintf("unknown operation %q", r.Op)}
	}
	result, err := kustomize.Render(source, r.Folder)
	if err != nil {
		return failed{"failed", err.Error(), result.Recycle}
	}
	return done{"done", result.Objects, result.Recycle}
}
