#pragma once
/// Git object ids as hex text: 40 digits (SHA-1) or 64 (SHA-256).
#include <string>
#include <string_view>

namespace plumb {

[[nodiscard]] bool is_oid(std::string_view text);           ///< 40 or 64 lower-case hex digits
[[nodiscard]] bool is_zero_oid(std::string_view oid);       ///< all zeros: "no such object"
[[nodiscard]] std::string short_oid(std::string_view oid);  ///< first 7 digits, for people

/// True for a full ref name that git itself would accept (git-check-ref-format rules, starts with
/// "refs/", at most 1024 bytes). Everything else from a hook or a payload is refused.
[[nodiscard]] bool is_ref_name(std::string_view ref);

/// "main" for "refs/heads/main"; the ref itself when it is no branch.
[[nodiscard]] std::string_view branch_of(std::string_view ref);

}  // namespace plumb
