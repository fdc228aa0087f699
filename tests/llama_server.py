"""llama.cpp's own server, in a process of its own: `python llama_server.py MODEL CONTEXT [KEY]` prints its address.

It is slow to end by SIGTERM; kill it.
"""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main(model: str, context: str, key: str = "") -> None:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"random"}
    params.port = 0
    params.n_ctx = int(context)
    params.n_parallel = 1
    params.warmup = False
    params.endpoint_slots = True
    params.cpuparams.n_threads = 1
    if key:
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
