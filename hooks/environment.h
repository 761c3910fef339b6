#pragma once
/// What Git and the platform around it say in a hook's environment. All of it is claimed: whoever
/// may start Git may set any of it.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace plumb::hooks {

/// Push options of ours: at most 16, each at most 1 KiB, `plumb.<word>` or `plumb.<word>=<value>`
/// with a word of a-z and '-'. The rest is not for us.
[[nodiscard]] std::vector<std::string> push_options();

/// How long to stay: `-o plumb.nowait`, `-o plumb.wait` (60 s), `-o plumb.wait=<time>`; else
/// `otherwise`. The last one counts; a time that is none counts as the default of 60 s; one hour is
/// the most.
[[nodiscard]] std::chrono::milliseconds wait_of(const std::vector<std::string>& options,
                                                std::chrono::milliseconds otherwise);
[[nodiscard]] bool has_reason(const std::vector<std::string>& options);

/// Who pushes, the first of these that is there; control characters are replaced:
///   GitLab    GL_USERNAME (or GL_ID), beside GL_REPOSITORY   "gitlab:ana"
///   Gitea     GITEA_PUSHER_NAME                              "gitea:ana"
///   GitHub    GITHUB_USER_LOGIN                              "github:ana"
///   gitolite  GL_USER, beside GL_REPO                        "gitolite:ana"
///   HTTP      REMOTE_USER                                    "http:ana"
///   else      the uid we run as                              "uid:1000", name from USER
[[nodiscard]] Actor claimed_actor();

/// A list of folders as in GIT_ALTERNATE_OBJECT_DIRECTORIES: ':' between them, C quotes around one
/// that holds a ':' or begins with '"'. Pure.
[[nodiscard]] std::vector<std::string> split_folders(std::string_view list);

/// Where the push's objects are. Absolute paths.
struct Objects {
  std::string quarantine;               ///< "" for a push that only deletes
  std::vector<std::string> alternates;  ///< what the quarantine builds on
};
[[nodiscard]] Objects pushed_objects();

/// Real path of the repository Git runs us in; "" when there is none.
[[nodiscard]] std::string repository_path();

}  // namespace plumb::hooks
