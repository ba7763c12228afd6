// Small routes that need no document and no engine: tokens and a preview of pages.
#pragma once

#include <string>

#include "engine/model.h"
#include "server/http_message.h"

namespace glyph {

HttpResponse tokenize_text(const Model& model, const std::string& body);
HttpResponse detokenize_ids(const Model& model, const std::string& body);
// POST /v1/render: text and style -> one page as PNG, and what all pages cost.
HttpResponse render_preview(const Model& model, const std::string& body);
HttpResponse list_models(const Model& model);
HttpResponse get_model(const Model& model, const std::string& name);

}  // namespace glyph
