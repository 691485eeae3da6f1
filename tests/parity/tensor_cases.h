// The frame of a tool that runs a list of cases for a parity test: TOOL CASES.json, where CASES is a list of
// objects with at least `in` and `out`, safetensors files of a case's tensors and of what came out.
#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/fs.h"
#include "base/safetensors.h"
#include "models/tensor_io.h"

namespace graticule {

using Tensors = std::map<std::string, at::Tensor>;

// run(case, tensors) -> Tensors. The exit code.
template <class Run>
int RunTensorCases(int argc, char** argv, const Run& run) {
  if (argc != 2) return 2;
  try {
    for (const auto& words : nlohmann::json::parse(ReadFileToString(argv[1]))) {
      Tensors in;
      const auto file = SafetensorsFile::Open(words.at("in").get<std::string>());
      for (const auto& [name, view] : file->tensors()) in[name] = CopyToTensor(view);
      const Tensors out = run(words, in);
      SafetensorsWriter writer;
      for (const auto& [name, tensor] : out) writer.Add(name, ViewOf(tensor));
      writer.Write(PosixFs(), words.at("out").get<std::string>());
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

}  // namespace graticule
