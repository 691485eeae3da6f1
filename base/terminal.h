// The place where people read: whole lines, and below them at most one status line that is redrawn in place.
//
// A line and the status never mix, whichever thread writes. Where the output is no terminal there is no
// status line and no escape sequence. Thread-safe; failures to write are ignored, since there is nowhere to
// tell.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace graticule {

class Terminal {
 public:
  // write takes raw bytes. columns: width beyond which the status is cut.
  Terminal(std::function<void(std::string_view)> write, bool interactive, int columns = 80)
      : write_(std::move(write)), interactive_(interactive), columns_(columns) {}

  bool interactive() const { return interactive_; }
  void Line(std::string_view text);
  // Replaces the status line; "" removes it. Does nothing unless interactive.
  void Status(std::string_view text);

 private:
  std::function<void(std::string_view)> write_;
  bool interactive_;
  size_t columns_;
  std::mutex mutex_;
  std::string status_;
};

// Standard error; interactive if it is a terminal that understands escape sequences.
Terminal& StderrTerminal();

}  // namespace graticule
