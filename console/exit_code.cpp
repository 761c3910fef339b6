#include "console/exit_code.h"

#include "core/text.h"

namespace plumb::console {
namespace {

constexpr std::string_view kNouns[] = {"application", "commit", "job", "repository", "object"};

}  // namespace

Error not_found(std::string message, std::string hint) {
  Error error{Errc::invalid, std::move(message), "", std::move(hint)};
  if (!is_not_found(error)) error.message = "unknown object: " + error.message;
  return error;
}

bool is_not_found(const Error& error) {
  if (error.code != Errc::invalid || !error.message.starts_with("unknown ")) return false;
  const std::string_view rest = std::string_view(error.message).substr(8);
  for (const std::string_view noun : kNouns) {
    if (rest.starts_with(noun)) return true;
  }
  return false;
}

int exit_code_of(const Error& error) {
  if (is_not_found(error)) return kNotFound;
  switch (error.code) {
    case Errc::invalid: return kWrongUse;
    case Errc::denied: return kNotAllowed;
    case Errc::conflict: return kOvertaken;
    case Errc::unavailable: return kNotReached;
    case Errc::fault: return kFault;
  }
  return kFault;
}

std::string error_text(const Error& error) {
  const std::string code = is_not_found(error) ? "unknown" : std::string(to_string(error.code));
  std::string text = "error[" + code + "]: ";
  if (!error.where.empty()) text += printable(error.where, 500) + ": ";
  text += printable(error.message, 2000) + "\n";
  if (!error.hint.empty()) text += "hint: " + printable(error.hint, 1000) + "\n";
  return text;
}

}  // namespace plumb::console
