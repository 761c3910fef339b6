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
constexpr std::size_t kTitleColumn = 26;
constexpr std::size_t kOwner = 52;
constexpr std::size_t kMaxChanges = 4;  // of one application

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

/// "infra/dev@eu-1": whom a finding says that the object belongs to; "" for other findings.
std::string owner_of(const Json& finding) {
  constexpr std::string_view kWords = "belongs to ";
  const std::string message = text(finding, "message");
  const std::size_t at = message.rfind(kWords);
  if (text(finding, "rule") != "owner.conflict" || at == std::string::npos) return "";
  return plain_name(message.substr(at + kWords.size()), kOwner);
}

bool is_of_push(const Json& verdict, const std::string& application) {
  const Json& apps = list(verdict, "applications");
  return std::any_of(apps.begin(), apps.end(),
                     [&](const Json& app) { return text(app, "application") == application; });
}

void add_owners(Lines& lines, const Json& verdict, const Json& finding) {
  const std::string owner = owner_of(finding);
  const std::string claimer = plain_name(text(finding, "application"), kOwner);
  const std::size_t width = std::max(owner.size(), claimer.size());
  const auto line = [&](const char* words, const std::string& name, const char* note) {
    const std::string whole = words + padded(name, width) + note;
    lines.add(whole.size() <= kColumns ? whole : words + name);
  };
  line("    belongs to   ", owner, is_of_push(verdict, owner) ? "   (this push too)" : "");
  line("    claimed by   ", claimer, "   (this push)");
}

void add_finding(Lines& lines, const Json& whole, const Json& verdict) {
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
  if (owner_of(verdict).empty()) {
    add_source(lines, verdict);
  } else {
    add_owners(lines, whole, verdict);
  }
  if (const auto hint = text(verdict, "hint"); !hint.empty()) lines.hint(hint);
}

