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

constexpr auto kConnect = 2s;
constexpr auto kQuiet = 300ms;  // all applications rest: nothing comes any more
constexpr auto kSayYouMayGo = 10s;

struct Pushed {
  std::string repository;
  Settings settings;
  std::vector<RefUpdate> refs;
  std::vector<std::string> options;
  std::string commit;
  std::chrono::milliseconds wait{};
};

Result<Question> ask(const Pushed& pushed) {
  return Question::ask(pushed.settings.socket, "post_receive",
                       {{"repository_path", pushed.repository},
                        {"refs", refs_json(pushed.refs)},
                        {"options", pushed.options},
                        {"wait_ms", pushed.wait.count()},
                        {"actor", actor_json(claimed_actor())}},
                       kConnect);
}

/// Shows events until the rollout has ended, or the time is over, or only a person can go on.
Result<> follow(const Pushed& pushed) {
  const auto started = Steady::now();
  const auto passed = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - started);
  };
  auto question = TRY(ask(pushed));
  ProgressText progress;
  bool may_go = pushed.wait <= kSayYouMayGo;
  while (passed() < pushed.wait) {
    const auto left = pushed.wait - passed();
    const bool resting = progress.only_people_can_go_on();
    const auto answer =
        TRY(question.next(resting ? std::min<std::chrono::milliseconds>(left, kQuiet)
                                  : std::min<std::chrono::milliseconds>(left, 1s)));
    if (!answer) {
      if (resting) break;
      if (!may_go && passed() > kSayYouMayGo) {
        say("plumb: you can leave (Ctrl-C): the rollout goes on\n");
        may_go = true;
      }
      continue;
    }
    const Json value = TRY(json::parse(answer->value));
    if (!answer->final) {
      say(progress.line(value));
      continue;
    }
    const bool done = json::flag(value, "done");
    say(outcome_text(value, pushed.commit,
                     done ? 0ms : std::max<std::chrono::milliseconds>(passed(), 1ms)));
    return {};
  }
  const bool resting = progress.only_people_can_go_on();
  say(outcome_text({{"items", progress.items()}}, pushed.commit, resting ? 0ms : pushed.wait));
  return {};
}

Result<> show(const Pushed& pushed) {
  FAILPOINT("hook.post_receive");
  if (pushed.wait > 0ms) return follow(pushed);
  // Asked all the same: where no ref transaction left a record, this is what tells plumbd.
  TRY(ask(pushed));
  say(not_waiting_text(pushed.commit));
  return {};
}

Result<Pushed> read_pushed(const std::string& input) {
  Pushed pushed;
  pushed.refs = parse_updates(input);
  pushed.repository = repository_path();
  pushed.settings = TRY(read_settings(pushed.repository));
  pushed.options = push_options();
  pushed.wait = wait_of(pushed.options, pushed.settings.wait);
  for (const RefUpdate& update : pushed.refs) {
    if (deploys(pushed.settings, update.ref) && !is_zero_oid(update.new_oid))
      pushed.commit = update.new_oid;
  }
  return pushed;
}

}  // namespace

int post_receive(const Invocation& invocation) {
  const auto input = read_input();
  if (!input) return 0;
  const int code = run_earlier_hook(invocation, *input);
  const auto pushed = read_pushed(*input);
  if (!pushed) return code;
  Spool(pushed->repository, ::getppid()).keep_options({});
  if (pushed->commit.empty()) return code;
  if (const auto shown = show(*pushed); !shown)
    say(not_followed_text(shown.error(), pushed->commit));
  return code;
}

}  // namespace plumb::hooks
