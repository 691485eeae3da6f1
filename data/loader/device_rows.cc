#include "data/loader/device_rows.h"

#include <chrono>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/image/jpeg_decode.h"

namespace graticule {
namespace {

// nvJPEG's kernels decode groups above 50 images much faster than smaller ones.
constexpr int64_t kGroup = 64;

class DeviceRows final : public RowSource {
 public:
  DeviceRows(std::shared_ptr<const Dataset> dataset, const ImageRowsOptions& options, JpegDevice& device)
      : dataset_(std::move(dataset)),
        options_(options),
        device_(device),
        cpu_(MakeImageRows(dataset_, options)) {}

  size_t row_bytes() const override { return cpu_->row_bytes(); }
  int64_t grain() const override { return kGroup; }
  void Describe(Batch& batch, uint8_t* rows) const override { cpu_->Describe(batch, rows); }
  void ReadAhead(int64_t first_record, int64_t count) const override { cpu_->ReadAhead(first_record, count); }
  std::unique_ptr<Workspace> NewWorkspace() const override {
    return std::make_unique<Group>(options_.augment, cpu_->NewWorkspace());
  }
  void FillTogether(std::span<const int64_t> records, std::span<const SampleKey> keys, Workspace& work,
                    uint8_t* rows, std::span<uint8_t> done) const override;
  void Fill(int64_t record, const SampleKey& key, Workspace& work, uint8_t* row) const override;

 private:
  struct Group final : Workspace {
    Group(const AugmentOptions& augment, std::unique_ptr<Workspace> for_cpu)
        : cropper(augment), cpu(std::move(for_cpu)) {}
    std::unique_ptr<JpegDevice::Session> session;
    JpegDecoder decoder;
    Cropper cropper;
    std::unique_ptr<Workspace> cpu;
    std::vector<std::vector<uint8_t>> bytes;  // one per row
    std::vector<ResizePlan> plans;
    std::vector<DeviceJpeg> jpegs;
    std::vector<size_t> row_of;  // one per JPEG
    CropTables tables;
  };

  bool Plan(int64_t record, const SampleKey& key, Group& group, std::vector<uint8_t>& bytes,
            uint8_t* row) const;

  std::shared_ptr<const Dataset> dataset_;
  ImageRowsOptions options_;
  JpegDevice& device_;
  std::unique_ptr<const RowSource> cpu_;
};

// Reads the record and adds it to what the device will do; false: it is for the CPU.
bool DeviceRows::Plan(int64_t record, const SampleKey& key, Group& group, std::vector<uint8_t>& bytes,
                      uint8_t* row) const {
  const auto begin = std::chrono::steady_clock::now();
  try {
    dataset_->ReadImage(record, bytes);
  } catch (const BadRecord&) {
    return false;  // Fill will find the same, and its caller knows what to do
  }
  group.read_s += SecondsSince(begin);
  JpegInfo info;
  try {
    info = group.decoder.ReadHeader(bytes);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
    return false;
  }
  const bool turned = options_.augment.apply_exif_orientation && info.orientation != 1;
  if (!info.plain || turned) return false;
  group.plans.clear();
  PlanViews(options_, group.cropper, info.width, info.height, key, group.plans);
  group.jpegs.push_back({.bytes = bytes,
                         .width = info.width,
                         .height = info.height,
                         .first_crop = group.tables.crops().size(),
                         .crops = group.plans.size(),
                         .out = row});
  for (const ResizePlan& plan : group.plans) group.tables.Add(plan, group.cropper.filter());
  return true;
}

void DeviceRows::FillTogether(std::span<const int64_t> records, std::span<const SampleKey> keys,
                              Workspace& work, uint8_t* rows, std::span<uint8_t> done) const {
  auto& group = static_cast<Group&>(work);
  if (group.session == nullptr) group.session = device_.NewSession();
  if (group.bytes.size() < records.size()) group.bytes.resize(records.size());
  group.jpegs.clear();
  group.row_of.clear();
  group.tables.Clear();
  for (size_t i = 0; i < records.size(); ++i) {
    if (Plan(records[i], keys[i], group, group.bytes[i], rows + i * row_bytes())) group.row_of.push_back(i);
  }
  const auto begin = std::chrono::steady_clock::now();
  group.session->Decode(group.jpegs, group.tables);
  group.decode_s += SecondsSince(begin);
  for (size_t j = 0; j < group.jpegs.size(); ++j) {
    done[group.row_of[j]] = group.jpegs[j].done;
    group.by_device += group.jpegs[j].done;
  }
}

void DeviceRows::Fill(int64_t record, const SampleKey& key, Workspace& work, uint8_t* row) const {
  auto& group = static_cast<Group&>(work);
  cpu_->Fill(record, key, *group.cpu, row);
  group.read_s += std::exchange(group.cpu->read_s, 0.0);
  group.decode_s += std::exchange(group.cpu->decode_s, 0.0);
}

}  // namespace

std::unique_ptr<const RowSource> MakeDeviceRows(std::shared_ptr<const Dataset> dataset,
                                                const ImageRowsOptions& options, JpegDevice& device) {
  return std::make_unique<DeviceRows>(std::move(dataset), options, device);
}

}  // namespace graticule
