#include <algorithm>
#include <array>
#include <charconv>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "drivers/process/fd.h"
#include "drivers/process/process.h"

namespace plumb::process {
namespace {

constexpr std::size_t kKeptErrors = 8192;
constexpr std::chrono::milliseconds kTick{50};      // how often memory is looked at
constexpr std::chrono::milliseconds kShortTick{5};  // without pidfd we must ask

std::chrono::milliseconds left(Deadline deadline) {
  const auto time = deadline - std::chrono::steady_clock::now();
  return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(time));
}

Failure too_late() {
  return fail(Errc::unavailable, std::string(kLate));
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

}  // namespace

Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

std::string Exit::to_string() const {
  if (signal != 0) return "signal " + std::to_string(signal);
  return "exit status " + std::to_string(code);
}

Child::Child(Child&& other) noexcept {
  *this = std::move(other);
}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  forget();
  pid_ = std::exchange(other.pid_, -1);
  input_ = std::exchange(other.input_, -1);
  output_ = std::exchange(other.output_, -1);
  errors_ = std::exchange(other.errors_, -1);
  pidfd_ = std::exchange(other.pidfd_, -1);
  max_rss_ = other.max_rss_;
  error_text_ = std::move(other.error_text_);
  confined_by_ = std::move(other.confined_by_);
  exit_ = other.exit_;
  return *this;
}

Child::~Child() {
  forget();
}

void Child::forget() noexcept {
  if (pid_ > 0 && !exit_) {
    kill();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  pid_ = -1;
  close_fd(input_);
  close_fd(output_);
  close_fd(errors_);
  close_fd(pidfd_);
}

void Child::kill() {
  // Until it is reaped its number, which is also the group's, cannot be given to another.
  if (pid_ > 0 && !exit_) {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
  }
}

void Child::close_input() {
  close_fd(input_);
}

std::uint64_t Child::rss() const {
  if (pid_ <= 0 || exit_) return 0;
  const std::string path = "/proc/" + std::to_string(pid_) + "/statm";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : 0;
  if (got <= 0) return 0;
  const char* const end = text.data() + got;
  const char* const second = std::find<const char*>(text.data(), end, ' ');
  if (second == end) return 0;
  std::uint64_t pages = 0;
  std::from_chars(second + 1, end, pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<> Child::check_memory() {
  if (max_rss_ == 0 || rss() <= max_rss_) return {};
  kill();
  return fail(Errc::invalid,
              "it needed more than " + std::to_string(max_rss_ >> 20U) + " MiB of memory");
}

void Child::drain_errors() {
  std::array<char, 4096> some{};
  while (errors_ >= 0) {
    const ssize_t got = ::read(errors_, some.data(), some.size());
    if (got > 0) {
      error_text_.append(some.data(), static_cast<std::size_t>(got));
      if (error_text_.size() > 2 * kKeptErrors) {
        error_text_.erase(0, error_text_.size() - kKeptErrors);
      }
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      return;
    } else {
      close_fd(errors_);
    }
  }
}

std::string Child::errors() {
  drain_errors();
  const std::size_t from = error_text_.size() - std::min(error_text_.size(), kKeptErrors);
  return error_text_.substr(from);
}

/// Waits until the output can be read (or has ended); keeps the error pipe from filling up.
Result<> Child::wait_readable(Deadline deadline) {
  for (;;) {
    std::array<pollfd, 2> ready{{{output_, POLLIN, 0}, {errors_, POLLIN, 0}}};
    const auto time = std::min(left(deadline), kTick);
    const int count = ::poll(ready.data(), ready.size(), static_cast<int>(time.count()));
    if (count < 0 && errno != EINTR) return system_failure("wait for the child", errno);
    if (count > 0 && ready[1].revents != 0) drain_errors();
    if (count > 0 && ready[0].revents != 0) return {};
    TRY(check_memory());
    if (left(deadline).count() == 0) return too_late();
  }
}

Result<std::string> Child::read_some(std::size_t most, Deadline deadline) {
  if (output_ < 0) return std::string();
  std::string bytes(most, '\0');
  for (;;) {
    const ssize_t got = ::read(output_, bytes.data(), bytes.size());
    if (got >= 0) {
      bytes.resize(static_cast<std::size_t>(got));
      if (got == 0) close_fd(output_);
      return bytes;
    }
    if (errno == EAGAIN) {
      TRY(wait_readable(deadline));
    } else if (errno != EINTR) {
      return system_failure("read from the child", errno);
    }
  }
}

Result<std::string> Child::read_exact(std::size_t count, Deadline deadline) {
  constexpr std::size_t kStep = 1U << 20U;  // memory follows what came, not what was announced
  std::string bytes;
  while (bytes.size() < count) {
    const std::string more = TRY(read_some(std::min(count - bytes.size(), kStep), deadline));
    if (more.empty()) return fail(Errc::fault, std::string(kEnded));
    bytes += more;
  }
  return bytes;
}

Result<> Child::write_all(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (input_ < 0) return fail(Errc::fault, "the child's input is closed");
    const ssize_t sent = ::send(input_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EPIPE || errno == ECONNRESET) return fail(Errc::fault, std::string(kEnded));
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return system_failure("write to the child", errno);
    std::array<pollfd, 2> ready{{{input_, POLLOUT, 0}, {errors_, POLLIN, 0}}};
    const auto time = std::min(left(deadline), kTick);
    const int count = ::poll(ready.data(), ready.size(), static_cast<int>(time.count()));
    if (count > 0 && ready[1].revents != 0) drain_errors();
    TRY(check_memory());
    if (count == 0 && left(deadline).count() == 0) return too_late();
  }
  return {};
}

Result<Exit> Child::wait(Deadline deadline) {
  if (exit_) return *exit_;
  for (;;) {
    siginfo_t info{};
    // Leaves the zombie, so that the rest of its group can be killed under a number still ours.
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 &&
        errno != EINTR) {
      return system_failure("wait for the child", errno);
    }
    if (info.si_pid == pid_) break;
    std::array<pollfd, 2> ready{{{pidfd_, POLLIN, 0}, {errors_, POLLIN, 0}}};
    const auto time = std::min(left(deadline), pidfd_ >= 0 ? kTick : kShortTick);
    const int count = ::poll(ready.data(), ready.size(), static_cast<int>(time.count()));
    if (count > 0 && ready[1].revents != 0) drain_errors();
    TRY(check_memory());
    if (count == 0 && left(deadline).count() == 0) return too_late();
  }
  kill();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  Exit how;
  how.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  how.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  exit_ = how;
  return how;
}

}  // namespace plumb::process
