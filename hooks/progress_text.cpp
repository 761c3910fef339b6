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

using namespace std::chrono_literals;

constexpr auto kLong = 1s;  // under way for so long: then it is worth a line
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

std::string counts_of(const Json& event) {
  std::string counts;
  const auto count = [&](const char* key, const char* sign) {
    if (const auto n = number(event, key); n > 0)
      counts += (counts.empty() ? "" : " ") + std::string(sign) + std::to_string(n);
  };
  count("configured", "~");
  count("created", "+");
  count("pruned", "-");
  return counts;
}

std::int64_t written(const Json& event) {
  return number(event, "configured") + number(event, "created") + number(event, "pruned");
}

std::string without(std::string text, std::string_view beginning) {
  if (text.starts_with(beginning)) text.erase(0, beginning.size());
  return text;
}

/// "applying 1/2" is a word and a wave; the wave is no news to a person.
std::string first_word(const std::string& text) {
  return plain(text.substr(0, text.find(' ')), 12);
}

/// Under way, or at rest.
std::string state_row(const std::string& name, const Json& event) {
  const std::string word = first_word(word_of(event));
  const auto total = number(event, "total");
  std::string detail;
  if (total > 0 && text(event, "state") == "running" && word != "health")
    detail = std::to_string(number(event, "done")) + "/" + std::to_string(total);
  std::string message = without(text(event, "message"), "waiting for ");
  message = without(without(message, word + " "), word + ": ");
  if (!message.empty()) detail += (detail.empty() ? "" : "  ") + message;
  return plain("  " + name + "   " + (detail.empty() ? word : padded(word, 10) + " " + detail));
}

/// How it ended: what was written, how much of it, how long it took.
std::string result_row(const std::string& name,
                       const Json& event,
                       const std::string& counts,
                       std::int64_t done,
                       std::int64_t total) {
  const bool failed = text(event, "state") == "failed";
  const bool gone = number(event, "pruned") > 0 && number(event, "pruned") == written(event) &&
                    text(event, "message").find(" 0 unchanged") != std::string::npos;
  const std::string word = padded(failed ? "failed" : gone ? "removed" : "healthy", 7);
  const std::string result = word + " " + time_of(number(event, "elapsed_ms"));
  const std::string applied =
      total > 0 ? "applied " + std::to_string(done) + "/" + std::to_string(total) : "";
  // By the widths of columns alone, so that all rows decide alike.
  constexpr std::size_t kApplied = 11, kResult = 14;
  const std::size_t gaps =
      kColumns - std::min(kColumns, 2 + name.size() + counts.size() + kApplied + kResult);
  const std::string gap(gaps >= 9 ? 3 : 2, ' ');
  const std::string begin = "  " + name + gap + counts + gap;
  const std::string whole = begin + padded(applied, kApplied) + gap + result;
  return plain(whole.size() <= kColumns ? whole : begin + result);
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
    const std::string head = word + plain_name(text(*items[i], "application"), 44);
    if (message.empty() || head.size() + 2 + message.size() <= kColumns) {
      lines.add(head + ": " + (message.empty() ? otherwise : message));
    } else {
      lines.add(head + (word == "error: " ? " failed" : ""));
      lines.wrap("  ", message, "  ");
    }
    if (const auto next = text(*items[i], "next"); !next.empty()) lines.hint(next);
  }
  if (items.size() > kMaxShown)
    lines.hint("and " + std::to_string(items.size() - kMaxShown) + " more, see  plumb status");
}

std::string success(const Sorted& by, std::size_t total, std::string_view commit) {
  const std::string head = "success: " + short_oid(commit) + " is rolled out: ";
  if (total == 1) return head + plain_name(text(*by.healthy.front(), "application"), 36);
  return head + std::to_string(by.healthy.size()) + " of " +
         counted(static_cast<std::int64_t>(total), "application");
}

void end_with_wait(Lines& lines, std::string_view commit) {
  if (!commit.empty())
    lines.end("hint: for scripts, the exit code is in  plumb wait " + short_oid(commit));
}

}  // namespace

