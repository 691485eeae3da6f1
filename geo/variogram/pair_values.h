// What is compared between two records: half the squared difference of their values.
//
// Vectors are taken at length one, where half the squared difference is 1 - cos; labels count 1 where they
// differ, which is the same for one-hot vectors; numbers give (a - b)^2 / 2. Implementations are immutable
// and any thread may ask.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/safetensors.h"

namespace graticule {

class PairValues {
 public:
  virtual ~PairValues() = default;
  virtual int64_t size() const = 0;  // N
  virtual double HalfSquare(int64_t i, int64_t j) const = 0;
};

// 1 - cos of two rows of `dim` values each, F16, BF16 or F32; sums in fp32. 1 where a row is zero.
double CosineDistance(const uint8_t* a, const uint8_t* b, int64_t dim, SafeDType dtype);

// Rows in memory, [N, dim], not normalised; the bytes must stay alive.
class VectorValues final : public PairValues {
 public:
  VectorValues(std::span<const uint8_t> rows, int64_t dim, SafeDType dtype)
      : rows_(rows), dim_(dim), row_bytes_(static_cast<size_t>(dim) * SizeOf(dtype)), dtype_(dtype) {}
  int64_t size() const override { return static_cast<int64_t>(rows_.size() / row_bytes_); }
  double HalfSquare(int64_t i, int64_t j) const override {
    return CosineDistance(rows_.data() + static_cast<size_t>(i) * row_bytes_,
                          rows_.data() + static_cast<size_t>(j) * row_bytes_, dim_, dtype_);
  }

 private:
  std::span<const uint8_t> rows_;
  int64_t dim_;
  size_t row_bytes_;
  SafeDType dtype_;
};

class LabelValues final : public PairValues {
 public:
  explicit LabelValues(std::vector<int32_t> labels) : labels_(std::move(labels)) {}
  int64_t size() const override { return std::ssize(labels_); }
  double HalfSquare(int64_t i, int64_t j) const override {
    return labels_[static_cast<size_t>(i)] == labels_[static_cast<size_t>(j)] ? 0 : 1;
  }

 private:
  std::vector<int32_t> labels_;
};

class NumberValues final : public PairValues {
 public:
  explicit NumberValues(std::vector<double> numbers) : numbers_(std::move(numbers)) {}
  int64_t size() const override { return std::ssize(numbers_); }
  double HalfSquare(int64_t i, int64_t j) const override {
    const double difference = numbers_[static_cast<size_t>(i)] - numbers_[static_cast<size_t>(j)];
    return 0.5 * difference * difference;
  }

 private:
  std::vector<double> numbers_;
};

}  // namespace graticule
