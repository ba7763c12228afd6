#include "cache/caches.h"

#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "base/log.h"
#include "cache/kv_bytes.h"

namespace glyph {
namespace {

void count(CacheCounts& counts, bool hit) { ++(hit ? counts.hits : counts.misses); }

EntryHeader header_of(const Digest& page, const PageFeatures& features) {
  EntryHeader header;
  header.kind = EntryKind::kFeatures;
  header.key = header.page = page;
  header.features = {features.grid.height, features.grid.width, features.merge_size, features.values.shape()[1],
                     static_cast<int64_t>(features.values.dtype())};
  header.payload_bytes = features.values.num_bytes();
  return header;
}

EntryHeader header_of(const PrefixTree::Part& part, const KvLayout& layout) {
  EntryHeader header;
  header.kind = EntryKind::kKv;
  header.key = part.key;
  header.page = part.page;
  header.parent = part.parent;
  header.kv = {part.begin_tokens, part.end_tokens, part.next_position, layout.block_tokens, static_cast<int64_t>(layout.all_block_bytes())};
  header.payload_bytes = part.blocks.size() * layout.all_block_bytes();
  return header;
}

// Where features lie, for copies.
void* memory_of(const PageFeatures& features) { return const_cast<void*>(features.values.view().raw()); }

}  // namespace

Caches::Caches(const KvLayout& layout) : layout_(layout), features_(0), prefixes_(layout, 0) {}

Caches::Caches(KvBlockPool& pool, const CacheBudgets& budgets, DiskTierPtr disk)
    : pool_(&pool),
      layout_(pool.layout()),
      ram_bytes_(budgets.ram),
      features_(budgets.features,
                [this](const Digest& page, const PageFeatures& features) {
                  ++counts_.memory_features.evictions;
                  spill(header_of(page, features), {.features = memory_of(features)});
                }),
      prefixes_(layout_, budgets.kv,
                [this](const PrefixTree::Part& part) {
                  ++counts_.memory_kv.evictions;
                  spill(header_of(part, layout_), {.blocks = part.blocks});
                }),
      disk_(std::move(disk)) {
  use(pool);
}

// What RAM has no room for takes along what only it leads to.
void Caches::spill(const EntryHeader& header, const RamTier::Place& from) {
  if (ram_ != nullptr && !ram_->put(header, from)) ram_->forget({}, on_device());
}

RamTier::OnDevice Caches::on_device() const {
  return [this](const Digest& key) { return prefixes_.contains(key); };
}

FeaturesPtr Caches::find_features(const Digest& page) {
  FeaturesPtr found = features_.find(page);
  count(counts_.memory_features, found != nullptr);
  return found != nullptr ? found : load_features(page);
}

// From RAM, or else from the disk.
std::optional<Caches::Found> Caches::find_below(const EntryId& id) {
  const bool kv = id.kind == EntryKind::kKv;
  Found found;
  if (ram_ != nullptr) {
    found.ram = ram_->find(id);
    count(kv ? counts_.ram_kv : counts_.ram_features, found.ram != nullptr);
  }
  if (found.ram == nullptr && disk_ != nullptr) {
    found.file = disk_->load(id);
    count(kv ? counts_.disk_kv : counts_.disk_features, found.file.has_value());
  }
  return found.ram != nullptr || found.file ? std::optional(std::move(found)) : std::nullopt;
}

// False: the device failed.
bool Caches::bring_back(const Found& found, const RamTier::Place& to) {
  if (found.ram != nullptr) return ram_->copy_to(*found.ram, to);
  if (found.header().kind == EntryKind::kKv) upload_blocks(*pool_, found.file->payload(), to.blocks);
  else pool_->device().upload(to.features, found.file->payload().data(), found.file->payload().size());
  return true;
}

FeaturesPtr Caches::load_features(const Digest& page) {
  const std::optional<Found> found = find_below({EntryKind::kFeatures, page});
  if (!found) return nullptr;
  const FeatureShape& shape = found->header().features;
  auto features = std::make_shared<PageFeatures>();
  features->grid = {shape.grid_height, shape.grid_width};
  features->merge_size = shape.merge_size;
  const int64_t tokens = (shape.grid_height / shape.merge_size) * (shape.grid_width / shape.merge_size);
  features->values = Tensor(pool_->device(), static_cast<DType>(shape.dtype), {tokens, shape.columns});
  if (!bring_back(*found, {.features = memory_of(*features)})) return nullptr;
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
  return known || load_prefix(head, pages, match);
}

// What was brought back joins the tree; should the budget not hold it, the match still does.
bool Caches::load_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match) {
  const Digest before = match.num_pages == 0 ? head : match.key;
  PrefixTree::Part part{prefix_key(before, pages.back()), before, pages.back(), {}, 0, 0, 0};
  const std::optional<Found> found = find_below({EntryKind::kKv, part.key});
  if (!found) return false;
  const KvSpan& span = found->header().kv;
  if (span.block_tokens != layout_.block_tokens || span.block_bytes != static_cast<int64_t>(layout_.all_block_bytes()) ||
      span.begin_tokens != match.num_tokens) {
    if (found->file) disk_->discard({EntryKind::kKv, part.key}, "does not continue what stands before it");
    return false;
  }
  prefixes_.make_room(static_cast<size_t>(span.num_blocks()) * layout_.block_bytes());
  Result<std::vector<KvBlockPool::BlockPtr>> blocks = allocate_blocks(*pool_, static_cast<size_t>(span.num_blocks()));
  if (!blocks.ok() || !bring_back(*found, {.blocks = *blocks})) return false;  // all in use by those who run, or the device failed
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
  if (!prefixes_.insert(head, pages, part)) keep_behind_ram(part);
  return true;
}

