#include <gtest/gtest.h>
#include <unistd.h>

#include "base/config/resolve.h"
#include "base/config/section.h"
#include "base/fs.h"
#include "base/hash.h"

namespace graticule {
namespace {

struct Optim {
  std::string kind = "adamw";
  double lr = 1e-4;
  double weight_decay = 0.05;
  double beta1 = 0.9;
  std::optional<double> clip;
  void Bind(Section& s) {
    s.Choice("kind", &kind, {"adamw", "sgd"}, "which optimiser");
    s.Field("lr", &lr, {.help = "peak learning rate", .min = 0, .max = 10});
    s.Field("weight_decay", &weight_decay, {.help = "decay", .min = 0});
    s.Field("beta1", &beta1, {.help = "first moment", .min = 0, .max = 0.999});
    s.Field("clip", &clip, {.help = "clip norm", .min = 0});
    s.Check([this]() -> std::string {
      return kind == "sgd" && weight_decay > 1 ? "weight_decay must be at most 1 with kind sgd" : "";
    });
  }
};

struct Set {
  std::string name;
  int64_t count = 5;
  void Bind(Section& s) {
    s.Field("name", &name, {.help = "name", .required = true});
    s.Field("count", &count, {.help = "records", .min = 1, .max = 1000});
  }
};

struct Root {
  Optim optim;
  int64_t global_batch = 0;
  bool shuffle = true;
  double timeout_s = 60;
  std::string note = "none at all";
  std::vector<std::string> train;
  std::vector<double> scale = {0.9, 1};
  std::vector<int64_t> milestones;
  std::map<std::string, double> weights = {{"geocell", 1}, {"climate", 0.1}};
  std::vector<Set> sets;
  int64_t log_every = 10;
  Section section;
  Root() {
    section.Sub("optim", &optim, "optimiser");
    section.Field("global_batch", &global_batch,
                  {.help = "samples per step", .unit = "samples", .min = 1, .required = true});
    section.Field("shuffle", &shuffle, {.help = "permute"});
    section.Field("timeout_s", &timeout_s,
                  {.help = "patience", .unit = "s", .min = 1, .max = 3600, .on_resume = OnResume::kWarn});
    section.Field("note", &note, {.help = "free text"});
    section.Field("train", &train, {.help = "folders"});
    section.Field("scale", &scale, {.help = "crop", .min = 0, .max = 1});
    section.Field("milestones", &milestones, {.help = "steps", .min = 0});
    section.Field("weights", &weights, {.help = "per term", .min = 0});
    section.List("sets", &sets, "evaluation sets");
    section.Field("log_every", &log_every, {.help = "steps", .min = 1, .on_resume = OnResume::kFree});
  }
};

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "graticule_cfg_" + std::to_string(::getpid());
    PosixFs().MakeDirs(dir_);
  }
  void TearDown() override { PosixFs().RemoveTree(dir_); }
  std::string Write(const std::string& name, const std::string& text) {
    WriteFileAtomically(PosixFs(), JoinPath(dir_, name), text);
    return JoinPath(dir_, name);
  }
  ConfigResult Resolve(Root& root, const std::vector<std::string>& texts,
                       const std::vector<std::string>& args = {}) {
    std::vector<std::string> files;
    for (const std::string& text : texts)
      files.push_back(Write(std::to_string(files.size()) + ".yaml", text));
    ConfigResult result = ResolveConfig(root.section, files, args);
    for (ConfigIssue& issue : result.issues) {
      if (issue.where.starts_with(dir_)) issue.where = issue.where.substr(dir_.size() + 1);
    }
    for (ConfigOrigin& origin : result.origins) {
      if (origin.where.starts_with(dir_)) origin.where = origin.where.substr(dir_.size() + 1);
    }
    return result;
  }
  static std::string OriginOf(const ConfigResult& result, const std::string& key) {
    for (const ConfigOrigin& origin : result.origins) {
      if (origin.key == key) return origin.value + " @ " + origin.where;
    }
    return "no such key";
  }
  std::string dir_;
};

