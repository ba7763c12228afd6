// KvCache: the keys and values of one sequence, in blocks that sequences may share.
//
// A block holds all layers of block_tokens positions in one piece of memory, so that it can be shared, moved
// to another tier or written to disk as it is. Full blocks never change. A sequence that appends to a block
// that others hold gets its own copy first.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "ops/attention.h"
#include "tensor/tensor.h"

namespace glyph {

// What keys and values are kept in.
enum class KvPrecision {
  kAuto,  // the type that the model computes in
  kFp8,   // e4m3, of which ops::KvLayer says more: half the bytes of bf16
};

// "auto" or "fp8".
Result<KvPrecision> parse_kv_precision(std::string_view text);
// Of a model that computes in `compute`.
DType kv_type(KvPrecision precision, DType compute);

// How a block is laid out: for each layer keys, then values, as ops::KvLayer says, of dtype.
struct KvLayout {
  int64_t num_layers = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t block_tokens = 64;  // a multiple of 64
  DType dtype = DType::kF32;
  int num_ranks = 1;  // devices that hold a part of every block; all else is of one of them

  size_t half_layer_bytes() const;  // keys, or values, of one layer in one block, scales included
  size_t block_bytes() const { return half_layer_bytes() * 2 * static_cast<size_t>(num_layers); }
  size_t all_block_bytes() const { return block_bytes() * static_cast<size_t>(num_ranks); }  // of a block on all devices
  size_t token_bytes() const { return block_bytes() / static_cast<size_t>(block_tokens); }
  bool operator==(const KvLayout&) const = default;
};

// Where several devices compute together, each has the part of every block that holds its own heads; all parts are of one layout.
//
// Hands out blocks up to a limit; returned memory is kept for the next one. Any thread. Blocks may outlive
// the pool, but not the device. Memory is taken from the device for many blocks at once: a GPU gives it in pages of
// 2 MiB, and slowly.
class KvBlockPool {
 public:
  // A block's place in memory that the pool owns.
  struct BlockMemory {
    void* data = nullptr;  // null: the device has none left
    void* get() const { return data; }
  };
  struct Block {
    BlockMemory memory;
    std::vector<BlockMemory> others = {};  // of the ranks from 1 on

    const BlockMemory& of(int rank) const { return rank == 0 ? memory : others[static_cast<size_t>(rank) - 1]; }
  };
  using BlockPtr = std::shared_ptr<Block>;

  // max_blocks 0: no limit.
  KvBlockPool(Device& device, const KvLayout& layout, int64_t max_blocks = 0);
  // In the order of the ranks, as many as the layout says.
  KvBlockPool(std::span<Device* const> devices, const KvLayout& layout, int64_t max_blocks = 0);
  ~KvBlockPool();
  KvBlockPool(const KvBlockPool&) = delete;
  KvBlockPool& operator=(const KvBlockPool&) = delete;

  // kExhausted at the limit; says how many blocks there are.
  Result<BlockPtr> allocate();
  // Likewise. On the thread that queues work.
  Result<BlockPtr> copy_of(const Block& block);

  const KvLayout& layout() const { return layout_; }
  Device& device(int rank = 0) const { return *devices_[static_cast<size_t>(rank)]; }
  int num_ranks() const { return static_cast<int>(devices_.size()); }
  int64_t num_blocks_in_use() const;

 private:
  static constexpr size_t kSlabBytes = size_t{32} << 20;  // about

  struct Shared;
  void add_slabs();
  const std::vector<Device*> devices_;
  KvLayout layout_;
  std::shared_ptr<Shared> shared_;
};

// One thread at a time. Moves; fork() shares blocks.
class KvCache {
 public:
  explicit KvCache(KvBlockPool& pool) : pool_(&pool) {}
  KvCache(KvCache&&) noexcept = default;
  KvCache& operator=(KvCache&&) noexcept = default;

  const KvLayout& layout() const { return pool_->layout(); }
  int64_t num_tokens() const { return num_tokens_; }
  // Rotary position, on all three axes, of the next text token: num_tokens minus what pages save. Reference:
  // rope_deltas.
  int64_t next_position() const { return next_position_; }

  // Makes room for `count` more tokens; on kExhausted nothing changed. The tokens count once commit() says
  // so.
  Status reserve(int64_t count);
  void commit(int64_t count, int64_t next_position);
  // Forgets everything from token `num_tokens` on; the caller knows the rotary position that belongs to it.
  void truncate(int64_t num_tokens, int64_t next_position);

  // A cache with the same content, sharing the blocks.
  KvCache fork() const { return *this; }
  // A cache with the first `num_tokens` of them, of whose last one the caller knows what rotary position follows. Shares the blocks but the
  // one in which it ends: of that it gets a copy, unless this cache ends there, too. kExhausted: no block for it.
  Result<KvCache> beginning(int64_t num_tokens, int64_t next_position) const;
  // Starts from blocks that are already filled: a cached prefix. num_tokens may end inside the last block.
  static KvCache from_blocks(KvBlockPool& pool, std::vector<KvBlockPool::BlockPtr> blocks, int64_t num_tokens,
                             int64_t next_position);

  const std::vector<KvBlockPool::BlockPtr>& blocks() const { return blocks_; }
  // For the ops of a rank; valid until the next reserve(). On the thread that queues that rank's work.
  ops::KvLayer layer(int64_t index, int rank = 0) const;

 private:
  KvCache(const KvCache&) = default;  // fork() spells it out
  void update_pointers();

  KvBlockPool* pool_;
  std::vector<KvBlockPool::BlockPtr> blocks_;
  struct Pointers {
    std::vector<void*> blocks;                         // of blocks_, for the ops
    std::shared_ptr<const DeviceMemory> for_kernels = {};  // the same for kernels of a GPU; null: to be made
  };
  mutable std::vector<Pointers> pointers_;  // by rank
  int64_t num_tokens_ = 0;
  int64_t next_position_ = 0;
};

}  // namespace glyph
