#include "server/server.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <sys/stat.h>

#include "core/log.h"
#include "plan/plan_store.h"
#include "server/incoming_pack.h"

namespace plumb::server {
namespace {

Result<> make_data_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail(Errc::invalid, "data folder '" + path + "': " + std::strerror(errno), "",
              "make its parent folder, or change spec.data");
}

}  // namespace

Server::Server(config::ServerConfig config) : config_(std::move(config)) {
  if (config_.socket.empty()) config_.socket = config_.data_dir + "/plumbd.sock";
}

Result<std::unique_ptr<Server>> Server::start(config::ServerConfig config) {
  std::unique_ptr<Server> server(new Server(std::move(config)));
  TRY(server->open_state());
  TRY(server->start_planning());
  TRY(server->start_workers());
  TRY(server->start_receiver());
  TRY(server->start_socket());
  return server;
}

/// Nothing new comes in, then nothing new is planned, then the workers settle what they hold.
Server::~Server() {
  socket_.reset();
  receiver_.reset();
  watchman_.reset();
  if (planner_) planner_->stop();
  for (auto& worker : workers_) worker.request_stop();
  for (auto& link : links_) link->stop_job("plumbd stops");
  workers_.clear();  // joins
  links_.clear();
  dispatcher_.reset();
}

Result<> Server::open_state() {
  TRY(make_data_folder(config_.data_dir));
  store_ =
      TRY(sqlite::Store::open(config_.data_dir + "/plumbline.db",
                              {queue::schema(), audit::schema(), apply::schema(), plan::schema()}));
  remove_old_incoming(config_.data_dir);
  keys_ = std::make_unique<worker::Keys>(config_.data_dir + "/keys");
  std::set<std::string> projects{"default"};
  for (const auto& binding : config_.repositories) projects.insert(binding.project);
  // Applications of a repository that left the server's file are still shown.
  const auto rows = TRY(store_->read<std::vector<queue::AppRow>>(queue::apps));
  for (const auto& row : rows) projects.insert(row.application.id.project);
  TRY(keys_->open({projects.begin(), projects.end()}));
  ledger_ = std::make_unique<worker::Ledger>(
      *store_, clock_, claims_, hub_,
      [this](const std::string& project) -> const plan::ProjectKey& {
        return keys_->key_of(project);
      });
  const int freed = TRY(ledger_->expire_leases_of(std::string(worker::kLocalWorkers)));
  if (freed > 0) log::info("jobs.recovered", {{"jobs", freed}});
  return {};
}

Result<> Server::start_planning() {
  clusters_ = TRY(worker::Clusters::start(
      config_, clock_, [this](const std::string& cluster, const std::string& uid) {
        return ledger_->bind_cluster(cluster, uid);
      }));
  ledger_->when_kinds_change(
      [this](const std::string& cluster) { clusters_->refresh_soon(cluster); });
  plan::EngineOptions options;
  options.program = config_.engines;
  engines_ = std::make_unique<plan::EnginePool>(options);
  planner_ = std::make_unique<worker::Planner>(
      worker::Planner::Parts{config_, *ledger_, *clusters_, *engines_, claims_, *keys_, hub_,
                             [this] { dispatcher_->wake(); }});
  planner_->load();
  return {};
}

Result<> Server::start_workers() {
  worker::Dispatcher::Options options;
  options.lease = config_.lease;
  options.call_threads = std::max(2, config_.workers);
  dispatcher_ = TRY(worker::Dispatcher::start(context_, *ledger_, hub_, options));
  for (int i = 0; i < config_.workers; ++i) {
    auto socket = TRY(zmq::Socket::open(context_, zmq::Socket::Role::dealer, options.endpoint));
    links_.push_back(std::make_unique<worker::Link>(std::move(socket), clock_));
    workers_.emplace_back([this, link = links_.back().get()](std::stop_token stop) {
      worker::work(
          *link,
          [this](const std::string& name, const worker::JobOrder& order) {
            return clusters_->cluster(name, order);
          },
          stop);
    });
  }
  spool_ = std::make_unique<SpoolReader>(*ledger_, *planner_);
  planner_->start();
  watchman_ = std::make_unique<Watchman>(config_, *ledger_, *planner_, *spool_);
  return {};
}

Result<> Server::start_receiver() {
  if (config_.http.listen.empty()) return {};
  receiver::Options options;
  options.clock = &clock_;
  options.version = PLUMB_VERSION;
  options.gauges = [this] { return gauges(); };
  const auto accept = [this](const Event& event, std::string_view raw,
                             const config::RepositoryBinding&) -> Result<receiver::Accepted> {
    const auto accepted = TRY(ledger_->accept(event, raw));
    if (!accepted.duplicate) planner_->wake();
    return receiver::Accepted{accepted.id, accepted.duplicate};
  };
  receiver_ = TRY(receiver::Receiver::start(
      config_, accept, [this] { return !store_->broken(); }, std::move(options)));
  http_address_ = receiver_->address();
  return {};
}

Result<receiver::Gauges> Server::gauges() {
  return store_->read<receiver::Gauges>([](sqlite::Connection& db) -> Result<receiver::Gauges> {
    receiver::Gauges gauges;
    for (const auto& row : TRY(queue::apps(db)))
      ++gauges.applications[row.health.empty() ? "unknown" : row.health];
    for (const auto& [state, count] : TRY(queue::job_counts(db)))
      gauges.jobs[std::string(to_string(state))] = count;
    return gauges;
  });
}

Result<> Server::start_socket() {
  const auto engines = engines_->version();
  api_ = std::make_unique<Api>(
      ApiParts{config_, *ledger_, *planner_, *clusters_, *keys_, hub_, *spool_,
               [this] { dispatcher_->wake(); },
               engines ? *engines : "not running: " + engines.error().message, http_address_});
  socket_ = TRY(
      local::Server::listen(config_.socket, {},
                            [this](local::Connection& connection, const local::Peer& peer,
                                   std::stop_token stop) { api_->serve(connection, peer, stop); }));
  return {};
}

}  // namespace plumb::server