// The end of a prompt that is longer than the tree, which holds only beginnings.
void Caches::keep_behind_ram(const PrefixTree::Part& part) {
  if (ram_ != nullptr && ram_->contains({EntryKind::kKv, part.parent})) spill(header_of(part, layout_), {.blocks = part.blocks});
}

void Caches::insert_prefix(const Digest& head, std::span<const Digest> pages, const KvCache& cache, const std::string& owner) {
  Digest before = head;
  for (const Digest& page : pages.first(pages.size() - 1)) before = prefix_key(before, page);
  const EntryId id{EntryKind::kKv, prefix_key(before, pages.back())};
  if (is_in_memory(id)) return;
  if (!prefixes_.insert(head, pages, cache) && ram_ != nullptr) {
    const RamTier::EntryPtr parent = ram_->peek({EntryKind::kKv, before});
    if (parent != nullptr) keep_behind_ram(PrefixTree::part_of(before, pages.back(), parent->header.kv.end_tokens, cache));
  }
  if (is_in_memory(id)) keep_on_disk(id, owner);
}

bool Caches::is_in_memory(const EntryId& id) const {
  const bool on_device = id.kind == EntryKind::kKv ? prefixes_.contains(id.key) : features_.peek(id.key) != nullptr;
  return on_device || (ram_ != nullptr && ram_->contains(id));
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
  for (const EntryId& id : {EntryId{EntryKind::kKv, prefix}, EntryId{EntryKind::kFeatures, page}}) {
    if (is_in_memory(id)) keep_on_disk(id, owner);
  }
}

void Caches::keep_on_disk(const EntryId& id, const std::string& owner) {
  if (disk_ == nullptr || owner.empty() || disk_->contains(id)) return;
  waiting_.push_back({id, owner});
  write_one();
}

// What was dropped from memory, and from RAM, while it waited is lost to the disk, too.
bool Caches::write_one() {
  if (waiting_.empty() || !disk_->has_room()) return false;
  const Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  if (disk_->contains(next.id)) return true;
  std::optional<EntryBuffer> entry = entry_in_memory(next.id);
  if (entry) disk_->put(*std::move(entry), next.owner);
  return true;
}

void Caches::write_all(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!waiting_.empty() && std::chrono::steady_clock::now() < end) {
    if (!write_one()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::optional<EntryBuffer> Caches::entry_in_memory(const EntryId& id) const {
  const bool kv = id.kind == EntryKind::kKv;
  const std::optional<PrefixTree::Part> part = kv ? prefixes_.part(id.key) : std::nullopt;
  const FeaturesPtr features = kv ? nullptr : features_.peek(id.key);
  const RamTier::EntryPtr spilled = part || features != nullptr || ram_ == nullptr ? nullptr : ram_->peek(id);
  if (!part && features == nullptr && spilled == nullptr) return std::nullopt;
  EntryHeader header = part ? header_of(*part, layout_) : features != nullptr ? header_of(id.key, *features) : spilled->header;
  header.identity = disk_->identity();
  EntryBuffer entry(header);
  if (part) download_blocks(*pool_, part->blocks, entry.payload());
  else if (features != nullptr) pool_->device().download(entry.payload().data(), memory_of(*features), entry.payload().size());
  else ram_->read(*spilled, entry.payload());
  if (kv) clear_behind(*pool_, header.kv.end_tokens, entry.payload());
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
  replace_ram(nullptr);  // pinned memory goes with the device, and what it was still copying may be anything
  waiting_.clear();
}

void Caches::use(KvBlockPool& pool) {
  GLYPH_CHECK(pool.layout() == layout_);
  pool_ = &pool;
  if (ram_bytes_ < layout_.all_block_bytes()) return;
  replace_ram(std::make_unique<RamTier>(pool, ram_bytes_, [this](EntryKind kind) {
    ++(kind == EntryKind::kKv ? counts_.ram_kv : counts_.ram_features).evictions;
  }));
}

// The one before ends behind the lock: it waits for its copies, and those who look do not wait for them.
void Caches::replace_ram(std::unique_ptr<RamTier> ram) {
  const std::lock_guard lock(ram_mutex_);
  ram_.swap(ram);
}

bool Caches::ram_holds(const EntryId& id) const {
  const std::lock_guard lock(ram_mutex_);
  return ram_ != nullptr && ram_->contains(id);
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
  const std::set<Digest> gone(pages.begin(), pages.end());
  prefixes_.forget(gone);
  if (ram_ != nullptr) ram_->forget(gone, on_device());
}

void Caches::retain_owners(std::vector<std::string> owners) {
  if (disk_ != nullptr) disk_->retain_owners(std::move(owners));
}

CacheStats Caches::stats() const {
  CacheStats stats = counts_;
  stats.memory_feature_bytes = features_.num_bytes();
  stats.memory_kv_bytes = prefixes_.num_bytes();
  if (ram_ != nullptr) {
    stats.ram_feature_bytes = ram_->num_bytes(EntryKind::kFeatures);
    stats.ram_kv_bytes = ram_->num_bytes(EntryKind::kKv);
  }
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
  if (ram_ != nullptr) GLYPH_RETURN_IF_ERROR(ram_->check_integrity(on_device()));
  return disk_ == nullptr ? Status() : disk_->check_integrity();
}

Status Caches::check_files() { return disk_ == nullptr ? Status() : disk_->check_files(); }

}  // namespace glyph
