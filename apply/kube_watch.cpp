#include "apply/kube_watch.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "drivers/json/json.h"
#include "drivers/kube/errors.h"

namespace plumb::apply {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kListTimeout{15'000};
constexpr milliseconds kLongestWatch{290'000};  // below the API server's own five to ten minutes
constexpr milliseconds kFirstPause{250};
constexpr milliseconds kLongestPause{5'000};
constexpr std::size_t kMaxWaiting = 20'000;
constexpr std::size_t kMaxLine = 16U << 20U;

std::string text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

const json& child(const json& object, const char* key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto it = object.find(key);
  return it == object.end() ? kNothing : *it;
}

Result<json> parse(const std::string& bytes) {
  plumb::json::Limits limits;
  limits.max_depth = 200;
  limits.max_bytes = 64U << 20U;
  auto value = plumb::json::parse(bytes, limits);
  if (!value || !value->is_object())
    return fail(Errc::unavailable, "the API server's answer is no JSON object");
  return value;
}

}  // namespace

struct KubeWatch::Group {
  kube::Kind kind;
  std::string ns;
  std::map<std::string, ObjectKey> wanted;  // by name
  std::string resource_version;             // "": must list
  bool listed_once = false;
  Error last_error{Errc::unavailable, "the API server did not answer in time"};
  Time turn{};  // not before
  milliseconds pause = kFirstPause;
  Time opened{};
  std::uint64_t generation = 0;  // of the stream, so that a dead one's words are dropped
  std::unique_ptr<kube::Stream> stream;
};

struct KubeWatch::Inbox {
  struct Word {
    std::size_t group = 0;
    std::uint64_t generation = 0;
    std::string line;
    std::optional<Result<kube::Response>> end;
  };
  std::mutex mutex;
  std::condition_variable_any more;
  std::deque<Word> words;
  bool overflow = false;

  void put(Word word) {
    const std::scoped_lock lock(mutex);
    if (words.size() >= kMaxWaiting)
      overflow = true;
    else
      words.push_back(std::move(word));
    more.notify_one();
  }
};

KubeWatch::KubeWatch(kube::Client& client,
                     kube::Kinds& kinds,
                     Time deadline,
                     std::stop_token stop,
                     const Changed& changed)
    : client_(client),
      kinds_(kinds),
      deadline_(deadline),
      stop_(std::move(stop)),
      changed_(changed),
      inbox_(std::make_shared<Inbox>()) {}

KubeWatch::~KubeWatch() = default;

Result<> KubeWatch::run(const std::vector<ObjectKey>& keys) {
  if (TRY(add_groups(keys)) || groups_.empty()) return {};
  while (!stop_.stop_requested() && steady_clock::now() < deadline_) {
    for (const auto& group : groups_) {
      if (group->stream || group->turn > steady_clock::now()) continue;
      if (TRY(attend(*group))) return {};
      if (stop_.stop_requested()) return {};
    }
    if (TRY(handle_inbox())) return {};
  }
  if (stop_.stop_requested()) return {};
  for (const auto& group : groups_) {
    if (!group->listed_once) return Failure(group->last_error);
  }
  return {};
}

Result<bool> KubeWatch::add_groups(const std::vector<ObjectKey>& keys) {
  std::map<std::string, Group*> known;
  for (const ObjectKey& key : keys) {
    const auto kind = TRY(kinds_.find(key.api_version, key.kind));
    if (!kind) {
      if (changed_(key, "")) return true;
      continue;
    }
    const std::string ns = kind->namespaced ? key.ns : "";
    Group*& group = known[key.api_version + "/" + key.kind + "/" + ns];
    if (group == nullptr) {
      groups_.push_back(std::make_unique<Group>());
      group = groups_.back().get();
      group->kind = *kind;
      group->ns = ns;
    }
    group->wanted.emplace(key.name, key);
  }
  return false;
}

std::string KubeWatch::address(const Group& group) const {
  const auto path = kube::path_of(group.kind, group.ns, "");
  if (!path) return {};
  std::string out = *path + "?";
  if (group.wanted.size() == 1) {
    out += "fieldSelector=" + kube::encoded("metadata.name=" + group.wanted.begin()->first) + "&";
  }
  return out;
}

bool KubeWatch::report(Group& group, const std::string& name, const std::string& object) {
  const auto it = group.wanted.find(name);
  return it != group.wanted.end() && changed_(it->second, object);
}

void KubeWatch::pause(Group& group) {
  group.turn = steady_clock::now() + group.pause;
  group.pause = std::min(group.pause * 2, kLongestPause);
}

/// Lists if it must, then opens the stream. Errors that may pass are kept and tried again.
Result<bool> KubeWatch::attend(Group& group) {
  if (group.resource_version.empty()) {
    auto enough = list(group);
    if (!enough) {
      const Errc code = enough.error().code;
      if (code != Errc::unavailable && code != Errc::conflict)
        return Failure(std::move(enough).error());
      group.last_error = std::move(enough).error();
      pause(group);
      return false;
    }
    if (*enough) return true;
  }
  const auto opened = open_stream(group);
  if (!opened) {
    group.last_error = opened.error();
    pause(group);
  }
  return false;
}

Result<bool> KubeWatch::list(Group& group) {
  std::set<std::string> missing;
  for (const auto& [name, key] : group.wanted) missing.insert(name);
  std::string next;
  do {
    const std::string page = next;
    kube::Request request;
    request.path =
        address(group) + "limit=500" + (page.empty() ? "" : "&continue=" + kube::encoded(page));
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
    request.timeout = std::clamp(left, milliseconds(1), kListTimeout);
    const kube::Response response = TRY(client_.call(std::move(request)));
    TRY(kube::check(response));
    const json answer = TRY(parse(response.body));
    const json& items = child(answer, "items");
    for (const json& item : items.is_array() ? items : json::array()) {
      const std::string name = text(child(item, "metadata"), "name");
      if (missing.erase(name) == 0) continue;
      json whole = item;  // a list leaves out what all its items share
      whole["apiVersion"] = group.kind.api_version;
      whole["kind"] = group.kind.name;
      if (report(group, name, plumb::json::canonical(whole))) return true;
    }
    next = text(child(answer, "metadata"), "continue");
    group.resource_version = text(child(answer, "metadata"), "resourceVersion");
  } while (!next.empty() && !stop_.stop_requested());
  for (const std::string& name : missing) {
    if (report(group, name, "")) return true;
  }
  group.listed_once = true;
  return false;
}

Result<> KubeWatch::open_stream(Group& group) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
  const auto length = std::clamp(left + milliseconds(1000), milliseconds(1000), kLongestWatch);
  kube::Request request;
  request.path = address(group) + "watch=true&allowWatchBookmarks=true&resourceVersion=" +
                 kube::encoded(group.resource_version) +
                 "&timeoutSeconds=" + std::to_string(length.count() / 1000);
  request.timeout = length + milliseconds(10'000);
  request.max_response_bytes = kMaxLine;
  std::size_t index = 0;
  while (groups_[index].get() != &group) ++index;
  const std::uint64_t generation = ++group.generation;
  group.opened = steady_clock::now();
  group.stream = TRY(client_.stream(
      std::move(request),
      [inbox = inbox_, index, generation](std::string_view line) {
        inbox->put({index, generation, std::string(line), std::nullopt});
      },
      [inbox = inbox_, index, generation](Result<kube::Response> end) {
        inbox->put({index, generation, {}, std::move(end)});
      }));
  return {};
}

KubeWatch::Time KubeWatch::next_turn() const {
  Time next = deadline_;
  for (const auto& group : groups_) {
    if (!group->stream) next = std::min(next, group->turn);
  }
  return next;
}

Result<bool> KubeWatch::handle_inbox() {
  std::deque<Inbox::Word> words;
  bool overflow = false;
  {
    std::unique_lock lock(inbox_->mutex);
    inbox_->more.wait_until(lock, stop_, next_turn(),
                            [&] { return !inbox_->words.empty() || inbox_->overflow; });
    std::swap(words, inbox_->words);
    std::swap(overflow, inbox_->overflow);
  }
  if (overflow) {  // events were lost: look at everything again
    for (const auto& group : groups_) {
      group->stream.reset();
      ++group->generation;
      group->resource_version.clear();
    }
    return false;
  }
  for (const Inbox::Word& word : words) {
    Group& group = *groups_[word.group];
    if (word.generation != group.generation || stop_.stop_requested()) continue;
    if (word.end)
      handle_end(group, *word.end);
    else if (TRY(handle_line(group, word.line)))
      return true;
  }
  return false;
}

void KubeWatch::handle_end(Group& group, const Result<kube::Response>& end) {
  group.stream.reset();
  ++group.generation;
  const bool refused = end && end->status >= 300;
  if (refused && end->status == 410) group.resource_version.clear();
  // A server that gives no watch at all is looked at every five seconds instead.
  if (refused && end->status != 410 && end->status != 429 && end->status < 500) {
    group.resource_version.clear();
    group.turn = steady_clock::now() + kLongestPause;
    return;
  }
  if (end && !refused && steady_clock::now() - group.opened > kLongestPause) {
    group.pause = kFirstPause;  // an ordinary end of a watch
    group.turn = steady_clock::now();
    return;
  }
  pause(group);
}

Result<bool> KubeWatch::handle_line(Group& group, const std::string& line) {
  const auto event = parse(line);
  const json nothing;
  const json& object = event ? child(*event, "object") : nothing;
  const std::string type = event ? text(*event, "type") : "";
  if (!event || type == "ERROR" || !object.is_object()) {
    // 410 Gone or a broken line: what we know is too old to go on from.
    group.stream.reset();
    ++group.generation;
    group.resource_version.clear();
    pause(group);
    return false;
  }
  const json& metadata = child(object, "metadata");
  const std::string version = text(metadata, "resourceVersion");
  if (!version.empty()) group.resource_version = version;
  if (type == "BOOKMARK") return false;
  return report(group, text(metadata, "name"),
                type == "DELETED" ? "" : plumb::json::canonical(object));
}

}  // namespace plumb::apply
