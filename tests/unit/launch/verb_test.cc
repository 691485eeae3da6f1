#include "launch/verb.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace graticule {
namespace {

struct Outcome {
  int code = 0;
  std::string out, error, ran;
  std::vector<std::string> arguments;
};

Outcome Call(std::vector<std::string> words) {
  Outcome outcome;
  auto verb = [&](const std::string& name, int code) {
    return Verb{name, "summary of " + name,
                [&outcome, name, code](const std::vector<std::string>& arguments) {
                  outcome.ran = name;
                  outcome.arguments = arguments;
                  return code;
                }};
  };
  const Verb fails{"fails", "throws", [](const std::vector<std::string>&) -> int {
                     throw Error(ErrorCode::kData, "found this", "there", "do that");
                   }};
  const std::vector<Verb> verbs = {verb("train", 75), verb("cells build", 0), verb("cells render", 0), fails};
  words.insert(words.begin(), "program");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  outcome.code = RunVerbs("program", verbs, static_cast<int>(argv.size()), argv.data());
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.error = testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(Verbs, RunTheLongestMatchWithTheRestOfTheArguments) {
  const Outcome two = Call({"cells", "build", "--out", "x"});
  EXPECT_EQ(two.ran, "cells build");
  EXPECT_EQ(two.arguments, (std::vector<std::string>{"--out", "x"}));
  EXPECT_EQ(Call({"train", "a=1"}).code, 75);
}

TEST(Verbs, ListAGroupWhenItIsNamedAlone) {
  const Outcome help = Call({"cells", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("cells render"), std::string::npos);
  EXPECT_EQ(help.out.find("train"), std::string::npos);
  EXPECT_EQ(Call({"cells"}).code, 2);
}

TEST(Verbs, SuggestTheNearestNameForAnUnknownOne) {
  const Outcome typo = Call({"trian"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_NE(typo.error.find("did you mean \"train\""), std::string::npos) << typo.error;
  EXPECT_NE(Call({"cells", "rendre"}).error.find("did you mean \"cells render\""), std::string::npos);
  EXPECT_NE(typo.error.find("`program --help`"), std::string::npos) << typo.error;
  EXPECT_NE(Call({"cells", "rendre"}).error.find("`program cells --help`"), std::string::npos);
  EXPECT_NE(Call({"cell"}).error.find("did you mean \"cells\""), std::string::npos);
  EXPECT_EQ(Call({"xyzzy"}).error.find("did you mean"), std::string::npos);
}

TEST(Verbs, TurnAnErrorIntoItsExitCodeAndOneJsonObject) {
  const Outcome plain = Call({"fails"});
  EXPECT_EQ(plain.code, 3);
  EXPECT_EQ(plain.out, "");
  EXPECT_NE(plain.error.find("there: found this"), std::string::npos);
  const Outcome json = Call({"fails", "--json"});
  EXPECT_EQ(json.out,
            "{\"error\":{\"code\":3,\"message\":\"found this\",\"where\":\"there\",\"hint\":\"do that\"}}\n");
}

}  // namespace
}  // namespace graticule
