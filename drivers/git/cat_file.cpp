#include "drivers/git/cat_file.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/git/object_folders.h"
#include "drivers/git/raw_objects.h"
#include "drivers/git/tree_diff.h"
#include "drivers/process/process.h"

namespace plumb::git {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 30s;
constexpr std::size_t kMaxObject = 64U << 20U;
constexpr std::size_t kMaxHeader = 256;
constexpr std::size_t kTreesKept = 4096;

std::string quoted(const std::string& path) {
  std::string text = "\"";
  for (const char c : path) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

/// Nothing of the machine's or a user's configuration counts, and who owns the folder is no matter:
/// the server's file named it.
std::vector<std::string> environment(const std::vector<std::string>& object_dirs) {
  std::vector<std::string> variables{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
                                     "GIT_CONFIG_COUNT=1",    "GIT_CONFIG_KEY_0=safe.directory",
                                     "GIT_CONFIG_VALUE_0=*",  "GIT_NO_REPLACE_OBJECTS=1",
                                     "GIT_OPTIONAL_LOCKS=0",  "LC_ALL=C",
                                     "GIT_TERMINAL_PROMPT=0"};
  std::string alternates;
  for (const std::string& folder : object_dirs)
    alternates += (alternates.empty() ? "" : ":") + quoted(folder);
  if (!alternates.empty()) variables.push_back("GIT_ALTERNATE_OBJECT_DIRECTORIES=" + alternates);
  return variables;
}

class ThroughGit final : public Repository {
 public:
  ThroughGit(std::string program,
             std::string git_dir,
             std::vector<std::string> variables,
             std::size_t oid_digits)
      : program_(std::move(program)),
        git_dir_(std::move(git_dir)),
        variables_(std::move(variables)),
        oid_digits_(oid_digits) {}

  Result<std::optional<std::string>> ref(const std::string& name) override {
    if (!is_ref_name(name) && name != "HEAD")
      return fail(Errc::invalid, "'" + printable(name) + "' is no ref name");
    const auto out = TRY(git({"rev-parse", "--verify", "--quiet", "--end-of-options", name}));
    if (!out) return std::optional<std::string>();
    return std::optional<std::string>(first_line(*out));
  }

  Result<std::vector<Ref>> refs() override {
    const auto out = TRY(git({"for-each-ref", "--format=%(objectname) %(refname)"}));
    if (!out) return fail(Errc::unavailable, "the refs of '" + git_dir_ + "' cannot be read");
    std::vector<Ref> found;
    for (const std::string& line : split(*out, '\n')) {
      const auto space = line.find(' ');
      if (space != std::string::npos)
        found.push_back({line.substr(space + 1), line.substr(0, space)});
    }
    std::sort(found.begin(), found.end(),
              [](const Ref& a, const Ref& b) { return a.name < b.name; });
    return found;
  }

  Result<std::string> resolve_commit(const std::string& name) override {
    if (!is_plain_name(name))
      return fail(Errc::invalid, "'" + printable(name) + "' names no commit");
    const auto out =
        TRY(git({"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"}));
    if (!out) return fail(Errc::invalid, "'" + printable(name) + "' names no commit here");
    return first_line(*out);
  }

  Result<CommitInfo> commit(const std::string& oid) override {
    Object object = TRY(read(oid, kMaxObject));
    std::string at = oid;
    for (int hops = 0; object.type == "tag" && hops < 16; ++hops) {
      at = tag_target(object.bytes);
      object = TRY(read(at, kMaxObject));
    }
    if (object.type != "commit") return fail(Errc::invalid, oid + " is no commit");
    return TRY(parse_commit(at, object.bytes)).info;
  }

  Result<bool> contains(const std::string& oid) override {
    if (!is_oid(oid)) return fail(Errc::invalid, "'" + printable(oid) + "' is no object id");
    return TRY(git({"cat-file", "-e", oid})).has_value();  // its size is no matter
  }

  Result<int> count_commits(const std::string& older,
                            const std::string& newer,
                            int limit) override {
    std::vector<std::string> arguments{"rev-list", "--count",
                                       "--max-count=" + std::to_string(limit), newer};
    if (!is_zero_oid(older) && TRY(contains(older))) arguments.push_back("^" + older);
    if (!is_oid(newer) || !is_oid(older)) return fail(Errc::invalid, "no object id");
    const auto out = TRY(git(arguments));
    int count = 0;
    if (!out || std::from_chars(out->data(), out->data() + out->size(), count).ec != std::errc()) {
      return fail(Errc::invalid, "the history of " + short_oid(newer) + " cannot be read");
    }
    return count;
  }

  Result<std::vector<NamedEntry>> list(const std::string& tree) override {
    if (const auto known = trees_.find(tree); known != trees_.end()) return known->second;
    const Object object = TRY(read(tree, kMaxObject));
    if (object.type != "tree") return fail(Errc::invalid, tree + " is no tree");
    auto entries = TRY(parse_tree(object.bytes, oid_digits_ / 2));
    if (trees_.size() >= kTreesKept) trees_.clear();
    trees_[tree] = entries;
    return entries;
  }

  Result<std::optional<Entry>> find(const std::string& tree, const std::string& name) override {
    if (!trees_.contains(tree)) TRY(list(tree));
    const auto& entries = trees_[tree];
    const auto at = std::lower_bound(
        entries.begin(), entries.end(), name,
        [](const NamedEntry& entry, const std::string& wanted) { return entry.name < wanted; });
    if (at == entries.end() || at->name != name) return std::optional<Entry>();
    return std::optional<Entry>(at->entry);
  }

  Result<std::string> blob(const std::string& oid, std::size_t max_bytes) override {
    Object object = TRY(read(oid, max_bytes));
    if (object.type != "blob") return fail(Errc::invalid, oid + " is no blob");
    return std::move(object.bytes);
  }

  Result<std::vector<TreeChange>> diff(const std::string& old_tree,
                                       const std::string& new_tree,
                                       std::size_t limit) override {
    return diff_trees(*this, old_tree, new_tree, limit);
  }

  /// Says what git says when it cannot read the repository at all.
  Result<> check() {
    const auto out = TRY(run({"rev-parse", "--git-dir"}));
    if (out.exit.ok()) return {};
    std::string reason = out.err;  // git may say it in two lines
    std::replace_if(
        reason.begin(), reason.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return fail(Errc::invalid, "open '" + git_dir_ + "': " + printable(reason), "",
                "a newer git may be able to read this repository");
  }

 private:
  struct Object {
    std::string type;
    std::string bytes;
  };

  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  Result<process::Output> run(const std::vector<std::string>& arguments) {
    std::vector<std::string> argv{program_, "--git-dir=" + git_dir_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process::RunOptions options;
    options.environment = variables_;
    options.deadline = kPatience;
    return process::run(std::move(argv), options);
  }

  /// nullopt: git said no.
  Result<std::optional<std::string>> git(const std::vector<std::string>& arguments) {
    auto output = TRY(run(arguments));
    if (!output.exit.ok()) return std::optional<std::string>();
    return std::optional<std::string>(std::move(output.out));
  }

  Result<Object> read(const std::string& oid, std::size_t max_bytes) {
    if (!is_oid(oid)) return fail(Errc::invalid, "'" + printable(oid) + "' is no object id");
    if (!child_) TRY(start());
    auto object = ask(oid, max_bytes);
    if (object || object.error().code == Errc::invalid) return object;
    child_.reset();  // out of step, or it died of a broken object: start anew
    return fail(Errc::unavailable, "read object " + oid + ": " + object.error().message);
  }

  Result<> start() {
    process::Spec spec;
    spec.argv = {program_, "--git-dir=" + git_dir_, "cat-file", "--batch"};
    spec.environment = variables_;
    spec.dies_with_us =
        false;  // the next read may come from another thread; it ends with its input
    child_.emplace(TRY(process::Child::spawn(spec)));
    return {};
  }

  Result<Object> ask(const std::string& oid, std::size_t max_bytes) {
    const auto deadline = process::in(kPatience);
    TRY(child_->write_all(oid + "\n", deadline));
    std::string header;
    while (!header.ends_with('\n')) {
      if (header.size() > kMaxHeader)
        return fail(Errc::unavailable, "git cat-file answered with no header");
      header += TRY(child_->read_exact(1, deadline));
    }
    header.pop_back();
    const auto words = split(header, ' ');
    if (words.size() != 3) return fail(Errc::invalid, "object " + oid + " is not here");
    std::size_t size = 0;
    if (std::from_chars(words[2].data(), words[2].data() + words[2].size(), size).ec !=
        std::errc()) {
      return fail(Errc::unavailable, "git cat-file answered with no size");
    }
    if (size > max_bytes) {
      child_.reset();  // cheaper than reading what nobody wants
      return fail(Errc::invalid, "object " + oid + " has " + std::to_string(size) +
                                     " bytes, more than " + std::to_string(max_bytes));
    }
    Object object;
    object.type = words[1];
    object.bytes = TRY(child_->read_exact(size, deadline));
    TRY(child_->read_exact(1, deadline));
    return object;
  }

  std::string program_;
  std::string git_dir_;
  std::vector<std::string> variables_;
  std::size_t oid_digits_;
  std::optional<process::Child> child_;
  std::map<std::string, std::vector<NamedEntry>> trees_;
};

}  // namespace

Result<std::unique_ptr<Repository>> open_with_git(const std::string& git_dir,
                                                  const std::vector<std::string>& object_dirs,
                                                  std::size_t oid_digits) {
  auto program = TRY(process::find_program("git"));
  const auto folders =
      object_dirs.empty() ? std::vector<std::string>() : TRY(object_folders(object_dirs));
  auto opened =
      std::make_unique<ThroughGit>(std::move(program), git_dir, environment(folders), oid_digits);
  TRY(opened->check());
  return std::unique_ptr<Repository>(std::move(opened));
}

}  // namespace plumb::git
