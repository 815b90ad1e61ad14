"""The job for spark-submit: `spark-submit [--master …] rst_fleet_job.py join LAKE --hours …`, or `… ask LAKE QUESTION`.

The arguments are those of rst-fleet. Only the driver needs the package, which is taken from beside this file if it is not
installed: what the workers run is SQL.
"""

import sys
from pathlib import Path

try:
    from rst_fleet.cli import main
except ImportError:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
    from rst_fleet.cli import main

if __name__ == "__main__":
    status = main([*sys.argv[1:], "--engine", "spark"])
    # Databricks takes any SystemExit for a failure.
    if status:
        sys.exit(status)
