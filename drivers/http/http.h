#pragma once
/// drivers/http: an HTTP/1.1 server for untrusted senders, one request a connection.
///
///   In       bytes of anybody; every one of them is counted and timed before it is looked at
///   Out      Request (headers as they were sent, names in lower case) and its whole body
///   Limits   Options: head, body, total time, threads, memory of all bodies together. Past them
///            the server itself answers 400, 408, 413, 414, 415, 417, 431, 503 and closes
///   Threads  `check` and `serve` run on the pool's threads, several at once
///   Errors   start: invalid (address, certificate), conflict (address in use)
///   Never    decompresses, follows X-Forwarded-*, answers 500, keeps a connection
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace plumb::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  ///< "POST"
  std::string path;    ///< as sent, without the query, not percent-decoded
  Headers headers;     ///< names in lower case, values as sent without outer blanks

  /// The value; nullopt when it is missing or stands there twice.
  [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
  [[nodiscard]] int count(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  Headers headers;
};

struct Options {
  std::string listen;            ///< "127.0.0.1:8080", "[::1]:0"; port 0 picks a free one
  std::string certificate, key;  ///< PEM files; both or none. TLS 1.2 and newer
  int threads = 96;              ///< connections served at once
  int waiting = 512;             ///< accepted connections that may wait for a thread
  std::size_t max_head = 32U << 10U;
  std::size_t max_body = 26U << 20U;
  std::size_t max_bodies = 128U << 20U;          ///< of all connections together; past it: 503
  std::chrono::milliseconds head_time{10'000};   ///< until the end of the head, TLS included
  std::chrono::milliseconds total_time{30'000};  ///< until the end of the body
  std::chrono::milliseconds pressed_time{
      3'000};  ///< instead of both while others wait for a thread
};

/// Sees the head. An answer refuses the request before any byte of its body is read.
using Check = std::function<std::optional<Response>(const Request&)>;
using Serve = std::function<Response(const Request&, std::string_view body)>;

class Server {
 public:
  static Result<std::unique_ptr<Server>> start(Options options, Check check, Serve serve);
  /// Stops accepting, ends those that still send, lets those that are served finish.
  ~Server();

  [[nodiscard]] const std::string& address() const;  ///< with the real port

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Host and port of "host:port" or "[v6]:port". invalid: neither.
struct Address {
  std::string host;
  int port = 0;
};
[[nodiscard]] Result<Address> parse_address(std::string_view listen);
/// 127.0.0.0/8, ::1 and "localhost".
[[nodiscard]] bool is_loopback(const Address& address);

}  // namespace plumb::http
