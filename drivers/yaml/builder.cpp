#include "drivers/yaml/builder.h"

#include <algorithm>

#include "core/text.h"
#include "drivers/yaml/scalar.h"

namespace plumb::yaml {

void Builder::OnDocumentStart(const YAML::Mark& mark) {
  document_ = Document{};
  document_.value = std::make_unique<Json>();
  document_.line = mark.line + 1;
  anchors_.clear();
  open_.clear();
}

void Builder::OnDocumentEnd() {
  if (!document_.value->is_null()) documents_.push_back(std::move(document_));
  document_ = Document{};
}

void Builder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (wants_key()) throw Refused{mark, "a key is null", "write the key in quotes"};
  leaf(mark, anchor, Json());
}

void Builder::OnScalar(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       const std::string& value) {
  check_tabs(mark);
  if (wants_key()) return take_key(mark, tag, value);
  Result<Json> scalar = resolve(tag, value);
  if (!scalar) throw Refused{mark, scalar.error().message, {}};
  settle_number(*scalar);
  leaf(mark, anchor, *std::move(scalar));
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end()) throw Refused{mark, "an alias names no anchor", {}};
  if (!found->second.complete) throw Refused{mark, "an alias stands inside what it names", {}};
  const Anchor& meant = found->second;
  if (wants_key()) {
    const Result<std::string> key = as_key(meant.value);
    if (!key) throw Refused{mark, "a key is an alias of no text", {}};
    return take_key(mark, "!", *key);
  }
  count(mark, meant.nodes, meant.bytes);
  add_mark(mark, false);
  place(mark, meant.value, meant.height);
}

void Builder::OnSequenceStart(const YAML::Mark& mark,
                              const std::string& /*tag*/,
                              YAML::anchor_t anchor,
                              YAML::EmitterStyle::value style) {
  begin(mark, anchor, false, style == YAML::EmitterStyle::Flow);
}

void Builder::OnSequenceEnd() {
  end();
}

void Builder::OnMapStart(const YAML::Mark& mark,
                         const std::string& /*tag*/,
                         YAML::anchor_t anchor,
                         YAML::EmitterStyle::value style) {
  begin(mark, anchor, true, style == YAML::EmitterStyle::Flow);
}

void Builder::OnMapEnd() {
  merge_into(open_.back());
  end();
}

void Builder::begin(const YAML::Mark& mark, YAML::anchor_t anchor, bool map, bool flow) {
  check_tabs(mark);
  if (wants_key()) throw Refused{mark, "a key is a mapping or a list", {}};
  if (open_.size() >= static_cast<std::size_t>(limits_.max_depth)) {
    throw Refused{mark, "nested deeper than " + std::to_string(limits_.max_depth) + " levels", {}};
  }
  Frame frame;
  frame.map = map;
  frame.flow = flow;
  frame.value = map ? Json::object() : Json::array();
  frame.anchor = anchor;
  frame.nodes_before = nodes_;
  frame.bytes_before = bytes_;
  count(mark, 1, 0);
  frame.node = add_mark(mark, !map);
  if (anchor != 0) anchors_[anchor] = Anchor{};
  open_.push_back(std::move(frame));
}

void Builder::end() {
  Frame frame = std::move(open_.back());
  open_.pop_back();
  if (frame.anchor != 0) {
    Anchor anchor{Json(), nodes_ - frame.nodes_before, bytes_ - frame.bytes_before, frame.height,
                  true};
    count(frame.key_mark, anchor.nodes, anchor.bytes);  // what is kept for aliases is memory too
    anchor.value = frame.value;
    anchors_[frame.anchor] = std::move(anchor);
  }
  place(frame.key_mark, std::move(frame.value), frame.height);
}

void Builder::count(const YAML::Mark& mark, std::size_t nodes, std::size_t bytes) {
  nodes_ += nodes;
  bytes_ += bytes;
  if (nodes_ > limits_.max_nodes) {
    throw Refused{
        mark, "more than " + std::to_string(limits_.max_nodes) + " nodes, aliases counted", {}};
  }
  // Without aliases the texts cannot be longer than the file, anchored ones kept twice.
  if (bytes_ > 3 * limits_.max_bytes) throw Refused{mark, "aliases make the file too large", {}};
}

