"""Serves Dubito by Ray Serve on this machine: `ray_serve.py PORT REPLICAS VARIABLES`.

VARIABLES is JSON, of the environment of the replicas. It says when it serves, and ends with stdin.
"""

import json
import logging
import sys
from importlib import import_module

import ray
from ray import serve

PORT, REPLICAS, VARIABLES = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])


def main() -> None:
    ray.init(
        address="local",
        num_cpus=REPLICAS + 2,
        logging_level=logging.ERROR,
        log_to_driver=False,
        runtime_env={"env_vars": VARIABLES},
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    application = import_module("app.ray_application")
    served = application.Dubito.options(autoscaling_config=None, num_replicas=REPLICAS)
    serve.run(served.bind(), name="dubito", route_prefix="/")
    print("serving", flush=True)
    sys.stdin.read()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
