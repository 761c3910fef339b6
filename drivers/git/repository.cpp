#include "drivers/git/repository.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <git2.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/git/cat_file.h"
#include "drivers/git/loose_objects.h"
#include "drivers/git/object_folders.h"
#include "drivers/git/raw_objects.h"
#include "drivers/git/tree_diff.h"

namespace plumb::git {
namespace {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* raw) const noexcept {
    free(raw);
  }
};
using RepositoryHandle = std::unique_ptr<git_repository, Free<git_repository_free>>;
using OdbHandle = std::unique_ptr<git_odb, Free<git_odb_free>>;
using OdbObject = std::unique_ptr<git_odb_object, Free<git_odb_object_free>>;
using ObjectHandle = std::unique_ptr<git_object, Free<git_object_free>>;
using CommitHandle = std::unique_ptr<git_commit, Free<git_commit_free>>;
using TreeHandle = std::unique_ptr<git_tree, Free<git_tree_free>>;
using WalkHandle = std::unique_ptr<git_revwalk, Free<git_revwalk_free>>;
using ReferenceHandle = std::unique_ptr<git_reference, Free<git_reference_free>>;
using IteratorHandle = std::unique_ptr<git_reference_iterator, Free<git_reference_iterator_free>>;
using ConfigHandle = std::unique_ptr<git_config, Free<git_config_free>>;

constexpr std::size_t kCachedTree = 4U << 20U;   // a folder of 50 000 entries
constexpr std::size_t kCachedBlob = 32U << 10U;  // what a shared base is made of
constexpr ssize_t kCacheSize = 128 << 20;
constexpr int kLoosePriority = 1;
constexpr int kPackPriority = 2;

/// Once per process. Nothing of a user's configuration counts; the server's file, not the owner of
/// a folder, says which repositories are read.
void start_library() {
  static const int started = [] {
    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    for (const int level : {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                            GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE, kCachedTree);
    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_BLOB, kCachedBlob);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, kCacheSize);
    return 0;
  }();
  static_cast<void>(started);
}

std::string last_message() {
  const git_error* error = git_error_last();
  return error != nullptr && error->message != nullptr ? printable(error->message)
                                                       : "no reason given";
}

Failure failed(int code, const std::string& doing) {
  const bool content = code == GIT_ENOTFOUND || code == GIT_EAMBIGUOUS ||
                       code == GIT_EINVALIDSPEC || code == GIT_EPEEL;
  return fail(content ? Errc::invalid : Errc::unavailable, doing + ": " + last_message());
}

