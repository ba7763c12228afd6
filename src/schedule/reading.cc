#include "schedule/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/scripts.h"
#include "engine/stopwatch.h"
#include "engine/writing.h"
#include "vision/preprocess.h"

namespace glyph {
namespace {

std::vector<Digest> keys_of(const Source::Known& known) {
  std::vector<Digest> keys;
  for (const Source::Page& page : known.pages) keys.push_back(page.key);
  return keys;
}

}  // namespace

Digest head_of(const std::vector<ChatTurn>& turns) {
  Sha256 head;
  for (const ChatTurn& turn : turns) {
    head.field(fmt::format("{}", static_cast<int>(turn.role)));
    if (!turn.sources.empty()) break;
    head.field(turn.text);
  }
  return head.finish();
}

Reading::Reading(const Model& model, Caches& caches, const std::vector<ChatTurn>& turns, const Digest& head, std::stop_token stop)
    : model_(model), caches_(caches), turns_(turns), head_(head), stop_(std::move(stop)), pages_(turns.size()), vision_clock_(model.device()) {}

Result<bool> Reading::step(const Pace& pace) {
  if (stop_.stop_requested()) return cancelled("reading was stopped");
  if (taking_known_) {
    GLYPH_RETURN_IF_ERROR(take_known());
    return true;
  }
  if (drawing_ == nullptr) return next_source();
  if (!passes_.empty()) {
    GLYPH_RETURN_IF_ERROR(encode_pass(pace));
    return true;
  }
  GLYPH_ASSIGN_OR_RETURN(std::optional<DrawnPage> drawn, drawing_->next_drawn());
  if (drawn) GLYPH_RETURN_IF_ERROR(take_drawn(*std::move(drawn), pace));
  else finish_source();
  return true;
}

// Opens the next document of which a page is not in memory.
Result<bool> Reading::next_source() {
  for (; turn_ < turns_.size(); ++turn_, source_ = 0) {
    for (; source_ < turns_[turn_].sources.size(); ++source_) {
      if (!prefix_turn_) prefix_turn_ = turn_;
      known_ = current().known();
      if (known_ == nullptr) {
        GLYPH_RETURN_IF_ERROR(start_drawing(0));
        return true;
      }
      num_taken_ = 0;
      match_known();
      taking_known_ = num_taken_ < known_->pages.size();
      if (taking_known_) return true;
      text_tokens_ += known_->text_tokens;
    }
  }
  return false;
}

// Takes all pages at once that the tree in memory has.
void Reading::match_known() {
  if (turn_ != prefix_turn_ || match_.num_pages != keys_.size()) return;
  const std::vector<Source::Page>& pages = known_->pages;
  std::vector<Digest> keys = keys_;
  for (const Source::Page& page : pages) keys.push_back(page.key);
  PrefixTree::Match match = caches_.find_prefix(head_, keys);
  if (match.num_pages <= match_.num_pages) return;
  match_ = std::move(match);
  while (keys_.size() < match_.num_pages) add(pages[num_taken_++], nullptr);
}

// One page of a document whose pages are known: from a cache, or else the document is drawn again from there on.
Status Reading::take_known() {
  const Source::Page& page = known_->pages[num_taken_];
  FeaturesPtr features;
  if (!extends_match(page.key)) {
    features = caches_.find_features(page.key);
    if (features == nullptr) {
      taking_known_ = false;
      return start_drawing(num_taken_);
    }
  }
  add(page, std::move(features));
  if (++num_taken_ < known_->pages.size()) return {};
  taking_known_ = false;
  text_tokens_ += known_->text_tokens;
  ++source_;
  return {};
}

void Reading::refresh_match() {
  PrefixTree::Match match = caches_.find_prefix(head_, keys_);
  if (match.num_pages > match_.num_pages) match_ = std::move(match);
}

// The first `num_taken` pages were taken already.
Status Reading::start_drawing(size_t num_taken) {
  const Source& source = current();
  DrawingOptions options;
  options.preprocessor = model_.preprocessor();
  options.cut_patches = options.name_pages = true;
  options.max_image_tokens = std::max<int64_t>(0, model_.language().max_tokens() - image_tokens_);
  for (size_t i = 0; i < num_taken; ++i) options.max_image_tokens += known_->pages[i].num_tokens;  // they are drawn again
  GLYPH_ASSIGN_OR_RETURN(drawing_, Drawing::start(*source.document, source.style, options, stop_));
  num_taken_ = num_taken;
  drawn_pages_.clear();
  const std::string text = text_blocks(*source.document);
  warnings_.insert(warnings_.end(), source.document->warnings.begin(), source.document->warnings.end());
  if (auto warning = unread_scripts_warning(source.document->name, text, model_.config().scripts)) warnings_.push_back(*warning);
  return {};
}

bool Reading::extends_match(const Digest& key) {
  if (turn_ != prefix_turn_ || match_.num_pages != keys_.size()) return false;
  std::vector<Digest> keys = keys_;
  keys.push_back(key);
  return caches_.extend_prefix(head_, keys, match_);
}

// This page, and unknown ones of its shape right behind it, which go into the same passes. The first pass does not wait for all of them
// to be drawn, nor does one beside which answers are written take as many as it could.
Status Reading::take_drawn(DrawnPage drawn, const Pace& pace) {
  const PageShape shape = shape_of(drawn.patches);
  const int64_t most = model_.page_batches().most_pages(shape);
  const bool few = pace.soon_over || drawn_pages_.size() <= num_taken_;
  const int64_t wanted = few ? std::max<int64_t>(1, most / 4) : most;
  GLYPH_RETURN_IF_ERROR(look_up(std::move(drawn)));
  for (int64_t taken = 1; taken < wanted && std::ssize(unread_) == taken; ++taken) {
    std::optional<DrawnPage> next = drawing_->next_of(shape);
    if (!next) break;
    GLYPH_RETURN_IF_ERROR(look_up(*std::move(next)));
  }
  if (unread_.empty()) return {};
  for (const int64_t count : model_.page_batches().split(shape, std::ssize(unread_))) passes_.push_back(static_cast<size_t>(count));
  return encode_pass(pace);
}

Status Reading::look_up(DrawnPage drawn) {
  if (drawn_pages_.size() < num_taken_) {
    drawn_pages_.push_back(known_->pages[drawn_pages_.size()]);
    return {};
  }
  Source::Page entry{drawn.key, 0};
  const Image& image = drawn.page.image;
  GLYPH_ASSIGN_OR_RETURN(entry.num_tokens, num_image_tokens({image.width, image.height}, model_.preprocessor()));
  FeaturesPtr features;
  if (!extends_match(entry.key)) features = caches_.find_features(entry.key);
  const bool unread = features == nullptr && match_.num_pages <= keys_.size();
  drawn_pages_.push_back(entry);
  add(entry, std::move(features));
  if (unread) unread_.push_back({pages_[turn_].size() - 1, std::move(drawn.patches)});
  return {};
}

Status Reading::encode_pass(const Pace& pace) {
  const auto count = static_cast<ptrdiff_t>(passes_.front());
  std::vector<Patches> patches;
  for (ptrdiff_t i = 0; i < count; ++i) patches.push_back(std::move(unread_[static_cast<size_t>(i)].patches));
  vision_clock_.begin();
  GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> encoded, model_.vision().encode(patches, stop_, pace.pause));
  vision_clock_.end();
  for (size_t i = 0; i < encoded.size(); ++i) {
    PageEntry& entry = pages_[turn_][unread_[i].index];
    entry.features = std::make_shared<const PageFeatures>(std::move(encoded[i]));
    if (!current().forgotten()) caches_.insert_features(entry.page.key, entry.features, current().id);
  }
  unread_.erase(unread_.begin(), unread_.begin() + count);
  passes_.pop_front();
  return {};
}

