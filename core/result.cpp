#include "core/result.h"

namespace plumb {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::invalid: return "invalid";
    case Errc::denied: return "denied";
    case Errc::conflict: return "conflict";
    case Errc::unavailable: return "unavailable";
    case Errc::fault: return "fault";
  }
  return "fault";
}

Errc parse_errc(std::string_view word) noexcept {
  for (const Errc code : {Errc::invalid, Errc::denied, Errc::conflict, Errc::unavailable}) {
    if (word == to_string(code)) return code;
  }
  return Errc::fault;
}

Error Error::during(std::string_view doing) && {
  message = std::string(doing) + ": " + message;
  return std::move(*this);
}

}  // namespace plumb
