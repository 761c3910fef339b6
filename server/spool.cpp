#include "server/spool.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxRecord = 16U << 20U;  // 100 000 refs of one push
constexpr std::size_t kMostRecords = 10'000;
constexpr std::int64_t kAbandonedMs = 60'000;  // a transaction that never said how it ended

struct Record {
  std::string text;
  uid_t owner = 0;
  UnixMillis modified_at = 0;
};

Result<Record> read_record(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    // Taken by somebody else, or not ours to read; a symbolic link is nothing that a hook wrote.
    const bool left_alone = errno == ENOENT || errno == EACCES;
    return fail(left_alone ? Errc::unavailable : Errc::invalid,
                "spool '" + path + "' cannot be read");
  }
  Record record;
  struct stat info {};
  const bool good = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
                    static_cast<std::size_t>(info.st_size) <= kMaxRecord;
  if (good) {
    record.text.resize(static_cast<std::size_t>(info.st_size));
    const ssize_t got = ::read(fd, record.text.data(), record.text.size());
    record.text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    record.owner = info.st_uid;
    record.modified_at = static_cast<UnixMillis>(info.st_mtim.tv_sec) * 1000;
  }
  ::close(fd);
  if (!good) return fail(Errc::invalid, "spool '" + path + "' is no record");
  return record;
}

std::vector<RefUpdate> refs_of(const Json& value) {
  std::vector<RefUpdate> refs;
  for (const Json& ref : json::list(value, "refs")) {
    RefUpdate update{json::text(ref, "ref"), json::text(ref, "old"), json::text(ref, "new")};
    if (is_ref_name(update.ref) && is_oid(update.old_oid) && is_oid(update.new_oid))
      refs.push_back(update);
  }
  return refs;
}

/// The record lies in a folder of the Git user's: the file's owner is sure, the rest is claimed.
Actor actor_of(const Json& value, uid_t owner) {
  Actor actor{"uid:" + std::to_string(owner), "", Assurance::peer_uid};
  const Json& claimed = json::object(value, "actor");
  const std::string id = printable(json::text(claimed, "id"));
  actor.name = printable(json::text(claimed, "name"));
  if (!id.empty() && id != actor.id) actor = {id, actor.name, Assurance::claimed};
  return actor;
}

std::string reason_of(const Json& value) {
  constexpr std::string_view kReason = "plumb.reason=";
  for (const std::string& text : json::texts(value, "options")) {
    if (text.starts_with(kReason))
      return printable(std::string_view(text).substr(kReason.size()), 500);
  }
  return "";
}

bool tracked(const config::RepositoryBinding& binding, const RefUpdate& update) {
  return std::any_of(
      binding.branches.begin(), binding.branches.end(),
      [&](const std::string& branch) { return update.ref == "refs/heads/" + branch; });
}

}  // namespace

Result<bool> SpoolReader::take(const config::RepositoryBinding& binding,
                               const std::string& path,
                               const std::string& name) {
  const UnixMillis now = ledger_.clock().now();
  const auto record = read_record(path);
  if (!record) {
    // Gone: somebody else took it. Anything else is nothing that a hook of ours wrote.
    if (record.error().code == Errc::unavailable) return false;
    log::warn("spool.unreadable", {{"repository", binding.name}, {"record", name}});
    return done_with(path, false);
  }
  if (name.ends_with(".prepared") && now - record->modified_at < kAbandonedMs) return false;
  const auto value = json::parse(record->text, {.max_bytes = kMaxRecord, .max_depth = 8});
  if (!value || !value->is_object() || json::number(*value, "v") != 1) {
    log::warn("spool.unreadable", {{"repository", binding.name}, {"record", name}});
    return done_with(path, false);
  }
  Event event{binding.name,
              refs_of(*value),
              Trigger::push,
              "spool:" + name.substr(0, name.rfind('.')),
              actor_of(*value, record->owner),
              reason_of(*value),
              now};
  std::erase_if(event.refs, [&](const RefUpdate& update) { return !tracked(binding, update); });
  const bool fresh = !event.refs.empty() && !TRY(ledger_.accept(event)).duplicate;
  FAILPOINT("spool.before_remove");
  return done_with(path, fresh);
}

bool SpoolReader::done_with(const std::string& path, bool fresh) {
  // What we may not remove (it is the Git user's) is not looked at again; after a restart its
  // delivery id keeps it from making a second event.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    taken_.with([&](auto& taken) {
      if (taken.size() >= kMostRecords) taken.clear();
      taken.insert(path);
    });
  }
  return fresh;
}

Result<int> SpoolReader::read(const config::RepositoryBinding& binding) {
  const std::string folder = binding.path + "/plumbline/spool";
  std::vector<std::string> names;
  std::error_code failed;
  std::filesystem::directory_iterator entries(folder, failed);
  for (; !failed && entries != std::filesystem::directory_iterator(); entries.increment(failed)) {
    const std::string name = entries->path().filename();
    if (!name.ends_with(".committed") && !name.ends_with(".prepared")) continue;
    if (taken_.with([&](const auto& taken) { return taken.contains(folder + "/" + name); }))
      continue;
    names.push_back(name);
    if (names.size() >= kMostRecords) break;
  }
  std::sort(names.begin(), names.end());  // they begin with their time
  int fresh = 0;
  Result<> stopped;
  for (const std::string& name : names) {
    const auto taken = take(binding, folder + "/" + name, name);
    if (!taken) {  // the store said no: the record stays for the next time
      stopped = Failure(taken.error());
      break;
    }
    if (*taken) ++fresh;
  }
  if (fresh > 0) planner_.wake();
  TRY(std::move(stopped));
  return fresh;
}

}  // namespace plumb::server
