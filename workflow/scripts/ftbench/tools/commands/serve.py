"""Show a model's answers on a local page: drop images, see classes, their calibrated probabilities and the set that holds the truth.

The page is for this machine alone, at 127.0.0.1. POST /predict takes an image as the body, or a form with files, and answers in JSON.
With /predict?explain=1, as the page does, an answer has the nearest training images and where the network looked (Grad-CAM).
Requests are limited to 20 MB, 32 files and 50 million pixels per image; those that come together go through the network together.

    ftbench serve model
    curl --data-binary @photo.jpg http://127.0.0.1:8765/predict
"""

AT_ONCE = 64  # connections; more are told to come again (503). Each may hold 20 MB of a request


def add_arguments(parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a folder of `ftbench export`, or results/.../seed<k>")
    parser.add_argument("--port", type=int, default=8765, help="0: any that is free (default: %(default)s)")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes to show (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the network (default: all cores)")


def run(arguments) -> int:
    import contextlib

    from ftbench.export.packages import need

    uvicorn = need("ftbench serve", "uvicorn", "starlette", "python_multipart")
    from ftbench.export import models
    from ftbench.export.serve.app import HOST, application
    from ftbench.export.serve.memory import return_freed_memory

    return_freed_memory()
    app = application(models.load(arguments.model, arguments.threads), arguments.top)
    settings = uvicorn.Config(app, log_level="warning", access_log=False, limit_concurrency=AT_ONCE)
    with listening(HOST, arguments.port) as port:
        print(f"http://{HOST}:{port.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run(sockets=[port])
    return 0


def listening(host: str, port: int):
    """A socket that takes connections from now on; they wait until the server reads them. Raises InputError if the port cannot be had."""
    import os
    import socket

    from ftbench.base.errors import InputError

    # asyncio switches Nagle's algorithm off where the protocol is named: with it every answer waits 40 ms.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            made.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # a port that was just left; elsewhere it means another thing
        made.bind((host, port))
        made.listen(AT_ONCE)
        return made
    except (OSError, OverflowError) as error:
        made.close()
        why = os.strerror(error.errno) if isinstance(error, OSError) else "ports are numbers up to 65535"
        raise InputError(f"--port: {port} cannot be had on {host} ({why}); give another, such as --port 8766, or 0 for any that is free.") from error  # fmt: skip
