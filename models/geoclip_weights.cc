#include "models/geoclip_weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/safetensors.h"
#include "base/text.h"
#include "base/torch_file.h"
#include "models/tensor_io.h"
#include "models/weight_problems.h"

namespace graticule {
namespace {

// Whichever of the two was opened keeps the bytes alive.
struct WeightFile {
  std::shared_ptr<const TorchFile> torch;
  std::shared_ptr<const SafetensorsFile> safetensors;

  const std::map<std::string, TensorView>& tensors() const {
    return torch ? torch->tensors() : safetensors->tensors();
  }
};

WeightFile OpenWeights(const std::string& path) {
  char first[9] = {};
  const auto file = PosixFs().Open(path);
  file->ReadAt(0, first, std::min<uint64_t>(file->size(), sizeof(first)));
  // The length of a safetensors header may begin with any byte, its header with one alone.
  if (first[8] == '{') return {nullptr, SafetensorsFile::Open(path)};
  const bool zip = first[0] == 'P' && first[1] == 'K', pickle = first[0] == '\x80';
  if (zip || pickle) return {TorchFile::Open(path), nullptr};
  throw Error(ErrorCode::kData, "neither a file of torch.save nor safetensors", path,
              "give GeoCLIP's .pth files, or a .safetensors file with its names");
}

bool BeginsWithAny(const std::string& name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& beginning) { return name.starts_with(beginning); });
}

// Which of the prefixes the file has; "" for one of a module alone.
std::string PrefixOf(const WeightFile& file, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    for (const auto& [name, view] : file.tensors())
      if (name.starts_with(prefix)) return prefix;
  }
  return "";
}

std::map<std::string, const TensorView*> Below(const WeightFile& file, const std::string& prefix,
                                               std::span<const NamedTensor> parameters) {
  const auto& all = file.tensors();
  std::map<std::string, const TensorView*> below;
  if (all.size() == 1 && all.begin()->first.empty() && parameters.size() == 1)
    return {{parameters[0].name, &all.begin()->second}};
  for (const auto& [name, view] : all)
    if (name.starts_with(prefix)) below[name.substr(prefix.size())] = &view;
  return below;
}

// What is wrong with values for a parameter; "" if nothing.
std::string Mismatch(const NamedTensor& parameter, const TensorView& view) {
  const std::vector<int64_t> expected = parameter.tensor.sizes().vec();
  if (view.shape != expected)
    return fmt::format("{} has shape [{}], expected [{}]", parameter.name, fmt::join(view.shape, ","),
                       fmt::join(expected, ","));
  if (!IsFloat(view.dtype))
    return fmt::format("{} is {}, expected floats", parameter.name, NameOf(view.dtype));
  return "";
}

}  // namespace

WeightReport LoadGeoclipWeights(std::span<const NamedTensor> parameters, const std::string& path,
                                const WeightRules& rules) {
  const WeightFile file = OpenWeights(path);
  const std::string prefix = PrefixOf(file, rules.prefixes);
  std::map<std::string, const TensorView*> found = Below(file, prefix, parameters);
  WeightReport report;
  WeightProblems problems;
  std::vector<std::pair<at::Tensor, const TensorView*>> plan;
  for (const NamedTensor& parameter : parameters) {
    const auto it = found.find(parameter.name);
    if (it == found.end()) {
      const bool allowed = BeginsWithAny(parameter.name, rules.may_be_missing);
      (allowed ? report.missing : problems.missing).push_back(parameter.name);
      continue;
    }
    if (std::string problem = Mismatch(parameter, *it->second); !problem.empty())
      problems.mismatched.push_back(std::move(problem));
    plan.emplace_back(parameter.tensor, it->second);
    report.loaded.push_back(parameter.name);
    found.erase(it);
  }
  for (const auto& [name, view] : found) {
    const bool allowed = BeginsWithAny(name, rules.may_be_unused);
    (allowed ? report.unused : problems.unexpected).push_back(allowed ? name : Printable(name));
  }
  const std::string& part = prefix.empty() && !rules.prefixes.empty() ? rules.prefixes[0] : prefix;
  problems.ThrowIfAny(part.empty() ? "the model" : "\"" + part + "\"", path,
                      "check which module these weights belong to, recipe.outputs, and width, features and "
                      "sigmas of recipe.location");
  const at::NoGradGuard no_grad;
  for (auto& [target, view] : plan) target.copy_(CopyToTensor(*view));
  return report;
}

std::string SaveGeoclipWeights(FileSystem& fs, const std::string& path,
                               const std::vector<WeightPart>& parts) {
  SafetensorsWriter writer;
  std::vector<at::Tensor> kept;  // until the file is written
  for (const WeightPart& part : parts) {
    for (const NamedTensor& parameter : part.parameters) {
      kept.push_back(parameter.tensor.detach().cpu().contiguous());
      writer.Add(part.prefix + parameter.name, ViewOf(kept.back()));
    }
  }
  return writer.Write(fs, path);
}

}  // namespace graticule
