// PagePipeline: plans in, finished pages out in the same order; paints on one thread or several.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "render/rasterizer.h"
#include "render/renderer.h"

namespace glyph {

// The thread that made it calls push() and finish() and is the one the sink is called on. With one rasterizer no thread is
// started and a page reaches the sink before push() returns.
class PagePipeline {
 public:
  PagePipeline(std::vector<Rasterizer*> rasterizers, const PageSink& sink, size_t max_pages, std::string name);
  ~PagePipeline();

  // Takes the plan's contents. kRefused past `max_pages`, kCancelled when the sink has said stop.
  Status push(PagePlan& plan);
  Status push_picture(const Image& picture);
  // Delivers what is still being painted, unless push() has failed.
  Status finish();

 private:
  struct Job {
    PagePlan plan;
    Page page;
    bool taken = false;
    bool done = false;
  };

  Status count_page();
  Status deliver(Page&& page);
  Status enqueue(std::unique_ptr<Job> job);
  Status deliver_ready(size_t keep);  // waits until at most `keep` jobs are left
  void work(Rasterizer* rasterizer, int index);

  std::vector<Rasterizer*> rasterizers_;
  const PageSink& sink_;
  size_t max_pages_;
  std::string name_;
  size_t num_pages_ = 0;
  bool failed_ = false;
  Page page_;  // of the last push(): its memory is used again unless the sink has taken it

  std::mutex mutex_;
  std::condition_variable wake_;              // a job was added, or stop
  std::condition_variable finished_;          // a job is done
  std::deque<std::unique_ptr<Job>> jobs_;     // guarded by mutex_: in page order
  bool stop_ = false;                         // guarded by mutex_
  std::vector<std::thread> workers_;
};

}  // namespace glyph
