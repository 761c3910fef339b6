#pragma once
/// Small bounded reads, private to drivers/kube.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "core/result.h"

namespace plumb::kube {

/// The whole file, at most `limit` bytes.
inline Result<std::string> read_file(const std::string& path, std::size_t limit) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int code = errno;
    return fail(Errc::invalid, "cannot read '" + path + "': " + std::strerror(code));
  }
  std::string bytes(limit + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.bad() || (in.fail() && !in.eof())) {
    return fail(Errc::invalid, "cannot read '" + path + "': is it a file?");
  }
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  if (bytes.size() > limit) {
    return fail(Errc::invalid, "'" + path + "' is larger than " + std::to_string(limit) + " bytes");
  }
  return bytes;
}

}  // namespace plumb::kube
