// /v1/files: uploads for batches, and documents under the name that OpenAI's clients give them.
#pragma once

#include <stop_token>
#include <string>

#include "server/document_store.h"
#include "server/file_store.h"
#include "server/http_message.h"

namespace glyph {

// All on a worker thread.
HttpResponse upload_file(FileStore& files, DocumentStore& documents, const HttpRequest& request);
HttpResponse list_files(const FileStore& files, const DocumentStore& documents, const HttpRequest& request);
HttpResponse get_file(const FileStore& files, const DocumentStore& documents, const std::string& id);
HttpResponse file_content(const FileStore& files, const std::string& id);
// The document that came with it goes too, unless another file has it or it was there before.
HttpResponse delete_file(FileStore& files, DocumentStore& documents, const std::string& id);

// The document behind an id of either kind; a file's document that was deleted alone is read again. kNotFound, kUsage: the file is no
// document; else as DocumentStore::source.
Result<SourcePtr> source_of_id(const FileStore& files, DocumentStore& documents, const std::string& id, std::stop_token stop);

}  // namespace glyph
