#include "base/hash.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace glyph {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  GLYPH_CHECK(EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const uint8_t> bytes) {
  GLYPH_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
  return *this;
}

Sha256& Sha256::update(std::string_view text) {
  return update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Sha256& Sha256::field(std::string_view text) {
  const uint64_t size = text.size();
  update({reinterpret_cast<const uint8_t*>(&size), sizeof size});
  return update(text);
}

Digest Sha256::finish() {
  Digest digest{};
  unsigned size = 0;
  GLYPH_CHECK(EVP_DigestFinal_ex(context_->evp, digest.data(), &size) == 1 && size == digest.size());
  return digest;
}

Digest sha256(std::string_view text) { return Sha256().update(text).finish(); }

std::string hex(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(digest.size() * 2);
  for (uint8_t byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace glyph
