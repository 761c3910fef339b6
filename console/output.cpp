#include "console/output.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace plumb::console {
namespace {

/// Characters, not bytes: what a terminal counts, but for wide ones.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string padded(const std::string& text, std::size_t columns) {
  const std::size_t has = width(text);
  return has >= columns ? text : text + std::string(columns - has, ' ');
}

}  // namespace

std::string shown(std::string_view untrusted, std::size_t limit) {
  return printable(untrusted, limit);
}

std::string painted(std::string text, Paint paint, const Style& style) {
  if (!style.color || paint == Paint::none || text.empty()) return text;
  constexpr std::array<std::string_view, 6> kCodes{"0", "32", "31", "33", "2", "1"};
  return "\x1b[" + std::string(kCodes[static_cast<std::size_t>(paint)]) + "m" + text + "\x1b[0m";
}

Paint paint_of(std::string_view state) {
  for (const char* good : {"healthy", "done", "current", "yes", "added"}) {
    if (state == good) return Paint::good;
  }
  for (const char* bad : {"failed", "poison", "degraded", "missing", "no", "removed"}) {
    if (state == bad) return Paint::bad;
  }
  for (const char* warn : {"waiting", "suspended", "held", "unknown", "behind", "progressing",
                           "queued", "running", "changed"}) {
    if (state == warn) return Paint::warn;
  }
  return state == "superseded" ? Paint::faint : Paint::none;
}

std::string time_text(UnixMillis time, const Style& style) {
  if (time <= 0) return style.terminal ? "-" : "";
  std::string full = rfc3339(time);
  if (!style.terminal || full.size() < 19) return full;
  std::string brief = full.substr(5, 14);  // "11-24T10:14:02"
  std::replace(brief.begin(), brief.end(), 'T', ' ');
  return brief;
}

std::string span_text(std::int64_t millis) {
  millis = std::max<std::int64_t>(millis, 0);
  if (millis < 10'000) {
    return std::to_string(millis / 1000) + "." + std::to_string(millis % 1000 / 100) + " s";
  }
  const std::int64_t seconds = millis / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " d";
}

std::string count_of(std::int64_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

void Table::row(std::vector<std::string> cells, Paint paint, std::size_t painted_cell) {
  cells.resize(header_.size());
  for (std::string& cell : cells) cell = shown(cell);
  rows_.push_back({std::move(cells), paint, painted_cell});
}

std::string Table::text(const Style& style) const {
  std::string text;
  if (!style.terminal) {
    for (const Row& row : rows_) {
      for (std::size_t i = 0; i < row.cells.size(); ++i)
        text += (i == 0 ? "" : "\t") + row.cells[i];
      text += "\n";
    }
    return text;
  }
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    widths.push_back(width(header_[i]));
    for (const Row& row : rows_) widths[i] = std::max(widths[i], width(row.cells[i]));
  }
  const auto line = [&](const Row& row) {
    std::string one;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const bool last = i + 1 == row.cells.size();
      const std::string& cell = row.cells[i].empty() ? std::string("-") : row.cells[i];
      const std::string space =
          last ? "" : std::string(widths[i] - std::min(widths[i], width(cell)) + 2, ' ');
      one += (i == row.painted_cell ? painted(cell, row.paint, style) : cell) + space;
    }
    return one + "\n";
  };
  std::string head;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    head += i + 1 == header_.size() ? header_[i] : padded(header_[i], widths[i] + 2);
  }
  text = painted(head, Paint::strong, style) + "\n";
  for (const Row& row : rows_) text += line(row);
  return text;
}

std::string json_text(const nlohmann::json& answer) {
  nlohmann::json document = answer;
  if (document.is_object() && !document.contains("apiVersion"))
    document["apiVersion"] = "plumbline.dev/v1";
  using Handler = nlohmann::json::error_handler_t;
  std::string text = document.dump(2, ' ', false, Handler::replace);
  std::string flat = text;
  std::erase(flat, '\n');
  // Escapes of a JSON writer stop at C0; a terminal also obeys C1 and the bidi controls.
  if (printable(flat, flat.size()) != flat) text = document.dump(2, ' ', true, Handler::replace);
  return text + "\n";
}

}  // namespace plumb::console