void ProgressText::take(const Json& event) {
  const std::string application = text(event, "application");
  const std::string state = text(event, "state");
  if (application.empty() || (seen_.size() >= kMaxSeen && !seen_.contains(application))) return;
  Seen& seen = seen_[application];
  const bool same = seen.state == state;
  seen.event = event.dump(-1, ' ', true, Json::error_handler_t::replace);
  seen.state = state;
  if (const auto total = number(event, "total"); total > 0) {
    seen.total = total;
    seen.done = number(event, "done");
  }
  names_ = std::max(names_, plain_name(application).size());
  counts_ = std::max({counts_, counts_of(event).size(), std::size_t{5}});
  if (!same && (is_end(state) || is_rest(state))) ended_.push_back(application);
}

std::string ProgressText::said(const std::string& application, std::chrono::milliseconds passed) {
  Seen& seen = seen_[application];
  const bool result = is_end(seen.state) || is_rest(seen.state);
  if (lines_ >= kEnough || (lines_ >= kAllStates && !result)) return "";
  const Json event = Json::parse(seen.event);
  const std::string key = seen.state + first_word(word_of(event));
  if (seen.shown == key) return "";
  seen.shown = key;
  ++lines_;
  const std::string name = padded(plain_name(application), names_);
  const std::string blank = lines_ == 1 ? "\n" : "";
  looked_ = passed;
  if (seen.state != "healthy" && seen.state != "failed")
    return blank + state_row(name, event) + "\n";
  const bool healthy = seen.state == "healthy";
  const auto total = std::max(written(event), healthy ? 0 : seen.total);
  return blank +
         result_row(name, event, padded(counts_of(event), counts_), healthy ? total : seen.done,
                    total) +
         "\n";
}

std::string ProgressText::news(std::chrono::milliseconds passed) {
  std::string lines;
  for (const std::string& application : ended_) lines += said(application, passed);
  ended_.clear();
  if (passed - looked_ < kLong) return lines;
  looked_ = passed;
  for (const auto& [application, seen] : seen_) {
    if (!is_end(seen.state)) lines += said(application, passed);
  }
  return lines;
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
  if (!items.empty()) lines.add("");
  explain(lines, by.failed, "error: ", "failed");
  explain(lines, by.resting, "warning: not applied yet: ", "waits");
  if (waited.count() > 0 && (!by.others.empty() || items.empty())) {
    lines.end("plumb: not done after " + std::to_string((waited.count() + 999) / 1000) + " s" +
              "; the rollout goes on without you");
    end_with_wait(lines, commit);
  } else if (!by.failed.empty() || !by.resting.empty()) {
    end_with_wait(lines, commit);
  } else if (!by.healthy.empty()) {
    lines.end(success(by, items.size(), commit));
  } else if (!by.superseded.empty()) {
    lines.end("plumb: a newer push took over; nothing more to do for " + short_oid(commit));
  }
  return lines.text();
}

std::string not_followed_text(const Error& why, std::string_view commit) {
  Lines lines;
  lines.wrap("warning: pushed, but not followed: ", why.message, "  ");
  if (!why.hint.empty()) lines.end_hint(why.hint);
  if (!commit.empty()) lines.end("hint: follow it with  plumb wait " + short_oid(commit));
  return lines.text();
}

std::string still_waiting_text(std::chrono::milliseconds so_far) {
  return "plumb: waiting ... " + std::to_string(so_far.count() / 1000) + " s\n";
}

std::string you_may_go_text(std::string_view commit) {
  Lines lines;
  lines.add("plumb: you can leave (Ctrl-C): the rollout goes on");
  end_with_wait(lines, commit);
  return lines.text();
}

std::string not_waiting_text(std::string_view commit) {
  return commit.empty()
             ? ""
             : "plumb: not waiting; follow it with  plumb wait " + short_oid(commit) + "\n";
}

}  // namespace plumb::hooks
