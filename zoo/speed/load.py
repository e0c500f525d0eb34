"""Load: what else the machine did meanwhile, and at which clocks it ran."""

import os
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Load:
    """Seconds of all cores since the system started: busy, stolen by the hypervisor, in all; and of this process."""

    busy: float
    stolen: float
    total: float
    own: float

    @classmethod
    def now(cls) -> "Load | None":
        """The counters as they stand, None where the system has no /proc/stat."""
        try:
            words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        except OSError:
            return None
        ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in words[:8]]
        user, nice, system, _, _, hard, soft, stolen = ticks
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(user + nice + system + hard + soft, stolen, sum(ticks), usage.ru_utime + usage.ru_stime)

    def since(self, earlier: "Load | None") -> dict[str, float] | None:
        """Shares of the machine's cores that other processes and the hypervisor took since `earlier`."""
        if earlier is None or self.total <= earlier.total:
            return None
        whole = self.total - earlier.total
        others = self.busy - earlier.busy - (self.own - earlier.own)
        return {
            "others": round(max(0.0, others) / whole, 4),
            "stolen": round((self.stolen - earlier.stolen) / whole, 4),
        }


def clocks(device: str) -> dict[str, Any]:
    """The processor's clock in MHz, and on CUDA the GPU's clocks, temperature and reasons to throttle."""
    found: dict[str, Any] = {"cpu_mhz": _cpu_mhz()}
    if device == "cuda":
        fields = ("clocks.sm", "clocks.mem", "temperature.gpu", "clocks_event_reasons.active")
        names = ("sm_mhz", "memory_mhz", "temperature", "throttle")
        try:
            asked = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "--id=0"]
            said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
            found |= dict(zip(names, [word.strip() for word in said.strip().splitlines()[0].split(",")], strict=True))
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            found |= dict.fromkeys(names)
    return found


def _cpu_mhz() -> float | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    speeds = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
    return round(sum(speeds) / len(speeds), 1) if speeds else None