TEST_F(ConfigTest, FillsEveryTypeFromOneFile) {
  Root root;
  const auto result = Resolve(root, {R"(
optim: {kind: sgd, lr: 3e-4, clip: 1.5}
global_batch: 256
shuffle: false
timeout_s: +.5e2
note: "yes: quoted"
train: [a, 'b c', 12]
scale: [0.5, 1]
milestones: [10, 20]
weights: {climate: 0.2, month: 3}
sets:
  - name: one
  - {name: two, count: 7}
)"});
  ASSERT_TRUE(result.issues.empty()) << result.issues[0].message;
  EXPECT_EQ(root.optim.kind, "sgd");
  EXPECT_EQ(root.optim.lr, 3e-4);
  EXPECT_EQ(root.optim.clip, 1.5);
  EXPECT_EQ(root.optim.beta1, 0.9);
  EXPECT_EQ(root.global_batch, 256);
  EXPECT_FALSE(root.shuffle);
  EXPECT_EQ(root.timeout_s, 50);
  EXPECT_EQ(root.note, "yes: quoted");
  EXPECT_EQ(root.train, (std::vector<std::string>{"a", "b c", "12"}));
  EXPECT_EQ(root.milestones, (std::vector<int64_t>{10, 20}));
  EXPECT_EQ(root.weights, (std::map<std::string, double>{{"climate", 0.2}, {"geocell", 1}, {"month", 3}}));
  ASSERT_EQ(root.sets.size(), 2u);
  EXPECT_EQ(root.sets[0].count, 5);
  EXPECT_EQ(root.sets[1].name, "two");
  EXPECT_EQ(OriginOf(result, "optim.lr"), "0.0003 @ 0.yaml:2:24");
  EXPECT_EQ(OriginOf(result, "optim.beta1"), "0.9 @ default");
  EXPECT_EQ(OriginOf(result, "sets.1.count"), "7 @ 0.yaml:13:24");
}

TEST_F(ConfigTest, MergesMapsReplacesListsAndPutsArgumentsLast) {
  Root root;
  const auto result = Resolve(
      root, {"global_batch: 8\ntrain: [a, b]\noptim: {lr: 1, beta1: 0.5}\n", "optim:\n  lr: 2\ntrain: [c]\n"},
      {"optim.beta1=0.25", "train=[d, e]", "optim.clip=null"});
  ASSERT_TRUE(result.issues.empty()) << result.issues[0].message;
  EXPECT_EQ(root.optim.lr, 2);
  EXPECT_EQ(root.train, (std::vector<std::string>{"d", "e"}));
  EXPECT_EQ(OriginOf(result, "optim.lr"), "2 @ 1.yaml:2:7");
  EXPECT_EQ(OriginOf(result, "optim.beta1"), "0.25 @ argument 1");
  EXPECT_EQ(OriginOf(result, "train"), "[d, e] @ argument 2");
}

TEST_F(ConfigTest, AChangedKindReplacesItsSection) {
  Root a;
  ASSERT_TRUE(
      Resolve(a, {"global_batch: 8\noptim: {lr: 1}\n", "optim: {kind: sgd, beta1: 0.1}\n"}).issues.empty());
  EXPECT_EQ(a.optim.lr, 1e-4);  // lr belonged to the default kind
  EXPECT_EQ(a.optim.beta1, 0.1);
  Root b;
  ASSERT_TRUE(Resolve(b, {"global_batch: 8\noptim: {kind: sgd, lr: 1}\n", "optim: {kind: sgd, beta1: 0.1}\n"})
                  .issues.empty());
  EXPECT_EQ(b.optim.lr, 1);
  Root c;  // the order of arguments does not matter
  ASSERT_TRUE(Resolve(c, {"global_batch: 8\noptim: {lr: 1}\n"}, {"optim.beta1=0.1", "optim.kind=sgd"})
                  .issues.empty());
  EXPECT_EQ(c.optim.lr, 1e-4);
  EXPECT_EQ(c.optim.beta1, 0.1);
  Root d;
  ASSERT_TRUE(Resolve(d, {"global_batch: 8\noptim: {lr: 1}\n"}, {"optim.kind=adamw"}).issues.empty());
  EXPECT_EQ(d.optim.lr, 1);
  EXPECT_EQ(d.optim.kind, "adamw");
}

TEST_F(ConfigTest, ReportsAllMistakesAtOnceEachWithItsPlace) {
  Root root;
  const auto result =
      Resolve(root, {R"(optim:
  weight_decy: 1
  lr: fast
  beta1: 2
shufle: true
lr: 3
train: a
scale: [0.1, 7]
milestones: [1.5]
weights: {climate: high}
sets:
  - {count: 0}
  - 3
)"},
              {"optim.kind=adam", "nonsense", "timeout_s=0", "optim.lr.x=3", ".a=1", "note=[1"});
  std::string all;
  for (const ConfigIssue& issue : result.issues)
    all += issue.where + ": " + issue.message + " | " + issue.hint + "\n";
  const auto expect = [&](const std::string& part) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  };
  expect(
      "0.yaml:2:3: unknown key \"optim.weight_decy\" | did you mean \"optim.weight_decay\"?   (known keys "
      "here: kind, lr, weight_decay, beta1, clip)");
  expect("0.yaml:3:7: \"optim.lr\" is fast, expected number from 0 to 10");
  expect("0.yaml:4:10: \"optim.beta1\" is 2, expected number from 0 to 0.999");
  expect("0.yaml:5:1: unknown key \"shufle\" | did you mean \"shuffle\"?");
  expect("0.yaml:6:1: unknown key \"lr\" | did you mean \"optim.lr\"?");
  expect("0.yaml:7:8: \"train\" is a, expected list of texts | write [a]");
  expect("0.yaml:8:14: \"scale\" is 7, expected list of numbers from 0 to 1");
  expect("0.yaml:9:14: \"milestones\" is 1.5, expected list of whole numbers >= 0");
  expect("0.yaml:10:20: \"weights\" is high, expected map of numbers >= 0");
  expect("missing key \"sets.0.name\"");
  expect("0.yaml:12:13: \"sets.0.count\" is 0, expected whole number from 1 to 1000");
  expect("0.yaml:13:5: \"sets.1\" is 3, expected a section");
  expect("missing key \"global_batch\", expected whole number >= 1 (in samples)");
  expect("argument 1: \"optim.kind\" is \"adam\", expected one of: adamw, sgd | did you mean \"adamw\"?");
  expect("argument 2: found \"nonsense\", expected key=value");
  expect("argument 3: \"timeout_s\" is 0, expected number from 1 to 3600 (in s)");
  expect("argument 5: found \".a=1\"");
  expect("argument 6: not valid YAML");
  expect("run `graticule config explain optim` for help");
  EXPECT_TRUE(result.resolved_yaml.empty());
  try {
    result.ThrowIfBad();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(error.message().find(std::to_string(result.issues.size()) + " mistakes"), std::string::npos);
    EXPECT_NE(error.message().find("\n   did you mean \"optim.weight_decay\"?"), std::string::npos);
  }
}

