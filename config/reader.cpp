#include "config/reader.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "config/names.h"
#include "core/text.h"

namespace plumb::config {
namespace {

using Json = nlohmann::json;

std::string escaped(std::string_view key) {
  std::string text;
  for (const char c : key) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string name_of_type(const Json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_object()) return "a mapping";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "text";
  if (value.is_boolean()) return "true or false";
  return "a number";
}

/// What the value looks like on its line, for a message.
std::string shown(const Json& value) {
  if (value.is_string()) return printable(value.get_ref<const std::string&>(), 80);
  if (value.is_primitive()) return value.dump();
  return "";
}

std::string did_you_mean(std::string_view word, std::initializer_list<std::string_view> known) {
  const std::vector<std::string> candidates(known.begin(), known.end());
  const auto near = nearest(word, candidates);
  if (near) return "did you mean \"" + *near + "\"?";
  std::string all;
  for (const std::string& candidate : candidates) all += (all.empty() ? "" : ", ") + candidate;
  return "known here: " + all;
}

}  // namespace

Reader::Reader(const yaml::Document& document, std::string file)
    : document_(document), file_(std::move(file)) {}

Node Reader::root() {
  return {*this, document_.value.get(), "", ""};
}

Place Node::place() const {
  const auto mark = reader_->document_.marks.at(pointer_);
  return {reader_->file_, mark.line, mark.column};
}

void Node::add(Finding::What what,
               Place place,
               std::string message,
               std::string hint,
               std::string subject) const {
  reader_->findings.push_back(
      {what, std::move(place), field_, std::move(message), std::move(hint), std::move(subject)});
}

void Node::wrong(std::string message, std::string hint) const {
  add(Finding::What::bad_value, place(), std::move(message), std::move(hint),
      value_ ? shown(*value_) : "");
}

void Node::missing(std::string_view key, std::string hint) const {
  const std::string where = field_.empty() ? "" : " in " + field_;
  Node inner = *this;
  inner.field_ += (field_.empty() ? "" : ".") + std::string(key);
  inner.add(Finding::What::missing, place(), "\"" + std::string(key) + "\" is missing" + where,
            std::move(hint), "");
}

bool Node::object(std::initializer_list<std::string_view> keys) const {
  if (value_ == nullptr) return false;
  if (!value_->is_object()) {
    wrong((field_.empty() ? "the document" : field_) + " must be a mapping, not " +
          name_of_type(*value_));
    return false;
  }
  for (const auto& [key, value] : value_->items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const auto mark = reader_->document_.marks.at(pointer_ + "/" + escaped(key));
    const std::string where = field_.empty() ? "" : " in " + field_;
    add(Finding::What::unknown_key, {reader_->file_, mark.key_line, mark.key_column},
        "unknown key \"" + printable(key, 80) + "\"" + where, did_you_mean(key, keys),
        printable(key, 80));
  }
  return true;
}

Node Node::member(std::string_view key) const {
  const std::string field = field_.empty() ? std::string(key) : field_ + "." + std::string(key);
  const Json* found = nullptr;
  if (value_ != nullptr && value_->is_object()) {
    const auto at = value_->find(std::string(key));
    if (at != value_->end() && !at->is_null()) found = &*at;
  }
  return {*reader_, found, pointer_ + "/" + escaped(key), field};
}

std::vector<Node> Node::items() const {
  std::vector<Node> nodes;
  if (value_ == nullptr) return nodes;
  if (!value_->is_array()) {
    wrong(field_ + " must be a list, not " + name_of_type(*value_));
    return nodes;
  }
  for (std::size_t i = 0; i < value_->size(); ++i) {
    nodes.emplace_back(*reader_, &(*value_)[i], pointer_ + "/" + std::to_string(i),
                       field_ + "[" + std::to_string(i) + "]");
  }
  return nodes;
}

std::vector<std::pair<std::string, Node>> Node::members() const {
  std::vector<std::pair<std::string, Node>> nodes;
  if (value_ == nullptr) return nodes;
  if (!value_->is_object()) {
    wrong(field_ + " must be a mapping, not " + name_of_type(*value_));
    return nodes;
  }
  for (const auto& [key, value] : value_->items()) nodes.emplace_back(key, member(key));
  return nodes;
}

std::optional<std::string> Node::text() const {
  if (value_ == nullptr) return std::nullopt;
  if (!value_->is_string()) {
    wrong(field_ + " must be text, not " + name_of_type(*value_),
          value_->is_primitive() ? "write it in quotes" : "");
    return std::nullopt;
  }
  return value_->get<std::string>();
}

void Node::read(std::string& into) const {
  if (auto found = text()) into = *std::move(found);
}

void Node::read(bool& into) const {
  if (value_ == nullptr) return;
  if (!value_->is_boolean())
    return wrong(field_ + " must be true or false, not " + name_of_type(*value_));
  into = value_->get<bool>();
}

void Node::read(std::vector<std::string>& into) const {
  if (value_ == nullptr) return;
  std::vector<std::string> found;
  for (const Node& item : items()) {
    if (auto one = item.text()) found.push_back(*std::move(one));
  }
  into = std::move(found);
}

void Node::read_count(std::int64_t& into, std::int64_t least, std::int64_t most) const {
  if (value_ == nullptr) return;
  const bool whole = value_->is_number_integer();
  const bool large = whole && value_->is_number_unsigned() &&
                     value_->get<std::uint64_t>() > static_cast<std::uint64_t>(most);
  if (!whole || large || value_->get<std::int64_t>() < least ||
      value_->get<std::int64_t>() > most) {
    return wrong(field_ + " must be a whole number from " + std::to_string(least) + " to " +
                 std::to_string(most));
  }
  into = value_->get<std::int64_t>();
}

void Node::read_time(std::chrono::milliseconds& into,
                     std::chrono::milliseconds least,
                     std::chrono::milliseconds most,
                     std::string_view range) const {
  if (value_ == nullptr) return;
  const auto parsed =
      value_->is_string() ? parse_duration(value_->get_ref<const std::string&>()) : std::nullopt;
  if (!parsed || *parsed < least || *parsed > most) {
    return wrong(field_ + " must be a time of " + std::string(range), "write it as  90s, 5m or 1h");
  }
  into = *parsed;
}

std::optional<std::size_t> Node::word(std::initializer_list<std::string_view> words) const {
  const auto found = text();
  if (!found) return std::nullopt;
  const auto at = std::find(words.begin(), words.end(), *found);
  if (at != words.end()) return static_cast<std::size_t>(at - words.begin());
  std::string all;
  for (const std::string_view known : words)
    all += (all.empty() ? "" : " or ") + std::string(known);
  const std::vector<std::string> candidates(words.begin(), words.end());
  const auto near = nearest(*found, candidates);
  wrong("\"" + printable(*found, 80) + "\" is no value of " + field_ + ", it is " + all,
        near ? "did you mean \"" + *near + "\"?" : "");
  return std::nullopt;
}

}  // namespace plumb::config
