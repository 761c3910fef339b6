#pragma once
/// Who we are right now: what the access says, a token file read again, an exec plugin asked again.
/// Private to drivers/kube. Any thread; an exec plugin runs under the lock, so once for all
/// callers.
#include <chrono>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/guarded.h"
#include "core/result.h"
#include "drivers/kube/kubeconfig.h"

namespace plumb::kube {

struct Identity {
  std::string token;
  std::string certificate_pem;
  std::string key_pem;
};

class Credentials {
 public:
  explicit Credentials(Access access) : access_(std::move(access)) {}

  Result<std::shared_ptr<const Identity>> current();
  /// `refused` got a 401: forget it if it is still the current one. True if asking again may help.
  bool renew(const std::shared_ptr<const Identity>& refused);

 private:
  struct Known {
    std::shared_ptr<const Identity> identity;
    std::chrono::steady_clock::time_point read_at{};
    UnixMillis expires_at = 0;  // 0: never
  };
  Result<> refresh(Known& known) const;
  Result<> run_plugin(Known& known) const;

  Access access_;
  SystemClock clock_;
  Guarded<Known> known_;
};

/// "2026-11-24T10:14:02Z" (fractions and offsets allowed) as Unix milliseconds; 0 if it is no time.
[[nodiscard]] UnixMillis parse_rfc3339(const std::string& text);

}  // namespace plumb::kube
