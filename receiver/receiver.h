#pragma once
/// receiver/: webhooks of forges, `POST /hooks/<endpoint-id>`, and /healthz, /readyz, /metrics.
///
///   In       HTTP deliveries of Gitea and GitHub for the endpoints of the server's file
///   Out      one Event for each new delivery, through `Accept`, which stores it durably
///   Order    head checks, capped read, signature over the raw bytes, JSON, event, store, and only
///            then the 202
///   Same     a delivery is known by the bytes that were signed: a replay under any id gets the
///            first event's id (the sender's delivery id is not signed)
///   Codes    202 stored or seen before, 200 authentic but of no use here, 400 no JSON or another
///            provider's, 401 signature, 404 no such endpoint, 405, 413, 415, 503 + Retry-After
///            when it cannot be stored. Never 500
///   Hint     a payload is never a fact: the planner reads the refs again
///   Threads  the callbacks run on many threads at once
///   Errors   start: invalid (address that needs TLS or a proxy, secret, certificate), conflict
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "config/server_config.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/job.h"
#include "core/result.h"

namespace plumb::receiver {

struct Accepted {
  EventId id = 0;
  bool duplicate = false;  ///< `id` is the first delivery's
};

/// Stores the event; when it returns a value the event survives a crash. `raw` is the payload.
using Accept = std::function<Result<Accepted>(
    const Event&, std::string_view raw, const config::RepositoryBinding&)>;

/// What /metrics shows beside the receiver's own counters.
struct Gauges {
  std::map<std::string, std::int64_t> jobs;          ///< by state
  std::map<std::string, std::int64_t> applications;  ///< by health
};

struct Options {
  const Clock* clock = nullptr;              ///< null: the system's
  std::function<Result<Gauges>()> gauges{};  ///< empty: none are shown
  std::string version{};
  std::chrono::milliseconds head_time{10'000};
  std::chrono::milliseconds total_time{30'000};
  std::chrono::milliseconds pressed_time{3'000};  ///< while others wait for a thread
};

class Receiver {
 public:
  /// `ready`: false makes /readyz say 503.
  static Result<std::unique_ptr<Receiver>> start(const config::ServerConfig& config,
                                                 Accept accept,
                                                 std::function<bool()> ready,
                                                 Options options = {});
  ~Receiver();  ///< answers what was read, then stops

  [[nodiscard]] const std::string& address() const;  ///< "127.0.0.1:43117"

 private:
  struct Impl;
  explicit Receiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plumb::receiver
