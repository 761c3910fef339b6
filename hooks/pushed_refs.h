#pragma once
/// The ref updates that Git writes to a hook's standard input, one `<old> <new> <ref>` a line.
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/result.h"

namespace plumb::hooks {

inline constexpr std::size_t kMaxInput = 16U << 20U;

/// Everything on standard input. invalid: more than kMaxInput; it is then read to its end and
/// dropped, so that Git does not die of SIGPIPE.
Result<std::string> read_input();

/// pre-receive runs before Git looks at the names, and a name with a line feed in it makes a line
/// of its own that says something else about another ref. So one line that Git would not write, or
/// one ref twice, refuses the whole push.
Result<std::vector<RefUpdate>> parse_push(std::string_view input);

/// The lines of a ref transaction or of post-receive, whose names Git has checked. What is no
/// update of a full ref name by object ids (HEAD, "ref:" values) is left out.
[[nodiscard]] std::vector<RefUpdate> parse_updates(std::string_view input);

}  // namespace plumb::hooks
