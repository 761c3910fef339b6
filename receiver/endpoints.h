#pragma once
/// The endpoints of the server's file with their secrets, read once at start. Any thread.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/server_config.h"

namespace plumb::receiver {

struct Endpoint {
  config::Provider provider = config::Provider::gitea;
  std::vector<std::string> secrets;
  const config::RepositoryBinding* binding = nullptr;  ///< null: no endpoint has that id
};

class Endpoints {
 public:
  /// `repositories` must outlive this. invalid: a secret cannot be read, or an endpoint has none.
  static Result<Endpoints> open(const std::vector<config::RepositoryBinding>& repositories);

  /// Never null: an unknown id gets one with a secret nobody knows, so that it costs the same.
  [[nodiscard]] const Endpoint& find(std::string_view id) const;
  [[nodiscard]] std::size_t size() const { return by_digest_.size(); }

 private:
  // By SHA-256, so that the time of a look-up says nothing about the beginning of an id.
  std::map<std::string, Endpoint, std::less<>> by_digest_;
  Endpoint unknown_;
};

}  // namespace plumb::receiver
