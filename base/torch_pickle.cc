#include "base/torch_pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace graticule {
namespace {

constexpr size_t kMaxPickleBytes = 4 << 20, kMaxTensors = 1 << 16, kMaxDepth = 16, kMaxName = 1024;
constexpr uint32_t kMaxRank = 64;

constexpr const char* kHint =
    "the file is damaged or holds more than tensors; torch.save(model.state_dict(), FILE) writes what is "
    "read";

enum class Kind : uint8_t { kMark, kInteger, kBoolean, kText, kTuple, kDict, kGlobal, kStorage, kTensor };
constexpr std::array<std::string_view, 9> kKindNames = {"a mark",   "an integer", "a boolean",
                                                        "text",     "a tuple",    "a dictionary",
                                                        "a global", "a storage",  "a tensor"};

// What a global may be: one of two callables, or a storage type with its dtype.
struct Global {
  std::string_view name;
  std::optional<SafeDType> storage;
};
constexpr size_t kRebuild = 0, kOrderedDict = 1;
constexpr std::array<Global, 7> kGlobals = {{
    {"torch._utils._rebuild_tensor_v2", {}},
    {"collections.OrderedDict", {}},
    {"torch.FloatStorage", SafeDType::kF32},
    {"torch.DoubleStorage", SafeDType::kF64},
    {"torch.HalfStorage", SafeDType::kF16},
    {"torch.BFloat16Storage", SafeDType::kBF16},
    {"torch.LongStorage", SafeDType::kI64},
}};

// 16 bytes whatever it is: the contents lie in the machine's lists.
struct Value {
  Kind kind = Kind::kMark;
  uint32_t at = 0;     // byte of the pickle that made it
  int64_t number = 0;  // an integer or a boolean; otherwise its place in the list of its kind
};
struct Tuple {
  size_t first = 0, count = 0;  // in items_
};
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  bool placed = false;
};
struct Storage {
  size_t global = 0;
  Value key, elements;
};
struct Tensor {
  Value storage, offset, shape, stride;
};

class Machine {
 public:
  Machine(std::span<const uint8_t> pickle, const std::string& file, uint64_t first_byte)
      : pickle_(pickle), file_(file), first_byte_(first_byte) {}
  std::vector<PickledTensor> Run();

 private:
  [[noreturn]] void Fail(uint64_t at, const std::string& what, const std::string& hint = kHint) const {
    throw Error(ErrorCode::kData, what, fmt::format("{}, byte {}", file_, first_byte_ + at), hint);
  }
  // The next bytes of the pickle.
  std::span<const uint8_t> Take(size_t bytes) {
    if (bytes > pickle_.size() - next_) Fail(next_, "the pickle ends inside of an instruction");
    next_ += bytes;
    return pickle_.subspan(next_ - bytes, bytes);
  }
  uint32_t TakeNumber(size_t bytes) {
    uint32_t value = 0;
    int shift = 0;
    for (const uint8_t byte : Take(bytes)) value |= static_cast<uint32_t>(byte) << shift++ * 8;
    return value;
  }
  std::string_view TakeText(size_t bytes) {
    const auto text = Take(bytes);
    return {reinterpret_cast<const char*>(text.data()), bytes};
  }
  std::string_view TakeLine();

