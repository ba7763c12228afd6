#include "cache/caches.h"

#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "cache/kv_bytes.h"

namespace glyph {
namespace {

void count(CacheCounts& counts, bool hit) { ++(hit ? counts.hits : counts.misses); }

int64_t blocks_for(int64_t tokens, const KvLayout& layout) { return (tokens + layout.block_tokens - 1) / layout.block_tokens; }

}  // namespace

Caches::Caches(const KvLayout& layout, size_t feature_bytes, size_t prefix_bytes)
    : layout_(layout), features_(feature_bytes), prefixes_(layout, prefix_bytes) {}

Caches::Caches(KvBlockPool& pool, size_t feature_bytes, size_t prefix_bytes, DiskTierPtr disk)
    : pool_(&pool), layout_(pool.layout()), features_(feature_bytes), prefixes_(pool.layout(), prefix_bytes), disk_(std::move(disk)) {}

FeaturesPtr Caches::find_features(const Digest& page) {
  FeaturesPtr found = features_.find(page);
  count(counts_.memory_features, found != nullptr);
  return found != nullptr || disk_ == nullptr ? found : load_features(page);
}

FeaturesPtr Caches::load_features(const Digest& page) {
  const std::optional<EntryBuffer> entry = disk_->load({EntryKind::kFeatures, page});
  count(counts_.disk_features, entry.has_value());
  if (!entry) return nullptr;
  const FeatureShape& shape = entry->header().features;
  auto features = std::make_shared<PageFeatures>();
  features->grid = {shape.grid_height, shape.grid_width};
  features->merge_size = shape.merge_size;
  const int64_t tokens = (shape.grid_height / shape.merge_size) * (shape.grid_width / shape.merge_size);
  features->values = Tensor(pool_->device(), static_cast<DType>(shape.dtype), {tokens, shape.columns});
  pool_->device().upload(features->values.view().raw(), entry->payload().data(), entry->payload().size());
  features_.insert(page, features);
  return features;
}

void Caches::insert_features(const Digest& page, FeaturesPtr features, const std::string& owner) {
  features_.insert(page, std::move(features));
  keep_on_disk({EntryKind::kFeatures, page}, owner);
}

PrefixTree::Match Caches::find_prefix(const Digest& head, std::span<const Digest> pages) {
  PrefixTree::Match match = prefixes_.find(head, pages);
  counts_.memory_kv.hits += match.num_pages;
  return match;
}

bool Caches::extend_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match) {
  PrefixTree::Match longer = prefixes_.find(head, pages);
  const bool known = longer.num_pages == pages.size();
  count(counts_.memory_kv, known);
  if (known) match = std::move(longer);
  return known || (disk_ != nullptr && load_prefix(head, pages, match));
}

// What was read joins the tree; should the budget not hold it, the match still does.
bool Caches::load_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match) {
  const Digest before = match.num_pages == 0 ? head : match.key;
  PrefixTree::Part part{prefix_key(before, pages.back()), before, pages.back(), {}, 0, 0, 0};
  const std::optional<EntryBuffer> entry = disk_->load({EntryKind::kKv, part.key});
  count(counts_.disk_kv, entry.has_value());
  if (!entry) return false;
  const KvSpan& span = entry->header().kv;
  if (span.block_tokens != layout_.block_tokens || span.block_bytes != static_cast<int64_t>(layout_.all_block_bytes()) ||
      span.begin_tokens != match.num_tokens) {
    disk_->discard({EntryKind::kKv, part.key}, "does not continue what stands before it");
    return false;
  }
  prefixes_.make_room(entry->payload().size());
  Result<std::vector<KvBlockPool::BlockPtr>> blocks = upload_blocks(*pool_, entry->payload());
  if (!blocks.ok()) return false;  // all in use by those who run
  part.blocks = *std::move(blocks);
  part.begin_tokens = span.begin_tokens;
  part.end_tokens = span.end_tokens;
  part.next_position = span.next_position;
  match.blocks.resize(static_cast<size_t>(part.begin_tokens / layout_.block_tokens));
  match.blocks.insert(match.blocks.end(), part.blocks.begin(), part.blocks.end());
  match.num_tokens = part.end_tokens;
  match.next_position = part.next_position;
  match.key = part.key;
  ++match.num_pages;
  prefixes_.insert(head, pages, std::move(part));
  return true;
}

void Caches::insert_prefix(const Digest& head, std::span<const Digest> pages, const KvCache& cache, const std::string& owner) {
  if (!prefixes_.insert(head, pages, cache)) return;
  if (disk_ == nullptr || owner.empty()) return;
  Digest key = head;
  for (const Digest& page : pages) key = prefix_key(key, page);
  keep_on_disk({EntryKind::kKv, key}, owner);
}

bool Caches::is_on_disk(const Digest& head, std::span<const Digest> pages) const {
  if (disk_ == nullptr) return false;
  Digest key = head;
  for (const Digest& page : pages) {
    key = prefix_key(key, page);
    if (!disk_->contains({EntryKind::kKv, key})) return false;
  }
  return true;
}

void Caches::keep_stored(const Digest& page, const Digest& prefix, const std::string& owner) {
  if (prefixes_.contains(prefix)) keep_on_disk({EntryKind::kKv, prefix}, owner);
  if (features_.peek(page) != nullptr) keep_on_disk({EntryKind::kFeatures, page}, owner);
}

