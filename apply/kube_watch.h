#pragma once
/// Watches a set of objects: one list and one watch per kind and namespace. Private to apply/; all
/// of it runs on the thread that calls run(), but for the callbacks that fill the inbox.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/manifest.h"
#include "core/result.h"
#include "drivers/kube/client.h"
#include "drivers/kube/kinds.h"

namespace plumb::apply {

class KubeWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Changed = std::function<bool(const ObjectKey&, const std::string&)>;

  KubeWatch(kube::Client& client,
            kube::Kinds& kinds,
            Time deadline,
            std::stop_token stop,
            const Changed& changed);
  ~KubeWatch();
  Result<> run(const std::vector<ObjectKey>& keys);

 private:
  struct Group;  // one kind in one namespace
  struct Inbox;  // what the streams have said

  /// Each returns true when `changed` has seen enough.
  Result<bool> add_groups(const std::vector<ObjectKey>& keys);
  Result<bool> attend(Group& group);
  Result<bool> list(Group& group);
  Result<bool> handle_line(Group& group, const std::string& line);
  void handle_end(Group& group, const Result<kube::Response>& end);
  Result<> open_stream(Group& group);
  Result<bool> handle_inbox();
  bool report(Group& group, const std::string& name, const std::string& json);
  void pause(Group& group);
  [[nodiscard]] std::string address(const Group& group) const;
  [[nodiscard]] Time next_turn() const;

  kube::Client& client_;
  kube::Kinds& kinds_;
  Time deadline_;
  std::stop_token stop_;
  const Changed& changed_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::shared_ptr<Inbox> inbox_;
};

}  // namespace plumb::apply
