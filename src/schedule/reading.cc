#include "schedule/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/scripts.h"
#include "engine/stopwatch.h"
#include "vision/preprocess.h"

namespace glyph {
namespace {

std::string text_blocks(const Document& document) {
  std::string text;
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kText) text += block.text;
  }
  return text;
}

}  // namespace

Digest page_key(const Image& page) {
  Sha256 hash;
  hash.field(fmt::format("{}x{}x{}", page.width, page.height, page.channels));
  hash.update(std::span<const uint8_t>(page.pixels));
  return hash.finish();
}

Reading::Reading(const Model& model, Caches& caches, const std::vector<ChatTurn>& turns, const Digest& head, std::stop_token stop)
    : model_(model), caches_(caches), turns_(turns), head_(head), stop_(std::move(stop)), pages_(turns.size()) {}

Result<bool> Reading::step() {
  if (stop_.stop_requested()) return cancelled("reading was stopped");
  if (drawing_ == nullptr) return next_source();
  GLYPH_ASSIGN_OR_RETURN(const std::optional<Page> page, drawing_->next());
  if (page) GLYPH_RETURN_IF_ERROR(take_page(*page));
  else finish_source();
  return true;
}

// Opens the next document that must be drawn.
Result<bool> Reading::next_source() {
  for (; turn_ < turns_.size(); ++turn_, source_ = 0) {
    for (; source_ < turns_[turn_].sources.size(); ++source_) {
      if (!prefix_turn_) prefix_turn_ = turn_;
      const Source& source = *turns_[turn_].sources[source_];
      if (skip_known(source)) continue;
      DrawingOptions options;
      options.preprocessor = model_.preprocessor();
      options.max_image_tokens = std::max<int64_t>(0, model_.language().max_tokens() - image_tokens_);
      GLYPH_ASSIGN_OR_RETURN(drawing_, Drawing::start(*source.document, source.style, options, stop_));
      drawn_pages_.clear();
      const std::string text = text_blocks(*source.document);
      warnings_.insert(warnings_.end(), source.document->warnings.begin(), source.document->warnings.end());
      if (auto warning = unread_scripts_warning(source.document->name, text, model_.config().scripts)) warnings_.push_back(*warning);
      return true;
    }
  }
  return false;
}

// A document whose pages are known and all cached is not drawn again.
bool Reading::skip_known(const Source& source) {
  if (!source.known) return false;
  std::vector<FeaturesPtr> features;
  PrefixTree::Match match;
  if (turn_ == prefix_turn_ && match_.num_pages == keys_.size()) {
    std::vector<Digest> keys = keys_;
    for (const Source::Page& page : source.known->pages) keys.push_back(page.key);
    match = caches_.prefixes.find(head_, keys);
  }
  for (size_t i = 0; i < source.known->pages.size(); ++i) {
    const bool matched = keys_.size() + i < match.num_pages;
    features.push_back(matched ? nullptr : caches_.features.find(source.known->pages[i].key));
    if (!matched && features.back() == nullptr) return false;
  }
  if (match.num_pages > match_.num_pages) match_ = std::move(match);
  for (size_t i = 0; i < features.size(); ++i) add(source.known->pages[i], std::move(features[i]));
  text_tokens_ += source.known->text_tokens;
  return true;
}

bool Reading::extends_match(const Digest& key) {
  if (turn_ != prefix_turn_ || match_.num_pages != keys_.size()) return false;
  std::vector<Digest> keys = keys_;
  keys.push_back(key);
  PrefixTree::Match match = caches_.prefixes.find(head_, keys);
  if (match.num_pages != keys.size()) return false;
  match_ = std::move(match);
  return true;
}

Status Reading::take_page(const Page& page) {
  Source::Page entry{page_key(page.image), 0};
  GLYPH_ASSIGN_OR_RETURN(entry.num_tokens, num_image_tokens({page.image.width, page.image.height}, model_.preprocessor()));
  FeaturesPtr features;
  if (!extends_match(entry.key)) features = caches_.features.find(entry.key);
  if (features == nullptr && match_.num_pages <= keys_.size()) {
    const Stopwatch watch;
    GLYPH_ASSIGN_OR_RETURN(PageFeatures encoded, model_.vision().encode(page.image, stop_));
    vision_seconds_ += watch.seconds();
    features = std::make_shared<const PageFeatures>(std::move(encoded));
    caches_.features.insert(entry.key, features);
  }
  drawn_pages_.push_back(entry);
  add(entry, std::move(features));
  return {};
}

void Reading::add(const Source::Page& page, FeaturesPtr features) {
  pages_[turn_].push_back({page, std::move(features)});
  if (turn_ == prefix_turn_) keys_.push_back(page.key);
  image_tokens_ += page.num_tokens;
  ++num_pages_;
}

void Reading::finish_source() {
  const DrawingTotals totals = drawing_->totals();
  render_seconds_ += totals.seconds;
  warnings_.insert(warnings_.end(), totals.warnings.begin(), totals.warnings.end());
  Source& source = *turns_[turn_].sources[source_];
  Source::Known known;
  known.text_tokens = static_cast<int64_t>(model_.tokenizer().encode_plain(text_blocks(*source.document)).size());
  text_tokens_ += known.text_tokens;
  if (totals.num_pages == drawn_pages_.size()) {
    known.pages = std::move(drawn_pages_);
    source.known = std::move(known);
  } else {  // past the window: the rest was only counted
    num_pages_ += totals.num_pages - drawn_pages_.size();
    image_tokens_ = std::max(image_tokens_, totals.num_image_tokens);
  }
  drawn_pages_.clear();
  drawing_.reset();
  ++source_;
}

}  // namespace glyph
