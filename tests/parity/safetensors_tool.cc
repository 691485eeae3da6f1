// safetensors_tool copy IN OUT: reads IN with our reader and writes it with our writer.
// safetensors_tool check IN: exit code of reading it.
// safetensors_tool torch IN [OUT]: the same for a file of torch.save, written as safetensors.
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/safetensors.h"
#include "base/torch_file.h"

int main(int argc, char** argv) {
  using namespace graticule;
  try {
    if (argc < 3) throw Error(ErrorCode::kUsage, "safetensors_tool copy IN OUT | check IN | torch IN [OUT]");
    if (std::strcmp(argv[1], "torch") == 0) {
      const auto file = TorchFile::Open(argv[2]);
      SafetensorsWriter writer;
      for (const auto& [name, view] : file->tensors()) writer.Add(name, view);
      if (argc == 4) writer.Write(PosixFs(), argv[3]);
      return 0;
    }
    const auto file = SafetensorsFile::Open(argv[2]);
    if (std::strcmp(argv[1], "copy") == 0 && argc == 4) {
      SafetensorsWriter writer;
      for (const auto& [name, view] : file->tensors()) writer.Add(name, view);
      for (const auto& [key, value] : file->metadata()) writer.SetMetadata(key, value);
      std::printf("%s\n", writer.Write(PosixFs(), argv[3]).c_str());
    }
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
