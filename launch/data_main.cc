// graticule-data: verbs that need neither torch nor MPI.
#include "launch/hand_over.h"
#include "launch/verb.h"
#include "launch/verbs/cells.h"
#include "launch/verbs/data_attribution.h"
#include "launch/verbs/data_baselines.h"
#include "launch/verbs/data_import.h"
#include "launch/verbs/data_inspect.h"
#include "launch/verbs/data_overlap.h"
#include "launch/verbs/data_split.h"
#include "launch/verbs/data_synth.h"
#include "launch/verbs/data_verify.h"
#include "launch/verbs/gallery.h"
#include "launch/verbs/report_accuracy.h"
#include "launch/verbs/variogram.h"

using graticule::Verb;

int main(int argc, char** argv) {
  std::vector<Verb> verbs = {
      graticule::DataAttributionVerb(),
      graticule::DataBaselinesVerb(),
      graticule::HandOver("data enrich", "add columns from climate maps, rasters and borders",
                          "graticule-enrich"),
      graticule::DataImportVerb(),
      graticule::DataInspectVerb(),
      graticule::DataOverlapVerb(),
      graticule::DataSplitVerb(),
      graticule::DataSynthVerb(),
      graticule::DataVerifyVerb(),
  };
  for (const Verb& verb : graticule::CellsVerbs()) verbs.push_back(verb);
  for (const Verb& verb : graticule::GalleryVerbs()) verbs.push_back(verb);
  verbs.push_back(graticule::ReportAccuracyVerb());
  verbs.push_back(graticule::VariogramVerb());
  return graticule::RunVerbs("graticule", verbs, argc,
                             argv);  // what is typed: `graticule` hands over to this
}
