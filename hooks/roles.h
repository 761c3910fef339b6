#pragma once
/// The three roles of plumb-hook. Each returns the exit code that Git sees.
///
/// Git runs a hook in the repository's folder, with GIT_DIR=. and the pushed refs on standard
/// input; what it writes to either output reaches the person who pushes. A client that has gone
/// away must not matter: SIGPIPE is ignored and what cannot be written is dropped.
#include <string>
#include <vector>

namespace plumb::hooks {

struct Invocation {
  std::string self;                    ///< as Git called us: "hooks/pre-receive"
  std::vector<std::string> arguments;  ///< "prepared"
};

/// Asks plumbd about all refs of the push at once; 0 lets the push in.
int pre_receive(const Invocation& invocation);
/// Leaves a durable record at `prepared` (or aborts the transaction), finishes it at `committed`.
int reference_transaction(const Invocation& invocation);
/// Shows what becomes of the push. Its exit code means nothing to Git: always that of the earlier
/// hook, or 0.
int post_receive(const Invocation& invocation);

/// The person's terminal: both outputs are the same to Git. Drops what cannot be written.
void say(const std::string& text);

}  // namespace plumb::hooks
