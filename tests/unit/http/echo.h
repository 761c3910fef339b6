#pragma once
/// A server on a free port that notes what it was asked and says the size of the body.
#include <atomic>

#include "drivers/http/http.h"
#include "tests/support/must.h"
#include "tests/unit/http/raw_client.h"

namespace plumb::test {

struct Echo {
  explicit Echo(http::Options options = {}) {
    if (options.listen.empty()) options.listen = "127.0.0.1:0";
    server = must(http::Server::start(
        std::move(options),
        [](const http::Request& request) -> std::optional<http::Response> {
          if (request.path != "/no") return std::nullopt;
          return http::Response{401, "{}\n", "application/json", {{"X-Why", "no"}}};
        },
        [this](const http::Request& request, std::string_view body) {
          ++served;
          if (request.path == "/throw") throw std::runtime_error("a secret");
          return http::Response{200, std::to_string(body.size()) + " bytes\n", "text/plain", {}};
        }));
  }
  [[nodiscard]] const std::string& at() const { return server->address(); }

  std::atomic<int> served = 0;
  std::unique_ptr<http::Server> server;
};

inline std::string post(std::size_t size,
                        const std::string& path = "/x",
                        const std::string& more = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + more +
         "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

/// The resident memory of this process, in bytes.
std::size_t resident();

}  // namespace plumb::test
