#include "drivers/process/process.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace std::chrono_literals;
using plumb::test::must;
using plumb::test::must_fail;
using plumb::test::TempFolder;
using process::Child;

namespace {

const std::string kProbe = PLUMB_PROBE;
const process::Confinement kLibraries{{"/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"}};

std::string probe(std::vector<std::string> words, const process::RunOptions& options = {}) {
  words.insert(words.begin(), kProbe);
  const process::Output output = must(process::run(std::move(words), options));
  INFO(output.err);
  CHECK(output.exit.to_string() == "exit status 0");
  return output.out;
}

std::string confined(std::vector<std::string> words) {
  process::RunOptions options;
  options.confinement = kLibraries;
  return probe(std::move(words), options);
}

process::Spec spec(std::vector<std::string> words) {
  process::Spec made;
  words.insert(words.begin(), kProbe);
  made.argv = std::move(words);
  return made;
}

/// True once no process of the group is left; the child itself is reaped by then.
bool group_is_gone(pid_t group) {
  for (int i = 0; i < 5000; ++i) {
    if (::kill(-group, 0) != 0 && errno == ESRCH) return true;
    ::poll(nullptr, 0, 1);  // its parent is now init, which reaps it soon
  }
  return false;
}

bool has_landlock() {
  const Child child = must(Child::spawn([] {
    process::Spec made = spec({"pause"});
    made.confinement = kLibraries;
    return made;
  }()));
  return child.confined_by().find("landlock") != std::string::npos;
}

}  // namespace

TEST_CASE("a child gets its words, environment and nothing else", "[process]") {
  CHECK(probe({"print", "$HOME; rm *"}) == "$HOME; rm *");
  CHECK(probe({"environment"}).empty());
  process::RunOptions options;
  options.environment = {"A=1", "B=two words"};
  CHECK(probe({"environment"}, options) == "A=1\nB=two words\n");
  CHECK(probe({"group"}) == "yes\n");
}

TEST_CASE("a child inherits no open file, blocked signal or handler", "[process]") {
  const int left_open = ::open("/dev/null", O_RDONLY);  // without close-on-exec, as a library might
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t term;
  sigset_t before;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  CHECK(probe({"files"}) == "0 1 2 ");
  CHECK(probe({"signals"}) == "yes\n");
  CHECK(::sigismember(&before, SIGTERM) == 0);
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, &before, &now);
  CHECK(::sigismember(&now, SIGTERM) == 1);  // ours was not changed by the start
  ::signal(SIGPIPE, SIG_DFL);
  ::close(left_open);
}

TEST_CASE("given files arrive under the numbers asked for, also when numbers overlap",
          "[process]") {
  const TempFolder folder;
  const int first = ::open(folder.write("a", "").c_str(), O_RDONLY | O_CLOEXEC);
  const int second = ::open(folder.write("b", "").c_str(), O_RDONLY | O_CLOEXEC);
  process::RunOptions options;
  options.files = {{first, std::max(second, 3)}, {second, std::max(first, 4)}, {first, 200}};
  const std::string files = probe({"files"}, options);
  CHECK(files.find(" 200 ") != std::string::npos);
  CHECK(files.find(" " + std::to_string(second) + " ") != std::string::npos);
  ::close(first);
  ::close(second);
}

TEST_CASE("limits are those asked for and core files are off", "[process]") {
  process::RunOptions options;
  options.limits.data_bytes = 64U << 20U;
  options.limits.file_bytes = 4096;
  options.limits.open_files = 20;
  CHECK(probe({"limits"}, options) == "0 67108864 4096 20 ");
}

TEST_CASE("unconfined, the probe can do what the next tests forbid", "[process]") {
  const TempFolder folder;
  CHECK(probe({"socket", std::to_string(AF_INET)}) == "yes\n");
  CHECK(probe({"socketpair"}) == "yes\n");
  CHECK(probe({"read", "/etc/passwd"}) == "yes\n");
  CHECK(probe({"write", folder / "new"}) == "yes\n");
  CHECK(probe({"append", folder / "new"}) == "yes\n");
  CHECK(probe({"mkdir", folder / "sub"}) == "yes\n");
  CHECK(probe({"unlink", folder / "new"}) == "yes\n");
  CHECK(probe({"fork"}).find("yes") == 0);
  CHECK(probe({"kill"}) == "yes\n");
}

