#include <algorithm>

#include "config/names.h"
#include "config/server_parts.h"
#include "core/oid.h"
#include "core/text.h"

namespace plumb::config {
namespace {

using namespace std::chrono_literals;

bool is_endpoint_id(std::string_view id) {
  return id.size() >= 16 && id.size() <= 128 &&
         id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
             std::string_view::npos;
}

bool is_variable(std::string_view name) {
  return !name.empty() && name.size() <= 256 && !(name[0] >= '0' && name[0] <= '9') &&
         name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
             std::string_view::npos;
}

std::vector<std::string> names_of(const std::vector<ClusterConfig>& clusters) {
  std::vector<std::string> names;
  for (const ClusterConfig& cluster : clusters) names.push_back(cluster.name);
  return names;
}

void read_clusters(const Node& node,
                   const Node& list,
                   const std::vector<ClusterConfig>& clusters,
                   RepositoryBinding& into) {
  const auto known = names_of(clusters);
  if (!list.there()) {
    if (clusters.size() == 1) {
      into.clusters = known;
    } else if (clusters.size() > 1) {
      node.missing("clusters", "name the clusters that it may use; there are " +
                                   std::to_string(clusters.size()));
    }
    return;
  }
  for (const Node& item : list.items()) {
    const auto name = item.text();
    if (!name) continue;
    if (std::find(known.begin(), known.end(), *name) == known.end()) {
      item.wrong("no cluster \"" + printable(*name, 80) + "\" in this file",
                 hint_for(*name, known));
    } else {
      into.clusters.push_back(*name);
    }
  }
  if (list.items().empty())
    list.wrong(list.field() + " is empty: the repository could deploy nowhere");
}

void read_branches(const Node& list, RepositoryBinding& into) {
  if (!list.there()) return;
  list.read(into.branches);
  if (into.branches.empty()) list.wrong(list.field() + " is empty: nothing would deploy");
  for (const Node& item : list.items()) {
    const auto name = item.text();
    if (name && !is_ref_name("refs/heads/" + *name)) {
      item.wrong("\"" + printable(*name, 80) + "\" is no branch name",
                 name->starts_with("refs/heads/") ? "" : "write it as in  git branch");
    } else if (name && name->starts_with("refs/")) {
      item.wrong("\"" + printable(*name, 80) + "\" is a full ref, not a branch",
                 "did you mean \"" + std::string(branch_of(*name)) + "\"?");
    }
  }
}

void read_globs(const Node& list, std::vector<std::string>& into, bool kinds) {
  if (!list.there()) return;
  list.read(into);
  if (into.empty()) list.wrong(list.field() + " is empty: nothing would be allowed");
  for (const Node& item : list.items()) {
    const auto glob = item.text();
    if (!glob) continue;
    const auto slashes = std::count(glob->begin(), glob->end(), '/');
    if (glob->empty()) {
      item.wrong(item.field() + " is empty");
    } else if (kinds && *glob != "*" && slashes != 1) {
      item.wrong("\"" + printable(*glob, 80) + "\" is no kind",
                 "write it as  group/Kind , for the core group  /Kind , or  *");
    } else if (!kinds && slashes != 0) {
      item.wrong("\"" + printable(*glob, 80) + "\" is no namespace");
    }
  }
}

void read_environments(const Node& node, RepositoryBinding& into) {
  for (const auto& [name, environment] : node.members()) {
    if (!is_label(name))
      environment.wrong("\"" + printable(name, 80) + "\" is no name of an environment");
    if (!environment.object({"cluster", "namespace"})) continue;
    Target target;
    const Node cluster = environment.member("cluster");
    if (const auto wanted = cluster.text()) {
      target.cluster = *wanted;
      if (std::find(into.clusters.begin(), into.clusters.end(), *wanted) == into.clusters.end()) {
        cluster.wrong("the repository may not use cluster \"" + printable(*wanted, 80) + "\"",
                      hint_for(*wanted, into.clusters));
      }
    } else if (!cluster.there()) {
      if (into.clusters.size() == 1) target.cluster = into.clusters.front();
      if (into.clusters.size() > 1)
        environment.missing("cluster", "the repository may use several");
    }
    const Node ns = environment.member("namespace");
    ns.read(target.ns);
    if (ns.there() && !is_label(target.ns)) {
      ns.wrong("\"" + printable(target.ns, 80) + "\" is no name of a namespace");
    } else if (ns.there() &&
               std::none_of(into.namespaces.begin(), into.namespaces.end(),
                            [&](const std::string& glob) { return glob_match(glob, target.ns); })) {
      ns.wrong("the repository may not use namespace \"" + target.ns + "\"",
               "add it to its namespaces");
    }
    into.environments[name] = std::move(target);
  }
}

void read_hooks(const Node& node, RepositoryBinding& into) {
  if (!node.there() || !node.object({"whenDown", "deadline", "onDeadline", "wait"})) return;
  if (const auto word = node.member("whenDown").word({"refuse", "accept"})) {
    into.when_down = *word == 0 ? WhenDown::refuse : WhenDown::accept;
  }
  if (const auto word = node.member("onDeadline").word({"refuse", "accept"})) {
    into.on_deadline = *word == 0 ? WhenDown::refuse : WhenDown::accept;
  }
  node.member("deadline").read_time(into.hooks_deadline, 1s, 10min, "1s to 10m");
  node.member("wait").read_time(into.hooks_wait, 0s, 1h, "0s to 1h");
}

void read_secrets(const Node& webhook, const std::filesystem::path& base, WebhookEndpoint& into) {
  const Node list = webhook.member("secrets");
  if (!list.there()) return webhook.missing("secrets", "write  secrets: [{file: /path/of/secret}]");
  constexpr const char* kHow = "a secret is a reference: {file: /path} or {env: NAME}";
  for (const Node& item : list.items()) {
    if (!item.object({"file", "env"})) continue;
    SecretRef reference;
    item.member("file").read(reference.file);
    item.member("env").read(reference.env);
    if (reference.file.empty() == reference.env.empty())
      item.wrong(item.field() + " needs one of file and env", kHow);
    if (!reference.env.empty() && !is_variable(reference.env))
      item.wrong("no name of an environment variable", kHow);
    if (!reference.file.empty()) reference.file = absolute_path(base, reference.file);
    into.secrets.push_back(std::move(reference));
  }
  if (list.items().empty())
    list.wrong(list.field() + " is empty: no delivery could be believed", kHow);
}

void read_webhooks(const Node& list, const std::filesystem::path& base, RepositoryBinding& into) {
  for (const Node& item : list.items()) {
    if (!item.object({"id", "provider", "secrets", "repositories"})) continue;
    WebhookEndpoint endpoint;
    const Node id = item.member("id");
    id.read(endpoint.id);
    if (!id.there()) {
      item.missing("id", "make one with  openssl rand -hex 16");
    } else if (!is_endpoint_id(endpoint.id)) {
      id.wrong("an id has 16 to 128 of A-Z a-z 0-9 - _", "make one with  openssl rand -hex 16");
    }
    const Node provider = item.member("provider");
    if (!provider.there()) item.missing("provider", "gitea or github");
    if (const auto word = provider.word({"gitea", "github"})) {
      endpoint.provider = *word == 0 ? Provider::gitea : Provider::github;
    }
    read_secrets(item, base, endpoint);
    std::vector<std::string> names;
    item.member("repositories").read(names);
    into.webhook_repositories.insert(into.webhook_repositories.end(), names.begin(), names.end());
    into.webhooks.push_back(std::move(endpoint));
  }
}

}  // namespace

std::string hint_for(std::string_view word, const std::vector<std::string>& known) {
  if (const auto near = nearest(word, known)) return "did you mean \"" + *near + "\"?";
  std::string all;
  for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "" : "there is: " + all;
}

RepositoryBinding read_binding(const Node& node,
                               const std::vector<ClusterConfig>& clusters,
                               const std::filesystem::path& base) {
  RepositoryBinding binding;
  if (!node.object({"name", "path", "project", "admin", "branches", "clusters", "namespaces",
                    "kinds", "environments", "hooks", "webhooks"})) {
    return binding;
  }
  const Node name = node.member("name");
  name.read(binding.name);
  if (!name.there()) node.missing("name");
  if (name.there() && !is_name(binding.name)) {
    name.wrong("\"" + printable(binding.name, 80) + "\" is no name of a repository",
               "lower-case letters, digits, - . _");
  }
  const Node path = node.member("path");
  path.read(binding.path);
  if (!path.there()) node.missing("path", "the folder of the bare repository on this machine");
  if (!binding.path.empty()) binding.path = absolute_path(base, binding.path);
  const Node project = node.member("project");
  project.read(binding.project);
  if (!is_label(binding.project)) {
    project.wrong("\"" + printable(binding.project, 80) + "\" is no name of a project",
                  "lower-case letters, digits, -");
  }
  node.member("admin").read(binding.admin);
  read_branches(node.member("branches"), binding);
  read_clusters(node, node.member("clusters"), clusters, binding);
  read_globs(node.member("namespaces"), binding.namespaces, false);
  read_globs(node.member("kinds"), binding.kinds, true);
  read_environments(node.member("environments"), binding);
  read_hooks(node.member("hooks"), binding);
  read_webhooks(node.member("webhooks"), base, binding);
  return binding;
}

}  // namespace plumb::config
