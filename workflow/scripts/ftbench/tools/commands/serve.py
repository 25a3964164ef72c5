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
    parser.add_argument("--port", type=int, default=8765, help="(default: %(default)s)")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes to show (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the network (default: all cores)")


def run(arguments) -> int:
    from ftbench.export.packages import need

    uvicorn = need("ftbench serve", "uvicorn", "starlette", "python_multipart")
    from ftbench.export import models
    from ftbench.export.serve.app import HOST, application
    from ftbench.export.serve.memory import return_freed_memory

    return_freed_memory()
    app = application(models.load(arguments.model, arguments.threads), arguments.top)
    print(f"http://{HOST}:{arguments.port} (Ctrl-C ends it)", flush=True)
    try:
        uvicorn.run(
            app,
            host=HOST,
            port=arguments.port,
            log_level="warning",
            access_log=False,
            limit_concurrency=AT_ONCE,
        )
    except SystemExit as error:  # uvicorn's own way to say that the port is taken
        return error.code or 1
    return 0
