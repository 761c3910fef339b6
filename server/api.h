#pragma once
/// The methods of the local socket (docs/formats.md "Local socket"). One request a connection.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/server_config.h"
#include "drivers/local_socket/local_socket.h"
#include "server/incoming_pack.h"
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
  bool not_found = false;  ///< set with an error about something that is not there
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
  /// The whole reply: `result` or `error`.
  nlohmann::json reply_to(local::Connection& connection,
                          const Caller& caller,
                          const std::string& text,
                          const std::stop_token& stop);
  Answer call(Request& request, const std::string& name);
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
  Result<queue::AppRow> named_app(Request& request, const std::string& wanted);
  Result<queue::AppRow> named_app(Request& request);
  Result<std::vector<Job>> jobs_of(const queue::JobFilter& filter);
  Result<std::optional<Job>> latest_job(const AppId& app);
  /// With who asked for each, and why.
  Answer job_views(const std::vector<Job>& jobs);
  Result<const config::RepositoryBinding*> hook_repository(const nlohmann::json& params,
                                                           const local::Peer& peer);
  Result<> add_objects(Request& request,
                       const config::RepositoryBinding& binding,
                       worker::PushRequest& push,
                       std::unique_ptr<IncomingPack>& incoming);

  [[nodiscard]] std::optional<std::vector<worker::Refusal>> refusals_of(
      const std::string& repository, const std::vector<RefUpdate>& moves) const;
  void await_planned(const Request& request,
                     const std::string& repository,
                     const std::vector<RefUpdate>& moves,
                     std::chrono::milliseconds timeout);

  // api_follow.cpp
  struct Followed {
    std::function<Result<std::vector<Job>>()> jobs;  ///< whose progress is streamed
    std::function<Result<bool>()> more;  ///< jobs may still come: an event is not planned yet
    std::chrono::milliseconds timeout{0};
  };
  /// Streams until all have ended and no more come, the time is over or the peer is gone.
  Answer follow(Request& request, const Followed& what);
  Result<bool> has_unplanned(const std::string& repository);  ///< "" = any
  Result<nlohmann::json> follow_item(Request& request,
                                     const Job& job,
                                     std::map<JobId, std::string>& told);
  std::string sentence(const queue::AppRow& row, const Job* job);
  std::string next_step(const queue::AppRow& row, const Job* job);

  ApiParts parts_;
  std::map<std::string, Method> methods_;
};

}  // namespace plumb::server
