#pragma once
/// What the fuzzer and the corpus test both do with bytes that a peer sent.
#include <string_view>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

#include "drivers/local_socket/local_socket.h"

namespace plumb::test {

/// Reads frames until the end or the first bad one; returns how many were good.
inline int read_frames(std::string_view bytes) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  std::jthread writer([fd = ends[1], bytes] {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t sent = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) break;
      at += static_cast<std::size_t>(sent);
    }
    ::close(fd);
  });
  local::Connection connection(ends[0]);
  for (int good = 0;; ++good) {
    const auto frame = connection.receive(std::chrono::seconds(5));
    if (!frame || !*frame) return good;
  }
}

}  // namespace plumb::test
