#include "data/enrich/gdal_start.h"

#include <gdal_priv.h>

#include <mutex>
#include <string>

namespace graticule {

void StartGdal() {
  static std::once_flag once;
  std::call_once(once, [] {
    GDALAllRegister();
    CPLSetErrorHandler(CPLQuietErrorHandler);
  });
}

std::string LastGdalMessage() {
  const std::string message = CPLGetLastErrorMsg();
  return message.empty() ? "" : ": " + message;
}

void SetRasterCache(int64_t mib) { GDALSetCacheMax64(mib << 20); }

}  // namespace graticule
