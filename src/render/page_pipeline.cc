#include "render/page_pipeline.h"

#include <fmt/format.h>
#include <pthread.h>

#include <utility>

namespace glyph {

namespace {
constexpr size_t kJobsAThread = 2;  // painted or waiting at a time
}

PagePipeline::PagePipeline(std::vector<Rasterizer*> rasterizers, const PageSink& sink, size_t max_pages, std::string name)
    : rasterizers_(std::move(rasterizers)), sink_(sink), max_pages_(max_pages), name_(std::move(name)) {
  if (rasterizers_.size() == 1) return;
  for (size_t i = 0; i < rasterizers_.size(); ++i) {
    workers_.emplace_back([this, i] { work(rasterizers_[i], static_cast<int>(i)); });
  }
}

PagePipeline::~PagePipeline() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Status PagePipeline::count_page() {
  if (failed_) return cancelled(fmt::format("{}: drawing was stopped", name_));
  if (num_pages_ == max_pages_) {
    failed_ = true;
    return refused(fmt::format("{}: page {} is over the limit of {} pages", name_, num_pages_ + 1, max_pages_));
  }
  ++num_pages_;
  return {};
}

Status PagePipeline::deliver(Page&& page) {
  if (sink_(std::move(page))) return {};
  failed_ = true;
  return cancelled(fmt::format("{}: drawing was stopped", name_));
}

Status PagePipeline::push(PagePlan& plan) {
  GLYPH_RETURN_IF_ERROR(count_page());
  if (workers_.empty()) {
    rasterizers_[0]->paint(plan, page_);
    return deliver(std::move(page_));
  }
  auto job = std::make_unique<Job>();
  job->plan = std::move(plan);
  plan = PagePlan();
  return enqueue(std::move(job));
}

Status PagePipeline::push_picture(const Image& picture) {
  GLYPH_RETURN_IF_ERROR(count_page());
  Page page;
  page.image = picture;
  if (workers_.empty()) return deliver(std::move(page));
  auto job = std::make_unique<Job>();
  job->page = std::move(page);
  job->taken = job->done = true;
  return enqueue(std::move(job));
}

Status PagePipeline::enqueue(std::unique_ptr<Job> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return deliver_ready(kJobsAThread * workers_.size());
}

Status PagePipeline::deliver_ready(size_t keep) {
  while (true) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      if (jobs_.empty()) return {};
      if (!jobs_.front()->done) {
        if (jobs_.size() <= keep) return {};
        finished_.wait(lock, [this] { return jobs_.front()->done; });
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    GLYPH_RETURN_IF_ERROR(deliver(std::move(job->page)));
  }
}

Status PagePipeline::finish() {
  if (!failed_) return deliver_ready(0);
  return {};
}

void PagePipeline::work(Rasterizer* rasterizer, int index) {
  pthread_setname_np(pthread_self(), fmt::format("glyph-draw-{}", index).c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    Job* job = nullptr;
    wake_.wait(lock, [&] {
      for (const auto& candidate : jobs_) {
        if (candidate->taken) continue;
        job = candidate.get();
        break;
      }
      return stop_ || job;
    });
    if (stop_) return;
    job->taken = true;
    lock.unlock();
    rasterizer->paint(job->plan, job->page);
    lock.lock();
    job->done = true;
    finished_.notify_one();
  }
}

}  // namespace glyph
