"""The command line: one file per verb. Importing it imports no torch."""

from __future__ import annotations

import importlib
import os
import sys

from latentry._version import __version__
from latentry.errors import InputError, is_out_of_memory, unknown_name

# verb: (what it does, the module whose `main(arguments) -> exit status` does it)
VERBS = {
    "train": ("train a model on a folder of pictures", "latentry.cli.train"),
    "sample": ("draw new pictures from a trained model", "latentry.cli.sample"),
    "reconstruct": ("encode and decode pictures, side by side with the originals", "latentry.cli.reconstruct"),
    "encode": ("write the latents of pictures", "latentry.cli.encode"),
    "attributes": ("learn what each label changes, grade the edits, keep them", "latentry.cli.attributes"),
    "edit": ("move pictures along named vectors; analogies", "latentry.cli.edit"),
    "directions": ("find what varies most, without labels", "latentry.cli.directions"),
    "morph": ("a strip or an animation from picture to picture", "latentry.cli.morph"),
    "explore": ("play with the latent space in the browser", "latentry.cli.explore"),
    "traverse": ("what each dimension of the latent space changes", "latentry.cli.traverse"),
    "invert": ("find the latents of real pictures; is their kind known?", "latentry.cli.invert"),
    "export": ("write a model as ONNX, which runs without torch", "latentry.cli.export"),
    "push": ("put a model on the Hugging Face hub, with a card", "latentry.cli.push"),
    "pull": ("fetch a model from the hub into a folder", "latentry.cli.pull"),
    "evaluate": ("numbers with their protocol: distances, likelihood, copies", "latentry.cli.evaluate"),
    "compare": ("runs, or recipes on the same pictures, side by side on one page", "latentry.cli.compare"),
    "plan": ("size, batch and images that fit into a time", "latentry.cli.plan"),
    "reproduce": ("a published result, by command", "latentry.cli.reproduce"),
    "inspect": ("report on a folder of pictures before training", "latentry.cli.inspect"),
    "recipes": ("list the presets", "latentry.cli.recipes"),
    "runs": ("list the runs here, with their scores", "latentry.cli.runs"),
    "doctor": ("say what goes wrong in a run and which flag to change", "latentry.cli.doctor"),
}


def main() -> None:
    """The entry point `latentry`: 0 done, 2 the user's input was refused, 1 a fault of ours."""
    try:
        status = run(sys.argv[1:])
    except InputError as error:
        if int(os.environ.get("WORLD_SIZE", "1")) == 1 or os.environ.get("RANK", "0") == "0":
            # Of the processes that torchrun has started, one speaks; all are refused alike.
            _complain(str(error))
        status = 2
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        _complain(_memory_advice(error))
        status = 2
    except KeyboardInterrupt:  # outside the training loop, which saves first
        _complain("stopped")
        status = 130
    except BrokenPipeError:  # the reader, `head` say, has left
        status = 0
        sys.stderr.close()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # An interpreter that ends may be aborted by threads of torch.distributed (seen on a machine with too much to
        # do: status -6, everything saved), which torchrun takes for a fault of the run.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _complain(message: str) -> None:
    print(f"latentry: {message}", file=sys.stderr)  # noqa: T201


def _memory_advice(error: BaseException) -> str:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return (
        f"memory is too small ({reason}); take fewer or smaller pictures at once, or a smaller model; of training, "
        "--micro-batch gives the same steps in less memory, and `latentry plan` says what fits"
    )


def run(arguments: list[str]) -> int:
    """Run one verb with its arguments; its exit status.

    Raises:
        InputError: the input is refused.
    """
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_usage())
        return 0
    verb, *rest = arguments
    if verb in ("-V", "--version"):
        sys.stdout.write(f"latentry {__version__}\n")
        return 0
    if verb not in VERBS:
        raise unknown_name("verb", verb, VERBS)
    return importlib.import_module(VERBS[verb][1]).main(rest)


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {what}" for verb, (what, _) in VERBS.items()]
    return "\n".join(
        [
            f"latentry {__version__}: image generators with a latent space",
            "",
            "usage: latentry VERB ...",
            "",
            *lines,
            "",
            "start with:  latentry train vae                         cartoon faces, a minute",
            "             latentry train vae --data my_pictures      your own folder, zip or array",
            "every verb:  latentry VERB --help",
            "",
        ]
    )
