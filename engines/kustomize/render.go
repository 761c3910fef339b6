// Package kustomize renders with the library of kustomize itself, hermetically: it reads one Git tree
// through its parent and can reach neither network nor disk nor any program.
package kustomize

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"regexp"
	"runtime/debug"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"plumbline.dev/engines/tree"
)

// Version of the library; go.mod is checked against it by a test.
const Version = "v0.21.1"

// MaxResult bounds the JSON of all objects of a render together.
const MaxResult = 40 << 20

// Object is one rendered object and where it came from.
type Object struct {
	JSON       string `json:"json"`
	OriginPath string `json:"origin_path"`
	OriginKind string `json:"origin_kind"`
	OriginName string `json:"origin_name"`
}

// Result of a render. Recycle: the render changed state of the process that cannot be trusted to be
// undone (a custom OpenAPI schema), so it should be the last one.
type Result struct {
	Objects []Object
	Recycle bool
}

var errNoNetwork = errors.New("a render has no network: copy the file into the repository")

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoNetwork }

// Seal takes from this process what kustomize could reach around the file system given to it: the
// environment (values for `envs`, PATH to find git and helm), HTTP, and the log.
func Seal() {
	os.Clearenv()
	http.DefaultTransport = noNetwork{}
	http.DefaultClient = &http.Client{Transport: noNetwork{}}
	log.SetOutput(io.Discard)
}

// Render builds the kustomization in folder (from the repository's root), as `kubectl kustomize` does.
func Render(source tree.Source, folder string) (result Result, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			if _, ends := trouble.(tree.Broken); ends {
				panic(trouble)
			}
			err = fmt.Errorf("kustomize failed inside: %v", trouble)
			fmt.Fprintf(os.Stderr, "panic: %v\n%s", trouble, debug.Stack())
		}
	}()
	files := tree.New(source)
	target := path.Join(tree.Mount, folder)
	root, file, err := files.CleanedAbs(target)
	switch {
	case err != nil && files.Trouble() == nil:
		return Result{}, fmt.Errorf("there is no folder '%s'", folder)
	case err != nil:
		return Result{}, err
	case file != "":
		return Result{}, fmt.Errorf("'%s' is a file, not a folder", folder)
	}
	r := render{files: files, target: target, root: strings.TrimPrefix(root.String(), tree.Mount)}
	result, err = r.run()
	if err != nil {
		return Result{Recycle: r.hasSchema()}, r.explain(err)
	}
	return result, nil
}

type render struct {
	files  *tree.FS
	target string
	root   string // the kustomization's folder after links, "/apps/web" or ""
	asked  bool   // the author wants origin annotations
	edited bool
}

func isKustomization(name string) bool {
	for _, known := range konfig.RecognizedKustomizationFileNames() {
		if path.Base(name) == known {
			return true
		}
	}
	return false
}

// run renders once with origin annotations, which tell where each object came from. Where they could
// have changed the result, it renders again without, and only that result counts.
func (r *render) run() (Result, error) {
	r.files.Edit = func(name string, content []byte) []byte {
		if !isKustomization(name) || path.Dir("/"+name) != path.Join("/", r.root) {
			return content
		}
		edited, asked := withOrigins(content)
		r.asked = asked
		r.edited = len(edited) != len(content)
		return edited
	}
	marked, err := r.build()
	if r.edited && (err != nil || r.couldTell()) {
		r.files.Edit = nil
		origins := originsOf(marked)
		plain, err := r.build()
		if err != nil {
			return Result{}, err
		}
		return r.collect(plain, origins)
	}
	if err != nil {
		return Result{}, err
	}
	return r.collect(marked, originsOf(marked))
}

func (r *render) build() (resmap.ResMap, error) {
	if r.hasSchema() {
		openapi.ResetOpenAPI() // of an earlier build
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	options.PluginConfig = types.DisabledPluginConfig()
	return krusty.MakeKustomizer(options).Run(r.files, r.target)
}

// telling matches what can read or address the annotation: JSON patches and replacements of metadata,
// deletion directives, hashes over whole objects, and escapes that could hide one of them.
var telling = regexp.MustCompile(`/metadata|metadata\.(annotations|\*|\[)|(?m:metadata["']?[ \t]*([,}\]]|$))|\$patch|` +
	`needs-hash|config\.kubernetes\.io/|path["']?:[ \t]*(""|''|"/"|'/'|/[ \t]*(#|$))|\\[uxU\r\n]|origin`)

func (r *render) couldTell() bool {
	found := false
	r.files.Files(func(_ string, content []byte) { found = found || telling.Match(content) })
	return found
}

func (r *render) hasSchema() bool {
	found := false
	r.files.Files(func(name string, content []byte) {
		found = found || (isKustomization(name) && declares(content, "openapi"))
	})
	return found
}

func (r *render) collect(objects resmap.ResMap, origins map[string]origin) (Result, error) {
	result := Result{Objects: make([]Object, 0, objects.Size()), Recycle: r.hasSchema()}
	size := 0
	for _, object := range objects.Resources() {
		from := origins[object.CurId().String()]
		if !r.asked {
			if err := object.SetOrigin(nil); err != nil {
				return Result{}, err
			}
		}
		text, err := object.MarshalJSON()
		if err != nil {
			return Result{}, fmt.Errorf("%s '%s': %w", object.GetKind(), object.GetName(), err)
		}
		if size += len(text); size > MaxResult {
			return Result{}, fmt.Errorf("the rendered objects are larger than %d MiB", MaxResult>>20)
		}
		made := Object{JSON: string(text)}
		made.OriginPath, made.OriginKind, made.OriginName = r.locate(from, object)
		result.Objects = append(result.Objects, made)
	}
	return result, nil
}

const maxMessage = 16 << 10

// explain words an error for the author of the files: paths from the repository's root, the true cause
// where kustomize hides it, and what to do about what is not offered.
func (r *render) explain(err error) error {
	text := err.Error()
	hint := ""
	switch {
	case strings.Contains(text, "no 'git' program on path"):
		hint = "remote bases are not fetched (a render has no network): copy the base into the repository: "
	case strings.Contains(text, errNoNetwork.Error()):
		hint = "remote files are not fetched: "
	case strings.Contains(text, "must specify --enable-helm"):
		hint = "helmCharts in a kustomization are not rendered: "
	case strings.Contains(text, "external plugins disabled"):
		hint = "only kustomize's builtin generators and transformers may run: "
	}
	if trouble := r.files.Trouble(); trouble != nil && !strings.Contains(text, trouble.Error()) {
		text = trouble.Error() + ": " + text
	}
	text = hint + text
	text = strings.ReplaceAll(text, tree.Mount+"/", "")
	text = strings.ReplaceAll(text, tree.Mount, ".")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return errors.New(text)
}
