#include <charconv>

#include "drivers/yaml/marks_table.h"

namespace plumb::yaml {
namespace {

/// "~1" is '/', "~0" is '~' (RFC 6901).
std::string unescaped(std::string_view token) {
  std::string text;
  text.reserve(token.size());
  for (std::size_t at = 0; at < token.size(); ++at) {
    if (token[at] == '~' && at + 1 < token.size()) {
      text += token[++at] == '1' ? '/' : '~';
    } else {
      text += token[at];
    }
  }
  return text;
}

}  // namespace

std::uint32_t Marks::Table::add(std::uint32_t parent, Node node) {
  const auto id = static_cast<std::uint32_t>(nodes.size());
  nodes.push_back(std::move(node));
  if (parent == kNone) return id;
  Node& above = nodes[parent];
  if (above.last == kNone) {
    above.first = id;
  } else {
    nodes[above.last].next = id;
  }
  above.last = id;
  return id;
}

Marks::Marks() : table(std::make_unique<Table>()) {}
Marks::~Marks() = default;
Marks::Marks(Marks&&) noexcept = default;
Marks& Marks::operator=(Marks&&) noexcept = default;

Marks::Mark Marks::at(std::string_view pointer) const {
  if (!table || table->nodes.empty()) return {};
  const std::vector<Table::Node>& nodes = table->nodes;
  std::uint32_t here = 0;
  while (!pointer.empty() && pointer[0] == '/') {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    const std::string token = unescaped(pointer.substr(0, end));
    pointer.remove_prefix(end);
    std::uint32_t index = 0;
    const bool is_index =
        std::from_chars(token.data(), token.data() + token.size(), index).ec == std::errc();
    std::uint32_t child = nodes[here].first;
    while (child != Table::kNone) {
      const Table::Node& node = nodes[child];
      if (nodes[here].list ? is_index && node.index == index : node.key == token) break;
      child = node.next;
    }
    if (child == Table::kNone) break;
    here = child;
  }
  return nodes[here].mark;
}

}  // namespace plumb::yaml
