#pragma once
/// What must hold for every request a sender can make; the fuzzer and a plain test both run it.
#include <string>
#include <string_view>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/http/head.h"
#include "receiver/payload.h"
#include "receiver/providers/provider.h"
#include "receiver/signature.h"

namespace plumb::test {

inline std::string delivery_promise_broken(config::Provider provider,
                                           const http::Request& request,
                                           std::string_view body) {
  const auto read = receiver::read_delivery(provider, request, body);
  if (!read) {
    if (read.error().code != Errc::invalid) return "an error that is not the sender's";
    return is_utf8(read.error().message) ? "" : "a message that is no text";
  }
  if (printable(read->event) != read->event || printable(read->sender_id) != read->sender_id ||
      printable(read->actor.id) != read->actor.id ||
      printable(read->actor.name) != read->actor.name ||
      printable(read->ignored) != read->ignored) {
    return "words that are not printable";
  }
  if (read->refs.empty() && read->ignored.empty() && read->unreadable.empty())
    return "nothing said";
  for (const RefUpdate& ref : read->refs) {
    if (!is_ref_name(ref.ref) || !is_oid(ref.old_oid) || !is_oid(ref.new_oid)) return "a wrong ref";
  }
  return {};
}

/// `bytes`: a whole request. "" or the promise that it breaks.
inline std::string webhook_promise_broken(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == bytes.npos) return {};
  const http::Head head = http::parse_head(bytes.substr(0, end + 4));
  const std::string_view body = bytes.substr(end + 4);
  if (head.refuse_with != 0) {
    return head.refuse_with >= 400 && head.refuse_with < 500 ? "" : "not the sender's fault";
  }
  for (const auto& [name, value] : head.request.headers) {
    if (value.find_first_of("\r\n") != value.npos || value.find('\0') != value.npos)
      return "a forged line";
  }
  for (const auto provider : {config::Provider::github, config::Provider::gitea}) {
    // Nobody can guess this key, so nothing may pass.
    if (receiver::is_signed(provider, head.request, body, {"0f6e1d3c5b7a"}))
      return "a forged signature";
    std::string broken = delivery_promise_broken(provider, head.request, body);
    if (!broken.empty()) return broken;
    if (receiver::media_of(head.request) != receiver::Media::form) continue;
    if (const auto payload = receiver::form_payload(body)) {
      broken = delivery_promise_broken(provider, head.request, *payload);
      if (!broken.empty()) return broken;
    }
  }
  return {};
}

}  // namespace plumb::test
