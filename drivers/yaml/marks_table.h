#pragma once
/// The tree behind Marks: one entry a node, no pointer text is kept.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/yaml/yaml.h"

namespace plumb::yaml {

struct Marks::Table {
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    Mark mark;
    std::string key;          ///< of a mapping's entry
    std::uint32_t index = 0;  ///< of a list's item
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
    std::uint32_t next = kNone;
    bool list = false;
  };
  std::vector<Node> nodes;  ///< 0 is the root

  std::uint32_t add(std::uint32_t parent, Node node);
};

}  // namespace plumb::yaml