std::string text_of(const git_oid* oid) {
  std::string text(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(text.data(), oid);
  return text;
}

Result<git_oid> oid_of(const std::string& text) {
  git_oid oid;
  if (!is_oid(text) || text.size() != GIT_OID_HEXSZ || git_oid_fromstr(&oid, text.c_str()) != 0) {
    return fail(Errc::invalid, "'" + printable(text) + "' is no object id");
  }
  return oid;
}

Entry entry_of(const git_tree_entry* raw) {
  const auto kind = kind_of_mode(git_tree_entry_filemode_raw(raw));
  return {kind.value_or(Kind::blob), text_of(git_tree_entry_id(raw))};
}

class Libgit2 final : public Repository {
 public:
  Libgit2(RepositoryHandle repository, std::vector<std::string> object_dirs)
      : repository_(std::move(repository)), object_dirs_(std::move(object_dirs)) {}

  /// Builds the object store by hand: libgit2 does not read quoted alternates, and splits paths at
  /// ':'.
  Result<> open_objects() {
    std::vector<std::string> roots{std::string(git_repository_commondir(repository_.get())) +
                                   "objects"};
    roots.insert(roots.end(), object_dirs_.begin(), object_dirs_.end());
    git_odb* raw = nullptr;
    if (const int code = git_odb_new(&raw); code != 0) return failed(code, "make an object store");
    const OdbHandle odb(raw);
    for (const std::string& folder : TRY(object_folders(roots))) {
      git_odb_backend* loose = nullptr;
      git_odb_backend* packs = nullptr;
      int code = make_loose_backend(&loose, folder);
      if (code == 0) code = git_odb_add_backend(odb.get(), loose, kLoosePriority);
      if (code == 0) code = git_odb_backend_pack(&packs, folder.c_str());
      if (code == 0) code = git_odb_add_backend(odb.get(), packs, kPackPriority);
      if (code != 0) return failed(code, "read '" + folder + "'");
    }
    if (const int code = git_repository_set_odb(repository_.get(), odb.get()); code != 0) {
      return failed(code, "use the object store");
    }
    return {};
  }

  Result<std::optional<std::string>> ref(const std::string& name) override {
    if (!is_ref_name(name) && name != "HEAD")
      return fail(Errc::invalid, "'" + printable(name) + "' is no ref name");
    git_oid oid;
    const int code = git_reference_name_to_id(&oid, repository_.get(), name.c_str());
    if (code == GIT_ENOTFOUND) return std::optional<std::string>();
    if (code != 0) return failed(code, "read ref '" + printable(name) + "'");
    return std::optional<std::string>(text_of(&oid));
  }

  Result<std::vector<Ref>> refs() override {
    git_reference_iterator* raw = nullptr;
    if (const int code = git_reference_iterator_new(&raw, repository_.get()); code != 0)
      return failed(code, "list refs");
    const IteratorHandle iterator(raw);
    std::vector<Ref> found;
    git_reference* next = nullptr;
    int code = 0;
    while ((code = git_reference_next(&next, iterator.get())) == 0) {
      const ReferenceHandle reference(next);
      git_oid oid;
      const char* name = git_reference_name(reference.get());
      // A symbolic ref that leads nowhere is no ref yet.
      if (git_reference_name_to_id(&oid, repository_.get(), name) == 0)
        found.push_back({name, text_of(&oid)});
    }
    if (code != GIT_ITEROVER) return failed(code, "list refs");
    std::sort(found.begin(), found.end(),
              [](const Ref& a, const Ref& b) { return a.name < b.name; });
    return found;
  }

  Result<std::string> resolve_commit(const std::string& name) override {
    if (!is_plain_name(name))
      return fail(Errc::invalid, "'" + printable(name) + "' names no commit");
    git_object* raw = nullptr;
    const int code =
        reading([&] { return git_revparse_single(&raw, repository_.get(), name.c_str()); });
    if (code != 0) return not_found(code, name);
    const ObjectHandle object(raw);
    git_object* peeled = nullptr;
    const int peel = git_object_peel(&peeled, object.get(), GIT_OBJECT_COMMIT);
    if (peel != 0) return fail(Errc::invalid, "'" + printable(name) + "' names no commit here");
    const ObjectHandle commit(peeled);
    return text_of(git_object_id(commit.get()));
  }

  Result<CommitInfo> commit(const std::string& oid) override {
    const git_oid id = TRY(oid_of(oid));
    git_object* raw = nullptr;
    const int code =
        reading([&] { return git_object_lookup(&raw, repository_.get(), &id, GIT_OBJECT_ANY); });
    if (code != 0) return failed(code, "read commit " + oid);
    const ObjectHandle object(raw);
    git_object* peeled = nullptr;
    if (git_object_peel(&peeled, object.get(), GIT_OBJECT_COMMIT) != 0)
      return fail(Errc::invalid, oid + " is no commit");
    const ObjectHandle holder(peeled);
    const auto* commit = reinterpret_cast<git_commit*>(peeled);
    CommitInfo info;
    info.oid = text_of(git_commit_id(commit));
    info.tree = text_of(git_commit_tree_id(commit));
    info.author_name = git_commit_author(commit)->name;
    info.author_email = git_commit_author(commit)->email;
    const std::string message = git_commit_message(commit);
    info.summary = message.substr(0, message.find('\n'));
    info.committed_at = git_commit_time(commit);
    return info;
  }

  Result<bool> contains(const std::string& oid) override {
    const git_oid id = TRY(oid_of(oid));
    return git_odb_exists(odb().get(), &id) == 1;
  }

  Result<int> count_commits(const std::string& older,
                            const std::string& newer,
                            int limit) override {
    const git_oid tip = TRY(oid_of(newer));
    git_revwalk* raw = nullptr;
    if (const int code = git_revwalk_new(&raw, repository_.get()); code != 0)
      return failed(code, "walk commits");
    const WalkHandle walk(raw);
    if (const int code = reading([&] { return git_revwalk_push(walk.get(), &tip); }); code != 0) {
      return failed(code, "walk from " + newer);
    }
    if (!is_zero_oid(older) && TRY(contains(older))) {
      const git_oid base = TRY(oid_of(older));
      if (const int code = git_revwalk_hide(walk.get(), &base); code != 0)
        return failed(code, "walk to " + older);
    }
    int count = 0;
    git_oid next;
    while (count < limit && git_revwalk_next(&next, walk.get()) == 0) ++count;
    return count;
  }

  Result<std::vector<NamedEntry>> list(const std::string& tree) override {
    const TreeHandle handle = TRY(tree_of(tree));
    std::vector<NamedEntry> entries;
    const std::size_t count = git_tree_entrycount(handle.get());
    entries.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const git_tree_entry* entry = git_tree_entry_byindex(handle.get(), i);
      entries.push_back({git_tree_entry_name(entry), entry_of(entry)});
    }
    // Git sorts folders as if their names ended with '/'.
    std::sort(entries.begin(), entries.end(),
              [](const NamedEntry& a, const NamedEntry& b) { return a.name < b.name; });
    return entries;
  }

  Result<std::optional<Entry>> find(const std::string& tree, const std::string& name) override {
    const TreeHandle handle = TRY(tree_of(tree));
    if (name.find('\0') != std::string::npos) return std::optional<Entry>();
    const git_tree_entry* entry = git_tree_entry_byname(handle.get(), name.c_str());
    if (entry == nullptr) return std::optional<Entry>();
    return std::optional<Entry>(entry_of(entry));
  }

  Result<std::string> blob(const std::string& oid, std::size_t max_bytes) override {
    const git_oid id = TRY(oid_of(oid));
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    int code = reading([&] { return git_odb_read_header(&size, &type, odb().get(), &id); });
    if (code != 0) return failed(code, "read blob " + oid);
    if (type != GIT_OBJECT_BLOB) return fail(Errc::invalid, oid + " is no blob");
    if (size > max_bytes) {
      return fail(Errc::invalid, "object " + oid + " has " + std::to_string(size) +
                                     " bytes, more than " + std::to_string(max_bytes));
    }
    git_odb_object* raw = nullptr;
    code = reading([&] { return git_odb_read(&raw, odb().get(), &id); });
    if (code != 0) return failed(code, "read blob " + oid);
    const OdbObject object(raw);
    return std::string(static_cast<const char*>(git_odb_object_data(object.get())),
                       git_odb_object_size(object.get()));
  }

  Result<std::vector<TreeChange>> diff(const std::string& old_tree,
                                       const std::string& new_tree,
                                       std::size_t limit) override {
    return diff_trees(*this, old_tree, new_tree, limit);
  }

 private:
  OdbHandle odb() const {
    git_odb* raw = nullptr;
    git_repository_odb(&raw, repository_.get());
    return OdbHandle(raw);
  }

  static Failure not_found(int code, const std::string& name) {
    if (code == GIT_EAMBIGUOUS)
      return fail(Errc::invalid, "'" + printable(name) + "' is short for several objects");
    if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC)
      return fail(Errc::invalid, "'" + printable(name) + "' names no commit here");
    return failed(code, "find '" + printable(name) + "'");
  }

  Result<TreeHandle> tree_of(const std::string& oid) {
    const git_oid id = TRY(oid_of(oid));
    git_tree* raw = nullptr;
    const int code = reading([&] { return git_tree_lookup(&raw, repository_.get(), &id); });
    if (code != 0) return failed(code, "read tree " + oid);
    return TreeHandle(raw);
  }

  /// New packs are found by libgit2 itself; a pack that `git gc` took away under us is not, so a
  /// read that fails is tried once more on a fresh store.
  template <class Read>
  int reading(Read&& read) {
    const int code = read();
    if (code == 0 || code == GIT_ENOTFOUND || code == GIT_EAMBIGUOUS || code == GIT_EINVALIDSPEC)
      return code;
    if (!open_objects()) return code;
    return read();
  }

  RepositoryHandle repository_;
  std::vector<std::string> object_dirs_;
};

