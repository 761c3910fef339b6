#pragma once
/// A bound and listening TCP socket.
#include <string>

#include "drivers/http/http.h"

namespace plumb::http {

struct Listener {
  int fd = -1;
  std::string address;  ///< with the real port
};

/// The caller owns the descriptor (non-blocking, close-on-exec). conflict: the address is in use.
[[nodiscard]] Result<Listener> listen_on(const Address& address);

}  // namespace plumb::http
