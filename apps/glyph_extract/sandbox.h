// The walls around glyph-extract: what is left to a process that hostile input has taken over.
#pragma once

#include <cstddef>
#include <string>

#include "glyph/status.h"

namespace glyph {

struct SandboxLimits {
  size_t memory_bytes = 0;  // address space; 0: no limit
  double cpu_seconds = 0;   // CPU time, rounded up; 0: no limit
};

// Ties this process to its parent: it is killed when the parent dies. kCancelled when the parent is gone already.
// `parent` 0: only core dumps and tracing are switched off.
Status bind_to_parent(int parent);

// Memory, CPU time, open files; no new processes, no bytes written to files, no core dumps. kInternal.
Status apply_limits(const SandboxLimits& limits);

// The ABI of Landlock in this kernel, 0 for none.
int landlock_abi();

// no_new_privs, then Landlock (reading only below the folders of fonts and poppler-data; no TCP) when the kernel has it, then a
// seccomp filter that allows reading, memory and clocks and answers EPERM to everything else. Files that are open stay
// open. kInternal when no_new_privs or, on a kernel that has it, seccomp fails.
Status lock_down();

// Tries what must not work any more and says so, one "name active|inactive" a line.
std::string describe_walls(const SandboxLimits& limits);

}  // namespace glyph
