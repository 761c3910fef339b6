#!/usr/bin/env python3
"""Cuts a cluster's OpenAPI v3 and discovery documents down to what the unit tests need.

usage: trim-openapi.py SOURCE TARGET

SOURCE holds openapi-*.json (GET /openapi/v3/<group version>) and discovery-api.json, discovery-apis.json
(GET /api, /apis as APIGroupDiscoveryList). Paths, descriptions and definitions that no kind
of the cluster uses are left out.
"""
import json
import pathlib
import sys


def bare(value, inside_properties=False):
    """A copy without descriptions; a property may be called "description" and stays."""
    if isinstance(value, list):
        return [bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: bare(item, key == "properties" and not inside_properties)
            for key, item in value.items()
            if inside_properties or key not in ("description", "x-kubernetes-patch-strategy",
                                                "x-kubernetes-patch-merge-key", "x-kubernetes-unions")}


def references(value):
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item.rsplit("/", 1)[1]
            else:
                yield from references(item)


def write(path, document):
    path.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")


def trim_discovery(source, target):
    """Returns the (group, version, kind) that the cluster serves."""
    served = set()
    for path in sorted(source.glob("discovery-*.json")):
        groups = []
        for group in json.loads(path.read_text())["items"]:
            name = group["metadata"].get("name", "")
            versions = []
            for version in group["versions"]:
                resources = [{key: resource[key] for key in ("resource", "responseKind", "scope")}
                             for resource in version["resources"]]
                served.update((name, version["version"], resource["responseKind"]["kind"]) for resource in resources)
                versions.append({"version": version["version"], "resources": resources})
            groups.append({"metadata": {"name": name} if name else {}, "versions": versions})
        write(target / path.name, {"kind": "APIGroupDiscoveryList", "items": groups})
    return served


def trim_schemas(source, target, served):
    seen = set()
    for path in sorted(source.glob("openapi-*.json")):
        schemas = json.loads(path.read_text())["components"]["schemas"]
        wanted = []
        for name, schema in schemas.items():
            kinds = schema.get("x-kubernetes-group-version-kind", [])
            if len(kinds) == 1 and (kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]) in served:
                wanted.append(name)
        kept = {}
        while wanted:
            name = wanted.pop()
            if name in kept or name in seen:
                continue
            kept[name] = bare(schemas[name])
            wanted.extend(references(schemas[name]))
        seen.update(kept)
        if kept:
            write(target / path.name, {"components": {"schemas": kept}})


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    trim_schemas(source, target, trim_discovery(source, target))


main()
