#include "plan/schema_walk.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/text.h"
#include "plan/schema_limits.h"
#include "plan/schema_values.h"

namespace plumb::plan::shape {
namespace {

std::string_view type_name(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  if (value.is_string()) return "string";
  return value.is_array() ? "list" : "mapping";
}

bool is_whole(const Json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && std::floor(value.get<double>()) == value.get<double>();
}

bool type_fits(NodeType type, const Json& value) {
  switch (type) {
    case NodeType::any: return true;
    case NodeType::object: return value.is_object();
    case NodeType::list: return value.is_array();
    case NodeType::text:
    case NodeType::time:
    case NodeType::bytes: return value.is_string();
    case NodeType::integer: return is_whole(value);
    case NodeType::number: return value.is_number();
    case NodeType::boolean: return value.is_boolean();
    case NodeType::quantity: return value.is_string() || value.is_number();
    case NodeType::int_or_string: return value.is_string() || is_whole(value);
  }
  return true;
}

bool looks_like_integer(const Json& value) {
  const std::string& text = value.get_ref<const std::string&>();
  return !text.empty() && text.size() < 19 &&
         text.find_first_not_of("0123456789", text[0] == '-' ? 1 : 0) == text.npos && text != "-";
}

std::string type_hint(NodeType wanted, const Json& value) {
  if (wanted == NodeType::list && !value.is_null()) return "write it as a list: \"- ...\"";
  if (wanted == NodeType::text && (value.is_boolean() || value.is_number())) {
    return "write the value in quotes";
  }
  if (!value.is_string()) return {};
  const std::string& text = value.get_ref<const std::string&>();
  const bool number = wanted == NodeType::integer || wanted == NodeType::number;
  if ((number && looks_like_integer(value)) ||
      (wanted == NodeType::boolean && (text == "true" || text == "false"))) {
    return "write the value without quotes";
  }
  return {};
}

class Walker {
 public:
  Walker(const Node* object_meta, Report& report, bool quiet)
      : object_meta_(object_meta), report_(report), quiet_(quiet) {}

  struct Mode {
    bool strict = true;  ///< unknown keys are refused, not only dropped
    bool stored = true;  ///< false inside `status`, which apply drops once its types fit
  };

  void visit(const Node& node, const Json& value, const Path& path, Mode mode) {
    if (report_.full()) return;
    if (!type_fits(node.type, value)) {
      report_.add(path, {"schema.type",
                         "expected " + std::string(to_string(node.type)) + ", got " +
                             std::string(type_name(value)),
                         type_hint(node.type, value)});
      return;
    }
    if (value.is_object()) object(node, value, path, mode);
    if (value.is_array()) list(node, value, path, mode);
    if (!value.is_structured()) scalar(node, value, path);
    if (!node.choices.empty() && mode.stored) check_choice(node, value, path, report_);
    if (node.limits) {
      check_limits(*node.limits, value, path, report_);
      logic(*node.limits, value, path);
    }
  }

 private:
  void object(const Node& node, const Json& value, const Path& path, Mode mode) {
    // Metadata is typed by the server itself, whatever a schema around it lets through.
    if (node.component == kObjectMeta) mode.strict = true;
    Mode below = mode;
    if (node.loose_below) below.strict = false;
    for (const auto& [key, inner] : value.items()) {
      const Path here = path.to(key);
      const Property* property = node.find(key);
      if (property == nullptr && node.embedded && embedded_key(key, inner, here)) continue;
      const Node* inside = property != nullptr ? property->node : node.values;
      if (inside == nullptr) {
        if (!node.open) unknown(node, key, here, mode);
        continue;
      }
      Mode inner_mode = below;
      if (path.up == nullptr && key == "status") inner_mode.stored = false;
      if (inner.is_null()) {
        null(*inside, property != nullptr && property->has_default, here);
      } else {
        visit(*inside, inner, here, inner_mode);
      }
    }
    if (mode.stored) required(node, value, path);
    if (node.component == kPodTemplate) pod_template(value, path);
    if (node.component == kLabelSelector) selector(value, path);
  }

