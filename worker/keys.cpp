#include "worker/keys.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/crypto/crypto.h"

namespace plumb::worker {
namespace {

constexpr std::size_t kKeyBytes = 32;

Result<std::string> read_key(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail(Errc::fault, "key '" + path + "': " + std::strerror(errno));
  struct stat info {};
  std::string key(kKeyBytes, '\0');
  const bool private_file = ::fstat(fd, &info) == 0 && (info.st_mode & 077) == 0;
  const bool whole = ::read(fd, key.data(), kKeyBytes) == static_cast<ssize_t>(kKeyBytes) &&
                     info.st_size == static_cast<off_t>(kKeyBytes);
  ::close(fd);
  if (!private_file) {
    return fail(Errc::fault, "key '" + path + "' may be read by others", path, "chmod 600 " + path);
  }
  if (!whole)
    return fail(Errc::fault, "key '" + path + "' is not 32 bytes: restore it from the backup");
  return key;
}

/// Written beside and linked in whole, so that a crash never leaves half a key behind its name.
Result<> make_key(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  const std::string key = TRY(crypto::random_bytes(kKeyBytes));
  const std::string beside = path + ".new";
  static_cast<void>(::unlink(beside.c_str()));
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Errc::fault, "key '" + path + "': " + std::strerror(errno));
  const bool stored =
      ::write(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!stored || (::link(beside.c_str(), path.c_str()) != 0 && errno != EEXIST)) {
    static_cast<void>(::unlink(beside.c_str()));
    return fail(Errc::unavailable, "key '" + path + "': the disk is full or broken");
  }
  static_cast<void>(::unlink(beside.c_str()));
  const int folder =
      ::open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    static_cast<void>(::fsync(folder));
    ::close(folder);
  }
  return {};
}

}  // namespace

Result<> Keys::open(const std::vector<std::string>& projects) {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Errc::fault, "'" + folder_ + "': " + std::strerror(errno));
  }
  for (const std::string& project : projects) {
    const std::string path = folder_ + "/" + project + ".key";
    TRY(make_key(path));
    keys_.insert_or_assign(project, plan::ProjectKey(TRY(read_key(path))));
  }
  return {};
}

const plan::ProjectKey& Keys::key_of(const std::string& project) const {
  const auto found = keys_.find(project);
  // The server's file names every project before anything is rendered for one.
  assert(found != keys_.end());
  return found->second;
}

}  // namespace plumb::worker
