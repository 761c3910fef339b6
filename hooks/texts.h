#pragma once
/// What the hooks say: JSON of plumbd → text of lines.h, by pure functions. Order: verdict, place,
/// line, hint. `error:` only if something is refused or broke, `warning:` if accepted but not done,
/// `success:` once, at the end.
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace plumb::hooks {

/// A PushVerdict; "" when no ref of the push deploys.
[[nodiscard]] std::string verdict_text(const nlohmann::json& verdict);

/// plumbd, or we, said no to the push as a whole.
[[nodiscard]] std::string refused_text(const Error& why);

/// plumbd could not be asked. `commit`: the newest that deploys, or "".
[[nodiscard]] std::string down_text(const Error& why, bool refused, std::string_view commit);

/// Follows Progress events: one line for each application when it has come to its end or waits for
/// a person; what is under way only when it takes longer than a second. Not thread-safe.
class ProgressText {
 public:
  /// Remembers what an event says.
  void take(const nlohmann::json& event);
  /// The lines for what was taken since the last call, or "". `passed`: since the beginning.
  std::string news(std::chrono::milliseconds passed);
  /// True when news() has more to say than what is under way.
  [[nodiscard]] bool has_results() const { return !ended_.empty(); }
  /// True when every application seen has come to rest and at least one waits for a person.
  [[nodiscard]] bool only_people_can_go_on() const;
  /// The last event of each application, as a result's "items".
  [[nodiscard]] nlohmann::json items() const;

 private:
  struct Seen {
    std::string event;  // JSON
    std::string state;
    std::string shown;  // what its last line said
    std::int64_t done = 0, total = 0;
  };
  std::string said(const std::string& application, std::chrono::milliseconds passed);

  std::map<std::string, Seen> seen_;
  std::vector<std::string> ended_;
  std::chrono::milliseconds looked_{};
  std::size_t names_ = 0, counts_ = 0;  // widths
  std::size_t lines_ = 0;
};

/// A post_receive result, or what was seen until we left. `waited`: 0 when it is done.
[[nodiscard]] std::string outcome_text(const nlohmann::json& result,
                                       std::string_view commit,
                                       std::chrono::milliseconds waited);

/// plumbd could not be asked after the refs had moved.
[[nodiscard]] std::string not_followed_text(const Error& why, std::string_view commit);
/// `-o plumb.nowait`
[[nodiscard]] std::string not_waiting_text(std::string_view commit);

/// "plumb: waiting ... 20 s", for proxies that cut silent connections.
[[nodiscard]] std::string still_waiting_text(std::chrono::milliseconds so_far);
/// The first time, with what Ctrl-C does.
[[nodiscard]] std::string you_may_go_text(std::string_view commit);

/// "plumb: checking ... 4 s"
[[nodiscard]] std::string still_checking_text(std::chrono::milliseconds so_far);

}  // namespace plumb::hooks
