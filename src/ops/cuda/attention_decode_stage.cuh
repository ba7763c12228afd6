// Keys and values of one step of one warp of decode attention, in shared memory: how they come there, and how they become operands of
// the tensor cores. A stage knows how they are stored (T); what the columns of operands and results mean is its affair, too, because a
// sum over a head's elements, and the columns of a result, may be taken in any order.
#pragma once

#include "ops/cuda/attention_flash.cuh"
#include "ops/cuda/quantise.cuh"

namespace glyph::ops::cuda {

inline constexpr int kDecodeKeys = 16;  // keys of a step of one warp

// bf16 or f16: as they are.
template <int kHeadDim, typename T>
struct DecodeStage {
  using Multiplied = T;             // by the tensor cores
  static constexpr int kStages = 3;  // steps whose keys and values a warp has room for
  static constexpr int kElements = kDecodeKeys * kHeadDim;
  static constexpr size_t kBytes = 2 * sizeof(T) * kElements;

  unsigned char* memory;  // keys (kDecodeKeys, kHeadDim), then values, both swizzled

  // Element of a head that is element `i` (0 or 1) of this lane's pair in half `half` of the columns of query operand `step`.
  __device__ static int query_element(int step, int half, int i) {
    return 16 * step + 8 * half + static_cast<int>(threadIdx.x) % 4 * 2 + i;
  }
  // Column of the results that is element `element` of a head.
  __device__ static int column_of(int element) { return element; }

  __device__ T* keys() const { return reinterpret_cast<T*>(memory); }
  __device__ T* values() const { return keys() + kElements; }

  // Starts the copies; keys from `num_keys` on become zeros.
  __device__ void copy(const Rows<T>& key_rows, const Rows<T>& value_rows, int num_keys) const {
    load_tile<kDecodeKeys, kHeadDim, 32>(keys(), {key_rows.data, kHeadDim}, num_keys, threadIdx.x % 32);
    load_tile<kDecodeKeys, kHeadDim, 32>(values(), {value_rows.data, kHeadDim}, num_keys, threadIdx.x % 32);
  }

  // scores[n]: of keys 8 n ...
  __device__ void score(const uint32_t (&q)[kHeadDim / 16][4], float (&scores)[2][4]) const {
    const auto operand = Operand<kHeadDim>::columns(keys());
#pragma unroll
    for (int i = 0; i < kHeadDim / 16; ++i) {
      uint32_t b[4];
      load_matrices(b, operand.at(0, i));
      multiply_add<T>(scores[0], q[i], b[0], b[1]);
      multiply_add<T>(scores[1], q[i], b[2], b[3]);
    }
  }

  // result += weights times the first `num_keys` values; the weights of others are zeros.
  __device__ void mix(const float (&weights)[2][4], int /*num_keys*/, float (&result)[kHeadDim / 8][4]) const {
    const auto operand = Operand<kHeadDim>::rows(values());
    uint32_t a[4];
    pack_weights<T>(a, weights[0], weights[1]);
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n += 2) {
      uint32_t b[4];
      load_transposed(b, operand.at(0, n / 2));
      multiply_add<T>(result[n], a, b[0], b[1]);
      multiply_add<T>(result[n + 1], a, b[2], b[3]);
    }
  }
};

// kWords neighbouring words, read at once.
template <int kWords>
struct alignas(4 * kWords) WordPack {
  uint32_t word[kWords];
};

// e4m3: widened to bf16 in registers, which is exact. Scales of keys apply to scores, scales of values to weights, so that no element
// meets one. A lane takes neighbouring bytes of a row: of a key a quarter (lane % 4), of a value an eighth (lane / 4).
template <int kHeadDim>
struct DecodeStage<kHeadDim, E4M3> {
  using Multiplied = __nv_bfloat16;
  static constexpr int kStages = 5;  // as many bytes as of 16-bit elements are under way
  static constexpr int kElements = kDecodeKeys * kHeadDim;
  static constexpr size_t kBytes = 2 * (kElements + kDecodeKeys * sizeof(float));

  unsigned char* memory;  // keys (kDecodeKeys, kHeadDim), values, scales of keys (kDecodeKeys) f32, scales of values

  // Pairs are what widen_e4m3() makes of a word: elements 0 and 2 of it, 1 and 3.
  __device__ static int query_element(int step, int half, int i) {
    return static_cast<int>(threadIdx.x) % 4 * (kHeadDim / 4) + 4 * step + half + 2 * i;
  }
  // Column j of tile n (of 8 columns) is element n of the j-th eighth.
  __device__ static int column_of(int element) { return element % (kHeadDim / 8) * 8 + element / (kHeadDim / 8); }

  __device__ unsigned char* keys() const { return memory; }
  __device__ unsigned char* values() const { return memory + kElements; }
  __device__ float* key_scales() const { return reinterpret_cast<float*>(memory + 2 * kElements); }
  __device__ float* value_scales() const { return key_scales() + kDecodeKeys; }