/// What the repository's own config says about formats that libgit2 does not know.
struct Format {
  bool foreign = false;
  std::size_t oid_digits = 40;
};

Format format_of(const std::string& git_dir) {
  Format format;
  git_config* raw = nullptr;
  if (git_config_open_ondisk(&raw, (git_dir + "/config").c_str()) != 0) return format;
  const ConfigHandle config(raw);
  git_config* frozen = nullptr;
  if (git_config_snapshot(&frozen, config.get()) != 0) return format;
  const ConfigHandle snapshot(frozen);
  const auto value = [&](const char* key) {
    const char* text = nullptr;
    return git_config_get_string(&text, snapshot.get(), key) == 0 ? std::string(text)
                                                                  : std::string();
  };
  if (value("extensions.objectformat") == "sha256") format = {true, 64};
  const std::string refs = value("extensions.refstorage");
  if (!refs.empty() && refs != "files") format.foreign = true;
  return format;
}

}  // namespace

Result<std::unique_ptr<Repository>> Repository::open(const std::string& git_dir,
                                                     const std::vector<std::string>& object_dirs) {
  start_library();
  std::error_code ignored;
  const std::string inside = git_dir + "/.git";
  const std::string folder = std::filesystem::is_directory(inside, ignored) ? inside : git_dir;
  if (const Format format = format_of(folder); format.foreign) {
    return open_with_git(folder, object_dirs, format.oid_digits);
  }
  git_repository* raw = nullptr;
  const int code =
      git_repository_open_ext(&raw, git_dir.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (code == GIT_ENOTFOUND) return fail(Errc::invalid, "'" + git_dir + "' is no Git repository");
  if (code != 0) return failed(code, "open '" + git_dir + "'");
  auto opened = std::make_unique<Libgit2>(RepositoryHandle(raw), object_dirs);
  TRY(opened->open_objects());
  return std::unique_ptr<Repository>(std::move(opened));
}

}  // namespace plumb::git
