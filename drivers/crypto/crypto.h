#pragma once
/// drivers/crypto: OpenSSL behind a few plain functions. Any thread.
#include <string>
#include <string_view>

#include "core/result.h"

namespace plumb::crypto {

[[nodiscard]] std::string sha256(std::string_view bytes);      ///< 32 raw bytes
[[nodiscard]] std::string sha256_hex(std::string_view bytes);  ///< 64 hex digits
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);      ///< raw
[[nodiscard]] std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);  ///< hex

/// Time depends on the length of `a` only.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

[[nodiscard]] Result<std::string> random_bytes(std::size_t count);
[[nodiscard]] std::string hex(std::string_view bytes);
[[nodiscard]] Result<std::string> unhex(
    std::string_view text);  ///< invalid: odd length or no hex digit
[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] Result<std::string> unbase64(std::string_view text);

/// AES-256-GCM: 12 bytes nonce, ciphertext, 16 bytes tag. `key` has 32 bytes; `bound` is
/// authenticated and must be the same when opening.
[[nodiscard]] Result<std::string> seal(std::string_view key,
                                       std::string_view plain,
                                       std::string_view bound);
[[nodiscard]] Result<std::string> open(std::string_view key,
                                       std::string_view sealed,
                                       std::string_view bound);

}  // namespace plumb::crypto
