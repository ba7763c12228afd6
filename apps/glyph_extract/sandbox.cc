#include "glyph_extract/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace glyph {
namespace {

// Readable below Landlock: what poppler and fontconfig open while they read or draw a page.
constexpr const char* kReadableFolders[] = {
    "/usr/share/poppler",   "/usr/share/fonts",          "/usr/local/share/fonts", "/etc/fonts",
    "/usr/share/fontconfig", "/usr/share/xml/fontconfig", "/var/cache/fontconfig",
};

// The kernel's struct landlock_ruleset_attr with the fields that came later; older kernels accept it when those are 0.
struct RulesetAttributes {
  uint64_t handled_access_fs = 0;
  uint64_t handled_access_net = 0;
  uint64_t scoped = 0;
};

constexpr uint64_t kAccessFsAbi1 = (uint64_t{1} << 13) - 1;  // execute ... make_sym
constexpr uint64_t kAccessFsRefer = uint64_t{1} << 13;       // ABI 2
constexpr uint64_t kAccessFsTruncate = uint64_t{1} << 14;    // ABI 3
constexpr uint64_t kAccessFsIoctl = uint64_t{1} << 15;       // ABI 5
constexpr uint64_t kAccessNetTcp = 3;                        // ABI 4: bind, connect
constexpr uint64_t kScopeAll = 3;                            // ABI 6: abstract sockets, signals

RulesetAttributes attributes_for(int abi) {
  RulesetAttributes attributes{.handled_access_fs = kAccessFsAbi1};
  if (abi >= 2) attributes.handled_access_fs |= kAccessFsRefer;
  if (abi >= 3) attributes.handled_access_fs |= kAccessFsTruncate;
  if (abi >= 4) attributes.handled_access_net = kAccessNetTcp;
  if (abi >= 5) attributes.handled_access_fs |= kAccessFsIoctl;
  if (abi >= 6) attributes.scoped = kScopeAll;
  return attributes;
}

void allow_reading(int ruleset, const char* folder) {
  const int fd = ::open(folder, O_PATH | O_CLOEXEC);
  if (fd < 0) return;  // not installed: nothing to allow
  landlock_path_beneath_attr rule{};
  rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  rule.parent_fd = fd;
  ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  ::close(fd);
}

void restrict_files() {
  const int abi = landlock_abi();
  if (abi == 0) return;
  const RulesetAttributes attributes = attributes_for(abi);
  const size_t size = abi >= 6 ? sizeof attributes : abi >= 4 ? 16 : 8;
  const int ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) return;
  for (const char* folder : kReadableFolders) allow_reading(ruleset, folder);
  ::syscall(SYS_landlock_restrict_self, ruleset, 0);
  ::close(ruleset);
}

// Allowed whatever their arguments: memory, clocks, reading, and what libc does on its own.
constexpr int kAllowed[] = {
    SCMP_SYS(read),          SCMP_SYS(pread64),      SCMP_SYS(readv),       SCMP_SYS(write),        SCMP_SYS(writev),
    SCMP_SYS(close),         SCMP_SYS(lseek),        SCMP_SYS(fstat),       SCMP_SYS(stat),         SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),    SCMP_SYS(statx),        SCMP_SYS(fstatfs),     SCMP_SYS(statfs),       SCMP_SYS(access),
    SCMP_SYS(faccessat),     SCMP_SYS(faccessat2),   SCMP_SYS(readlink),    SCMP_SYS(readlinkat),   SCMP_SYS(getdents64),
    SCMP_SYS(fadvise64),     SCMP_SYS(munmap),       SCMP_SYS(mremap),      SCMP_SYS(brk),          SCMP_SYS(madvise),
    SCMP_SYS(futex),         SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),       SCMP_SYS(getrandom),
    SCMP_SYS(getpid),        SCMP_SYS(gettid),       SCMP_SYS(getuid),      SCMP_SYS(geteuid),      SCMP_SYS(getgid),
    SCMP_SYS(getegid),       SCMP_SYS(getcwd),       SCMP_SYS(uname),       SCMP_SYS(sysinfo),      SCMP_SYS(getrlimit),
    SCMP_SYS(sched_yield),   SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),  SCMP_SYS(sigaltstack),  SCMP_SYS(restart_syscall), SCMP_SYS(exit),     SCMP_SYS(exit_group),
};

constexpr int kWritingFlags = O_ACCMODE | O_CREAT | O_TRUNC;

