#pragma once
/// drivers/kube: HTTP to one API server over libcurl.
///
///   Line     HTTP/2, all calls as streams of one TLS connection that stays open. TLS is always
///            verified unless the kubeconfig says not to. No redirects, no proxy from the
///            environment.
///   Threads  every function from any thread. One thread per client does all I/O.
///   Load     calls past an adaptive limit wait in a queue (limiter.h); after a Retry-After nothing
///            starts before it has passed. The wait counts against the call's timeout.
///   Errors   a call fails only when there is no whole answer: unavailable (no connection,
///            deadline, half a body), denied (no credential), fault (an answer past its cap). An
///            answer with a bad status is a Response; check() makes it an Error.
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "drivers/kube/kubeconfig.h"

namespace plumb::kube {

struct Request {
  std::string method = "GET";
  std::string path;  ///< "/api/v1/namespaces?limit=1", already percent-encoded
  std::string body{};
  std::string content_type{};
  std::string accept = "application/json";
  std::string user_agent = "plumbline";  ///< stands in the API server's audit log
  std::chrono::milliseconds timeout{15'000};
  std::size_t max_response_bytes = 64U << 20U;
};

struct Response {
  int status = 0;
  std::string body;
  std::string audit_id;
  std::vector<std::string> warnings;  ///< Warning headers, at most 20
  std::chrono::milliseconds retry_after{0};
};

/// An answer read line by line. Its end cancels it: after the destructor no callback runs.
class Stream {
 public:
  virtual ~Stream() = default;
};

class Client {
 public:
  /// Does not connect yet.
  static Result<std::unique_ptr<Client>> open(Access access);
  ~Client();

  Result<Response> call(Request request);
  std::future<Result<Response>> start(Request request);

  /// Calls `on_line` with each line of a 2xx answer (without its newline) on the client's thread,
  /// then `on_end` once: a Response (its body only when the status is not 2xx) or an Error. Both
  /// must return soon and must not call into the client.
  Result<std::unique_ptr<Stream>> stream(Request request,
                                         std::function<void(std::string_view)> on_line,
                                         std::function<void(Result<Response>)> on_end);

  [[nodiscard]] const std::string& server() const;  ///< "https://10.0.0.1:6443"
  [[nodiscard]] const std::string& origin() const;  ///< where the access came from, for messages
  [[nodiscard]] int limit() const;                  ///< calls that may be under way now

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One path segment or query value, percent-encoded.
[[nodiscard]] std::string encoded(std::string_view text);

}  // namespace plumb::kube
