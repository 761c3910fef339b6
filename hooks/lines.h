#pragma once
/// Lines for a terminal behind `remote: `: ASCII, at most 70 columns, at most 50 lines. Whatever
/// goes in can be hostile; only the caller's own words ever stand at the beginning of a line. Pure.
#include <string>
#include <string_view>
#include <vector>

namespace plumb::hooks {

inline constexpr std::size_t kColumns = 70;
inline constexpr std::size_t kMaxLines = 50;
inline constexpr std::size_t kNameColumn = 32;  ///< the widest that a column of applications gets

/// One line's worth: control characters, what is not ASCII and what is not UTF-8 become '?', a tab
/// becomes a blank; cut to `limit` with "...".
[[nodiscard]] std::string plain(std::string_view untrusted, std::size_t limit = kColumns);
/// The same, but the end is kept: for paths.
[[nodiscard]] std::string plain_tail(std::string_view untrusted, std::size_t limit);
/// The same for an application: the end, environment and cluster, is kept as well.
[[nodiscard]] std::string plain_name(std::string_view application, std::size_t limit = kNameColumn);
[[nodiscard]] std::string padded(std::string made, std::size_t width);
/// "1 commit", "3 commits"
[[nodiscard]] std::string counted(std::int64_t number, std::string_view noun);

class Lines {
 public:
  void add(std::string_view line);
  /// `text` broken at blanks; the first line begins with `first`, the others with `rest`.
  void wrap(std::string_view first, std::string_view text, std::string_view rest);
  /// As add and wrap, for the end, which is kept when there is too much before it.
  void end(std::string_view line);
  void end_wrapped(std::string_view first, std::string_view text, std::string_view rest);
  /// "hint: ..." A command (it stands at the beginning or behind two blanks) is never broken: it
  /// gets a line of its own where it does not fit, even one of more than 70 columns.
  void hint(std::string_view text);
  void end_hint(std::string_view text);

  /// Each line with its line feed; "" when there is none.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::size_t size() const { return body_.size(); }  ///< lines before the end

 private:
  std::vector<std::string> body_;
  std::vector<std::string> end_;
};

}  // namespace plumb::hooks
