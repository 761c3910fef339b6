#pragma once
/// What `render` and `affected` work on without a server: a Git repository of this machine, what it
/// may do, and an engine.
///
///   Rights   of the server's file when one is named; else everything, on the clusters that
///            documents name; a document or folder that names none goes to a cluster called
///            "default".
///   Secrets  values are hashed with a key that everybody knows: digests differ from the server's
///            and are never shown.
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/server_config.h"
#include "console/verb.h"
#include "core/verdict.h"
#include "drivers/git/repository.h"
#include "plan/update.h"

namespace plumb::console {

class Offline {
 public:
  /// `typed`: --repo, --config, --as. `revisions` must exist; "" is the empty tree.
  static Result<Offline> open(const Typed& typed,
                              const Console& console,
                              const std::vector<std::string>& revisions);

  [[nodiscard]] git::Repository& repository() const { return *repository_; }
  [[nodiscard]] const config::RepositoryBinding& binding() const { return binding_; }
  [[nodiscard]] plan::EnginePool& engines() const { return *engines_; }
  [[nodiscard]] const std::string& commit(std::size_t i) const {
    return commits_.at(i);
  }  ///< of a revision
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] plan::UpdateTools tools() const;
  [[nodiscard]] Result<std::string> tree(const std::string& commit) const;

 private:
  std::string root_;
  std::unique_ptr<git::Repository> repository_;
  config::RepositoryBinding binding_;
  std::unique_ptr<plan::EnginePool> engines_;
  std::vector<std::string> commits_;
};

/// Scope of kinds without a cluster's schema; a kind that nobody knows is taken as namespaced.
[[nodiscard]] plan::IsNamespaced builtin_scope();
[[nodiscard]] const plan::ProjectKey& offline_key();

/// Rights for a repository that no server file names; see above. `trees`: all that will be looked
/// at.
[[nodiscard]] Result<config::RepositoryBinding> guessed_binding(
    git::Repository& repository, const std::vector<std::string>& trees, const std::string& name);

/// "error[rule]: file:line:column: message" and "hint: …" for each, safe for a terminal.
[[nodiscard]] std::string verdicts_text(const std::vector<Verdict>& verdicts);
[[nodiscard]] nlohmann::json verdicts_json(const std::vector<Verdict>& verdicts);

}  // namespace plumb::console
