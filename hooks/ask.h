#pragma once
/// One request to plumbd over its socket (docs/formats.md "Local socket").
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/event.h"
#include "core/result.h"
#include "drivers/local_socket/local_socket.h"

namespace plumb::hooks {

/// Refs as the protocol writes them.
[[nodiscard]] nlohmann::json refs_json(const std::vector<RefUpdate>& refs);
[[nodiscard]] nlohmann::json actor_json(const Actor& actor);

class Question {
 public:
  /// Connects and sends. unavailable: nobody is there.
  static Result<Question> ask(const std::string& socket,
                              const std::string& method,
                              const nlohmann::json& params,
                              std::chrono::milliseconds timeout);

  struct Answer {
    bool final = false;  ///< `value` is the result; else an event
    std::string value;   ///< JSON text
  };
  /// The next event or the result; nullopt when `timeout` has passed. The Error is plumbd's own, or
  /// unavailable: it went away or spoke nonsense.
  Result<std::optional<Answer>> next(std::chrono::milliseconds timeout);

  /// Streams the objects of these tips that the repository's refs do not reach, as B frames.
  Result<> send_pack(const std::vector<RefUpdate>& refs, std::chrono::milliseconds timeout);

 private:
  explicit Question(local::Connection connection) : connection_(std::move(connection)) {}
  local::Connection connection_;
};

/// "There is something in the spool." Never waits, never fails.
void poke(const std::string& socket, const std::string& repository);

/// True when the server could not judge, rather than judged and said no.
[[nodiscard]] inline bool is_down(const Error& error) {
  return error.code == Errc::unavailable || error.code == Errc::fault;
}

}  // namespace plumb::hooks