// Allowed with arguments that can do no harm: opening to read, memory that is not executable, aborting itself.
bool add_conditional_rules(scmp_filter_ctx filter) {
  const auto masked_zero = [](unsigned index, uint64_t mask) {
    return scmp_arg_cmp{index, SCMP_CMP_MASKED_EQ, mask, 0};
  };
  const scmp_arg_cmp open_flags = masked_zero(1, kWritingFlags);
  const scmp_arg_cmp openat_flags = masked_zero(2, kWritingFlags);
  const scmp_arg_cmp protection = masked_zero(2, PROT_EXEC);
  const scmp_arg_cmp own_process{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()), 0};
  const scmp_arg_cmp no_new_limit{2, SCMP_CMP_EQ, 0, 0};
  const scmp_arg_cmp get_descriptor_flags{1, SCMP_CMP_EQ, F_GETFD, 0};
  const scmp_arg_cmp set_descriptor_flags{1, SCMP_CMP_EQ, F_SETFD, 0};
  const scmp_arg_cmp get_status_flags{1, SCMP_CMP_EQ, F_GETFL, 0};
  bool added = true;
  const auto allow = [&](int call, const scmp_arg_cmp& condition) {
    added = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0 && added;
  };
  allow(SCMP_SYS(open), open_flags);
  allow(SCMP_SYS(openat), openat_flags);
  allow(SCMP_SYS(mmap), protection);
  allow(SCMP_SYS(mprotect), protection);
  allow(SCMP_SYS(tgkill), own_process);
  allow(SCMP_SYS(prlimit64), no_new_limit);
  for (const scmp_arg_cmp& condition : {get_descriptor_flags, set_descriptor_flags, get_status_flags}) {
    allow(SCMP_SYS(fcntl), condition);
  }
  return added;
}

bool filter_system_calls() {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = true;
  for (const int call : kAllowed) ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0 && ok;
  ok = add_conditional_rules(filter) && ok;
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}

bool set_limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  return ::setrlimit(resource, &limit) == 0;
}

bool is_limited(__rlimit_resource resource, rlim_t most) {
  rlimit limit{};
  return ::getrlimit(resource, &limit) == 0 && limit.rlim_cur <= most;
}

rlim_t cpu_seconds(const SandboxLimits& limits) { return static_cast<rlim_t>(std::ceil(limits.cpu_seconds)) + 1; }

// A sanitizer reserves terabytes of address space.
#if defined(__has_feature)
#define GLYPH_HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GLYPH_HAS_SANITIZER 1
#else
#define GLYPH_HAS_SANITIZER 0
#endif
#if GLYPH_HAS_SANITIZER
constexpr bool kLimitsMemory = false;
#else
constexpr bool kLimitsMemory = true;
#endif

}  // namespace

Status bind_to_parent(int parent) {
  ::prctl(PR_SET_DUMPABLE, 0);
  if (parent == 0) return {};
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return internal_error("the helper cannot be tied to its parent");
  if (::getppid() != parent) return cancelled("the program that started the helper is gone");
  return {};
}

Status apply_limits(const SandboxLimits& limits) {
  bool ok = set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_FSIZE, 0) && set_limit(RLIMIT_NPROC, 0);
  ok = ok && set_limit(RLIMIT_NOFILE, 64);
  if (limits.cpu_seconds > 0) ok = ok && set_limit(RLIMIT_CPU, cpu_seconds(limits));
  if (kLimitsMemory && limits.memory_bytes > 0) ok = ok && set_limit(RLIMIT_AS, limits.memory_bytes);
  return ok ? Status() : internal_error("the helper cannot limit itself");
}

int landlock_abi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Status lock_down() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return internal_error("the helper cannot give up privileges");
  restrict_files();
  const bool kernel_has_seccomp = ::prctl(PR_GET_SECCOMP) >= 0;
  if (!filter_system_calls() && kernel_has_seccomp) return internal_error("the helper cannot filter its system calls");
  return {};
}

namespace {

bool is_denied(long result) { return result < 0 && errno == EPERM; }

bool seccomp_holds() {
  return is_denied(::socket(AF_INET, SOCK_STREAM, 0)) && is_denied(::open("/dev/null", O_WRONLY)) &&
         is_denied(::syscall(SYS_execve, "/bin/true", nullptr, nullptr)) &&
         ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

bool landlock_holds() {
  const int fd = ::open("/etc/hostname", O_RDONLY);
  if (fd >= 0) ::close(fd);
  const int root = ::open("/", O_RDONLY | O_DIRECTORY);
  if (root >= 0) ::close(root);
  return fd < 0 && root < 0 && errno == EACCES;
}

}  // namespace

std::string describe_walls(const SandboxLimits& limits) {
  const auto word = [](bool active) { return active ? "active" : "inactive"; };
  const bool limited = is_limited(RLIMIT_FSIZE, 0) && is_limited(RLIMIT_NPROC, 0) && is_limited(RLIMIT_NOFILE, 64) &&
                       is_limited(RLIMIT_CPU, cpu_seconds(limits)) &&
                       (!kLimitsMemory || is_limited(RLIMIT_AS, limits.memory_bytes));
  std::string report = fmt::format("limits {}\n", word(limited));
  report += fmt::format("seccomp {}\n", word(seccomp_holds()));
  report += fmt::format("landlock {}\n", word(landlock_holds()));
  return report;
}

}  // namespace glyph
