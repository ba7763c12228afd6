// Attention on a processor with AMX, forward and backward, for bfloat16 heads of 64 numbers: what PyTorch's own takes most of a step for.
//
// As Dao et al. 2022, "FlashAttention", the backward pass computes the probabilities again from the logarithm of each row's sum. Blocks of 32 rows by
// 32 columns are products of 2 x 2 AMX tiles. `keys` and so on are padded to whole blocks; what is padded counts nothing.
#include <ATen/Parallel.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <torch/extension.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace {

using Half = uint16_t;  // a bfloat16 number

constexpr long kHead = 64, kBlock = 32;
constexpr long kKeys = 128, kQueries = 256;  // of the backward pass at a time: three blocks of probabilities stay in the second cache
constexpr long kTile = 512;                  // numbers of bfloat16 in a tile
constexpr float kScale = 0.125f, kLog2e = 1.44269504f;

const bool kAllowed = [] { return ::syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0; }();

// Eight tiles of 16 rows of 64 bytes; what was configured before comes back.
class Tiles {
 public:
  Tiles() {
    Config config{.palette = 1};
    std::fill_n(config.row_bytes, 8, 64);
    std::fill_n(config.rows, 8, 16);
    _tile_storeconfig(&before_);
    _tile_loadconfig(&config);
  }
  ~Tiles() {
    if (before_.palette != 0) _tile_loadconfig(&before_);
    else _tile_release();
  }

 private:
  struct alignas(64) Config {
    uint8_t palette = 0, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  };
  Config before_;
};

// Memory of a thread that is kept for the next call.
template <typename T>
class Kept {
 public:
  ~Kept() { std::free(memory_); }
  T* get(long count) {
    if (count > count_) {
      std::free(memory_);
      memory_ = static_cast<T*>(std::aligned_alloc(64, (static_cast<size_t>(count) * sizeof(T) + 127) / 64 * 64));
      count_ = count;
    }
    return memory_;
  }

 private:
  T* memory_ = nullptr;
  long count_ = 0;
};

// Tiles 0 to 3 are a block of 32 x 32 sums.
void clear_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}
void load_sums(const float* from, long stride) {
  _tile_loadd(0, from, stride * 4);
  _tile_loadd(1, from + 16, stride * 4);
  _tile_loadd(2, from + 16 * stride, stride * 4);
  _tile_loadd(3, from + 16 * stride + 16, stride * 4);
}
void store_sums(float* to, long stride) {
  _tile_stored(0, to, stride * 4);
  _tile_stored(1, to + 16, stride * 4);
  _tile_stored(2, to + 16 * stride, stride * 4);
  _tile_stored(3, to + 16 * stride + 16, stride * 4);
}
// sums += rows (32 x 32, `stride` numbers apart) * two packed tiles of 32 x 16
void add_product(const Half* rows, long stride, const Half* left, const Half* right) {
  _tile_loadd(4, rows, stride * 2);
  _tile_loadd(6, left, 64);
  _tile_dpbf16ps(0, 4, 6);
  _tile_loadd(5, rows + 16 * stride, stride * 2);
  _tile_dpbf16ps(2, 5, 6);
  _tile_loadd(7, right, 64);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(3, 5, 7);
}
// sums = 32 rows of 64 numbers * the transpose of 32 others, which pack_transposed() packed
void multiply_transposed(const Half* rows, const Half* packed) {
  clear_sums();
  add_product(rows, kHead, packed, packed + 2 * kTile);
  add_product(rows + 32, kHead, packed + kTile, packed + 3 * kTile);
}

void pad(const Half* from, long rows, long padded, Half* to) {
  std::memcpy(to, from, static_cast<size_t>(rows * kHead) * sizeof(Half));
  std::memset(to + rows * kHead, 0, static_cast<size_t>((padded - rows) * kHead) * sizeof(Half));
}
// rows x 64 -> the right side of a product with its transpose: for 16 rows, two tiles of 32 numbers each.
void pack_transposed(const Half* from, long rows, long padded, Half* to) {
  for (long block = 0; block < padded / 16; ++block) {
    for (long half = 0; half < 2; ++half) {
      auto* tile = reinterpret_cast<uint32_t*>(to + (block * 2 + half) * kTile);
      for (long r = 0; r < 16; ++r) {
        const long row = block * 16 + r;
        const auto* pairs = reinterpret_cast<const uint32_t*>(from + row * kHead + half * 32);
        for (long pair = 0; pair < 16; ++pair) tile[pair * 16 + r] = row < rows ? pairs[pair] : 0;
      }
    }
  }
}
// rows x 64 -> the right side of a product with it: for 32 rows, four tiles of 16 columns each.
void pack(const Half* from, long rows, long padded, Half* to) {
  for (long block = 0; block < padded / 32; ++block) {
    for (long columns = 0; columns < 4; ++columns) {
      Half* tile = to + (block * 4 + columns) * kTile;
      for (long r = 0; r < 32; ++r) {
        const long row = block * 32 + r;
        for (long c = 0; c < 16; ++c) tile[r / 2 * 32 + c * 2 + r % 2] = row < rows ? from[row * kHead + columns * 16 + c] : 0;
      }
    }
  }
}

