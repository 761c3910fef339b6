#pragma once
/// The engines of render(). Private to plan/.
#include <string>
#include <vector>

#include "core/application.h"
#include "core/verdict.h"
#include "plan/engine_pool.h"
#include "plan/objects.h"
#include "plan/tree_source.h"

namespace plumb::plan {

[[nodiscard]] bool is_kustomization(std::string_view file_name);
[[nodiscard]] bool is_manifest_file(std::string_view file_name);  ///< .yaml, .yml, .json

/// The objects of all manifest files of a folder. What cannot be read is a verdict.
Result<> read_plain(const Application& application,
                    TreeSource& source,
                    std::vector<GivenObject>& objects,
                    std::vector<Verdict>& verdicts);

/// The objects that a kustomization makes, each at its place in the file it came from.
Result<> build_kustomize(const Application& application,
                         TreeSource& source,
                         EnginePool& engines,
                         std::vector<GivenObject>& objects,
                         std::vector<Verdict>& verdicts);

/// An engine's message in words for the author, with the file where it names one. `read`: what the
/// render looked at; values of the secrets in those files are taken out.
[[nodiscard]] Verdict explain_failure(const Application& application,
                                      const std::string& message,
                                      const Closure& read,
                                      TreeSource& source);

}  // namespace plumb::plan
