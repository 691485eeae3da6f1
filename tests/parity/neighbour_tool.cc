// Lets a script call data/loader/neighbour_*, so that its results can be compared with NumPy and
// scikit-learn.
//   neighbour_tool lists PLACES.f64 K MIN_KM THREADS OUT.safetensors     bare pairs of degrees -> a file of
//   lists neighbour_tool shuffle LISTS.safetensors DATA N SEED EPOCH BATCH SELECT SHARE GIVE_UP
//                                 the records of the epoch, then positions from lists, then where it gave up
// Times go to stderr. Exit code of refused lists: 3.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/loader/neighbour_lists.h"
#include "data/loader/neighbour_shuffle.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

void Told(const char* what, Clock::time_point since) {
  fmt::print(stderr, "{}: {:.3f} s\n", what, std::chrono::duration<double>(Clock::now() - since).count());
}

void Lists(const std::vector<std::string>& a) {
  const std::string bytes = ReadFileToString(a.at(0));
  std::vector<LatLon> places(bytes.size() / sizeof(LatLon));
  std::memcpy(places.data(), bytes.data(), bytes.size());
  const NeighbourSearch search{std::stoll(a.at(1)), std::stod(a.at(2)), std::stoi(a.at(3))};
  const auto begin = Clock::now();
  const std::vector<uint32_t> lists_NK = NearestOthers(places, search);
  Told("lists", begin);
  WriteNeighbourLists(PosixFs(), a.at(4), {lists_NK, search.neighbours}, {"test", "distance"});
}

void Shuffle(const std::vector<std::string>& a) {
  const auto opened = Clock::now();
  const auto lists = NeighbourLists::Open(a.at(0), a.at(1), std::stoll(a.at(2)));
  Told("open", opened);
  const ShuffleOptions options{.seed = std::stoull(a.at(3)),
                               .batch = std::stoll(a.at(5)),
                               .select = std::stoll(a.at(6)),
                               .share = std::stod(a.at(7)),
                               .give_up = std::stoll(a.at(8))};
  const auto begin = Clock::now();
  const EpochOrder order = NeighbourShuffle(lists->table(), options, std::stoll(a.at(4)));
  Told("shuffle", begin);
  fmt::print("{}\n{}\n{}\n", fmt::join(order.records, " "), order.from_lists, order.gave_up_at);
}

int Run(int argc, char** argv) {
  const std::vector<std::string> rest(argv + (argc > 1 ? 2 : 1), argv + argc);
  const std::string verb = argc > 1 ? argv[1] : "";
  try {
    if (verb == "lists") return Lists(rest), 0;
    if (verb == "shuffle") return Shuffle(rest), 0;
    throw Error(ErrorCode::kUsage, fmt::format("verb '{}', expected lists or shuffle", verb));
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) { return graticule::Run(argc, argv); }
