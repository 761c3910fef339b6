#pragma once
/// A bare repository with our hooks, a work clone, and a scripted stand-in for plumbd. The real
/// plumbd is for the system tests: here it must fail and dawdle on demand.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "console/hooks_install.h"
#include "drivers/local_socket/local_socket.h"
#include "drivers/process/process.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

namespace plumb::test {

using Json = nlohmann::json;

struct Pushed {
  bool ok = false;
  std::string text;  ///< what the person saw
  [[nodiscard]] bool says(std::string_view words) const {
    return text.find(words) != std::string::npos;
  }
};

class Push {
 public:
  /// Answers one request; default: every push is accepted and nothing follows.
  using Script = std::function<void(local::Connection&, const Json& request)>;

  explicit Push(const std::string& name = "shop.git")
      : bare_(folder_ / name), work_(folder_ / "work") {
    git({"init", "-q", "--bare", "-b", "main", bare_}, "/");
    git({"init", "-q", "-b", "main", work_}, "/");
    git({"remote", "add", "origin", bare_});
  }

  void install(bool refuse_when_down = true,
               std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
    console::HookSettings settings{
        socket(), refuse_when_down, {"main"}, deadline, std::chrono::seconds(10)};
    must(console::install_hooks(bare_, PLUMB_HOOK, settings));
  }
  void serve(Script script) {
    server_.reset();
    server_ = must(local::Server::listen(
        socket(), {},
        [this, script](local::Connection& c, const local::Peer&, const std::stop_token&) {
          const auto frame = c.receive(std::chrono::seconds(10));
          if (!frame || !*frame) return;
          const Json request = Json::parse((*frame)->payload);
          {
            const std::scoped_lock lock(mutex_);
            requests_.push_back(request);
            came_.notify_all();
          }
          script(c, request);
        }));
  }
  void stop_serving() { server_.reset(); }

  [[nodiscard]] std::string socket() const { return folder_ / "plumbd.sock"; }
  [[nodiscard]] const std::string& bare() const { return bare_; }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

  /// Requests of this method, at least `count` of them: waits for them.
  std::vector<Json> requests(const std::string& method, std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    std::vector<Json> found;
    came_.wait_for(lock, std::chrono::seconds(10), [&] {
      found.clear();
      for (const Json& request : requests_) {
        if (request["method"] == method) found.push_back(request["params"]);
      }
      return found.size() >= count;
    });
    return found;
  }

  process::Output run_git(std::vector<std::string> arguments,
                          const std::string& folder,
                          std::vector<std::string> more = {},
                          std::string_view input = {}) const {
    std::vector<std::string> argv{must(process::find_program("git"))};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process::RunOptions options;
    options.environment = {"PATH=/usr/bin:/bin",
                           "HOME=" + folder_.path(),
                           "GIT_CONFIG_NOSYSTEM=1",
                           "GIT_AUTHOR_NAME=ana",
                           "GIT_AUTHOR_EMAIL=ana@example.com",
                           "GIT_COMMITTER_NAME=ana",
                           "GIT_COMMITTER_EMAIL=ana@example.com",
                           "LC_ALL=C"};
    options.environment.insert(options.environment.end(), more.begin(), more.end());
    options.folder = folder.empty() ? work_ : folder;
    options.input = input;
    return must(process::run(std::move(argv), options));
  }
  std::string git(std::vector<std::string> arguments, const std::string& folder = {}) const {
    const auto done = run_git(std::move(arguments), folder);
    if (!done.exit.ok()) FAIL("git: " + done.err);
    return done.out.substr(0, done.out.find_last_not_of('\n') + 1);
  }
  std::string commit(const std::string& file, std::string_view text) {
    folder_.write("work/" + file, text);
    git({"add", "-A"});
    git({"commit", "-q", "-m", "a change"});
    return git({"rev-parse", "HEAD"});
  }
  Pushed push(std::vector<std::string> arguments = {"origin", "main"},
              std::vector<std::string> environment = {}) const {
    arguments.insert(arguments.begin(), "push");
    const auto done = run_git(std::move(arguments), "", std::move(environment));
    return {done.exit.ok(), done.out + done.err};
  }
  [[nodiscard]] std::string head(const std::string& ref = "refs/heads/main") const {
    const auto done = run_git({"rev-parse", "-q", "--verify", ref}, bare_);
    return done.exit.ok() ? done.out.substr(0, done.out.size() - 1) : "";
  }
  [[nodiscard]] std::vector<std::string> spool() const {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(bare_ + "/plumbline/spool", none))
      names.push_back(entry.path().filename());
    return names;
  }

 private:
  TempFolder folder_;
  std::string bare_;
  std::string work_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Json> requests_;
  std::unique_ptr<local::Server> server_;
};

inline void answer(local::Connection& connection, const Json& result) {
  static_cast<void>(connection.send('J', Json{{"result", result}}.dump()));
}

inline Json good_verdict() {
  return {
      {"accepted", true},
      {"tracked", true},
      {"commits", 1},
      {"changed_files", 1},
      {"changed_folder", "web/"},
      {"applications_total", 1},
      {"checked_ms", 12},
      {"applications",
       {{{"application", "web/dev@eu-1"}, {"how", "changed"}, {"configured", 1}, {"ok", true}}}}};
}

/// Accepts, and knows of no rollout.
inline void accept_all(local::Connection& connection, const Json& request) {
  if (request["method"] == "pre_receive") return answer(connection, good_verdict());
  answer(connection, {{"items", Json::array()}, {"done", true}, {"ok", true}});
}

}  // namespace plumb::test
