#include "core/oid.h"

#include <algorithm>

namespace plumb {
namespace {

constexpr std::size_t kMaxRef = 1024;

bool is_good_component(std::string_view part) {
  return !part.empty() && part.front() != '.' && !part.ends_with(".lock");
}

}  // namespace

bool is_oid(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_zero_oid(std::string_view oid) {
  return !oid.empty() && oid.find_first_not_of('0') == std::string_view::npos;
}

std::string short_oid(std::string_view oid) {
  return std::string(oid.substr(0, 7));
}

bool is_ref_name(std::string_view ref) {
  if (!ref.starts_with("refs/") || ref.size() > kMaxRef || ref.ends_with('.')) return false;
  const bool bad_byte = std::any_of(ref.begin(), ref.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f ||
           std::string_view(" ~^:?*[\\").find(c) != std::string_view::npos;
  });
  if (bad_byte || ref.find("..") != std::string_view::npos ||
      ref.find("@{") != std::string_view::npos) {
    return false;
  }
  int components = 0;
  while (true) {
    const auto slash = ref.find('/');
    if (!is_good_component(ref.substr(0, slash))) return false;
    ++components;
    if (slash == std::string_view::npos) return components >= 2;
    ref.remove_prefix(slash + 1);
  }
}

std::string_view branch_of(std::string_view ref) {
  constexpr std::string_view kHeads = "refs/heads/";
  if (ref.starts_with(kHeads)) ref.remove_prefix(kHeads.size());
  return ref;
}

}  // namespace plumb
