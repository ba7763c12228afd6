#include "language/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

namespace glyph {

size_t KvLayout::half_layer_bytes() const {
  return static_cast<size_t>(num_kv_heads * block_tokens * head_dim) * size_of(dtype);
}

// What outlives the pool object while blocks are out.
struct KvBlockPool::Shared {
  std::mutex mutex;
  std::vector<DeviceMemory> slabs;  // guarded by mutex
  int64_t num_blocks = 0;           // guarded by mutex: in all slabs
  std::vector<BlockMemory> free;    // guarded by mutex
  int64_t in_use = 0;               // guarded by mutex
  int64_t max_blocks = 0;
};

KvBlockPool::KvBlockPool(Device& device, const KvLayout& layout, int64_t max_blocks)
    : device_(device), layout_(layout), shared_(std::make_shared<Shared>()) {
  GLYPH_CHECK(layout.num_layers > 0 && layout.block_bytes() > 0);
  shared_->max_blocks = max_blocks;
}

KvBlockPool::~KvBlockPool() = default;

// Called with the mutex held. Nothing is added where the device has no memory left.
void KvBlockPool::add_slab() {
  const size_t block_bytes = layout_.block_bytes();
  auto count = static_cast<int64_t>(std::max<size_t>(1, kSlabBytes / block_bytes));
  if (shared_->max_blocks > 0) count = std::min(count, std::max<int64_t>(1, shared_->max_blocks - shared_->num_blocks));
  DeviceMemory slab = device_.allocate(static_cast<size_t>(count) * block_bytes);
  if (slab == nullptr) return;
  auto* const bytes = static_cast<std::byte*>(slab.get());
  for (int64_t i = count; i-- > 0;) shared_->free.push_back({bytes + static_cast<size_t>(i) * block_bytes});
  shared_->num_blocks += count;
  shared_->slabs.push_back(std::move(slab));
}

Result<KvBlockPool::BlockPtr> KvBlockPool::allocate() {
  auto block = std::make_unique<Block>();
  {
    std::lock_guard lock(shared_->mutex);
    if (shared_->max_blocks > 0 && shared_->in_use >= shared_->max_blocks) {
      return exhausted(fmt::format("all {} blocks of the key-value cache ({} tokens each) are in use",
                                   shared_->max_blocks, layout_.block_tokens));
    }
    ++shared_->in_use;
    if (shared_->free.empty()) add_slab();
    if (!shared_->free.empty()) {
      block->memory = shared_->free.back();
      shared_->free.pop_back();
    }
  }
  return BlockPtr(block.release(), [shared = shared_](Block* returned) {
    std::lock_guard lock(shared->mutex);
    --shared->in_use;
    if (returned->memory.data != nullptr) shared->free.push_back(returned->memory);
    delete returned;
  });
}

int64_t KvBlockPool::num_blocks_in_use() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->in_use;
}

Status KvCache::reserve(int64_t count) {
  GLYPH_CHECK(count >= 0);
  const int64_t block_tokens = layout().block_tokens;
  const auto used = static_cast<size_t>((num_tokens_ + block_tokens - 1) / block_tokens);
  const auto wanted = static_cast<size_t>((num_tokens_ + count + block_tokens - 1) / block_tokens);
  std::vector<KvBlockPool::BlockPtr> blocks(
      blocks_.begin(), blocks_.begin() + static_cast<ptrdiff_t>(std::min(used, blocks_.size())));
  if (count > 0 && num_tokens_ % block_tokens != 0 &&
      blocks.back().use_count() > 2) {  // 2: blocks_ and blocks
    GLYPH_ASSIGN_OR_RETURN(KvBlockPool::BlockPtr own, pool_->allocate());
    pool_->device().copy_bytes(own->memory.get(), blocks.back()->memory.get(), layout().block_bytes());
    blocks.back() = std::move(own);
  }
  while (blocks.size() < wanted) {
    GLYPH_ASSIGN_OR_RETURN(KvBlockPool::BlockPtr block, pool_->allocate());
    blocks.push_back(std::move(block));
  }
  blocks_ = std::move(blocks);
  update_pointers();
  return {};
}

void KvCache::commit(int64_t count, int64_t next_position) {
  num_tokens_ += count;
  next_position_ = next_position;
  GLYPH_CHECK(num_tokens_ <= static_cast<int64_t>(blocks_.size()) * layout().block_tokens);
}

void KvCache::truncate(int64_t num_tokens, int64_t next_position) {
  GLYPH_CHECK(num_tokens >= 0 && num_tokens <= num_tokens_);
  num_tokens_ = num_tokens;
  next_position_ = next_position;
  const int64_t block_tokens = layout().block_tokens;
  blocks_.resize(static_cast<size_t>((num_tokens + block_tokens - 1) / block_tokens));
  update_pointers();
}

Result<KvCache> KvCache::beginning(int64_t num_tokens, int64_t next_position) const {
  KvCache result = fork();
  result.truncate(num_tokens, next_position);
  if (num_tokens == num_tokens_ || num_tokens % layout().block_tokens == 0) return result;
  GLYPH_ASSIGN_OR_RETURN(KvBlockPool::BlockPtr own, pool_->allocate());
  pool_->device().copy_bytes(own->memory.get(), result.blocks_.back()->memory.get(), layout().block_bytes());
  result.blocks_.back() = std::move(own);
  result.update_pointers();
  return result;
}

KvCache KvCache::from_blocks(KvBlockPool& pool, std::vector<KvBlockPool::BlockPtr> blocks, int64_t num_tokens,
                             int64_t next_position) {
  GLYPH_CHECK(num_tokens <= static_cast<int64_t>(blocks.size()) * pool.layout().block_tokens);
  KvCache cache(pool);
  cache.blocks_ = std::move(blocks);
  cache.num_tokens_ = num_tokens;
  cache.next_position_ = next_position;
  cache.update_pointers();
  return cache;
}

void KvCache::update_pointers() {
  std::vector<void*> pointers;
  for (const KvBlockPool::BlockPtr& block : blocks_) pointers.push_back(block->memory.get());
  if (pointers == pointers_) return;
  pointers_ = std::move(pointers);
  device_pointers_.reset();
}

ops::KvLayer KvCache::layer(int64_t index) const {
  const KvLayout& shape = layout();
  GLYPH_CHECK(index >= 0 && index < shape.num_layers);
  const size_t key_offset = static_cast<size_t>(2 * index) * shape.half_layer_bytes();
  Device& device = pool_->device();
  if (!device.host_memory() && device_pointers_ == nullptr && !pointers_.empty()) {
    const size_t num_bytes = pointers_.size() * sizeof(void*);
    DeviceMemory table = device.allocate(num_bytes);
    device.upload(table.get(), pointers_.data(), num_bytes);
    device_pointers_ = std::make_shared<const DeviceMemory>(std::move(table));
  }
  return {.blocks = pointers_,
          .device_blocks =
              device_pointers_ == nullptr ? nullptr : static_cast<const void* const*>(device_pointers_->get()),
          .key_offset = key_offset,
          .value_offset = key_offset + shape.half_layer_bytes(),
          .block_tokens = shape.block_tokens,
          .num_kv_heads = shape.num_kv_heads,
          .head_dim = shape.head_dim,
          .dtype = shape.dtype};
}

}  // namespace glyph
