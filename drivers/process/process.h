#pragma once
/// drivers/process: child processes, started with typed arguments and nothing inherited.
///
///   Start     no shell, no environment but the given one, own process group, no open files but the
///             given ones, dies with the thread that started it (so start long-lived children from
///             a long-lived thread)
///   Confined  on request: no_new_privs, seccomp (no sockets, no new processes, no writing) and
///             Landlock (no files but the given ones), set before the program runs
///   Threads   spawn() and run() from any thread; a Child belongs to one thread at a time
///   Errors    unavailable: deadline, or the program cannot be started now; invalid: the child used
///             more memory than it may; fault: the child ended early, or the system said no
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "core/result.h"

namespace plumb::process {

using Deadline = std::chrono::steady_clock::time_point;
[[nodiscard]] Deadline in(std::chrono::milliseconds time);

/// Messages of the two failures that a caller may want to word itself.
inline constexpr std::string_view kEnded = "the child ended";
inline constexpr std::string_view kLate = "the child did not answer before the deadline";

/// Core files are always off.
struct Limits {
  std::optional<std::uint64_t> data_bytes{};  ///< RLIMIT_DATA
  std::optional<std::uint64_t> file_bytes{};  ///< RLIMIT_FSIZE
  std::optional<std::uint64_t> open_files{};  ///< RLIMIT_NOFILE
  std::optional<std::uint64_t>
      rss_bytes{};  ///< looked at while we wait for the child; then it is killed
};

struct Confinement {
  std::vector<std::string>
      readable{};  ///< files and folders it may read; those that are missing are skipped
};

struct Spec {
  std::vector<std::string> argv{};           ///< argv[0]: absolute path of the program
  std::vector<std::string> environment{};    ///< "NAME=value"
  std::string folder = "/";                  ///< working folder
  std::vector<std::pair<int, int>> files{};  ///< our descriptor → the child's (3 or higher)
  Limits limits{};
  std::optional<Confinement> confinement{};
  bool dies_with_us = true;  ///< SIGKILL when the thread that started it ends
};

struct Exit {
  int code = 0;    ///< exit status; -1 if a signal ended it
  int signal = 0;  ///< 0: it exited by itself
  [[nodiscard]] bool ok() const { return code == 0 && signal == 0; }
  [[nodiscard]] std::string to_string() const;  ///< "exit status 1", "signal 9"
};

/// A running child with pipes on its standard input, output and error. The destructor kills its
/// process group and reaps it.
class Child {
 public:
  static Result<Child> spawn(const Spec& spec);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  Result<> write_all(std::string_view bytes, Deadline deadline);
  /// Exactly `count` bytes of its output. fault: it ended before.
  Result<std::string> read_exact(std::size_t count, Deadline deadline);
  /// What is there, at most `most` bytes; "" at the end of its output.
  Result<std::string> read_some(std::size_t most, Deadline deadline);
  void close_input();

  void kill();  ///< SIGKILL to the process group; wait() says how it ended
  Result<Exit> wait(Deadline deadline);
  [[nodiscard]] std::uint64_t rss() const;  ///< bytes; 0 if unknown
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string errors();  ///< the last 8 KiB of its standard error so far
  /// What confines it: "no_new_privs, seccomp, landlock 6"; "" if nothing.
  [[nodiscard]] const std::string& confined_by() const { return confined_by_; }

 private:
  friend struct Runner;
  Child() = default;
  void drain_errors();
  Result<> wait_readable(Deadline deadline);
  Result<> check_memory();
  void forget() noexcept;

  pid_t pid_ = -1;
  int input_ = -1;  // a socket, so that a write to a dead child raises no SIGPIPE
  int output_ = -1;
  int errors_ = -1;
  int pidfd_ = -1;
  std::uint64_t max_rss_ = 0;
  std::string error_text_;
  std::string confined_by_;
  std::optional<Exit> exit_;
};

struct RunOptions {
  std::vector<std::string> environment{};
  std::string folder = "/";
  std::vector<std::pair<int, int>> files{};
  Limits limits{};
  std::optional<Confinement> confinement{};
  std::string_view input{};
  /// More input after `input`, asked for when the child has room; "" ends it. It may block.
  std::function<Result<std::string>()> more_input{};
  /// Takes output as it comes; Output::out then stays empty. An Error stops the child.
  std::function<Result<>(std::string_view)> on_output{};
  std::size_t max_output = 64U << 20U;  ///< more is an `invalid` error; no bound with on_output
  std::chrono::milliseconds deadline{60'000};
};

struct Output {
  std::string out;
  std::string err;  ///< its last 8 KiB
  Exit exit;
};

/// Runs a program to its end. A non-zero exit is no Error: look at Output::exit.
Result<Output> run(std::vector<std::string> argv, const RunOptions& options = {});

/// Absolute path of a program of the system, looked for in /usr/local/bin, /usr/bin and /bin only.
Result<std::string> find_program(std::string_view name);

}  // namespace plumb::process
