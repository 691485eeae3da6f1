#include "trainer/step/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

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

void TrainStep::RunCollective(const Batch& share, int64_t first_sample, double lr, StepRequest& request) {
  sync_.ZeroGrads();
  Objective objective = AccumulateCollective(share, first_sample, request);
  sync_.FinishCollective();

  const torch::autograd::AutoGradMode no_grad(false);
  const std::vector<at::Tensor> gradients{sync_.flat()};
  const GradientNorm norm = ComputeGradientNorm(gradients);
  ClipGradients(gradients, norm.norm, options_.clip_norm);
  optimizer_.Step(lr, norm.found_inf);
  recipe_.AfterUpdate();
  if (options_.average != nullptr) options_.average->Update(norm.found_inf);

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

TrainStep::Objective TrainStep::AccumulateCollective(const Batch& share, int64_t first_sample,
                                                     StepRequest& request) {
  Objective objective;
  std::vector<double>& shared = shared_;  // weights of the terms, then the request
  shared.clear();
  for (const auto& [name, weight] : recipe_.Weights(share)) {
    objective.names.push_back(name);
    shared.push_back(weight);
  }
  Shared sums{.summed = nullptr, .weights = shared.size()};
  shared.insert(shared.end(),
                {request.stop ? 1.0 : 0.0, request.save ? 1.0 : 0.0, static_cast<double>(request.bad_records),
                 static_cast<double>(SamplesDigest(share))});
  sums.summed = control_.AllReduce(shared.data(), shared.size(), DType::kF64, ReduceOp::kSum);

  const auto terms_count = static_cast<int64_t>(objective.names.size());
  objective.scales.assign(objective.names.size(), 0);
  objective.sums = at::zeros({terms_count}, at::TensorOptions().dtype(at::kFloat).device(options_.device));
  const int64_t micro = options_.micro_batch > 0 ? std::min(options_.micro_batch, share.size) : share.size;
  GRATICULE_CHECK(micro > 0 && share.size % micro == 0);
  if (!recipe_.additive()) {
    WholeShareCollective(share, first_sample, micro, sums, objective, request);
    return objective;
  }
  for (int64_t begin = 0; begin < share.size; begin += micro) {
    const Batch part = SliceBatch(share, begin, micro);
    const std::vector<LossTerm> terms = recipe_.Terms(EncodeImages(part), part, data_);
    if (begin == 0) Await(sums, objective, request);
    const at::Tensor sum = Scaled(terms, objective);
    sync_.BeginBackward(begin + micro == share.size);
    sum.backward();
  }
  return objective;
}

std::vector<at::Tensor> TrainStep::EncodeImages(const Batch& part) {
  StagedInput staged = StageInput(part, options_.device, options_.cuda);
  if (staged.copied) copies_.push_back(std::move(staged.copied));
  return recipe_.Encode(staged.input);
}

void TrainStep::WholeShareCollective(const Batch& share, int64_t first_sample, int64_t micro,
                                     const Shared& sums, Objective& objective, StepRequest& request) {
  const std::vector<LatLon> places = recipe_.PlacesCollective(share, first_sample, control_);
  const bool cached = micro != share.size;
  constexpr size_t kPlacesAtATime = 4096;
  const size_t stretch = cached ? kPlacesAtATime : std::max<size_t>(1, places.size());
  std::vector<std::function<std::vector<at::Tensor>()>> images, towards;
  for (int64_t begin = 0; begin < share.size; begin += micro)
    images.emplace_back([&, begin] { return EncodeImages(SliceBatch(share, begin, micro)); });
  for (size_t begin = 0; begin < places.size(); begin += stretch) {
    const std::span<const LatLon> part =
        std::span(places).subspan(begin, std::min(stretch, places.size() - begin));
    towards.emplace_back([&, part] { return recipe_.Encode({.places = part}); });
  }
  std::vector<at::Tensor> outputs;
  const auto all_of = [&](const auto& parts) {
    const torch::autograd::AutoGradMode graph(!cached);
    std::vector<std::vector<at::Tensor>> by_output;
    for (const auto& encode : parts) {
      std::vector<at::Tensor> made = encode();
      by_output.resize(made.size());
      for (size_t i = 0; i < made.size(); ++i) by_output[i].push_back(std::move(made[i]));
    }
    const size_t first = outputs.size();
    for (const auto& rows : by_output) outputs.push_back(rows.size() == 1 ? rows[0] : at::cat(rows));
    if (cached) outputs[first] = outputs[first].detach().requires_grad_(true);
    return outputs[first];
  };
  const at::Tensor image_rows = all_of(images), place_rows = all_of(towards);
  const std::vector<LossTerm> terms = recipe_.Terms(outputs, share, data_);
  Await(sums, objective, request);
  const at::Tensor sum = Scaled(terms, objective);
  sync_.BeginBackward(!cached);
  sum.backward();
  if (!cached) return;
  const auto again = [&](const auto& parts, const at::Tensor& gradient, bool last) {
    int64_t row = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const at::Tensor rows = parts[i]().at(0);
      sync_.BeginBackward(last && i + 1 == parts.size());
      // A frozen tower in front of a frozen head leaves nothing to send back.
      if (rows.requires_grad()) rows.backward(gradient.narrow(0, row, rows.size(0)));
      row += rows.size(0);
    }
  };
  again(images, image_rows.grad(), false);
  again(towards, place_rows.grad(), true);
}

void TrainStep::Await(const Shared& sums, Objective& objective, StepRequest& request) {
  sums.summed->Wait();
  const double* asked = shared_.data() + sums.weights;
  request.stop = asked[0] > 0;
  request.save = asked[1] > 0;
  request.bad_records = static_cast<int64_t>(asked[2]);
  objective.samples_digest = static_cast<uint64_t>(asked[3]);
  objective.weights.assign(shared_.begin(), shared_.begin() + static_cast<std::ptrdiff_t>(sums.weights));
}

at::Tensor TrainStep::Scaled(const std::vector<LossTerm>& terms, Objective& objective) {
  at::Tensor sum;
  for (const LossTerm& term : terms) {
    const auto at =
        std::find(objective.names.begin(), objective.names.end(), term.name) - objective.names.begin();
    GRATICULE_CHECK(at < static_cast<std::ptrdiff_t>(objective.names.size()), term.name);
    const double weight = objective.weights[at];
    objective.scales[at] = term.scale;
    {
      const torch::autograd::AutoGradMode no_grad(false);
      objective.sums[at].add_(term.sum.detach());
    }
    if (term.scale == 0) continue;
    // A term without a single label in the global batch still runs backward, with factor 0: its head's
    // gradients must be there on every rank.
    const at::Tensor part = term.sum * (weight > 0 ? term.scale / weight : 0.0);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
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
