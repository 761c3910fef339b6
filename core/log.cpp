#include "core/log.h"

#include <cstdlib>

#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"

namespace plumb::log {
namespace {

void write_line(std::string_view level, std::string_view event, Fields fields) {
  std::string line = "{\"ts\":\"" + rfc3339(SystemClock().now()) + "\",\"level\":\"";
  line.append(level).append("\",\"event\":\"").append(event).append("\"");
  for (const auto& [name, value] : fields) {
    line.append(",\"").append(name).append("\":");
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      line += std::to_string(*number);
    } else {
      line.append("\"").append(json_escaped(std::get<std::string>(value))).append("\"");
    }
  }
  line += "}\n";
  // One write, so that lines of several threads do not mix.
  static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()));
}

}  // namespace

void error(std::string_view event, Fields fields) {
  write_line("error", event, fields);
}
void warn(std::string_view event, Fields fields) {
  write_line("warn", event, fields);
}
void info(std::string_view event, Fields fields) {
  write_line("info", event, fields);
}

void debug(std::string_view event, Fields fields) {
  static const bool wanted = std::getenv("PLUMB_DEBUG") != nullptr;
  if (wanted) write_line("debug", event, fields);
}

}  // namespace plumb::log