TEST_F(ConfigTest, OverridesCannotReachThroughValues) {
  Root root;
  const auto result = Resolve(root, {"global_batch: 3\noptim: {lr: 1}\nsets: [{name: a}]\n"},
                              {"optim.lr.x=3", "sets.1.name=b", "optm.lr=3", "sets.0.name=c"});
  ASSERT_EQ(result.issues.size(), 3u);
  EXPECT_EQ(result.issues[0].where, "argument 1");
  EXPECT_EQ(result.issues[0].message, "\"optim.lr\" is 1 and not a section");
  EXPECT_EQ(result.issues[1].where, "argument 2");
  EXPECT_EQ(result.issues[2].where, "argument 3");
  EXPECT_EQ(result.issues[2].message, "unknown key \"optm\"");
  EXPECT_EQ(root.sets[0].name, "c");
}

TEST_F(ConfigTest, TypesAreNotGuessed) {
  const std::pair<const char*, const char*> bad[] = {{"global_batch", "1e2"},
                                                     {"global_batch", "\"8\""},
                                                     {"global_batch", "0x10"},
                                                     {"global_batch", "8.0"},
                                                     {"global_batch", "1_000"},
                                                     {"global_batch", "99999999999999999999"},
                                                     {"global_batch", "null"},
                                                     {"optim.lr", "nan"},
                                                     {"optim.lr", ".nan"},
                                                     {"optim.lr", "inf"},
                                                     {"optim.lr", "1,5"},
                                                     {"optim.lr", "0x1p3"},
                                                     {"optim.lr", "1e999"},
                                                     {"optim.lr", "+-1"},
                                                     {"optim.lr", "'1'"},
                                                     {"optim.lr", ".inf"},
                                                     {"shuffle", "yes"},
                                                     {"shuffle", "1"},
                                                     {"shuffle", "True"},
                                                     {"note", "[a]"},
                                                     {"note", "null"},
                                                     {"optim", "[]"},
                                                     {"sets", "{}"}};
  for (const auto& [key, value] : bad) {
    Root root;
    const auto result = Resolve(root, {"global_batch: 3\n"}, {std::string(key) + "=" + value});
    EXPECT_EQ(result.issues.size(), 1u) << key << "=" << value;
  }
  Root root;
  EXPECT_NE(Resolve(root, {}, {"global_batch=1e2"}).issues.at(0).hint.find("write 100"), std::string::npos);
}

