#include "trainer/run/node_stage.h"

#include <atomic>
#include <future>
#include <optional>

#include "base/log.h"
#include "base/progress.h"
#include "data/embedding/embedding_store.h"
#include "data/stage.h"

namespace graticule {
namespace {

// Shown by the first rank alone, whichever rank of its node copies.
class StageProgress {
 public:
  StageProgress(bool quiet) : quiet_(quiet) {}
  void Show(uint64_t done, uint64_t total) {
    const auto done_mb = static_cast<int64_t>(done / 1'000'000),
               total_mb = static_cast<int64_t>(total / 1'000'000);
    if (!progress_ && done == total) return;
    if (!progress_) {
      progress_.emplace(
          StderrTerminal(), SystemClock(),
          Progress::Options{.unit = "MB staged", .total = total_mb, .start = done_mb, .quiet = quiet_});
    }
    progress_->Update(done_mb);
  }

 private:
  bool quiet_;
  std::optional<Progress> progress_;
};

StageResult Stage(const DataConfig& data, bool quiet, const std::atomic<bool>& given_up) {
  std::vector<StagedFile> files;
  const auto add = [&](const std::vector<std::string>& datasets, const std::vector<std::string>& stores) {
    const auto more = stores.empty() ? ShardFiles(datasets) : PartFiles(stores);
    files.insert(files.end(), more.begin(), more.end());
  };
  add(data.train, data.train_embeddings);
  add(data.val, data.val_embeddings);
  StageProgress progress(quiet);
  return StageFiles(PosixFs(), files,
                    {.folder = data.stage,
                     .limit_bytes = static_cast<uint64_t>(data.stage_gb * 1e9),
                     .progress = [&](uint64_t done, uint64_t total) {
                       if (given_up) throw Error(ErrorCode::kPeer, "another rank was lost", data.stage);
                       progress.Show(done, total);
                     }});
}

}  // namespace

void StageCollective(const DataConfig& data, bool quiet, Communicator& control) {
  std::atomic<bool> given_up{false};
  const bool silent = quiet || control.rank() != 0;
  std::future<StageResult> copying =
      std::async(std::launch::async, [&] { return Stage(data, silent, given_up); });
  try {
    for (int64_t busy = 1; busy > 0;) {
      if (copying.valid() && copying.wait_for(std::chrono::seconds(1)) == std::future_status::ready) {
        const StageResult result = copying.get();
        LogInfo("{} files lie in {}: {} copied by this rank, {} of other data removed", result.files,
                data.stage, result.copied, result.removed);
      }
      busy = copying.valid() ? 1 : 0;
      control.AllReduce(&busy, 1, DType::kI64, ReduceOp::kSum)->Wait();
    }
  } catch (...) {
    given_up = true;  // the destructor of the future waits
    throw;
  }
}

}  // namespace graticule
