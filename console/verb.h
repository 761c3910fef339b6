#pragma once
/// A verb of the command line as data: what is typed, how help shows it, what runs. One table, made
/// of the tables of the verbs_*.cpp files; CLI11 is told from it (command_line.cpp).
#include <array>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "console/client.h"
#include "console/exit_code.h"
#include "console/output.h"
#include "core/result.h"

namespace plumb::console {

/// What a verb stands in. Everything comes from main, so that tests can put other things here.
struct Console {
  std::ostream& out;  ///< the answer
  std::ostream& err;  ///< progress, errors and hints
  Style style;        ///< of out
  bool json = false;  ///< -o json
  Client client;
  std::string engines;       ///< absolute path of plumb-engines
  std::string hook_program;  ///< absolute path of plumb-hook
  std::string folder;        ///< absolute; where it was started
  UnixMillis now = 0;
  int notice_fd = -1;  ///< for progress of a second and more; -1: none
};

struct Argument {
  enum class Kind { word, maybe_word, option, flag };
  Kind kind = Kind::word;
  std::string name;     ///< "APP", "--reason"
  std::string help;     ///< "" = another spelling, not shown
  std::string value{};  ///< of an option: "TEXT", "10m"
};

/// The words and options that were typed.
class Typed {
 public:
  std::map<std::string, std::string> values;
  [[nodiscard]] bool has(const std::string& name) const { return values.contains(name); }
  [[nodiscard]] std::string text(const std::string& name) const;
  /// A whole number from `least` to `most`; `otherwise` when it was not typed.
  [[nodiscard]] Result<std::int64_t> number(const std::string& name,
                                            std::int64_t otherwise,
                                            std::int64_t least,
                                            std::int64_t most) const;
  /// "90s", "10m", "7d", in milliseconds.
  [[nodiscard]] Result<std::int64_t> span(const std::string& name, std::int64_t otherwise) const;
};

struct Verb {
  std::string name;  ///< "status", "audit list"
  std::string group;
  std::string summary;
  std::vector<Argument> arguments;
  std::array<std::string, 3> examples;  ///< without "plumb "
  /// The exit status, or why there was no answer.
  Result<int> (*run)(const Typed&, Console&) = nullptr;
  bool of_noun = false;  ///< the noun alone ("audit") means this verb
};

/// All verbs in the order of help.
[[nodiscard]] const std::vector<Verb>& verbs();

[[nodiscard]] std::vector<Verb>
read_verbs();  // verbs_read.cpp: status, apps, why, history, jobs, logs
[[nodiscard]] std::vector<Verb>
change_verbs();  // verbs_change.cpp: diff, sync, suspend, resume, rollback
[[nodiscard]] std::vector<Verb> wait_verbs();     // verbs_wait.cpp: wait
[[nodiscard]] std::vector<Verb> offline_verbs();  // verbs_offline.cpp: render, affected
[[nodiscard]] std::vector<Verb> config_verbs();   // verbs_config.cpp: config check
[[nodiscard]] std::vector<Verb> audit_verbs();    // verbs_audit.cpp: audit list, audit verify
[[nodiscard]] std::vector<Verb> server_verbs();   // verbs_server.cpp: cluster, repo, version
[[nodiscard]] std::vector<Verb> hooks_verbs();  // verbs_hooks.cpp: hooks install, status, uninstall

/// Prints the answer as JSON or, from `text`, for people and pipes.
int answer(Console& console,
           const nlohmann::json& document,
           const std::function<std::string(const nlohmann::json&, const Style&)>& text,
           int exit = kYes);

}  // namespace plumb::console
