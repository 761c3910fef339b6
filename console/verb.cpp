#include "console/verb.h"

#include <charconv>
#include <ostream>

#include <nlohmann/json.hpp>

#include "config/names.h"
#include "core/text.h"

namespace plumb::console {

std::string Typed::text(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : found->second;
}

Result<std::int64_t> Typed::number(const std::string& name,
                                   std::int64_t otherwise,
                                   std::int64_t least,
                                   std::int64_t most) const {
  if (!has(name)) return otherwise;
  const std::string typed = text(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(typed.data(), typed.data() + typed.size(), value);
  if (error != std::errc() || end != typed.data() + typed.size() || value < least || value > most) {
    return fail(Errc::invalid, name + " \"" + printable(typed, 40) + "\" is no whole number from " +
                                   std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

Result<std::int64_t> Typed::span(const std::string& name, std::int64_t otherwise) const {
  if (!has(name)) return otherwise;
  std::string typed = text(name);
  std::int64_t days = 0;
  if (typed.size() >= 2 && typed.size() <= 6 && typed.back() == 'd' &&
      typed.find_first_not_of("0123456789") == typed.size() - 1) {
    std::from_chars(typed.data(), typed.data() + typed.size() - 1, days);
    return days * 86'400'000;
  }
  const auto span = config::parse_duration(typed);
  if (!span) {
    return fail(Errc::invalid, name + " \"" + printable(typed, 40) + "\" is no span of time", "",
                "write it as  90s, 10m, 2h or 7d");
  }
  return span->count();
}

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = [] {
    std::vector<Verb> made;
    for (const auto& part : {read_verbs(), wait_verbs(), change_verbs(), offline_verbs(),
                             config_verbs(), audit_verbs(), server_verbs(), hooks_verbs()}) {
      made.insert(made.end(), part.begin(), part.end());
    }
    return made;
  }();
  return all;
}

int answer(Console& console,
           const nlohmann::json& document,
           const std::function<std::string(const nlohmann::json&, const Style&)>& text,
           int exit) {
  console.out << (console.json ? json_text(document) : text(document, console.style));
  return exit;
}

}  // namespace plumb::console
