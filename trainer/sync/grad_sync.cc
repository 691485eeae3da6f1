#include "trainer/sync/grad_sync.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <chrono>
#include <map>
#include <utility>

#include "base/error.h"
#include "trainer/cuda_module.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;
using torch::autograd::Node;
using torch::autograd::variable_list;

constexpr int64_t kAlignBytes = 256;
constexpr int64_t kAlign = kAlignBytes / static_cast<int64_t>(sizeof(float));

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A flat fp32 buffer whose first element lies at a 256-byte boundary.
at::Tensor AlignedZeros(int64_t elements, const at::Device& device) {
  const at::Tensor raw = at::zeros({elements + kAlign}, at::TensorOptions(at::kFloat).device(device));
  const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(raw.data_ptr()) % kAlignBytes);
  return raw.narrow(0, past == 0 ? 0 : (kAlignBytes - past) / static_cast<int64_t>(sizeof(float)), elements);
}

std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

}  // namespace

struct GradSync::Impl {
  std::vector<NamedTensor> parameters;
  Communicator& data;
  Communicator& control;
  CommConfig config;
  CudaModule* cuda;

  at::Tensor flat, wire;          // wire: what travels when that is not fp32
  std::vector<at::Tensor> views;  // by parameter
  std::vector<Bucket> buckets;
  std::vector<size_t> bucket_of;  // by parameter
  std::vector<std::shared_ptr<Node>> accumulators;
  std::vector<uintptr_t> hook_keys;

  std::vector<char> fired_ever, fired_now;
  std::vector<size_t> missing;  // by bucket: parameters not ready in this pass
  std::vector<WorkPtr> works;   // issued so far, in bucket order
  bool reducing = false, first_step = true;
  Clock::time_point first_issue;
  SyncStats stats;

  Impl(std::vector<NamedTensor> list, Communicator& data, Communicator& control, const CommConfig& config,
       CudaModule* cuda)
      : parameters(std::move(list)), data(data), control(control), config(config), cuda(cuda) {
    CompareRanksCollective();
    Lay();
    Hook();
  }

  ~Impl() {
    for (size_t i = 0; i < accumulators.size(); ++i) accumulators[i]->del_post_hook(hook_keys[i]);
  }

  bool fp32(size_t i) const { return parameters[i].tensor.scalar_type() == at::kFloat; }
  StreamHandle stream() const { return cuda ? cuda->ComputeStream() : nullptr; }

  void CompareRanksCollective() {
    std::string own;
    for (const NamedTensor& p : parameters) {
      GRATICULE_CHECK(p.tensor.is_leaf() && p.tensor.requires_grad(), p.name);
      GRATICULE_CHECK(p.tensor.device() == parameters[0].tensor.device(), p.name);
      own += c10::str(p.name, ' ', p.tensor.sizes(), ' ', p.tensor.scalar_type(), '\n');
    }
    const std::string first = control.BroadcastString(own, 0);
    if (control.SumScalar(first == own ? 0 : 1) == 0) return;
    throw Error(ErrorCode::kBug,
                first == own ? std::string("another rank trains other parameters than rank 0")
                             : "this rank trains other parameters than rank 0",
                "rank " + std::to_string(control.rank()),
                "all ranks must run the same program with the same configuration");
  }

  // Cuts the parameters, last one first, into buckets of one flat buffer.
  void Lay() {
    const double mib = 1 << 20;
    int64_t end = 0;
    std::vector<int64_t> offset(parameters.size());
    bucket_of.resize(parameters.size());
    for (size_t k = parameters.size(); k-- > 0;) {
      const double cap = (buckets.size() <= 1 ? config.first_bucket_mb : config.bucket_mb) * mib;
      if (buckets.empty() || static_cast<double>((end - buckets.back().begin) * 4) >= cap)
        buckets.push_back({end, end, {}});
      offset[k] = end;
      end += (parameters[k].tensor.numel() + kAlign - 1) / kAlign * kAlign;
      buckets.back().end = end;
      buckets.back().parameters.push_back(k);
      bucket_of[k] = buckets.size() - 1;
    }
    const at::Device device = parameters.empty() ? at::Device(at::kCPU) : parameters[0].tensor.device();
    flat = AlignedZeros(end, device);
    if (config.grad_dtype == "bf16") wire = at::zeros({end}, flat.options().dtype(at::kBFloat16));
    for (size_t i = 0; i < parameters.size(); ++i) {
      views.push_back(
          flat.narrow(0, offset[i], parameters[i].tensor.numel()).view(parameters[i].tensor.sizes()));
    }
    fired_ever.assign(parameters.size(), 0);
    Attach();
  }