// 2^x to about 2e-6, enough for bfloat16.
__m512 exp2(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-126.0f));
  const __m512 whole = _mm512_roundscale_ps(x, 0), part = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(1.3333558e-3f);
  for (const float coefficient : {9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f}) {
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(coefficient));
  }
  return _mm512_scalef_ps(y, whole);
}
__m512 widen(const Half* from) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))), 16));
}
void store_half(Half* to, __m512 x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x)); }
// The first `count` of 16.
__mmask16 first(long count) { return static_cast<__mmask16>(count >= 16 ? 0xFFFF : count <= 0 ? 0 : (1u << count) - 1); }

const Half* data(const at::Tensor& t) { return static_cast<const Half*>(t.data_ptr()); }
Half* data(at::Tensor& t) { return static_cast<Half*>(t.data_ptr()); }
long padded(long count) { return (count + kBlock - 1) / kBlock * kBlock; }

// q (B, H, N, 64), k, v (B, KV, N, 64), bfloat16; query head h reads KV head h / (H / KV). -> the values (B, H, N, 64), and of each row the
// logarithm (base 2) of its sum of exponentials (B, H, N), float32.
std::vector<at::Tensor> forward(at::Tensor q, at::Tensor k, at::Tensor v, bool causal) {
  TORCH_CHECK(kAllowed && q.dtype() == at::kBFloat16 && q.size(3) == kHead && k.size(2) == q.size(2) && v.size(2) == q.size(2));
  q = q.contiguous(), k = k.contiguous(), v = v.contiguous();
  const long heads = q.size(1), n = q.size(2), group = heads / k.size(1), np = padded(n);
  at::Tensor out = at::empty_like(q), sums = at::empty({q.size(0), heads, n}, q.options().dtype(at::kFloat));
  at::parallel_for(0, q.size(0) * heads, 1, [&](long begin, long end) {
    static thread_local Kept<Half> queries_, keys_, values_, shares_;
    static thread_local Kept<float> scores_;
    Half *queries = queries_.get(np * kHead), *keys = keys_.get(np * kHead), *values = values_.get(np * kHead), *shares = shares_.get(kBlock * np);
    float* scores = scores_.get(kBlock * np);
    const Tiles tiles;
    for (long head = begin; head < end; ++head) {
      const long from = head / group * n * kHead;  // batch * KV + h / group, as H is a multiple of the group
      if (head == begin || head % group == 0) {
        pack_transposed(data(k) + from, n, np, keys);
        pack(data(v) + from, n, np, values);
      }
      pad(data(q) + head * n * kHead, n, np, queries);
      for (long i = 0; i < np; i += kBlock) {
        const long reach = causal ? i + kBlock : np;
        for (long j = 0; j < reach; j += kBlock) {
          multiply_transposed(queries + i * kHead, keys + j * kHead);
          store_sums(scores + j, np);
        }
        float inverse[kBlock] = {};
        for (long r = 0; r < kBlock && i + r < n; ++r) {
          const float* row = scores + r * np;
          const long seen = causal ? i + r + 1 : n;
          __m512 most = _mm512_set1_ps(-1e30f), sum = _mm512_setzero_ps();
          for (long j = 0; j < seen; j += 16) most = _mm512_mask_max_ps(most, first(seen - j), most, _mm512_load_ps(row + j));
          const float top = _mm512_reduce_max_ps(most) * kScale * kLog2e;
          for (long j = 0; j < reach; j += 16) {
            const __m512 power = _mm512_fmsub_ps(_mm512_load_ps(row + j), _mm512_set1_ps(kScale * kLog2e), _mm512_set1_ps(top));
            const __m512 share = _mm512_maskz_mov_ps(first(seen - j), exp2(power));
            sum = _mm512_add_ps(sum, share);
            store_half(shares + r * np + j, share);
          }
          const float total = _mm512_reduce_add_ps(sum);
          sums.data_ptr<float>()[head * n + i + r] = top + std::log2(total);
          inverse[r] = 1 / total;
        }
        alignas(64) float block[kBlock * kHead];
        for (long d = 0; d < kHead; d += kBlock) {
          clear_sums();
          for (long j = 0; j < reach; j += kBlock) {
            const Half* packed = values + (j / 32 * 4 + d / 16) * kTile;
            add_product(shares + j, np, packed, packed + kTile);
          }
          store_sums(block + d, kHead);
        }
        for (long r = 0; r < kBlock && i + r < n; ++r) {
          for (long d = 0; d < kHead; d += 16) {
            store_half(data(out) + (head * n + i + r) * kHead + d, _mm512_mul_ps(_mm512_load_ps(block + r * kHead + d), _mm512_set1_ps(inverse[r])));
          }
        }
      }
    }
  });
  return {out, sums};
}

