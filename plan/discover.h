#pragma once
/// Which applications a tree declares: `plumbline.yaml`, `.plumbline/*.yaml` (documents of
/// plumbline.dev/v1) and the folder convention `apps/<application>/<environment>`, within the
/// rights that the server's file gives the repository.
#include <string>
#include <vector>

#include "config/server_config.h"
#include "core/application.h"
#include "core/closure.h"
#include "core/verdict.h"
#include "plan/tree_source.h"

namespace plumb::plan {

struct Discovered {
  std::vector<Application> applications;  ///< sorted by id; those with a verdict are left out
  Closure closure;
  std::vector<Verdict> verdicts;  ///< bad documents, targets without right, two with one name
};

/// A Result error means that the tree could not be read.
Result<Discovered> discover(TreeSource& source, const config::RepositoryBinding& repository);

}  // namespace plumb::plan