  void Attach() {
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (fp32(i)) parameters[i].tensor.mutable_grad() = views[i];
    }
  }

  void Hook() {
    for (size_t i = 0; i < parameters.size(); ++i) {
      accumulators.push_back(torch::autograd::impl::grad_accumulator(parameters[i].tensor));
      auto hook = [this, i](const variable_list& outputs, const variable_list&) {
        Ready(i);
        return outputs;
      };
      hook_keys.push_back(
          accumulators[i]->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(hook)));
    }
  }

  // The gradient of parameter i is complete for this backward.
  void Ready(size_t i) {
    const at::NoGradGuard no_grad;
    at::Tensor& grad = parameters[i].tensor.mutable_grad();
    if (!fp32(i)) {
      if (grad.defined()) views[i].add_(grad);
      grad = at::Tensor();
    } else {
      GRATICULE_CHECK(grad.defined() && grad.data_ptr() == views[i].data_ptr(),
                      parameters[i].name + " left its bucket");
    }
    fired_ever[i] = 1;
    if (!reducing) return;
    GRATICULE_CHECK(!fired_now[i], parameters[i].name + " became ready twice in one backward");
    fired_now[i] = 1;
    --missing[bucket_of[i]];
    if (config.overlap) IssueReady();
  }

  // Issues in index order, so that all ranks issue alike whatever order their hooks fire in.
  void IssueReady() {
    while (works.size() < buckets.size() && missing[works.size()] == 0) Issue();
  }

  void Issue() {
    const at::NoGradGuard no_grad;
    const Bucket& bucket = buckets[works.size()];
    if (works.empty()) first_issue = Clock::now();
    const int64_t count = bucket.end - bucket.begin;
    at::Tensor part = flat.narrow(0, bucket.begin, count);
    DType dtype = DType::kF32;
    if (wire.defined()) {
      part = wire.narrow(0, bucket.begin, count).copy_(part);
      dtype = DType::kBF16;
    }
    works.push_back(
        data.AllReduce(part.data_ptr(), static_cast<size_t>(count), dtype, ReduceOp::kSum, stream()));
    stats.bytes += count * static_cast<int64_t>(SizeOf(dtype));
  }

  void FinishCollective() {
    GRATICULE_CHECK(reducing, "FinishCollective without BeginBackward(true)");
    reducing = false;
    if (first_step) CheckAllFiredCollective();
    first_step = false;
    while (works.size() < buckets.size()) Issue();
    const auto start = Clock::now();
    for (const WorkPtr& work : works) work->WaitOn(stream());
    stats.exposed_s = SecondsSince(start);
    stats.span_s = works.empty() ? 0 : SecondsSince(first_issue);
    stats.buckets = static_cast<int>(works.size());
    works.clear();
    if (wire.defined()) {
      const at::NoGradGuard no_grad;
      flat.copy_(wire);
    }
  }

  void CheckAllFiredCollective() {
    std::vector<std::string> silent;
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!fired_ever[i]) silent.push_back(parameters[i].name);
    }
    if (control.SumScalar(static_cast<double>(silent.size())) == 0) return;
    const std::vector<std::string> all = control.GatherStrings(silent.empty() ? "" : Listed(silent));
    for (size_t r = 0; r < all.size(); ++r) {
      if (all[r].empty()) continue;
      throw Error(ErrorCode::kBug, "trainable parameters got no gradient in the first step: " + all[r],
                  "rank " + std::to_string(r),
                  "freeze what the recipe does not reach when the model is built");
    }
  }
};

GradSync::GradSync(std::vector<NamedTensor> parameters, Communicator& data, Communicator& control,
                   const CommConfig& config, CudaModule* cuda)
    : impl_(std::make_unique<Impl>(std::move(parameters), data, control, config, cuda)) {}
GradSync::~GradSync() = default;

void GradSync::ZeroGrads() {
  const at::NoGradGuard no_grad;
  impl_->flat.zero_();
  impl_->Attach();
}

void GradSync::BeginBackward(bool last) {
  Impl& impl = *impl_;
  impl.reducing = last;
  if (!last) return;
  impl.works.clear();
  impl.stats = {};
  impl.fired_now.assign(impl.parameters.size(), 0);
  impl.missing.clear();
  for (const Bucket& bucket : impl.buckets) impl.missing.push_back(bucket.parameters.size());
}

void GradSync::FinishCollective() { impl_->FinishCollective(); }

const at::Tensor& GradSync::flat() const { return impl_->flat; }
const std::vector<GradSync::Bucket>& GradSync::buckets() const { return impl_->buckets; }
at::Tensor GradSync::GradOf(size_t parameter) const { return impl_->views.at(parameter); }
const SyncStats& GradSync::stats() const { return impl_->stats; }

}  // namespace graticule
