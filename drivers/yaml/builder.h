#pragma once
/// Turns the parser's events into JSON values and marks. Throws Refused, which parse_all catches:
/// the parser's events have no other way to stop it.
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include "drivers/yaml/marks_table.h"
#include "drivers/yaml/yaml.h"

namespace plumb::yaml {

struct Refused {
  YAML::Mark mark;
  std::string message;
  std::string hint;
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override;
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override;
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override;

  [[nodiscard]] std::vector<Document> take() { return std::move(documents_); }

 private:
  using Json = nlohmann::json;

  struct Frame {
    bool map = false;
    bool flow = false;
    Json value;
    std::uint32_t node = Marks::Table::kNone;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    std::size_t bytes_before = 0;
    int height = 1;  ///< levels below, itself included
    bool has_key = false;
    bool merge = false;  ///< the key is `<<`
    std::string key;
    YAML::Mark key_mark;
    std::vector<Json> merges;
  };
  struct Anchor {
    Json value;
    std::size_t nodes = 0;
    std::size_t bytes = 0;  ///< of its texts
    int height = 0;
    bool complete = false;
  };

  void begin(const YAML::Mark& mark, YAML::anchor_t anchor, bool map, bool flow);
  void end();
  void count(const YAML::Mark& mark, std::size_t nodes, std::size_t bytes);
  void check_tabs(const YAML::Mark& mark) const;
  bool wants_key() const { return !open_.empty() && open_.back().map && !open_.back().has_key; }
  void take_key(const YAML::Mark& mark, std::string_view tag, const std::string& text);
  void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, Json value);
  std::uint32_t add_mark(const YAML::Mark& mark, bool list);
  void place(const YAML::Mark& mark, Json value, int height);
  static void merge_into(Frame& frame);

  std::string_view text_;
  const Limits& limits_;
  std::vector<Document> documents_;
  std::vector<Frame> open_;
  std::unordered_map<YAML::anchor_t, Anchor> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  Document document_;
};

}  // namespace plumb::yaml
