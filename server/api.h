#pragma once
/// The methods of the local socket (docs/formats.md "Local socket"). One request a connection.
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/server_config.h"
#include "drivers/local_socket/local_socket.h"
#include "server/spool.h"
#include "worker/clusters.h"
#include "worker/ledger.h"
#include "worker/planner.h"
#include "worker/progress.h"

namespace plumb::server {

struct ApiParts {
  const config::ServerConfig& config;
  worker::Ledger& ledger;
  worker::Planner& planner;
  worker::Clusters& clusters;
  worker::Keys& keys;
  worker::ProgressHub& hub;
  SpoolReader& spool;
  std::function<void()> jobs_ready;
  std::string engine_version;
  std::string http_address;  ///< where the receiver listens; "" = nowhere
};

/// Who asks.
struct Caller {
  local::Peer peer;
  Actor actor;  ///< "uid:1000", the account's name, peer-uid
};

/// A request under way.
struct Request {
  const nlohmann::json& params;
  const Caller& caller;
  local::Connection& connection;
  std::stop_token stop;
};

class Api {
 public:
  explicit Api(ApiParts parts);
  void serve(local::Connection& connection, const local::Peer& peer, const std::stop_token& stop);

 private:
  using Answer = Result<nlohmann::json>;
  struct Method {
    bool writes = false;
    std::function<Answer(Request&)> run;
  };
  Answer answer(local::Connection& connection, const Caller& caller, const std::string& request,
                const std::stop_token& stop);
  [[nodiscard]] bool may_write(const local::Peer& peer) const;
  void add_reads();
  void add_commands();
  void add_hooks();

  // api_read.cpp
  Answer status(Request&);
  Answer apps(Request&);
  Answer app(Request&);
  Answer why(Request&);
  Answer wait(Request&);
  Answer diff(Request&);
  Answer render(Request&);
  Answer history(Request&);
  Answer jobs(Request&);
  Answer logs(Request&);
  Answer clusters(Request&);
  Answer repos(Request&);
  Answer events(Request&);
  Answer audit_list(Request&);
  Answer audit_verify(Request&);
  // api_command.cpp
  Answer sync(Request&);
  Answer suspend(Request&);
  Answer resume(Request&);
  Answer rollback(Request&);
  Answer scan(Request&);
  // api_hooks.cpp
  Answer pre_receive(Request&);
  Answer post_receive(Request&);
  Answer poke(Request&);

  /// The application a person named: "web/dev@eu-1", or "web/dev" or "web" when that is one only.
  /// not_found with the nearest names otherwise.
  Result<queue::AppRow> named_app(const nlohmann::json& params);
  Result<std::vector<Job>> jobs_of(const queue::JobFilter& filter);
  Result<const config::RepositoryBinding*> hook_repository(const nlohmann::json& params, const local::Peer& peer);
  Result<std::string> receive_pack(Request& request, const config::RepositoryBinding& binding);
  /// Streams the progress of these jobs until all have ended, the time is over or the peer is gone.
  Answer follow(Request& request, const std::function<Result<std::vector<Job>>()>& jobs,
                std::chrono::milliseconds timeout);
  std::string sentence(const queue::AppRow& row, const Job* job);
  std::string next_step(const queue::AppRow& row, const Job* job);

  ApiParts parts_;
  std::map<std::string, Method> methods_;
};

}  // namespace plumb::server
