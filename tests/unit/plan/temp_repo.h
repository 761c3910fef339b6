#pragma once
/// A bare repository of the test's own. Commits are whole trees given as texts; many cost one run
/// of `git fast-import`.
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "drivers/git/repository.h"
#include "drivers/process/process.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

namespace plumb::test {

struct TreeFile {
  std::string text;
  bool link = false;  ///< the text is a symbolic link's target
  bool operator==(const TreeFile&) const = default;
};
using Tree = std::map<std::string, TreeFile>;

inline TreeFile link_to(const std::string& target) {
  return {target, true};
}

/// "a.yaml" → text, for the usual case without links.
inline Tree files(const std::map<std::string, std::string>& texts) {
  Tree tree;
  for (const auto& [path, text] : texts) tree[path] = {text};
  return tree;
}

class TempRepo {
 public:
  TempRepo() {
    git({"init", "-q", "--bare", folder_.path()});
    repository_ = must(git::Repository::open(folder_.path()));
  }

  [[nodiscard]] git::Repository& get() const { return *repository_; }
  [[nodiscard]] const std::string& path() const { return folder_.path(); }

  std::string commit(const Tree& tree) { return commits({tree}).front(); }

  /// The id of each commit's tree.
  [[nodiscard]] std::string tree_of(const std::string& commit) const {
    return must(repository_->commit(commit)).tree;
  }

  /// One commit per tree, each the parent of the next.
  std::vector<std::string> commits(const std::vector<Tree>& trees) {
    std::ostringstream stream;
    int mark = 0;
    for (const Tree& tree : trees) {
      stream << "commit refs/heads/main\nmark :" << ++mark
             << "\ncommitter t <t@example.org> 1790000000 +0000\ndata 1\nc\n";
      if (mark == 1 && !tip_.empty()) stream << "from " << tip_ << "\n";
      stream << "deleteall\n";
      for (const auto& [path, file] : tree) {
        stream << "M " << (file.link ? "120000" : "100644") << " inline " << path << "\ndata "
               << file.text.size() << "\n"
               << file.text << "\n";
      }
    }
    const std::string marks = folder_ / "test-marks";
    const std::string input = stream.str();
    git({"--git-dir=" + folder_.path(), "fast-import", "--quiet", "--force",
         "--export-marks=" + marks},
        input);
    std::vector<std::string> oids(trees.size());
    std::ifstream lines(marks);
    std::string name, oid;
    while (lines >> name >> oid) oids[std::stoul(name.substr(1)) - 1] = oid;
    tip_ = oids.back();
    return oids;
  }

 private:
  static void git(std::vector<std::string> arguments, std::string_view input = {}) {
    arguments.insert(arguments.begin(), must(process::find_program("git")));
    process::RunOptions options;
    options.environment = {"HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1"};
    options.input = input;
    const auto output = must(process::run(std::move(arguments), options));
    if (!output.exit.ok()) FAIL("git: " << output.err);
  }

  TempFolder folder_;
  std::unique_ptr<git::Repository> repository_;
  std::string tip_;
};

}  // namespace plumb::test
