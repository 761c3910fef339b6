#pragma once
/// `plumb hooks install|status|uninstall`: our hooks in one bare repository on this machine.
///
///   Form      <hooks>/pre-receive, reference-transaction and post-receive become symbolic links to
///             `plumb-hook`, which takes its role from the name it is called by. A hook that was
///             there moves to <hooks>/<name>.before-plumbline; plumb-hook runs it first, with the
///             same arguments, environment and input, and stops when it says no.
///   Settings  section [plumbline] of <repository>/config: socket, whenDown, branches, deadline,
///             wait (and what uninstall needs). receive.advertisePushOptions becomes true.
///   Again     install and uninstall may be run again, also after they were interrupted.
///   hooksPath core.hooksPath is followed when it lies inside the repository; a folder that several
///             repositories share is refused.
///   Errors    invalid: no bare repository, unsafe program; conflict: two foreign hooks for one
///             name; unavailable: a file or git said no. Each with a hint.
///   Threads   any; two installs at once are the caller's to avoid.
#include <chrono>
#include <string>
#include <vector>

#include "core/result.h"

namespace plumb::console {

/// What the hooks of one repository must know without asking. plumbd says it: method `repos`,
/// member "hooks" {"when_down","deadline_ms","wait_ms"} and "branches" of the repository.
struct HookSettings {
  std::string socket;                 ///< absolute
  bool refuse_when_down = true;       ///< for branches that deploy, when plumbd cannot be asked
  std::vector<std::string> branches;  ///< that deploy: "main"
  std::chrono::milliseconds deadline{20'000};
  std::chrono::milliseconds wait{10'000};
};

struct HookState {
  enum class Is {
    absent,     ///< no hook of ours
    installed,  ///< ours, and of the program asked about
    outdated,   ///< ours, but a link to another plumb-hook
    foreign,    ///< somebody else's hook; install would keep and run it
  };
  std::string name;  ///< "pre-receive"
  Is is = Is::absent;
  std::string program;  ///< where our link points to, or empty
  std::string kept;     ///< path of the earlier hook that runs first, or empty
  std::string
      note;  ///< "the earlier hook is not executable: git did not run it, nor do we", or empty
};
[[nodiscard]] std::string_view to_string(HookState::Is is) noexcept;

struct HookReport {
  std::string repository;  ///< real path
  std::string folder;      ///< of the hooks
  std::vector<HookState> hooks;
  HookSettings settings;      ///< as they stand in the repository; socket empty: none
  bool push_options = false;  ///< receive.advertisePushOptions
  std::vector<std::string> notes;
  [[nodiscard]] bool complete() const;  ///< all three installed, settings there, push options on
};

/// `program`: absolute path of plumb-hook; it must not be writable for everybody.
Result<HookReport> install_hooks(const std::string& repository,
                                 const std::string& program,
                                 const HookSettings& settings);
/// `program` may be empty: then no hook of ours counts as outdated.
Result<HookReport> hooks_status(const std::string& repository, const std::string& program);
/// Puts back what was there before, byte for byte of the hooks. The report is of afterwards.
Result<HookReport> uninstall_hooks(const std::string& repository);

/// plumb-hook beside the running program, for `program` above.
[[nodiscard]] std::string hook_program_beside_us();

}  // namespace plumb::console
