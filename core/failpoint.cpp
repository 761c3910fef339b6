#include "core/failpoint.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "core/text.h"

namespace plumb {
namespace {

struct Rule {
  std::string action;
  int at_pass = 0;  // 0: every pass
  int passes = 0;
};

std::map<std::string, Rule, std::less<>> read_rules() {
  std::map<std::string, Rule, std::less<>> rules;
  const char* text = std::getenv("PLUMB_FAIL");
  if (text == nullptr) return rules;
  for (const std::string& part : split(text, ',')) {
    const auto equals = part.find('=');
    if (equals == std::string::npos) continue;
    Rule rule{part.substr(equals + 1)};
    if (const auto at = rule.action.find('@'); at != std::string::npos) {
      rule.at_pass = std::atoi(rule.action.c_str() + at + 1);
      rule.action.resize(at);
    }
    rules.emplace(part.substr(0, equals), std::move(rule));
  }
  return rules;
}

void tell(std::string_view name, const std::string& action) {
  const std::string line = "failpoint " + std::string(name) + " " + action + "\n";
  static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()));
  const char* path = std::getenv("PLUMB_FAIL_LOG");
  if (path == nullptr) return;
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return;
  static_cast<void>(::write(fd, line.data(), line.size()));
  ::close(fd);
}

}  // namespace

Result<> failpoint(std::string_view name) {
  static std::mutex mutex;
  static auto rules = read_rules();
  std::string action;
  {
    const std::scoped_lock lock(mutex);
    const auto found = rules.find(name);
    if (found == rules.end()) return {};
    ++found->second.passes;
    if (found->second.at_pass != 0 && found->second.passes != found->second.at_pass) return {};
    action = found->second.action;
  }
  tell(name, action);
  if (action == "kill") static_cast<void>(::kill(::getpid(), SIGKILL));
  if (action.starts_with("sleep")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(action.c_str() + 5)));
  }
  if (action == "error") return fail(Errc::fault, "failpoint " + std::string(name));
  return {};
}

}  // namespace plumb
