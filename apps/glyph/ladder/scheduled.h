// Asking one question again and again: how each kind of LadderRow does it.
#pragma once

#include <memory>
#include <stop_token>

#include "engine/ask.h"
#include "ladder/measure.h"

namespace glyph {

class StageClock;

struct Asked {
  AskUsage usage;
  AskTimings timings;
  size_t pages = 0;
};

class Asking {
 public:
  virtual ~Asking() = default;
  // `clock`, if any, keeps the stages apart.
  virtual Result<Asked> ask(StageClock* clock) = 0;
  virtual double accepted_share() const { return 0; }  // of drafted tokens
};

// Through a scheduler of its own: any question but kAlone.
Result<std::unique_ptr<Asking>> start_scheduled(const Model& model, LadderRow::Question question, const Workload& workload,
                                                const LadderOptions& options, std::stop_token stop);

}  // namespace glyph
