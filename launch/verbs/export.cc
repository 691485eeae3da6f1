#include "launch/verbs/export.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "launch/launch_rank.h"
#include "launch/options.h"
#include "trainer/serve/open_model.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

int Export(const std::vector<std::string>& arguments) {
  Options options("graticule export --run RUN --out DIR",
                  "Writes the best checkpoint of a run as a directory that Hugging Face transformers loads.");
  options.visible().add_options()("run", po::value<std::string>(), "run or step folder (required)")(
      "out", po::value<std::string>(), "directory to write (required)")(
      "weights", po::value<std::string>()->default_value("auto"),
      "raw, ema (their moving average, optim.ema_decay) or auto: ema where there is one");
  if (!options.Parse(arguments)) return 0;
  if (!options.Has("run")) throw Error(ErrorCode::kUsage, "--run is missing", "", "see --help");
  const std::string out = options.OutputFolder("out");
  const std::string weights = options.Choice("weights", {"auto", "ema", "raw"});
  return RunAlone("export", "cpu", [&](World&) {
    const OpenedModel model = OpenModel(options.Get<std::string>("run"), {.weights = weights});
    ExportModel(model, out);
    if (options.json()) {
      const nlohmann::ordered_json json = {{"export", out},
                                           {"step", model.step},
                                           {"weights", model.weights},
                                           {"weights_sha256", model.weights_sha256}};
      fmt::print("{}\n", JsonText(json));
    } else {
      fmt::print("exported step {}{} to {}\n", model.step,
                 model.weights == "ema" ? " (moving average of the weights)" : "", out);
    }
    return 0;
  });
}

}  // namespace

Verb ExportVerb() { return {"export", "write a Hugging Face directory for serving", Export}; }

}  // namespace graticule
