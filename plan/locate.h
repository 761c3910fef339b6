#pragma once
/// The line that a verdict is about: verdicts of the schema and of rights name an object and a
/// field, people look for a file and a line.
#include <string>
#include <vector>

#include "core/verdict.h"
#include "drivers/git/repository.h"
#include "plan/update.h"

namespace plumb::plan {

/// Fills in `place` where it can: the field's own line in the object's file, else the object's
/// first. A file that cannot be read any more leaves its verdicts as they are.
void locate(std::vector<Verdict>& verdicts, const Update& update, git::Repository& repository);

struct SourceLine {
  int line = 0;  ///< 1-based
  std::string text;
};
/// The line of the verdict and the one before it, cleaned for a terminal. Empty for an object with
/// secret values and when the line is not known.
[[nodiscard]] std::vector<SourceLine> source_lines(const Verdict& verdict,
                                                   const Update& update,
                                                   git::Repository& repository);

}  // namespace plumb::plan
