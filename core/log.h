#pragma once
/// Structured log: one JSON object a line on stderr,
/// `{"ts":…,"level":"info","event":"job.claimed",…}`. Event names are `folder.past_verb`. Values
/// are escaped, so nothing pushed can forge a line. Never log a secret, a manifest body or a raw
/// header. Any thread.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace plumb::log {

using Value = std::variant<std::string, std::int64_t>;
using Field = std::pair<std::string_view, Value>;
using Fields = std::initializer_list<Field>;

void error(std::string_view event, Fields fields = {});  ///< a person must act
void warn(std::string_view event, Fields fields = {});   ///< degraded, still going
void info(std::string_view event, Fields fields = {});   ///< one line per change of state
void debug(std::string_view event,
           Fields fields = {});  ///< the rest; off unless PLUMB_DEBUG is set

}  // namespace plumb::log
