#include <cerrno>
#include <string_view>

#include <unistd.h>

#include "hooks/roles.h"

namespace plumb::hooks {

void say(const std::string& text) {
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace plumb::hooks
