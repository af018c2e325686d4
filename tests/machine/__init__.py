"""A machine without what Windows lacks, a user whose home is empty; what is left there and sent away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Machine:
    """A user with an empty home, on a machine that lacks what Windows lacks."""

    root: Path
    keeps: str = ""
    """Functions of `os` that are there, for libraries that look at the name of the system instead."""

    @property
    def out(self) -> Path:
        """Folder in which the user works."""
        return self.root / "out"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python with arguments, under strace where there is one."""
        for name in ("out", "home", "tmp"):
            (self.root / name).mkdir(exist_ok=True)
        kept = {"PATH", "LANG", "LD_LIBRARY_PATH"}
        environment = {name: value for name, value in os.environ.items() if name in kept} | {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "MACHINE_LOG": str(self.root / "log"),
            "MACHINE_KEEPS": self.keeps,
            "PYTHONDONTWRITEBYTECODE": "1",  # an installed package brings its own
            "PYTHONPATH": os.pathsep.join([str(_HERE), *sys.path]),
        }
        command = [sys.executable, *arguments]
        if (strace := shutil.which("strace")) is not None:
            # -D: a signal goes to the command itself; -A: one trace for all commands.
            what = "trace=connect,bind,sendto,sendmsg,openat,open,creat,mkdir"
            options = [
                "-D",
                "-A",
                "-f",
                "-qq",
                "--seccomp-bpf",
                "-y",
                "-e",
                what,
                "-o",
                str(self.root / "trace"),
            ]
            command = [strace, *options, *command]
        return subprocess.Popen(
            command,
            cwd=self.out,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *commands: list[str]) -> None:
        """Run commands; each must end well."""
        process = self.start(str(_HERE / "session.py"), json.dumps(commands))
        said, _ = process.communicate()
        assert process.returncode == 0, said

    def check(self) -> None:
        """See that nothing was left or sent where it does not belong."""
        left = list((self.root / "tmp").rglob("*"))
        assert not left
        home = self.root / "home"
        assert {path.relative_to(home).parts[0] for path in home.rglob("*")} <= {".cache"}
        assert {path.name for path in (home / ".cache").glob("*")} <= {"matplotlib", "mitoscope", "torch"}
        for line in (self.root / "log").read_text().splitlines():
            event, what = json.loads(line)
            if event == "write":
                assert what.startswith((str(self.root), "/dev/")), line
            else:
                assert "127.0.0.1" in what or "::1" in what or "localhost" in what, line
        trace = self.root / "trace"
        for line in trace.read_text(errors="replace").splitlines() if trace.exists() else ():
            assert not leaves(line, self.root), line


def leaves(line: str, root: Path) -> bool:
    """Whether a system call goes beyond the machine, or creates a file outside of a folder."""
    call = line.split(maxsplit=1)[1] if line[:1].isdigit() else line
    if call.startswith(("connect(", "bind(", "sendto(", "sendmsg(")):
        inside = ("127.0.0.1", "::1", "AF_UNIX", "AF_NETLINK", "UNIX-STREAM", "socketpair", "NULL, 0)")
        return "AF_INET" in call and not any(word in call for word in inside)
    if "O_CREAT" in call and " = -1 " not in call:
        return str(root) not in call and '"/dev/' not in call
    return False
