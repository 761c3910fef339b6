#pragma once
/// Private to drivers/process: a file descriptor with one owner.
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <unistd.h>

#include "core/result.h"

namespace plumb::process {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int raw) : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.raw_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return raw_; }
  [[nodiscard]] explicit operator bool() const { return raw_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(raw_, -1); }
  void reset(int raw = -1) {
    if (raw_ >= 0) ::close(raw_);
    raw_ = raw;
  }

 private:
  int raw_ = -1;
};

inline Failure system_failure(const std::string& doing, int code) {
  return fail(Errc::fault, doing + ": " + ::strerror(code));
}

}  // namespace plumb::process
