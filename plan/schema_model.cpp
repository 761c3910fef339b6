#include "plan/schema_model.h"

#include <algorithm>

namespace plumb::plan::shape {
namespace {

constexpr std::string_view kRefPrefix = "#/components/schemas/";

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string text(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool flag(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> all;
  const Json* list = member(object, key);
  if (list == nullptr || !list->is_array()) return all;
  for (const Json& item : *list) {
    if (item.is_string()) all.push_back(item.get<std::string>());
  }
  return all;
}

std::optional<double> number(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_number() ? std::optional(value->get<double>())
                                                : std::nullopt;
}

std::optional<std::size_t> size(const Json& object, const char* key) {
  const Json* value = member(object, key);
  if (value == nullptr || !value->is_number_integer() || value->get<std::int64_t>() < 0) {
    return std::nullopt;
  }
  return value->get<std::size_t>();
}

bool starts_with(std::string_view whole, std::string_view start) {
  return whole.substr(0, start.size()) == start;
}

/// The names that Kubernetes gives to its own Go types; everything else came from a CRD.
bool is_custom(std::string_view component) {
  return !starts_with(component, "io.k8s.api.") &&
         !starts_with(component, "io.k8s.apimachinery.") &&
         !starts_with(component, "io.k8s.kube-aggregator.") &&
         !starts_with(component, "io.k8s.apiextensions-apiserver.");
}

/// The component that a schema stands for: a bare $ref, or one in an allOf beside a description.
std::string referenced(const Json& schema) {
  std::string ref = text(schema, "$ref");
  const Json* all = member(schema, "allOf");
  if (ref.empty() && all != nullptr && all->is_array() && all->size() == 1) {
    ref = text((*all)[0], "$ref");
  }
  return starts_with(ref, kRefPrefix) ? ref.substr(kRefPrefix.size()) : std::string();
}

NodeType type_of(const Json& schema, bool custom) {
  const std::string type = text(schema, "type");
  const std::string format = text(schema, "format");
  if (format == "int-or-string" || flag(schema, "x-kubernetes-int-or-string")) {
    return NodeType::int_or_string;
  }
  if (type == "object") return NodeType::object;
  if (type == "array") return NodeType::list;
  if (type == "integer") return NodeType::integer;
  if (type == "number") return NodeType::number;
  if (type == "boolean") return NodeType::boolean;
  if (type != "string") return NodeType::any;
  if (!custom && format == "byte") return NodeType::bytes;
  if (!custom && format == "date-time") return NodeType::time;
  return NodeType::text;
}

std::string metadata_of(const char* word) {
  return std::string(kObjectMeta.substr(0, kObjectMeta.rfind('.') + 1)) + word;
}

}  // namespace

std::string_view to_string(NodeType type) noexcept {
  switch (type) {
    case NodeType::any: return "any value";
    case NodeType::object: return "mapping";
    case NodeType::list: return "list";
    case NodeType::text: return "string";
    case NodeType::integer: return "integer";
    case NodeType::number: return "number";
    case NodeType::boolean: return "boolean";
    case NodeType::quantity: return "quantity";
    case NodeType::int_or_string: return "integer or string";
    case NodeType::time: return "time";
    case NodeType::bytes: return "base64 text";
  }
  return "any value";
}

const Property* Node::find(std::string_view name) const {
  const auto found = std::lower_bound(
      properties.begin(), properties.end(), name,
      [](const Property& property, std::string_view key) { return property.name < key; });
  return found != properties.end() && found->name == name ? &*found : nullptr;
}

std::vector<std::string> Node::property_names() const {
  std::vector<std::string> names;
  for (const Property& property : properties) names.push_back(property.name);
  return names;
}

void Compiler::add_components(const Json& document) {
  const Json* components = member(document, "components");
  const Json* schemas = components == nullptr ? nullptr : member(*components, "schemas");
  if (schemas == nullptr || !schemas->is_object()) return;
  for (const auto& [name, schema] : schemas->items()) sources_.emplace(name, &schema);
}

const Node* Compiler::component(const std::string& name) {
  if (const auto found = done_.find(name); found != done_.end()) return found->second;
  const auto source = sources_.find(name);
  if (source == sources_.end()) return nullptr;
  Node& node = arena_->emplace_back();
  done_.emplace(name, &node);  // before its inside, which may name it again
  node.component = name;
  if (name == "io.k8s.apimachinery.pkg.api.resource.Quantity") {
    node.type = NodeType::quantity;
    return &node;
  }
  fill(node, *source->second, is_custom(name), false);
  if (name == metadata_of("MicroTime")) node.format = "micro";
  return &node;
}

const Node* Compiler::custom_root(const Json& schema, const Node* metadata) {
  Node& root = arena_->emplace_back();
  fill(root, schema, true, false);
  Node& word = arena_->emplace_back();
  word.type = NodeType::text;
  if (metadata == nullptr) {
    Node& open = arena_->emplace_back();
    open.type = NodeType::object;
    open.open = true;
    metadata = &open;
  }
  root.type = NodeType::object;
  for (const auto& [name, node] : std::map<std::string, const Node*>{
           {"apiVersion", &word}, {"kind", &word}, {"metadata", metadata}}) {
    const auto at = std::lower_bound(
        root.properties.begin(), root.properties.end(), name,
        [](const Property& property, const std::string& key) { return property.name < key; });
    if (at != root.properties.end() && at->name == name) {
      at->node = node;
    } else {
      root.properties.insert(at, Property{name, node, false, Json()});
    }
  }
  return &root;
}

const Node* Compiler::compile(const Json& schema, bool custom, bool logic) {
  if (const std::string name = referenced(schema); !name.empty()) {
    if (const Node* known = component(name)) return known;
  }
  Node& node = arena_->emplace_back();
  fill(node, schema, custom, logic);
  return &node;
}

void Compiler::fill(Node& node, const Json& schema, bool custom, bool logic) {
  node.custom = custom;
  node.type = type_of(schema, custom);
  node.format = text(schema, "format");
  node.narrow = node.format == "int32";
  node.loose_below = flag(schema, "x-kubernetes-preserve-unknown-fields");
  node.embedded = flag(schema, "x-kubernetes-embedded-resource");
  node.open = node.loose_below || logic || node.type == NodeType::any;
  // A branch of oneOf and its like only adds conditions; its parent judges null.
  node.nullable = logic || node.type == NodeType::any || flag(schema, "nullable");
  if (const Json* choices = member(schema, "enum"); choices != nullptr && choices->is_array()) {
    node.choices.assign(choices->begin(), choices->end());
  }
  node.required = texts(schema, "required");
  fill_object(node, schema, custom);
  fill_list(node, schema, custom);
  if (custom) fill_limits(node, schema, custom);
}

void Compiler::fill_object(Node& node, const Json& schema, bool custom) {
  const bool logic = node.type == NodeType::any && node.open && !node.loose_below && custom;
  if (const Json* properties = member(schema, "properties");
      properties != nullptr && properties->is_object()) {
    node.properties.reserve(properties->size());
    for (const auto& [name, inner] : properties->items()) {
      Property property{name, compile(inner, custom, logic), false, Json()};
      if (const Json* value = member(inner, "default")) {
        property.has_default = true;
        property.default_value = *value;
      }
      node.properties.push_back(std::move(property));
    }
  }
  if (node.type != NodeType::object) return;
  const Json* values = member(schema, "additionalProperties");
  if (values != nullptr && values->is_object()) {
    node.values = compile(*values, custom, false);
  } else if (values != nullptr && values->is_boolean() && values->get<bool>()) {
    node.open = true;
  } else if (node.properties.empty()) {
    node.open = true;  // server-side apply deduces the type of an object that declares nothing
  }
}

void Compiler::fill_list(Node& node, const Json& schema, bool custom) {
  if (const Json* items = member(schema, "items"); items != nullptr && items->is_object()) {
    const bool logic = node.type == NodeType::any && custom;
    if (node.type == NodeType::list || logic) node.values = compile(*items, custom, logic);
  }
  const std::string type = text(schema, "x-kubernetes-list-type");
  node.list = type == "set" ? ListType::set : type == "map" ? ListType::map : ListType::atomic;
  node.keys = texts(schema, "x-kubernetes-list-map-keys");
}

std::vector<const Node*> Compiler::branches(const Json& schema, const char* key, bool custom) {
  std::vector<const Node*> nodes;
  const Json* list = member(schema, key);
  if (list == nullptr || !list->is_array()) return nodes;
  for (const Json& branch : *list) nodes.push_back(compile(branch, custom, true));
  return nodes;
}

void Compiler::fill_limits(Node& node, const Json& schema, bool custom) {
  static constexpr const char* kKeys[] = {
      "minimum",     "maximum",  "multipleOf",    "minLength", "maxLength",
      "minItems",    "maxItems", "minProperties", "pattern",   "maxProperties",
      "uniqueItems", "allOf",    "anyOf",         "oneOf",     "not"};
  if (std::none_of(std::begin(kKeys), std::end(kKeys),
                   [&](const char* key) { return member(schema, key) != nullptr; })) {
    return;
  }
  auto limits = std::make_unique<Limits>();
  limits->minimum = number(schema, "minimum");
  limits->maximum = number(schema, "maximum");
  limits->exclusive_minimum = flag(schema, "exclusiveMinimum");
  limits->exclusive_maximum = flag(schema, "exclusiveMaximum");
  limits->multiple_of = number(schema, "multipleOf");
  limits->min_length = size(schema, "minLength");
  limits->max_length = size(schema, "maxLength");
  limits->min_items = size(schema, "minItems");
  limits->max_items = size(schema, "maxItems");
  limits->min_properties = size(schema, "minProperties");
  limits->max_properties = size(schema, "maxProperties");
  limits->unique_items = flag(schema, "uniqueItems");
  limits->pattern = text(schema, "pattern");
  if (!limits->pattern.empty()) {
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(1 << 20);  // a pattern comes with a push
    auto regex = std::make_unique<const re2::RE2>(limits->pattern, options);
    if (regex->ok()) limits->regex = std::move(regex);
  }
  // int-or-string carries an anyOf that only says so.
  if (node.type != NodeType::int_or_string) {
    limits->all_of = branches(schema, "allOf", custom);
    limits->any_of = branches(schema, "anyOf", custom);
    limits->one_of = branches(schema, "oneOf", custom);
    if (const Json* other = member(schema, "not")) limits->none_of = compile(*other, custom, true);
  }
  node.limits = std::move(limits);
}

}  // namespace plumb::plan::shape
