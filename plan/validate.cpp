#include "plan/validate.h"

#include <algorithm>
#include <map>

#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "plan/schema_model.h"
#include "plan/schema_walk.h"

namespace plumb::plan {
namespace {

using shape::Json;

struct Kind {
  std::string api_version;
  std::string kind;
  std::string plural;
  bool namespaced = true;
  const shape::Node* root = nullptr;  ///< null: the server says nothing about its shape
  bool deprecated = false;
  std::string deprecation;  ///< the CRD's own words
};

std::string kind_key(std::string_view api_version, std::string_view kind) {
  return std::string(api_version) + ' ' + std::string(kind);
}

std::string group_version(const std::string& group, const std::string& version) {
  return group.empty() ? version : group + "/" + version;
}

bool in_group(const Kind& kind, const std::string& group) {
  const std::size_t slash = kind.api_version.find('/');
  const std::string own = slash == std::string::npos ? "" : kind.api_version.substr(0, slash);
  return own == group;
}

}  // namespace

struct ClusterSchema::Impl {
  std::string version;
  std::vector<std::shared_ptr<const shape::Arena>> arenas;  ///< own the nodes
  std::map<std::string, Kind, std::less<>> kinds;           ///< by kind_key()
  const shape::Node* object_meta = nullptr;

  [[nodiscard]] const Kind* find(std::string_view api_version, std::string_view kind) const {
    const auto found = kinds.find(kind_key(api_version, kind));
    return found == kinds.end() ? nullptr : &found->second;
  }

  void add(Kind kind) {
    std::string key = kind_key(kind.api_version, kind.kind);
    kinds.insert_or_assign(std::move(key), std::move(kind));
  }

