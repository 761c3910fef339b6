#pragma once
/// Named points where a test makes the process die or fail (fault table, docs/faults.md).
/// PLUMB_FAIL="queue.before_commit=kill@3,apply.between_patches=error" hits the 3rd pass of the
/// first and every pass of the second; each hit is printed to stderr as `failpoint <name> <action>`
/// and appended to the file named by PLUMB_FAIL_LOG before it acts. Actions: kill (SIGKILL to
/// itself), error (the caller's Result fails with `fault`), sleepMS. Without PLUMB_FAILPOINTS (all
/// release builds) FAILPOINT compiles to nothing.
#include <string_view>

#include "core/result.h"

namespace plumb {

[[nodiscard]] Result<> failpoint(std::string_view name);

}  // namespace plumb

#ifdef PLUMB_FAILPOINTS
#define FAILPOINT(name) TRY(::plumb::failpoint(name))
#else
#define FAILPOINT(name) static_cast<void>(0)
#endif