  void Push(Kind kind, int64_t number) { stack_.push_back({kind, static_cast<uint32_t>(at_), number}); }
  Value Pop() {
    if (stack_.empty()) Fail(at_, "the pickle takes a value from an empty stack");
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  Value Pop(Kind kind) { return Expect(Pop(), kind); }
  const Value& Expect(const Value& value, Kind kind) const {
    if (value.kind != kind)
      Fail(value.at, fmt::format("found {}, expected {}", NameOf(value.kind), NameOf(kind)));
    return value;
  }
  static std::string_view NameOf(Kind kind) { return kKindNames[static_cast<size_t>(kind)]; }

  size_t AfterMark() const;
  void MakeTuple(size_t first);
  void Remember(uint32_t place);
  void Recall(uint32_t place);
  void PushGlobal();
  void PushStorage();
  void Call();
  void SetItems(size_t first);
  bool Step();  // false at the end

  std::span<const Value> Items(const Value& tuple) const {
    const Tuple& t = tuples_[static_cast<size_t>(Expect(tuple, Kind::kTuple).number)];
    return {items_.data() + t.first, t.count};
  }
  std::string_view Text(const Value& value) const {
    return texts_[static_cast<size_t>(Expect(value, Kind::kText).number)];
  }
  std::vector<int64_t> Extents(const Value& tuple) const;
  void Collect(const Value& value, const std::string& name, size_t depth, std::vector<PickledTensor>& out);

  std::span<const uint8_t> pickle_;
  const std::string& file_;
  uint64_t first_byte_;
  size_t next_ = 0, at_ = 0;  // the byte to be read, the instruction being carried out
  std::vector<Value> stack_, memo_, items_;
  std::vector<std::string_view> texts_;
  std::vector<Tuple> tuples_;
  std::vector<Dict> dicts_;
  std::vector<Storage> storages_;
  std::vector<Tensor> tensors_;
};

std::string_view Machine::TakeLine() {
  const auto rest = pickle_.subspan(next_);
  const auto end = std::find(rest.begin(), rest.end(), '\n');
  if (end == rest.end()) Fail(next_, "the pickle ends inside of a name");
  const auto line = TakeText(static_cast<size_t>(end - rest.begin()));
  Take(1);
  return line;
}

// The place on the stack behind the last mark.
size_t Machine::AfterMark() const {
  for (size_t i = stack_.size(); i > 0; --i)
    if (stack_[i - 1].kind == Kind::kMark) return i;
  Fail(at_, "the pickle looks for a mark and there is none");
}

// Of everything on the stack from `first` on.
void Machine::MakeTuple(size_t first) {
  tuples_.push_back({items_.size(), stack_.size() - first});
  items_.insert(items_.end(), stack_.begin() + static_cast<int64_t>(first), stack_.end());
  stack_.resize(first);
  Push(Kind::kTuple, static_cast<int64_t>(tuples_.size()) - 1);
}

void Machine::Remember(uint32_t place) {
  if (stack_.empty() || stack_.back().kind == Kind::kMark) Fail(at_, "the pickle remembers no value");
  if (place > memo_.size()) Fail(at_, fmt::format("memory {} is used before memory {}", place, memo_.size()));
  if (place == memo_.size()) memo_.emplace_back();
  memo_[place] = stack_.back();
}

void Machine::Recall(uint32_t place) {
  if (place >= memo_.size()) Fail(at_, fmt::format("memory {} is read before it is written", place));
  stack_.push_back(memo_[place]);
}

void Machine::PushGlobal() {
  const std::string_view module = TakeLine(), member = TakeLine();
  const std::string name = fmt::format("{}.{}", Printable(module), Printable(member));
  std::string known;
  for (size_t i = 0; i < kGlobals.size(); ++i) {
    if (kGlobals[i].name == name) return Push(Kind::kGlobal, static_cast<int64_t>(i));
    known += fmt::format("{}{}", known.empty() ? "" : ", ", kGlobals[i].name);
  }
  Fail(at_, fmt::format("global {} is not one of {}", name, known),
       "a file of tensors needs no other; nothing in this one was run");
}

void Machine::PushStorage() {
  const Value tuple = Pop(Kind::kTuple);
  const auto items = Items(tuple);
  if (items.size() != 5 || Text(items[0]) != "storage")
    Fail(tuple.at, "found another persistent object, expected (\"storage\", type, key, place, elements)");
  const auto global = static_cast<size_t>(Expect(items[1], Kind::kGlobal).number);
  if (!kGlobals[global].storage)
    Fail(items[1].at, fmt::format("{} is no type of storage", kGlobals[global].name));
  Text(items[3]);
  Expect(items[4], Kind::kInteger);
  storages_.push_back({global, Expect(items[2], Kind::kText), items[4]});
  Push(Kind::kStorage, static_cast<int64_t>(storages_.size()) - 1);
}

void Machine::Call() {
  const Value tuple = Pop(Kind::kTuple), callable = Pop(Kind::kGlobal);
  const auto arguments = Items(tuple);
  const auto global = static_cast<size_t>(callable.number);
  if (global == kOrderedDict) {
    if (!arguments.empty())
      Fail(tuple.at, fmt::format("OrderedDict is called with {} arguments, expected none", arguments.size()));
    dicts_.emplace_back();
    Push(Kind::kDict, static_cast<int64_t>(dicts_.size()) - 1);
  } else if (global == kRebuild) {
    if (arguments.size() != 6)
      Fail(tuple.at, fmt::format("a tensor is rebuilt from {} arguments, expected 6", arguments.size()));
    tensors_.push_back({Expect(arguments[0], Kind::kStorage), Expect(arguments[1], Kind::kInteger),
                        Expect(arguments[2], Kind::kTuple), Expect(arguments[3], Kind::kTuple)});
    Expect(arguments[4], Kind::kBoolean);
    Expect(arguments[5], Kind::kDict);
    Push(Kind::kTensor, static_cast<int64_t>(tensors_.size()) - 1);
  } else {
    Fail(callable.at, fmt::format("{} is called", kGlobals[global].name));
  }
}

// Of the dictionary below `first`: keys and values in turn.
void Machine::SetItems(size_t first) {
  if ((stack_.size() - first) % 2 != 0) Fail(at_, "a key without a value");
  const std::vector<Value> pairs(stack_.begin() + static_cast<int64_t>(first), stack_.end());
  stack_.resize(first);
  const Value dict = Pop(Kind::kDict);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    Text(pairs[i]);
    if (pairs[i + 1].kind == Kind::kMark) Fail(at_, "a mark is set as a value");
    dicts_[static_cast<size_t>(dict.number)].items.emplace_back(pairs[i], pairs[i + 1]);
  }
  stack_.push_back(dict);
}

