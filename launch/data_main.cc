// graticule-data: verbs that need neither torch nor MPI.
#include "launch/verb.h"

using graticule::Verb;

int main(int argc, char** argv) {
  const std::vector<Verb> verbs = {};
  return graticule::RunVerbs("graticule-data", verbs, argc, argv);
}
