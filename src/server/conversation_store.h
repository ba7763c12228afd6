// ConversationStore: conversations people had, in an SQLite file. Survives a restart and a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "glyph/status.h"

struct sqlite3;

namespace glyph {

struct Conversation {
  std::string id;         // "conv_..."
  std::string title;
  std::string documents;  // JSON list of ids
  std::string messages;   // JSON list; not read by list()
  int64_t created_at = 0;  // Unix seconds
  int64_t updated_at = 0;
};

constexpr int64_t kMaxConversations = 10'000;

// Any thread; one at a time runs.
class ConversationStore {
 public:
  // kInternal naming the file when it cannot be used.
  static Result<std::unique_ptr<ConversationStore>> open(const std::filesystem::path& file);
  ~ConversationStore();
  ConversationStore(const ConversationStore&) = delete;
  ConversationStore& operator=(const ConversationStore&) = delete;

  Result<std::vector<Conversation>> list();  // the last changed first
  Result<Conversation> get(const std::string& id);      // kNotFound
  Result<Conversation> add(Conversation conversation);  // gives it id and times; kExhausted when there are too many
  Result<Conversation> update(const Conversation& conversation);  // kNotFound
  Status remove(const std::string& id);                 // kNotFound

 private:
  explicit ConversationStore(sqlite3* db) : db_(db) {}
  Status failed(const char* what) const;
  Status execute(const char* sql);

  sqlite3* db_;
  std::mutex mutex_;  // guards db_
};

}  // namespace glyph
