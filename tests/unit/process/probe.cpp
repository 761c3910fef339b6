/// A child for process_test: tries one thing and says "yes" or the errno's name.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

int say(bool good) {
  std::puts(good ? "yes" : ::strerrorname_np(errno));
  return 0;
}

int environment() {
  for (char** entry = environ; *entry != nullptr; ++entry) std::puts(*entry);
  return 0;
}

int open_files() {
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) std::printf("%d ", fd);
  }
  return 0;
}

int limits() {
  for (const auto which : {RLIMIT_CORE, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE}) {
    rlimit value{};
    ::getrlimit(which, &value);
    std::printf("%lld ", static_cast<long long>(value.rlim_cur));
  }
  return 0;
}

/// Keeps a grandchild in the group that holds our output open.
int family() {
  if (::fork() == 0) {
    for (;;) ::pause();
  }
  std::puts("two");
  std::fflush(stdout);
  for (;;) ::pause();
}

int eat() {
  for (;;) {
    constexpr std::size_t kBite = 8U << 20U;
    void* const bite = std::malloc(kBite);
    if (bite == nullptr) return 3;
    std::memset(bite, 1, kBite);
  }
}

int echo() {
  char bytes[4096];
  for (ssize_t got = 0; (got = ::read(0, bytes, sizeof bytes)) > 0;) {
    if (::write(1, bytes, static_cast<std::size_t>(got)) != got) return 1;
  }
  return 0;
}

int flood(int fd) {
  const std::string bytes(65536, 'e');
  for (int i = 0; i < 32; ++i) {
    if (::write(fd, bytes.data(), bytes.size()) < 0) return 1;
  }
  return 0;
}

int signals() {
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  struct sigaction pipe {};
  ::sigaction(SIGPIPE, nullptr, &pipe);
  return say(::sigismember(&blocked, SIGTERM) == 0 && pipe.sa_handler == SIG_DFL);
}

}  // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const char* const argument = count > 2 ? words[2] : "";
  if (what == "socket") return say(::socket(std::atoi(argument), SOCK_STREAM, 0) >= 0);
  if (what == "socketpair") {
    int pair[2];
    return say(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  }
  if (what == "read") return say(::open(argument, O_RDONLY) >= 0);
  if (what == "write") return say(::open(argument, O_WRONLY | O_CREAT, 0600) >= 0);
  if (what == "append") return say(::open(argument, O_RDWR) >= 0);
  if (what == "mkdir") return say(::mkdir(argument, 0700) == 0);
  if (what == "unlink") return say(::unlink(argument) == 0);
  if (what == "fork") return say(::fork() >= 0);
  if (what == "ptrace") return say(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
  if (what == "kill") return say(::kill(::getppid(), 0) == 0);
  if (what == "exec") return say(::execl(argument, argument, "echo", nullptr) == 0);
  if (what == "thread") {
    bool ran = false;
    std::thread([&] { ran = true; }).join();
    return say(ran);
  }
  if (what == "environment") return environment();
  if (what == "files") return open_files();
  if (what == "limits") return limits();
  if (what == "group") return say(::getpgid(0) == ::getpid());
  if (what == "signals") return signals();
  if (what == "family") return family();
  if (what == "eat") return eat();
  if (what == "echo") return echo();
  if (what == "flood") return flood(std::atoi(argument));
  if (what == "pause") {
    for (;;) ::pause();
  }
  if (what == "code") return std::atoi(argument);
  if (what == "print") {
    std::fputs(argument, stdout);
    return 0;
  }
  return 99;
}
