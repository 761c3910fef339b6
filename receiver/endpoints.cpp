#include "receiver/endpoints.h"

#include "drivers/crypto/crypto.h"

namespace plumb::receiver {

Result<Endpoints> Endpoints::open(const std::vector<config::RepositoryBinding>& repositories) {
  Endpoints made;
  made.unknown_.secrets.push_back(TRY(crypto::random_bytes(32)));
  for (const auto& binding : repositories) {
    for (const auto& webhook : binding.webhooks) {
      Endpoint endpoint{webhook.provider, {}, &binding};
      for (const auto& secret : webhook.secrets) {
        endpoint.secrets.push_back(TRY_DOING("webhook of repository \"" + binding.name + "\"",
                                             config::read_secret(secret)));
      }
      if (endpoint.secrets.empty() || webhook.id.empty()) {
        return fail(Errc::invalid, "webhook of repository \"" + binding.name + "\" has no secret",
                    "", "an endpoint without a secret would take everybody's word");
      }
      made.by_digest_.emplace(crypto::sha256(webhook.id), std::move(endpoint));
    }
  }
  return made;
}

const Endpoint& Endpoints::find(std::string_view id) const {
  const auto found = by_digest_.find(crypto::sha256(id));
  return found == by_digest_.end() ? unknown_ : found->second;
}

}  // namespace plumb::receiver
