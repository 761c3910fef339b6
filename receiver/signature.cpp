#include "receiver/signature.h"

#include <algorithm>
#include <optional>

#include "drivers/crypto/crypto.h"

namespace plumb::receiver {
namespace {

constexpr std::size_t kDigits = 64;
constexpr std::string_view kPrefix = "sha256=";

struct SignatureHeader {
  std::string_view name;
  bool prefixed;
};

const std::vector<SignatureHeader>& signature_headers(config::Provider provider) {
  static const std::vector<SignatureHeader> github{{"x-hub-signature-256", true}};
  static const std::vector<SignatureHeader> gitea{{"x-forgejo-signature", false},
                                                  {"x-gitea-signature", false},
                                                  {"x-gogs-signature", false},
                                                  {"x-hub-signature-256", true}};
  return provider == config::Provider::github ? github : gitea;
}

/// 64 lower-case digits; nullopt when it is anything else (also the empty one of a hook without a
/// secret).
std::optional<std::string> digits(std::string value, bool prefixed) {
  if (prefixed) {
    if (!value.starts_with(kPrefix)) return std::nullopt;
    value.erase(0, kPrefix.size());
  }
  if (value.size() != kDigits) return std::nullopt;
  for (char& c : value) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return std::nullopt;
  }
  return value;
}

/// Empty when one is malformed, twice there, or none is there.
std::vector<std::string> claimed(config::Provider provider, const http::Request& request) {
  std::vector<std::string> found;
  for (const auto& [name, prefixed] : signature_headers(provider)) {
    if (request.count(name) == 0) continue;
    auto signature = digits(request.header(name).value_or(""), prefixed);
    if (!signature) return {};
    found.push_back(*std::move(signature));
  }
  return found;
}

}  // namespace

bool has_signature(config::Provider provider, const http::Request& request) {
  return !claimed(provider, request).empty();
}

bool is_signed(config::Provider provider,
               const http::Request& request,
               std::string_view body,
               const std::vector<std::string>& secrets) {
  const auto signatures = claimed(provider, request);
  if (signatures.empty()) return false;
  bool good = false;
  for (const std::string& secret : secrets) {
    const std::string expected = crypto::hmac_sha256_hex(secret, body);
    bool all = true;
    for (const std::string& signature : signatures) {
      all = crypto::equal_constant_time(signature, expected) && all;
    }
    good = all || good;
  }
  return good;
}

}  // namespace plumb::receiver
