#include "base/check.h"
#include "parallel/communicator.h"

namespace glyph {

Result<Communicators> connect(std::span<Device* const> devices, const ConnectOptions& options) {
  GLYPH_CHECK(!devices.empty());
  for (Device* device : devices) GLYPH_CHECK(device->kind() == devices[0]->kind());
  if (devices[0]->host_memory()) return connect_in_memory(devices);
  return connect_gpus(devices, options);
}

}  // namespace glyph