TEST_CASE("a confined child has no network", "[process]") {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET}) {
    CHECK(confined({"socket", std::to_string(family)}) == "EPERM\n");
  }
  CHECK(confined({"socketpair"}) == "EPERM\n");
}

TEST_CASE("a confined child cannot write, make or remove a file", "[process]") {
  const TempFolder folder;
  folder.write("old", "text");
  CHECK(confined({"write", folder / "new"}) == "EACCES\n");
  CHECK(confined({"append", folder / "old"}) == "EACCES\n");
  CHECK(confined({"mkdir", folder / "sub"}) == "EPERM\n");
  CHECK(confined({"unlink", folder / "old"}) == "EPERM\n");
  CHECK(std::filesystem::exists(folder / "old"));
  CHECK_FALSE(std::filesystem::exists(folder / "new"));
}

TEST_CASE("a confined child reads no file but the given ones, where the kernel has Landlock",
          "[process]") {
  if (!has_landlock()) {
    WARN("this kernel has no Landlock: reading of files cannot be tested");
    return;
  }
  const TempFolder folder;
  folder.write("given/a", "");
  folder.write("other", "");
  process::RunOptions options;
  options.confinement = kLibraries;
  options.confinement->readable.push_back(folder / "given");
  options.confinement->readable.push_back(folder / "missing");
  CHECK(probe({"read", "/etc/passwd"}, options) == "EACCES\n");
  CHECK(probe({"read", folder / "other"}, options) == "EACCES\n");
  CHECK(probe({"read", folder / "given/a"}, options) == "yes\n");
  CHECK(confined({"exec", "/bin/sh"}) == "EACCES\n");
}

TEST_CASE("a confined child makes threads but no processes, and touches no other", "[process]") {
  CHECK(confined({"thread"}) == "yes\n");
  CHECK(confined({"fork"}) == "EPERM\n");
  CHECK(confined({"ptrace"}) == "EPERM\n");
  CHECK(confined({"kill"}) == "EPERM\n");
}

TEST_CASE("a child says what confines it", "[process]") {
  process::Spec made = spec({"pause"});
  CHECK(must(Child::spawn(made)).confined_by().empty());
  made.confinement = kLibraries;
  CHECK(must(Child::spawn(made)).confined_by().find("no_new_privs, seccomp") == 0);
}

TEST_CASE("a deadline kills the whole process group", "[process]") {
  pid_t group = 0;
  {
    Child child = must(Child::spawn(spec({"family"})));
    group = child.pid();
    CHECK(must(child.read_exact(4, process::in(20s))) == "two\n");
    const Error late = must_fail(child.read_exact(1, process::in(20ms)));
    CHECK(late.code == Errc::unavailable);
    CHECK(late.message == process::kLate);
  }
  CHECK(group_is_gone(group));

  process::RunOptions options;
  options.deadline = 30ms;
  CHECK(must_fail(process::run({kProbe, "family"}, options)).code == Errc::unavailable);
}

TEST_CASE("what a child leaves in its group dies with it", "[process]") {
  Child child = must(Child::spawn(spec({"family"})));
  must(child.read_exact(4, process::in(20s)));
  ::kill(child.pid(), SIGTERM);  // the parent only
  CHECK(must(child.wait(process::in(20s))).signal == SIGTERM);
  CHECK(group_is_gone(child.pid()));
}

TEST_CASE("a child dies with the thread that started it", "[process]") {
  std::unique_ptr<Child> child;
  std::thread([&] { child = std::make_unique<Child>(must(Child::spawn(spec({"pause"})))); }).join();
  CHECK(must(child->wait(process::in(20s))).signal == SIGKILL);

  process::Spec made = spec({"pause"});
  made.dies_with_us = false;
  std::thread([&] { child = std::make_unique<Child>(must(Child::spawn(made))); }).join();
  CHECK(must_fail(child->wait(process::in(50ms))).code == Errc::unavailable);
}

TEST_CASE("a child that takes too much memory is killed while we wait for it", "[process]") {
  process::Spec made = spec({"eat"});
  made.limits.rss_bytes = 64U << 20U;
  made.limits.data_bytes = 4ULL << 30U;  // a net under the test
  Child child = must(Child::spawn(made));
  const Error error = must_fail(child.read_exact(1, process::in(60s)));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message == "it needed more than 64 MiB of memory");
  CHECK(must(child.wait(process::in(20s))).signal == SIGKILL);
}

