"""Scores a table on a cluster of several nodes of this machine, one of which may be killed.

`ray_cluster.py NODES KILL_SECONDS VARIABLES dubito score …`: `--ray ADDRESS` is added. Run in an
environment that has Ray. VARIABLES is JSON, of the environment of the last node.
"""

import json
import subprocess
import sys
import time

from ray.cluster_utils import Cluster

NODES, KILL_SECONDS, VARIABLES = int(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])


def main() -> int:
    # The head computes nothing, so that every node that does may be killed.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [
            cluster.add_node(num_cpus=1, env_vars=VARIABLES if at == NODES - 1 else {})
            for at in range(NODES)
        ]
        cluster.wait_for_nodes()
        with subprocess.Popen([*sys.argv[4:], "--ray", cluster.address]) as process:
            if KILL_SECONDS:
                time.sleep(KILL_SECONDS)
                if process.poll() is not None:
                    raise SystemExit("the table was scored before a node was killed")
                cluster.remove_node(nodes[0], allow_graceful=False)
            return process.wait()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
