// What a row of a batch is made of, besides its labels: pixels (data/loader/image_rows.h) or stored
// embeddings (data/loader/embedding_rows.h).
//
// Fill is a pure function of the record's bytes and the key. Implementations are immutable and
// thread-safe; each calling thread brings a Workspace that NewWorkspace made.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "data/batch.h"

namespace graticule {

// Where in the run a row stands.
struct SampleKey {
  int64_t epoch = 0, position = 0;
  int64_t pass = 0;  // SampleOrder::PassAt, for sources that ask for it
};

// As workspaces count the time.
inline double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class RowSource {
 public:
  // What one thread needs, the time it spent, and what was done for it.
  struct Workspace {
    virtual ~Workspace() = default;
    double read_s = 0, decode_s = 0;
    int64_t by_device = 0;  // rows that a device decoded
  };

  virtual ~RowSource() = default;
  virtual size_t row_bytes() const = 0;
  // Rows that a worker takes at a time: many where one costs less than asking for it.
  virtual int64_t grain() const = 0;
  // Points the batch at `rows`, its memory of batch.size * row_bytes() bytes, and tells it what they hold.
  virtual void Describe(Batch& batch, uint8_t* rows) const = 0;
  virtual std::unique_ptr<Workspace> NewWorkspace() const = 0;
  // Called well ahead of Fill, where an order knows neighbours that will all be asked for.
  virtual void ReadAhead(int64_t first_record, int64_t count) const {}
  // Whether SampleKey::pass matters, and is worth finding out.
  virtual bool by_pass() const { return false; }
  // Called before Fill with all the rows that a worker has taken, by the records that the order has for them:
  // what costs less together is done here. Sets done[i] to 1 for the rows that it wrote; the others, bad
  // records among them, are left to Fill.
  virtual void FillTogether(std::span<const int64_t> records, std::span<const SampleKey> keys,
                            Workspace& work, uint8_t* rows, std::span<uint8_t> done) const {}
  // Writes row_bytes() bytes. Throws BadRecord when the record's bytes are bad, Error(kData) on I/O failure.
  virtual void Fill(int64_t record, const SampleKey& key, Workspace& work, uint8_t* row) const = 0;
};

}  // namespace graticule
