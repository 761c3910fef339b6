#pragma once
/// Private to drivers/process: what a confined child may not do. All memory is prepared before the
/// fork; apply() makes system calls only, because a lock of another thread may be held for ever.
#include <string>
#include <vector>

#include <linux/filter.h>

#include "core/result.h"
#include "drivers/process/fd.h"
#include "drivers/process/process.h"

namespace plumb::process {

struct PreparedConfinement {
  std::vector<sock_filter> filter;  ///< seccomp; empty: the kernel has none
  Fd landlock;                      ///< ruleset; none: the kernel has no Landlock
  std::string names;                ///< "no_new_privs, seccomp, landlock 6"
};

Result<PreparedConfinement> prepare(const Confinement& wanted, const std::string& program);

/// In the child, just before exec. 0, or errno. `landlock` is the ruleset's descriptor there, or
/// -1.
int apply(const PreparedConfinement& prepared, int landlock) noexcept;

}  // namespace plumb::process
