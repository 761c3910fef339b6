#include "hooks/pushed_refs.h"

#include <array>
#include <cerrno>
#include <optional>
#include <set>

#include <unistd.h>

#include "core/oid.h"

namespace plumb::hooks {
namespace {

std::optional<RefUpdate> parse_line(std::string_view line) {
  const auto first = line.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  RefUpdate update{std::string(line.substr(second + 1)), std::string(line.substr(0, first)),
                   std::string(line.substr(first + 1, second - first - 1))};
  const bool good = is_ref_name(update.ref) && is_oid(update.old_oid) && is_oid(update.new_oid) &&
                    update.old_oid.size() == update.new_oid.size();
  return good ? std::optional(std::move(update)) : std::nullopt;
}

template <class Take>
void each_line(std::string_view input, Take take) {
  while (!input.empty()) {
    const auto end = input.find('\n');
    take(input.substr(0, end));
    input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  }
}

}  // namespace

Result<std::string> read_input() {
  std::string input;
  std::array<char, 65536> part{};
  bool too_long = false;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::fault, "git's list of refs cannot be read");
    if (got == 0) break;
    if (!too_long) input.append(part.data(), static_cast<std::size_t>(got));
    too_long = too_long || input.size() > kMaxInput;
  }
  if (too_long)
    return fail(Errc::invalid, "more refs than one push may move", "", "push fewer refs at a time");
  return input;
}

Result<std::vector<RefUpdate>> parse_push(std::string_view input) {
  std::vector<RefUpdate> updates;
  std::set<std::string, std::less<>> seen;
  bool good = !input.empty() && input.back() == '\n';
  each_line(input, [&](std::string_view line) {
    auto update = parse_line(line);
    good = good && update && seen.insert(update->ref).second;
    if (good) updates.push_back(*std::move(update));
  });
  if (good) return updates;
  return fail(Errc::invalid, "a ref name that git would not take, or one ref twice", "",
              "push refs with plain names, each once");
}

std::vector<RefUpdate> parse_updates(std::string_view input) {
  std::vector<RefUpdate> updates;
  each_line(input, [&](std::string_view line) {
    if (auto update = parse_line(line)) updates.push_back(*std::move(update));
  });
  return updates;
}

}  // namespace plumb::hooks
