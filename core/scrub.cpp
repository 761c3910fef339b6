#include "core/scrub.h"

#include <algorithm>

#include "core/text.h"

namespace plumb {
namespace {

constexpr std::size_t kShortest = 4;
constexpr std::string_view kMask = "***";

std::string base64(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8U) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += alphabet[(buffer >> static_cast<unsigned>(bits)) & 63U];
    }
  }
  if (bits > 0) out += alphabet[(buffer << static_cast<unsigned>(6 - bits)) & 63U];
  return out;
}

/// Base64 of the value at each of the three offsets it can have inside a longer text, without the
/// digits at either end that its neighbours also decide.
std::vector<std::string> base64_forms(std::string_view value) {
  constexpr std::string_view kStandard =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::string_view kUrl =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::vector<std::string> forms;
  for (const std::string_view alphabet : {kStandard, kUrl}) {
    for (std::size_t offset = 0; offset < 3; ++offset) {
      const std::string text = base64(std::string(offset, '\0') + std::string(value), alphabet);
      const std::size_t first = offset == 0 ? 0 : offset + 1;
      const std::size_t whole = (offset + value.size()) * 8 / 6;
      if (whole > first + kShortest) forms.push_back(text.substr(first, whole - first));
    }
  }
  return forms;
}

/// "…got valueUnstructured{Value:734921}": what server-side apply says of a refused value.
void empty_quoted_values(std::string& text) {
  constexpr std::string_view kOpen = "valueUnstructured{Value:";
  for (auto at = text.find(kOpen); at != std::string::npos;
       at = text.find(kOpen, at + kOpen.size())) {
    const auto from = at + kOpen.size();
    auto to = text.find('}', from);
    if (to == std::string::npos) to = text.size();
    text.replace(from, to - from, kMask);
  }
}

}  // namespace

void Scrubber::add(std::string_view secret) {
  if (secret.size() < kShortest) return;
  needles_.emplace_back(secret);
  if (auto escaped = json_escaped(secret); escaped != secret)
    needles_.push_back(std::move(escaped));
  for (std::string& form : base64_forms(secret)) needles_.push_back(std::move(form));
  std::sort(needles_.begin(), needles_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  needles_.erase(std::unique(needles_.begin(), needles_.end()), needles_.end());
}

std::string Scrubber::clean(std::string_view text) const {
  std::string cleaned(text);
  for (const std::string& needle : needles_) {
    for (auto at = cleaned.find(needle); at != std::string::npos;
         at = cleaned.find(needle, at + kMask.size())) {
      cleaned.replace(at, needle.size(), kMask);
    }
  }
  empty_quoted_values(cleaned);
  return cleaned;
}

}  // namespace plumb
