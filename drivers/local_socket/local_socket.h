#pragma once
/// drivers/local_socket: framed messages over a Unix socket, with the peer's credentials.
///
///   Frame    4 bytes big-endian length of what follows, 1 byte type ('J' JSON text, 'B' bytes),
///            then the payload. At most 16 MiB a frame; a longer one ends the connection.
///   Threads  a Connection belongs to one thread; a Server runs each connection on a thread of its
///            own, at most `max_connections`, and answers `unavailable` past that.
///   Errors   unavailable: nobody listens, time is over, peer went away; invalid: bad frame.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/result.h"

namespace plumb::local {

struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

struct Frame {
  char type = 'J';  ///< 'J' or 'B'
  std::string payload;
};

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  static Result<Connection> connect(const std::string& path, std::chrono::milliseconds timeout);

  /// Waits at most 30 s for a peer that does not read.
  Result<> send(char type, std::string_view payload);
  /// The next frame; nullopt when the peer closed in good order.
  Result<std::optional<Frame>> receive(std::chrono::milliseconds timeout);
  /// True once receive() would not wait for its first byte, or the peer has gone away; false after
  /// `timeout`. For those who have something to say while they wait.
  [[nodiscard]] bool wait_readable(std::chrono::milliseconds timeout) const;
  /// True once the peer has gone away; does not block.
  [[nodiscard]] bool peer_gone() const;
  [[nodiscard]] Result<Peer> peer() const;

 private:
  int fd_ = -1;
};

class Server {
 public:
  /// The handler runs on the connection's thread; returning closes the connection.
  using Handler = std::function<void(Connection&, const Peer&, std::stop_token)>;
  struct Options {
    unsigned mode = 0666;  ///< of the socket file; rights are decided by peer uid, per call
    int max_connections = 256;
  };
  /// Removes a dead socket file of an earlier run; `conflict` if somebody still answers on it.
  static Result<std::unique_ptr<Server>> listen(const std::string& path,
                                                Options options,
                                                Handler handler);
  ~Server();  ///< stops accepting, asks handlers to stop, joins them

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plumb::local
