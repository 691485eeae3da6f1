#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace graticule {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";

// The longest prefix of at most `columns` characters; a UTF-8 sequence counts as one and is never split.
std::string_view Cut(std::string_view text, size_t columns) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && seen++ == columns) return text.substr(0, i);
  }
  return text;
}

void WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

void Terminal::Line(std::string_view text) {
  const std::lock_guard<std::mutex> guard(mutex_);
  // One write per line: the lines of several ranks on one terminal must not be torn.
  std::string bytes;
  if (!status_.empty()) bytes += kClearLine;
  bytes.append(text).append("\n").append(status_);
  write_(bytes);
}

void Terminal::Status(std::string_view text) {
  if (!interactive_) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  // The last column stays free: terminals wrap when it is filled.
  std::string cut(Cut(text, columns_ > 1 ? columns_ - 1 : 1));
  if (cut == status_) return;
  status_ = std::move(cut);
  write_(std::string(kClearLine) + status_);
}

Terminal& StderrTerminal() {
  static Terminal terminal = [] {
    const char* kind = std::getenv("TERM");
    const bool interactive =
        ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return Terminal(WriteAll, interactive, known ? size.ws_col : 80);
  }();
  return terminal;
}

}  // namespace graticule
