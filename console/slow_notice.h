#pragma once
/// Says after a second that work is going on. One line, to a file descriptor.
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace plumb::console {

class SlowNotice {
 public:
  /// `fd` -1: says nothing.
  SlowNotice(int fd, std::string text);
  ~SlowNotice();
  SlowNotice(const SlowNotice&) = delete;
  SlowNotice& operator=(const SlowNotice&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace plumb::console
