// Reading: the pages of a job. Draws the documents, looks every page up in the caches and encodes what is not there, several pages in one
// pass where the device gains from it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "cache/caches.h"
#include "engine/drawing.h"
#include "engine/model.h"
#include "engine/work_clock.h"
#include "schedule/request.h"

namespace glyph {

// How a piece of reading is cut.
struct Pace {
  bool soon_over = false;            // answers are being written: smaller pieces, where they cost little more
  std::function<void()> pause = {};  // called now and then inside a piece; may be empty
};

// One thread.
class Reading {
 public:
  // `head` names the tokens before the first page. Pages of the first turn that has some are looked up in the prefix tree.
  Reading(const Model& model, Caches& caches, const std::vector<ChatTurn>& turns, const Digest& head, std::stop_token stop);

  // One page that is known, or one pass over pages that are not; false when all are there. Errors are those of drawing and encoding.
  // A GPU may still be at work on the pass when this returns.
  Result<bool> step(const Pace& pace = {});

  // Looks again what memory has of the pages at the beginning: another job may have read them meanwhile.
  void refresh_match();

  struct PageEntry {
    Source::Page page;
    FeaturesPtr features;  // nullptr when the match covers the page
  };
  // Pages by turn, in order.
  const std::vector<std::vector<PageEntry>>& turns() const { return pages_; }
  const PrefixTree::Match& match() const { return match_; }
  size_t num_prefix_pages() const { return keys_.size(); }            // pages that may stand in the tree
  std::span<const Digest> prefix_keys() const { return keys_; }
  const Source& prefix_source(size_t page) const { return *prefix_sources_[page]; }
  // Leading pages that belong to stored documents: what may be kept on disk.
  size_t num_stored_prefix_pages() const { return num_stored_; }

  size_t num_pages() const { return num_pages_; }
  size_t num_encoded() const { return num_pages_ - unread_.size(); }
  size_t num_drawn() const { return num_pages_ + (drawing_ ? drawing_->num_drawn() - drawn_pages_.size() : 0); }
  int64_t image_tokens() const { return image_tokens_; }
  int64_t text_tokens() const { return text_tokens_; }
  double render_seconds() const { return render_seconds_; }
  double vision_ms() { return vision_clock_.ms(); }  // waits for the last pass
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Source& current() const { return *turns_[turn_].sources[source_]; }
  Result<bool> next_source();
  void match_known();
  Status take_known();
  Status start_drawing(size_t num_taken);
  Status take_drawn(DrawnPage drawn, const Pace& pace);
  Status look_up(DrawnPage drawn);
  Status encode_pass(const Pace& pace);
  void finish_source();
  bool extends_match(const Digest& key);
  void add(const Source::Page& page, FeaturesPtr features);

  const Model& model_;
  Caches& caches_;
  const std::vector<ChatTurn>& turns_;
  const Digest head_;
  const std::stop_token stop_;

  size_t turn_ = 0, source_ = 0;
  std::optional<size_t> prefix_turn_;  // the first turn with pages
  std::unique_ptr<Drawing> drawing_;
  std::vector<Source::Page> drawn_pages_;  // of the source that is being drawn
  Source::KnownPtr known_;                 // of the source that is being taken or drawn, as it was when that began
  size_t num_taken_ = 0;                   // of known_: pages that need not be drawn
  bool taking_known_ = false;
  std::vector<std::vector<PageEntry>> pages_;
  // Of the last turn of pages_: pages of one shape that are not encoded yet, and how many of them go into each pass.
  struct Unread {
    size_t index;
    Patches patches;
  };
  std::vector<Unread> unread_;
  std::deque<size_t> passes_;
  WorkClock vision_clock_;
  std::vector<Digest> keys_;
  std::vector<const Source*> prefix_sources_;  // of keys_
  size_t num_stored_ = 0;                      // of keys_
  PrefixTree::Match match_;
  size_t num_pages_ = 0;
  int64_t image_tokens_ = 0, text_tokens_ = 0;
  double render_seconds_ = 0;
  std::vector<std::string> warnings_;
};

// Names the tokens that stand before the first page.
Digest head_of(const std::vector<ChatTurn>& turns);

}  // namespace glyph
