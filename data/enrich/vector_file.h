// Features of a file of lines or polygons (shapefile, GeoPackage, GeoJSON, ...) in degrees.
//
// Files that GDAL does not read, without a layer of lines or polygons, or not in degrees are Error(kData).
// Plain functions; one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "geo/latlon.h"

class OGRFeature;
class OGRGeometry;

namespace graticule {

// Calls for every feature that has a geometry, in file order, of the first layer with lines or polygons; with
// `fields`, of the first one that has any of these. The feature lives for the call.
void ForEachFeature(const std::string& path, const std::vector<std::string>& fields,
                    const std::function<void(const OGRFeature&)>& call);

// Lines as they are, polygons as their rings. `where` names the file in errors.
std::vector<std::vector<LatLon>> OutlinesOf(const OGRGeometry& geometry, const std::string& where);

}  // namespace graticule
