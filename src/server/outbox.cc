#include "server/outbox.h"

#include <utility>

namespace glyph {
namespace {

constexpr size_t kPieceBytes = 64 * 1024;

}  // namespace

void Outbox::push(std::string bytes) {
  num_bytes_ += bytes.size();
  pieces_.push_back(std::move(bytes));
}

const std::string* Outbox::front() {
  if (pieces_.empty() && file_ != nullptr) {
    if (std::string piece = file_->next(kPieceBytes); !piece.empty()) push(std::move(piece));
    else broken_ = !file_->complete();
    if (pieces_.empty()) file_ = nullptr;
  }
  return pieces_.empty() ? nullptr : &pieces_.front();
}

void Outbox::pop() {
  num_bytes_ -= pieces_.front().size();
  pieces_.pop_front();
}

}  // namespace glyph