  // Where byte `byte` of row `row` lies: pieces of 16 bytes are swapped inside a row, so that the lanes that
  // read at once, 16 bytes each of rows of 128, read different banks.
  __device__ static unsigned place_of(unsigned row, unsigned byte) {
    constexpr unsigned kPieces = kHeadDim / 16;
    return row * kHeadDim + (byte / 16 ^ row % kPieces) * 16 + byte % 16;
  }

  // Scales of keys from `num_keys` on may be anything.
  __device__ void copy(const Rows<E4M3>& key_rows, const Rows<E4M3>& value_rows, int num_keys) const {
    const unsigned lane = threadIdx.x % 32;
    copy_rows(keys(), key_rows.data, num_keys, lane);
    copy_rows(values(), value_rows.data, num_keys, lane);
    constexpr unsigned kPieces = kDecodeKeys / 4;  // of four scales
    if (lane < kPieces) copy_async(key_scales() + 4 * lane, key_rows.scales + 4 * lane, true);
    else if (lane < 2 * kPieces) copy_async(value_scales() + 4 * (lane - kPieces), value_rows.scales + 4 * (lane - kPieces), true);
  }

  __device__ void score(const uint32_t (&q)[kHeadDim / 16][4], float (&scores)[2][4]) const {
    const unsigned lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      uint32_t words[kHeadDim / 16];  // one a step
      load_words(keys(), 8 * static_cast<unsigned>(n) + lane / 4, lane % 4 * (kHeadDim / 4), words);
#pragma unroll
      for (int i = 0; i < kHeadDim / 16; ++i) {
        uint32_t b[2];
        widen_e4m3(words[i], b);
        multiply_add<Multiplied>(scores[n], q[i], b[0], b[1]);
      }
      const float2 scale = scales_of(key_scales(), n);
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[n][i] *= i % 2 == 0 ? scale.x : scale.y;
    }
  }

  __device__ void mix(const float (&weights)[2][4], int num_keys, float (&result)[kHeadDim / 8][4]) const {
    const unsigned lane = threadIdx.x % 32, first = lane % 4 * 2;
    float scaled[2][4];
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const float2 scale = scales_of(value_scales(), n);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool exists = 8 * n + static_cast<int>(first) + i % 2 < num_keys;
        scaled[n][i] = exists ? weights[n][i] * (i % 2 == 0 ? scale.x : scale.y) : 0.0f;
      }
    }
    uint32_t a[4];
    pack_weights<Multiplied>(a, scaled[0], scaled[1]);
    uint32_t words[4][kHeadDim / 32];  // of this lane's four values: `first`, the next, and 8 behind each
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) load_words(values(), first + i % 2 + i / 2 * 8, lane / 4 * (kHeadDim / 8), words[i]);
#pragma unroll
    for (int w = 0; w < kHeadDim / 32; ++w) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {  // two elements of a word, of two values each
        const unsigned select = half == 0 ? 0x5410u : 0x7632u;
        uint32_t low[2], high[2];
        widen_e4m3(__byte_perm(words[0][w], words[1][w], select), low);
        widen_e4m3(__byte_perm(words[2][w], words[3][w], select), high);
        multiply_add<Multiplied>(result[4 * w + 2 * half], a, low[0], high[0]);
        multiply_add<Multiplied>(result[4 * w + 2 * half + 1], a, low[1], high[1]);
      }
    }
  }

 private:
  __device__ static void copy_rows(unsigned char* to, const E4M3* from, int num_keys, unsigned lane) {
    constexpr unsigned kPieces = kHeadDim / 16;
#pragma unroll
    for (unsigned i = lane; i < kDecodeKeys * kPieces; i += 32) {
      const unsigned row = i / kPieces, byte = i % kPieces * 16;
      const bool valid = static_cast<int>(row) < num_keys;
      copy_async(to + place_of(row, byte), valid ? from + row * kHeadDim + byte : from, valid);
    }
  }

  // The scales of keys 8 n + 2 (lane % 4) and the next.
  __device__ static float2 scales_of(const float* scales, int n) {
    return *reinterpret_cast<const float2*>(scales + 8 * n + threadIdx.x % 4 * 2);
  }

  // kCount words of a row from byte `byte` on.
  template <int kCount>
  __device__ static void load_words(const unsigned char* matrix, unsigned row, unsigned byte, uint32_t (&words)[kCount]) {
    constexpr int kAtOnce = kCount < 4 ? kCount : 4;
#pragma unroll
    for (int i = 0; i < kCount; i += kAtOnce) {
      const auto pack = *reinterpret_cast<const WordPack<kAtOnce>*>(matrix + place_of(row, byte + 4 * static_cast<unsigned>(i)));
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) words[i + j] = pack.word[j];
    }
  }
};

}  // namespace glyph::ops::cuda
