#include "plan/engine_pool.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "drivers/crypto/crypto.h"
#include "drivers/json/json.h"
#include "drivers/process/process.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::size_t kMaxFrame = 64U << 20U;
constexpr std::string_view kCrashed = "the render engine crashed";
constexpr std::string_view kTooLong = "the render took longer than ";
constexpr std::string_view kStart = "start a render engine";
constexpr milliseconds kStartTime{20'000};  // a cold start takes 0.1 s; a loaded machine, longer

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

Json refusal(const std::string& message) {
  return {{"ok", false}, {"message", message}};
}

/// Answers the questions of one render. An Error ends the render: the tree itself cannot be read.
using Answer = std::function<Result<Json>(const std::string& op, const std::string& path)>;

/// Content errors (a link out of the repository, too large a file) are answers: the engine puts
/// them into its own message. Others are ours and must not look like the author's mistake.
Result<Json> told(Error error) {
  if (error.code == Errc::invalid || error.code == Errc::denied) return refusal(error.message);
  return Failure(std::move(error));
}

Result<Json> answer_look(TreeSource& source, const std::string& path) {
  auto looked = source.look(path);
  if (!looked) return told(std::move(looked).error());
  if (!*looked) return Json{{"ok", true}, {"found", false}};
  const bool folder = (*looked)->type == TreeSource::Found::Type::folder;
  return Json{{"ok", true}, {"found", true}, {"folder", folder}, {"path", (*looked)->path}};
}

Result<Json> answer_list(TreeSource& source, const std::string& path) {
  auto listed = source.list(path);
  if (!listed) return told(std::move(listed).error());
  Json names = Json::array();
  for (const TreeSource::Name& entry : *listed) {
    if (entry.broken) continue;
    const bool folder = entry.type == TreeSource::Found::Type::folder;
    names.push_back({{"name", entry.name}, {"folder", folder}});
  }
  return Json{{"ok", true}, {"names", std::move(names)}};
}

Result<Json> answer_read(TreeSource& source, const std::string& path) {
  auto bytes = source.read(path);
  if (!bytes) return told(std::move(bytes).error());
  return Json{{"ok", true}, {"data", crypto::base64(*bytes)}};
}

Result<Json> answer_from(TreeSource& source, const std::string& op, const std::string& path) {
  if (op == "look") return answer_look(source, path);
  if (op == "list") return answer_list(source, path);
  return answer_read(source, path);
}

/// A tree for the first render of a child: it makes kustomize load its schema, which takes 50 ms.
Result<Json> answer_warm_up(const std::string& op, const std::string& path) {
  static constexpr std::string_view kKustomization =
      "resources: [a.yaml]\nnamespace: a\nlabels: [{pairs: {a: b}}]\n"
      "patches: [{patch: \"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, "
      "spec: {replicas: 1}}\"}]\n";
  static constexpr std::string_view kObject =
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, "
      "spec: {template: {spec: {containers: [{name: a, image: b}]}}}}\n";
  const bool kustomization = path == "kustomization.yaml";
  if (!path.empty() && !kustomization && path != "a.yaml") {
    return Json{{"ok", true}, {"found", false}};
  }
  if (op == "look") {
    return Json{{"ok", true}, {"found", true}, {"folder", path.empty()}, {"path", path}};
  }
  return Json{{"ok", true}, {"data", crypto::base64(kustomization ? kKustomization : kObject)}};
}

/// What a child that ended says about why. Its own words may quote the author's files, so only
/// those of the Go runtime are looked at.
Error obituary(process::Child& child) {
  const auto how = child.wait(process::in(milliseconds(2'000)));
  const std::string errors = child.errors();
  const auto says = [&](std::string_view words) { return errors.find(words) != std::string::npos; };
  if (says("out of memory") || says("cannot allocate memory") || says("stack exceeds")) {
    return Error{Errc::invalid, "the render needed more memory than it may use"};
  }
  const std::string ended = how ? how->to_string() : "no exit status";
  log::error("plan.engine_crashed", {{"how", ended}});
  return Error{Errc::fault, std::string(kCrashed) + " (" + ended + ")"};
}

/// One plumb-engines process and the conversation with it.
class EngineChild {
 public:
  static Result<EngineChild> start(const EngineOptions& options);

  Result<Json> ask(const Json& request, const Answer& answer, milliseconds time);
  [[nodiscard]] const std::string& version() const { return version_; }

  int renders = 0;
  bool spent = false;  ///< must not render again

 private:
  explicit EngineChild(process::Child child) : child_(std::move(child)) {}
  Result<> send(const Json& frame, process::Deadline deadline);
  Result<Json> receive(process::Deadline deadline);
  Result<Json> converse(const Json& request, const Answer& answer, process::Deadline deadline);

  process::Child child_;
  std::string version_;
};

process::Spec spec_of(const EngineOptions& options) {
  process::Spec spec;
  spec.argv = {options.program};
  // A render leaves much garbage over a large schema that stays: collect less often. Go collects
  // harder as it comes near its own limit; ours ends the process.
  spec.environment = {"GOMEMLIMIT=" + std::to_string(options.memory_bytes / 4 * 3), "GOGC=300",
                      "GOMAXPROCS=2"};
  spec.limits.data_bytes = options.memory_bytes + (256U << 20U);  // RSS is what counts
  spec.limits.rss_bytes = options.memory_bytes;
  spec.limits.file_bytes = 0;
  spec.limits.open_files = 32;
  spec.confinement = process::Confinement{
      {"/proc/self", "/sys/kernel/mm/transparent_hugepage", "/lib", "/lib64", "/usr/lib",
       "/etc/ld.so.cache", "/dev/null"}};  // libraries: for an engine that was linked dynamically
  return spec;
}

Result<EngineChild> EngineChild::start(const EngineOptions& options) {
  EngineChild made(TRY(process::Child::spawn(spec_of(options))));
  const Json hello = TRY(made.ask({{"v", 1}, {"op", "hello"}}, answer_warm_up, kStartTime));
  if (text_of(hello, "op") != "hello" || text_of(hello, "kustomize").empty()) {
    return fail(Errc::fault, "'" + options.program + "' is not a plumb-engines of this version");
  }
  made.version_ = "kustomize " + text_of(hello, "kustomize");
  const Json warm =
      TRY(made.ask({{"op", "kustomize"}, {"folder", ""}}, answer_warm_up, kStartTime));
  if (text_of(warm, "op") != "done") {
    return fail(Errc::fault,
                "'" + options.program + "' cannot render: " + text_of(warm, "message"));
  }
  log::debug("plan.engine_started", {{"pid", std::int64_t{made.child_.pid()}},
                                     {"confined_by", made.child_.confined_by()}});
  return made;
}

Result<> EngineChild::send(const Json& frame, process::Deadline deadline) {
  const std::string body = plumb::json::canonical(frame);
  if (body.size() > kMaxFrame) return fail(Errc::invalid, "a file is too large for a render");
  std::string bytes;
  bytes.reserve(body.size() + 4);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes += static_cast<char>(body.size() >> shift & 255U);
  }
  return child_.write_all(bytes += body, deadline);
}

Result<Json> EngineChild::receive(process::Deadline deadline) {
  const std::string head = TRY(child_.read_exact(4, deadline));
  std::size_t size = 0;
  for (const char byte : head) size = size << 8U | static_cast<unsigned char>(byte);
  if (size > kMaxFrame) return fail(Errc::fault, "the render engine sent too long a frame");
  const std::string body = TRY(child_.read_exact(size, deadline));
  json::Limits limits;
  limits.max_bytes = kMaxFrame;
  limits.max_depth = 16;
  auto frame = json::parse(body, limits);
  if (!frame || !frame->is_object()) {
    return fail(Errc::fault, "the render engine sent a frame that is no JSON object");
  }
  return *std::move(frame);
}

Result<Json> EngineChild::converse(const Json& request,
                                   const Answer& answer,
                                   process::Deadline deadline) {
  TRY(send(request, deadline));
  for (;;) {
    Json frame = TRY(receive(deadline));
    const std::string op = text_of(frame, "op");
    if (op != "read" && op != "list" && op != "look") return frame;
    const Json reply = TRY(answer(op, text_of(frame, "path")));
    TRY(send(reply, deadline));
  }
}

/// After an Error the conversation is out of step: the child is spent.
Result<Json> EngineChild::ask(const Json& request, const Answer& answer, milliseconds time) {
  auto reply = converse(request, answer, process::in(time));
  if (reply) {
    ++renders;
    spent = flag_of(*reply, "recycle");
    return reply;
  }
  spent = true;
  Error error = std::move(reply).error();
  if (error.code == Errc::fault && error.message == process::kEnded) error = obituary(child_);
  if (error.code == Errc::invalid) error = std::move(error).during("the render");
  if (error.code == Errc::unavailable && error.message == process::kLate) {
    error.message = std::string(kTooLong) + std::to_string(time.count()) + " ms";
  }
  return Failure(std::move(error));
}

Result<std::vector<EngineObject>> objects_of(Json& done) {
  std::vector<EngineObject> objects;
  for (Json& item : done["objects"]) {
    EngineObject object;
    object.json = text_of(item, "json");
    object.origin_path = text_of(item, "origin_path");
    object.origin_kind = text_of(item, "origin_kind");
    object.origin_name = text_of(item, "origin_name");
    if (object.json.empty()) return fail(Errc::fault, "the render engine sent an empty object");
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace

/// `starter` is the only thread that starts children: the kernel kills a child when the thread that
/// started it ends, and the callers of kustomize() come and go.
struct EnginePool::Impl {
  explicit Impl(EngineOptions wanted) : options(std::move(wanted)) {
    starter = std::jthread([this](const std::stop_token& stop) { keep_one_ready(stop); });
  }

  void keep_one_ready(const std::stop_token& stop);
  template <class Take>
  auto wait_for(process::Deadline deadline, const Take& take)
      -> Result<typename decltype(take())::value_type>;
  void give_back(const std::string& project, EngineChild child);
  std::optional<EngineChild> take_idle(const std::string& project);
  [[nodiscard]] bool should_start() const;

  const EngineOptions options;
  std::mutex mutex;  // guards all below, but the thread
  std::condition_variable_any changed;
  std::multimap<std::string, EngineChild> idle;  // by project
  std::optional<EngineChild> ready;              // warm, of no project yet
  int alive = 0;                                 // idle, ready, lent, or being started
  bool starting = false;                         // one will be ready soon
  int waiting = 0;
  int failed_starts = 0;
  std::optional<Error> trouble;  // why the last start failed
  std::string version;
  std::jthread starter;  // last: stops before the rest goes
};

bool EnginePool::Impl::should_start() const {
  // After a failed start only a caller who waits makes us try again.
  return !ready && alive < options.max_children && (waiting > 0 || !trouble);
}

void EnginePool::Impl::keep_one_ready(const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  while (changed.wait(lock, stop, [this] { return should_start(); })) {
    ++alive;
    starting = true;
    lock.unlock();
    auto made = EngineChild::start(options);
    lock.lock();
    starting = false;
    if (made) {
      version = made->version();
      ready = *std::move(made);
      trouble.reset();
    } else {
      --alive;
      ++failed_starts;
      trouble = std::move(made).error();
    }
    changed.notify_all();
  }
}

/// Waits until `take` gives something. Fails when a start fails meanwhile, or at the deadline.
template <class Take>
auto EnginePool::Impl::wait_for(process::Deadline deadline, const Take& take)
    -> Result<typename decltype(take())::value_type> {
  std::unique_lock lock(mutex);
  const int failed_before = failed_starts;
  ++waiting;
  auto taken = take();
  changed.notify_all();
  while (!taken && failed_starts == failed_before) {
    const bool late = changed.wait_until(lock, deadline) == std::cv_status::timeout;
    taken = take();
    if (late) break;
  }
  --waiting;
  if (taken) return *std::move(taken);
  if (failed_starts == failed_before) {
    return fail(Errc::unavailable, "no render engine was free before the deadline");
  }
  Error error = *trouble;
  error.code = Errc::unavailable;
  return Failure(std::move(error).during(std::string(kStart)));
}

std::optional<EngineChild> EnginePool::Impl::take_idle(const std::string& project) {
  const auto own = idle.find(project);
  if (own != idle.end()) {
    EngineChild child = std::move(own->second);
    idle.erase(own);
    return child;
  }
  if (ready) {
    changed.notify_all();  // the starter may make the next one
    return std::exchange(ready, std::nullopt);
  }
  if (alive >= options.max_children && !starting && !idle.empty()) {
    idle.erase(idle.begin());  // of another project: its place is needed
    --alive;
    changed.notify_all();
  }
  return std::nullopt;
}

void EnginePool::Impl::give_back(const std::string& project, EngineChild child) {
  const std::scoped_lock lock(mutex);
  if (child.spent || child.renders >= options.renders_per_child) {
    --alive;
  } else {
    idle.emplace(project, std::move(child));
  }
  changed.notify_all();
}

bool is_lost_render(const Error& error) {
  const auto says = [&](std::string_view words) {
    return error.message.find(words) != std::string::npos;
  };
  return (says(kCrashed) || says(kTooLong)) && !says(kStart);
}

EnginePool::EnginePool(EngineOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
EnginePool::~EnginePool() = default;

Result<std::string> EnginePool::version() {
  return impl_->wait_for(process::in(kStartTime), [this]() -> std::optional<std::string> {
    if (impl_->version.empty()) return std::nullopt;
    return impl_->version;
  });
}

Result<std::vector<EngineObject>> EnginePool::kustomize(const std::string& project,
                                                        const std::string& folder,
                                                        TreeSource& source) {
  const auto answer = [&](const std::string& op, const std::string& path) {
    return answer_from(source, op, path);
  };
  EngineChild child = TRY(impl_->wait_for(process::in(impl_->options.deadline),
                                          [&] { return impl_->take_idle(project); }));
  auto reply =
      child.ask({{"op", "kustomize"}, {"folder", folder}}, answer, impl_->options.deadline);
  impl_->give_back(project, std::move(child));
  Json done = TRY(std::move(reply));
  const std::string op = text_of(done, "op");
  if (op == "failed") return fail(Errc::invalid, text_of(done, "message"), folder);
  if (op != "done" || !done["objects"].is_array()) {
    return fail(Errc::fault, "the render engine answered something else");
  }
  return objects_of(done);
}

}  // namespace plumb::plan
