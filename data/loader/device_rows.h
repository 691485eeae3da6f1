// Rows of pixels like those of data/loader/image_rows.h, decoded in groups by a device where it can.
//
// A worker takes many rows at once, reads and checks their records, plans the crops with the same draws, and
// hands compressed bytes and tables of weights to the device; pixels come back into the rows. What the device
// does not take goes the way of image_rows.h: progressive, CMYK, gray and turned images, files that are cut
// off, bad ones. So which records are bad, and what replaces them, is decided on the CPU, the same for every
// device. Pixels differ from the CPU's by the rounding of the inverse DCT and of chroma; the crops are the
// same.
#pragma once

#include <memory>

#include "data/image/jpeg_device.h"
#include "data/loader/image_rows.h"

namespace graticule {

// `device` outlives the rows. Throws as MakeImageRows.
std::unique_ptr<const RowSource> MakeDeviceRows(std::shared_ptr<const Dataset> dataset,
                                                const ImageRowsOptions& options, JpegDevice& device);

}  // namespace graticule
