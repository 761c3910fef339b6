#include "worker/clusters.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "apply/kube_cluster.h"
#include "core/guarded.h"
#include "core/log.h"
#include "drivers/kube/client.h"
#include "drivers/kube/kubeconfig.h"
#include "drivers/kube/schema_snapshot.h"
#include "worker/schema_file.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;

constexpr auto kRefreshEvery = 60s;  // asks one small index when nothing changed
constexpr auto kRetryEvery = 5s;

std::vector<std::string> texts_of(const kube::SchemaSnapshot& snapshot) {
  std::vector<std::string> texts;
  for (const auto& document : snapshot.documents) texts.push_back(*document.text);
  return texts;
}

}  // namespace

/// One cluster of the server's file.
class Clusters::Member {
 public:
  Member(config::ClusterConfig config, std::string schema_path, const Clock& clock)
      : config_(std::move(config)), schema_path_(std::move(schema_path)), clock_(clock) {
    status_.with([&](ClusterStatus& status) { status.name = config_.name; });
    if (auto kept = load_snapshot(schema_path_)) use(std::move(kept->snapshot), kept->read_at);
  }
  ~Member() {
    thread_.request_stop();
    changed_.notify_all();
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void start(std::function<Result<>(const std::string&, const std::string&)> bind) {
    bind_ = std::move(bind);
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  }

  void refresh_soon() {
    {
      const std::scoped_lock lock(mutex_);
      soon_ = true;
    }
    changed_.notify_all();
  }

  Result<std::shared_ptr<kube::Client>> client() {
    return client_.with([&](std::shared_ptr<kube::Client>& client) -> Result<std::shared_ptr<kube::Client>> {
      if (!client) client = TRY(connect());
      return client;
    });
  }

  /// Refuses a cluster that is not the one this name was bound to.
  Result<> check_identity() const {
    return identity_.with([](const std::optional<Error>& wrong) -> Result<> {
      if (wrong) return Failure(*wrong);
      return {};
    });
  }

  [[nodiscard]] std::shared_ptr<const plan::ClusterSchema> schema() const {
    return schema_.with([](const auto& schema) { return schema; });
  }
  [[nodiscard]] ClusterStatus status() const {
    return status_.with([](const ClusterStatus& status) { return status; });
  }
  [[nodiscard]] const std::string& name() const { return config_.name; }

 private:
  Result<std::shared_ptr<kube::Client>> connect() {
    auto access = config_.kubeconfig.empty()
                      ? kube::in_cluster_access(config_.in_cluster_host, config_.in_cluster_port)
                      : kube::load_kubeconfig(config_.kubeconfig, {config_.context, config_.allow_exec});
    if (!access) return Failure(std::move(access).error().during("cluster '" + config_.name + "'"));
    auto opened = TRY(kube::Client::open(*std::move(access)));
    return std::shared_ptr<kube::Client>(std::move(opened));
  }

  void use(std::shared_ptr<const kube::SchemaSnapshot> snapshot, UnixMillis read_at) {
    auto compiled = plan::ClusterSchema::compile(
        texts_of(*snapshot), {snapshot->discovery_core, snapshot->discovery_groups}, snapshot->version);
    if (!compiled) {
      log::warn("schema.not_compiled", {{"cluster", config_.name}, {"message", compiled.error().message}});
      return;
    }
    schema_.with([&](auto& schema) { schema = *compiled; });
    status_.with([&](ClusterStatus& status) {
      status.version = snapshot->git_version;
      status.schema_read_at = read_at;
    });
    snapshot_ = std::move(snapshot);
  }

  Result<> refresh() {
    const auto client_now = TRY(client());
    apply::KubeCluster cluster(client_now);
    const std::string uid = TRY(cluster.uid());
    auto bound = bind_ ? bind_(config_.name, uid) : Result<>();
    identity_.with([&](std::optional<Error>& wrong) {
      wrong = bound ? std::nullopt : std::optional<Error>(bound.error());
    });
    TRY(std::move(bound));
    const auto fetched = TRY(kube::fetch_schema(*client_now, snapshot_));
    const UnixMillis now = clock_.now();
    if (fetched != snapshot_) {
      use(fetched, now);
      if (auto kept = save_snapshot(schema_path_, *fetched, now); !kept) {
        log::warn("schema.not_kept", {{"cluster", config_.name}, {"message", kept.error().message}});
      }
    }
    status_.with([&](ClusterStatus& status) {
      status.reachable = true;
      status.message.clear();
      status.uid = uid;
      status.schema_read_at = now;
    });
    return {};
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto refreshed = refresh();
      if (!refreshed) {
        const bool was = status_.with([&](ClusterStatus& status) {
          status.message = refreshed.error().message;
          return std::exchange(status.reachable, false);
        });
        if (was) log::warn("cluster.away", {{"cluster", config_.name}, {"message", refreshed.error().message}});
        // A kubeconfig that was mended, or new credentials, are read afresh.
        client_.with([](auto& client) { client.reset(); });
      }
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, refreshed ? kRefreshEvery : kRetryEvery, [&] { return soon_; });
      soon_ = false;
    }
  }

  config::ClusterConfig config_;
  std::string schema_path_;
  const Clock& clock_;
  std::function<Result<>(const std::string&, const std::string&)> bind_;
  Guarded<std::shared_ptr<kube::Client>> client_;
  Guarded<std::shared_ptr<const plan::ClusterSchema>> schema_;
  Guarded<ClusterStatus> status_;
  Guarded<std::optional<Error>> identity_;
  std::shared_ptr<const kube::SchemaSnapshot> snapshot_;  // of the refreshing thread
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool soon_ = false;
  std::jthread thread_;  // last
};

