// ApiContext: what the handlers that ask the model need.
#pragma once

#include "engine/model.h"
#include "schedule/replicas.h"
#include "server/answer_formats.h"
#include "server/document_store.h"
#include "server/file_store.h"
#include "server/image_fetcher.h"
#include "server/recent_sources.h"

namespace glyph {

// All must outlive the replicas' jobs.
struct ApiContext {
  const Model& model;
  Replicas& replicas;
  DocumentStore& documents;
  const FileStore& files;
  AnswerFormats& formats;
  const IngestOptions& ingest;
  const ImageFetcher& images;
  RecentSources& recent;
  bool background = false;  // for batches: answers that give way to all others
};

}  // namespace glyph
