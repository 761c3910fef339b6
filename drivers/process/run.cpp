#include <algorithm>
#include <array>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "drivers/process/fd.h"
#include "drivers/process/process.h"

namespace plumb::process {

/// Moves bytes both ways at once: a child may answer before it has read everything.
struct Runner {
  Child& child;
  const RunOptions& options;
  Deadline deadline;
  std::string_view pending = options.input;
  std::string held{};  ///< what `pending` points into once `input` is sent
  Output output{};

  /// False: there is no more input, and the pipe is closed.
  Result<bool> refill() {
    if (!pending.empty()) return true;
    if (options.more_input) {
      held = TRY(options.more_input());
      pending = held;
    }
    if (pending.empty()) child.close_input();
    return !pending.empty();
  }

  Result<> send() {
    const ssize_t sent = ::send(child.input_, pending.data(), pending.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      pending.remove_prefix(static_cast<std::size_t>(sent));
      return {};
    }
    if (errno == EAGAIN || errno == EINTR) return {};
    child.close_input();  // it wants no more; its exit status tells whether that is an error
    return {};
  }

  Result<> receive() {
    const std::string more = TRY(child.read_some(1U << 16U, deadline));
    if (more.empty()) return {};
    if (options.on_output) return options.on_output(more);
    if (output.out.size() + more.size() > options.max_output) {
      return fail(Errc::invalid,
                  "it printed more than " + std::to_string(options.max_output) + " bytes");
    }
    output.out += more;
    return {};
  }

  Result<> pump() {
    while (child.output_ >= 0) {
      if (child.input_ >= 0) TRY(refill());
      std::array<pollfd, 3> ready{
          {{child.output_, POLLIN, 0}, {child.input_, POLLOUT, 0}, {child.errors_, POLLIN, 0}}};
      const int count = ::poll(ready.data(), ready.size(), 50);
      if (count < 0 && errno != EINTR) return system_failure("wait for the child", errno);
      if (count > 0 && ready[2].revents != 0) child.drain_errors();
      if (count > 0 && ready[0].revents != 0) TRY(receive());
      if (count > 0 && ready[1].revents != 0 && child.input_ >= 0) TRY(send());
      TRY(child.check_memory());
      if (std::chrono::steady_clock::now() >= deadline) {
        return fail(Errc::unavailable, "it did not end before the deadline");
      }
    }
    child.close_input();
    output.exit = TRY(child.wait(deadline));
    output.err = child.errors();
    return {};
  }
};

Result<Output> run(std::vector<std::string> argv, const RunOptions& options) {
  const std::string program = argv.empty() ? std::string() : argv[0];
  Spec spec;
  spec.argv = std::move(argv);
  spec.environment = options.environment;
  spec.folder = options.folder;
  spec.files = options.files;
  spec.limits = options.limits;
  spec.confinement = options.confinement;
  Child child = TRY(Child::spawn(spec));
  Runner runner{child, options, in(options.deadline)};
  TRY_DOING("run '" + program + "'", runner.pump());
  return std::move(runner.output);
}

Result<std::string> find_program(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) {
    return fail(Errc::fault, "a program is looked for by its bare name");
  }
  for (const std::string_view folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    std::string path(folder);
    path += name;
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
        ::access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return fail(Errc::unavailable, "the program '" + std::string(name) + "' is not installed");
}

}  // namespace plumb::process
