/// plumb-hook: the role is the name it is called by, or its first argument.
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string_view>

#include "hooks/roles.h"

namespace {

using plumb::hooks::Invocation;

constexpr const char* kUsage =
    "plumb-hook: run by Git, as pre-receive, reference-transaction or post-receive.\n"
    "\n"
    "Examples:\n"
    "  plumb hooks install /srv/git/shop.git     puts it into a repository\n"
    "  plumb hooks status /srv/git/shop.git      says whether it is there\n";

int run(Invocation invocation) {
  static const std::map<std::string_view, int (*)(const Invocation&)> kRoles{
      {"pre-receive", plumb::hooks::pre_receive},
      {"reference-transaction", plumb::hooks::reference_transaction},
      {"post-receive", plumb::hooks::post_receive}};
  auto role = kRoles.find(std::string_view(invocation.self).substr(invocation.self.rfind('/') + 1));
  if (role == kRoles.end() && !invocation.arguments.empty()) {
    role = kRoles.find(invocation.arguments.front());
    if (role != kRoles.end()) invocation.arguments.erase(invocation.arguments.begin());
  }
  if (role != kRoles.end()) return role->second(invocation);
  const bool version = !invocation.arguments.empty() && invocation.arguments.front() == "--version";
  std::fputs(version ? "plumb-hook " PLUMB_VERSION "\n" : kUsage, stdout);
  return version ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // the client may have gone; what we do still counts
  Invocation invocation{argc > 0 ? argv[0] : "", {}};
  for (int i = 1; i < argc; ++i) invocation.arguments.emplace_back(argv[i]);
  try {
    return run(std::move(invocation));
  } catch (const std::exception& bug) {
    plumb::hooks::say("error: plumb-hook: a bug: " + std::string(bug.what()).substr(0, 40) + "\n");
    return 1;
  }
}
