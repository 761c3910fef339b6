#pragma once
/// A push's new objects as its hook streams them: an object folder of their own, with the
/// repository as its alternate, removed with this object. Nothing of a refused push is kept.
#include <memory>
#include <string>

#include "drivers/local_socket/local_socket.h"

namespace plumb::server {

class IncomingPack {
 public:
  /// Reads B frames up to the empty one into `git index-pack`. invalid: no pack, or too large.
  static Result<std::unique_ptr<IncomingPack>> receive(local::Connection& connection,
                                                       const std::string& data_dir,
                                                       const std::string& repository);
  ~IncomingPack();
  IncomingPack(const IncomingPack&) = delete;
  IncomingPack& operator=(const IncomingPack&) = delete;

  [[nodiscard]] std::string object_dir() const { return folder_ + "/objects"; }

 private:
  explicit IncomingPack(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

/// Removes what a crash left behind. Called at start.
void remove_old_incoming(const std::string& data_dir);

}  // namespace plumb::server