TEST_CASE("RLIMIT_DATA makes a child run out of memory by itself", "[process]") {
  process::RunOptions options;
  options.limits.data_bytes = 32U << 20U;
  CHECK(must(process::run({kProbe, "eat"}, options)).exit.code == 3);
}

TEST_CASE("the memory of a living child is known", "[process]") {
  Child child = must(Child::spawn(spec({"echo"})));
  must(child.write_all("x", process::in(20s)));
  must(child.read_exact(1, process::in(20s)));
  CHECK(child.rss() > 100'000);
  child.kill();
  CHECK(must(child.wait(process::in(20s))).to_string() == "signal 9");
  CHECK(child.rss() == 0);
}

TEST_CASE("more than a pipe holds goes through a child in both directions", "[process]") {
  const std::string much(5'000'000, 'x');
  process::RunOptions options;
  options.input = much;
  CHECK(probe({"echo"}, options) == much);

  int pieces = 0;
  std::size_t seen = 0;
  options.more_input = [&]() -> Result<std::string> {
    return ++pieces > 10 ? std::string() : std::string(100'000, 'y');
  };
  options.on_output = [&](std::string_view some) -> Result<> {
    seen += some.size();
    return {};
  };
  CHECK(probe({"echo"}, options).empty());
  CHECK(seen == 6'000'000);
}

TEST_CASE("errors of the producer and the consumer end the child", "[process]") {
  process::RunOptions options;
  options.more_input = []() -> Result<std::string> { return fail(Errc::denied, "no more"); };
  CHECK(must_fail(process::run({kProbe, "echo"}, options)).code == Errc::denied);
  options.more_input = nullptr;
  options.on_output = [](std::string_view) -> Result<> { return fail(Errc::denied, "enough"); };
  CHECK(must_fail(process::run({kProbe, "flood", "1"}, options)).code == Errc::denied);
}

TEST_CASE("too much output is an error, too many errors only lose their beginning", "[process]") {
  process::RunOptions options;
  options.max_output = 100'000;
  CHECK(must_fail(process::run({kProbe, "flood", "1"}, options)).code == Errc::invalid);
  const process::Output output = must(process::run({kProbe, "flood", "2"}, options));
  CHECK(output.exit.ok());
  CHECK(output.err == std::string(8192, 'e'));
}

TEST_CASE("a child that does not read its input is no error of ours", "[process]") {
  const std::string much(5'000'000, 'x');
  process::RunOptions options;
  options.input = much;
  CHECK(must(process::run({kProbe, "code", "7"}, options)).exit.code == 7);
  Child child = must(Child::spawn(spec({"code", "0"})));
  CHECK(must(child.wait(process::in(20s))).ok());
  const Error error = must_fail(child.write_all(much, process::in(20s)));
  CHECK(error.code == Errc::fault);
  CHECK(error.message == process::kEnded);
}

TEST_CASE("a program that cannot be started says why", "[process]") {
  const Error missing = must_fail(process::run({"/nowhere/program"}));
  CHECK(missing.code == Errc::unavailable);
  CHECK(missing.message.find("No such file") != std::string::npos);
  CHECK(must_fail(process::run({"git"})).code == Errc::fault);
  CHECK(must_fail(process::run({})).code == Errc::fault);
  CHECK(must_fail(process::run({kProbe, std::string("a\0b", 3)})).code == Errc::invalid);
  process::RunOptions options;
  options.folder = "/nowhere";
  CHECK(must_fail(process::run({kProbe, "echo"}, options)).message.find("enter its folder") !=
        std::string::npos);
}

TEST_CASE("programs are found in the system's folders only", "[process]") {
  CHECK(must(process::find_program("git")).find("/git") != std::string::npos);
  CHECK(must_fail(process::find_program("no-such-program")).code == Errc::unavailable);
  CHECK(must_fail(process::find_program("../bin/sh")).code == Errc::fault);
}

TEST_CASE("many threads start children at once", "[process]") {
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        const std::string text = std::to_string(i * 100 + k);
        process::RunOptions options;
        options.input = text;
        const auto output = process::run({kProbe, "echo"}, options);
        if (output && output->exit.ok() && output->out == text) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 80);
}
