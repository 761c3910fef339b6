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
constexpr auto kQuiet = 300ms;    // all applications rest: nothing comes any more
constexpr auto kGathered = 50ms;  // results that come together are shown together
constexpr auto kNextWords = 10s;  // at least one line in so long: proxies cut silent connections

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

/// What the pusher has seen so far.
class Shown {
 public:
  explicit Shown(const Pushed& pushed) : pushed_(pushed) {}

  /// How long to wait for the next event.
  [[nodiscard]] std::chrono::milliseconds patience() const {
    if (progress_.has_results()) return kGathered;
    return progress_.only_people_can_go_on() ? std::chrono::milliseconds(kQuiet) : 1s;
  }
  void event(const Json& value, std::chrono::milliseconds passed) {
    progress_.take(value);
    if (!progress_.has_results() || passed - spoke_ > kNextWords / 10)
      tell(progress_.news(passed), passed);
  }
  /// Nothing came within patience().
  void quiet(std::chrono::milliseconds passed) {
    tell(progress_.news(passed), passed);
    if ((told_ ? passed - spoke_ : passed) < kNextWords || passed >= pushed_.wait) return;
    tell(told_ ? still_waiting_text(passed) : you_may_go_text(pushed_.commit), passed);
    told_ = true;
  }
  [[nodiscard]] bool only_people_can_go_on() const {
    return !progress_.has_results() && progress_.only_people_can_go_on();
  }
  [[nodiscard]] Json items() const { return progress_.items(); }

 private:
  void tell(const std::string& text, std::chrono::milliseconds passed) {
    if (text.empty()) return;
    say(text);
    spoke_ = passed;
  }

  const Pushed& pushed_;
  ProgressText progress_;
  std::chrono::milliseconds spoke_{};
  bool told_ = false;
};

/// Shows events until the rollout has ended, or the time is over, or only a person can go on.
Result<> follow(const Pushed& pushed) {
  const auto started = Steady::now();
  const auto passed = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - started);
  };
  auto question = TRY(ask(pushed));
  Shown shown(pushed);
  while (passed() < pushed.wait) {
    const bool resting = shown.only_people_can_go_on();
    const auto answer = TRY(question.next(std::min(pushed.wait - passed(), shown.patience())));
    if (!answer) {
      shown.quiet(passed());
      if (resting) break;
      continue;
    }
    const Json value = TRY(json::parse(answer->value));
    if (!answer->final) {
      shown.event(value, passed());
      continue;
    }
    const bool done = json::flag(value, "done");
    shown.quiet(passed());
    say(outcome_text(value, pushed.commit,
                     done ? 0ms : std::max<std::chrono::milliseconds>(passed(), 1ms)));
    return {};
  }
  shown.quiet(passed());
  say(outcome_text({{"items", shown.items()}}, pushed.commit,
                   shown.only_people_can_go_on() ? 0ms : pushed.wait));
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
