#include "engine/drawing.h"

#include <pthread.h>

#include <utility>

#include "engine/stopwatch.h"
#include "vision/preprocess.h"

namespace glyph {
Result<std::unique_ptr<Drawing>> Drawing::start(const Document& document, const PageStyle& style, const DrawingOptions& options,
                                                std::stop_token stop) {
  GLYPH_ASSIGN_OR_RETURN(auto renderer, Renderer::open(style));
  std::unique_ptr<Drawing> drawing(new Drawing(document, std::move(renderer), options, std::move(stop)));
  drawing->thread_ = std::thread([raw = drawing.get()] { raw->draw(); });
  pthread_setname_np(drawing->thread_.native_handle(), "glyph-draw");
  return drawing;
}

Drawing::Drawing(const Document& document, std::unique_ptr<Renderer> renderer, const DrawingOptions& options, std::stop_token stop)
    : document_(document), renderer_(std::move(renderer)), options_(options), stop_(std::move(stop)) {}

Drawing::~Drawing() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Drawing::draw() {
  Stopwatch page_watch;
  double seconds = 0;
  const auto sink = [&](Page&& page) {
    seconds += page_watch.seconds();
    const bool more = deliver(std::move(page));
    page_watch = Stopwatch();
    return more;
  };
  RenderOptions render_options;
  render_options.max_pages = options_.max_pages;
  render_options.line_boxes = options_.line_boxes;
  Status status = renderer_->render(document_, sink, render_options);
  seconds += page_watch.seconds();

  const std::lock_guard lock(mutex_);
  if (status_.ok()) status_ = std::move(status);
  totals_.seconds = seconds;
  totals_.warnings = renderer_->warnings();
  finished_ = true;
  changed_.notify_all();
}

// Called by the drawing thread with each page; false ends the drawing.
bool Drawing::deliver(Page&& page) {
  const size_t bytes = page.image.pixels.size();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop_, [&] { return abandoned_ || queue_.empty() || queued_bytes_ + bytes <= options_.max_queued_bytes; });
  if (stop_.stop_requested() || abandoned_) return false;
  status_ = count(page);
  if (!status_.ok()) return false;
  if (totals_.num_image_tokens > options_.max_image_tokens) {
    queue_.clear();
    queued_bytes_ = 0;
  } else {
    queue_.push_back(std::move(page));
    queued_bytes_ += bytes;
  }
  changed_.notify_all();
  return true;
}

Status Drawing::count(const Page& page) {
  GLYPH_ASSIGN_OR_RETURN(const int64_t tokens, num_image_tokens({page.image.width, page.image.height}, options_.preprocessor));
  ++totals_.num_pages;
  totals_.num_image_tokens += tokens;
  return {};
}

Result<std::optional<Page>> Drawing::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop_, [&] { return finished_ || !queue_.empty(); });
  if (stop_.stop_requested()) return cancelled("drawing was stopped");
  if (!queue_.empty()) {
    Page page = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= page.image.pixels.size();
    changed_.notify_all();
    return std::optional<Page>(std::move(page));
  }
  if (!status_.ok()) return status_;
  return std::optional<Page>();
}

size_t Drawing::num_drawn() const {
  const std::lock_guard lock(mutex_);
  return totals_.num_pages;
}

DrawingTotals Drawing::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace glyph
