/// plumbd: the server.
#include <cstdio>
#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/server_config.h"
#include "core/log.h"
#include "server/server.h"

namespace {

/// Rendered Secrets pass through our memory: no core file, no reading by others of our user.
void keep_memory_private() {
  const rlimit none{0, 0};
  static_cast<void>(::setrlimit(RLIMIT_CORE, &none));
  static_cast<void>(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

std::string engines_beside_us() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  std::string program(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  return program.substr(0, program.rfind('/') + 1) + "plumb-engines";
}

extern "C" void force_exit(int /*signal*/) {
  ::_exit(130);
}

void say(const plumb::Error& error) {
  std::cerr << "error[" << plumb::to_string(error.code) << "]: ";
  if (!error.where.empty()) std::cerr << error.where << ": ";
  std::cerr << error.message << "\n";
  if (!error.hint.empty()) std::cerr << "hint: " << error.hint << "\n";
}

int run(const std::string& file) {
  auto config = plumb::config::load_server_config(file);
  if (!config) {
    say(config.error());
    return 2;
  }
  if (config->engines.empty()) config->engines = engines_beside_us();
  // Blocked before any thread starts, so that only sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  auto server = plumb::server::Server::start(*std::move(config));
  if (!server) {
    say(server.error());
    return server.error().code == plumb::Errc::fault ? 1 : 2;
  }
  plumb::log::info("plumbd.ready",
                   {{"socket", (*server)->socket()}, {"http", (*server)->http_address()}});
  std::cout << "plumbd ready socket=" << (*server)->socket()
            << " http=" << (*server)->http_address() << std::endl;
  const timespec second{1, 0};
  while (::sigtimedwait(&signals, nullptr, &second) < 0) {
    if ((*server)->broken()) {
      plumb::log::error(
          "plumbd.broken",
          {{"message", std::string("the database failed: exiting to be started anew")}});
      ::_exit(1);
    }
  }
  plumb::log::info("plumbd.stopping");
  // Who asks twice does not want to wait for calls under way; leases of before end at the next
  // start.
  ::signal(SIGTERM, force_exit);
  ::signal(SIGINT, force_exit);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  server->reset();
  plumb::log::info("plumbd.stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory_private();
  std::string file = "/etc/plumbline/plumbd.yaml";
  bool version = false;
  CLI::App app{
      "plumbd: holds clusters true to Git.\n\nExamples:\n  plumbd --config "
      "/etc/plumbline/plumbd.yaml\n"
      "  plumbd --config ./plumbd.yaml      a server of your own, without root\n"
      "  plumb config check ./plumbd.yaml   every problem of the file at once"};
  app.add_option("--config", file, "the server file")->capture_default_str();
  app.add_flag("--version", version, "print the version");
  CLI11_PARSE(app, argc, argv);
  if (version) {
    std::cout << "plumbd " PLUMB_VERSION "\n";
    return 0;
  }
  try {
    return run(file);
  } catch (const std::exception& bug) {
    std::cerr << "error[fault]: a bug: " << bug.what() << "\n";
    return 1;
  }
}
