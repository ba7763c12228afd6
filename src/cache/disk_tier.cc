#include "cache/disk_tier.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <utility>

namespace glyph {
namespace {

constexpr uint64_t kMaxWaitingBytes = uint64_t{64} << 20;
constexpr int kNice = 10;

// Writing gives way to computing, and a file that passes the process's size limit is an error, not the end of the process.
void prepare_thread() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);  // of this thread only, on Linux
  sigset_t file_size;
  sigemptyset(&file_size);
  sigaddset(&file_size, SIGXFSZ);
  ::pthread_sigmask(SIG_BLOCK, &file_size, nullptr);
}

}  // namespace

Result<std::unique_ptr<DiskTier>> DiskTier::open(const DiskStoreOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<DiskStore> store, DiskStore::open(options));
  return std::unique_ptr<DiskTier>(new DiskTier(std::move(store)));
}

DiskTier::DiskTier(std::unique_ptr<DiskStore> store) : store_(std::move(store)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "glyph-cache");
}

DiskTier::~DiskTier() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DiskTier::run() {
  prepare_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work.run();
    work.run = nullptr;  // frees the entry before its bytes are given back
    lock.lock();
    waiting_bytes_ -= work.bytes;
    if (work.bytes > 0) --num_waiting_;
  }
}

void DiskTier::post(std::function<void()> work, uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(work), bytes});
    waiting_bytes_ += bytes;
    if (bytes > 0) ++num_waiting_;
  }
  changed_.notify_all();
}

size_t DiskTier::num_waiting() const {
  const std::lock_guard lock(mutex_);
  return num_waiting_;
}

bool DiskTier::has_room() const {
  const std::lock_guard lock(mutex_);
  return waiting_bytes_ < kMaxWaitingBytes;
}

void DiskTier::put(EntryBuffer entry, std::string owner) {
  const uint64_t bytes = entry.num_bytes();
  auto shared = std::make_shared<EntryBuffer>(std::move(entry));  // functions are copied
  post([this, shared, owner = std::move(owner)] { store_->put(std::move(*shared), owner); }, bytes);
}

void DiskTier::set_owner(std::string owner, std::vector<Digest> pages) {
  post([this, owner = std::move(owner), pages = std::move(pages)] { store_->set_owner(owner, pages); });
}

void DiskTier::remove_owner(std::string owner) {
  post([this, owner = std::move(owner)] { store_->remove_owner(owner); });
}

void DiskTier::retain_owners(std::vector<std::string> owners) {
  post([this, owners = std::move(owners)] { store_->retain_owners(owners); });
}

void DiskTier::touch(std::string owner) {
  post([this, owner = std::move(owner)] { store_->touch(owner); });
}

Status DiskTier::check_files() {
  auto promise = std::make_shared<std::promise<Status>>();
  post([this, promise] { promise->set_value(store_->check_files()); });
  return promise->get_future().get();
}

}  // namespace glyph
