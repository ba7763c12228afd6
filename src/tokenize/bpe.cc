#include "tokenize/bpe.h"

#include <algorithm>

namespace glyph {
namespace {

// Up to here a scan for the lowest rank beats a heap.
constexpr size_t kMaxShort = 96;

size_t byte_pair(uint8_t left, uint8_t right) { return static_cast<size_t>(left) << 8 | right; }

// The place of the lowest rank, the leftmost of equals.
size_t lowest(const uint32_t* ranks, size_t count) {
  uint32_t best = ranks[0];
  for (size_t i = 1; i < count; ++i) best = std::min(best, ranks[i]);
  size_t at = 0;
  while (ranks[at] != best) ++at;
  return at;
}

// Heap order: lower rank first, then further left.
bool later(const BpeScratch::Candidate& a, const BpeScratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
}

}  // namespace

BpeModel::BpeModel(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges,
                   WholePieces whole)
    : byte_ids_(byte_ids), byte_pairs_(256 * 256), pairs_(merges.size()), whole_(std::move(whole)) {
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    pairs_.insert(merges[rank].left, merges[rank].right, {static_cast<uint32_t>(rank), merges[rank].result});
  }
  for (int left = 0; left < 256; ++left) {
    for (int right = 0; right < 256; ++right) {
      byte_pairs_[byte_pair(static_cast<uint8_t>(left), static_cast<uint8_t>(right))] =
          pairs_.find(byte_ids_[left], byte_ids_[right]);
    }
  }
}

void BpeModel::encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const {
  if (piece.size() == 1) return ids.push_back(byte_ids_[static_cast<uint8_t>(piece.front())]);
  const bool cacheable = piece.size() <= WordCache::kMaxBytes;
  WordCache::Entry* entry = cacheable ? &scratch.cache.entry_for(piece) : nullptr;
  if (entry != nullptr && WordCache::holds(*entry, piece)) {
    ids.insert(ids.end(), entry->ids, entry->ids + entry->num_ids);
    return;
  }
  const size_t before = ids.size();
  const auto found = whole_.empty() ? whole_.end() : whole_.find(piece);
  if (found != whole_.end()) {
    ids.push_back(found->second);
  } else if (piece.size() <= kMaxShort) {
    encode_short(piece, ids);
  } else {
    encode_long(piece, scratch, ids);
  }
  if (entry != nullptr) WordCache::store(*entry, piece, ids.data() + before, ids.size() - before);
}

void BpeModel::encode_short(std::string_view piece, std::vector<int32_t>& ids) const {
  const auto* bytes = reinterpret_cast<const uint8_t*>(piece.data());
  size_t count = piece.size();
  int32_t symbols[kMaxShort];
  uint32_t ranks[kMaxShort];  // of the pair that begins here
  int32_t results[kMaxShort];
  for (size_t i = 0; i < count; ++i) symbols[i] = byte_ids_[bytes[i]];
  for (size_t i = 0; i + 1 < count; ++i) {
    const PairMerge merge = byte_pairs_[byte_pair(bytes[i], bytes[i + 1])];
    ranks[i] = merge.rank;
    results[i] = merge.result;
  }
  ranks[count - 1] = PairMerge::kNone;  // the last symbol begins no pair
  results[count - 1] = -1;
  const auto update = [&](size_t at) {
    const PairMerge merge = merge_of(symbols[at], symbols[at + 1]);
    ranks[at] = merge.rank;
    results[at] = merge.result;
  };
  while (count > 1) {
    const size_t at = lowest(ranks, count - 1);
    if (ranks[at] == PairMerge::kNone) break;
    symbols[at] = results[at];
    --count;
    for (size_t i = at + 1; i < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i] = ranks[i + 1];
      results[i] = results[i + 1];
    }
    ranks[count - 1] = PairMerge::kNone;
    if (at + 1 < count) update(at);
    if (at > 0) update(at - 1);
  }
  ids.insert(ids.end(), symbols, symbols + count);
}

void BpeModel::push_candidate(BpeScratch& scratch, int32_t at) const {
  const BpeScratch::Symbol& left = scratch.symbols[at];
  if (left.next < 0) return;
  const BpeScratch::Symbol& right = scratch.symbols[left.next];
  const PairMerge merge = merge_of(left.id, right.id);
  if (merge.rank == PairMerge::kNone) return;
  scratch.heap.push_back({merge.rank, at, merge.result, left.length + right.length});
}

void BpeModel::encode_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto count = static_cast<int32_t>(piece.size());
  symbols.clear();
  heap.clear();
  for (int32_t i = 0; i < count; ++i) {
    symbols.push_back({byte_ids_[static_cast<uint8_t>(piece[i])], i - 1, i + 1 < count ? i + 1 : -1, 1});
  }
  for (int32_t i = 0; i < count; ++i) push_candidate(scratch, i);
  std::make_heap(heap.begin(), heap.end(), later);
  const auto add = [&](int32_t at) {
    const size_t before = heap.size();
    push_candidate(scratch, at);
    if (heap.size() != before) std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    const BpeScratch::Candidate top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), later);
    heap.pop_back();
    BpeScratch::Symbol& left = symbols[top.at];
    if (left.length == 0 || left.next < 0 || left.length + symbols[left.next].length != top.length)
      continue;  // out of date
    BpeScratch::Symbol& right = symbols[left.next];
    left.id = top.result;
    left.length = top.length;
    right.length = 0;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = top.at;
    add(top.at);
    if (left.previous >= 0) add(left.previous);
  }
  for (int32_t at = 0; at >= 0; at = symbols[at].next) ids.push_back(symbols[at].id);
}

}  // namespace glyph
