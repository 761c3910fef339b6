#pragma once
/// One request and its answer on a channel. httplib decodes chunks and writes the answer; the head
/// it gets to see is one that we wrote.
#include <memory>

#include "drivers/http/channel.h"
#include "drivers/http/http.h"

namespace plumb::http {

/// Belongs to one thread of the pool.
class Exchange {
 public:
  Exchange(const Options& options, const Check& check, const Serve& serve, Load& load);
  ~Exchange();
  void run(Channel& channel, ssl_ctx_st* context);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace plumb::http