TEST_F(ConfigTest, CrossFieldErrorsNameTheKeysAndTheirPlaces) {
  Root root;
  const auto result = Resolve(root, {"global_batch: 3\noptim:\n  kind: sgd\n  weight_decay: 3\n"});
  ASSERT_EQ(result.issues.size(), 1u);
  EXPECT_EQ(result.issues[0].where, "0.yaml:3:9");
  EXPECT_EQ(result.issues[0].message, "in \"optim\": weight_decay must be at most 1 with kind sgd");
  EXPECT_NE(result.issues[0].hint.find("optim.weight_decay = 3   (" + dir_ + "/0.yaml:4:17)"),
            std::string::npos);
  EXPECT_NE(result.issues[0].hint.find("optim.kind = sgd"), std::string::npos);
}

TEST_F(ConfigTest, ResolvedYamlLoadsBackToTheSameValues) {
  Root a;
  const auto first = Resolve(
      a, {"global_batch: 3\nweights: {\"odd key: x\": 0.1}\nsets: [{name: \"\"}, {name: \"a #b\"}]\n"},
      {"optim.lr=0.1234567890123456789", "note=\"line\\nbreak 'q' \\\" \\\\ ü\"", "train=[x, \"3\"]"});
  ASSERT_TRUE(first.issues.empty()) << first.issues[0].message;
  Root b;
  const auto second = Resolve(b, {first.resolved_yaml});
  ASSERT_TRUE(second.issues.empty()) << second.issues[0].where << second.issues[0].message;
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_EQ(b.optim.lr, a.optim.lr);
  EXPECT_EQ(b.note, "line\nbreak 'q' \" \\ ü");
  EXPECT_EQ(b.weights, a.weights);
  EXPECT_EQ(b.train, a.train);
  EXPECT_EQ(b.sets[1].name, "a #b");
  EXPECT_FALSE(b.optim.clip.has_value());
  ASSERT_EQ(first.origins.size(), second.origins.size());
  for (size_t i = 0; i < first.origins.size(); ++i)
    EXPECT_EQ(first.origins[i].value, second.origins[i].value);
  EXPECT_TRUE(CompareResolved(b.section, first.resolved_yaml, second.resolved_yaml).empty());
}

