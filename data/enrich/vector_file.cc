#include "data/enrich/vector_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ogrsf_frmts.h>

#include <algorithm>

#include "base/fs.h"
#include "data/enrich/gdal_start.h"

namespace graticule {
namespace {

bool HasLinesOrPolygons(OGRLayer& layer) {
  const OGRwkbGeometryType type = wkbFlatten(layer.GetGeomType());
  return type == wkbLineString || type == wkbMultiLineString || type == wkbPolygon ||
         type == wkbMultiPolygon || type == wkbUnknown;
}

bool HasAny(OGRLayer& layer, const std::vector<std::string>& fields) {
  return fields.empty() || std::any_of(fields.begin(), fields.end(), [&](const std::string& name) {
           return layer.GetLayerDefn()->GetFieldIndex(name.c_str()) >= 0;
         });
}

OGRLayer& FindLayer(GDALDataset& dataset, const std::string& path, const std::vector<std::string>& fields) {
  std::vector<std::string> names;
  for (OGRLayer* layer : dataset.GetLayers()) {
    if (HasLinesOrPolygons(*layer) && HasAny(*layer, fields)) return *layer;
    names.push_back(layer->GetName());
  }
  throw Error(ErrorCode::kData,
              fmt::format("no layer has lines or polygons{}; the layers are: {}",
                          fields.empty() ? "" : fmt::format(" with a field {}", fmt::join(fields, " or ")),
                          fmt::join(names, ", ")),
              path);
}

void Append(const OGRLineString& line, const std::string& where, std::vector<std::vector<LatLon>>& out) {
  std::vector<LatLon> points;
  for (int i = 0; i < line.getNumPoints(); ++i) {
    points.push_back({line.getY(i), line.getX(i)});
    if (!IsValid(points.back())) {
      throw Error(ErrorCode::kData,
                  fmt::format("a vertex lies at ({}, {}), which is no longitude and latitude", line.getX(i),
                              line.getY(i)),
                  where, "`ogr2ogr -t_srs EPSG:4326` makes a file in degrees.");
    }
  }
  if (!points.empty()) out.push_back(std::move(points));
}

void Collect(const OGRGeometry& geometry, const std::string& where, std::vector<std::vector<LatLon>>& out) {
  switch (wkbFlatten(geometry.getGeometryType())) {
    case wkbLineString:
      return Append(*geometry.toLineString(), where, out);
    case wkbPolygon:
      for (const OGRLinearRing* ring : geometry.toPolygon()) Append(*ring, where, out);
      return;
    case wkbMultiLineString:
    case wkbMultiPolygon:
    case wkbGeometryCollection:
      for (const OGRGeometry* part : geometry.toGeometryCollection()) Collect(*part, where, out);
      return;
    default:
      return;  // points have no outline
  }
}

}  // namespace

void ForEachFeature(const std::string& path, const std::vector<std::string>& fields,
                    const std::function<void(const OGRFeature&)>& call) {
  StartGdal();
  if (!PosixFs().Exists(path)) throw Error(ErrorCode::kUsage, "there is no such file", path);
  CPLErrorReset();
  const GDALDatasetUniquePtr dataset(GDALDataset::Open(path.c_str(), GDAL_OF_VECTOR | GDAL_OF_READONLY));
  if (!dataset) {
    throw Error(ErrorCode::kData, fmt::format("is no file of shapes that GDAL reads{}", LastGdalMessage()),
                path, "Of a shapefile, name the .shp; .shx and .dbf belong beside it.");
  }
  OGRLayer& layer = FindLayer(*dataset, path, fields);
  const OGRSpatialReference* srs = layer.GetSpatialRef();
  if (srs != nullptr && !srs->IsGeographic()) {
    throw Error(ErrorCode::kData, fmt::format("its coordinates are in {}, not in degrees", srs->GetName()),
                path, "`ogr2ogr -t_srs EPSG:4326` makes a file in degrees.");
  }
  for (const OGRFeatureUniquePtr& feature : layer) {
    if (feature->GetGeometryRef() != nullptr && !feature->GetGeometryRef()->IsEmpty()) call(*feature);
  }
}

std::vector<std::vector<LatLon>> OutlinesOf(const OGRGeometry& geometry, const std::string& where) {
  std::vector<std::vector<LatLon>> out;
  Collect(geometry, where, out);
  return out;
}

}  // namespace graticule
