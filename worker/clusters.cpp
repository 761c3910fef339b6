#include "worker/clusters.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <sys/stat.h>

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

Result<kube::Access> in_pod() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  return kube::in_cluster_access(host == nullptr ? "" : host, port == nullptr ? "" : port);
}

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
      // A new kind reaches the published schema about a second after it is established.
      looks_.push_back(std::chrono::steady_clock::now() + 1s);
      looks_.push_back(std::chrono::steady_clock::now() + 5s);
    }
    changed_.notify_all();
  }

  Result<std::shared_ptr<apply::KubeLine>> line() {
    using Line = std::shared_ptr<apply::KubeLine>;
    return line_.with([&](Line& line) -> Result<Line> {
      if (!line) line = TRY(connect());
      return line;
    });
  }

  /// Refuses a cluster that is not the one this name was bound to, and asks it before the first
  /// write.
  Result<> check_identity() {
    const Identity known = identity_.with([](const Identity& identity) { return identity; });
    if (known.wrong) {
      // Nothing is sent there; jobs wait until the name leads to its own cluster again.
      Error error = *known.wrong;
      error.code = Errc::unavailable;
      return Failure(std::move(error));
    }
    if (known.asked) return {};
    apply::KubeCluster cluster(TRY(line()));
    return bind_identity(TRY(cluster.uid()));
  }

  [[nodiscard]] std::shared_ptr<const plan::ClusterSchema> schema() const {
    return schema_.with([](const auto& schema) { return schema; });
  }
  [[nodiscard]] ClusterStatus status() const {
    return status_.with([](const ClusterStatus& status) { return status; });
  }
  [[nodiscard]] const std::string& name() const { return config_.name; }

 private:
  struct Identity {
    bool asked = false;
    std::optional<Error> wrong;
  };

  /// Whatever is wrong with a kubeconfig, the operator mends it and the jobs go on: `unavailable`.
  Result<std::shared_ptr<apply::KubeLine>> connect() {
    auto access =
        config_.kubeconfig.empty()
            ? in_pod()
            : kube::load_kubeconfig(config_.kubeconfig, {config_.context, config_.allow_exec});
    Result<std::unique_ptr<kube::Client>> opened;
    if (access) {
      opened = kube::Client::open(*std::move(access));
    } else {
      opened = Failure(std::move(access).error());
    }
    if (!opened) {
      Error error = std::move(opened).error().during("cluster '" + config_.name + "'");
      error.code = Errc::unavailable;
      if (error.hint.empty())
        error.hint = "mend the kubeconfig of this cluster; no restart is needed";
      return Failure(std::move(error));
    }
    return std::make_shared<apply::KubeLine>(*std::move(opened));
  }

  Result<> bind_identity(const std::string& uid) {
    auto bound = bind_ ? bind_(config_.name, uid) : Result<>();
    identity_.with([&](Identity& identity) {
      identity.asked = bound.has_value();
      identity.wrong.reset();
      // A full disk says nothing about the cluster: it is asked again.
      if (!bound && bound.error().code == Errc::conflict) identity.wrong = bound.error();
    });
    return bound;
  }

  void use(std::shared_ptr<const kube::SchemaSnapshot> snapshot, UnixMillis read_at) {
    auto compiled = plan::ClusterSchema::compile(
        texts_of(*snapshot), {snapshot->discovery_core, snapshot->discovery_groups},
        snapshot->version);
    if (!compiled) {
      log::warn("schema.not_compiled",
                {{"cluster", config_.name}, {"message", compiled.error().message}});
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
    const auto line_now = TRY(line());
    apply::KubeCluster cluster(line_now);
    const std::string uid = TRY(cluster.uid());
    TRY(bind_identity(uid));
    const auto fetched = TRY(kube::fetch_schema(*line_now->client, snapshot_));
    const UnixMillis now = clock_.now();
    if (fetched != snapshot_) {
      use(fetched, now);
      if (auto kept = save_snapshot(schema_path_, *fetched, now); !kept) {
        log::warn("schema.not_kept",
                  {{"cluster", config_.name}, {"message", kept.error().message}});
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
        if (was || !told_) {
          log::warn("cluster.away",
                    {{"cluster", config_.name}, {"message", refreshed.error().message}});
        }
        told_ = true;
        // A kubeconfig that was mended, or new credentials, are read afresh.
        line_.with([](auto& line) { line.reset(); });
      }
      sleep(stop, refreshed ? kRefreshEvery : kRetryEvery);
    }
  }

  void sleep(const std::stop_token& stop, std::chrono::seconds most) {
    const auto now = std::chrono::steady_clock::now;
    std::unique_lock lock(mutex_);
    const auto end = now() + most;
    const auto due = [&] { return looks_.empty() ? end : std::min(end, looks_.front()); };
    // Wakes for a nearer look that was asked for meanwhile, too.
    while (!stop.stop_requested() && now() < due()) {
      const auto known = looks_.size();
      changed_.wait_until(lock, stop, due(), [&] { return looks_.size() != known; });
    }
    while (!looks_.empty() && looks_.front() <= now()) looks_.pop_front();
  }

  config::ClusterConfig config_;
  std::string schema_path_;
  const Clock& clock_;
  std::function<Result<>(const std::string&, const std::string&)> bind_;
  Guarded<std::shared_ptr<apply::KubeLine>> line_;
  Guarded<std::shared_ptr<const plan::ClusterSchema>> schema_;
  Guarded<ClusterStatus> status_;
  Guarded<Identity> identity_;
  bool told_ = false;                                     // of the refreshing thread
  std::shared_ptr<const kube::SchemaSnapshot> snapshot_;  // of the refreshing thread
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::chrono::steady_clock::time_point> looks_;
  std::jthread thread_;  // last
};

