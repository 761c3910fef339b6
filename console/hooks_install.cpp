#include "console/hooks_install.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "drivers/process/process.h"

namespace plumb::console {
namespace {

using namespace std::chrono_literals;

constexpr std::array<const char*, 3> kNames{"pre-receive", "reference-transaction", "post-receive"};
constexpr const char* kKept = ".before-plumbline";
constexpr const char* kPushOptions = "receive.advertisePushOptions";
constexpr const char* kPushOptionsBefore = "plumbline.pushOptionsBefore";

Failure cannot(const std::string& doing) {
  return fail(Errc::unavailable, doing + ": " + ::strerror(errno), "",
              "run it as the user that owns the repository");
}

std::string real_path(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) == nullptr ? std::string() : std::string(resolved);
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string link_target(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

bool is_ours(const std::string& target) {
  return target == "plumb-hook" || target.ends_with("/plumb-hook");
}

/// The configuration of one repository's own file, through git, which knows how to write it.
class Config {
 public:
  explicit Config(const std::string& repository) : repository_(repository) {}

  Result<std::vector<std::string>> all(const std::string& key) const {
    const auto got = TRY(git({"--get-all", key}));
    std::vector<std::string> values;
    if (got.exit.ok()) values = split(got.out, '\n');
    if (!values.empty()) values.pop_back();
    return values;
  }
  Result<std::string> one(const std::string& key) const {
    const auto values = TRY(all(key));
    return values.empty() ? std::string() : values.back();
  }
  Result<> set(const std::string& key, const std::string& value) const {
    return change({key, value});
  }
  Result<> add(const std::string& key, const std::string& value) const {
    return change({"--add", key, value});
  }
  /// Also when it is not there.
  Result<> unset(const std::string& key) const {
    if (!TRY(all(key)).empty()) TRY(change({"--unset-all", key}));
    return {};
  }
  Result<> remove_section() const {
    const auto done = TRY(git({"--remove-section", "plumbline"}));  // 128: no such section
    if (done.exit.ok() || done.exit.code == 128) return {};
    return fail(Errc::unavailable, "git config: " + printable(done.err, 200));
  }
  /// As Git sees it, from every file that it reads.
  Result<std::string> effective(const std::string& key) const {
    process::RunOptions options;
    for (const char* name : {"HOME", "XDG_CONFIG_HOME"}) {
      if (const char* value = std::getenv(name))
        options.environment.push_back(std::string(name) + "=" + value);
    }
    options.environment.push_back("LC_ALL=C");
    options.environment.push_back("PATH=/usr/local/bin:/usr/bin:/bin");
    const auto program = TRY(process::find_program("git"));
    const auto got = TRY(process::run(
        {program, "--git-dir=" + repository_, "config", "--get", "--type=path", key}, options));
    return std::string(got.out.substr(0, got.out.find('\n')));
  }

 private:
  Result<process::Output> git(std::vector<std::string> arguments) const {
    const std::string program = TRY(process::find_program("git"));
    std::vector<std::string> argv{program, "config", "--file", repository_ + "/config"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process::RunOptions options;
    options.environment = {"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent",
                           "GIT_CONFIG_NOSYSTEM=1"};
    options.deadline = 30s;
    return process::run(std::move(argv), options);
  }
  Result<> change(std::vector<std::string> arguments) const {
    const auto done = TRY(git(std::move(arguments)));
    if (done.exit.ok()) return {};
    return fail(Errc::unavailable, "git config: " + printable(done.err, 200), "",
                "run it as the user that owns the repository");
  }

  std::string repository_;
};

/// Git writes a new config file and renames it. When root does that for another user's repository
/// the file must go on to be theirs.
class KeepOwner {
 public:
  explicit KeepOwner(std::string path) : path_(std::move(path)) {
    known_ = ::stat(path_.c_str(), &before_) == 0;
  }
  ~KeepOwner() {
    if (known_ && ::geteuid() == 0)
      static_cast<void>(!::chown(path_.c_str(), before_.st_uid, before_.st_gid));
  }
  KeepOwner(const KeepOwner&) = delete;
  KeepOwner& operator=(const KeepOwner&) = delete;

 private:
  std::string path_;
  struct stat before_ {};
  bool known_ = false;
};

Result<std::string> bare_repository(const std::string& asked) {
  const std::string path = real_path(asked);
  if (path.empty()) return fail(Errc::invalid, "'" + asked + "': no such folder");
  const bool repository =
      is_folder(path + "/objects") && is_folder(path + "/refs") && exists(path + "/HEAD");
  if (repository && !path.ends_with("/.git")) return path;
  const bool work = is_folder(path + "/.git") || path.ends_with("/.git");
  return fail(
      Errc::invalid, "'" + asked + "' is not a bare repository", "",
      work ? "people push to a bare repository: name that one" : "git init --bare " + asked);
}

Result<std::string> hooks_folder(const std::string& repository, const Config& config) {
  const std::string configured = TRY(config.effective("core.hooksPath"));
  if (configured.empty()) return repository + "/hooks";
  const std::string wanted =
      configured.starts_with('/') ? configured : repository + "/" + configured;
  const std::string folder = real_path(wanted);
  if (folder.starts_with(repository + "/")) return folder;
  return fail(Errc::conflict,
              "core.hooksPath is '" + configured + "', which other repositories share", "",
              "git --git-dir " + repository + " config core.hooksPath " + repository + "/hooks");
}

/// Whoever can write the program or its folder can be Git.
Result<> check_program(const std::string& program) {
  struct stat file {};
  if (!program.starts_with('/') || ::stat(program.c_str(), &file) != 0 ||
      ::access(program.c_str(), X_OK) != 0) {
    return fail(Errc::invalid, "'" + program + "' is no program", "",
                "plumb-hook lies beside plumb");
  }
  if (!is_ours(program)) return fail(Errc::invalid, "'" + program + "' is not called plumb-hook");
  struct stat folder {};
  const std::string real = real_path(program);
  const bool open = ::stat(real.substr(0, real.rfind('/') + 1).c_str(), &folder) != 0 ||
                    ((folder.st_mode & S_IWOTH) != 0 && (folder.st_mode & S_ISVTX) == 0) ||
                    (file.st_mode & S_IWOTH) != 0;
  if (!open) return {};
  return fail(Errc::invalid, "everybody may write '" + real + "' or its folder", "",
              "chmod o-w " + real);
}

HookState state_of(const std::string& folder, const std::string& name, const std::string& program) {
  const std::string path = folder + "/" + name;
  HookState state{name, HookState::Is::absent, "", "", ""};
  if (exists(path + kKept)) state.kept = path + kKept;
  const std::string target = link_target(path);
  if (is_ours(target)) {
    state.program = target;
    state.is =
        program.empty() || target == program ? HookState::Is::installed : HookState::Is::outdated;
    if (::access(path.c_str(), X_OK) != 0)
      state.note = "the program is not there any more: no push gets through";
  } else if (exists(path)) {
    state.is = HookState::Is::foreign;
  }
  const std::string earlier =
      state.kept.empty() && state.is == HookState::Is::foreign ? path : state.kept;
  if (!earlier.empty() && ::access(earlier.c_str(), X_OK) != 0) {
    state.note = "the earlier hook is not executable: git did not run it, nor do we";
  }
  return state;
}

/// Ours in its place, in one step: at no moment is there no hook.
Result<> put_link(const std::string& path, const std::string& program) {
  const std::string fresh = path + ".plumbline-new";
  ::unlink(fresh.c_str());
  if (::symlink(program.c_str(), fresh.c_str()) != 0) return cannot("make '" + path + "'");
  if (::rename(fresh.c_str(), path.c_str()) != 0) return cannot("make '" + path + "'");
  return {};
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {};
  struct stat second {};
  return ::lstat(a.c_str(), &first) == 0 && ::lstat(b.c_str(), &second) == 0 &&
         first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

Result<> install_one(const std::string& folder,
                     const std::string& name,
                     const std::string& program) {
  const std::string path = folder + "/" + name;
  const std::string kept = path + kKept;
  const HookState state = state_of(folder, name, program);
  if (state.is == HookState::Is::installed) return {};
  if (state.is == HookState::Is::foreign && !same_file(path, kept)) {
    // A second name for it, then ours over the first: it is never away.
    if (::linkat(AT_FDCWD, path.c_str(), AT_FDCWD, kept.c_str(), 0) != 0) {
      if (errno != EEXIST) return cannot("keep '" + path + "'");
      return fail(Errc::conflict, "'" + path + "' is not ours, and there is '" + kept + "' too", "",
                  "remove one of the two");
    }
  }
  return put_link(path, program);
}

std::string time_text(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + "s"
                                  : std::to_string(time.count()) + "ms";
}

std::chrono::milliseconds time_of(const std::string& text, std::chrono::milliseconds otherwise) {
  char* unit = nullptr;
  const long number = std::strtol(text.c_str(), &unit, 10);
  if (unit == text.c_str()) return otherwise;
  return std::string(unit) == "ms" ? std::chrono::milliseconds(number)
                                   : std::chrono::seconds(number);
}

Result<> write_settings(const Config& config, const HookSettings& settings) {
  if (TRY(config.one(kPushOptionsBefore)).empty()) {
    const std::string before = TRY(config.one(kPushOptions));
    TRY(config.set(kPushOptionsBefore, before.empty() ? "unset" : before));
  }
  TRY(config.set(kPushOptions, "true"));
  TRY(config.set("plumbline.socket", settings.socket));
  TRY(config.set("plumbline.whenDown", settings.refuse_when_down ? "refuse" : "accept"));
  TRY(config.set("plumbline.deadline", time_text(settings.deadline)));
  TRY(config.set("plumbline.wait", time_text(settings.wait)));
  TRY(config.unset("plumbline.branches"));
  for (const std::string& branch : settings.branches) TRY(config.add("plumbline.branches", branch));
  return {};
}

Result<> restore_settings(const Config& config) {
  const std::string before = TRY(config.one(kPushOptionsBefore));
  if (before == "unset") TRY(config.unset(kPushOptions));
  if (!before.empty() && before != "unset") TRY(config.set(kPushOptions, before));
  return config.remove_section();
}

Result<HookSettings> read_settings(const Config& config) {
  HookSettings settings;
  settings.socket = TRY(config.one("plumbline.socket"));
  settings.refuse_when_down = TRY(config.one("plumbline.whenDown")) != "accept";
  settings.branches = TRY(config.all("plumbline.branches"));
  settings.deadline = time_of(TRY(config.one("plumbline.deadline")), settings.deadline);
  settings.wait = time_of(TRY(config.one("plumbline.wait")), settings.wait);
  return settings;
}

}  // namespace

std::string_view to_string(HookState::Is is) noexcept {
  switch (is) {
    case HookState::Is::absent: return "absent";
    case HookState::Is::installed: return "installed";
    case HookState::Is::outdated: return "outdated";
    case HookState::Is::foreign: return "foreign";
  }
  return "absent";
}

bool HookReport::complete() const {
  return push_options && !settings.socket.empty() && hooks.size() == kNames.size() &&
         std::all_of(hooks.begin(), hooks.end(),
                     [](const HookState& h) { return h.is == HookState::Is::installed; });
}

Result<HookReport> install_hooks(const std::string& repository,
                                 const std::string& program,
                                 const HookSettings& settings) {
  const std::string path = TRY(bare_repository(repository));
  TRY(check_program(program));
  if (!settings.socket.starts_with('/'))
    return fail(Errc::invalid, "the socket's path must be absolute");
  const Config config(path);
  const std::string folder = TRY(hooks_folder(path, config));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return cannot("make '" + folder + "'");
  {
    const KeepOwner owner(path + "/config");
    TRY(write_settings(config, settings));
  }
  // The one that lets nothing through unasked comes last: until then the others only watch.
  for (const char* name : {"reference-transaction", "post-receive", "pre-receive"})
    TRY(install_one(folder, name, program));
  return hooks_status(path, program);
}

Result<HookReport> hooks_status(const std::string& repository, const std::string& program) {
  HookReport report;
  report.repository = TRY(bare_repository(repository));
  const Config config(report.repository);
  report.folder = TRY(hooks_folder(report.repository, config));
  for (const char* name : kNames) report.hooks.push_back(state_of(report.folder, name, program));
  report.settings = TRY(read_settings(config));
  report.push_options = TRY(config.one(kPushOptions)) == "true";
  if (report.folder != report.repository + "/hooks")
    report.notes.push_back("core.hooksPath names this folder");
  if (!report.push_options)
    report.notes.push_back("git push -o is refused: receive.advertisePushOptions is not on");
  return report;
}

Result<HookReport> uninstall_hooks(const std::string& repository) {
  const std::string path = TRY(bare_repository(repository));
  const Config config(path);
  const std::string folder = TRY(hooks_folder(path, config));
  for (const char* name : kNames) {
    const HookState state = state_of(folder, name, "");
    const std::string hook = folder + "/" + name;
    if (state.is == HookState::Is::foreign)
      continue;  // not ours to touch; what we kept stays beside it
    const bool ours = state.is == HookState::Is::installed;
    if (!state.kept.empty() && ::rename(state.kept.c_str(), hook.c_str()) != 0)
      return cannot("put back '" + hook + "'");
    if (state.kept.empty() && ours && ::unlink(hook.c_str()) != 0)
      return cannot("remove '" + hook + "'");
  }
  {
    const KeepOwner owner(path + "/config");
    TRY(restore_settings(config));
  }
  auto report = TRY(hooks_status(path, ""));
  for (const HookState& hook : report.hooks) {
    if (!hook.kept.empty())
      report.notes.push_back("'" + hook.kept + "' stays: another hook took its place");
  }
  return report;
}

std::string hook_program_beside_us() {
  const std::string self = link_target("/proc/self/exe");
  return self.substr(0, self.rfind('/') + 1) + "plumb-hook";
}

}  // namespace plumb::console
