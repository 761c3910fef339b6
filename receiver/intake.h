#pragma once
/// From the bytes of a request to a stored event and its answer. No sockets. Any thread.
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/http/http.h"
#include "receiver/endpoints.h"
#include "receiver/metrics.h"
#include "receiver/providers/provider.h"
#include "receiver/receiver.h"

namespace plumb::receiver {

class Intake {
 public:
  Intake(Endpoints endpoints, Accept accept, std::function<bool()> ready, Options options);

  /// A refusal that needs no body; nullopt: read it.
  std::optional<http::Response> check(const http::Request& request);
  http::Response serve(const http::Request& request, std::string_view body);

 private:
  std::optional<http::Response> check_hook(const http::Request& request, const Endpoint& endpoint);
  Result<http::Response> deliver(const http::Request& request,
                                 const Endpoint& endpoint,
                                 std::string_view body);
  Result<http::Response> store(const Endpoint& endpoint,
                               const Delivery& delivery,
                               std::string_view body,
                               std::string_view text);
  http::Response refuse_unsigned(const Endpoint& endpoint);
  http::Response page(const http::Request& request);

  Endpoints endpoints_;
  Accept accept_;
  std::function<bool()> ready_;
  Options options_;
  SystemClock system_clock_;
  const Clock& clock_;
  Metrics metrics_;
  std::mutex large_;  // one large payload at a time becomes a tree of values, many times its size
  struct Refusals {
    std::chrono::steady_clock::time_point told{};
    std::int64_t untold = 0;
  };
  Guarded<Refusals> refusals_;
};

}  // namespace plumb::receiver
