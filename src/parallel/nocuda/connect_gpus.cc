// What stands behind connect_gpus() in a build without the CUDA toolkit.
#include "parallel/communicator.h"

namespace glyph {

Result<Communicators> connect_gpus(std::span<Device* const>, const ConnectOptions&) { return not_found("this program was built without CUDA"); }

}  // namespace glyph
