/// Between fork and exec. The parent has other threads, one of which may hold any lock (malloc's,
/// stdio's) for ever in the child: so everything is prepared before, and the child makes system
/// calls only.
#include <algorithm>
#include <array>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "drivers/process/confine.h"
#include "drivers/process/fd.h"
#include "drivers/process/process.h"

namespace plumb::process {
namespace {

/// What the child says through a pipe when it fails before exec.
struct Trouble {
  enum class Step : int { group, folder, limits, files, confine, exec } step;
  int code;
};

const char* to_string(Trouble::Step step) {
  switch (step) {
    case Trouble::Step::group: return "set up its process group";
    case Trouble::Step::folder: return "enter its folder";
    case Trouble::Step::limits: return "set its limits";
    case Trouble::Step::files: return "arrange its files";
    case Trouble::Step::confine: return "confine it";
    case Trouble::Step::exec: return "execute it";
  }
  return "start it";
}

/// All that the child needs, in memory that exists before the fork.
struct Start {
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* folder = "/";
  std::vector<std::pair<int, int>> files;  ///< ours → the child's
  std::vector<std::pair<int, rlimit>> limits;
  const PreparedConfinement* confinement = nullptr;
  bool dies_with_us = true;
  pid_t parent = 0;
  int trouble = -1;
  std::vector<int> moved;  ///< room for descriptors while they are re-arranged
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> raw;
  for (const std::string& text : texts) raw.push_back(const_cast<char*>(text.c_str()));
  raw.push_back(nullptr);
  return raw;
}

void add_limit(std::vector<std::pair<int, rlimit>>& limits,
               int which,
               const std::optional<std::uint64_t>& value) {
  if (value) limits.emplace_back(which, rlimit{*value, *value});
}

[[noreturn]] void give_up(const Start& start, Trouble::Step step) noexcept {
  const Trouble trouble{step, errno};
  if (::write(start.trouble, &trouble, sizeof trouble) < 0) ::_exit(126);
  ::_exit(127);
}

/// Every descriptor is copied above all targets first, so that no dup2 overwrites one still needed.
void arrange_files(Start& start, int above) noexcept {
  for (std::size_t i = 0; i < start.files.size(); ++i) {
    start.moved[i] = ::fcntl(start.files[i].first, F_DUPFD_CLOEXEC, above);
    if (start.moved[i] < 0) give_up(start, Trouble::Step::files);
  }
  for (std::size_t i = 0; i < start.files.size(); ++i) {
    if (::dup2(start.moved[i], start.files[i].second) < 0) give_up(start, Trouble::Step::files);
  }
}

/// Ours are all close-on-exec; this is for what a library left open.
void close_the_rest(int from) noexcept {
  constexpr unsigned kCloseOnExec = 4;
  if (::syscall(SYS_close_range, static_cast<unsigned>(from), ~0U, kCloseOnExec) == 0) return;
  for (int fd = from; fd < 4096; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void default_signals() noexcept {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become(Start& start) noexcept {
  int above = 64;  // first free number for copies
  for (const auto& [ours, theirs] : start.files) above = theirs >= above ? theirs + 1 : above;
  int landlock = -1;
  const int trouble = ::fcntl(start.trouble, F_DUPFD_CLOEXEC, above);
  if (trouble < 0) give_up(start, Trouble::Step::files);
  start.trouble = trouble;
  if (start.confinement != nullptr && start.confinement->landlock) {
    landlock = ::fcntl(start.confinement->landlock.get(), F_DUPFD_CLOEXEC, above);
    if (landlock < 0) give_up(start, Trouble::Step::files);
  }
  arrange_files(start, above);
  int last = 2;
  for (const auto& [ours, theirs] : start.files) last = theirs > last ? theirs : last;
  close_the_rest(last + 1);

  if (::setpgid(0, 0) != 0) give_up(start, Trouble::Step::group);
  if (start.dies_with_us) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(start, Trouble::Step::group);
    if (::getppid() != start.parent) ::_exit(125);  // it died before we asked
  }
  if (::chdir(start.folder) != 0) give_up(start, Trouble::Step::folder);
  for (const auto& [which, value] : start.limits) {
    if (::syscall(SYS_prlimit64, 0, which, &value, nullptr) != 0) {
      give_up(start, Trouble::Step::limits);
    }
  }
  default_signals();
  if (start.confinement != nullptr) {
    if (const int code = apply(*start.confinement, landlock); code != 0) {
      errno = code;
      give_up(start, Trouble::Step::confine);
    }
  }
  ::execve(start.argv[0], start.argv.data(), start.environment.data());
  give_up(start, Trouble::Step::exec);
}

Result<> read_trouble(int from, const std::string& program) {
  Trouble trouble{};
  ssize_t got = 0;
  do {
    got = ::read(from, &trouble, sizeof trouble);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return {};  // closed by exec
  const std::string doing = "start '" + program + "': ";
  if (got != static_cast<ssize_t>(sizeof trouble))
    return fail(Errc::fault, doing + "it died at once");
  return fail(Errc::unavailable, doing + to_string(trouble.step) + ": " + ::strerror(trouble.code));
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> raw{};
  if (::pipe2(raw.data(), O_CLOEXEC) != 0) return system_failure("make a pipe", errno);
  return Pipe{Fd(raw[0]), Fd(raw[1])};
}

Result<Pipe> make_socket_pair() {
  std::array<int, 2> raw{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw.data()) != 0) {
    return system_failure("make a socket pair", errno);
  }
  return Pipe{Fd(raw[0]), Fd(raw[1])};
}

void never_block(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

Result<pid_t> fork_into(Start& start) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours may run in the child
  const pid_t pid = ::fork();
  if (pid == 0) become(start);
  const int code = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail(Errc::unavailable, std::string("fork: ") + ::strerror(code));
  ::setpgid(pid, pid);  // whoever is first; needed before any kill of the group
  return pid;
}

Result<> check(const Spec& spec) {
  if (spec.argv.empty() || !spec.argv[0].starts_with('/')) {
    return fail(Errc::fault, "a program must be named by an absolute path");
  }
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (std::ranges::any_of(spec.argv, has_nul) || std::ranges::any_of(spec.environment, has_nul) ||
      has_nul(spec.folder)) {
    return fail(Errc::invalid, "an argument holds a zero byte");
  }
  for (const auto& [ours, theirs] : spec.files) {
    if (ours < 0 || theirs < 3 || theirs > 1000) return fail(Errc::fault, "bad file descriptor");
  }
  return {};
}

}  // namespace

Result<Child> Child::spawn(const Spec& spec) {
  TRY(check(spec));
  Pipe input = TRY(make_socket_pair());
  Pipe output = TRY(make_pipe());
  Pipe errors = TRY(make_pipe());
  Pipe trouble = TRY(make_pipe());
  PreparedConfinement confinement;
  Start start;
  if (spec.confinement) {
    confinement =
        TRY_DOING("confine '" + spec.argv[0] + "'", prepare(*spec.confinement, spec.argv[0]));
    start.confinement = &confinement;
  }
  start.argv = pointers(spec.argv);
  start.environment = pointers(spec.environment);
  start.folder = spec.folder.c_str();
  start.files = {{input.read.get(), 0}, {output.write.get(), 1}, {errors.write.get(), 2}};
  start.files.insert(start.files.end(), spec.files.begin(), spec.files.end());
  start.moved.resize(start.files.size());
  add_limit(start.limits, RLIMIT_CORE, 0);
  add_limit(start.limits, RLIMIT_DATA, spec.limits.data_bytes);
  add_limit(start.limits, RLIMIT_FSIZE, spec.limits.file_bytes);
  add_limit(start.limits, RLIMIT_NOFILE, spec.limits.open_files);
  start.dies_with_us = spec.dies_with_us;
  start.parent = ::getpid();
  start.trouble = trouble.write.get();

  Child child;
  child.pid_ = TRY(fork_into(start));
  trouble.write.reset();
  TRY(read_trouble(trouble.read.get(), spec.argv[0]));
  child.input_ = input.write.release();
  child.output_ = output.read.release();
  child.errors_ = errors.read.release();
  for (const int fd : {child.input_, child.output_, child.errors_}) never_block(fd);
  child.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0));
  child.max_rss_ = spec.limits.rss_bytes.value_or(0);
  child.confined_by_ = confinement.names;
  return child;
}

}  // namespace plumb::process
