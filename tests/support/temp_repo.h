#pragma once
/// A repository of the test's own, made and filled by the `git` program: what the driver reads was
/// never written by us.
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "drivers/process/process.h"
#include "tests/support/temp_folder.h"

namespace plumb::test {

class TempRepo {
 public:
  /// `init`: more arguments of `git init`, such as "--object-format=sha256".
  explicit TempRepo(const std::vector<std::string>& init = {}) {
    std::vector<std::string> arguments{"init", "--quiet", "--bare", "--initial-branch=main"};
    arguments.insert(arguments.end(), init.begin(), init.end());
    arguments.push_back(path());
    git(arguments);
  }

  [[nodiscard]] std::string path() const { return folder_ / "repo.git"; }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

  /// Runs git in the repository; returns what it prints, without the last newline. Throws when git
  /// says no.
  std::string git(const std::vector<std::string>& arguments,
                  const std::string& input = {},
                  const std::vector<std::string>& variables = {}) const {
    std::vector<std::string> argv{"/usr/bin/git"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process::RunOptions options;
    options.environment = {"GIT_CONFIG_NOSYSTEM=1",
                           "GIT_CONFIG_GLOBAL=/dev/null",
                           "GIT_AUTHOR_NAME=Ana Author",
                           "GIT_AUTHOR_EMAIL=ana@example.org",
                           "GIT_AUTHOR_DATE=1700000000 +0100",
                           "GIT_COMMITTER_NAME=Carl",
                           "GIT_COMMITTER_EMAIL=carl@example.org",
                           "GIT_COMMITTER_DATE=1700000060 +0100",
                           "LC_ALL=C",
                           "PATH=/usr/bin:/bin"};
    if (arguments.empty() || arguments[0] != "init")
      options.environment.push_back("GIT_DIR=" + path());
    options.environment.insert(options.environment.end(), variables.begin(), variables.end());
    options.input = input;
    const auto output = process::run(std::move(argv), options);
    if (!output) throw std::runtime_error("git: " + output.error().message);
    if (!output->exit.ok())
      throw std::runtime_error("git " + arguments[0] + ": " + output->err + output->out);
    std::string text = output->out;
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }

  std::string blob(const std::string& bytes) const {
    return git({"hash-object", "-w", "--stdin"}, bytes);
  }

  /// "100644 <oid>" by path. Objects need not exist.
  using Entries = std::map<std::string, std::string>;
  std::string tree(const Entries& entries) const {
    std::string lines;
    for (const auto& [path, entry] : entries)
      lines.append(entry).append("\t").append(path).push_back('\0');
    const std::vector<std::string> index{"GIT_INDEX_FILE=" + (folder_ / "index")};
    git({"read-tree", "--empty"}, {}, index);
    git({"update-index", "-z", "--index-info"}, lines, index);
    return git({"write-tree", "--missing-ok"}, {}, index);
  }

  /// Files by path; returns the commit. `parent` "" = none.
  std::string commit(const std::map<std::string, std::string>& files,
                     const std::string& parent = {},
                     const std::string& message = "a change") const {
    Entries entries;
    for (const auto& [path, bytes] : files) entries[path] = "100644 " + blob(bytes);
    std::vector<std::string> arguments{"commit-tree", "-m", message, tree(entries)};
    if (!parent.empty()) arguments.insert(arguments.end(), {"-p", parent});
    return git(arguments);
  }

 private:
  TempFolder folder_;
};

}  // namespace plumb::test
