// What survives when a write fails, a process dies, or a machine loses what was not synced: at every single
// call.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "base/run/checkpoint_store.h"
#include "tests/unit/base/temp_folder.h"

namespace graticule {
namespace {

void WriteStep(CheckpointWriter& out, int64_t step) {
  const std::vector<float> weights(64, static_cast<float>(step));
  SafetensorsWriter tensors;
  tensors.Add("w", {SafeDType::kF32, {64}, reinterpret_cast<const uint8_t*>(weights.data()), 256});
  out.Write("model.safetensors", tensors);
  out.Write("optimizer.safetensors", tensors);
  out.Write("state.json", std::to_string(step));
}

// The newest checkpoint is whole and holds the state of exactly one step.
int64_t NewestStep(const std::string& dir) {
  const CheckpointScan scan = CheckpointStore(PosixFs(), dir).FindNewestValid();
  if (!scan.newest) return -1;
  EXPECT_EQ(ReadFileToString(scan.newest->PathOf("state.json")), std::to_string(scan.newest->step));
  const auto tensors = SafetensorsFile::Open(scan.newest->PathOf("model.safetensors"));
  EXPECT_EQ(*reinterpret_cast<const float*>(tensors->at("w").data), static_cast<float>(scan.newest->step));
  return scan.newest->step;
}

bool HasLitter(const std::string& dir) {
  for (const std::string& name : PosixFs().List(dir)) {
    if (name.find(".tmp") != name.npos) return true;
  }
  return false;
}

struct Killed {};  // not an Error: nothing may catch it on the way out

enum class Fault { kFailsOnce, kFailsForEver, kDies };

// Publishes steps 1..4 with keep 2 (so that retention deletes as well) on a store whose n-th mutating call
// goes wrong. Returns false when n lies beyond the last call.
bool RunWithFault(Fault kind, int n) {
  TempFolder temp("fault");
  const std::string dir = temp.At("ckpt");
  int calls = 0;
  bool hit = false;
  const auto fs = MakeFaultyFs(PosixFs(), [&](std::string_view operation, const std::string& path) {
    ++calls;
    if (calls < n || (kind == Fault::kFailsOnce && calls > n)) return;
    hit = true;
    if (kind == Fault::kDies) throw Killed{};
    throw Error(ErrorCode::kData, "injected " + std::string(operation), path);
  });
  CheckpointStore store(*fs, dir);
  int64_t published = 0;
  try {
    for (int64_t step = 1; step <= 4; ++step) {
      const int64_t before = published;
      try {
        store.Publish({.step = step}, 0, [&](CheckpointWriter& out) { WriteStep(out, step); });
        published = step;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCheckpoint) << error.what();
      }
      const int64_t newest = NewestStep(dir.c_str());
      EXPECT_GE(newest, before == 0 ? -1 : before) << "call " << n;
      EXPECT_LE(newest, step);
      EXPECT_TRUE(published != step || newest == step) << "published but not found, call " << n;
    }
  } catch (const Killed&) {
    const int64_t newest = NewestStep(dir);
    EXPECT_GE(newest, published == 0 ? -1 : published) << "call " << n;
    EXPECT_LE(newest, published + 1);
  }
  // After a restart on a sound disk the run goes on, and nothing of the accident is left.
  CheckpointStore again(PosixFs(), dir);
  again.Publish({.step = 9}, 0, [](CheckpointWriter& out) { WriteStep(out, 9); });
  EXPECT_EQ(NewestStep(dir), 9);
  EXPECT_FALSE(HasLitter(dir)) << "call " << n;
  return hit;
}

int CountCalls(Fault kind) {
  int n = 1;
  while (RunWithFault(kind, n)) {
    if (::testing::Test::HasFailure()) ADD_FAILURE() << "first failure at call " << n;
    if (::testing::Test::HasFailure()) break;
    ++n;
  }
  return n - 1;
}

TEST(CheckpointFaults, KeepsThePreviousCheckpointWhicheverCallFailsOnce) {
  EXPECT_GT(CountCalls(Fault::kFailsOnce), 80);
}
TEST(CheckpointFaults, KeepsThePreviousCheckpointWhenTheDiskFailsForEver) {
  EXPECT_GT(CountCalls(Fault::kFailsForEver), 80);
}
TEST(CheckpointFaults, KeepsThePreviousCheckpointWhereverTheProcessDies) {
  EXPECT_GT(CountCalls(Fault::kDies), 80);
}

// A disk that knows what was synced. Folders and files have a present and a durable state; a crash keeps the
// durable one, or any mixture that a journalling file system may leave.
class CrashFs : public FileSystem {
 public:
  explicit CrashFs(std::function<void()> before_call) : before_(std::move(before_call)) {}

  struct Node {
    bool folder = false;
    std::string bytes, durable_bytes;
    std::map<std::string, std::shared_ptr<Node>> entries, durable_entries;
  };

