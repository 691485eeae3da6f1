// graticule-data: verbs that need neither torch nor MPI.
#include "launch/verb.h"
#include "launch/verbs/data_synth.h"

using graticule::Verb;

int main(int argc, char** argv) {
  const std::vector<Verb> verbs = {
      graticule::DataSynthVerb(),
  };
  return graticule::RunVerbs("graticule-data", verbs, argc, argv);
}
