#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "core/oid.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

Paint paint_of_op(const std::string& op) {
  if (op == "+") return Paint::good;
  return op == "-" ? Paint::bad : Paint::warn;
}

std::string change_text(const Json& change, const Style& style) {
  const std::string op = json::text(change, "op");
  const std::string title = shown(json::text(change, "title"));
  const std::string place = shown(json::text(change, "place"));
  std::string text = painted(shown(op, 1) + " " + title, paint_of_op(op), style);
  if (!place.empty()) text += std::string(title.size() < 40 ? 42 - title.size() : 2, ' ') + place;
  text += "\n";
  if (json::flag(change, "masked")) text += "    values are secret and stay hidden\n";
  for (const Json& field : json::list(change, "fields")) {
    text += "    " + shown(json::text(field, "path")) + "\n";
    const std::string before = json::text(field, "old");
    const std::string after = json::text(field, "new");
    if (!before.empty()) text += "    " + painted("- " + shown(before), Paint::bad, style) + "\n";
    if (!after.empty()) text += "    " + painted("+ " + shown(after), Paint::good, style) + "\n";
  }
  return text;
}

}  // namespace

std::string diff_text(const Json& answer, const Style& style) {
  const Json& changes = json::list(answer, "changes");
  const std::string name = shown(json::text(answer, "application"));
  const auto unchanged = json::number(answer, "unchanged");
  const std::string from = short_oid(json::text(answer, "from"));
  std::string text = painted(name, Paint::strong, style) + "   applied (" +
                     (from.empty() ? "nothing yet" : shown(from)) + ") -> Git (" +
                     shown(short_oid(json::text(answer, "to"))) + ")";
  if (changes.empty())
    return text + "\n\nno differences; " + count_of(unchanged, "object") + " unchanged\n";
  int added = 0;
  int removed = 0;
  for (const Json& change : changes) {
    added += json::text(change, "op") == "+" ? 1 : 0;
    removed += json::text(change, "op") == "-" ? 1 : 0;
  }
  const auto changed = static_cast<int>(changes.size()) - added - removed;
  std::string counts;
  const auto count = [&](int n, const char* what) {
    if (n > 0) counts += (counts.empty() ? "" : ", ") + std::to_string(n) + " " + what;
  };
  count(changed, "changed");
  count(added, "added");
  count(removed, "deleted");
  text += "   " + counts + "\n\n";
  for (const Json& change : changes) text += change_text(change, style);
  const std::string plan = shown(json::text(answer, "plan").substr(0, 12));
  return text + "\n" + (unchanged > 0 ? count_of(unchanged, "object") + " unchanged. " : "") +
         "Plan digest " + plan + ".\nApply: plumb sync " + name + " --plan " + plan +
         "     exit code 1: differences\n";
}

}  // namespace plumb::console
