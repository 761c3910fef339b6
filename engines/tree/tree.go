// Package tree is the file system of a render: one Git tree, seen through the parent process. Nothing
// of the real disk can be reached through it and nothing can be written.
package tree

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Mount is where the repository's root appears in absolute paths. It is not "/", since "/.." would be
// "/" again and a path that climbs out would silently stay inside.
const Mount = "/.plumbline-repository"

// Found is what a look at a path gave. Path is from the repository's root, after links.
type Found struct {
	Found  bool
	Folder bool
	Path   string
}

// Name is one entry of a folder.
type Name struct {
	Name   string
	Folder bool
}

// Source answers for one tree. Paths are from the repository's root, cleaned; "" is the root.
type Source interface {
	Read(path string) ([]byte, error)
	List(path string) ([]Name, error)
	Look(path string) (Found, error)
}

// Broken is what a Source panics with when it can never answer again. Kustomize would take an error for
// an absent file and go on.
type Broken struct{ error }

// NewBroken wraps the cause.
func NewBroken(cause error) Broken { return Broken{cause} }

// FS implements kustomize's FileSystem over a Source. Answers are remembered, so that a second render
// of the same tree asks nothing. One goroutine at a time.
type FS struct {
	source  Source
	files   map[string][]byte
	folders map[string][]Name
	looks   map[string]Found
	order   []string // files, as first read
	trouble error

	// Edit may change what a file is seen as. The bytes given to it must not be written to.
	Edit func(path string, content []byte) []byte
}

// New returns a file system over source.
func New(source Source) *FS {
	return &FS{source: source, files: map[string][]byte{}, folders: map[string][]Name{}, looks: map[string]Found{}}
}

var _ filesys.FileSystem = (*FS)(nil)

// Files calls use for every file that was read, in the order of first reading, unedited.
func (t *FS) Files(use func(path string, content []byte)) {
	for _, name := range t.order {
		use(name, t.files[name])
	}
}

// Content is what was read of a file, by its path after links, unedited; nil if it was not read.
func (t *FS) Content(path string) []byte { return t.files[path] }

// Resolve follows the links on a path, as far as they were met before. It asks nothing.
func (t *FS) Resolve(name string) string {
	for above := name; above != "." && above != "/"; above = path.Dir(above) {
		if found, ok := t.looks[above]; ok && found.Found {
			return path.Join(found.Path, strings.TrimPrefix(name, above))
		}
	}
	return name
}

// Trouble is the first answer of the source that was an error and not merely "not there". Kustomize
// takes any failure to load for an absent file, and would report the wrong cause.
func (t *FS) Trouble() error { return t.trouble }

func (t *FS) note(err error) error {
	if t.trouble == nil {
		t.trouble = err
	}
	return err
}

// inside turns a path of kustomize's into one from the repository's root.
func inside(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("a path holds a zero byte")
	}
	if !path.IsAbs(name) {
		name = path.Join(Mount, name)
	}
	name = path.Clean(name)
	if name == Mount {
		return "", nil
	}
	below, ok := strings.CutPrefix(name, Mount+"/")
	if !ok {
		return "", fmt.Errorf("'%s' is outside of the repository", strings.TrimPrefix(name, "/"))
	}
	return below, nil
}

func (t *FS) look(name string) (Found, error) {
	below, err := inside(name)
	if err != nil {
		return Found{}, err
	}
	if found, ok := t.looks[below]; ok {
		return found, nil
	}
	found, err := t.source.Look(below)
	if err != nil {
		return Found{}, t.note(err)
	}
	t.looks[below] = found
	return found, nil
}

func absent(name string) error { return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist} }

// CleanedAbs follows links and says what is there, as a folder and a file's name.
func (t *FS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	found, err := t.look(name)
	if err != nil {
		return "", "", err
	}
	if !found.Found {
		return "", "", absent(name)
	}
	full := path.Join(Mount, found.Path)
	if found.Folder {
		return filesys.ConfirmedDir(full), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(full)), path.Base(full), nil
}

// ReadFile returns a copy of the file's bytes.
func (t *FS) ReadFile(name string) ([]byte, error) {
	below, err := inside(name)
	if err != nil {
		return nil, err
	}
	content, ok := t.files[below]
	if !ok {
		found, err := t.look(name)
		if err != nil {
			return nil, err
		}
		if !found.Found {
			return nil, absent(name)
		}
		if content, err = t.source.Read(below); err != nil {
			return nil, t.note(err)
		}
		t.files[below] = content
		t.order = append(t.order, below)
	}
	if t.Edit != nil {
		content = t.Edit(below, content)
	}
	return append([]byte(nil), content...), nil
}

// Exists is true if something is there.
func (t *FS) Exists(name string) bool {
	found, err := t.look(name)
	return err == nil && found.Found
}

// IsDir is true for a folder, or a link to one.
func (t *FS) IsDir(name string) bool {
	found, err := t.look(name)
	return err == nil && found.Folder
}

func (t *FS) list(name string) ([]Name, error) {
	below, err := inside(name)
	if err != nil {
		return nil, err
	}
	if names, ok := t.folders[below]; ok {
		return names, nil
	}
	names, err := t.source.List(below)
	if err != nil {
		return nil, t.note(err)
	}
	t.folders[below] = names
	return names, nil
}

// ReadDir returns the names in a folder, sorted.
func (t *FS) ReadDir(name string) ([]string, error) {
	entries, err := t.list(name)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	return names, nil
}

// Glob matches the last part of a pattern; folders with wildcards are not looked through.
func (t *FS) Glob(pattern string) ([]string, error) {
	folder, last := path.Split(pattern)
	if strings.ContainsAny(folder, `*?[\`) {
		return nil, fmt.Errorf("'%s': only the last part of a path may have wildcards", pattern)
	}
	names, err := t.ReadDir(folder)
	if err != nil {
		return nil, nil // as on disk: no folder, no match
	}
	var matches []string
	for _, name := range names {
		matched, err := path.Match(last, name)
		if err != nil {
			return nil, err
		}
		if matched && (filesys.IsHiddenFilePath(pattern) || !strings.HasPrefix(name, ".")) {
			matches = append(matches, path.Join(folder, name))
		}
	}
	return matches, nil
}

// Walk visits nothing: no builtin of kustomize walks, and a walk could not be bounded.
func (t *FS) Walk(name string, _ filepath.WalkFunc) error { return refused("walk", name) }

// Open is not offered: kustomize reads whole files.
func (t *FS) Open(name string) (filesys.File, error) { return nil, refused("open", name) }

// Create is refused, as everything that writes.
func (t *FS) Create(name string) (filesys.File, error) { return nil, refused("create", name) }

// Mkdir is refused.
func (t *FS) Mkdir(name string) error { return refused("mkdir", name) }

// MkdirAll is refused.
func (t *FS) MkdirAll(name string) error { return refused("mkdir", name) }

// RemoveAll is refused.
func (t *FS) RemoveAll(name string) error { return refused("remove", name) }

// WriteFile is refused.
func (t *FS) WriteFile(name string, _ []byte) error { return refused("write", name) }

func refused(doing, name string) error {
	return &fs.PathError{Op: doing, Path: name, Err: os.ErrPermission}
}
