#pragma once
/// One request to plumbd over its socket (docs/formats.md "Local socket").
///
///   Errors   unavailable: nobody listens, or no answer in time; else what the server said.
///   Threads  any; each ask() is a connection of its own.
#include <chrono>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace plumb::console {

using OnEvent = std::function<void(const nlohmann::json& event)>;

class Client {
 public:
  explicit Client(std::string socket) : socket_(std::move(socket)) {}
  [[nodiscard]] const std::string& socket() const { return socket_; }

  /// `patience`: between two frames of the answer.
  [[nodiscard]] Result<nlohmann::json> ask(
      const std::string& method,
      const nlohmann::json& params,
      const OnEvent& on_event = {},
      std::chrono::milliseconds patience = std::chrono::minutes(2)) const;

 private:
  std::string socket_;
};

}  // namespace plumb::console
