// The run folder of one attempt, as rank 0 sees it: metrics.jsonl, events.jsonl, status.json, ckpt/, and what
// is said on the terminal. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "trainer/step/log_config.h"

namespace graticule {

class RunFolder {
 public:
  RunFolder(std::string path, const LogConfig& log);
  ~RunFolder();

  const std::string& path() const { return path_; }
  const std::string& attempt() const { return attempt_; }
  std::string PathOf(const std::string& name) const;
  double seconds_since_start() const;

  void AppendMetrics(const std::string& json_line);
  // Drops rows beyond `step`, and a last line that a crash cut short.
  void DropMetricsAfter(int64_t step);
  void Event(const std::string& name, const std::map<std::string, std::string>& fields);
  void SetStatus(const std::string& state, int exit_code, const std::string& reason);
  void SetStage(const std::string& stage);
  void Progress(int64_t step, int64_t total, const std::string& text, double eta_s);
  void Say(const std::string& line);  // stderr, unless log.quiet

  std::string BeginCheckpoint(int64_t step);  // an empty folder to write into
  void PublishCheckpoint(int64_t step, int64_t keep, int64_t best_step);

 private:
  struct Live;  // what status.json and the terminal show
  void WriteStatus();

  const std::string path_;
  const LogConfig log_;
  const std::string attempt_;
  std::unique_ptr<Live> live_;
};

}  // namespace graticule
