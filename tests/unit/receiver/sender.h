#pragma once
/// A receiver with two repositories, its endpoints and a memory in place of the store; and a forge
/// that signs what it sends.
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "drivers/crypto/crypto.h"
#include "receiver/receiver.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/http/raw_client.h"

namespace plumb::test {

inline const std::string kOld(40, 'a');
inline const std::string kNew(40, 'b');
inline const std::string kGithub = "github-endpoint-0001";
inline const std::string kGitea = "gitea-endpoint-00001";
inline const std::string kOther = "gitea-endpoint-00002";  // of another repository
inline const std::string kSecret = "s3cret-of-the-shop";

inline std::string a_push(const std::string& ref = "refs/heads/main") {
  return R"({"ref":")" + ref + R"(","before":")" + kOld + R"(","after":")" + kNew +
         R"(","repository":{"full_name":"shop/deploy"},"sender":{"login":"ana"}})";
}

struct Post {
  std::string endpoint = kGitea;
  std::string event = "push";
  std::string body = a_push();
  std::string secret = kSecret;
  std::string type = "application/json";
  std::string signature{};  ///< the whole header lines; "" = sign it
  std::string more{};       ///< header lines
};

inline std::string signature_line(const Post& post) {
  const std::string hex = crypto::hmac_sha256_hex(post.secret, post.body);
  return post.endpoint == kGithub ? "X-Hub-Signature-256: sha256=" + hex + "\r\n"
                                  : "X-Gitea-Signature: " + hex + "\r\n";
}

inline std::string head_of(const Post& post, std::size_t size) {
  const std::string event = post.endpoint == kGithub ? "X-GitHub-Event: " : "X-Gitea-Event: ";
  return "POST /hooks/" + post.endpoint + " HTTP/1.1\r\nHost: h\r\nContent-Type: " + post.type +
         "\r\n" + event + post.event + "\r\n" +
         (post.signature.empty() ? signature_line(post) : post.signature) + post.more +
         "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

struct Shop {
  explicit Shop(receiver::Options options = {}) {
    const std::string secret = folder.write("hook.secret", kSecret + "\n");
    const std::string older = folder.write("older.secret", "the-older-secret");
    const std::string other = folder.write("other.secret", "the-other-secret");
    config::RepositoryBinding shop;
    shop.name = "shop";
    shop.branches = {"main", "live"};
    shop.webhook_repositories = {"shop/deploy"};
    shop.webhooks = {{kGithub, config::Provider::github, {{secret, ""}}},
                     {kGitea, config::Provider::gitea, {{older, ""}, {secret, ""}}}};
    config::RepositoryBinding infra;
    infra.name = "infra";
    infra.webhooks = {{kOther, config::Provider::gitea, {{other, ""}}}};
    config.repositories = {shop, infra};
    start(std::move(options));
  }
  void start(receiver::Options options) {
    receiver = must(receiver::Receiver::start(
        config,
        [this](const Event& event, std::string_view raw, const config::RepositoryBinding& binding) {
          return accept(event, raw, binding);
        },
        [this] { return !broken.load(); }, std::move(options)));
  }

  Result<receiver::Accepted> accept(const Event& event,
                                    std::string_view raw,
                                    const config::RepositoryBinding& binding) {
    if (broken) return fail(Errc::fault, "the disk is full");
    const std::scoped_lock lock(mutex);
    if (binding.name != event.repository) return fail(Errc::fault, "another repository's event");
    const auto [known, fresh] = ids.emplace(event.repository + " " + event.delivery_id,
                                            static_cast<EventId>(ids.size()) + 1);
    if (fresh) events.push_back(event);
    if (fresh) raws.emplace_back(raw);
    return receiver::Accepted{known->second, !fresh};
  }

  std::string send(const Post& post) {
    return ask(receiver->address(), head_of(post, post.body.size()) + post.body);
  }
  std::string get(const std::string& path) {
    return ask(receiver->address(), "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  /// The value of one line of /metrics; -1: it is not there.
  long metric(const std::string& series) {
    const std::string text = get("/metrics");
    const auto at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stol(text.substr(at + series.size() + 2));
  }
  std::size_t stored() {
    const std::scoped_lock lock(mutex);
    return events.size();
  }

  TempFolder folder;
  config::ServerConfig config;
  std::atomic<bool> broken = false;
  std::mutex mutex;
  std::map<std::string, EventId> ids;
  std::vector<Event> events;
  std::vector<std::string> raws;
  std::unique_ptr<receiver::Receiver> receiver;
};

}  // namespace plumb::test