  void add_discovery(const Json& list, const std::map<std::string, const shape::Node*>& roots);
  void add_crd(const Json& crd, shape::Compiler& compiler);
  [[nodiscard]] shape::Report::Finding unknown_kind(const ObjectKey& key, bool& at_version) const;
};

void ClusterSchema::Impl::add_discovery(const Json& list,
                                        const std::map<std::string, const shape::Node*>& roots) {
  for (const Json& group : json::list(list, "items")) {
    const std::string name = json::text(json::object(group, "metadata"), "name");
    for (const Json& served : json::list(group, "versions")) {
      const std::string api_version = group_version(name, json::text(served, "version"));
      for (const Json& resource : json::list(served, "resources")) {
        const Json& answer = json::object(resource, "responseKind");
        Kind kind;
        kind.kind = json::text(answer, "kind");
        kind.api_version = api_version;
        if (kind.kind.empty()) continue;
        // A resource may answer with a kind of another version; its objects are written in that
        // one.
        if (const std::string other = json::text(answer, "version"); !other.empty()) {
          kind.api_version = group_version(json::text(answer, "group"), other);
        }
        kind.plural = json::text(resource, "resource");
        kind.namespaced = json::text(resource, "scope") != "Cluster";
        const auto root = roots.find(kind_key(kind.api_version, kind.kind));
        if (root != roots.end()) kind.root = root->second;
        add(std::move(kind));
      }
    }
  }
}

/// The served versions of a CRD take the place of all versions of its kind.
void ClusterSchema::Impl::add_crd(const Json& crd, shape::Compiler& compiler) {
  const Json& spec = json::object(crd, "spec");
  const std::string group = json::text(spec, "group");
  const std::string name = json::text(json::object(spec, "names"), "kind");
  if (group.empty() || name.empty()) return;  // judged as an object of its own
  for (auto entry = kinds.begin(); entry != kinds.end();) {
    const bool replaced = entry->second.kind == name && in_group(entry->second, group);
    entry = replaced ? kinds.erase(entry) : std::next(entry);
  }
  for (const Json& each : json::list(spec, "versions")) {
    if (!json::flag(each, "served")) continue;
    Kind kind;
    kind.api_version = group_version(group, json::text(each, "name"));
    kind.kind = name;
    kind.plural = json::text(json::object(spec, "names"), "plural");
    kind.namespaced = json::text(spec, "scope") != "Cluster";
    kind.deprecated = json::flag(each, "deprecated");
    kind.deprecation = json::text(each, "deprecationWarning");
    const Json& schema = json::object(json::object(each, "schema"), "openAPIV3Schema");
    if (!schema.empty()) kind.root = compiler.custom_root(schema, object_meta);
    add(std::move(kind));
  }
}

/// Says what the cluster has instead. `at_version`: the apiVersion is what is wrong, not the kind.
shape::Report::Finding ClusterSchema::Impl::unknown_kind(const ObjectKey& key,
                                                         bool& at_version) const {
  shape::Report::Finding finding;
  finding.rule = "schema.kind";
  finding.message = "no kind " + printable(key.kind, 80) + " in " + printable(key.api_version, 80) +
                    " on this cluster (" + version + ")";
  std::vector<std::string> same_version;
  std::vector<std::string> all;
  const Kind* elsewhere = nullptr;
  for (const auto& [unused, kind] : kinds) {
    if (kind.kind == key.kind &&
        (elsewhere == nullptr || in_group(kind, std::string(key.group())))) {
      elsewhere = &kind;
    }
    all.push_back(kind.kind);
    if (kind.api_version == key.api_version) same_version.push_back(kind.kind);
  }
  at_version = elsewhere != nullptr;
  finding.subject = at_version ? key.api_version : key.kind;
  if (at_version) {
    finding.hint = "did you mean \"apiVersion: " + elsewhere->api_version + "\"?";
    return finding;
  }
  std::optional<std::string> near = nearest(key.kind, same_version);
  if (!near) near = nearest(key.kind, all);
  finding.hint = near ? "did you mean \"" + *near + "\"?"
                      : "push its CustomResourceDefinition first, or in the same push";
  return finding;
}

Result<std::shared_ptr<const ClusterSchema>> ClusterSchema::compile(
    const std::vector<std::string>& documents,
    const std::vector<std::string>& discovery,
    const std::string& version) {
  json::Limits limits;  // the documents come from the cluster's own server
  limits.max_bytes = 128U << 20U;
  limits.max_depth = 512;
  limits.refuse_duplicate_keys = false;
  std::vector<Json> parsed;
  parsed.reserve(documents.size());
  shape::Compiler compiler;
  for (const std::string& document : documents) {
    parsed.push_back(TRY_DOING("read an OpenAPI document", json::parse(document, limits)));
    compiler.add_components(parsed.back());
  }
  std::map<std::string, const shape::Node*> roots;
  for (const auto& [name, schema] : compiler.components()) {
    const Json& kinds = json::list(*schema, "x-kubernetes-group-version-kind");
    // What names many kinds (DeleteOptions, WatchEvent) is none that anybody writes.
    if (kinds.size() != 1) continue;
    const std::string api_version =
        group_version(json::text(kinds[0], "group"), json::text(kinds[0], "version"));
    roots.emplace(kind_key(api_version, json::text(kinds[0], "kind")), compiler.component(name));
  }
  auto impl = std::make_unique<Impl>();
  impl->version = version;
  impl->object_meta = compiler.component(std::string(shape::kObjectMeta));
  for (const std::string& document : discovery) {
    impl->add_discovery(TRY_DOING("read a discovery document", json::parse(document, limits)),
                        roots);
  }
  if (impl->kinds.empty()) return fail(Errc::invalid, "the cluster's discovery names no kind");
  impl->arenas.push_back(compiler.arena());
  return std::make_shared<const ClusterSchema>(std::move(impl));
}

std::shared_ptr<const ClusterSchema> ClusterSchema::with_crds(
    const std::vector<std::string>& crds) const {
  auto impl = std::make_unique<Impl>(*impl_);
  shape::Compiler compiler;
  for (const std::string& text : crds) {
    const Result<Json> crd = json::parse(text);
    if (crd) impl->add_crd(*crd, compiler);
  }
  impl->arenas.push_back(compiler.arena());
  return std::make_shared<const ClusterSchema>(std::move(impl));
}

bool ClusterSchema::has_kind(std::string_view api_version, std::string_view kind) const {
  return impl_->find(api_version, kind) != nullptr;
}

std::optional<bool> ClusterSchema::namespaced(std::string_view api_version,
                                              std::string_view kind) const {
  const Kind* found = impl_->find(api_version, kind);
  return found == nullptr ? std::nullopt : std::optional(found->namespaced);
}

std::optional<std::string> ClusterSchema::plural(std::string_view api_version,
                                                 std::string_view kind) const {
  const Kind* found = impl_->find(api_version, kind);
  return found == nullptr ? std::nullopt : std::optional(found->plural);
}

const std::string& ClusterSchema::version() const {
  return impl_->version;
}

std::vector<Verdict> ClusterSchema::judge(const Manifest& manifest) const {
  shape::Report report(manifest, impl_->version);
  const shape::Path root;
  const Result<Json> object = json::parse(manifest.json);
  if (!object || !object->is_object()) {
    report.add(root, {"schema.type", object ? "not a mapping" : object.error().message});
    return report.take();
  }
  const Kind* kind = impl_->find(manifest.key.api_version, manifest.key.kind);
  if (kind == nullptr) {
    bool at_version = false;
    shape::Report::Finding finding = impl_->unknown_kind(manifest.key, at_version);
    report.add(root.to(at_version ? "apiVersion" : "kind"), std::move(finding));
    return report.take();
  }
  if (kind->deprecated) {
    const std::string words = kind->deprecation.empty()
                                  ? kind->api_version + " " + kind->kind + " is deprecated"
                                  : printable(kind->deprecation);
    report.add(root.to("apiVersion"),
               {"api.deprecated", words, "", kind->api_version, Effect::warn});
  }
  if (kind->root != nullptr) shape::walk(*kind->root, *object, impl_->object_meta, report);
  shape::judge_object(*object, kind->namespaced, report);
  shape::judge_native(*object, report);
  return report.take();
}

ClusterSchema::ClusterSchema(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClusterSchema::~ClusterSchema() = default;

}  // namespace plumb::plan
