/// `plumb wait`: until an application or a commit is healthy, or cannot be.
#include <algorithm>
#include <chrono>
#include <ostream>

#include <nlohmann/json.hpp>
#include <poll.h>

#include "console/texts.h"
#include "console/verb.h"
#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;
using Steady = std::chrono::steady_clock;

constexpr std::int64_t kDefault = 600'000;
constexpr std::int64_t kMost = 86'400'000;
constexpr int kLookAgain = 200;  // milliseconds, while a commit is being planned

bool is_commit(const std::string& what) {
  return what.size() >= 4 && what.size() <= 64 &&
         what.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The newest event that moved a ref to this commit; null when there is none.
Result<Json> event_of(const Client& client, const std::string& commit) {
  const Json answer = TRY(client.ask("events", {{"repository", ""}, {"limit", 1000}}));
  for (const Json& event : json::list(answer, "events")) {
    for (const Json& ref : json::list(event, "refs")) {
      if (json::text(ref, "new").starts_with(commit)) return event;
    }
  }
  return Json();
}

/// What it means that a commit has no jobs.
Result<int> without_jobs(Json& answer, const Json& event, const std::string& commit) {
  if (event.is_null()) {
    return Failure(not_found(
        "unknown commit \"" + printable(commit, 64) + "\": no push ended with it",
        "the newest commit of a push is the one to wait for;  plumb repo  shows the last"));
  }
  const std::string note = json::text(event, "note");
  const bool refused = note.starts_with("refused");
  answer["ok"] = !refused;
  answer["note"] = short_oid(commit) + (note.empty() ? ": nothing to do" : ": " + note);
  return refused ? kNo : kYes;
}

int exit_of(const Json& answer) {
  if (!json::flag(answer, "done")) return kTimeOver;
  if (!json::flag(answer, "ok")) return kNo;
  const Json& items = json::list(answer, "items");
  const bool overtaken = std::any_of(items.begin(), items.end(), [](const Json& item) {
    return json::text(item, "state") == "superseded";
  });
  return overtaken ? kOvertaken : kYes;
}

Result<int> wait(const Typed& typed, Console& console) {
  const std::string what = typed.text("WHAT");
  const auto timeout = TRY(typed.span("--timeout", kDefault));
  if (timeout > kMost) return fail(Errc::invalid, "--timeout is at most 24h");
  const auto until = Steady::now() + std::chrono::milliseconds(timeout);
  const auto tell = [&](const Json& event) {
    // On a terminal the answer says how each ended.
    const std::string state = json::text(event, "state");
    if (console.style.terminal &&
        (state == "healthy" || state == "failed" || state == "superseded"))
      return;
    console.err << progress_text(event, Style{}) << std::flush;
  };
  for (;;) {
    const auto left = std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Steady::now()).count(), 0);
    Json found =
        TRY(console.client.ask("wait", {{"what", what}, {"timeout_ms", left}}, tell,
                               std::chrono::milliseconds(left) + std::chrono::seconds(30)));
    if (!json::list(found, "items").empty() || !is_commit(what) || !json::flag(found, "done")) {
      const int exit = exit_of(found);
      if (exit == kTimeOver)
        console.err << "hint: it goes on by itself; wait again, or  plumb why APP\n";
      return answer(console, found, wait_text, exit);
    }
    const Json event = TRY(event_of(console.client, what));
    if (json::text(event, "state") != "received") {
      const int exit = TRY(without_jobs(found, event, what));
      return answer(console, found, wait_text, exit);
    }
    if (left == 0) return answer(console, found, wait_text, kTimeOver);
    ::poll(nullptr, 0, kLookAgain);  // the server has it and is planning it
  }
}

}  // namespace

std::vector<Verb> wait_verbs() {
  return {
      {"wait",
       "See",
       "until it is healthy, or cannot be; progress goes to standard error",
       {{Kind::word, "WHAT",
         "an application, or a commit (4 digits or more) for all that it touches"},
        {Kind::option, "--timeout", "give up after this (10m; at most 24h); exit code 6", "10m"}},
       {"wait 4f2c91e", "wait web/prod --timeout 90s",
        "wait $(git rev-parse HEAD) && ./smoke-test"},
       wait}};
}

}  // namespace plumb::console
