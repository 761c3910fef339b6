#pragma once
/// Types a command line in this process, and a plumbd that says what a test wrote for it.
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "console/command_line.h"
#include "drivers/local_socket/local_socket.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

namespace plumb::test {

/// Answers each method with the frames that stand for it; the last is the result or the error.
class ScriptedServer {
 public:
  using Json = nlohmann::json;

  explicit ScriptedServer(std::map<std::string, std::vector<Json>> script)
      : script_(std::move(script)),
        server_(must(local::Server::listen(
            socket(),
            {},
            [this](local::Connection& connection, const local::Peer&, std::stop_token) {
              serve(connection);
            }))) {}

  [[nodiscard]] std::string socket() const { return folder_ / "s"; }
  /// The requests so far: {"v","method","params"}.
  [[nodiscard]] std::vector<Json> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void serve(local::Connection& connection) {
    const auto frame = connection.receive(std::chrono::seconds(10));
    if (!frame || !*frame) return;
    const Json request = Json::parse((*frame)->payload);
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
    }
    for (const Json& answer : script_[request["method"]]) {
      if (!connection.send('J', answer.dump())) return;
    }
  }

  TempFolder folder_;
  std::map<std::string, std::vector<Json>> script_;
  mutable std::mutex mutex_;
  std::vector<Json> requests_;
  std::unique_ptr<local::Server> server_;  // last: stops first
};

struct Said {
  int exit = -1;
  std::string out;
  std::string err;
};

inline constexpr UnixMillis kNow = 1'795'600'000'000;

inline Said type(const std::vector<std::string>& words,
                 const std::string& socket = "/nowhere/plumbd.sock",
                 const std::string& folder = "/",
                 bool terminal = false) {
  std::ostringstream out;
  std::ostringstream err;
  const console::Surroundings around{
      out,  err, {terminal, false}, socket, "/nowhere/plumb-engines", "/nowhere/plumb-hook", folder,
      kNow, -1};
  Said said;
  said.exit = console::run(words, around);
  said.out = out.str();
  said.err = err.str();
  return said;
}

}  // namespace plumb::test
