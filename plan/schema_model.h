#pragma once
/// The compiled form of OpenAPI schemas: a graph of nodes in arenas that are shared between
/// versions of one cluster's schema. References are pointers, so recursion costs nothing. Immutable
/// once built.
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

namespace plumb::plan::shape {

using Json = nlohmann::json;

enum class NodeType {
  any,
  object,
  list,
  text,
  integer,
  number,
  boolean,
  quantity,
  int_or_string,
  time,
  bytes,  ///< base64
};

/// "string", "list": for messages.
[[nodiscard]] std::string_view to_string(NodeType type) noexcept;

enum class ListType { atomic, set, map };

struct Node;

struct Property {
  std::string name;
  const Node* node = nullptr;
  bool has_default = false;
  Json default_value;
};

/// What only some nodes ask for; most have none.
struct Limits {
  std::optional<double> minimum;
  std::optional<double> maximum;
  bool exclusive_minimum = false;
  bool exclusive_maximum = false;
  std::optional<double> multiple_of;
  std::optional<std::size_t> min_length;
  std::optional<std::size_t> max_length;
  std::optional<std::size_t> min_items;
  std::optional<std::size_t> max_items;
  std::optional<std::size_t> min_properties;
  std::optional<std::size_t> max_properties;
  bool unique_items = false;
  std::string pattern;
  std::unique_ptr<const re2::RE2> regex;  ///< null: none, or one that RE2 does not take
  std::vector<const Node*> all_of;
  std::vector<const Node*> any_of;
  std::vector<const Node*> one_of;
  const Node* none_of = nullptr;
};

struct Node {
  NodeType type = NodeType::any;
  bool custom = false;  ///< from a CustomResourceDefinition: other rules for null and defaults
  bool nullable = false;
  bool open = false;  ///< unknown keys are allowed here
  bool loose_below =
      false;  ///< x-kubernetes-preserve-unknown-fields: apply drops unknown keys further down
  bool embedded = false;  ///< holds a whole Kubernetes object
  bool narrow = false;    ///< integer of 32 bits
  ListType list = ListType::atomic;
  std::string component;  ///< "io.k8s.api.core.v1.Container", or empty
  std::string format;
  std::vector<Property> properties;  ///< sorted by name
  std::vector<std::string> required;
  std::vector<std::string> keys;  ///< of a list that is a map
  std::vector<Json> choices;      ///< enum
  const Node* values = nullptr;   ///< of all other keys, or of a list's items
  std::unique_ptr<const Limits> limits;

  [[nodiscard]] const Property* find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> property_names() const;
};

using Arena = std::deque<Node>;

/// Compiles the components of OpenAPI v3 documents and the schemas of CRDs.
class Compiler {
 public:
  Compiler() : arena_(std::make_shared<Arena>()) {}

  /// The documents must outlive the compiler. The first component of a name wins.
  void add_components(const Json& document);
  /// nullptr: no such component.
  const Node* component(const std::string& name);
  [[nodiscard]] const std::map<std::string, const Json*>& components() const { return sources_; }

  /// The root of a CRD's version. `metadata` is the cluster's ObjectMeta, or nullptr.
  const Node* custom_root(const Json& schema, const Node* metadata);

  [[nodiscard]] std::shared_ptr<const Arena> arena() const { return arena_; }

 private:
  const Node* compile(const Json& schema, bool custom, bool logic);
  void fill(Node& node, const Json& schema, bool custom, bool logic);
  void fill_object(Node& node, const Json& schema, bool custom);
  void fill_list(Node& node, const Json& schema, bool custom);
  void fill_limits(Node& node, const Json& schema, bool custom);
  std::vector<const Node*> branches(const Json& schema, const char* key, bool custom);

  std::shared_ptr<Arena> arena_;
  std::map<std::string, const Json*> sources_;
  std::map<std::string, const Node*> done_;
};

inline constexpr std::string_view kObjectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

}  // namespace plumb::plan::shape
