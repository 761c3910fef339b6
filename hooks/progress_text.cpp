#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "drivers/json/fields.h"
#include "hooks/lines.h"
#include "hooks/texts.h"

namespace plumb::hooks {
namespace {

using Json = nlohmann::json;
using json::number;
using json::text;

constexpr std::size_t kMaxSeen = 1000;
constexpr std::size_t kAllStates = 30;  // lines; then only how each application ends
constexpr std::size_t kEnough = 36;     // and then nothing: the outcome needs room too
constexpr std::size_t kMaxShown = 3;    // applications that the outcome explains

bool is_end(const std::string& state) {
  return state == "healthy" || state == "failed" || state == "superseded";
}
bool is_rest(const std::string& state) {
  return state == "waiting" || state == "suspended";
}

std::string word_of(const Json& event) {
  const std::string state = text(event, "state");
  const std::string phase = text(event, "phase");
  return state == "running" && !phase.empty() ? phase : state;
}

std::string time_of(std::int64_t milliseconds) {
  char made[32];
  std::snprintf(
      made, sizeof made, milliseconds < 10'000 ? "%.1f s" : "%.0f s",
      static_cast<double>(std::clamp<std::int64_t>(milliseconds, 0, 86'400'000)) / 1000.0);
  return made;
}

std::string detail_of(const Json& event, const std::string& state) {
  if (state == "healthy" || state == "failed") return time_of(number(event, "elapsed_ms"));
  const auto total = number(event, "total");
  std::string detail =
      total > 0 ? std::to_string(number(event, "done")) + "/" + std::to_string(total) : "";
  const std::string message = text(event, "message");
  if (!message.empty()) detail += (detail.empty() ? "" : "  ") + message;
  return detail;
}

std::string columns(const std::string& application,
                    const std::string& word,
                    const std::string& detail) {
  std::string line = "  " + plain(application, 36);
  line.resize(std::max<std::size_t>(line.size() + 1, 24), ' ');
  line += plain(word, 12);
  if (!detail.empty()) line.resize(std::max<std::size_t>(line.size() + 1, 36), ' ');
  return plain(line + detail);
}

struct Sorted {
  std::vector<const Json*> failed, resting, superseded, healthy, others;
};

Sorted sorted(const Json& items) {
  Sorted made;
  for (const Json& item : items) {
    const std::string state = text(item, "state");
    auto& list = state == "failed"       ? made.failed
                 : is_rest(state)        ? made.resting
                 : state == "superseded" ? made.superseded
                 : state == "healthy"    ? made.healthy
                                         : made.others;
    list.push_back(&item);
  }
  return made;
}

void explain(Lines& lines,
             const std::vector<const Json*>& items,
             const std::string& word,
             const std::string& otherwise) {
  for (std::size_t i = 0; i < std::min(items.size(), kMaxShown); ++i) {
    const std::string message = text(*items[i], "message");
    lines.wrap(
        word,
        plain(text(*items[i], "application"), 60) + ": " + (message.empty() ? otherwise : message),
        "  ");
    if (const auto next = text(*items[i], "next"); !next.empty())
      lines.wrap("hint: ", next, "hint:   ");
  }
  if (items.size() > kMaxShown)
    lines.add("  and " + std::to_string(items.size() - kMaxShown) + " more: see  plumb status");
}

void end_with_wait(Lines& lines, std::string_view commit) {
  if (!commit.empty())
    lines.end("hint: for scripts, the exit code is in  plumb wait " + short_oid(commit));
}

}  // namespace

std::string ProgressText::line(const Json& event) {
  const std::string application = text(event, "application");
  const std::string state = text(event, "state");
  if (application.empty() || (seen_.size() >= kMaxSeen && !seen_.contains(application))) return "";
  Seen& seen = seen_[application];
  seen.event = event.dump(-1, ' ', true, Json::error_handler_t::replace);
  seen.state = state;
  const std::string key = word_of(event);
  if (seen.key == key) return "";
  seen.key = key;
  if (lines_ >= kEnough || (lines_ >= kAllStates && !is_end(state) && !is_rest(state))) return "";
  ++lines_;
  return columns(application, key, detail_of(event, state)) + "\n";
}

bool ProgressText::only_people_can_go_on() const {
  const auto states = [this](auto holds) {
    return [holds](const auto& entry) { return holds(entry.second.state); };
  };
  return std::all_of(seen_.begin(), seen_.end(),
                     states([](const std::string& s) { return is_end(s) || is_rest(s); })) &&
         std::any_of(seen_.begin(), seen_.end(), states(is_rest));
}

Json ProgressText::items() const {
  Json items = Json::array();
  for (const auto& [application, seen] : seen_) items.push_back(Json::parse(seen.event));
  return items;
}

std::string outcome_text(const Json& result,
                         std::string_view commit,
                         std::chrono::milliseconds waited) {
  Lines lines;
  if (const auto refused = text(result, "refused"); !refused.empty()) {
    lines.wrap("error: ", short_oid(commit) + " is not rolled out: " + refused, "  ");
    lines.end("hint: fix it and push again; what runs now goes on unchanged");
    return lines.text();
  }
  const Json& items = json::list(result, "items");
  const Sorted by = sorted(items);
  explain(lines, by.failed, "error: ", "failed");
  explain(lines, by.resting, "warning: accepted, not applied yet: ", "waits");
  if (waited.count() > 0 && (!by.others.empty() || items.empty())) {
    lines.end("plumb: not done after " + time_of(waited.count()) +
              "; the rollout goes on without you");
    end_with_wait(lines, commit);
  } else if (!by.failed.empty() || !by.resting.empty()) {
    end_with_wait(lines, commit);
  } else if (!by.healthy.empty()) {
    lines.end("success: " + std::to_string(by.healthy.size()) + " of " +
              counted(static_cast<std::int64_t>(items.size()), "application") +
              (by.healthy.size() == 1 ? " runs " : " run ") + short_oid(commit));
  } else if (!by.superseded.empty()) {
    lines.end("plumb: a newer push took over; nothing more to do for " + short_oid(commit));
  }
  return lines.text();
}

std::string not_followed_text(const Error& why, std::string_view commit) {
  Lines lines;
  lines.wrap("warning: pushed, but not followed: ", why.message, "  ");
  if (!why.hint.empty()) lines.end_wrapped("hint: ", why.hint, "hint:   ");
  if (!commit.empty()) lines.end("hint: follow it with  plumb wait " + short_oid(commit));
  return lines.text();
}

std::string not_waiting_text(std::string_view commit) {
  return commit.empty()
             ? ""
             : "plumb: not waiting; follow it with  plumb wait " + short_oid(commit) + "\n";
}

}  // namespace plumb::hooks