// Of some keys (rows) and queries (columns): the probabilities, the gradients of the scores, and these once more as a right side (pairs of keys).
struct Shares {
  Half *share, *gradient, *packed;
  Half* packed_at(long key, long query) const { return packed + (key / 32 * (kQueries / 16) + query / 16) * kTile; }
};

struct HeadGradient {
  const Half *keys, *values;                    // padded rows
  const Half *queries_packed, *output_packed;   // transposed; output: the gradient of the head's output
  const float *sums, *delta;                    // of each query: what forward() gave, and the product of output and gradient (D of the paper)
  long n;
  bool causal;

  // The block of 32 keys from j and 32 queries from i, which is put at (key, query) of `to`.
  void compute(long j, long i, long key, long query, const Shares& to) const {
    Half *share = to.share + key * kQueries + query, *gradient = to.gradient + key * kQueries + query, *packed = to.packed_at(key, query);
    if (causal && i + kBlock <= j) {
      for (long r = 0; r < kBlock; ++r) {
        std::memset(share + r * kQueries, 0, kBlock * sizeof(Half));
        std::memset(gradient + r * kQueries, 0, kBlock * sizeof(Half));
      }
      std::memset(packed, 0, 2 * kTile * sizeof(Half));
      return;
    }
    alignas(64) float scores[kBlock * kBlock], products[kBlock * kBlock];
    multiply_transposed(keys + j * kHead, queries_packed + i * kHead);
    store_sums(scores, kBlock);
    multiply_transposed(values + j * kHead, output_packed + i * kHead);
    store_sums(products, kBlock);
    alignas(64) static constexpr uint16_t kPairs[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i pairs = _mm512_load_si512(kPairs);
    const bool whole = j + kBlock <= n && (!causal || i >= j + kBlock - 1);
    for (long half = 0; half < 2; ++half) {
      const __m512 sum = _mm512_loadu_ps(sums + i + half * 16), D = _mm512_loadu_ps(delta + i + half * 16);
      for (long r = 0; r < kBlock; r += 2) {
        __m512 two[2];
        for (long z = 0; z < 2; ++z) {
          const long at = (r + z) * kBlock + half * 16;
          __m512 p = exp2(_mm512_fmsub_ps(_mm512_load_ps(scores + at), _mm512_set1_ps(kScale * kLog2e), sum));
          if (!whole) {
            const long before = causal ? j + r + z - (i + half * 16) : 0;  // queries that come before this key
            p = _mm512_maskz_mov_ps(j + r + z < n ? static_cast<__mmask16>(~first(before)) : 0, p);
          }
          two[z] = _mm512_mul_ps(_mm512_mul_ps(p, _mm512_set1_ps(kScale)), _mm512_sub_ps(_mm512_load_ps(products + at), D));
          store_half(share + (r + z) * kQueries + half * 16, p);
        }
        const auto both = (__m512i)_mm512_cvtne2ps_pbh(two[1], two[0]);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(gradient + r * kQueries + half * 16), _mm512_castsi512_si256(both));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(gradient + (r + 1) * kQueries + half * 16), _mm512_extracti64x4_epi64(both, 1));
        _mm512_storeu_si512(packed + half * kTile + r / 2 * 32, _mm512_permutexvar_epi16(pairs, both));
      }
    }
  }
};

// to[32 keys x 64] += left (32 keys x the queries) * packed rows of the queries from i
void add_rows(float* to, const Half* left, long count, const Half* packed, long i) {
  for (long d = 0; d < kHead; d += kBlock) {
    load_sums(to + d, kHead);
    for (long q = 0; q < count; q += kBlock) {
      const Half* tile = packed + ((i + q) / 32 * 4 + d / 16) * kTile;
      add_product(left + q, kQueries, tile, tile + kTile);
    }
    store_sums(to + d, kHead);
  }
}

