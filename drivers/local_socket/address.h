#pragma once
/// Private to drivers/local_socket: a path as the address of a Unix socket.
#include <cerrno>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "core/result.h"

namespace plumb::local {

/// sun_path holds 107 bytes. A longer path is reached through its folder's descriptor, which stays
/// open as long as this object.
class Address {
 public:
  static Result<Address> of(const std::string& path);
  Address(Address&& other) noexcept;
  Address& operator=(Address&&) = delete;
  ~Address();

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  [[nodiscard]] socklen_t size() const { return sizeof address_; }

 private:
  Address() = default;
  sockaddr_un address_{};
  int folder_ = -1;
};

inline Failure system_failure(Errc code, const std::string& doing, int error) {
  return fail(code, doing + ": " + ::strerror(error));
}

}  // namespace plumb::local
