package kustomize

import (
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const originAnnotations = "originAnnotations"

// withOrigins adds `originAnnotations` to the buildMetadata of a kustomization, by inserting text and
// without touching any other byte. The second value says whether the author asked for it already;
// content that cannot be edited surely comes back unchanged, and kustomize then says what is wrong.
func withOrigins(content []byte) (edited []byte, asked bool) {
	before, root := decode(content)
	if root == nil {
		return content, false
	}
	key, list := find(root, "buildMetadata")
	switch {
	case key == nil && len(root.Content) == 0:
		return content, false
	case key == nil && root.Style&yaml.FlowStyle != 0:
		edited = insert(content, root.Line, root.Column, "buildMetadata: ["+originAnnotations+"], ")
	case key == nil:
		first := root.Content[0]
		edited = insertLine(content, first.Line, first.Column, "buildMetadata: ["+originAnnotations+"]")
	case list.Kind != yaml.SequenceNode:
		return content, false
	case holds(list, originAnnotations):
		return content, true
	case list.Style&yaml.FlowStyle != 0:
		edited = insert(content, list.Line, list.Column, originAnnotations+", ")
	default:
		edited = insertLine(content, list.Line, list.Column, "- "+originAnnotations)
	}
	if after, _ := decode(edited); !sameButOrigins(before, after) {
		return content, false
	}
	return edited, false
}

// declares is true if the kustomization has the key.
func declares(content []byte, name string) bool {
	_, root := decode(content)
	if root == nil {
		return false
	}
	key, _ := find(root, name)
	return key != nil
}

func decode(content []byte) (map[string]any, *yaml.Node) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil || len(document.Content) != 1 {
		return nil, nil
	}
	root := document.Content[0]
	var value map[string]any
	if root.Kind != yaml.MappingNode || root.Decode(&value) != nil {
		return nil, nil
	}
	return value, root
}

func find(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

func holds(list *yaml.Node, word string) bool {
	return slices.ContainsFunc(list.Content, func(item *yaml.Node) bool { return item.Value == word })
}

// offset of a 1-based line and column (in characters); -1 if there is no such place.
func offset(content []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(string(content[at:]), '\n')
		if next < 0 {
			return -1
		}
		at += next + 1
	}
	for i := range string(content[at:]) {
		if column--; column == 0 {
			return at + i
		}
	}
	return -1
}

// insert puts text behind the bracket that opens at the place.
func insert(content []byte, line, column int, text string) []byte {
	at := offset(content, line, column)
	if at < 0 || (content[at] != '{' && content[at] != '[') {
		return content
	}
	return slices.Concat(content[:at+1], []byte(text), content[at+1:])
}

// insertLine puts a line with the same indent before the place, which must be first on its line.
func insertLine(content []byte, line, column int, text string) []byte {
	start, at := offset(content, line, 1), offset(content, line, column)
	if start < 0 || at < 0 || strings.Trim(string(content[start:at]), " ") != "" {
		return content
	}
	indent := strings.Repeat(" ", at-start)
	return slices.Concat(content[:start], []byte(indent+text+"\n"), content[start:])
}

func sameButOrigins(before, after map[string]any) bool {
	if after == nil {
		return false
	}
	list, _ := after["buildMetadata"].([]any)
	if len(list) == 0 || list[0] != any(originAnnotations) {
		return false
	}
	asked, had := before["buildMetadata"]
	if asked, _ := asked.([]any); !slices.EqualFunc(asked, list[1:], func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
		return false
	}
	if had {
		after["buildMetadata"] = asked
	} else {
		delete(after, "buildMetadata")
	}
	return reflect.DeepEqual(before, after)
}