// The gradients of q, k and v, given that of the output and what forward() took and gave.
std::vector<at::Tensor> backward(at::Tensor grad, at::Tensor q, at::Tensor k, at::Tensor v, at::Tensor out, at::Tensor sums_of, bool causal) {
  grad = grad.contiguous(), q = q.contiguous(), k = k.contiguous(), v = v.contiguous();
  const long heads = q.size(1), n = q.size(2), kv_heads = k.size(1), group = heads / kv_heads, np = padded(n);
  at::Tensor grad_q = at::empty_like(q), grad_k = at::empty_like(k), grad_v = at::empty_like(v);
  at::parallel_for(0, q.size(0) * kv_heads, 1, [&](long begin, long end) {
    static thread_local Kept<Half> halves_[10];
    static thread_local Kept<float> floats_[5];
    const auto half = [&](int which, long count) { return halves_[which].get(count); };
    const auto single = [&](int which, long count) { return floats_[which].get(count); };
    Half *keys = half(0, np * kHead), *values = half(1, np * kHead), *keys_transposed = half(2, np * kHead), *queries_across = half(3, np * kHead),
         *output_across = half(4, np * kHead), *queries = half(5, np * kHead), *output = half(6, np * kHead);
    const Shares shares{half(7, kKeys * kQueries), half(8, kKeys * kQueries), half(9, kKeys * kQueries)};
    float *dk = single(0, np * kHead), *dv = single(1, np * kHead), *dq = single(2, np * kHead), *sums = single(3, np), *delta = single(4, np);
    const Tiles tiles;
    for (long kv = begin; kv < end; ++kv) {
      pad(data(k) + kv * n * kHead, n, np, keys);
      pad(data(v) + kv * n * kHead, n, np, values);
      for (long row = 0; row < np; ++row) {
        for (long d = 0; d < kHead; ++d) keys_transposed[d * np + row] = keys[row * kHead + d];
      }
      std::fill_n(dk, np * kHead, 0.0f);
      std::fill_n(dv, np * kHead, 0.0f);
      for (long member = 0; member < group; ++member) {
        const long head = kv * group + member;
        const Half *head_q = data(q) + head * n * kHead, *head_grad = data(grad) + head * n * kHead, *head_out = data(out) + head * n * kHead;
        pack_transposed(head_q, n, np, queries_across);
        pack_transposed(head_grad, n, np, output_across);
        pack(head_q, n, np, queries);
        pack(head_grad, n, np, output);
        for (long row = 0; row < np; ++row) {
          __m512 sum = _mm512_setzero_ps();
          for (long d = 0; row < n && d < kHead; d += 16) sum = _mm512_fmadd_ps(widen(head_grad + row * kHead + d), widen(head_out + row * kHead + d), sum);
          delta[row] = _mm512_reduce_add_ps(sum);
          sums[row] = row < n ? sums_of.data_ptr<float>()[head * n + row] : 1e30f;  // a query that is none has no probabilities
        }
        std::fill_n(dq, np * kHead, 0.0f);
        const HeadGradient gradient{keys, values, queries_across, output_across, sums, delta, n, causal};
        for (long j0 = 0; j0 < np; j0 += kKeys) {
          const long num_keys = std::min(np - j0, kKeys);
          for (long i0 = causal ? j0 / kQueries * kQueries : 0; i0 < np; i0 += kQueries) {
            const long num_queries = std::min(np - i0, kQueries);
            for (long j = 0; j < num_keys; j += kBlock) {
              for (long i = 0; i < num_queries; i += kBlock) gradient.compute(j0 + j, i0 + i, j, i, shares);
            }
            for (long j = 0; j < num_keys; j += kBlock) {
              add_rows(dv + (j0 + j) * kHead, shares.share + j * kQueries, num_queries, output, i0);
              add_rows(dk + (j0 + j) * kHead, shares.gradient + j * kQueries, num_queries, queries, i0);
            }
            for (long d = 0; d < kHead; d += kBlock) {  // dq lies transposed
              for (long i = 0; i < num_queries; i += kBlock) {
                load_sums(dq + d * np + i0 + i, np);
                for (long j = 0; j < num_keys; j += kBlock) {
                  const Half* packed = shares.packed_at(j, i);
                  add_product(keys_transposed + d * np + j0 + j, np, packed, packed + kTile);
                }
                store_sums(dq + d * np + i0 + i, np);
              }
            }
          }
        }
        for (long row = 0; row < n; ++row) {
          for (long d = 0; d < kHead; ++d) data(grad_q)[(head * n + row) * kHead + d] = c10::BFloat16(dq[d * np + row]).x;
        }
      }
      for (long at = 0; at < n * kHead; at += 16) {
        store_half(data(grad_k) + kv * n * kHead + at, _mm512_load_ps(dk + at));
        store_half(data(grad_v) + kv * n * kHead + at, _mm512_load_ps(dv + at));
      }
    }
  });
  return {grad_q, grad_k, grad_v};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("forward", &forward);
  module.def("backward", &backward);
}
