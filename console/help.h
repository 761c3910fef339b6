#pragma once
/// Help texts, made of the table of verbs. Pure.
#include <optional>
#include <string>

#include "console/verb.h"

namespace plumb::console {

[[nodiscard]] std::string help_text();                  ///< all verbs, by group
[[nodiscard]] std::string help_text(const Verb& verb);  ///< usage, options, three examples
/// Of "exit-codes", "environment", a verb or a noun; nullopt: no such topic.
[[nodiscard]] std::optional<std::string> help_on(const std::string& topic);
/// Verbs, nouns and topics, for the nearest one.
[[nodiscard]] std::vector<std::string> help_topics();

}  // namespace plumb::console
