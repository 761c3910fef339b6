#pragma once
/// The durable trace of a ref transaction (docs/formats.md "Spool record"), written as Git's user.
///
/// The three states of one transaction are three processes. They find the record by the process id
/// of the Git that runs them and by a hash of what it moves, which stands where the format says
/// <random>.
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/event.h"
#include "core/result.h"

namespace plumb::hooks {

class Spool {
 public:
  /// `git`: process id of the Git that runs this hook.
  Spool(const std::string& repository, pid_t git);

  /// Written, fsynced, folder fsynced: or an error, and then the transaction must not go on.
  Result<> prepare(const std::vector<RefUpdate>& refs, const Actor& actor);
  /// Renames the record; writes one if there is none. Also removes what is older than seven days.
  Result<> commit(const std::vector<RefUpdate>& refs, const Actor& actor);
  void abort(const std::vector<RefUpdate>& refs);

  /// Only pre-receive sees the push's options. It leaves them for the transactions of the same Git;
  /// none: forgets those of an earlier process with this id.
  void keep_options(const std::vector<std::string>& options) const;

 private:
  Result<> make_folder() const;
  Result<std::string> write(const std::vector<RefUpdate>& refs, const Actor& actor) const;
  [[nodiscard]] std::string find(const std::string& hash) const;
  [[nodiscard]] std::vector<std::string> kept_options() const;
  [[nodiscard]] std::string options_path() const;
  void remove_old() const;

  std::string repository_;
  std::string folder_;
  pid_t git_;
};

}  // namespace plumb::hooks
