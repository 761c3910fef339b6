#include "drivers/crypto/crypto.h"

#include <array>
#include <limits>
#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace plumb::crypto {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kMaxSealedBytes = 1U << 30U;  // OpenSSL counts in int

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* raw) const noexcept { EVP_CIPHER_CTX_free(raw); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* in(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* out(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

/// SHA-256 cannot fail on memory that exists; without it nothing in this program can be trusted.
void demand(bool done) {
  if (!done) OPENSSL_die("SHA-256 is not available", __FILE__, __LINE__);
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<signed char, 256> base64_values() {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[static_cast<unsigned char>(kBase64[i])] = static_cast<signed char>(i);
  }
  return values;
}
constexpr std::array<signed char, 256> kBase64Values = base64_values();

Result<> check_seal(std::string_view key, std::size_t bytes, std::string_view bound) {
  if (key.size() != kKeyBytes) return fail(Errc::fault, "an AES-256 key must have 32 bytes");
  if (bytes > kMaxSealedBytes || bound.size() > kMaxSealedBytes) {
    return fail(Errc::invalid, "too large to seal in one piece");
  }
  return {};
}

int length(std::string_view bytes) {
  return static_cast<int>(bytes.size());
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  demand(EVP_Digest(bytes.data(), bytes.size(), out(digest), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  return hex(sha256(bytes));
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  demand(key.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  std::string code(32, '\0');
  const char nothing = '\0';  // a null key pointer would mean "the key of last time"
  const void* key_bytes = key.empty() ? &nothing : key.data();
  demand(HMAC(EVP_sha256(), key_bytes, length(key), in(bytes), bytes.size(), out(code), nullptr) !=
         nullptr);
  return code;
}

std::string hmac_sha256_hex(std::string_view key, std::string_view bytes) {
  return hex(hmac_sha256(key, bytes));
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  // Reads `a` in full whatever `b` is, so that the time says nothing about b's length either.
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  const std::string_view other = difference == 0U ? b : a;
  if (!a.empty() && CRYPTO_memcmp(a.data(), other.data(), a.size()) != 0) difference = 1U;
  return difference == 0U;
}

Result<std::string> random_bytes(std::size_t count) {
  if (count > (1U << 20U)) return fail(Errc::fault, "more than 1 MiB of random bytes asked for");
  std::string bytes(count, '\0');
  if (count > 0 && RAND_bytes(out(bytes), static_cast<int>(count)) != 1) {
    return fail(Errc::fault, "the system gave no random bytes");
  }
  return bytes;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

Result<std::string> unhex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Errc::invalid, "odd number of hex digits");
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) {
      return fail(Errc::invalid, "not a hex digit near character " + std::to_string(i + 1));
    }
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t here = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (k < here ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= here ? kBase64[group >> (18U - 6U * k) & 63U] : '=';
    }
  }
  return text;
}

Result<std::string> unbase64(std::string_view text) {
  if (text.size() % 4 != 0) return fail(Errc::invalid, "base64 must come in groups of four");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t pad = i + 4 == text.size() ? padding : 0;
    unsigned group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int value = k + pad >= 4 ? 0 : kBase64Values[static_cast<unsigned char>(text[i + k])];
      if (value < 0) {
        return fail(Errc::invalid, "not base64 at character " + std::to_string(i + k + 1));
      }
      group = group << 6U | static_cast<unsigned>(value);
    }
    for (std::size_t k = 0; k + pad < 3; ++k) {
      bytes += static_cast<char>(group >> (16U - 8U * k) & 255U);
    }
    // One value has one spelling: bits that the padding cuts off must be zero.
    if ((pad == 1 && (group & 255U) != 0) || (pad == 2 && (group & 65535U) != 0)) {
      return fail(Errc::invalid, "base64 with stray bits at the end");
    }
  }
  return bytes;
}

Result<std::string> seal(std::string_view key, std::string_view plain, std::string_view bound) {
  TRY(check_seal(key, plain.size(), bound));
  std::string sealed = TRY(random_bytes(kNonceBytes));
  sealed.resize(kNonceBytes + plain.size() + kTagBytes);
  const Cipher cipher(EVP_CIPHER_CTX_new());
  unsigned char* const nonce = out(sealed);
  unsigned char* const body = nonce + kNonceBytes;
  unsigned char* const tag = body + plain.size();
  int done = 0;
  const bool good =
      cipher && EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, in(key), nonce) == 1 &&
      (bound.empty() ||
       EVP_EncryptUpdate(cipher.get(), nullptr, &done, in(bound), length(bound)) == 1) &&
      (plain.empty() ||
       EVP_EncryptUpdate(cipher.get(), body, &done, in(plain), length(plain)) == 1) &&
      EVP_EncryptFinal_ex(cipher.get(), tag, &done) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) == 1;
  if (!good) return fail(Errc::fault, "OpenSSL could not seal");
  return sealed;
}

Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view bound) {
  TRY(check_seal(key, sealed.size(), bound));
  if (sealed.size() < kNonceBytes + kTagBytes) {
    return fail(Errc::invalid, "sealed bytes are cut short");
  }
  const std::string_view body = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string plain(body.size(), '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int done = 0;
  unsigned char end[kTagBytes];  // GCM writes nothing here, but wants a place
  const bool ready =
      cipher &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, in(key), in(sealed)) == 1 &&
      (bound.empty() ||
       EVP_DecryptUpdate(cipher.get(), nullptr, &done, in(bound), length(bound)) == 1) &&
      (body.empty() ||
       EVP_DecryptUpdate(cipher.get(), out(plain), &done, in(body), length(body)) == 1) &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, out(tag)) == 1;
  if (!ready) return fail(Errc::fault, "OpenSSL could not open");
  if (EVP_DecryptFinal_ex(cipher.get(), end, &done) != 1) {
    OPENSSL_cleanse(plain.data(), plain.size());
    return fail(Errc::invalid, "sealed bytes were changed, or the key or place is another one");
  }
  return plain;
}

}  // namespace plumb::crypto
