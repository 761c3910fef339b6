// Package treetest serves a folder of the disk as a tree, for tests: the part of plumbd.
package treetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"plumbline.dev/engines/tree"
)

// Disk is a tree.Source. Links must stay inside.
type Disk struct {
	Root string
	Asks []string
}

// New serves root.
func New(root string) (*Disk, error) {
	full, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	full, err = filepath.EvalSymlinks(full)
	return &Disk{Root: full}, err
}

func (d *Disk) resolve(name string) (string, error) {
	if path.IsAbs(name) || name != strings.TrimPrefix(path.Clean("/"+name), "/") {
		return "", fmt.Errorf("'%s' is not a clean path of the repository", name)
	}
	full, err := filepath.EvalSymlinks(filepath.Join(d.Root, name))
	if err != nil {
		return "", err
	}
	if full != d.Root && !strings.HasPrefix(full, d.Root+"/") {
		return "", fmt.Errorf("'%s' is a link out of the repository", name)
	}
	return full, nil
}

// Read implements tree.Source.
func (d *Disk) Read(name string) ([]byte, error) {
	d.Asks = append(d.Asks, "read "+name)
	full, err := d.resolve(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(full)
}

// List implements tree.Source.
func (d *Disk) List(name string) ([]tree.Name, error) {
	d.Asks = append(d.Asks, "list "+name)
	full, err := d.resolve(name)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(full)
	var names []tree.Name
	for _, entry := range entries {
		names = append(names, tree.Name{Name: entry.Name(), Folder: entry.IsDir()})
	}
	return names, err
}

// Look implements tree.Source.
func (d *Disk) Look(name string) (tree.Found, error) {
	d.Asks = append(d.Asks, "look "+name)
	full, err := d.resolve(name)
	if errors.Is(err, fs.ErrNotExist) || (err != nil && strings.Contains(err.Error(), "not a directory")) {
		return tree.Found{}, nil
	}
	if err != nil {
		return tree.Found{}, err
	}
	info, err := os.Stat(full)
	if err != nil {
		return tree.Found{}, err
	}
	below := strings.TrimPrefix(strings.TrimPrefix(full, d.Root), "/")
	return tree.Found{Found: true, Folder: info.IsDir(), Path: below}, nil
}
