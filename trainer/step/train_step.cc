#include "trainer/step/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/hash.h"
#include "trainer/cuda_module.h"
#include "trainer/optim/gradient_norm.h"
#include "trainer/step/micro_batch.h"

namespace graticule {

namespace {

// A sum over rows, so that any division of the batch among ranks gives the same number; exact as a double for
// batches below 2^21 rows.
uint64_t SamplesDigest(const Batch& share) {
  uint64_t digest = 0;
  for (int64_t row = 0; row < share.size; ++row) {
    const int64_t key[] = {share.position[row], share.record[row]};
    digest += Crc32c(key, sizeof key);
  }
  return digest;
}

}  // namespace

TrainStep::TrainStep(Recipe& recipe, Optimizer& optimizer, GradSync& sync, Communicator& control,
                     Communicator& data, const StepOptions& options)
    : recipe_(recipe),
      optimizer_(optimizer),
      sync_(sync),
      control_(control),
      data_(data),
      options_(options) {}

void TrainStep::RunCollective(const Batch& share, double lr, StepRequest& request) {
  sync_.ZeroGrads();
  Objective objective = AccumulateCollective(share, request);
  sync_.FinishCollective();

  const torch::autograd::AutoGradMode no_grad(false);
  const std::vector<at::Tensor> gradients{sync_.flat()};
  const GradientNorm norm = ComputeGradientNorm(gradients);
  ClipGradients(gradients, norm.norm, options_.clip_norm);
  optimizer_.Step(lr, norm.found_inf);

  const StreamHandle stream = options_.cuda != nullptr ? options_.cuda->ComputeStream() : nullptr;
  data_
      .AllReduce(objective.sums.mutable_data_ptr(), static_cast<size_t>(objective.sums.numel()), DType::kF32,
                 ReduceOp::kSum, stream)
      ->WaitOn(stream);
  Pending pending;
  pending.host = at::cat({objective.sums, norm.norm}).to(c10::kCPU, /*non_blocking=*/true);
  pending.objective = std::move(objective);
  if (options_.device.type() != c10::kCPU) {
    pending.ready.emplace(options_.device.type());
    pending.ready->record(c10::impl::VirtualGuardImpl(options_.device.type()).getStream(options_.device));
  }
  pending_.push_back(std::move(pending));
}

TrainStep::Objective TrainStep::AccumulateCollective(const Batch& share, StepRequest& request) {
  Objective objective;
  std::vector<double>& shared = shared_;  // weights of the terms, then the request
  shared.clear();
  for (const auto& [name, weight] : recipe_.Weights(share)) {
    objective.names.push_back(name);
    shared.push_back(weight);
  }
  const size_t weights = shared.size();
  shared.insert(shared.end(),
                {request.stop ? 1.0 : 0.0, request.save ? 1.0 : 0.0, static_cast<double>(request.bad_records),
                 static_cast<double>(SamplesDigest(share))});
  const WorkPtr summed = control_.AllReduce(shared.data(), shared.size(), DType::kF64, ReduceOp::kSum);

  const auto terms_count = static_cast<int64_t>(objective.names.size());
  objective.scales.assign(objective.names.size(), 0);
  objective.sums = at::zeros({terms_count}, at::TensorOptions().dtype(at::kFloat).device(options_.device));
  const int64_t micro = options_.micro_batch > 0 ? std::min(options_.micro_batch, share.size) : share.size;
  GRATICULE_CHECK(micro > 0 && share.size % micro == 0);
  if (micro != share.size && !recipe_.additive()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("recipe {} cannot be split into micro-batches", recipe_.name()), "",
                "leave train.micro_batch at 0 and use more ranks");
  }
  for (int64_t begin = 0; begin < share.size; begin += micro) {
    const Batch part = SliceBatch(share, begin, micro);
    StagedInput staged = StageInput(part, options_.device, options_.cuda);
    if (staged.copied) copies_.push_back(std::move(staged.copied));
    const std::vector<at::Tensor> outputs = recipe_.Encode(staged.input);
    const std::vector<LossTerm> terms = recipe_.Terms(outputs, part, data_);
    if (begin == 0) {
      summed->Wait();
      request.stop = shared[weights] > 0;
      request.save = shared[weights + 1] > 0;
      request.bad_records = static_cast<int64_t>(shared[weights + 2]);
      objective.samples_digest = static_cast<uint64_t>(shared[weights + 3]);
      objective.weights.assign(shared.data(), shared.data() + weights);
    }
    Backward(terms, objective, begin + micro == share.size);
  }
  return objective;
}

void TrainStep::Backward(const std::vector<LossTerm>& terms, Objective& objective, bool last) {
  at::Tensor sum;
  for (const LossTerm& term : terms) {
    const auto at =
        std::find(objective.names.begin(), objective.names.end(), term.name) - objective.names.begin();
    GRATICULE_CHECK(at < static_cast<std::ptrdiff_t>(objective.names.size()), term.name);
    const double weight = objective.weights[at];
    objective.scales[at] = term.scale;
    // A term without a single label in the global batch still runs backward, with factor 0: its head's
    // gradients must be there on every rank.
    const at::Tensor part = term.sum * (weight > 0 ? term.scale / weight : 0.0);
    sum = sum.defined() ? sum + part : part;
    const torch::autograd::AutoGradMode no_grad(false);
    objective.sums[at].add_(term.sum.detach());
  }
  sync_.BeginBackward(last);
  sum.backward();
}

void TrainStep::WaitForImages() {
  for (const WorkPtr& copy : copies_) copy->Wait();
  copies_.clear();
}

std::optional<StepOutcome> TrainStep::ReadOutcome() {
  if (pending_.empty()) return std::nullopt;
  const Pending pending = std::move(pending_.front());
  pending_.erase(pending_.begin());
  if (pending.ready) pending.ready->synchronize();
  const float* values = pending.host.const_data_ptr<float>();
  const Objective& objective = pending.objective;
  StepOutcome outcome;
  for (size_t i = 0; i < objective.names.size(); ++i) {
    const double mean = objective.weights[i] > 0 ? values[i] / objective.weights[i] : 0;
    outcome.terms[objective.names[i]] = mean;
    outcome.loss += objective.scales[i] * mean;
  }
  outcome.grad_norm = values[objective.names.size()];
  outcome.samples_digest = objective.samples_digest;
  outcome.finite = std::isfinite(outcome.grad_norm);
  return outcome;
}

}  // namespace graticule
