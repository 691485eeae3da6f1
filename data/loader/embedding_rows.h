// Rows of stored embeddings, V views of D numbers in the store's type: pass e over the dataset serves views
// e * V, e * V + 1, ... of the store, wrapping around, so that a record that comes again comes with other
// draws while there are some.
//
// A record that the store holds no embedding of is a bad record. See data/loader/row_source.h for the rules.
#pragma once

#include <memory>

#include "data/embedding/embedding_store.h"
#include "data/loader/row_source.h"

namespace graticule {

std::unique_ptr<const RowSource> MakeEmbeddingRows(std::shared_ptr<const EmbeddingStore> store,
                                                   int64_t views);

}  // namespace graticule
