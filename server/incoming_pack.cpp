#include "server/incoming_pack.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/process/process.h"

namespace plumb::server {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t kMaxPack = 512U << 20U;

std::string root_of(const std::string& data_dir) {
  return data_dir + "/incoming";
}

Result<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail(Errc::unavailable, "'" + path + "': " + std::strerror(errno));
}

Result<> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(Errc::unavailable, "'" + path + "' cannot be written: is the disk full?");
  return {};
}

/// The least that git takes for a repository.
Result<std::string> make_repository(const std::string& data_dir, const std::string& repository) {
  TRY(make_folder(root_of(data_dir)));
  const std::string folder = root_of(data_dir) + "/" + crypto::hex(TRY(crypto::random_bytes(8)));
  for (const char* part : {"", "/objects", "/objects/info", "/objects/pack", "/refs"})
    TRY(make_folder(folder + part));
  TRY(write_file(folder + "/HEAD", "ref: refs/heads/none\n"));
  TRY(write_file(folder + "/objects/info/alternates", repository + "/objects\n"));
  return folder;
}

/// Only what make_repository and index-pack make: a folder of known shape, never followed further.
void remove_repository(const std::string& folder) {
  std::error_code ignored;
  for (const char* part : {"/objects/pack", "/objects/info", "/objects", "/refs", ""}) {
    for (const auto& entry : fs::directory_iterator(folder + part, ignored))
      fs::remove(entry.path(), ignored);
    fs::remove(folder + part, ignored);
  }
}

}  // namespace

IncomingPack::~IncomingPack() {
  remove_repository(folder_);
}

void remove_old_incoming(const std::string& data_dir) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_of(data_dir), ignored))
    remove_repository(entry.path());
}

Result<std::unique_ptr<IncomingPack>> IncomingPack::receive(local::Connection& connection,
                                                            const std::string& data_dir,
                                                            const std::string& repository) {
  std::unique_ptr<IncomingPack> pack(new IncomingPack(TRY(make_repository(data_dir, repository))));
  std::size_t total = 0;
  process::RunOptions options;
  options.environment = {"GIT_DIR=" + pack->folder_,
                         "GIT_CONFIG_NOSYSTEM=1",
                         "GIT_CONFIG_GLOBAL=/dev/null",
                         "GIT_NO_LAZY_FETCH=1",
                         "PATH=/usr/bin:/bin",
                         "HOME=/nonexistent",
                         "LC_ALL=C"};
  options.folder = pack->folder_;
  options.limits.file_bytes = kMaxPack;
  options.deadline = 60s;
  options.more_input = [&]() -> Result<std::string> {
    auto frame = TRY(connection.receive(20s));
    if (!frame || frame->type != 'B')
      return fail(Errc::invalid, "the hook stopped sending its pack");
    total += frame->payload.size();
    if (total > kMaxPack) return fail(Errc::invalid, "the push is larger than 512 MiB");
    return std::move(frame->payload);  // empty: the end
  };
  const auto git = TRY(process::find_program("git"));
  const auto indexed = TRY_DOING(
      "read the push's objects",
      process::run({git, "index-pack", "--stdin", "--fix-thin", "--max-input-size=536870912"},
                   options));
  if (!indexed.exit.ok()) {
    return fail(Errc::invalid, "git index-pack: " + printable(indexed.err, 300));
  }
  return pack;
}

}  // namespace plumb::server
