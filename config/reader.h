#pragma once
/// Reads the members of one YAML document into typed values and collects what is wrong with them,
/// each with its place and the nearest right word. Private to config/.
#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/place.h"
#include "drivers/yaml/yaml.h"

namespace plumb::config {

struct Finding {
  enum class What { unknown_key, bad_value, missing };
  What what = What::bad_value;
  Place place;
  std::string field;  ///< "spec.http.listen"
  std::string message;
  std::string hint;
  std::string subject;
};

class Reader;

/// One value of the document. Valid while the document and the reader are.
class Node {
 public:
  Node(Reader& reader, const nlohmann::json* value, std::string pointer, std::string field)
      : reader_(&reader), value_(value), pointer_(std::move(pointer)), field_(std::move(field)) {}

  [[nodiscard]] bool there() const { return value_ != nullptr; }
  [[nodiscard]] const std::string& field() const { return field_; }
  [[nodiscard]] Place place() const;

  /// True if it is a mapping; says so if it is something else. Unknown keys are findings.
  bool object(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] Node member(std::string_view key) const;  ///< not there() when missing or null
  [[nodiscard]] std::vector<Node> items() const;          ///< of a list; else a finding
  [[nodiscard]] std::vector<std::pair<std::string, Node>> members() const;  ///< of a mapping

  [[nodiscard]] std::optional<std::string> text() const;
  void read(std::string& into) const;  ///< leaves the default when not there
  void read(bool& into) const;
  void read(std::vector<std::string>& into) const;
  void read_count(std::int64_t& into, std::int64_t least, std::int64_t most) const;
  void read_time(std::chrono::milliseconds& into,
                 std::chrono::milliseconds least,
                 std::chrono::milliseconds most,
                 std::string_view range) const;
  /// The index of its word among `words`.
  [[nodiscard]] std::optional<std::size_t> word(
      std::initializer_list<std::string_view> words) const;

  void wrong(std::string message, std::string hint = {}) const;
  void missing(std::string_view key, std::string hint = {}) const;

 private:
  void add(Finding::What what,
           Place place,
           std::string message,
           std::string hint,
           std::string subject) const;

  Reader* reader_;
  const nlohmann::json* value_;
  std::string pointer_;
  std::string field_;
};

class Reader {
 public:
  Reader(const yaml::Document& document, std::string file);
  [[nodiscard]] Node root();
  std::vector<Finding> findings;

 private:
  friend class Node;
  const yaml::Document& document_;
  std::string file_;
};

}  // namespace plumb::config
