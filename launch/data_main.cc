// graticule-data: verbs that need neither torch nor MPI.
#include "launch/verb.h"
#include "launch/verbs/cells.h"
#include "launch/verbs/data_import.h"
#include "launch/verbs/data_inspect.h"
#include "launch/verbs/data_split.h"
#include "launch/verbs/data_synth.h"
#include "launch/verbs/data_verify.h"

using graticule::Verb;

int main(int argc, char** argv) {
  std::vector<Verb> verbs = {
      graticule::DataImportVerb(),
      graticule::DataInspectVerb(),
      graticule::DataSplitVerb(),
      graticule::DataSynthVerb(),
      graticule::DataVerifyVerb(),
  };
  for (const Verb& verb : graticule::CellsVerbs()) verbs.push_back(verb);
  return graticule::RunVerbs("graticule-data", verbs, argc, argv);
}
