// Zips and pickles put together by hand from their descriptions, for tests of what reads them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace graticule {

inline std::string LittleEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// Bit by bit, from the polynomial of RFC 1952.
inline uint32_t PlainCrc32(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

struct ZipSample {
  std::string name, bytes;
  uint16_t method = 0, flags = 0x0808;  // sizes behind the data, UTF-8 names: as torch writes
  bool zip64 = false;                   // its sizes and place in a zip64 field
  bool place64 = false;                 // its place alone, as torch does behind 4 GiB
  int64_t header_shift = 0;             // makes the directory point elsewhere
  bool checksum = true;
};

inline std::string MakeZip(const std::vector<ZipSample>& entries, bool end64 = true) {
  std::string out, directory;
  for (const ZipSample& e : entries) {
    const uint64_t header = out.size() + static_cast<uint64_t>(e.header_shift), size = e.bytes.size();
    const uint32_t crc = e.checksum ? PlainCrc32(e.bytes) : 0;
    const std::string padding = "FB" + LittleEndian(3, 2) + "ZZZ";
    out += "PK\3\4" + LittleEndian(0, 2) + LittleEndian(e.flags, 2) + LittleEndian(e.method, 2) +
           std::string(16, '\0') + LittleEndian(e.name.size(), 2) + LittleEndian(padding.size(), 2) + e.name +
           padding + e.bytes;
    out += "PK\7\10" + LittleEndian(crc, 4) + LittleEndian(size, e.zip64 ? 8 : 4) +
           LittleEndian(size, e.zip64 ? 8 : 4);
    std::string extra = e.zip64 ? LittleEndian(size, 8) + LittleEndian(size, 8) : "";
    if (e.zip64 || e.place64) extra += LittleEndian(header, 8);
    if (!extra.empty()) extra = LittleEndian(1, 2) + LittleEndian(extra.size(), 2) + extra;
    directory += "PK\1\2" + std::string(4, '\0') + LittleEndian(e.flags, 2) + LittleEndian(e.method, 2) +
                 std::string(4, '\0') + LittleEndian(crc, 4) + LittleEndian(e.zip64 ? ~0u : size, 4) +
                 LittleEndian(e.zip64 ? ~0u : size, 4) + LittleEndian(e.name.size(), 2) +
                 LittleEndian(extra.size(), 2) + std::string(10, '\0') +
                 LittleEndian(e.zip64 || e.place64 ? ~0u : header, 4) + e.name + extra;
  }
  const uint64_t offset = out.size(), count = entries.size();
  out += directory;
  if (end64) {
    const uint64_t place = out.size();
    out += "PK\6\6" + LittleEndian(44, 8) + std::string(12, '\0') + LittleEndian(count, 8) +
           LittleEndian(count, 8) + LittleEndian(directory.size(), 8) + LittleEndian(offset, 8);
    out += "PK\6\7" + LittleEndian(0, 4) + LittleEndian(place, 8) + LittleEndian(1, 4);
  }
  return out + "PK\5\6" + LittleEndian(0, 4) + LittleEndian(count, 2) + LittleEndian(count, 2) +
         LittleEndian(directory.size(), 4) + LittleEndian(offset, 4) + LittleEndian(0, 2);
}

inline std::string PickleText(const std::string& text) { return "X" + LittleEndian(text.size(), 4) + text; }
inline std::string PickleInt(int64_t value) { return "J" + LittleEndian(static_cast<uint64_t>(value), 4); }
inline std::string PickleInts(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (const int64_t value : values) out += PickleInt(value);
  return out + "t";
}

// A tensor as torch writes it, without memory.
inline std::string PickleTensor(const std::string& type, const std::string& key, int64_t elements,
                                int64_t offset, const std::vector<int64_t>& shape,
                                const std::vector<int64_t>& stride) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + PickleText("storage") + "ctorch\n" + type + "\n" +
         PickleText(key) + PickleText("cpu") + PickleInt(elements) + "tQ" + PickleInt(offset) +
         PickleInts(shape) + PickleInts(stride) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

// Items: keys and values in turn, each as pickled.
inline std::string PickleDict(const std::string& items) { return "}(" + items + "u"; }

inline std::string Protocol2(const std::string& body) { return "\x80\x02" + body + "."; }

inline std::string MakeTorchFile(const std::string& pickle, const std::vector<ZipSample>& storages) {
  std::vector<ZipSample> entries = {{"m/data.pkl", pickle}, {"m/byteorder", "little"}};
  for (const ZipSample& storage : storages) entries.push_back(storage);
  entries.push_back({"m/version", "3\n"});
  return MakeZip(entries);
}

}  // namespace graticule
