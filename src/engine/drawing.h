// Drawing: the first stage of a question. Pages are drawn on a thread of their own while the caller encodes the ones before.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "glyph/document.h"
#include "glyph/page.h"
#include "glyph/page_style.h"
#include "glyph/status.h"
#include "render/renderer.h"
#include "vision/page_batch.h"
#include "vision/preprocess.h"
#include "weights/config.h"

namespace glyph {

// The style of a document that nobody chose one for: the default of its language, at the resolution at which the model reads best.
PageStyle usual_style(const Document& document, const ModelConfig& config);

struct DrawingOptions {
  PreprocessorConfig preprocessor;           // tells how many image tokens a page becomes
  int64_t max_image_tokens = INT64_MAX;      // pages beyond are counted, not kept
  size_t max_pages = kMaxPages;              // one more is refused
  size_t max_queued_bytes = size_t{256} << 20;  // pixels drawn ahead; one page is always let in
  bool line_boxes = false;                   // fill Page::lines
  bool cut_patches = false;                  // the drawing thread cuts pages into patches, which replace their pixels
  bool name_pages = false;                   // it fills DrawnPage::key, too
};

struct DrawnPage {
  Page page;        // without pixels where patches were cut
  Patches patches;  // empty unless DrawingOptions::cut_patches
  Digest key{};     // page_key(), if DrawingOptions::name_pages
};

// What equal pages have in common: pixels and size.
Digest page_key(const Image& page);

// What is known when the last page is drawn.
struct DrawingTotals {
  size_t num_pages = 0;
  int64_t num_image_tokens = 0;
  double seconds = 0;                 // spent drawing, without waiting for room in the queue
  std::vector<std::string> warnings;  // the renderer's
};

// start() and next() are for one thread; the drawing thread is private.
class Drawing {
 public:
  // The document must outlive the object. Errors are the renderer's about the style and its font.
  static Result<std::unique_ptr<Drawing>> start(const Document& document, const PageStyle& style, const DrawingOptions& options,
                                                std::stop_token stop);
  ~Drawing();
  Drawing(const Drawing&) = delete;
  Drawing& operator=(const Drawing&) = delete;

  // The next page in order; nothing after the last one. Once more image tokens are drawn than max_image_tokens, waits for the
  // end and gives nothing: look at totals(). Errors are the renderer's, kRefused for a page that cannot become patches,
  // kCancelled.
  Result<std::optional<Page>> next();
  // The same with the patches.
  Result<std::optional<DrawnPage>> next_drawn();
  // The next page if its patches have this shape, else nothing; waits until it is drawn. What goes wrong is left for
  // next_drawn() to say.
  std::optional<DrawnPage> next_of(const PageShape& shape);

  // Pages drawn up to now.
  size_t num_drawn() const;
  // Complete once next() gave nothing or an error.
  DrawingTotals totals() const;
  const std::string& font_name() const { return renderer_->font_name(); }

 private:
  Drawing(const Document& document, std::unique_ptr<Renderer> renderer, const DrawingOptions& options, std::stop_token stop);
  void draw();
  bool deliver(Page&& page);
  Status count(const Image& image);
  bool wait_for_page(std::unique_lock<std::mutex>& lock);
  DrawnPage take_page();

  const Document& document_;
  const std::unique_ptr<Renderer> renderer_;
  const DrawingOptions options_;
  const std::stop_token stop_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<DrawnPage> queue_;  // guarded by mutex_
  size_t queued_bytes_ = 0;     // guarded by mutex_
  DrawingTotals totals_;        // guarded by mutex_
  Status status_;               // guarded by mutex_
  bool finished_ = false;       // guarded by mutex_
  bool abandoned_ = false;      // guarded by mutex_: nobody will take pages any more
  std::thread thread_;
};

}  // namespace glyph