bool Machine::Step() {
  at_ = next_;
  const uint8_t code = Take(1)[0];
  switch (code) {
    case '}':  // EMPTY_DICT
      dicts_.emplace_back();
      Push(Kind::kDict, static_cast<int64_t>(dicts_.size()) - 1);
      break;
    case '(':  // MARK
      Push(Kind::kMark, 0);
      break;
    case 'X':  // BINUNICODE
      texts_.push_back(TakeText(TakeNumber(4)));
      Push(Kind::kText, static_cast<int64_t>(texts_.size()) - 1);
      break;
    case 'q':  // BINPUT
      Remember(TakeNumber(1));
      break;
    case 'r':  // LONG_BINPUT
      Remember(TakeNumber(4));
      break;
    case 'h':  // BINGET
      Recall(TakeNumber(1));
      break;
    case 'j':  // LONG_BINGET
      Recall(TakeNumber(4));
      break;
    case 'c':  // GLOBAL
      PushGlobal();
      break;
    case 'J':  // BININT
      Push(Kind::kInteger, static_cast<int32_t>(TakeNumber(4)));
      break;
    case 'K':  // BININT1
      Push(Kind::kInteger, TakeNumber(1));
      break;
    case 'M':  // BININT2
      Push(Kind::kInteger, TakeNumber(2));
      break;
    case ')':  // EMPTY_TUPLE
      MakeTuple(stack_.size());
      break;
    case 0x85:  // TUPLE1, TUPLE2, TUPLE3
    case 0x86:
    case 0x87: {
      const size_t count = code - 0x84u;
      if (stack_.size() < count) Fail(at_, "the pickle takes a value from an empty stack");
      MakeTuple(stack_.size() - count);
      break;
    }
    case 't': {  // TUPLE
      const size_t first = AfterMark();
      MakeTuple(first);
      stack_.erase(stack_.end() - 2);
      break;
    }
    case 0x88:  // NEWTRUE, NEWFALSE
    case 0x89:
      Push(Kind::kBoolean, code == 0x88);
      break;
    case 'Q':  // BINPERSID
      PushStorage();
      break;
    case 'R':  // REDUCE
      Call();
      break;
    case 's':  // SETITEM
      if (stack_.size() < 2) Fail(at_, "the pickle takes a value from an empty stack");
      SetItems(stack_.size() - 2);
      break;
    case 'u': {  // SETITEMS
      const size_t first = AfterMark();
      stack_.erase(stack_.begin() + static_cast<int64_t>(first) - 1);
      SetItems(first - 1);
      break;
    }
    case 'b':  // BUILD
      Pop(Kind::kDict);
      stack_.push_back(Pop(Kind::kDict));
      break;
    case '.':  // STOP
      return false;
    default:
      Fail(at_, fmt::format("instruction 0x{:02x} is not one that tensors in dictionaries need", code));
  }
  return true;
}

