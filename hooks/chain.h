#pragma once
/// The hook that was there before ours.
#include <string_view>

#include "hooks/roles.h"

namespace plumb::hooks {

/// Runs `<self>.before-plumbline`, if it is there and executable, with our arguments, environment
/// and outputs and this input, as Git would. 0 when there is none; 128 + signal when a signal ended
/// it.
int run_earlier_hook(const Invocation& invocation, std::string_view input);

}  // namespace plumb::hooks
