// Starts a program of the bundle (scripts/bundle.sh) with the bundle's own loader and C library, so that it
// runs where nothing can be installed. Linked statically; one copy per program, the copy's name says which.
//
//   bin/graticule -> bin/ld-linux-x86-64.so.2 --library-path lib/...:torch/lib libexec/graticule ...
//
// graticule-train also needs the torch folder of an installed wheel: $GRATICULE_TORCH, else beside the
// bundle, else in the active virtual or Conda environment, else where python3 finds it. GRATICULE_HOST_LIBC=1
// uses the machine's own loader and C library, for a site whose MPI needs a newer one than the bundle has.
#include <glob.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr char kTorchVersion[] = "2.11.0";
constexpr char kLoader[] = "ld-linux-x86-64.so.2";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool Exists(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

bool IsTorch(const std::string& folder) { return Exists(folder + "/lib/libtorch_cpu.so"); }

[[noreturn]] void Fail(const std::string& message, const std::string& hint) {
  std::fprintf(stderr, "graticule: %s\n   %s\n", message.c_str(), hint.c_str());
  std::exit(2);
}

std::string FirstMatch(const std::string& pattern) {
  glob_t found{};
  std::string path;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0 && found.gl_pathc > 0) path = found.gl_pathv[0];
  globfree(&found);
  return path;
}

// Asks Python where torch lies, without importing it (that takes seconds).
std::string AskPython() {
  FILE* out = popen(
      "python3 -c 'import importlib.util as u; print(u.find_spec(\"torch\").submodule_search_locations[0])' "
      "2>/dev/null",
      "r");
  if (!out) return "";
  char line[4096] = "";
  const bool answered = std::fgets(line, sizeof line, out) != nullptr;
  pclose(out);
  if (!answered) return "";
  line[std::strcspn(line, "\n")] = 0;
  return line;
}

std::string FindTorch(const std::string& root) {
  if (const std::string given = Environment("GRATICULE_TORCH"); !given.empty()) {
    if (!IsTorch(given))
      Fail("GRATICULE_TORCH=" + given + " holds no lib/libtorch_cpu.so",
           "give the torch folder of an installed wheel");
    return given;
  }
  std::vector<std::string> candidates = {root + "/torch", root + "/../torch"};
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string prefix = Environment(variable); !prefix.empty()) {
      candidates.push_back(FirstMatch(prefix + "/lib/python3*/site-packages/torch"));
    }
  }
  for (const std::string& candidate : candidates) {
    if (IsTorch(candidate)) return candidate;
  }
  const std::string told = AskPython();
  if (IsTorch(told)) return told;
  Fail(std::string("found no installed torch ") + kTorchVersion,
       std::string("run `pip install torch==") + kTorchVersion +
           "` and activate its environment, or set GRATICULE_TORCH to the torch folder");
}

void CheckVersion(const std::string& torch) {
  std::ifstream file(torch + "/version.py");
  std::stringstream text;
  text << file.rdbuf();
  const std::string::size_type at = text.str().find("\n__version__ =");
  if (at == std::string::npos) return;
  const std::string line = text.str().substr(at + 1, text.str().find('\n', at + 1) - at - 1);
  if (line.find(kTorchVersion) == std::string::npos) {
    Fail("found torch with " + line + " in " + torch, std::string("this build needs torch ") + kTorchVersion);
  }
}

std::string LibraryPath(const std::string& root, const std::string& name, bool host_libc) {
  std::string path = root + "/lib";
  if (!host_libc) path += ":" + root + "/lib/glibc";
  if (name == "graticule-train") {
    const std::string torch = FindTorch(root);
    CheckVersion(torch);
    path += ":" + torch + "/lib";
    for (const char* part : {"nccl", "cu13", "cudnn", "nvshmem", "cusparselt"}) {
      const std::string folder = torch + "/../nvidia/" + part + "/lib";
      if (Exists(folder)) path += ":" + folder;
    }
  }
  // The loader takes this list instead of LD_LIBRARY_PATH, which is where a site's modules announce MPI.
  if (const std::string site = Environment("LD_LIBRARY_PATH"); !site.empty()) path += ":" + site;
  return path;
}

}  // namespace

int main(int argc, char** argv) {
  char self[4096] = "";
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    Fail("/proc is not mounted", "the programs find their files through /proc/self/exe");
  std::string bin = self;
  const std::string name = bin.substr(bin.rfind('/') + 1);
  bin.resize(bin.rfind('/'));
  const std::string root = bin.substr(0, bin.rfind('/'));
  const std::string program = root + "/libexec/" + name;
  const bool host_libc = Environment("GRATICULE_HOST_LIBC") == "1";
  std::string libraries = LibraryPath(root, name, host_libc), loader = bin + "/" + kLoader;
  std::vector<std::string> words;
  if (host_libc) {
    setenv("LD_LIBRARY_PATH", libraries.c_str(), 1);
    words = {program};
  } else {
    words = {loader, "--argv0", program, "--library-path", libraries, program};
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  for (int i = 1; i < argc; ++i) arguments.push_back(argv[i]);
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  Fail("cannot start " + program + ": " + std::strerror(errno), "unpack the bundle again");
}
