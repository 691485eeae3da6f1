"""Commands shown in the documentation exist: each verb answers --help, and each option shown is one it lists."""
import os
import pathlib
import re
import shlex
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRATICULE = pathlib.Path(os.environ.get("GRATICULE_BUILD", ROOT / "build/release")) / "bin/graticule"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page):
    """Logical lines of fenced code blocks, continuation lines joined, prompts and comments removed."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text(), re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.split(" # ")[0].strip().removeprefix("$ ")
            if line:
                yield line


def graticule_calls(line):
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    for index, word in enumerate(words):
        if pathlib.PurePath(word).name == "graticule" and index + 1 < len(words):
            rest = words[index + 1:]
            for stop in ("|", "&&", ";", ">", "&"):
                if stop in rest:
                    rest = rest[:rest.index(stop)]
            return rest
    return None


class Commands(unittest.TestCase):
    def test_documented_commands_exist(self):
        seen = 0
        for page in PAGES:
            for line in commands(page):
                call = graticule_calls(line)
                if not call or call[0].startswith("<"):
                    continue
                with self.subTest(page=page.name, command=line):
                    seen += 1
                    if call[0].startswith("--"):
                        continue
                    verb = [word for word in call[:3] if re.fullmatch(r"[a-z][a-z0-9-]*", word)]
                    for length in range(len(verb), 0, -1):
                        result = subprocess.run([GRATICULE, *verb[:length], "--help"], capture_output=True, text=True)
                        if result.returncode == 0:
                            break
                    self.assertEqual(result.returncode, 0, f"no such verb: {verb}\n{result.stderr}")
                    known = set(re.findall(r"--[a-z0-9][a-z0-9-]*", result.stdout))
                    used = {word.split("=")[0] for word in call if word.startswith("--")}
                    self.assertLessEqual(used - {"--help"}, known | {"--help"})
        self.assertGreater(seen, 5, "the documentation shows no commands?")

    def test_documented_scripts_and_files_exist(self):
        for page in PAGES:
            text = page.read_text()
            for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
                with self.subTest(page=page.name, link=target):
                    self.assertTrue((page.parent / target).exists(), f"{page.name} links to {target}")
            for script in re.findall(r"\b(scripts/[a-z_]+\.sh)\b", text):
                with self.subTest(page=page.name, script=script):
                    self.assertTrue((ROOT / script).exists())


if __name__ == "__main__":
    unittest.main()
