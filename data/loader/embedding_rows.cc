#include "data/loader/embedding_rows.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "base/error.h"

namespace graticule {
namespace {

class EmbeddingRows final : public RowSource {
 public:
  EmbeddingRows(std::shared_ptr<const EmbeddingStore> store, int64_t views)
      : store_(std::move(store)), views_(views) {
    if (views >= 1 && views <= store_->plan().views) return;
    throw Error(ErrorCode::kUsage,
                fmt::format("{} views are asked of a store that holds {}", views, store_->plan().views),
                "data", "make the store with more draws: `graticule embed --draws`");
  }
  size_t row_bytes() const override { return static_cast<size_t>(views_) * store_->plan().view_bytes(); }
  int64_t grain() const override { return 64; }
  void Describe(Batch& batch, uint8_t* rows) const override {
    batch.views = views_;
    batch.embeddings_BVD = rows;
    batch.embedding_dim = store_->plan().dim;
    batch.embedding_dtype = store_->plan().dtype;
  }
  std::unique_ptr<Workspace> NewWorkspace() const override { return std::make_unique<Workspace>(); }
  bool by_pass() const override { return store_->plan().views > views_; }
  void FillTogether(std::span<const int64_t> records, std::span<const SampleKey> keys, Workspace& work,
                    uint8_t* rows, std::span<uint8_t> done) const override {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<int64_t> firsts;
    for (const SampleKey& key : keys) firsts.push_back(FirstView(key));
    store_->ReadChecked(records, firsts, views_, rows, done);
    work.read_s += SecondsSince(begin);
  }
  void Fill(int64_t record, const SampleKey& key, Workspace& work, uint8_t* row) const override {
    const auto begin = std::chrono::steady_clock::now();
    store_->Read(record, FirstView(key), views_, row);
    work.read_s += SecondsSince(begin);
  }

 private:
  int64_t FirstView(const SampleKey& key) const { return key.pass * views_ % store_->plan().views; }

  std::shared_ptr<const EmbeddingStore> store_;
  int64_t views_;
};

}  // namespace

std::unique_ptr<const RowSource> MakeEmbeddingRows(std::shared_ptr<const EmbeddingStore> store,
                                                   int64_t views) {
  return std::make_unique<EmbeddingRows>(std::move(store), views);
}

}  // namespace graticule
