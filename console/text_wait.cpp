#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

/// "~2 +1 -1": what was written so far.
std::string counts_of(const Json& event) {
  std::string text;
  const auto add = [&](const char* sign, const char* key) {
    const auto n = json::number(event, key);
    if (n > 0) text += (text.empty() ? "" : " ") + std::string(sign) + std::to_string(n);
  };
  add("~", "configured");
  add("+", "created");
  add("-", "pruned");
  return text;
}

}  // namespace

std::string progress_text(const Json& event, const Style& style) {
  const std::string state = shown(json::text(event, "state"), 20);
  const std::string phase = shown(json::text(event, "phase"), 40);
  std::string text = shown(json::text(event, "application")) + "   ";
  text += painted(state == "running" ? phase : state, paint_of(state), style);
  if (const auto total = json::number(event, "total"); total > 0) {
    text += " " + std::to_string(json::number(event, "done")) + "/" + std::to_string(total);
  }
  if (const auto counts = counts_of(event); !counts.empty()) text += "   " + counts;
  text += "   " + span_text(json::number(event, "elapsed_ms"));
  // How much was written, in words, says what the counts say.
  if (const auto message = json::text(event, "message"); !message.empty() && state != "healthy")
    text += "   " + shown(message);
  return text + "\n";
}

std::string wait_text(const Json& answer, const Style& style) {
  const Json& items = json::list(answer, "items");
  const bool done = json::flag(answer, "done");
  std::string text;
  std::int64_t good = 0;
  for (const Json& item : items) {
    const std::string state = json::text(item, "state");
    good += state == "healthy" ? 1 : 0;
    if (!style.terminal) continue;
    text += "  " + progress_text(item, style);
    if (state == "healthy" || state == "superseded") continue;
    for (const std::string& line : command_lines(json::text(item, "next")))
      text += "      " + line + "\n";
  }
  if (!style.terminal) {
    Table table({"APPLICATION", "STATE", "PHASE", "MESSAGE", "NEXT"});
    for (const Json& item : items) {
      table.row({json::text(item, "application"), json::text(item, "state"),
                 json::text(item, "phase"), json::text(item, "message"), json::text(item, "next")});
    }
    return table.text(style);
  }
  const auto total = static_cast<std::int64_t>(items.size());
  if (total == 0) {
    const auto note = json::text(answer, "note");
    return (note.empty() ? std::string(done ? "nothing to wait for" : "time is over")
                         : shown(note)) +
           "\n";
  }
  const std::string of = std::to_string(good) + " of " + std::to_string(total) + " healthy\n";
  if (!done) return text + painted("time is over", Paint::warn, style) + ": " + of;
  return text +
         (json::flag(answer, "ok") ? painted("done", Paint::good, style)
                                   : painted("not done", Paint::bad, style)) +
         ": " + of;
}

}  // namespace plumb::console
