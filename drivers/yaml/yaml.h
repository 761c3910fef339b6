#pragma once
/// drivers/yaml: YAML text as the Kubernetes API server reads it, with the place of every node.
///
///   Reading  YAML 1.1 scalars (policy reference 2.3: `y`, `on`, `0o17`, `1_000` ... are not
///            strings), anchors and `<<` merge keys, several documents, JSON.
///   Refused  a key twice in one mapping, tabs, null keys, aliases that expand past `max_nodes`,
///            more than `max_bytes` or `max_depth`; each with line and column.
///   Threads  any; values are immutable once made.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/place.h"
#include "core/result.h"

namespace plumb::yaml {

struct Limits {
  std::size_t max_bytes = 8U << 20U;
  std::size_t max_nodes = 500'000;
  int max_depth = 64;
};

/// Where nodes of one document stand. Addressed by JSON pointer ("/spec/containers/0/image").
class Marks {
 public:
  struct Mark {
    int key_line =
        0;  ///< of the key that leads to the node; the node's own for list items; 1-based
    int key_column = 0;
    int line = 0;  ///< of the value
    int column = 0;
  };
  /// The mark of the node, or of its nearest parent that is known.
  [[nodiscard]] Mark at(std::string_view pointer) const;

  Marks();
  ~Marks();
  Marks(Marks&&) noexcept;
  Marks& operator=(Marks&&) noexcept;
  struct Table;
  std::unique_ptr<Table> table;
};

struct Document {
  std::unique_ptr<nlohmann::json> value;  ///< never null; JSON null for an empty document
  Marks marks;
  int line = 1;  ///< where the document begins
};

/// All documents of a file; empty ones are left out. An Error's `where` is "file:line:column".
[[nodiscard]] Result<std::vector<Document>> parse_all(std::string_view text,
                                                      const std::string& file,
                                                      const Limits& limits = {});

}  // namespace plumb::yaml
