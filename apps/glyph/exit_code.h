// The exit codes other programs rely on.
#pragma once

#include "glyph/status.h"

namespace glyph {

constexpr int kExitOk = 0;
constexpr int kExitRuntime = 1;       // an I/O error, no memory, a bug
constexpr int kExitUsage = 2;         // an unknown flag, a value out of range
constexpr int kExitRefused = 3;       // an input that cannot be read, accepted or found
constexpr int kExitInterrupted = 130;

constexpr int exit_code(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return kExitOk;
    case StatusCode::kUsage: return kExitUsage;
    case StatusCode::kRefused:
    case StatusCode::kNotFound:
    case StatusCode::kDeadline: return kExitRefused;
    case StatusCode::kCancelled: return kExitInterrupted;
    case StatusCode::kExhausted:
    case StatusCode::kInternal: break;
  }
  return kExitRuntime;
}

}  // namespace glyph
