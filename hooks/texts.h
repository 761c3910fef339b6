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

/// Follows Progress events; one line for each change of state. Not thread-safe.
class ProgressText {
 public:
  /// The line (or two) for this event, or "" when nothing changed or enough was said.
  std::string line(const nlohmann::json& event);
  /// True when every application seen has come to rest and at least one waits for a person.
  [[nodiscard]] bool only_people_can_go_on() const;
  /// The last event of each application, as a result's "items".
  [[nodiscard]] nlohmann::json items() const;

 private:
  struct Seen {
    std::string key;
    std::string event;  // JSON
    std::string state;
  };
  std::map<std::string, Seen> seen_;
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

/// "plumb: checking ... 4 s", for proxies that cut silent connections.
[[nodiscard]] std::string still_checking_text(std::chrono::milliseconds so_far);

}  // namespace plumb::hooks