Clusters::Clusters(std::vector<std::unique_ptr<Member>> members) : members_(std::move(members)) {}
Clusters::~Clusters() = default;

Result<std::unique_ptr<Clusters>> Clusters::start(const config::ServerConfig& config,
                                                  const Clock& clock,
                                                  BindUid bind) {
  const std::string folder = config.data_dir + "/schemas";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Errc::fault, "'" + folder + "': " + std::strerror(errno));
  }
  std::vector<std::unique_ptr<Member>> members;
  for (const auto& cluster : config.clusters) {
    members.push_back(
        std::make_unique<Member>(cluster, folder + "/" + cluster.name + ".zst", clock));
    members.back()->start(bind);
  }
  return std::unique_ptr<Clusters>(new Clusters(std::move(members)));
}

Clusters::Member* Clusters::find(const std::string& name) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const auto& member) { return member->name() == name; });
  return found == members_.end() ? nullptr : found->get();
}

Result<std::shared_ptr<apply::Cluster>> Clusters::cluster(const std::string& name,
                                                          const JobOrder& order) {
  Member* member = find(name);
  if (member == nullptr)
    return fail(Errc::invalid, "no cluster '" + name + "' in the server's file");
  TRY(member->check_identity());
  const std::string agent = "plumbline (app " + order.job.app.to_string() + "; commit " +
                            order.job.commit + "; job " + std::to_string(order.lease.job) +
                            "; epoch " + std::to_string(order.lease.epoch) + "; worker " +
                            order.lease.worker + ")";
  return std::shared_ptr<apply::Cluster>(
      std::make_shared<apply::KubeCluster>(TRY(member->line()), agent));
}

std::shared_ptr<const plan::ClusterSchema> Clusters::schema(const std::string& name) const {
  const Member* member = find(name);
  return member == nullptr ? nullptr : member->schema();
}

plan::IsNamespaced Clusters::scope_of(const std::string& name) const {
  return [schema = schema(name)](std::string_view api_version, std::string_view kind) {
    const auto known = schema ? schema->namespaced(api_version, kind) : std::nullopt;
    return known ? known : plan::builtin_namespaced(api_version, kind);
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
