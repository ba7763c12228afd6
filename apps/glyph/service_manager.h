// Tells the service manager that started this process how it is, by systemd's protocol: sd_notify(3), without its library.
#pragma once

#include <string_view>

namespace glyph {

// "READY=1", "STOPPING=1", "STATUS=..." to the socket that NOTIFY_SOCKET names; nothing happens when there is none.
void tell_service_manager(std::string_view state);

}  // namespace glyph
