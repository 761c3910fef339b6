#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/server_config.h"

namespace plumb::config {
namespace {

constexpr std::size_t kLongest = 64U << 10U;

struct File {
  int descriptor;
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

Result<std::string> read_file(const std::string& path) {
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.descriptor < 0)
    return fail(Errc::invalid, "read secret '" + path + "': " + std::strerror(errno));
  struct stat about {};
  if (::fstat(file.descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    return fail(Errc::invalid, "secret '" + path + "' is no file");
  }
  if ((about.st_mode & 022U) != 0) {
    return fail(Errc::invalid, "secret '" + path + "' may be written by others", "",
                "chmod 600 " + path);
  }
  std::string value;
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while ((got = ::read(file.descriptor, part.data(), part.size())) > 0) {
    value.append(part.data(), static_cast<std::size_t>(got));
    if (value.size() > kLongest) return fail(Errc::invalid, "secret '" + path + "' is too long");
  }
  if (got < 0) return fail(Errc::invalid, "read secret '" + path + "': " + std::strerror(errno));
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  if (value.empty()) return fail(Errc::invalid, "secret '" + path + "' is empty");
  return value;
}

}  // namespace

Result<std::string> read_secret(const SecretRef& reference) {
  if (!reference.file.empty()) return read_file(reference.file);
  const char* value = std::getenv(reference.env.c_str());
  if (value == nullptr || *value == '\0') {
    return fail(Errc::invalid, "the environment variable '" + reference.env + "' is not set");
  }
  return std::string(value);
}

}  // namespace plumb::config