void Reading::add(const Source::Page& page, FeaturesPtr features) {
  pages_[turn_].push_back({page, std::move(features)});
  const Source& source = current();
  if (!source.forgotten()) caches_.add_page(source.id, page.key);
  if (turn_ == prefix_turn_) {
    if (num_stored_ == keys_.size() && !source.id.empty()) ++num_stored_;
    keys_.push_back(page.key);
    prefix_sources_.push_back(&source);
  }
  image_tokens_ += page.num_tokens;
  ++num_pages_;
}

void Reading::finish_source() {
  const DrawingTotals totals = drawing_->totals();
  render_seconds_ += totals.seconds;
  warnings_.insert(warnings_.end(), totals.warnings.begin(), totals.warnings.end());
  Source& source = current();
  Source::Known known;
  known.text_tokens = static_cast<int64_t>(model_.tokenizer().encode_plain(text_blocks(*source.document)).size());
  text_tokens_ += known.text_tokens;
  if (totals.num_pages == drawn_pages_.size()) {
    known.pages = std::move(drawn_pages_);
    if (!source.forgotten()) caches_.set_owner(source.id, keys_of(known));
    source.set_known(std::make_shared<const Source::Known>(std::move(known)));
  } else {  // past the window: the rest was only counted
    num_pages_ += totals.num_pages - drawn_pages_.size();
    image_tokens_ = std::max(image_tokens_, totals.num_image_tokens);
  }
  drawn_pages_.clear();
  drawing_.reset();
  ++source_;
}

}  // namespace glyph
