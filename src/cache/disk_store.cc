#include "cache/disk_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/text_file.h"
#include "cache/page_list.h"

namespace glyph {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kWarningPauseMs = 600'000;
constexpr size_t kMaxListBytes = (kMaxListedPages + 2) * 65;
constexpr size_t kMaxOwnerName = 100;
constexpr fmt::string_view kDiscarded = "disk cache: {} {}; it was deleted and what it held is computed again";

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

const char* folder_of(EntryKind kind) { return kind == EntryKind::kKv ? "kv" : "features"; }

bool is_owner_name(const std::string& name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kMaxOwnerName && std::all_of(name.begin(), name.end(), plain);
}

DiskIndex::Entry entry_of(const EntryHeader& header) {
  const bool first = header.kind == EntryKind::kKv && header.kv.begin_tokens == 0;
  return {header.page, header.parent, first, kEntryHeaderBytes + header.payload_bytes};
}

std::vector<fs::path> files_in(const fs::path& dir) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, error)) files.push_back(entry.path());
  return files;
}

void remove_file(const fs::path& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

int64_t changed_ms(const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return 0;
  return int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

}  // namespace

Result<std::unique_ptr<DiskStore>> DiskStore::open(const DiskStoreOptions& options) {
  std::unique_ptr<DiskStore> store(new DiskStore(options));
  for (const char* folder : {"kv", "features", "pages"}) {
    std::error_code error;
    fs::create_directories(options.dir / folder, error);
    if (error) return internal_error(fmt::format("{}: {}", (options.dir / folder).string(), error.message()));
  }
  GLYPH_RETURN_IF_ERROR(store->lock_dir());
  store->load_owners();
  store->load_entries();
  return store;
}

DiskStore::~DiskStore() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status DiskStore::lock_dir() {
  const fs::path path = options_.dir / "lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return internal_error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) return exhausted(fmt::format("{}: another process uses this folder", options_.dir.string()));
  return {};
}

void DiskStore::load_owners() {
  for (const fs::path& path : files_in(options_.dir / "pages")) {
    const std::string name = path.filename().string();
    const auto text = is_owner_name(name) ? read_file(path, kMaxListBytes) : Result<std::string>(refused("is no document"));
    const auto pages = text.ok() ? parse_page_list(*text) : Result<std::vector<Digest>>(text.status());
    if (!pages.ok()) {
      remove_file(path);
      continue;
    }
    index_.set_owner(name, *pages);
    index_.touch(name, changed_ms(path));
  }
}

// The entries of a folder that may be used; the others are deleted.
std::vector<std::pair<EntryId, EntryHeader>> DiskStore::read_headers(EntryKind kind) {
  std::vector<std::pair<EntryId, EntryHeader>> found;
  size_t num_foreign = 0;
  for (const fs::path& path : files_in(options_.dir / folder_of(kind))) {
    EntryId id{kind, {}};
    if (!parse_hex(path.filename().string(), id.key)) {
      remove_file(path);  // what a crash left of a write
      continue;
    }
    const auto header = read_entry_header(path);
    const bool ours = header.ok() && header->kind == kind && header->key == id.key;
    if (ours && header->identity == options_.identity) {
      found.emplace_back(id, *header);
      continue;
    }
    remove_file(path);
    ++num_damaged_;
    if (ours) ++num_foreign;
    else log_warning(kDiscarded, path.string(), header.ok() ? "is another entry" : header.status().message());
  }
  if (num_foreign > 0) log_warning("disk cache: {} {} entries of another model or machine were deleted", num_foreign, folder_of(kind));
  return found;
}

void DiskStore::load_entries() {
  auto entries = read_headers(EntryKind::kKv);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.second.kv.end_tokens < b.second.kv.end_tokens; });  // parents first
  auto features = read_headers(EntryKind::kFeatures);
  std::move(features.begin(), features.end(), std::back_inserter(entries));
  size_t num_orphans = 0;
  for (const auto& [id, header] : entries) {
    const DiskIndex::Entry entry = entry_of(header);
    if (index_.has_place(id, entry)) {
      index_.put(id, entry);
    } else {
      remove_file(path_of(id));
      ++num_orphans;
    }
  }
  if (num_orphans > 0) log_info("disk cache: {} entries without a document or a beginning were deleted", num_orphans);
  delete_files(index_.make_room(0, ""));
}

fs::path DiskStore::path_of(const EntryId& id) const { return options_.dir / folder_of(id.kind) / hex(id.key); }
fs::path DiskStore::list_of(const std::string& owner) const { return options_.dir / "pages" / owner; }

void DiskStore::delete_files(const std::vector<EntryId>& ids) const {
  for (const EntryId& id : ids) remove_file(path_of(id));
}

bool DiskStore::contains(const EntryId& id) const {
  const std::lock_guard lock(mutex_);
  return index_.contains(id);
}

std::optional<EntryBuffer> DiskStore::load(const EntryId& id) {
  if (!contains(id)) return std::nullopt;
  Result<EntryBuffer> entry = read_entry(path_of(id));
  if (entry.ok()) {
    const EntryHeader& header = entry->header();
    if (header.kind == id.kind && header.key == id.key && header.identity == options_.identity) return *std::move(entry);
    discard(id, "is another entry");
  } else if (entry.status().code() != StatusCode::kInternal) {
    discard(id, entry.status().message());
  } else {
    log_warning("disk cache: {} {}", path_of(id).string(), entry.status().message());
  }
  return std::nullopt;
}