  /// True if the key is one that an embedded object has without its schema saying so.
  bool embedded_key(const std::string& key, const Json& value, const Path& path) {
    if (key == "apiVersion" || key == "kind") {
      if (!value.is_string()) report_.add(path, {"schema.type", "expected string"});
      return true;
    }
    if (key != "metadata") return false;
    if (object_meta_ != nullptr && !value.is_null()) visit(*object_meta_, value, path, {});
    judge_metadata(value, path, report_);
    return true;
  }

  void null(const Node& node, bool has_default, const Path& path) {
    // Built-in kinds read null as "not set"; custom ones only where a default can replace it.
    if (!node.custom || node.nullable || has_default) return;
    report_.add(path, {"schema.null", "null is no " + std::string(to_string(node.type)),
                       "leave the key out"});
  }

  void required(const Node& node, const Json& value, const Path& path) {
    for (const std::string& name : node.required) {
      const auto found = value.find(name);
      const bool unset = found != value.end() && found->is_null() && !node.custom;
      if (found != value.end() && !unset) continue;
      const Property* property = node.find(name);
      if (node.custom && property != nullptr && property->has_default) continue;
      if (!node.custom && server_fills(node, name)) continue;
      missing(name, path);
    }
    if (!node.embedded) return;
    for (const char* name : {"apiVersion", "kind"}) {
      const auto found = value.find(name);
      if (found == value.end() || *found == Json("")) missing(name, path);
    }
  }

  void missing(const std::string& name, const Path& path) {
    report_.add(path, {"schema.required", "required key \"" + name + "\" is missing"});
  }

  void unknown(const Node& node, const std::string& key, const Path& path, Mode mode) {
    if (quiet_) return;
    Report::Finding finding;
    finding.rule = "schema.unknown";
    finding.subject = key;
    finding.effect = mode.strict ? Effect::deny : Effect::warn;
    const std::string above = path.up->shape();
    finding.message = "no such key in " + report_.manifest().key.kind +
                      (above.empty() ? "" : "." + above) + " " + report_.against();
    finding.hint = unknown_hint(node, key, above);
    report_.add(path, std::move(finding));
  }

  void list(const Node& node, const Json& value, const Path& path, Mode mode) {
    if (node.values == nullptr) return;
    std::size_t index = 0;
    for (const Json& item : value) {
      const Path here = path.at(index++);
      if (!item.is_null()) {
        visit(*node.values, item, here, mode);
      } else if (node.list != ListType::atomic) {
        report_.add(here, {"schema.null", "null in a list of " + named(node) + " is refused"});
      } else {
        null(*node.values, false, here);
      }
    }
    if (node.list != ListType::atomic) repeats(node, value, path);
  }

  static std::string named(const Node& node) {
    return node.list == ListType::map ? "items with keys" : "unique items";
  }

  /// Server-side apply refuses a list that holds the same item twice, also where create does not.
  void repeats(const Node& node, const Json& value, const Path& path) {
    std::set<std::string> seen;
    std::size_t index = 0;
    for (const Json& item : value) {
      const Path here = path.at(index++);
      if (node.list == ListType::set) {
        if (!item.is_structured() && !item.is_null() && !seen.insert(item.dump()).second) {
          report_.add(here,
                      {"schema.duplicate", "the same item twice in a list of unique items",
                       "remove one of the two",
                       report_.tainted() || !item.is_string() ? "" : item.get<std::string>()});
        }
        continue;
      }
      if (!item.is_object()) continue;
      const std::string key = list_key(node, item, here);
      if (!key.empty() && !seen.insert(key).second) {
        report_.add(here, {"schema.duplicate",
                           "two items with the same " + key_names(node) + shown_key(node, item),
                           "remove or rename one of the two"});
      }
    }
  }