  std::unique_ptr<WritableFile> Create(const std::string& path) override {
    before_();
    auto& node = Parent(path).entries[BaseName(path)];
    node = std::make_shared<Node>();
    return std::make_unique<File>(*this, node);
  }
  std::unique_ptr<WritableFile> OpenAppend(const std::string& path) override { return Create(path); }
  std::unique_ptr<ReadableFile> Open(const std::string& path) override {
    throw Error(ErrorCode::kBug, "unused", path);
  }
  void Rename(const std::string& from, const std::string& to) override {
    before_();
    auto node = Parent(from).entries.extract(BaseName(from));
    Parent(to).entries[BaseName(to)] = node.mapped();
  }
  void Remove(const std::string& path) override { RemoveTree(path); }
  void RemoveTree(const std::string& path) override {
    Node* node = Find(path);
    if (node == nullptr) return;
    while (!node->entries.empty()) RemoveTree(JoinPath(path, node->entries.begin()->first));
    before_();
    Parent(path).entries.erase(BaseName(path));
  }
  void MakeDirs(const std::string& path) override {
    if (Find(path) != nullptr) return;
    MakeDirs(DirName(path));
    before_();
    auto node = std::make_shared<Node>();
    node->folder = true;
    Parent(path).entries[BaseName(path)] = node;
  }
  void SyncFile(const std::string& path) override {
    before_();
    Find(path)->durable_bytes = Find(path)->bytes;
  }
  void SyncDir(const std::string& path) override {
    before_();
    Find(path)->durable_entries = Find(path)->entries;
  }
  bool Exists(const std::string& path) override { return Find(path) != nullptr; }
  bool IsDirectory(const std::string& path) override { return Find(path) != nullptr && Find(path)->folder; }
  uint64_t FileSize(const std::string& path) override { return Find(path)->bytes.size(); }
  std::vector<std::string> List(const std::string& dir) override {
    std::vector<std::string> names;
    for (const auto& [name, node] : Find(dir)->entries) names.push_back(name);
    return names;
  }
  uint64_t FreeBytes(const std::string&) override { return ~0ull; }

  enum class Loss { kAllUnsynced, kData, kHalfOfTheData };
  // Writes to a real folder what the disk holds after the machine went down.
  void Materialise(const std::string& to, Loss loss) const { Put(root_, to, loss); }

 private:
  class File : public WritableFile {
   public:
    File(CrashFs& fs, std::shared_ptr<Node> node) : fs_(fs), node_(std::move(node)) {}
    void Append(const void* data, size_t bytes) override {
      fs_.before_();
      node_->bytes.append(static_cast<const char*>(data), bytes);
    }
    void WriteAt(uint64_t, const void*, size_t) override { throw Killed{}; }
    void Sync() override {
      fs_.before_();
      node_->durable_bytes = node_->bytes;
    }
    void Close() override {}

   private:
    CrashFs& fs_;
    std::shared_ptr<Node> node_;
  };

  Node* Find(const std::string& path) {
    if (path == "." || path == "/") return &root_;
    Node* parent = Find(DirName(path));
    if (parent == nullptr) return nullptr;
    const auto found = parent->entries.find(BaseName(path));
    return found == parent->entries.end() ? nullptr : found->second.get();
  }
  Node& Parent(const std::string& path) { return *Find(DirName(path)); }
  static void Put(const Node& node, const std::string& to, Loss loss) {
    PosixFs().MakeDirs(to);
    for (const auto& [name, child] : loss == Loss::kAllUnsynced ? node.durable_entries : node.entries) {
      if (child->folder) {
        Put(*child, JoinPath(to, name), loss);
        continue;
      }
      std::string bytes = child->durable_bytes;
      if (loss == Loss::kHalfOfTheData && bytes.size() < child->bytes.size()) {
        bytes = child->bytes.substr(0, (bytes.size() + child->bytes.size()) / 2);
      }
      auto file = PosixFs().Create(JoinPath(to, name));
      file->Append(bytes);
      file->Close();
    }
  }

  std::function<void()> before_;
  Node root_{.folder = true};
};

// Publishes step 2 beside step 1 with keep_last 2 on a disk that goes down before its n-th call.
// The store reads through the real file system, hence one directory name that exists in both worlds.
bool RunWithPowerCut(int n, CrashFs::Loss loss) {
  TempFolder temp("power");
  int calls = 0;
  bool down = false;
  CrashFs fs([&] {
    if (++calls == n) {
      down = true;
      throw Killed{};
    }
  });
  fs.MakeDirs("ckpt_parent");
  fs.SyncDir(".");
  const std::string dir = "ckpt_parent/ckpt";
  int64_t published = 0;
  try {
    for (int64_t step = 1; step <= 2; ++step) {
      CheckpointStore store(fs, dir);
      store.Publish({.step = step}, 0, [&](CheckpointWriter& out) { WriteStep(out, step); });
      published = step;
    }
  } catch (const Killed&) {
  }
  fs.Materialise(temp.path(), loss);
  const int64_t newest = NewestStep(temp.At(dir));
  EXPECT_GE(newest, published == 0 ? -1 : published) << "call " << n;
  EXPECT_LE(newest, published + 1) << "call " << n;
  return down;
}

TEST(CheckpointFaults, SurvivesALostPageCacheAtEveryCall) {
  for (const auto loss : {CrashFs::Loss::kAllUnsynced, CrashFs::Loss::kData, CrashFs::Loss::kHalfOfTheData}) {
    int n = 3;  // the first two make the parent folder
    while (RunWithPowerCut(n, loss) && !::testing::Test::HasFailure()) ++n;
    EXPECT_GT(n, 40);
  }
}

}  // namespace
}  // namespace graticule
