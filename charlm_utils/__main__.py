"""Train, evaluate, sample and reproduce without a notebook: ``python -m charlm_utils --help``.

What needs TensorFlow, which takes seconds, is imported by the commands that need it.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from charlm_utils import runs
from charlm_utils.corpora import list_corpora, load_corpus, read_text, split_corpus
from charlm_utils.metrics import bits_per_char, perplexity


def main(arguments=None):
    """Run the command line.

    An error in the input ends it with one line on standard error and status 2, Ctrl-C with status 130.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace()
    try:
        _parser(arguments).parse_args(arguments, options)
        options.run(options)
    except (OSError, ValueError) as error:
        print(f"charlm_utils: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ncharlm_utils: stopped; {_what_is_kept(options)}", file=sys.stderr)
        return 130
    return 0


def _what_is_kept(options):
    """Say what a stopped command leaves."""
    if "out" not in options:
        return "there was nothing to save"
    folder = _run_folder(options)
    if (folder / "run.json").exists():
        return f"{folder} holds a finished run"
    if runs.is_unfinished(folder):
        return f"{folder / runs.CHECKPOINT} is kept, and the command that began it goes on from there"
    return "nothing was saved yet"


def _run_folder(options):
    """Return the folder that `train` and `reproduce` write to."""
    return options.out or Path(options.name)


def _train(options):
    from charlm_utils import reproduce

    runs.check_free(options.out)  # before a corpus is downloaded
    text = _text(options)
    model = reproduce.ModelSettings(
        **_chosen(options, "cell", "units", "num_layers", "embedding_dim", "dropout", "fast"),
    )
    method = reproduce.Stream(
        **_chosen(options, "batch_size", "time", "epochs", "learning_rate", "clip_norm", "patience"),
        schedule="cosine",
        keep_best=True,
    )
    recipe = reproduce.Recipe(
        corpus=options.corpus or options.text.name,
        model=model,
        method=method,
        prime=text[:1],
        seed=options.seed,
    )
    _announce(options)
    _report(reproduce.train_run(recipe, options.out, text=text), options)


def _reproduce(options):
    from charlm_utils import reproduce

    _announce(options)
    _report(reproduce.reproduce(options.name, _run_folder(options)), options)


def _announce(options):
    """Say where a training is saved."""
    folder = _run_folder(options)
    if runs.is_unfinished(folder):
        print(f"going on from {folder / runs.CHECKPOINT}")
    else:
        print(f"saving to {folder} on the way; after a stop the same command goes on")


def _report(record, options):
    """Say what came of a training."""
    epochs = len(record["history"]["train"])
    nats = record["held_out_nats"]
    print(f"held-out: {nats:.4f} nats per character after epoch {record['epoch']} of {epochs}")
    print(f"run written to {_run_folder(options)}")


def _evaluate(options):
    from charlm_utils.evaluation import evaluate

    run = _load_run(options)
    text = _text(options)
    scored = text if options.all else split_corpus(text)[1]
    nats = evaluate(run.model, run.vocabulary.encode(scored))
    print(
        f"{len(scored) - 1:,} characters: {nats:.4f} nats per character, {bits_per_char(nats):.4f} bits, "
        f"perplexity {perplexity(nats):.3f}"
    )


def _sample(options):
    from charlm_utils import sampling

    run = _load_run(options)
    settings = _chosen(options, *_field_names(sampling.DrawSettings), "seed", "num_samples", "unknown")
    for text in sampling.generate(run.model, run.vocabulary, options.prime, options.length, **settings):
        print(text)


def _load_run(options):
    return runs.load_run(options.run_dir.name, options.run_dir.parent)


def _text(options):
    return read_text(options.text) if options.text else load_corpus(options.corpus)


def _chosen(options, *names):
    return {name: getattr(options, name) for name in names}


def _field_names(kind):
    return [field.name for field in dataclasses.fields(kind)]


def _parser(arguments):
    """Return the parser; only the command that is named gets its options, since some are read from the package."""
    parser = argparse.ArgumentParser(prog="charlm_utils", description="Character-level language models.")
    commands = parser.add_subparsers(required=True, metavar="|".join(_COMMANDS))
    for name, (add_options, purpose) in _COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=purpose, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if name in arguments:
            add_options(command)
    return parser


def _add_text(parser):
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument("--text", type=Path, help="a UTF-8 text file")
    text.add_argument("--corpus", choices=list_corpora(), help="a corpus of the book")


def _add_train(parser):
    from charlm_utils.models import CELLS

    _add_text(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the run to")
    parser.add_argument("--cell", choices=list(CELLS), default="gru", help="kind of recurrent layer")
    parser.add_argument("--units", type=int, default=256, help="width of a recurrent layer")
    parser.add_argument("--num-layers", type=int, default=1, help="number of recurrent layers")
    parser.add_argument("--embedding-dim", type=int, default=64, help="width of the embedding")
    parser.add_argument("--dropout", type=float, default=0.0, help="share of outputs dropped in training")
    parser.add_argument("--fast", action="store_true", help="layers that are faster on a CPU")
    parser.add_argument("--batch-size", type=int, default=32, help="stretches of text side by side")
    parser.add_argument("--time", type=int, default=64, help="characters per window")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the text")
    parser.add_argument("--learning-rate", type=float, default=0.003, help="Adam's, falling to 0 along a cosine")
    parser.add_argument("--clip-norm", type=float, default=5.0, help="largest global norm of the gradients")
    parser.add_argument("--patience", type=int, help="stop after so many epochs without a lower held-out loss")
    parser.add_argument("--seed", type=int, default=0, help="makes the run repeatable")
    parser.set_defaults(run=_train)


def _add_evaluate(parser):
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="folder that train wrote")
    _add_text(parser)
    parser.add_argument("--all", action="store_true", help="score the whole text, not the last tenth")
    parser.set_defaults(run=_evaluate)


def _add_sample(parser):
    from charlm_utils import sampling

    parser.add_argument("run_dir", type=Path, metavar="RUN", help="folder that train wrote")
    parser.add_argument("--prime", required=True, help="text to continue")
    parser.add_argument("--length", type=int, default=500, help="characters to write")
    _add_settings(parser, sampling.DrawSettings)
    parser.add_argument("--seed", type=int, help="makes the text repeatable")
    parser.add_argument("--num-samples", type=int, default=1, help="number of texts")
    parser.add_argument("--unknown", choices=("error", "skip"), default="error", help="unknown characters of the prime")
    parser.set_defaults(run=_sample, temperature=0.8)


def _add_settings(parser, kind):
    """Add an option for every field of a dataclass like :class:`charlm_utils.sampling.DrawSettings`."""
    for field in dataclasses.fields(kind):
        setting = field.metadata["setting"]
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=setting.kind, default=field.default, help=setting.help)


def _add_reproduce(parser):
    from charlm_utils import reproduce

    parser.add_argument("name", choices=reproduce.RECIPES, metavar="NAME", help=", ".join(reproduce.RECIPES))
    parser.add_argument("--out", type=Path, help="folder to write the run to; by default NAME, here")
    parser.set_defaults(run=_reproduce)


_COMMANDS = {
    "train": (_add_train, "train on a text and write a run"),
    "evaluate": (_add_evaluate, "score a text with a run"),
    "sample": (_add_sample, "write text with a run"),
    "reproduce": (_add_reproduce, "train a run of the book again"),
}


if __name__ == "__main__":
    sys.exit(main())
