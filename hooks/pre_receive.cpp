#include <algorithm>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/oid.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "hooks/ask.h"
#include "hooks/chain.h"
#include "hooks/environment.h"
#include "hooks/pushed_refs.h"
#include "hooks/roles.h"
#include "hooks/settings.h"
#include "hooks/spool_record.h"
#include "hooks/texts.h"

namespace plumb::hooks {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using Steady = std::chrono::steady_clock;

constexpr auto kFirstWord = 2s;      // then say that we are still there
constexpr auto kNextWords = 10s;     // and again: proxies cut silent connections
constexpr auto kOtherBranches = 3s;  // what a push that deploys nothing waits at most

struct Asked {
  std::string repository;
  Settings settings;
  std::vector<RefUpdate> refs;
  std::vector<std::string> options;
  std::string commit;  // the newest that deploys, or ""
  bool deploys = false;
};

Json params_of(const Asked& asked) {
  const Objects objects = pushed_objects();
  std::vector<std::string> folders{asked.repository + "/objects"};
  for (const std::string& folder : objects.alternates) {
    if (folder != folders.front()) folders.push_back(folder);
  }
  return {{"repository_path", asked.repository},
          {"refs", refs_json(asked.refs)},
          {"quarantine", objects.quarantine.empty() ? Json() : Json(objects.quarantine)},
          {"object_dirs", folders},
          {"options", asked.options},
          {"actor", actor_json(claimed_actor())}};
}

std::chrono::milliseconds since(Steady::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - then);
}

/// plumbd's verdict, within the deadline.
Result<Json> verdict_of(const Asked& asked) {
  const auto started = Steady::now();
  const auto limit =
      asked.deploys ? asked.settings.deadline
                    : std::min<std::chrono::milliseconds>(asked.settings.deadline, kOtherBranches);
  auto question = TRY(Question::ask(asked.settings.socket, "pre_receive", params_of(asked), limit));
  std::chrono::milliseconds next_word = kFirstWord;
  for (;;) {
    const auto passed = since(started);
    if (passed >= limit)
      return fail(Errc::unavailable,
                  "no answer within " + std::to_string(limit.count() / 1000) + " s");
    const auto answer =
        TRY(question.next(std::min(limit, next_word) - std::min(passed, next_word) + 1ms));
    if (!answer) {
      if (since(started) >= next_word && asked.deploys) say(still_checking_text(since(started)));
      if (since(started) >= next_word) next_word += kNextWords;
      continue;
    }
    const Json value = TRY(json::parse(answer->value));
    if (answer->final) return value;
    if (json::text(value, "need") == "pack")
      TRY(question.send_pack(asked.refs,
                             std::max<std::chrono::milliseconds>(limit - since(started), 1ms)));
  }
}

Result<Asked> read_push(const std::string& input) {
  Asked asked;
  asked.refs = TRY(parse_push(input));
  asked.repository = repository_path();
  asked.settings = TRY(read_settings(asked.repository));
  asked.options = push_options();
  for (const RefUpdate& update : asked.refs) {
    if (!deploys(asked.settings, update.ref)) continue;
    asked.deploys = true;
    if (!is_zero_oid(update.new_oid)) asked.commit = update.new_oid;
  }
  return asked;
}

Result<> leave(const Asked& asked) {
  Spool(asked.repository, ::getppid()).keep_options(asked.options);
  FAILPOINT("hook.pre_receive");
  return {};
}

int refuse(const Error& why) {
  say(refused_text(why));
  return 1;
}

int without_verdict(const Asked& asked, const Error& why) {
  if (!asked.deploys) return 0;
  if (!is_down(why)) return refuse(why);
  say(down_text(why, asked.settings.refuse_when_down, asked.commit));
  return asked.settings.refuse_when_down ? 1 : 0;
}

}  // namespace

int pre_receive(const Invocation& invocation) {
  const auto input = read_input();
  if (!input) return refuse(input.error());
  // Also the earlier hook must not see forged lines.
  const auto asked = read_push(*input);
  if (!asked) return refuse(asked.error());
  if (const int code = run_earlier_hook(invocation, *input); code != 0) return code;
  const auto verdict = verdict_of(*asked);
  if (const auto left = leave(*asked); !left) return refuse(left.error());
  if (!verdict) return without_verdict(*asked, verdict.error());
  say(verdict_text(*verdict));
  return json::flag(*verdict, "accepted") ? 0 : 1;
}

}  // namespace plumb::hooks
