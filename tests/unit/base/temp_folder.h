// A folder of its own for each test, removed afterwards. In memory where the system offers that: the fault
// tests sync tens of thousands of times.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/fs.h"

namespace graticule {

class TempFolder {
 public:
  explicit TempFolder(const std::string& name)
      : path_(JoinPath(Root(), "graticule_" + name + "_" + std::to_string(::getpid()))) {
    PosixFs().RemoveTree(path_);
    PosixFs().MakeDirs(path_);
  }
  ~TempFolder() { PosixFs().RemoveTree(path_); }
  const std::string& path() const { return path_; }
  std::string At(const std::string& name) const { return JoinPath(path_, name); }

 private:
  static std::string Root() { return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : ::testing::TempDir(); }
  std::string path_;
};

}  // namespace graticule
