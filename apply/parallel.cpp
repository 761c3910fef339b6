#include "apply/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace plumb::apply {

void for_all(std::size_t count,
             int threads,
             const std::function<void(std::size_t)>& call,
             const std::function<void(const std::vector<std::size_t>&)>& finished) {
  if (count == 0) return;
  const std::size_t width = std::min(count, static_cast<std::size_t>(std::max(1, threads)));
  if (width == 1) {
    for (std::size_t i = 0; i < count; ++i) {
      call(i);
      finished({i});
    }
    return;
  }
  std::mutex mutex;
  std::condition_variable more;
  std::vector<std::size_t> ended;
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> crew;
  for (std::size_t t = 0; t < width; ++t) {
    crew.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) {
        call(i);
        const std::scoped_lock lock(mutex);
        ended.push_back(i);
        more.notify_one();
      }
    });
  }
  for (std::size_t told = 0; told < count;) {
    std::vector<std::size_t> batch;
    {
      std::unique_lock lock(mutex);
      more.wait(lock, [&] { return !ended.empty(); });
      std::swap(batch, ended);
    }
    told += batch.size();
    finished(batch);
  }
}

}  // namespace plumb::apply
