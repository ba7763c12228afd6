#include "language/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <mutex>

namespace glyph {

Result<KvPrecision> parse_kv_precision(std::string_view text) {
  if (text == "auto") return KvPrecision::kAuto;
  if (text == "fp8") return KvPrecision::kFp8;
  return usage_error(fmt::format("'{:.100}' is none of auto, fp8", text));
}

DType kv_type(KvPrecision precision, DType compute) { return precision == KvPrecision::kFp8 ? DType::kE4M3 : compute; }

size_t KvLayout::half_layer_bytes() const { return ops::kv_half_bytes(num_kv_heads, block_tokens, head_dim, dtype); }

// What outlives the pool object while blocks are out.
struct KvBlockPool::Shared {
  std::mutex mutex;
  std::vector<DeviceMemory> slabs;  // guarded by mutex: of all devices
  int64_t num_blocks = 0;           // guarded by mutex: in the slabs of each
  std::vector<Block> free;          // guarded by mutex
  int64_t in_use = 0;               // guarded by mutex
  int64_t max_blocks = 0;
};

namespace {

std::vector<Device*> only(Device& device) { return {&device}; }

}  // namespace

KvBlockPool::KvBlockPool(Device& device, const KvLayout& layout, int64_t max_blocks)
    : KvBlockPool(only(device), layout, max_blocks) {}

KvBlockPool::KvBlockPool(std::span<Device* const> devices, const KvLayout& layout, int64_t max_blocks)
    : devices_(devices.begin(), devices.end()), layout_(layout), shared_(std::make_shared<Shared>()) {
  GLYPH_CHECK(std::ssize(devices_) == layout.num_ranks && layout.num_layers > 0 && layout.block_bytes() > 0);
  shared_->max_blocks = max_blocks;
}

KvBlockPool::~KvBlockPool() = default;

// Called with the mutex held. Nothing is added where a device has no memory left.
void KvBlockPool::add_slabs() {
  const size_t block_bytes = layout_.block_bytes();
  auto count = static_cast<int64_t>(std::max<size_t>(1, kSlabBytes / block_bytes));
  if (shared_->max_blocks > 0) count = std::min(count, std::max<int64_t>(1, shared_->max_blocks - shared_->num_blocks));
  std::vector<DeviceMemory> slabs;
  for (Device* device : devices_) {
    slabs.push_back(device->allocate(static_cast<size_t>(count) * block_bytes));
    if (slabs.back() == nullptr) return;
  }
  const auto place = [&](size_t rank, int64_t index) {
    return BlockMemory{static_cast<std::byte*>(slabs[rank].get()) + static_cast<size_t>(index) * block_bytes};
  };
  for (int64_t i = count; i-- > 0;) {
    Block block{.memory = place(0, i)};
    for (size_t rank = 1; rank < slabs.size(); ++rank) block.others.push_back(place(rank, i));
    shared_->free.push_back(std::move(block));
  }
  shared_->num_blocks += count;
  std::move(slabs.begin(), slabs.end(), std::back_inserter(shared_->slabs));
}

Result<KvBlockPool::BlockPtr> KvBlockPool::allocate() {
  auto block = std::make_unique<Block>();
  block->others.resize(devices_.size() - 1);
  {
    std::lock_guard lock(shared_->mutex);
    if (shared_->max_blocks > 0 && shared_->in_use >= shared_->max_blocks) {
      return exhausted(fmt::format("all {} blocks of the key-value cache ({} tokens each) are in use",
                                   shared_->max_blocks, layout_.block_tokens));
    }
    ++shared_->in_use;
    if (shared_->free.empty()) add_slabs();
    if (!shared_->free.empty()) {
      *block = std::move(shared_->free.back());
      shared_->free.pop_back();
    }
  }
  return BlockPtr(block.release(), [shared = shared_](Block* returned) {
    std::lock_guard lock(shared->mutex);
    --shared->in_use;
    if (returned->memory.data != nullptr) shared->free.push_back(std::move(*returned));
    delete returned;
  });
}

Result<KvBlockPool::BlockPtr> KvBlockPool::copy_of(const Block& block) {
  GLYPH_ASSIGN_OR_RETURN(BlockPtr own, allocate());
  for (int rank = 0; rank < num_ranks(); ++rank) {
    device(rank).copy_bytes(own->of(rank).get(), block.of(rank).get(), layout_.block_bytes());
  }
  return own;
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
  // Most tokens go into a block that nobody shares.
  if (used == wanted && used > 0 && blocks_.size() == used && blocks_.back().use_count() == 1) return {};
  std::vector<KvBlockPool::BlockPtr> blocks(
      blocks_.begin(), blocks_.begin() + static_cast<ptrdiff_t>(std::min(used, blocks_.size())));
  if (count > 0 && num_tokens_ % block_tokens != 0 &&
      blocks.back().use_count() > 2) {  // 2: blocks_ and blocks
    GLYPH_ASSIGN_OR_RETURN(blocks.back(), pool_->copy_of(*blocks.back()));
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
  const auto wanted = static_cast<size_t>((num_tokens + block_tokens - 1) / block_tokens);
  if (blocks_.size() == wanted) return;
  blocks_.resize(wanted);
  update_pointers();
}

Result<KvCache> KvCache::beginning(int64_t num_tokens, int64_t next_position) const {
  KvCache result = fork();
  result.truncate(num_tokens, next_position);
  if (num_tokens == num_tokens_ || num_tokens % layout().block_tokens == 0) return result;
  GLYPH_ASSIGN_OR_RETURN(result.blocks_.back(), pool_->copy_of(*result.blocks_.back()));
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
  pointers_.resize(static_cast<size_t>(pool_->num_ranks()));
  for (int rank = 0; rank < pool_->num_ranks(); ++rank) {
    std::vector<void*> blocks;
    for (const KvBlockPool::BlockPtr& block : blocks_) blocks.push_back(block->of(rank).get());
    Pointers& pointers = pointers_[static_cast<size_t>(rank)];
    if (blocks != pointers.blocks) pointers = {.blocks = std::move(blocks)};
  }
}

ops::KvLayer KvCache::layer(int64_t index, int rank) const {
  const KvLayout& shape = layout();
  GLYPH_CHECK(index >= 0 && index < shape.num_layers && static_cast<size_t>(rank) < pointers_.size());
  const size_t key_offset = static_cast<size_t>(2 * index) * shape.half_layer_bytes();
  Pointers& pointers = pointers_[static_cast<size_t>(rank)];
  Device& device = pool_->device(rank);
  if (!device.host_memory() && pointers.for_kernels == nullptr && !pointers.blocks.empty()) {
    const size_t num_bytes = pointers.blocks.size() * sizeof(void*);
    DeviceMemory table = device.allocate(num_bytes);
    device.upload(table.get(), pointers.blocks.data(), num_bytes);
    pointers.for_kernels = std::make_shared<const DeviceMemory>(std::move(table));
  }
  return {.blocks = pointers.blocks,
          .device_blocks =
              pointers.for_kernels == nullptr ? nullptr : static_cast<const void* const*>(pointers.for_kernels->get()),
          .key_offset = key_offset,
          .value_offset = key_offset + shape.half_layer_bytes(),
          .block_tokens = shape.block_tokens,
          .num_kv_heads = shape.num_kv_heads,
          .head_dim = shape.head_dim,
          .dtype = shape.dtype};
}

}  // namespace glyph