  static std::string key_names(const Node& node) {
    std::string names;
    for (const std::string& key : node.keys) names += (names.empty() ? "" : " and ") + key;
    return names;
  }

  std::string shown_key(const Node& node, const Json& item) const {
    if (report_.tainted() || node.keys.size() != 1 || !item.contains(node.keys[0])) return {};
    return " " + report_.shown(item[node.keys[0]], "");
  }

  /// What identifies an item of a map list; "" if it has none of the keys and no default stands in.
  std::string list_key(const Node& node, const Json& item, const Path& path) {
    Json keys = Json::array();
    bool any = false;
    for (const std::string& name : node.keys) {
      const auto found = item.find(name);
      const Property* property = node.values->find(name);
      const bool has_default = property != nullptr && property->has_default;
      any = any || found != item.end() || has_default;
      if (found != item.end()) {
        keys.push_back(*found);
      } else {
        keys.push_back(has_default ? property->default_value : Json());
      }
    }
    if (any || node.keys.empty()) return keys.dump();
    const std::vector<std::string>& asked = node.values->required;
    const bool said = std::find(asked.begin(), asked.end(), node.keys[0]) != asked.end();
    if (!said) missing(node.keys[0], path);
    return {};
  }

  void scalar(const Node& node, const Json& value, const Path& path) {
    check_scalar(node, value, path, report_);
  }

  bool fits(const Node& node, const Json& value, const Path& path) const {
    Report probe(report_.manifest(), {});
    Walker(object_meta_, probe, true).visit(node, value, path, {});
    return probe.clean();
  }

  void logic(const Limits& limits, const Json& value, const Path& path) {
    const auto count = [&](const std::vector<const Node*>& branches) {
      return std::count_if(branches.begin(), branches.end(),
                           [&](const Node* branch) { return fits(*branch, value, path); });
    };
    for (const Node* branch : limits.all_of) visit(*branch, value, path, {});
    if (!limits.any_of.empty() && count(limits.any_of) == 0) {
      report_.add(path, {"schema.choice", "at least one" + alternatives(limits.any_of)});
    }
    if (!limits.one_of.empty() && count(limits.one_of) != 1) {
      report_.add(path, {"schema.choice", "exactly one" + alternatives(limits.one_of)});
    }
    if (limits.none_of != nullptr && fits(*limits.none_of, value, path)) {
      report_.add(path, {"schema.choice", "the schema forbids this combination (\"not\")"});
    }
  }

  /// " of "a", "b" must be set" when that is all the branches ask for.
  static std::string alternatives(const std::vector<const Node*>& branches) {
    std::string names;
    for (const Node* branch : branches) {
      if (branch->required.size() != 1 || !branch->properties.empty()) {
        return " of the schema's " + std::to_string(branches.size()) + " alternatives must fit";
      }
      names += (names.empty() ? "\"" : ", \"") + branch->required[0] + "\"";
    }
    return " of " + names + " must be set";
  }

  void pod_template(const Json& value, const Path& path) {
    const auto metadata = value.find("metadata");
    if (metadata == value.end() || quiet_) return;
    judge_metadata(*metadata, path.to("metadata"), report_);
  }

  void selector(const Json& value, const Path& path) {
    const auto labels = value.find("matchLabels");
    if (labels == value.end() || quiet_) return;
    judge_labels(*labels, path.to("matchLabels"), report_);
  }

  static constexpr std::string_view kPodTemplate = "io.k8s.api.core.v1.PodTemplateSpec";
  static constexpr std::string_view kLabelSelector =
      "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector";

  const Node* object_meta_;
  Report& report_;
  bool quiet_;
};

}  // namespace

void walk(const Node& root, const Json& object, const Node* object_meta, Report& report) {
  Walker(object_meta, report, false).visit(root, object, Path{}, {});
}

}  // namespace plumb::plan::shape
