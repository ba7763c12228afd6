// /v1/documents: uploads, progress, pages, text, quotes.
#pragma once

#include <string>

#include "server/document_store.h"
#include "server/http_message.h"
#include "server/multipart.h"
#include "server/workers.h"

namespace glyph {

// The last part of what the client calls the file, without control characters.
std::string file_name_of(const FormPart& part);

// The store and the workers must outlive the calls. All but `watch_document` run on a worker thread.
void upload_documents(DocumentStore& store, const HttpRequest& request, const ResponderPtr& responder);
HttpResponse list_documents(const DocumentStore& store);
HttpResponse get_document(const DocumentStore& store, const std::string& id);
HttpResponse delete_document(DocumentStore& store, const std::string& id);
HttpResponse page_picture(DocumentStore& store, const std::string& id, const std::string& number);
HttpResponse document_text(DocumentStore& store, const std::string& id);
HttpResponse find_in_document(DocumentStore& store, const std::string& id, const std::string& body);
// Server-sent events until the document is ready or failed.
void watch_document(DocumentStore& store, const std::string& id, const ResponderPtr& responder);

}  // namespace glyph
