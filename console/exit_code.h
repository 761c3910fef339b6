#pragma once
/// What the exit status means, the same in every verb (`plumb help exit-codes`).
#include <string>

#include "core/result.h"

namespace plumb::console {

enum ExitCode : int {
  kYes = 0,       ///< done, or the answer is yes
  kNo = 1,        ///< the answer is no: differs, failed, does not hold
  kWrongUse = 2,  ///< wrong use, bad input
  kNotFound = 3,  ///< no such application, commit, job
  kNotAllowed = 4,
  kNotReached = 5,  ///< a retry may help
  kTimeOver = 6,
  kOvertaken = 7,  ///< a newer commit or another plan took its place
  kFault = 70,     ///< a fault of plumb or plumbd itself (EX_SOFTWARE)
  kInterrupted = 130,
};

/// An error about something that is not there. Errc has no word for it, as no job ends that way, so
/// the message carries it: it begins with "unknown <noun>".
[[nodiscard]] Error not_found(std::string message, std::string hint);
[[nodiscard]] bool is_not_found(const Error& error);

[[nodiscard]] int exit_code_of(const Error& error);

/// "error[unknown]: what" and "hint: …", safe for a terminal.
[[nodiscard]] std::string error_text(const Error& error);

}  // namespace plumb::console
