#include "engine/drawing.h"

#include <fmt/format.h>
#include <pthread.h>

#include <utility>

#include "engine/stopwatch.h"

namespace glyph {

Digest page_key(const Image& page) {
  Sha256 hash;
  hash.field(fmt::format("{}x{}x{}", page.width, page.height, page.channels));
  hash.update(std::span<const uint8_t>(page.pixels));
  return hash.finish();
}

PageStyle usual_style(const Document& document, const ModelConfig& config) {
  PageStyle style = PageStyle::for_document(document);
  style.dpi = config.page_dpi.value_or(style.dpi);
  return style;
}

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
  DrawnPage drawn{std::move(page), {}, {}};
  Image& image = drawn.page.image;
  if (options_.name_pages) drawn.key = page_key(image);
  Status cut;
  if (options_.cut_patches) {
    Result<Patches> patches = make_patches(image, options_.preprocessor);
    cut = patches.status();
    if (cut.ok()) drawn.patches = *std::move(patches);
    image.pixels = {};
  }
  const size_t bytes = image.pixels.size() + drawn.patches.pixels.size();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop_, [&] { return abandoned_ || queue_.empty() || queued_bytes_ + bytes <= options_.max_queued_bytes; });
  if (stop_.stop_requested() || abandoned_) return false;
  status_ = cut.ok() ? count(image) : cut;
  if (!status_.ok()) return false;
  if (totals_.num_image_tokens > options_.max_image_tokens) {
    queue_.clear();
    queued_bytes_ = 0;
  } else {
    queue_.push_back(std::move(drawn));
    queued_bytes_ += bytes;
  }
  changed_.notify_all();
  return true;
}

Status Drawing::count(const Image& image) {
  GLYPH_ASSIGN_OR_RETURN(const int64_t tokens, num_image_tokens({image.width, image.height}, options_.preprocessor));
  ++totals_.num_pages;
  totals_.num_image_tokens += tokens;
  return {};
}

// False: stopped, or there is no page any more.
bool Drawing::wait_for_page(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, stop_, [&] { return finished_ || !queue_.empty(); });
  return !stop_.stop_requested() && !queue_.empty();
}

// Called with mutex_ held.
DrawnPage Drawing::take_page() {
  DrawnPage drawn = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= drawn.page.image.pixels.size() + drawn.patches.pixels.size();
  changed_.notify_all();
  return drawn;
}

Result<std::optional<DrawnPage>> Drawing::next_drawn() {
  std::unique_lock lock(mutex_);
  if (wait_for_page(lock)) return std::optional<DrawnPage>(take_page());
  if (stop_.stop_requested()) return cancelled("drawing was stopped");
  if (!status_.ok()) return status_;
  return std::optional<DrawnPage>();
}

Result<std::optional<Page>> Drawing::next() {
  GLYPH_ASSIGN_OR_RETURN(std::optional<DrawnPage> drawn, next_drawn());
  return drawn ? std::optional<Page>(std::move(drawn->page)) : std::optional<Page>();
}

std::optional<DrawnPage> Drawing::next_of(const PageShape& shape) {
  std::unique_lock lock(mutex_);
  if (!wait_for_page(lock) || shape_of(queue_.front().patches) != shape) return std::nullopt;
  return take_page();
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
