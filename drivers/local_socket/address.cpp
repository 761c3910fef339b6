#include "drivers/local_socket/address.h"

#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace plumb::local {

Result<Address> Address::of(const std::string& path) {
  Address made;
  made.address_.sun_family = AF_UNIX;
  std::string name = path;
  if (name.size() >= sizeof made.address_.sun_path) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    made.folder_ = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (made.folder_ < 0) return system_failure(Errc::unavailable, "open '" + folder + "'", errno);
    name = "/proc/self/fd/" + std::to_string(made.folder_) + "/" + path.substr(slash + 1);
  }
  if (path.empty() || path.find('\0') != std::string::npos ||
      name.size() >= sizeof made.address_.sun_path) {
    return fail(Errc::invalid, "'" + path.substr(0, 80) + "' is no path of a socket");
  }
  std::memcpy(made.address_.sun_path, name.data(), name.size());
  return made;
}

Address::Address(Address&& other) noexcept
    : address_(other.address_), folder_(std::exchange(other.folder_, -1)) {}

Address::~Address() {
  if (folder_ >= 0) ::close(folder_);
}

}  // namespace plumb::local
