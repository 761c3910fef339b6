#pragma once
/// plumbd put together: the one place that knows every stage. Building it is starting it;
/// destroying it is stopping it in good order (stop taking work, let workers finish or release,
/// close).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apply/inventory.h"
#include "config/server_config.h"
#include "core/clock.h"
#include "drivers/local_socket/local_socket.h"
#include "drivers/zmq/zmq.h"
#include "plan/engine_pool.h"
#include "receiver/receiver.h"
#include "server/api.h"
#include "server/spool.h"
#include "server/watchman.h"
#include "worker/claims.h"
#include "worker/clusters.h"
#include "worker/dispatcher.h"
#include "worker/keys.h"
#include "worker/ledger.h"
#include "worker/link.h"
#include "worker/planner.h"
#include "worker/progress.h"
#include "worker/work.h"

namespace plumb::server {

class Server {
 public:
  /// conflict: another plumbd holds the data folder; invalid: its database is newer, or the file is
  /// wrong.
  static Result<std::unique_ptr<Server>> start(config::ServerConfig config);
  ~Server();

  [[nodiscard]] const std::string& socket() const { return config_.socket; }
  [[nodiscard]] const std::string& http_address() const { return http_address_; }
  /// The database broke: exit, so that a supervisor starts us anew.
  [[nodiscard]] bool broken() const { return store_->broken(); }

 private:
  explicit Server(config::ServerConfig config);
  Result<> open_state();
  Result<> start_planning();
  Result<> start_workers();
  Result<> start_receiver();
  Result<receiver::Gauges> gauges();
  Result<> start_socket();

  // In the order they are made; destroyed in reverse.
  config::ServerConfig config_;
  SystemClock clock_;
  std::unique_ptr<sqlite::Store> store_;
  std::unique_ptr<worker::Keys> keys_;
  worker::Claims claims_;
  worker::ProgressHub hub_;
  std::unique_ptr<worker::Ledger> ledger_;
  std::unique_ptr<worker::Clusters> clusters_;
  std::unique_ptr<plan::EnginePool> engines_;
  zmq::Context context_;
  std::unique_ptr<worker::Planner> planner_;
  std::unique_ptr<worker::Dispatcher> dispatcher_;
  std::unique_ptr<SpoolReader> spool_;
  std::vector<std::unique_ptr<worker::Link>> links_;
  std::vector<std::jthread> workers_;
  std::unique_ptr<receiver::Receiver> receiver_;
  std::string http_address_;
  std::unique_ptr<Watchman> watchman_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<local::Server> socket_;
};

}  // namespace plumb::server
