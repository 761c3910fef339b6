#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "core/oid.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

/// Who it was: the name while it is known, else the pseudonym of the leaf.
std::string who(const Json& row) {
  const auto name = json::text(row, "actor");
  return name.empty() ? json::text(json::object(row, "leaf"), "actor") : name;
}

/// What a leaf is about: an application, or a ref of a repository.
std::string subject(const Json& leaf) {
  auto application = json::text(leaf, "application");
  if (!application.empty()) return application;
  const auto ref = json::text(leaf, "ref");
  return json::text(leaf, "repository") + (ref.empty() ? "" : " " + std::string(branch_of(ref)));
}

}  // namespace

std::string audit_text(const Json& answer, const Style& style) {
  const Json& rows = json::list(answer, "rows");
  if (rows.empty() && style.terminal) return "no entries\n";
  Table table({"LEAF", "TIME (UTC)", "WHO", "WHAT", "ABOUT", "COMMIT", "RESULT", "REASON"});
  for (const Json& row : rows) {
    const Json& leaf = json::object(row, "leaf");
    auto commit = json::text(leaf, "commit");
    if (commit.empty()) commit = json::text(leaf, "new_oid");
    const std::string result = json::text(leaf, "result");
    const Paint paint = result == "ok" || result.empty() ? Paint::none : Paint::warn;
    table.row({std::to_string(json::number(row, "sequence")),
               time_text(json::number(row, "at"), style), who(row), json::text(leaf, "verb"),
               subject(leaf), short_oid(commit), result, json::text(leaf, "reason")},
              paint, 6);
  }
  return table.text(style);
}

std::string verified_text(const Json& answer, const Style& style) {
  const auto leaves = json::number(answer, "leaves");
  if (json::flag(answer, "ok")) {
    const auto head = shown(json::text(answer, "head"));
    return painted("good", Paint::good, style) + ": " + std::to_string(leaves) +
           (leaves == 1 ? " leaf" : " leaves") + " verified, each holds\nhead " + head +
           "\nkeep it elsewhere; later:  plumb audit verify --head " + std::to_string(leaves) +
           ":" + head + "\n";
  }
  std::string text =
      painted("BAD", Paint::bad, style) + ": " + shown(json::text(answer, "problem"), 1000) + "\n";
  if (const auto bad = json::number(answer, "bad_sequence"); bad != 0) {
    text += "first leaf that does not hold: " + std::to_string(bad) + " of " +
            std::to_string(leaves) + "\n";
  }
  return text +
         "hint: keep a copy of the data folder before anything else; compare with a backup\n";
}

}  // namespace plumb::console