std::vector<int64_t> Machine::Extents(const Value& tuple) const {
  const auto items = Items(tuple);
  if (items.size() > kMaxRank)
    Fail(tuple.at, fmt::format("{} dimensions, at most {}", items.size(), kMaxRank));
  std::vector<int64_t> extents;
  for (const Value& item : items) extents.push_back(Expect(item, Kind::kInteger).number);
  return extents;
}

void Machine::Collect(const Value& value, const std::string& name, size_t depth,
                      std::vector<PickledTensor>& out) {
  if (value.kind == Kind::kTensor) {
    if (out.size() == kMaxTensors) Fail(value.at, fmt::format("more than {} tensors", kMaxTensors));
    const Tensor& tensor = tensors_[static_cast<size_t>(value.number)];
    const Storage& storage = storages_[static_cast<size_t>(tensor.storage.number)];
    out.push_back({name, *kGlobals[storage.global].storage, Text(storage.key), storage.elements.number,
                   tensor.offset.number, Extents(tensor.shape), Extents(tensor.stride),
                   first_byte_ + value.at});
    if (out.back().shape.size() != out.back().stride.size())
      Fail(value.at, fmt::format("tensor \"{}\" has {} extents and {} strides", Printable(name),
                                 out.back().shape.size(), out.back().stride.size()));
    return;
  }
  if (value.kind != Kind::kDict)
    Fail(value.at, fmt::format("found {}{}, expected a tensor or a dictionary of them", NameOf(value.kind),
                               name.empty() ? "" : " as \"" + Printable(name) + "\""));
  Dict& dict = dicts_[static_cast<size_t>(value.number)];
  if (dict.placed) Fail(value.at, fmt::format("the dictionary \"{}\" stands in two places", Printable(name)));
  dict.placed = true;
  if (depth == kMaxDepth) Fail(value.at, fmt::format("dictionaries are nested deeper than {}", kMaxDepth));
  for (const auto& [key, item] : dict.items) {
    std::string inner = name;
    if (depth > 0) inner += '.';
    inner += Text(key);
    if (inner.size() > kMaxName || !IsUtf8(inner))
      Fail(key.at, fmt::format("the name \"{}\" is too long or not UTF-8", Printable(inner)));
    Collect(item, inner, depth + 1, out);
  }
}

std::vector<PickledTensor> Machine::Run() {
  if (pickle_.size() > kMaxPickleBytes)
    Fail(0, fmt::format("a pickle of {} bytes, at most {}", pickle_.size(), kMaxPickleBytes));
  if (Take(1)[0] != 0x80) Fail(0, "the pickle does not begin with its protocol");
  if (const uint32_t protocol = TakeNumber(1); protocol != 2)
    Fail(1, fmt::format("pickle protocol {}, expected 2", protocol),
         "leave pickle_protocol of torch.save alone");
  while (Step()) {
  }
  const Value result = Pop();
  if (!stack_.empty() || next_ != pickle_.size())
    Fail(at_, fmt::format("{} values and {} bytes are left over", stack_.size(), pickle_.size() - next_));
  std::vector<PickledTensor> tensors;
  Collect(result, "", 0, tensors);
  return tensors;
}

}  // namespace

std::vector<PickledTensor> ReadTorchPickle(std::span<const uint8_t> pickle, const std::string& file,
                                           uint64_t first_byte) {
  return Machine(pickle, file, first_byte).Run();
}

}  // namespace graticule
