// graticule-train: the verbs that need torch, and MPI where a launcher started several ranks.
#include "launch/verb.h"
#include "launch/verbs/embed.h"
#include "launch/verbs/eval.h"
#include "launch/verbs/export.h"
#include "launch/verbs/predict.h"
#include "launch/verbs/train.h"
#include "launch/verbs/version.h"
#include "models/allocator.h"

int main(int argc, char** argv) {
  graticule::KeepFreedMemory();
  const std::vector<graticule::Verb> verbs = {graticule::TrainVerb(),  graticule::EvalVerb(),
                                              graticule::EmbedVerb(),  graticule::PredictVerb(),
                                              graticule::ExportVerb(), graticule::VersionVerb()};
  return graticule::RunVerbs("graticule-train", verbs, argc, argv);
}
