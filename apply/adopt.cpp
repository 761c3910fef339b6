#include "apply/adopt.h"

#include <nlohmann/json.hpp>

#include "drivers/json/json.h"

namespace plumb::apply {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

const json* entries_of(const json& live) {
  const auto metadata = live.find("metadata");
  if (metadata == live.end() || !metadata->is_object()) return nullptr;
  const auto entries = metadata->find("managedFields");
  return entries != metadata->end() && entries->is_array() ? &*entries : nullptr;
}

bool is_our_apply(const json& entry) {
  return text(entry, "manager") == kFieldManager && text(entry, "operation") == "Apply" &&
         text(entry, "subresource").empty();
}

bool is_client_side(const json& entry) {
  const std::string manager = text(entry, "manager");
  return (manager == "kubectl-client-side-apply" || manager == "before-first-apply") &&
         text(entry, "operation") == "Update" && text(entry, "subresource").empty();
}

/// Field sets are nested maps; their union is the union of the keys.
void unite(json& into, const json& more) {
  if (!into.is_object() || !more.is_object()) return;
  for (const auto& [key, value] : more.items()) {
    const auto it = into.find(key);
    if (it == into.end())
      into[key] = value;
    else
      unite(*it, value);
  }
}

}  // namespace

bool is_ours(const json& live) {
  const json* entries = entries_of(live);
  if (entries == nullptr) return false;
  for (const json& entry : *entries) {
    if (is_our_apply(entry)) return true;
  }
  return false;
}

std::optional<std::string> adoption_patch(const json& live) {
  const json* entries = entries_of(live);
  if (entries == nullptr || !is_ours(live)) return std::nullopt;
  json kept = json::array();
  json foreign = json::object();
  for (const json& entry : *entries) {
    if (!is_client_side(entry))
      kept.push_back(entry);
    else if (entry.contains("fieldsV1"))
      unite(foreign, entry["fieldsV1"]);
  }
  if (kept.size() == entries->size()) return std::nullopt;
  for (json& entry : kept) {
    if (is_our_apply(entry) && entry.contains("fieldsV1")) unite(entry["fieldsV1"], foreign);
  }
  return plumb::json::canonical(
      json::array({{{"op", "replace"}, {"path", "/metadata/managedFields"}, {"value", kept}},
                   {{"op", "replace"},
                    {"path", "/metadata/resourceVersion"},
                    {"value", text(live["metadata"], "resourceVersion")}}}));
}

}  // namespace plumb::apply
