#include "server/file_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <utility>

#include "base/log.h"
#include "base/mapped_file.h"
#include "server/api_error.h"
#include "server/api_json.h"
#include "server/document_api.h"
#include "server/file_body.h"
#include "server/list_page.h"
#include "server/multipart.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr std::array<std::string_view, 3> kDocumentPurposes{"user_data", "assistants", "vision"};
constexpr size_t kMaxListed = 10'000;

bool is_document(std::string_view purpose) {
  return std::find(kDocumentPurposes.begin(), kDocumentPurposes.end(), purpose) != kDocumentPurposes.end();
}

std::string_view text_of(const MappedFile& file) { return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}; }

// "processed" once it can be asked about without waiting.
std::string_view status_of(const StoredFile& file, const Result<DocumentInfo>& document) {
  if (file.document_id.empty() || !document.ok()) return "processed";
  if (document->state == DocumentState::kFailed) return "error";
  return document->state == DocumentState::kReady ? "processed" : "uploaded";
}

json::object file_json(const StoredFile& file, const DocumentStore& documents) {
  const Result<DocumentInfo> document = documents.get(file.document_id);
  const bool failed = status_of(file, document) == "error";
  return {{"id", file.id}, {"object", "file"}, {"bytes", file.bytes}, {"created_at", file.created_at}, {"filename", file.name},
          {"purpose", file.purpose}, {"status", status_of(file, document)},
          {"status_details", failed ? json::value(document->error) : json::value(nullptr)},
          {"document", file.document_id.empty() ? json::value(nullptr) : json::value(file.document_id)}};
}

// Where it was kept is for the log, not for the client.
Status lost(const std::string& id, const Status& why) {
  log_warning("{}: {}", id, why.message());
  return not_found(fmt::format("the content of {} is no longer there", id));
}

struct Form {
  std::string purpose;
  const FormPart* file = nullptr;
};

Result<Form> read_form(const std::vector<FormPart>& parts) {
  Form form;
  for (const FormPart& part : parts) {
    if (part.name == "purpose") form.purpose = std::string(part.bytes.substr(0, 64));
    if (part.name == "file") form.file = &part;
  }
  if (form.file == nullptr) return usage_error("the form has no part named file");
  if (form.purpose != "batch" && !is_document(form.purpose)) return usage_error("purpose must be user_data, assistants, vision or batch");
  return form;
}

Result<StoredFile> store_upload(FileStore& files, DocumentStore& documents, const HttpRequest& request) {
  GLYPH_ASSIGN_OR_RETURN(const std::string boundary, multipart_boundary(request.header("content-type")));
  GLYPH_ASSIGN_OR_RETURN(const MappedFile body, MappedFile::open(request.body_file));
  GLYPH_ASSIGN_OR_RETURN(const std::vector<FormPart> parts, parse_multipart(text_of(body), boundary));
  GLYPH_ASSIGN_OR_RETURN(const Form form, read_form(parts));
  StoredFile file;
  file.name = file_name_of(*form.file);
  file.purpose = form.purpose;
  if (is_document(form.purpose)) {
    file.document_id = DocumentStore::id_of(file.name, form.file->bytes, "");
    file.made_document = !documents.get(file.document_id).ok() || files.made_document(file.document_id);
    GLYPH_RETURN_IF_ERROR(documents.add(file.name, form.file->bytes, "").status());
  } else if (form.file->bytes.empty()) {
    return refused(fmt::format("{}: the file is empty", file.name));
  }
  return files.add(std::move(file), form.file->bytes);
}

}  // namespace

HttpResponse upload_file(FileStore& files, DocumentStore& documents, const HttpRequest& request) {
  const auto stored = store_upload(files, documents, request);
  return stored.ok() ? json_response(file_json(*stored, documents)) : error_response(stored.status());
}

HttpResponse list_files(const FileStore& files, const DocumentStore& documents, const HttpRequest& request) {
  const auto query = read_list_query(request, kMaxListed, kMaxListed);
  if (const auto* error = std::get_if<ApiError>(&query)) return error_response(*error);
  std::vector<StoredFile> all = files.list();
  if (const auto purpose = request.parameter("purpose")) {
    std::erase_if(all, [&](const StoredFile& file) { return file.purpose != *purpose; });
  }
  return list_page<StoredFile>(std::move(all), std::get<ListQuery>(query), [&](const StoredFile& file) { return file_json(file, documents); });
}

HttpResponse get_file(const FileStore& files, const DocumentStore& documents, const std::string& id) {
  const auto file = files.get(id);
  return file.ok() ? json_response(file_json(*file, documents)) : error_response(file.status());
}

HttpResponse file_content(const FileStore& files, const std::string& id) {
  const auto file = files.get(id);
  if (!file.ok()) return error_response(file.status());
  auto body = FileBody::open(files.content(id));
  if (!body.ok()) return error_response(lost(id, body.status()));
  HttpResponse response;
  response.content_type = "application/octet-stream";
  response.file = std::make_shared<FileBody>(*std::move(body));
  return response;
}

HttpResponse delete_file(FileStore& files, DocumentStore& documents, const std::string& id) {
  const auto file = files.get(id);
  if (!file.ok()) return error_response(file.status());
  if (const Status status = files.remove(id); !status.ok()) return error_response(status);
  if (file->made_document && !files.uses_document(file->document_id)) {
    const Status status = documents.remove(file->document_id);
    if (!status.ok() && status.code() != StatusCode::kNotFound) return error_response(status);
  }
  return json_response({{"id", id}, {"object", "file"}, {"deleted", true}});
}

Result<SourcePtr> source_of_id(const FileStore& files, DocumentStore& documents, const std::string& id, std::stop_token stop) {
  if (!id.starts_with("file-")) return documents.source(id, stop);
  GLYPH_ASSIGN_OR_RETURN(const StoredFile file, files.get(id));
  if (file.document_id.empty()) return usage_error(fmt::format("{} has the purpose {}: it is not a document", id, file.purpose));
  if (!documents.get(file.document_id).ok()) {
    const Result<MappedFile> content = MappedFile::open(files.content(id));
    if (!content.ok()) return lost(id, content.status());
    GLYPH_RETURN_IF_ERROR(documents.add(file.name, text_of(*content), "").status());
  }
  return documents.source(file.document_id, stop);
}

}  // namespace glyph
