#pragma once
/// drivers/zmq: the two ends of the line between plumbd and its workers.
///
///   Frames   docs/formats.md "Worker frames". In process now (inproc://), TCP with CURVE later.
///   Threads  a Router or Dealer belongs to one thread; wake() may be called from any.
///   Errors   fault: libzmq says no; a malformed message is dropped and counted, never an error.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace plumb::zmq {

class Context {
 public:
  Context();
  ~Context();
  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct Message {
  std::string peer;  ///< routing id; Router only
  std::string type;  ///< "READY", "JOB", ...
  std::string body;  ///< JSON text
};

class Socket {
 public:
  enum class Role { router, dealer };
  /// A router binds, a dealer connects (and waits for the other to come).
  static Result<std::unique_ptr<Socket>> open(Context& context,
                                              Role role,
                                              const std::string& endpoint);
  ~Socket();

  /// Queues the message; past the high-water mark or to an unknown peer it is dropped (the
  /// database is the truth, a lost message costs time).
  void send(const Message& message);

  /// The next message; nullopt after the timeout or a wake().
  Result<std::optional<Message>> receive(std::chrono::milliseconds timeout);

  /// Makes a receive() on another thread return now.
  void wake();

 private:
  struct Impl;
  explicit Socket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plumb::zmq
