// Source: a document in the form it is read, and what engines find out about it on the way.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "answer/draft.h"
#include "base/hash.h"
#include "glyph/document.h"
#include "glyph/page_style.h"

namespace glyph {

// Several engines may read it at once: what they found out is for any thread.
class Source {
 public:
  struct Page {
    Digest key{};            // content of the page
    int64_t num_tokens = 0;  // image tokens
  };
  struct Known {
    std::vector<Page> pages;
    int64_t text_tokens = 0;
  };
  using KnownPtr = std::shared_ptr<const Known>;

  // `id` is that of a stored document; "": what is read of it is kept in memory only.
  Source(std::shared_ptr<const Document> document_, PageStyle style_, KnownPtr known = nullptr, std::string id_ = {})
      : document(std::move(document_)), style(std::move(style_)), id(std::move(id_)), known_(std::move(known)) {}

  const std::shared_ptr<const Document> document;
  const PageStyle style;
  const std::string id;

  // nullptr until all pages were drawn.
  KnownPtr known() const { return read(known_); }
  void set_known(KnownPtr known) { write(known_, std::move(known)); }
  // nullptr until an answer could quote it.
  DraftIndexPtr text() const { return read(text_); }
  void set_text(DraftIndexPtr text) { write(text_, std::move(text)); }
  // The document was deleted: nothing of it is kept any more.
  bool forgotten() const { return read(forgotten_); }
  void forget() { write(forgotten_, true); }

 private:
  template <typename T>
  T read(const T& member) const {
    const std::lock_guard lock(mutex_);
    return member;
  }
  template <typename T>
  void write(T& member, T value) {
    const std::lock_guard lock(mutex_);
    member = std::move(value);
  }

  mutable std::mutex mutex_;
  KnownPtr known_;          // guarded by mutex_
  DraftIndexPtr text_;      // guarded by mutex_
  bool forgotten_ = false;  // guarded by mutex_
};
using SourcePtr = std::shared_ptr<Source>;

}  // namespace glyph
