#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "console/yaml_text.h"
#include "core/oid.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::console {

using Json = nlohmann::json;

std::string affected_text(const Json& answer, const Style& style) {
  const Json& applications = json::list(answer, "applications");
  Table table({"APPLICATION", "HOW", "PATH"});
  for (const Json& application : applications) {
    const std::string how = json::text(application, "how");
    table.row({json::text(application, "application"), how, json::text(application, "path")},
              paint_of(how), 1);
  }
  if (!style.terminal) return table.text(style);
  const std::string range = shown(short_oid(json::text(answer, "from"))) + ".." +
                            shown(short_oid(json::text(answer, "to")));
  const std::string files = count_of(json::number(answer, "changed_files"), "changed file");
  if (applications.empty()) return range + ": no application uses the " + files + "\n";
  return range + ": " + files + ", " +
         count_of(static_cast<std::int64_t>(applications.size()), "application") + " affected of " +
         std::to_string(json::number(answer, "total")) + "\n\n" + table.text(style);
}

std::string objects_text(const Json& answer, const Style& style) {
  static_cast<void>(style);
  std::string text;
  for (const Json& object : json::list(answer, "objects")) {
    const auto parsed = object.is_string() ? json::parse(object.get_ref<const std::string&>())
                                           : Result<Json>(object);
    if (!text.empty()) text += "---\n";
    text += parsed ? yaml_text(*parsed) : shown(object.dump(), 1000) + "\n";
  }
  return text;
}

}  // namespace plumb::console