std::string headline(const Json& verdict, std::size_t denials) {
  const std::string head = "error: push refused, nothing changed: ";
  if (flag(verdict, "deadline_passed")) {
    return head + "only " + std::to_string(number(verdict, "judged")) + " of " +
           std::to_string(list(verdict, "applications").size()) + " were checked";
  }
  const Json& all = list(verdict, "verdicts");
  const auto owned = std::count_if(all.begin(), all.end(),
                                   [](const Json& finding) { return !owner_of(finding).empty(); });
  if (owned > 0 && static_cast<std::size_t>(owned) == denials) {
    return head + (owned == 1 ? "object has another owner"
                              : std::to_string(owned) + " objects have another owner");
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
  if (flag(verdict, "deadline_passed")) return;  // some of them were not looked at
  std::string good;
  std::size_t count = 0;
  std::set<std::string> owners;  // they were named already
  for (const Json& finding : list(verdict, "verdicts")) owners.insert(owner_of(finding));
  for (const Json& app : list(verdict, "applications")) {
    if (!flag(app, "ok") || owners.contains(text(app, "application"))) continue;
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
    add_finding(lines, verdict, *denials[shown++]);
  }
  if (denials.size() > shown) {
    lines.end("");
    lines.end("  and " +
              counted(static_cast<std::int64_t>(denials.size() - shown), "more finding"));
  }
  add_also_checked(lines, verdict);
  add_notes(lines, verdict);
  lines.end(denials.empty() && flag(verdict, "deadline_passed")
                ? "hint: push again, or in smaller parts; hooks.deadline sets the time"
                : "hint: fix it, then  git commit --amend  and push again");
  return lines.text();
}

/// Where the last part of a name begins that both texts share: behind the last '/', ':' or '@'.
std::size_t shared_part(const std::string& old, const std::string& now, std::size_t same) {
  if (same == 0 || same == std::min(old.size(), now.size())) return 0;
  const std::size_t at = old.find_last_of("/:@", same - 1);
  return at == std::string::npos ? 0 : at + 1;
}

/// The end of `value` from the '/' before `from` on, or from there, or from just before `differs`.
std::string from_part(const std::string& value,
                      std::size_t from,
                      std::size_t differs,
                      std::size_t room) {
  if (value.size() <= room) return value;
  std::size_t begin = from < 2 ? std::string::npos : value.rfind('/', from - 2);
  if (begin == std::string::npos || value.size() - begin + 3 > room) begin = from;
  if (value.size() - begin + 3 > room && differs > begin + 8) begin = differs - 4;
  return plain(begin == 0 ? value : "..." + value.substr(begin), room);
}

/// "registry/web:2.0.3", "registry/web:2.1.0" -> ".../web:2.0.3 -> 2.1.0": what differs is seen.
std::string old_and_new(const std::string& old,
                        const std::string& now,
                        std::size_t room,
                        bool is_image) {
  if (!is_image && old.size() + now.size() + 4 <= room) return old + " -> " + now;
  const auto differ = std::mismatch(old.begin(), old.end(), now.begin(), now.end());
  const auto same = static_cast<std::size_t>(differ.first - old.begin());
  const std::size_t part = shared_part(old, now, same);
  const std::size_t half = (room - 4) / 2;
  if (part > 0) {
    const std::string right = from_part(now.substr(part), 0, same - part, half);
    return from_part(old, part, same, room - 4 - right.size()) + " -> " + right;
  }
  if (old.size() + now.size() + 4 <= room) return old + " -> " + now;
  const std::string right =
      from_part(now, 0, same, std::max(half, room - 4 - std::min(room - 4, old.size())));
  return from_part(old, 0, same, room - 4 - right.size()) + " -> " + right;
}

std::string first_field(const Json& change, std::size_t room) {
  constexpr std::size_t kLongest = 1000;
  const Json& fields = list(change, "fields");
  if (text(change, "op") == "-") return "deleted by this change";
  if (flag(change, "masked")) return "a secret value, not shown";
  if (fields.empty()) return "";
  const Json& field = fields.front();
  const std::string old = plain(text(field, "old"), kLongest);
  const std::string now = plain(text(field, "new"), kLongest);
  const std::string path = text(field, "path");
  const std::string name = plain(path.substr(path.rfind('.') + 1), 20) + " ";
  const std::string more = fields.size() > 1 ? " (+" + std::to_string(fields.size() - 1) + ")" : "";
  room -= std::min(room, name.size() + more.size());
  if (room < 12) return plain(name, name.size() - 1) + more;
  if (old.empty()) return name + plain(now, room) + more;
  if (now.empty()) return name + plain(old, room - 8) + " removed" + more;
  return name + old_and_new(old, now, room, name == "image ") + more;
}

/// What the columns of applications and of objects need.
struct Widths {
  std::size_t name = 0, counts = 5, title = 0;
};

std::string title_of(const Json& change) {
  return plain_name(text(change, "title"), kNameColumn);
}

std::string counts_of(const Json& app) {
  std::string counts;
  const auto count = [&](const char* key, const char* sign) {
    if (const auto n = number(app, key); n > 0)
      counts += (counts.empty() ? "" : " ") + std::string(sign) + std::to_string(n);
  };
  count("configured", "~");
  count("created", "+");
  count("pruned", "-");
  return counts;
}

Widths widths_of(const Json& apps) {
  Widths made;
  std::size_t shown = 0;
  for (const Json& app : apps) {
    made.name = std::max(made.name, plain_name(text(app, "application")).size());
    made.counts = std::max(made.counts, counts_of(app).size());
    if (++shown > kMaxApps) continue;
    std::size_t changes = 0;
    for (const Json& change : list(app, "changes")) {
      if (++changes > kMaxChanges) break;
      // A long title moves its own line alone: the values are worth more than the column.
      made.title = std::min(std::max(made.title, title_of(change).size()), kTitleColumn);
    }
  }
  return made;
}

void add_application(Lines& lines, const Json& app, const Widths& widths) {
  const std::string counts = counts_of(app);
  const std::string how = text(app, "how");
  lines.add("  " + padded(plain_name(text(app, "application")), widths.name) + "   " +
            padded(counts.empty() ? "no change" : counts, widths.counts) +
            (how == "added" || how == "removed" ? "   " + how : ""));
  const Json& changes = list(app, "changes");
  std::size_t shown = 0;
  for (const Json& change : changes) {
    if (++shown > kMaxChanges) break;
    const std::string op = text(change, "op");
    const std::string begin = "    " + (op == "+" || op == "-" ? op : "~") + " " +
                              padded(title_of(change), widths.title) + "   ";
    lines.add(begin + first_field(change, kColumns - begin.size()));
  }
  if (changes.size() > kMaxChanges)
    lines.add("    and " + std::to_string(changes.size() - kMaxChanges) + " more");
}

bool changes_nothing(const Json& app) {
  return number(app, "created") + number(app, "configured") + number(app, "pruned") == 0 &&
         text(app, "how") == "changed";
}

std::string untouched(const Json& verdict, bool read_by_some) {
  const auto files = number(verdict, "changed_files");
  if (files == 0) return "no file changed, nothing to do";
  std::string folder = plain_tail(text(verdict, "changed_folder"), 24);
  if (!folder.empty() && folder.back() != '/') folder += '/';
  const std::string which =
      counted(files, "changed file") + (folder.empty() ? "" : " (" + folder + ")");
  return read_by_some ? "no application changes: " + which + ", same objects"
                      : "no application is touched by the " + which;
}

std::string accepted(const Json& verdict) {
  Lines lines;
  const Json& apps = list(verdict, "applications");
  const bool quiet = std::all_of(apps.begin(), apps.end(), changes_nothing);
  if (quiet) {
    lines.wrap("plumb: ", untouched(verdict, !apps.empty()), "  ");
  } else {
    const std::string head = "plumb: " + counted(number(verdict, "commits"), "commit") +
                             (number(verdict, "commits") == 1 ? " touches " : " touch ") +
                             std::to_string(apps.size()) + " of " +
                             counted(number(verdict, "applications_total"), "application");
    lines.add(padded(head, 54) + "  checked " + seconds(number(verdict, "checked_ms")));
    lines.add("");
    const Widths widths = widths_of(apps);
    std::size_t shown = 0;
    for (const Json& app : apps) {
      if (++shown <= kMaxApps) add_application(lines, app, widths);
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
  if (!why.hint.empty()) lines.end_hint(why.hint);
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
