#pragma once
/// The head of a request, judged strictly before httplib sees any of it. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/http/http.h"

namespace plumb::http {

struct Head {
  int refuse_with = 0;  ///< a status; 0: the head is good
  Request request;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;

  [[nodiscard]] bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

/// `bytes` ends with the empty line. Refused: a bare CR or LF, a NUL, a folded line, more than 100
/// headers, two lengths, a length beside an encoding, any encoding but `chunked`, a path that is no
/// path or longer than 1 KiB, a compressed body.
[[nodiscard]] Head parse_head(std::string_view bytes);

}  // namespace plumb::http
