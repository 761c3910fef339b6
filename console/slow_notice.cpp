#include "console/slow_notice.h"

#include <chrono>
#include <utility>

#include <unistd.h>

namespace plumb::console {

SlowNotice::SlowNotice(int fd, std::string text) {
  if (fd < 0) return;
  thread_ = std::jthread([this, fd, line = std::move(text) + "\n"](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    // Nobody is helped by an error about a progress line.
    if (!stop.stop_requested()) static_cast<void>(!::write(fd, line.data(), line.size()));
  });
}

SlowNotice::~SlowNotice() = default;

}  // namespace plumb::console
