#include <algorithm>
#include <cstdio>
#include <set>

#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "drivers/json/fields.h"
#include "hooks/lines.h"
#include "hooks/texts.h"

namespace plumb::hooks {
namespace {

using Json = nlohmann::json;
using json::flag;
using json::list;
using json::number;
using json::text;

constexpr std::size_t kMaxFindings = 10;
constexpr std::size_t kFindingLines = 7;  // the most that is usual
constexpr std::size_t kRoom = 42;         // lines for all findings; the end needs the rest
constexpr std::size_t kMaxApps = 8;
constexpr std::size_t kMaxChanges = 4;  // of one application

std::string padded(std::string made, std::size_t width) {
  if (made.size() < width) made.resize(width, ' ');
  return made;
}

/// "web/dev" of "web/dev@eu-1"
std::string without_cluster(const std::string& application) {
  return plain(application.substr(0, application.find('@')), 40);
}

std::string seconds(std::int64_t milliseconds) {
  char made[32];
  std::snprintf(
      made, sizeof made, "%.2f s",
      static_cast<double>(std::clamp<std::int64_t>(milliseconds, 0, 86'400'000)) / 1000.0);
  return made;
}

std::string place_of(const Json& verdict) {
  const auto line = number(verdict, "line");
  return plain_tail(text(verdict, "file"), 56) + (line > 0 ? ":" + std::to_string(line) : "");
}

/// The lines of the file, and the message under the word it is about when there is room.
void add_source(Lines& lines, const Json& verdict) {
  const std::string message = text(verdict, "message");
  std::string last;
  for (const Json& source : list(verdict, "source")) {
    const std::string at =
        std::to_string(std::clamp<std::int64_t>(number(source, "line"), 0, 9'999'999));
    last = plain(text(source, "text"), kColumns - 12);
    lines.add("  " + std::string(7 - std::min<std::size_t>(at.size(), 7), ' ') + at + " | " + last);
  }
  if (last.empty()) return lines.wrap("    ", message, "      ");
  const std::string subject = text(verdict, "subject");
  const auto column =
      static_cast<std::size_t>(std::clamp<std::int64_t>(number(verdict, "column"), 0, 1000));
  const bool points = column > 0 && !subject.empty() &&
                      column - 1 + subject.size() <= last.size() &&
                      last.compare(column - 1, subject.size(), plain(subject)) == 0;
  constexpr std::string_view kBar = "          | ";
  const std::string marks =
      points ? std::string(column - 1, ' ') + std::string(subject.size(), '^') : "";
  if (points && kBar.size() + marks.size() + 1 + message.size() <= kColumns) {
    return lines.add(std::string(kBar) + marks + " " + plain(message));
  }
  if (points) lines.add(std::string(kBar) + marks);
  lines.wrap(kBar, message, std::string(kBar) + "  ");
}

void add_finding(Lines& lines, const Json& verdict) {
  lines.add("");
  const std::string object = text(verdict, "object");
  const std::string about = object.empty() ? text(verdict, "application") : object;
  if (text(verdict, "file").empty()) {
    lines.add("  " + (about.empty() ? "the repository" : plain(about, 60)));
  } else {
    const std::string place = place_of(verdict);
    const bool fits = !about.empty() && place.size() + about.size() + 5 <= kColumns;
    lines.add("  " + place + (fits ? "   " + plain(about) : ""));
  }
  add_source(lines, verdict);
  if (const auto hint = text(verdict, "hint"); !hint.empty())
    lines.wrap("hint: ", hint, "hint:   ");
}

std::string headline(const Json& verdict, std::size_t denials) {
  const std::string head = "error: push refused, nothing changed: ";
  if (flag(verdict, "deadline_passed")) {
    return head + "only " + std::to_string(number(verdict, "judged")) + " of " +
           std::to_string(list(verdict, "applications").size()) + " were checked";
  }
  std::set<std::string> invalid;
  for (const Json& finding : list(verdict, "verdicts")) {
    if (text(finding, "effect") == "deny" && !text(finding, "application").empty())
      invalid.insert(text(finding, "application"));
  }
  const std::size_t total = std::max(list(verdict, "applications").size(), invalid.size());
  if (invalid.empty()) return head + counted(static_cast<std::int64_t>(denials), "finding");
  return head + std::to_string(invalid.size()) + " of " +
         counted(static_cast<std::int64_t>(total), "application") +
         (invalid.size() == 1 ? " is invalid" : " are invalid");
}

/// Applications of this push that are in order, on one line.
void add_also_checked(Lines& lines, const Json& verdict) {
  std::string good;
  std::size_t count = 0;
  for (const Json& app : list(verdict, "applications")) {
    if (!flag(app, "ok")) continue;
    if (++count <= 3)
      good += (good.empty() ? "" : ", ") + without_cluster(text(app, "application")) + " ok";
  }
  if (count > 3) good += " and " + std::to_string(count - 3) + " more";
  if (count == 0) return;
  lines.end("");
  lines.end_wrapped("  also checked: ", good, "    ");
}

void add_notes(Lines& lines, const Json& verdict) {
  for (const auto& note : json::texts(verdict, "notes")) lines.end_wrapped("warning: ", note, "  ");
}

std::string refused(const Json& verdict) {
  Lines lines;
  std::vector<const Json*> denials;
  for (const Json& finding : list(verdict, "verdicts")) {
    if (text(finding, "effect") == "deny") denials.push_back(&finding);
  }
  lines.add(headline(verdict, denials.size()));
  std::size_t shown = 0;
  while (shown < std::min(denials.size(), kMaxFindings) && lines.size() + kFindingLines <= kRoom) {
    add_finding(lines, *denials[shown++]);
  }
  if (denials.size() > shown) {
    lines.end("");
    lines.end("  and " +
              counted(static_cast<std::int64_t>(denials.size() - shown), "more finding"));
  }
  add_also_checked(lines, verdict);
  add_notes(lines, verdict);
  lines.end("hint: fix it, then  git commit --amend  and push again");
  return lines.text();
}

std::string sign_and_title(const Json& change) {
  const std::string op = text(change, "op");
  return (op == "+" || op == "-" ? op : "~") + " " + padded(plain(text(change, "title"), 40), 24);
}

std::string first_field(const Json& change) {
  const Json& fields = list(change, "fields");
  if (text(change, "op") == "-") return "removed by this change";
  if (flag(change, "masked")) return "a secret value, not shown";
  if (fields.empty()) return "";
  const Json& field = fields.front();
  const std::string old = text(field, "old");
  const std::string now = text(field, "new");
  const std::string path = text(field, "path");
  return plain(path.substr(path.rfind('.') + 1), 24) + " " +
         (old.empty() ? "" : plain(old, 20) + " -> ") + plain(now, 20) +
         (fields.size() > 1 ? " (+" + std::to_string(fields.size() - 1) + ")" : "");
}

void add_application(Lines& lines, const Json& app) {
  std::string counts;
  const auto count = [&](const char* key, const char* sign) {
    if (const auto n = number(app, key); n > 0)
      counts += (counts.empty() ? "" : " ") + std::string(sign) + std::to_string(n);
  };
  count("configured", "~");
  count("created", "+");
  count("pruned", "-");
  const std::string how = text(app, "how");
  if (how == "added" || how == "removed") counts += (counts.empty() ? "" : "   ") + how;
  lines.add("  " + padded(plain(text(app, "application"), 40), 20) + " " +
            (counts.empty() ? "no change" : counts));
  const Json& changes = list(app, "changes");
  std::size_t shown = 0;
  for (const Json& change : changes) {
    if (++shown > kMaxChanges) break;
    lines.add("    " + sign_and_title(change) + " " + first_field(change));
  }
  if (changes.size() > kMaxChanges)
    lines.add("    and " + std::to_string(changes.size() - kMaxChanges) + " more");
}

bool changes_nothing(const Json& app) {
  return number(app, "created") + number(app, "configured") + number(app, "pruned") == 0 &&
         text(app, "how") == "changed";
}

std::string untouched(const Json& verdict, const char* verb) {
  const std::string folder = plain_tail(text(verdict, "changed_folder"), 24);
  return std::string("plumb: no application ") + verb + " the " +
         counted(number(verdict, "changed_files"), "changed file") +
         (folder.empty() ? "" : " (" + folder + ")");
}

std::string accepted(const Json& verdict) {
  Lines lines;
  const Json& apps = list(verdict, "applications");
  const bool quiet = std::all_of(apps.begin(), apps.end(), changes_nothing);
  if (quiet) {
    lines.add(untouched(verdict, apps.empty() ? "uses" : "changes by"));
  } else {
    const std::string head = "plumb: " + counted(number(verdict, "commits"), "commit") +
                             (number(verdict, "commits") == 1 ? " touches " : " touch ") +
                             std::to_string(apps.size()) + " of " +
                             counted(number(verdict, "applications_total"), "application");
    lines.add(padded(head, 54) + "  checked " + seconds(number(verdict, "checked_ms")));
    lines.add("");
    std::size_t shown = 0;
    for (const Json& app : apps) {
      if (++shown <= kMaxApps) add_application(lines, app);
    }
    if (apps.size() > kMaxApps)
      lines.add("  and " +
                counted(static_cast<std::int64_t>(apps.size() - kMaxApps), "more application"));
  }
  for (const Json& finding : list(verdict, "verdicts")) {
    lines.wrap("warning: ", place_of(finding) + ": " + text(finding, "message"), "  ");
  }
  if (flag(verdict, "deadline_passed"))
    lines.end("warning: accepted before everything was checked: the time was over");
  add_notes(lines, verdict);
  return lines.text();
}

}  // namespace

std::string verdict_text(const Json& verdict) {
  if (!flag(verdict, "accepted")) return refused(verdict);
  return flag(verdict, "tracked") ? accepted(verdict) : "";
}

std::string refused_text(const Error& why) {
  Lines lines;
  lines.wrap("error: push refused, nothing changed: ", why.message, "  ");
  if (!why.where.empty()) lines.add("  " + plain_tail(why.where, 60));
  if (!why.hint.empty()) lines.end_wrapped("hint: ", why.hint, "hint:   ");
  return lines.text();
}

std::string down_text(const Error& why, bool is_refused, std::string_view commit) {
  Lines lines;
  if (is_refused) {
    lines.add("error: push refused, nothing changed: plumbd did not answer");
    lines.wrap("  ", why.message, "    ");
    lines.add("  your commit is safe on your machine; the server kept nothing of it");
    lines.add("  this repository refuses unchecked pushes (hooks.whenDown: refuse)");
    lines.end("hint: try again; who runs the server:  systemctl status plumbd");
    return lines.text();
  }
  lines.add("warning: accepted unchecked: plumbd did not answer");
  lines.wrap("  ", why.message, "    ");
  lines.add("  this repository takes such pushes (hooks.whenDown: accept)");
  lines.add("  it is checked and rolled out as soon as plumbd is back");
  if (!commit.empty()) lines.end("hint: follow it with  plumb wait " + short_oid(commit));
  return lines.text();
}

std::string still_checking_text(std::chrono::milliseconds so_far) {
  return "plumb: checking ... " + std::to_string(so_far.count() / 1000) + " s\n";
}

}  // namespace plumb::hooks
