#include "server/conversation_store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <random>
#include <utility>

namespace glyph {
namespace {

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A prepared statement.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) { ok_ = sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) == SQLITE_OK; }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int64_t value) {
    ok_ = ok_ && sqlite3_bind_int64(statement_, ++index_, value) == SQLITE_OK;
    return *this;
  }
  Statement& bind(const std::string& text) {
    ok_ = ok_ && sqlite3_bind_text64(statement_, ++index_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK;
    return *this;
  }
  int step() { return ok_ ? sqlite3_step(statement_) : SQLITE_ERROR; }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }
  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3_stmt* statement_ = nullptr;
  bool ok_ = false;
  int index_ = 0;
};

Status no_such(const std::string& id) { return not_found(fmt::format("there is no conversation '{}'", id)); }

}  // namespace

Result<std::unique_ptr<ConversationStore>> ConversationStore::open(const std::filesystem::path& file) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  std::unique_ptr<ConversationStore> store(new ConversationStore(db));
  if (opened != SQLITE_OK) return internal_error(fmt::format("{}: {}", file.string(), sqlite3_errstr(opened)));
  sqlite3_busy_timeout(db, 2000);
  const Status status = store->execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
      "CREATE TABLE IF NOT EXISTS conversations(id TEXT PRIMARY KEY, title TEXT NOT NULL, documents TEXT NOT NULL, messages TEXT NOT NULL,"
      "created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) WITHOUT ROWID;");
  if (!status.ok()) return internal_error(fmt::format("{}: {}", file.string(), status.message()));
  return store;
}

ConversationStore::~ConversationStore() { sqlite3_close(db_); }

Status ConversationStore::failed(const char* what) const {
  const int error = sqlite3_extended_errcode(db_);
  if (error == SQLITE_FULL || error == SQLITE_IOERR_WRITE) {  // a quota or a limit of the process is the second
    return exhausted(fmt::format("the conversations cannot be {}: there is no room on the disk now", what));
  }
  return internal_error(fmt::format("the conversations cannot be {}: {}", what, sqlite3_errmsg(db_)));
}

Status ConversationStore::execute(const char* sql) {
  return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status() : failed("opened");
}

Result<std::vector<Conversation>> ConversationStore::list() {
  const std::lock_guard lock(mutex_);
  Statement query(db_, "SELECT id, title, documents, created_at, updated_at FROM conversations ORDER BY updated_at DESC, id");
  std::vector<Conversation> all;
  int row = 0;
  while ((row = query.step()) == SQLITE_ROW) all.push_back({query.text(0), query.text(1), query.text(2), {}, query.integer(3), query.integer(4)});
  if (row != SQLITE_DONE) return failed("read");
  return all;
}

Result<Conversation> ConversationStore::get(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Statement query(db_, "SELECT id, title, documents, messages, created_at, updated_at FROM conversations WHERE id = ?");
  const int row = query.bind(id).step();
  if (row == SQLITE_DONE) return no_such(id);
  if (row != SQLITE_ROW) return failed("read");
  return Conversation{query.text(0), query.text(1), query.text(2), query.text(3), query.integer(4), query.integer(5)};
}

Result<Conversation> ConversationStore::add(Conversation conversation) {
  const std::lock_guard lock(mutex_);
  std::random_device random;
  conversation.id = fmt::format("conv_{:08x}{:08x}{:08x}", random(), random(), random());
  conversation.created_at = conversation.updated_at = now_seconds();
  Statement count(db_, "SELECT count(*) FROM conversations");
  if (count.step() != SQLITE_ROW) return failed("counted");
  if (count.integer(0) >= kMaxConversations) return exhausted(fmt::format("there are {} conversations already; delete some", kMaxConversations));
  Statement insert(db_, "INSERT INTO conversations(id, title, documents, messages, created_at, updated_at) VALUES(?, ?, ?, ?, ?, ?)");
  insert.bind(conversation.id).bind(conversation.title).bind(conversation.documents).bind(conversation.messages);
  insert.bind(conversation.created_at).bind(conversation.updated_at);
  if (insert.step() != SQLITE_DONE) return failed("stored");
  return conversation;
}

Result<Conversation> ConversationStore::update(const Conversation& conversation) {
  const std::lock_guard lock(mutex_);
  Conversation changed = conversation;
  changed.updated_at = now_seconds();
  Statement update(db_, "UPDATE conversations SET title = ?, documents = ?, messages = ?, updated_at = ? WHERE id = ?");
  update.bind(changed.title).bind(changed.documents).bind(changed.messages).bind(changed.updated_at).bind(changed.id);
  if (update.step() != SQLITE_DONE) return failed("stored");
  if (sqlite3_changes(db_) == 0) return no_such(changed.id);
  return changed;
}

Status ConversationStore::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Statement erase(db_, "DELETE FROM conversations WHERE id = ?");
  if (erase.bind(id).step() != SQLITE_DONE) return failed("deleted");
  return sqlite3_changes(db_) == 0 ? no_such(id) : Status();
}

}  // namespace glyph
