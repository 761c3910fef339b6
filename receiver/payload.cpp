#include "receiver/payload.h"

#include <algorithm>

#include "core/text.h"
#include "drivers/crypto/crypto.h"

namespace plumb::receiver {
namespace {

Result<std::string> form_decoded(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      made += ' ';
    } else if (text[i] != '%') {
      made += text[i];
    } else {
      made += TRY_DOING("decode the form", crypto::unhex(text.substr(i + 1, 2)));
      if (text.size() < i + 3) return fail(Errc::invalid, "the form ends in the middle of a byte");
      i += 2;
    }
  }
  return made;
}

}  // namespace

Media media_of(const http::Request& request) {
  std::string type = request.header("content-type").value_or("");
  type.resize(std::min(type.find(';'), type.size()));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (type == "application/json") return Media::json;
  return type == "application/x-www-form-urlencoded" ? Media::form : Media::other;
}

Result<std::string> form_payload(std::string_view body) {
  constexpr std::string_view name = "payload=";
  std::optional<std::string_view> found;
  while (!body.empty()) {
    const auto end = std::min(body.find('&'), body.size());
    const std::string_view field = body.substr(0, end);
    if (field.starts_with(name)) {
      if (found) return fail(Errc::invalid, "the form has two payloads");
      found = field.substr(name.size());
    }
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  if (!found) return fail(Errc::invalid, "the form has no payload");
  return form_decoded(*found);
}

}  // namespace plumb::receiver
