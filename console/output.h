#pragma once
/// How answers look: tables for people, TSV for programs, times, colours. Pure.
///
///   Terminal  columns are padded, times short, colours if wanted
///   Piped     TSV without a header, RFC 3339 UTC, no colour; a cell never holds a tab or a newline
///   Untrusted every text from the server or from Git goes through shown() here, so callers need
///             not
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/clock.h"

namespace plumb::console {

struct Style {
  bool terminal = false;  ///< standard output is one
  bool color = false;
};

enum class Paint { none, good, bad, warn, faint, strong };

/// Untrusted text made safe for a terminal and for one cell; at most `limit` bytes.
[[nodiscard]] std::string shown(std::string_view untrusted, std::size_t limit = 300);
/// The text in a colour, if the style has colours. The text must be safe already.
[[nodiscard]] std::string painted(std::string text, Paint paint, const Style& style);
/// The colour of a health, a job's state or a verdict: "healthy" is good, "failed" is bad.
[[nodiscard]] Paint paint_of(std::string_view state);
/// Unix milliseconds as people or programs read them; "-" (people) or "" (programs) for 0.
[[nodiscard]] std::string time_text(UnixMillis time, const Style& style);
/// "0.4 s", "12 s", "3 min", "2 h", "5 d"
[[nodiscard]] std::string span_text(std::int64_t millis);
/// "1 application", "2 applications"
[[nodiscard]] std::string count_of(std::int64_t n, std::string_view noun);

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  /// Cells are untrusted. A missing cell is empty.
  void row(std::vector<std::string> cells, Paint paint = Paint::none, std::size_t painted_cell = 0);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string text(const Style& style) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Paint paint = Paint::none;
    std::size_t painted_cell = 0;
  };
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

/// The document of `-o json`: indented, with apiVersion, safe for a terminal.
[[nodiscard]] std::string json_text(const nlohmann::json& answer);

}  // namespace plumb::console