/// The server's reader takes no tab where indentation is read: between the start of a line, or a
/// "-", and what follows, outside brackets.
void Builder::check_tabs(const YAML::Mark& mark) const {
  if (!open_.empty() && open_.back().flow) return;
  if (mark.pos < 0 || static_cast<std::size_t>(mark.pos) > text_.size()) return;
  auto at = static_cast<std::size_t>(mark.pos);
  bool tab = false;
  while (at > 0 && (text_[at - 1] == ' ' || text_[at - 1] == '\t')) {
    --at;
    tab = tab || text_[at] == '\t';
  }
  if (!tab) return;
  const bool line_start = at == 0 || text_[at - 1] == '\n' || text_[at - 1] == '\r';
  const bool after_dash =
      at > 0 && text_[at - 1] == '-' && (at == 1 || text_[at - 2] == ' ' || text_[at - 2] == '\n');
  if (!line_start && !after_dash) return;
  throw Refused{mark, "a tab in the indentation", "YAML wants spaces"};
}

void Builder::take_key(const YAML::Mark& mark, std::string_view tag, const std::string& text) {
  Frame& frame = open_.back();
  frame.has_key = true;
  frame.key_mark = mark;
  count(mark, 0, text.size());
  frame.merge = text == "<<" && (tag == "?" || tag == "tag:yaml.org,2002:merge");
  if (frame.merge) return;
  Result<Json> scalar = resolve(tag, text);
  if (!scalar) throw Refused{mark, scalar.error().message, {}};
  Result<std::string> key = as_key(*scalar);
  if (!key) throw Refused{mark, key.error().message, "write the key in quotes"};
  frame.key = *std::move(key);
  if (frame.value.contains(frame.key)) {
    throw Refused{mark, "key \"" + printable(frame.key) + "\" twice in one mapping",
                  "remove one of the two"};
  }
}

void Builder::leaf(const YAML::Mark& mark, YAML::anchor_t anchor, Json value) {
  const std::size_t bytes = value.is_string() ? value.get_ref<const std::string&>().size() : 0;
  count(mark, 1, bytes);
  if (anchor != 0) {
    count(mark, 1, bytes);
    anchors_[anchor] = Anchor{value, 1, bytes, 0, true};
  }
  add_mark(mark, false);
  place(mark, std::move(value), 0);
}

std::uint32_t Builder::add_mark(const YAML::Mark& mark, bool list) {
  Marks::Table::Node node;
  node.list = list;
  node.mark.line = mark.line + 1;
  node.mark.column = mark.column + 1;
  node.mark.key_line = node.mark.line;
  node.mark.key_column = node.mark.column;
  if (open_.empty()) return document_.marks.table->add(Marks::Table::kNone, std::move(node));
  const Frame& parent = open_.back();
  if (parent.map) {
    if (parent.merge) return Marks::Table::kNone;
    node.key = parent.key;
    node.mark.key_line = parent.key_mark.line + 1;
    node.mark.key_column = parent.key_mark.column + 1;
  } else {
    node.index = static_cast<std::uint32_t>(parent.value.size());
  }
  return document_.marks.table->add(parent.node, std::move(node));
}

/// Puts a finished value where the innermost open container (or the document) waits for it.
void Builder::place(const YAML::Mark& mark, Json value, int height) {
  if (open_.size() + static_cast<std::size_t>(height) >
      static_cast<std::size_t>(limits_.max_depth)) {
    throw Refused{mark, "nested deeper than " + std::to_string(limits_.max_depth) + " levels", {}};
  }
  if (open_.empty()) {
    *document_.value = std::move(value);
    return;
  }
  Frame& parent = open_.back();
  parent.height = std::max(parent.height, height + 1);
  if (!parent.map) {
    parent.value.push_back(std::move(value));
    return;
  }
  parent.has_key = false;
  if (!parent.merge) {
    parent.value.emplace(std::move(parent.key), std::move(value));
    return;
  }
  parent.merge = false;
  const bool list =
      value.is_array() &&
      std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_object(); });
  if (!value.is_object() && !list) {
    throw Refused{parent.key_mark, "\"<<\" wants a mapping or a list of mappings", {}};
  }
  if (list) {
    for (Json& item : value) parent.merges.push_back(std::move(item));
  } else {
    parent.merges.push_back(std::move(value));
  }
}

/// Keys that are written win over merged ones, earlier merges over later ones.
void Builder::merge_into(Frame& frame) {
  for (const Json& merge : frame.merges) {
    for (const auto& [key, value] : merge.items()) frame.value.emplace(key, value);
  }
}

}  // namespace plumb::yaml
