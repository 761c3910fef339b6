#include "hooks/spool_record.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/failpoint.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::hooks {
namespace {

using Json = nlohmann::json;

constexpr time_t kOldSeconds = 7 * 24 * 3600;
constexpr time_t kOptionsSeconds = 600;  // longer than any push; a process id may come again
constexpr std::string_view kPrepared = ".prepared";
constexpr std::string_view kCommitted = ".committed";

Failure cannot(const std::string& doing) {
  return fail(Errc::unavailable, doing + ": " + ::strerror(errno), "",
              "look at the folder plumbline/spool of the repository: rights, disk space");
}

/// What one transaction moves, in 16 hex digits (FNV-1a). The old ids are left out: Git fills them
/// in between the states.
std::string hash_of(const std::vector<RefUpdate>& refs) {
  std::uint64_t hash = 14695981039346656037U;
  const auto mix = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    hash = (hash ^ 0xffU) * 1099511628211U;
  };
  for (const RefUpdate& update : refs) {
    mix(update.ref);
    mix(update.new_oid);
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

std::string record_of(const std::vector<RefUpdate>& refs,
                      const Actor& actor,
                      const std::vector<std::string>& options) {
  Json moved = Json::array();
  for (const RefUpdate& update : refs) {
    if (!is_utf8(update.ref)) continue;
    moved.push_back({{"ref", update.ref}, {"old", update.old_oid}, {"new", update.new_oid}});
  }
  return json::canonical(
             {{"v", 1},
              {"at", SystemClock().now()},
              {"uid", ::getuid()},
              {"refs", std::move(moved)},
              {"actor",
               {{"id", actor.id}, {"name", actor.name}, {"assurance", to_string(actor.assurance)}}},
              {"options", options}}) +
         "\n";
}

Result<> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return cannot("write a spool record");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return cannot("open the spool");
  const int failed = ::fsync(fd);
  ::close(fd);
  if (failed != 0) return cannot("sync the spool");
  return {};
}

}  // namespace

Spool::Spool(const std::string& repository, pid_t git)
    : repository_(repository), folder_(repository + "/plumbline/spool"), git_(git) {}

/// With the rights of Git's own `objects`: who may push may leave a record.
Result<> Spool::make_folder() const {
  struct stat objects {};
  const mode_t mode =
      ::stat((repository_ + "/objects").c_str(), &objects) == 0 ? objects.st_mode & 02777U : 0755U;
  for (const std::string& folder : {repository_ + "/plumbline", folder_}) {
    if (::mkdir(folder.c_str(), mode) == 0) {
      static_cast<void>(::chmod(folder.c_str(), mode));
    } else if (errno != EEXIST) {
      return cannot("make the spool");
    }
  }
  return {};
}

Result<std::string> Spool::write(const std::vector<RefUpdate>& refs, const Actor& actor) const {
  TRY(make_folder());
  const std::string tail =
      "-" + std::to_string(git_) + "-" + hash_of(refs) + std::string(kPrepared);
  std::string path;
  int fd = -1;
  for (auto at = SystemClock().now(); fd < 0; ++at) {
    path = folder_ + "/" + std::to_string(at) + tail;
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 && errno != EEXIST) return cannot("make a spool record");
  }
  auto written = write_all(fd, record_of(refs, actor, kept_options()));
  if (written && ::fsync(fd) != 0) written = cannot("sync a spool record");
  ::close(fd);
  if (written) written = sync_folder(folder_);
  if (!written) {
    ::unlink(path.c_str());
    return Failure(std::move(written).error());
  }
  return path;
}

Result<> Spool::prepare(const std::vector<RefUpdate>& refs, const Actor& actor) {
  TRY(write(refs, actor));
  FAILPOINT("hook.spool_prepared");
  return {};
}

Result<> Spool::commit(const std::vector<RefUpdate>& refs, const Actor& actor) {
  std::string path = find(hash_of(refs));
  if (path.empty()) path = TRY(write(refs, actor));
  const std::string finished =
      path.substr(0, path.size() - kPrepared.size()) + std::string(kCommitted);
  // No sync: if the rename is lost, the record counts as committed after a minute.
  if (::rename(path.c_str(), finished.c_str()) != 0 && errno != ENOENT)
    return cannot("finish a spool record");
  remove_old();
  return {};
}

void Spool::abort(const std::vector<RefUpdate>& refs) {
  if (const std::string path = find(hash_of(refs)); !path.empty()) ::unlink(path.c_str());
}

/// The record of this hash: of our Git, or the newest one of another (a dispatcher may stand
/// between).
std::string Spool::find(const std::string& hash) const {
  DIR* folder = ::opendir(folder_.c_str());
  if (folder == nullptr) return {};
  const std::string any = "-" + hash + std::string(kPrepared);
  const std::string ours = "-" + std::to_string(git_) + any;
  std::string found;
  bool is_ours = false;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(any)) continue;
    const bool mine = name.ends_with(ours);
    if (mine < is_ours || (mine == is_ours && name < std::string_view(found))) continue;
    found = name;
    is_ours = mine;
  }
  ::closedir(folder);
  return found.empty() ? found : folder_ + "/" + found;
}

void Spool::remove_old() const {
  DIR* folder = ::opendir(folder_.c_str());
  if (folder == nullptr) return;
  const time_t now = ::time(nullptr);
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    const bool ours =
        name.ends_with(kPrepared) || name.ends_with(kCommitted) || name.ends_with(".options");
    struct stat info {};
    if (!ours || ::fstatat(::dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (now - info.st_mtime > kOldSeconds) ::unlinkat(::dirfd(folder), entry->d_name, 0);
  }
  ::closedir(folder);
}

std::string Spool::options_path() const {
  return folder_ + "/" + std::to_string(git_) + ".options";
}

void Spool::keep_options(const std::vector<std::string>& options) const {
  const std::string path = options_path();
  ::unlink(path.c_str());
  if (options.empty() || !make_folder()) return;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return;
  static_cast<void>(write_all(fd, json::canonical({{"options", options}})));
  ::close(fd);
}

std::vector<std::string> Spool::kept_options() const {
  const int fd = ::open(options_path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  std::string text(64U << 10U, '\0');
  struct stat info {};
  const ssize_t got = ::read(fd, text.data(), text.size());
  const bool fresh = ::fstat(fd, &info) == 0 && ::time(nullptr) - info.st_mtime < kOptionsSeconds;
  ::close(fd);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  const auto value = json::parse(text, {.max_bytes = 64U << 10U, .max_depth = 4});
  return fresh && value && value->is_object() ? json::texts(*value, "options")
                                              : std::vector<std::string>();
}

}  // namespace plumb::hooks
