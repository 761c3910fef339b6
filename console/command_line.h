#pragma once
/// From what was typed to a verb that runs.
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "console/verb.h"

namespace plumb::console {

/// What main found around it.
struct Surroundings {
  std::ostream& out;
  std::ostream& err;
  Style style;
  std::string socket;  ///< PLUMB_SOCKET, or the default
  std::string engines;
  std::string hook_program;
  std::string folder;
  UnixMillis now = 0;
  int notice_fd = -1;
};

/// Runs one command line (without the program's name) and says its exit status. Everything that can
/// go wrong is told on `err`. May throw what usage_error() knows.
int run(const std::vector<std::string>& words, const Surroundings& surroundings);

/// The error behind an exception of the command line's parser; nullopt for any other.
[[nodiscard]] std::optional<Error> usage_error(const std::exception& thrown);

}  // namespace plumb::console