TEST_F(ConfigTest, HashChangesWithEveryFieldThatIsNotFree) {
  const auto hash = [&](const std::vector<std::string>& args) {
    Root root;
    const auto result = Resolve(root, {"global_batch: 3\n"}, args);
    EXPECT_TRUE(result.issues.empty());
    return result.hash;
  };
  const std::string base = hash({});
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(hash({"log_every=99"}), base);
  EXPECT_EQ(hash({"optim.lr=0.0001"}), base);  // the default, written out
  for (const char* changed :
       {"optim.lr=2e-4", "timeout_s=61", "note=x", "train=[a]", "train=['']", "scale=[1]",
        "weights={geocell: 2}", "sets=[{name: a}]", "shuffle=false", "optim.clip=0"}) {
    EXPECT_NE(hash({changed}), base) << changed;
  }
}

TEST_F(ConfigTest, ComparesWhatMustNotChangeOnResume) {
  Root a, b, c;
  const auto before = Resolve(a, {"global_batch: 3\nsets: [{name: x}]\n"});
  const auto after = Resolve(b, {"global_batch: 3\nsets: [{name: v}, {name: z}]\n"},
                             {"optim.lr=1", "timeout_s=70", "log_every=7"});
  const auto differences = CompareResolved(c.section, before.resolved_yaml, after.resolved_yaml);
  std::string text;
  for (const auto& d : differences)
    text += d.key + ": " + d.before + " -> " + d.after + (d.rule == OnResume::kWarn ? " (warn)\n" : "\n");
  EXPECT_EQ(text,
            "optim.lr: 0.0001 -> 1\ntimeout_s: 60 -> 70 (warn)\nsets.0.name: x -> v\n"
            "sets.1.name: (absent) -> z\nsets.1.count: (absent) -> 5\n");
  // A run of an older program that did not know the key yet.
  EXPECT_TRUE(CompareResolved(c.section, "global_batch: 3\n", "global_batch: 3\nshuffle: true\n").empty());
  EXPECT_THROW(CompareResolved(c.section, "a: [", ""), Error);
}

TEST_F(ConfigTest, DescribesKeysFromTheSameTable) {
  Root root;
  root.optim.lr = 9;  // resolved by now; the default is still the initial value
  const std::string text = DescribeConfig(root.section, "");
  EXPECT_NE(
      text.find(
          "optim.lr   (number from 0 to 10; default 0.0001; fixed on resume)\n    peak learning rate\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("global_batch   (whole number >= 1 (in samples); required; fixed on resume)"),
            std::string::npos);
  EXPECT_NE(text.find("sets[].name   (text; required"), std::string::npos);
  EXPECT_NE(text.find("log_every   (whole number >= 1; default 10; free to change on resume)"),
            std::string::npos);
  const std::string optim = DescribeConfig(root.section, "optim");
  EXPECT_NE(optim.find("optim.lr"), std::string::npos);
  EXPECT_EQ(optim.find("global_batch"), std::string::npos);
  try {
    DescribeConfig(root.section, "optim.rl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "did you mean \"optim.lr\"?");
  }
}

TEST_F(ConfigTest, LimitsTheNumberOfListElements) {
  std::string text = "global_batch: 1\nsets:\n";
  for (int i = 0; i < 257; ++i) text += "  - {name: a}\n";
  Root root;
  EXPECT_EQ(Resolve(root, {text}).issues.size(), 1u);
}

TEST_F(ConfigTest, RefusesAFileThatIsNoMapAndReadsAnEmptyOne) {
  Root root;
  EXPECT_EQ(Resolve(root, {"", "global_batch: 1\n", "# only a comment\n", "optim:\n"}).issues.size(), 0u);
  EXPECT_EQ(Resolve(root, {"global_batch: 1\n", "[1]\n"}).issues.size(), 1u);
}

}  // namespace
}  // namespace graticule