void Caches::keep_on_disk(const EntryId& id, const std::string& owner) {
  if (disk_ == nullptr || owner.empty() || disk_->contains(id)) return;
  waiting_.push_back({id, owner});
  write_one();
}

// What was dropped from memory while it waited is lost to the disk, too.
bool Caches::write_one() {
  if (waiting_.empty() || !disk_->has_room()) return false;
  const Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  if (disk_->contains(next.id)) return true;
  std::optional<EntryBuffer> entry = next.id.kind == EntryKind::kKv ? kv_entry(next.id.key) : features_entry(next.id.key);
  if (entry) disk_->put(*std::move(entry), next.owner);
  return true;
}

void Caches::write_all(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!waiting_.empty() && std::chrono::steady_clock::now() < end) {
    if (!write_one()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::optional<EntryBuffer> Caches::features_entry(const Digest& page) const {
  const FeaturesPtr features = features_.peek(page);
  if (features == nullptr) return std::nullopt;
  EntryHeader header;
  header.kind = EntryKind::kFeatures;
  header.identity = disk_->identity();
  header.key = header.page = page;
  header.features = {features->grid.height, features->grid.width, features->merge_size, features->values.shape()[1],
                     static_cast<int64_t>(features->values.dtype())};
  header.payload_bytes = features->values.num_bytes();
  EntryBuffer entry(header);
  pool_->device().download(entry.payload().data(), features->values.view().raw(), entry.payload().size());
  return was_downloaded() ? std::optional(std::move(entry)) : std::nullopt;
}

std::optional<EntryBuffer> Caches::kv_entry(const Digest& key) const {
  const std::optional<PrefixTree::Part> part = prefixes_.part(key);
  if (!part) return std::nullopt;
  EntryHeader header;
  header.kind = EntryKind::kKv;
  header.identity = disk_->identity();
  header.key = key;
  header.page = part->page;
  header.parent = part->parent;
  header.kv = {part->begin_tokens, part->end_tokens, part->next_position, layout_.block_tokens, static_cast<int64_t>(layout_.all_block_bytes())};
  header.payload_bytes = part->blocks.size() * layout_.all_block_bytes();
  EntryBuffer entry(header);
  const int64_t in_last = part->end_tokens - (blocks_for(part->end_tokens, layout_) - 1) * layout_.block_tokens;
  download_blocks(*pool_, part->blocks, in_last, entry.payload());
  return was_downloaded() ? std::optional(std::move(entry)) : std::nullopt;
}

// A GPU that failed gives zeros, which nobody may find on disk.
bool Caches::was_downloaded() const {
  bool downloaded = true;
  for (int rank = 0; rank < pool_->num_ranks(); ++rank) {
    const Status status = pool_->device(rank).take_status();
    if (!status.ok()) log_warning("a page is not kept on disk: {}", status.message());
    downloaded = downloaded && status.ok();
  }
  return downloaded;
}

void Caches::drop_memory() {
  features_.clear();
  prefixes_.clear();
  waiting_.clear();
}

void Caches::use(KvBlockPool& pool) {
  GLYPH_CHECK(pool.layout() == layout_);
  if (pool_ != nullptr) pool_ = &pool;
}

void Caches::add_page(const std::string& owner, const Digest& page) {
  if (!owner.empty()) owners_.add(owner, page);
}

void Caches::set_owner(const std::string& owner, const std::vector<Digest>& pages) {
  if (owner.empty()) return;
  forget_pages(owners_.set(owner, pages));
  if (disk_ != nullptr) disk_->set_owner(owner, pages);
}

void Caches::touch(const std::string& owner) {
  if (disk_ != nullptr && !owner.empty()) disk_->touch(owner);
}

void Caches::forget(const std::string& owner) {
  forget_pages(owners_.remove(owner));
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.owner == owner; });
  if (disk_ != nullptr) disk_->remove_owner(owner);
}

void Caches::forget_pages(const std::vector<Digest>& pages) {
  if (pages.empty()) return;
  for (const Digest& page : pages) features_.erase(page);
  prefixes_.forget({pages.begin(), pages.end()});
}

void Caches::retain_owners(std::vector<std::string> owners) {
  if (disk_ != nullptr) disk_->retain_owners(std::move(owners));
}

CacheStats Caches::stats() const {
  CacheStats stats = counts_;
  stats.memory_feature_bytes = features_.num_bytes();
  stats.memory_kv_bytes = prefixes_.num_bytes();
  stats.num_waiting = waiting_.size();
  return with_disk(stats);
}

CacheStats Caches::with_disk(CacheStats stats) const {
  if (disk_ == nullptr) return stats;
  stats.num_writing = disk_->num_waiting();
  stats.disk = disk_->stats();
  return stats;
}

Status Caches::check_integrity() const {
  GLYPH_RETURN_IF_ERROR(features_.check_integrity());
  GLYPH_RETURN_IF_ERROR(prefixes_.check_integrity());
  return disk_ == nullptr ? Status() : disk_->check_integrity();
}

Status Caches::check_files() { return disk_ == nullptr ? Status() : disk_->check_files(); }

}  // namespace glyph
