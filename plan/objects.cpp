#include "plan/objects.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/json.h"
#include "plan/schema_values.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;

constexpr int kMaxLists = 8;  // a List in a List in a ...
constexpr const char* kNeeded = "a manifest needs apiVersion, kind and metadata.name";

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_list(const Json& value) {
  if (!value.is_object()) return false;
  const std::string kind = text_at(value, "kind");
  if (!kind.ends_with("List")) return false;
  const auto items = value.find("items");
  return items == value.end() ? kind == "List" : items->is_array();
}

void add(Json value,
         const yaml::Marks* marks,
         const std::string& pointer,
         const Place& place,
         int depth,
         std::vector<GivenObject>& into) {
  if (!is_list(value) || depth >= kMaxLists) {
    into.push_back({std::make_unique<Json>(std::move(value)), place});
    return;
  }
  const std::string kind = text_at(value, "kind");
  const std::string item_kind = kind.substr(0, kind.size() - 4);
  Json items = std::move(value["items"]);
  for (std::size_t i = 0; i < items.size(); ++i) {
    Json& item = items[i];
    if (item.is_object() && !item_kind.empty()) {  // a DeploymentList may leave it out
      if (!item.contains("kind")) item["kind"] = item_kind;
      if (!item.contains("apiVersion")) item["apiVersion"] = value["apiVersion"];
    }
    const std::string at = pointer + "/items/" + std::to_string(i);
    Place stands = place;
    if (marks != nullptr) {
      const auto mark = marks->at(at);
      stands = {place.file, mark.line, mark.column};
    }
    add(std::move(item), marks, at, stands, depth + 1, into);
  }
}

bool is_word(std::string_view text, std::string_view others) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

bool is_api_version(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return is_word(text, "");
  return is_word(text.substr(0, slash), "-.") && is_word(text.substr(slash + 1), "");
}

/// What may be a part of an URL's path, as the API server has it.
bool is_object_name(std::string_view name) {
  return name != "." && name != ".." && is_word(name, "-._:@+,=~!$&'()* ;");
}

std::optional<DefinedScope> scope_in(const Json& value) {
  if (!value.is_object() || text_at(value, "kind") != "CustomResourceDefinition")
    return std::nullopt;
  const auto spec = value.find("spec");
  if (spec == value.end() || !spec->is_object()) return std::nullopt;
  const auto names = spec->find("names");
  if (names == spec->end() || !names->is_object()) return std::nullopt;
  return DefinedScope{text_at(*spec, "group") + "/" + text_at(*names, "kind"),
                      text_at(*spec, "scope") != "Cluster"};
}

/// Kinds whose definitions come with the application: no cluster need know them yet.
std::map<std::string, bool> scopes_of(const std::vector<GivenObject>& given) {
  std::map<std::string, bool> scopes;
  for (const GivenObject& object : given) {
    if (auto scope = scope_in(*object.value)) scopes[scope->name] = scope->namespaced;
  }
  return scopes;
}

class Naming {
 public:
  Naming(const ObjectRules& rules, Rendered& rendered, std::map<std::string, bool> scopes)
      : rules_(rules), rendered_(rendered), scopes_(std::move(scopes)) {}

  void name(GivenObject& given) {
    Json& value = *given.value;
    place_ = given.place;
    if (!value.is_object())
      return deny("object.kind", "this is no Kubernetes object: it is no mapping", kNeeded);
    ObjectKey key{text_at(value, "apiVersion"), text_at(value, "kind"), "", ""};
    if (!check_kind(value, key)) return;
    const auto metadata = value.find("metadata");
    if (metadata == value.end() || !metadata->is_object())
      return deny("object.name", key.kind + " has no metadata.name", kNeeded);
    key.name = text_at(*metadata, "name");
    if (!check_name(*metadata, key) || !fill_in_namespace(*metadata, key)) return;
    keep(value, std::move(key));
  }

 private:
  void deny(std::string rule, std::string message, std::string hint = {}) {
    Verdict verdict;
    verdict.rule = std::move(rule);
    verdict.application = rules_.application.id.to_string();
    verdict.place = place_;
    verdict.message = std::move(message);
    verdict.hint = std::move(hint);
    rendered_.verdicts.push_back(std::move(verdict));
  }