void DiskStore::discard(const EntryId& id, const std::string& reason) {
  log_warning(kDiscarded, path_of(id).string(), reason);
  std::vector<EntryId> gone;
  {
    const std::lock_guard lock(mutex_);
    ++num_damaged_;
    gone = index_.erase(id);
  }
  delete_files(gone);
}

DiskStoreStats DiskStore::stats() const {
  const std::lock_guard lock(mutex_);
  return {index_.num_bytes(EntryKind::kFeatures), index_.num_bytes(EntryKind::kKv), index_.entries().size(), num_damaged_, num_dropped_};
}

Status DiskStore::check_integrity() const {
  const std::lock_guard lock(mutex_);
  return index_.check_integrity();
}

void DiskStore::put(EntryBuffer entry, const std::string& owner) {
  if (!is_owner_name(owner)) return;
  const EntryId id{entry.header().kind, entry.header().key};
  const DiskIndex::Entry place = entry_of(entry.header());
  std::vector<EntryId> gone;
  bool new_page = false, wanted = false, room = false;
  {
    const std::lock_guard lock(mutex_);
    new_page = index_.add_page(owner, place.page);
    index_.touch(owner, now_ms());
    wanted = !index_.contains(id) && index_.has_place(id, place);  // without its beginning it could not be found
    if (wanted) gone = index_.make_room(place.bytes, owner);
    room = index_.fits(place.bytes);
  }
  delete_files(gone);
  if (new_page && !save_pages(owner)) return;
  if (!wanted) return;
  if (!room) return drop_write(fmt::format("{} bytes do not fit into its {} bytes beside the rest of the document", place.bytes, options_.max_bytes));
  if (const Status status = write_entry(path_of(id), entry); !status.ok()) return drop_write(status.message());
  bool placed = false;
  {
    const std::lock_guard lock(mutex_);
    placed = index_.has_place(id, place);  // what was before it may have been discarded meanwhile
    if (placed) index_.put(id, place);
  }
  if (!placed) remove_file(path_of(id));
}

bool DiskStore::save_pages(const std::string& owner) {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    const PageOwners::Owner* found = index_.owners().find(owner);
    if (found != nullptr) text = page_list_text(found->pages);
  }
  if (text.empty()) return false;
  const Status status = write_file_atomically(list_of(owner), text);
  if (!status.ok()) drop_write(status.message());
  return status.ok();
}

void DiskStore::drop_write(const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    ++num_dropped_;
  }
  const int64_t now = now_ms();
  if (last_warning_ms_ != 0 && now - last_warning_ms_ < kWarningPauseMs) return;
  last_warning_ms_ = now;
  log_warning("disk cache: not written, so it will be read again after a restart: {}", reason);
}

void DiskStore::set_owner(const std::string& owner, const std::vector<Digest>& pages) {
  if (!is_owner_name(owner)) return;
  std::vector<EntryId> gone;
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    const PageOwners::Owner* before = index_.owners().find(owner);
    const bool known = before != nullptr;
    const std::vector<Digest> old = known ? before->pages : std::vector<Digest>();
    gone = index_.set_owner(owner, pages);
    if (!known) index_.touch(owner, now_ms());
    changed = !known || old != index_.owners().find(owner)->pages;
  }
  delete_files(gone);
  if (changed) save_pages(owner);
}

void DiskStore::remove_owner(const std::string& owner) {
  std::vector<EntryId> gone;
  {
    const std::lock_guard lock(mutex_);
    gone = index_.remove_owner(owner);
  }
  delete_files(gone);
  if (is_owner_name(owner)) remove_file(list_of(owner));
}

void DiskStore::retain_owners(const std::vector<std::string>& owners) {
  std::vector<std::string> known;
  {
    const std::lock_guard lock(mutex_);
    known = index_.owners().oldest_first();
  }
  for (const std::string& owner : known) {
    if (std::find(owners.begin(), owners.end(), owner) == owners.end()) remove_owner(owner);
  }
}

void DiskStore::touch(const std::string& owner) {
  {
    const std::lock_guard lock(mutex_);
    if (index_.owners().find(owner) == nullptr) return;
    index_.touch(owner, now_ms());
  }
  ::utimensat(AT_FDCWD, list_of(owner).c_str(), nullptr, 0);
}

Status DiskStore::check_files() const {
  GLYPH_RETURN_IF_ERROR(check_integrity());
  const std::lock_guard lock(mutex_);
  size_t num_files = 0;
  for (const EntryKind kind : {EntryKind::kFeatures, EntryKind::kKv}) num_files += files_in(options_.dir / folder_of(kind)).size();
  if (num_files != index_.entries().size()) {
    return internal_error(fmt::format("disk cache: {} files, {} entries", num_files, index_.entries().size()));
  }
  for (const auto& [id, entry] : index_.entries()) {
    std::error_code error;
    const uint64_t size = fs::file_size(path_of(id), error);
    if (error || size != entry.bytes) {
      return internal_error(fmt::format("disk cache: {} is not a file of {} bytes", path_of(id).string(), entry.bytes));
    }
  }
  return {};
}

}  // namespace glyph
