// graticule-enrich: the one verb that needs GDAL.
#include "launch/verb.h"
#include "launch/verbs/data_enrich.h"

int main(int argc, char** argv) {
  return graticule::RunVerbs("graticule-enrich", {graticule::DataEnrichVerb()}, argc, argv);
}