Clusters::Clusters(std::vector<std::unique_ptr<Member>> members) : members_(std::move(members)) {}
Clusters::~Clusters() = default;

Result<std::unique_ptr<Clusters>> Clusters::start(const config::ServerConfig& config, const Clock& clock,
                                                  BindUid bind) {
  const std::string folder = config.data_dir + "/schemas";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Errc::fault, "'" + folder + "': " + std::strerror(errno));
  }
  std::vector<std::unique_ptr<Member>> members;
  for (const auto& cluster : config.clusters) {
    members.push_back(std::make_unique<Member>(cluster, folder + "/" + cluster.name + ".zst", clock));
    members.back()->start(bind);
  }
  return std::unique_ptr<Clusters>(new Clusters(std::move(members)));
}

Clusters::Member* Clusters::find(const std::string& name) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const auto& member) { return member->name() == name; });
  return found == members_.end() ? nullptr : found->get();
}

Result<std::shared_ptr<apply::Cluster>> Clusters::cluster(const std::string& name, const JobOrder& order) {
  Member* member = find(name);
  if (member == nullptr) return fail(Errc::invalid, "no cluster '" + name + "' in the server's file");
  TRY(member->check_identity());
  auto view = std::make_shared<apply::KubeCluster>(TRY(member->client()));
  view->work_as("job/" + std::to_string(order.lease.job) + " epoch/" + std::to_string(order.lease.epoch));
  return std::shared_ptr<apply::Cluster>(std::move(view));
}

std::shared_ptr<const plan::ClusterSchema> Clusters::schema(const std::string& name) const {
  const Member* member = find(name);
  return member == nullptr ? nullptr : member->schema();
}

plan::IsNamespaced Clusters::scope_of(const std::string& name) const {
  return [schema = schema(name)](std::string_view api_version, std::string_view kind) {
    if (schema) {
      if (const auto known = schema->namespaced(api_version, kind)) return *known;
    }
    // A kind that nobody knows yet (its CustomResourceDefinition is on the way) is taken as namespaced,
    // as most are.
    return plan::builtin_namespaced(api_version, kind).value_or(true);
  };
}

std::vector<ClusterStatus> Clusters::statuses() const {
  std::vector<ClusterStatus> all;
  for (const auto& member : members_) all.push_back(member->status());
  return all;
}

void Clusters::refresh_soon(const std::string& name) {
  if (Member* member = find(name)) member->refresh_soon();
}

}  // namespace plumb::worker
