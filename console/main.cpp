/// plumb: the command line.
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

#include <signal.h>
#include <unistd.h>

#include "console/command_line.h"
#include "console/hooks_install.h"
#include "core/clock.h"

namespace {

constexpr const char* kSocket = "/run/plumbline/plumbd.sock";

std::string variable(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

std::string beside_us(const std::string& program) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? program : (self.parent_path() / program).string();
}

/// Whoever waits is told that leaving stops nothing.
void leave(int /*signal*/) {
  constexpr char kText[] = "\nplumb: interrupted; what runs on the server goes on\n";
  static_cast<void>(!::write(STDERR_FILENO, kText, sizeof kText - 1));
  ::_exit(plumb::console::kInterrupted);
}

int run(int argc, char** argv) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  std::error_code error;
  const plumb::console::Surroundings around{
      std::cout,
      std::cerr,
      {terminal,
       terminal && variable("NO_COLOR", "").empty() && variable("TERM", "dumb") != "dumb"},
      variable("PLUMB_SOCKET", kSocket),
      variable("PLUMB_ENGINES", beside_us("plumb-engines")),
      plumb::console::hook_program_beside_us(),
      std::filesystem::current_path(error).string(),
      plumb::SystemClock().now(),
      STDERR_FILENO};
  return plumb::console::run({argv + 1, argv + argc}, around);
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = leave;
  ::sigaction(SIGINT, &action, nullptr);
  try {
    return run(argc, argv);
  } catch (const std::exception& thrown) {
    const auto usage = plumb::console::usage_error(thrown);
    std::cerr << plumb::console::error_text(
        usage ? *usage : plumb::Error{plumb::Errc::fault, std::string("a bug: ") + thrown.what()});
    return usage ? plumb::console::kWrongUse : plumb::console::kFault;
  }
}
