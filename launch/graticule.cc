// graticule: the command people type. Its own verbs start in milliseconds (no torch, no MPI); the others are
// handed over to graticule-data, graticule-enrich or graticule-train beside it, as git does.
#include "launch/hand_over.h"
#include "launch/verb.h"
#include "launch/verbs/config.h"
#include "launch/verbs/status.h"
#include "launch/verbs/submit.h"

int main(int argc, char** argv) {
  using graticule::HandOver;
  std::vector<graticule::Verb> verbs = {
      HandOver("data", "import, check, split and look at datasets", "graticule-data"),
      HandOver("data enrich", "add columns from climate maps, rasters and borders", "graticule-enrich"),
      HandOver("cells", "build, inspect and draw geocell partitions", "graticule-data"),
      HandOver("gallery", "build, inspect and convert galleries of places", "graticule-data"),
      HandOver("variogram", "unlikeness of images or labels over distance", "graticule-data"),
      HandOver("report", "tables and figures of finished runs", "graticule-data"),
      HandOver("train", "train a model (under mpirun: one process per GPU)", "graticule-train"),
      HandOver("eval", "evaluate a model on a dataset", "graticule-train"),
      HandOver("embed", "keep a frozen tower's outputs for a dataset", "graticule-train"),
      HandOver("predict", "where was this photo taken", "graticule-train"),
      HandOver("export", "write a Hugging Face directory for serving", "graticule-train"),
      graticule::SubmitVerb(),
      graticule::StatusVerb(),
      HandOver("--version", "versions of everything inside", "graticule-train"),
  };
  for (graticule::Verb& verb : graticule::ConfigVerbs()) verbs.push_back(std::move(verb));
  return graticule::RunVerbs("graticule", verbs, argc, argv);
}
