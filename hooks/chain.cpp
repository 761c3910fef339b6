#include "hooks/chain.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace plumb::hooks {
namespace {

/// posix_spawn with `input` as standard input and SIGPIPE as Git's hooks know it.
int spawn(const std::vector<std::string>& arguments, int input, pid_t& pid) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int error = ::posix_spawn(&pid, argv.front(), &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

void feed(int pipe, std::string_view input) {
  while (!input.empty()) {
    const ssize_t written = ::write(pipe, input.data(), input.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // it does not want to read all: its right
    input.remove_prefix(static_cast<std::size_t>(written));
  }
}

int exit_code(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return 1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int run_earlier_hook(const Invocation& invocation, std::string_view input) {
  const std::string program = invocation.self + ".before-plumbline";
  if (invocation.self.find('/') == std::string::npos || ::access(program.c_str(), X_OK) != 0)
    return 0;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
  std::vector<std::string> arguments{program};
  arguments.insert(arguments.end(), invocation.arguments.begin(), invocation.arguments.end());
  pid_t pid = -1;
  int error = spawn(arguments, ends[0], pid);
  if (error == ENOEXEC) {  // a script without its first line: Git gives it to sh, so we do
    arguments.insert(arguments.begin(), "/bin/sh");
    error = spawn(arguments, ends[0], pid);
  }
  ::close(ends[0]);
  if (error == 0) feed(ends[1], input);
  ::close(ends[1]);
  if (error == 0) return exit_code(pid);
  say("error: the hook that was here before cannot be started\n");
  return 1;
}

}  // namespace plumb::hooks