  bool check_kind(const Json& value, const ObjectKey& key) {
    const bool version = value.contains("apiVersion");
    const bool kind = value.contains("kind");
    if (!version && !kind) {
      deny("object.kind", "this is no Kubernetes object: it has no apiVersion and no kind",
           "move the file out of the application's folder");
    } else if (!kind) {
      deny("object.kind", "the object has no kind", kNeeded);
    } else if (!is_word(key.kind, "")) {
      deny("object.kind", "kind must be one word, as in  kind: Deployment", kNeeded);
    } else if (!version) {
      deny("object.version", key.kind + " has no apiVersion", kNeeded);
    } else if (!is_api_version(key.api_version)) {
      deny("object.version", "apiVersion of this " + key.kind + " is not like  apps/v1  or  v1");
    } else {
      return true;
    }
    return false;
  }

  bool check_name(const Json& metadata, const ObjectKey& key) {
    if (!metadata.contains("name")) {
      const bool generated = metadata.contains("generateName");
      deny("object.name", key.kind + " has no metadata.name",
           generated ? "an object with generateName would be a new one at every push: name it"
                     : kNeeded);
    } else if (!metadata["name"].is_string()) {
      deny("object.name", "metadata.name of this " + key.kind + " is no text",
           "write it in quotes");
    } else if (!is_object_name(key.name)) {
      deny("object.name", "\"" + printable(key.name, 80) + "\" is no name of an object");
    } else {
      return true;
    }
    return false;
  }

  bool is_namespaced(const ObjectKey& key) {
    const std::string name = scope_name(key.api_version, key.kind);
    if (const auto own = scopes_.find(name); own != scopes_.end()) return own->second;
    if (const auto known = rules_.is_namespaced(key.api_version, key.kind)) return *known;
    rendered_.guessed.insert(name);  // as most are
    return true;
  }

  bool fill_in_namespace(Json& metadata, ObjectKey& key) {
    if (!is_namespaced(key)) {
      metadata.erase("namespace");  // as the API server does
      return true;
    }
    Json& ns = metadata["namespace"];
    if (ns.is_null() || ns == "") ns = rules_.application.ns;
    if (!ns.is_string() || !shape::is_dns_label(ns.get_ref<const std::string&>())) {
      deny("object.namespace",
           "metadata.namespace of " + key.kind + " " + key.name + " is no name of a namespace",
           "lower-case letters, digits and -, at most 63");
      return false;
    }
    key.ns = ns.get<std::string>();
    return true;
  }

  void keep(const Json& value, ObjectKey key) {
    const auto [first, fresh] = places_.emplace(key.identity(), place_);
    if (!fresh) {
      const std::string there = first->second.to_string();
      return deny("object.duplicate",
                  key.title() + " is there twice" + (there.empty() ? "" : ", first in " + there),
                  "remove one, or give it another name");
    }
    Manifest manifest;
    manifest.tainted = key.kind == "Secret" && key.group().empty();
    manifest.json = json::canonical(value);
    manifest.hash = content_hash(manifest.json, manifest.tainted, rules_.key);
    manifest.key = std::move(key);
    manifest.place = place_;
    rendered_.objects.push_back(std::move(manifest));
  }

  const ObjectRules& rules_;
  Rendered& rendered_;
  std::map<std::string, bool> scopes_;
  std::map<std::string, Place> places_;
  Place place_;
};

}  // namespace

void add_given(std::unique_ptr<Json> value,
               const yaml::Marks* marks,
               const Place& place,
               std::vector<GivenObject>& into) {
  add(std::move(*value), marks, "", place, 0, into);
}

std::string scope_name(std::string_view api_version, std::string_view kind) {
  const auto slash = api_version.find('/');
  const auto group = slash == std::string_view::npos ? "" : api_version.substr(0, slash);
  return std::string(group) + "/" + std::string(kind);
}

std::optional<DefinedScope> defined_scope(const Manifest& object) {
  if (object.key.kind != "CustomResourceDefinition") return std::nullopt;
  const auto value = json::parse(object.json);
  return value ? scope_in(*value) : std::nullopt;
}

void name_objects(std::vector<GivenObject> given, const ObjectRules& rules, Rendered& rendered) {
  Naming naming(rules, rendered, scopes_of(given));
  for (GivenObject& object : given) naming.name(object);
  std::sort(
      rendered.objects.begin(), rendered.objects.end(),
      [](const Manifest& a, const Manifest& b) { return a.key.identity() < b.key.identity(); });
  if (!rendered.objects.empty() || !rendered.verdicts.empty()) return;
  Verdict verdict;
  verdict.rule = "render.empty";
  verdict.application = rules.application.id.to_string();
  verdict.place = rules.application.declared_at;
  verdict.message = "'" + printable(rules.application.path) + "' renders to no object at all";
  verdict.hint = "to remove the application, remove its document or its folder";
  rendered.verdicts.push_back(std::move(verdict));
}

}  // namespace plumb::plan
