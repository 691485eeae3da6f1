"""A real SLURM cluster of two nodes on this one host, for the tests under fault/: own ports, sockets, keys and state in a
temporary folder, no services and no cgroups. Needs the Debian packages slurm-wlm and munge (scripts/setup.sh --slurm).

Facts that shaped it: two nodes may share a host when each has its own port; unix sockets limit the folder's path to
about 70 characters; Open MPI's shared-memory transport fails between two "nodes" of one host, hence tcp.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
HAS_SLURM = all(shutil.which(program, path=PATH) for program in ("slurmctld", "slurmd", "munged", "sbatch"))

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={dir}/munge.sock,cred_expire=5
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool.%n
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.%n.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd.%n.log
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=5
SlurmdTimeout=20
CompleteWait=0
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1} CPUs=2 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={port2} CPUs=2 State=UNKNOWN
PartitionName=test Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


class Cluster:
    """with Cluster() as cluster: cluster.run("sbatch", ...)"""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gslurm", dir="/tmp"))
        self.dir.chmod(0o755)
        (self.dir / "state").mkdir(mode=0o700)
        key = self.dir / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        port, port1, port2 = free_ports(3)
        (self.dir / "cgroup.conf").write_text("CgroupAutomount=no\n")
        (self.dir / "slurm.conf").write_text(CONF.format(
            dir=self.dir, host=socket.gethostname().split(".")[0], port=port, port1=port1, port2=port2,
            user=subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_", "PMI"))}
        self.env.update(PATH=PATH, SLURM_CONF=str(self.dir / "slurm.conf"), OMPI_MCA_btl="self,tcp",
                        OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_mpi_yield_when_idle="1")
        self.daemons = {}
        try:
            self._start("munged", "munged", "-F", "--force", f"--socket={self.dir}/munge.sock", f"--key-file={key}",
                        f"--pid-file={self.dir}/munged.pid", f"--log-file={self.dir}/munged.log",
                        f"--seed-file={self.dir}/munge.seed")
            until((self.dir / "munge.sock").exists, 10, "munged")
            self._start("slurmctld", "slurmctld", "-D", "-c")
            for node in ("n1", "n2"):
                self.start_node(node)
            until(lambda: self.run("sinfo", "-h", "-N", "-o", "%t", check=False).split() == ["idle"] * 2, 30, "two idle nodes")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, name, *command):
        with open(self.dir / f"{name}.err", "ab") as errors:
            self.daemons[name] = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=errors,
                                                  stderr=errors, start_new_session=True)

    def start_node(self, node):
        (self.dir / f"spool.{node}").mkdir(exist_ok=True)
        self._start(node, "slurmd", "-D", "-N", node)

    def run(self, *command, check=True):
        """A SLURM client; its standard output."""
        return subprocess.run(command, env=self.env, check=check, capture_output=True, text=True, timeout=60).stdout

    def controller_log(self):
        return (self.dir / "slurmctld.log").read_text()[-4000:]

    def state(self, job):
        """PENDING, RUNNING, COMPLETED, ..."""
        return dict(word.split("=", 1) for word in self.run("scontrol", "show", "job", "-o", str(job)).split()
                    if "=" in word)["JobState"]

    def kill_node(self, node):
        """SIGKILL for slurmd, the daemons of its job steps, and everything below them: what a power cut does."""
        log, parents, doomed = str(self.dir / f"slurmd.{node}.log"), {}, set()
        for pid in self._processes():
            parents[pid] = int(self._read(pid, "stat").rpartition(")")[2].split()[1] or 0)
            try:
                if any(os.readlink(fd) == log for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()):
                    doomed.add(pid)
            except OSError:
                pass
        while fresh := {pid for pid, parent in parents.items() if parent in doomed} - doomed:
            doomed |= fresh
        self._kill(doomed)
        self.daemons.pop(node).wait()

    def __exit__(self, *_):
        jobs = self.run("squeue", "-h", "-o", "%A", check=False).split()
        if jobs:
            self.run("scancel", "-f", "-s", "KILL", *jobs, check=False)
        for process in self.daemons.values():
            process.terminate()
        mine = f"SLURM_CONF={self.dir}/slurm.conf"
        self._kill(pid for pid in self._processes() if mine in self._read(pid, "environ").split("\0"))
        for process in self.daemons.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _processes():
        return [int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()]

    @staticmethod
    def _read(pid, name):
        try:
            return pathlib.Path(f"/proc/{pid}/{name}").read_text(errors="replace")
        except OSError:
            return ") ? 0"

    @staticmethod
    def _kill(pids):
        for pid in pids:
            try:
                if pid != os.getpid():
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
