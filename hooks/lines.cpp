#include "hooks/lines.h"

#include <algorithm>

#include "core/text.h"

namespace plumb::hooks {
namespace {

constexpr std::size_t kMaxEnd = 14;
constexpr std::size_t kMaxText = 2000;    // of one message
constexpr std::size_t kMaxCommand = 240;  // longer ones are no commands of ours

std::string ascii(std::string_view untrusted, std::size_t limit) {
  std::string tabless(untrusted.substr(0, limit));
  std::replace(tabless.begin(), tabless.end(), '\t', ' ');
  std::string made;
  for (const char c : printable(tabless, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) made += c;
    if (byte >= 0xC0) made += '?';  // one for each character, not for each byte
  }
  return made;
}

void wrap_into(std::vector<std::string>& lines,
               std::string_view first,
               std::string_view text,
               std::string_view rest) {
  std::string left = ascii(text, kMaxText);
  std::string prefix(first);
  do {
    const std::size_t room = kColumns - prefix.size();
    std::size_t end = left.size();
    if (end > room) {
      end = left.rfind(' ', room);
      if (end == std::string::npos || end < room / 2) end = room;
    }
    lines.push_back(prefix + left.substr(0, end));
    left.erase(0, end);
    left.erase(0, left.find_first_not_of(' ') == std::string::npos ? left.size()
                                                                   : left.find_first_not_of(' '));
    prefix = rest;
  } while (!left.empty());
}

bool is_command(std::string_view part) {
  for (const std::string_view program : {"plumb ", "git ", "systemctl "}) {
    if (part.starts_with(program) && part.size() <= kMaxCommand) return true;
  }
  return false;
}

/// `text` cut at double blanks.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("  "), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return parts;
}

void hint_into(std::vector<std::string>& lines, std::string_view text) {
  const std::vector<std::string> parts = parts_of(ascii(text, kMaxText));
  std::string line = "hint: ";
  const auto next_line = [&] {
    lines.push_back(line);
    line = "hint:   ";
  };
  bool empty = true;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string part = parts[i];
    const bool joins = i + 1 < parts.size() && part.find(' ') == std::string::npos;  // "then"
    if (joins && is_command(parts[i + 1])) part += "  " + parts[++i];
    const std::string gap = empty ? "" : "  ";
    if (line.size() + gap.size() + part.size() <= kColumns) {
      line += gap + part;
    } else if (is_command(parts[i])) {
      if (!empty) next_line();
      line += part;
    } else {
      if (!empty) next_line();
      std::vector<std::string> wrapped;
      wrap_into(wrapped, line, part, "hint:   ");
      lines.insert(lines.end(), wrapped.begin(), wrapped.end() - 1);
      line = wrapped.back();
    }
    empty = false;
  }
  lines.push_back(line);
}

}  // namespace

std::string plain(std::string_view untrusted, std::size_t limit) {
  std::string made = ascii(untrusted, 4 * kMaxText);
  if (made.size() > limit) made = made.substr(0, limit - 3) + "...";
  return made;
}

std::string plain_tail(std::string_view untrusted, std::size_t limit) {
  constexpr std::size_t kLongest = 8192;
  if (untrusted.size() > kLongest) untrusted.remove_prefix(untrusted.size() - kLongest);
  std::string made = ascii(untrusted, kLongest);
  if (made.size() > limit) made = "..." + made.substr(made.size() - (limit - 3));
  return made;
}

std::string plain_name(std::string_view application, std::size_t limit) {
  std::string made = ascii(application, kMaxText);
  if (made.size() <= limit) return made;
  const std::size_t end = made.find('/');
  const std::size_t kept = end == std::string::npos ? 0 : made.size() - end;
  if (kept == 0 || kept + 7 > limit) return plain_tail(made, limit);
  return made.substr(0, limit - kept - 3) + "..." + made.substr(end);
}

std::string padded(std::string made, std::size_t width) {
  if (made.size() < width) made.resize(width, ' ');
  return made;
}

std::string counted(std::int64_t number, std::string_view noun) {
  return std::to_string(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

void Lines::add(std::string_view line) {
  body_.push_back(plain(line));
}

void Lines::wrap(std::string_view first, std::string_view text, std::string_view rest) {
  wrap_into(body_, first, text, rest);
}

void Lines::end(std::string_view line) {
  end_.push_back(plain(line));
}

void Lines::end_wrapped(std::string_view first, std::string_view text, std::string_view rest) {
  wrap_into(end_, first, text, rest);
}

void Lines::hint(std::string_view text) {
  hint_into(body_, text);
}

void Lines::end_hint(std::string_view text) {
  hint_into(end_, text);
}

std::string Lines::text() const {
  std::string made;
  const auto put = [&](const std::string& line) {
    made += line.substr(0, line.find_last_not_of(' ') + 1);
    made += '\n';
  };
  const std::size_t last = std::min(end_.size(), kMaxEnd);
  const std::size_t room = kMaxLines - last;
  const bool cut = body_.size() > room;
  const std::size_t shown = cut ? room - 1 : body_.size();
  std::for_each_n(body_.begin(), shown, put);
  if (cut)
    put("  ... and " + counted(static_cast<std::int64_t>(body_.size() - shown), "more line"));
  std::for_each_n(end_.begin(), last, put);
  return made;
}

}  // namespace plumb::hooks
