"""The commands of ``charlm`` and their options: train, evaluate, sample and reproduce without a notebook.

Everything that can be checked without TensorFlow, which takes seconds to import, is checked before it is imported.
"""

import argparse
import contextlib
import dataclasses
import math
import os
import re
import shlex
import sys
import typing
from pathlib import Path

import numpy as np

from charlm_utils import folders, runs
from charlm_utils.checks import AnyPath, check, integer
from charlm_utils.corpora import check_encoding, list_corpora, normalize_newlines, split_corpus
from charlm_utils.metrics import bits_per_char, perplexity
from charlm_utils.reproduce import RECIPES, ModelSettings, Recipe, ShareInside, Stream, reproduce, train_run
from charlm_utils.settings import CELLS, DrawSettings, Request
from charlm_utils.texts import check_learnable, corpus_as_text, read_texts
from charlm_utils.vocabulary import UNKNOWN

BETWEEN_SAMPLES = "-" * 20
NumSamples = integer(1, 1_000_000)
_SHAPE = ("cell", "units", "num_layers", "embedding_dim")  # what the weights of a run must have in common
_MODEL = (*_SHAPE, "dropout", "fast")
_METHOD = ("batch_size", "time", "epochs", "learning_rate", "clip_norm", "patience", "held_out")


class Command:
    """One command line, read and ready to be run.

    Parameters
    ----------
    arguments : list of str
        Those after the name of the program.

    Raises
    ------
    ValueError
        If they are none that the program knows.
    """

    def __init__(self, arguments):
        self._arguments = arguments
        self._options = argparse.Namespace()
        self._folder = None  # that a training holds
        self._has_drawn = False
        _parser().parse_args(arguments, self._options)

    def run(self):
        """Do what the command line asks for; errors are ``ValueError`` and ``OSError``."""
        options = self._options
        for name in ("out", "run_dir", "init_from", "prime_file"):
            path = getattr(options, name, None)
            if path is not None:
                check(_flag(name), path, AnyPath)
        if getattr(options, "encoding", None) is not None:
            check_encoding(options.encoding)
        options.run(self, options)

    def what_is_kept(self):
        """Say what a command that was stopped leaves."""
        if self._folder is None:
            return "what was drawn stands above" if self._has_drawn else "nothing was saved"
        if folders.holds_run(self._folder):
            return f"{self._folder} holds the finished run"
        place = _place(self._folder)
        if place is None:
            return "nothing was saved yet"
        again = shlex.join(["charlm", *self._arguments])
        return f"{place} are kept in {self._folder / folders.CHECKPOINT}; this goes on from there: {again}"

    def in_flags(self, message):
        """Return a message with the options in place of the names that they have in Python."""
        out = getattr(self._options, "out", None)
        if out and (message.startswith((f"{out} ", f"cannot write to {out}")) or message.endswith(f": {out!r}")):
            message = f"--out: {message}"
        names = [name for name in vars(self._options) if name not in ("run", "run_dir", "name")]
        known = "|".join(sorted(names, key=len, reverse=True)) or "$."
        message = re.sub(rf"^(?:the )?({known}) must\b", lambda found: f"{_flag(found[1])} must", message)
        message = re.sub(rf"(?<![\w-])(?:model\.|training\.)?({known})=True\b", lambda found: _flag(found[1]), message)
        assignment = rf"(?<![\w.-])(?:model\.|training\.)?({known})=([\"']?)([^\s,;\"']+)\2"
        return re.sub(assignment, lambda found: f"{_flag(found[1])} {found[3]}", message)

    # train and reproduce

    def train(self, options):
        """Train on a text and write a run."""
        model = _model_settings(options)
        method = Stream(**_given(options, _METHOD), schedule="cosine", keep_best=True)
        recipe = Recipe(corpus="", model=model, method=method, **_chosen(options, ["seed", "min_count", "init_from"]))
        runs.check_free(options.out)  # before a text is read, which may take a download
        own = _own_text(options)
        check_learnable(own.text, own.name)
        recipe = dataclasses.replace(recipe, corpus=own.name, prime=own.text[:1])

        def on_start(material):
            _warn_of_doubts(own)
            print(f"{own.describe()}: {len(material.learned):,} to learn, {len(material.held_out):,} held out")
            _describe_characters(material, options)
            self._start(options.out)

        hooks = {"on_start": on_start, "on_epoch_end": _epoch_printer(recipe)}
        record = train_run(recipe, options.out, text=own.text, progress=sys.stdout.isatty(), **hooks)
        _report(record, options.out)

    def reproduce(self, options):
        """Train a run of the book again."""
        folder = options.out or options.name
        hooks = {
            "on_start": lambda material: self._start(folder),
            "on_epoch_end": _epoch_printer(RECIPES[options.name]),
        }
        record = reproduce(options.name, folder, progress=sys.stdout.isatty(), **hooks)
        _report(record, folder)

    def _start(self, folder):
        """Note which folder a training holds, say so, and import what takes time."""
        self._folder = Path(folder)
        place = _place(self._folder)
        if place is None:
            print(f"saving to {folder} on the way; after a stop the same command goes on", flush=True)
        else:
            print(f"going on from {self._folder / folders.CHECKPOINT}: {place} are done", flush=True)
        with _quiet_import():
            import tensorflow  # noqa: F401

    # evaluate and sample

    def evaluate(self, options):
        """Score a text with a run."""
        if options.held_out is not None:
            check("held_out", options.held_out, ShareInside)
        record, vocabulary = _read_run(options.run_dir, "RUN")
        own = _own_text(options)
        share = _held_out_share(record) if options.held_out is None else options.held_out
        scored = own.text if options.all else _last_part(own.text, share)
        count = _count_unknown(scored, own, vocabulary, options)
        ids = vocabulary.encode(scored, options.unknown)
        if len(ids) < 2:
            raise ValueError(f"the text to score must have at least 2 known characters, got {len(ids)} of {own.name}")
        _warn_of_doubts(own)
        run = _load_run(options.run_dir)
        from charlm_utils.evaluation import evaluate

        nats = evaluate(run.model, ids)
        line = f"{len(ids) - 1:,} characters: {nats:.4f} nats per character, {bits_per_char(nats):.4f} bits"
        with np.errstate(over="ignore"):  # of a model that learned nothing it may be infinite
            line += f", perplexity {perplexity(nats):.3f}"
        if count:
            done = "skipped" if options.unknown == "skip" else "read as the unknown symbol"
            line += f"; {count:,} of {len(scored):,} ({count / len(scored):.2%}) are unknown to the run and were {done}"
        print(line)

    def sample(self, options):
        """Write text with a run."""
        check("num_samples", options.num_samples, NumSamples)
        if "" in options.stop:
            raise ValueError("--stop must hold at least one character, got ''")
        _, vocabulary = _read_run(options.run_dir, "RUN")
        settings = DrawSettings(**_chosen(options, [field.name for field in dataclasses.fields(DrawSettings)]))
        request = Request(
            prime=_prime(options),
            length=options.length,
            settings=settings,
            seed=options.seed,
            unknown=options.unknown,
            stop=options.stop,
        )
        _check_prime(request.prime, vocabulary, options)
        request.check(vocabulary)
        first_seed = options.seed
        if first_seed is None:
            first_seed = int(np.random.default_rng().integers(2**31))
        elif first_seed + options.num_samples - 1 >= 2**63:
            raise ValueError(f"--seed must be at most {2**63 - options.num_samples} here, got {first_seed}")
        run = _load_run(options.run_dir)
        from charlm_utils.sampling import Sampler

        sampler = Sampler(run.model, run.vocabulary)
        for number in range(options.num_samples):
            if number:
                print(BETWEEN_SAMPLES)
            self._write(sampler.serve(dataclasses.replace(request, seed=first_seed + number)))

    def _write(self, pieces):
        """Print a text while it is drawn."""
        try:
            for piece in pieces:
                print(piece, end="", flush=True)
                self._has_drawn = True
        finally:  # also after Ctrl-C, so that what follows begins a line
            print(flush=True)


# the model and the text that options ask for


def _model_settings(options):
    """Return the settings of a new model, or those of the run to begin with where no option says another thing."""
    given = _given(options, _MODEL)
    if options.init_from is None:
        return ModelSettings(**given)
    ModelSettings(**given)  # checks them
    record, _ = _read_run(options.init_from, "--init-from")
    try:
        settings = ModelSettings(**record["model"])
    except TypeError as error:
        raise ValueError(f"the run in {options.init_from} cannot be read: {error}") from error
    for name in _SHAPE:
        value = getattr(settings, name)
        if name in given and given[name] != value:
            raise ValueError(
                f"{_flag(name)} must be {value}, as in {options.init_from}, or left out, got {given[name]}"
            )
    changes = {name: given[name] for name in given if name not in _SHAPE}
    return dataclasses.replace(settings, **changes)


def _read_run(folder, flag):
    """Return record and vocabulary of a run that an option names; errors begin with the option."""
    try:
        return runs.read_run(*runs.name_and_place(folder))
    except (OSError, ValueError) as error:
        raise ValueError(f"{flag} {folder}: {error}") from error


def _load_run(folder):
    """Return a run with its model; what is wrong with it is noticed before TensorFlow is imported."""
    with _quiet_import():
        return runs.load_run(*runs.name_and_place(folder))


def _held_out_share(record):
    """Return the share of its text that a run held out."""
    training = record.get("training")
    share = training.get("held_out", 0.1) if isinstance(training, dict) else 0.1
    check("held_out", share, ShareInside)
    return share


def _last_part(text, share):
    """Return the share of a text that is scored."""
    try:
        return split_corpus(text, (1 - share, share))[1]
    except ValueError as error:
        raise ValueError(f"--held-out {share} does not cut the text: {error}") from error


def _own_text(options):
    """Return the text that the options name."""
    if options.corpus is not None:
        if options.encoding is not None:
            raise ValueError("--encoding must go with --text, got --corpus")
        return corpus_as_text(options.corpus)
    return _read(options.text, options.encoding, "--text")


def _read(names, encoding, flag):
    """Read files that an option names; errors begin with the option."""
    try:
        return read_texts(names, encoding or "utf-8")
    except (OSError, ValueError) as error:
        raise ValueError(f"{flag}: {error}") from error


def _warn_of_doubts(own):
    """Say why parts of a text may have been read wrongly."""
    for part in own.parts:
        for doubt in part.doubts:
            _warn(re.sub(r"encoding=(\S+)", r"--encoding \1", doubt))


def _prime(options):
    """Return the prime, with newlines as texts have them."""
    if options.prime_file is not None:
        own = _read([options.prime_file], options.encoding, "--prime-file")
        _warn_of_doubts(own)
        return own.text
    if options.encoding is not None:
        raise ValueError("--encoding must go with --prime-file, got --prime")
    return normalize_newlines(options.prime)


def _count_unknown(scored, own, vocabulary, options):
    """Return how many characters the vocabulary has not; where that is an error, say where the first one stands."""
    unknown = set(scored) - set(vocabulary.characters)
    if not unknown:
        return 0
    position = next(i for i, character in enumerate(scored) if character in unknown)
    count = sum(scored.count(character) for character in unknown)
    if options.unknown == "error":
        raise ValueError(
            f"unknown character {_named(scored[position])} in "
            f"{own.place(len(own.text) - len(scored) + position)}, one of {count:,} that {options.run_dir} does not "
            "know: --unknown skip leaves them out, --unknown replace reads them as its unknown symbol"
        )
    _check_symbol(options.unknown, vocabulary)
    return count


def _check_prime(prime, vocabulary, options):
    """Raise if a prime holds what the run does not know and the options do not say what is done with it."""
    for position, character in enumerate(prime):
        if character not in vocabulary:
            if options.unknown == "error":
                flag = "--prime" if options.prime_file is None else f"--prime-file {options.prime_file}"
                raise ValueError(
                    f"{flag} holds {_named(character)} at position {position}, which {options.run_dir} does not know: "
                    "--unknown skip leaves such characters out, --unknown replace reads them as its unknown symbol"
                )
            _check_symbol(options.unknown, vocabulary)
            return


def _check_symbol(unknown, vocabulary):
    """Raise if unknown characters are to be read as a symbol that the run has not."""
    if unknown == "replace" and UNKNOWN not in vocabulary:
        raise ValueError(
            "--unknown must be error or skip, got replace: the run has no unknown symbol, which train --min-count makes"
        )


# what is printed


def _describe_characters(material, options):
    """Say which characters became the unknown symbol, and which are new to the run that the training begins with."""
    if options.min_count is not None:
        places = sum(material.replaced.values())
        print(
            f"{_counted(len(material.replaced), 'character')} fewer than {options.min_count} times in what is learned "
            f"became the unknown symbol U+FFFD, in {_counted(places, 'place')}{_listed(material.replaced)}"
        )
    if options.init_from is not None:
        _, old = _read_run(options.init_from, "--init-from")
        new = material.vocabulary.characters[len(old) :]
        count = _counted(len(new), "character")
        print(f"beginning with the weights of {options.init_from}; it does not know {count}{_listed(new)}")


def _listed(characters):
    """Return the first characters of a collection, to end a sentence."""
    shown = [repr(character) for character in list(characters)[:20]]
    if not shown:
        return ""
    more = ", ..." if len(characters) > len(shown) else ""
    return f": {', '.join(shown)}{more}"


def _epoch_printer(recipe):
    """Return what prints the losses of an epoch when it is done."""

    def print_epoch(epoch, history):
        line = f"epoch {epoch} of {recipe.method.epochs}: {history['train'][-1]:.4f} nats per character learned"
        held_out = history["validation"]
        if held_out:
            line += f", {held_out[-1]:.4f} held out"
            if held_out[-1] == min(held_out) and held_out.count(held_out[-1]) == 1:
                line += ", the lowest so far"
        print(line, flush=True)

    return print_epoch


def _report(record, folder):
    """Say what came of a training, and whether it is worse than nothing."""
    epochs = len(record["history"]["train"])
    nats = record["held_out_nats"]
    _, vocabulary = _read_run(folder, "--out")
    guessing = math.log(len(vocabulary))
    if nats > guessing:
        _warn(f"the held-out loss is above {guessing:.4f}, that of guessing: --learning-rate is probably too high")
    print(f"held-out: {nats:.4f} nats per character after epoch {record['epoch']} of {epochs}")
    print(f"run written to {folder}")


def _place(folder):
    """Say how far the training in a folder is that can go on; None if there is none."""
    progress = folders.stopped_at(folder)
    if progress is None:
        return None
    return f"{_counted(progress.epoch, 'epoch')} and {_counted(progress.batch, 'batch', 'batches')}"


def _counted(count, one, more=None):
    """Return a count with its noun."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _named(character):
    return f"{character!r} (U+{ord(character):04X})"


def _warn(message):
    print(f"charlm: warning: {message}", file=sys.stderr, flush=True)


# options


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions of one line."""

    def error(self, message):
        """Raise a ``ValueError`` that names the option and says where help is."""
        if "expected one argument" in message:
            message += "; a value that begins with - is written --option=VALUE"
        raise ValueError(f"{message.removeprefix('argument ')} (see {self.prog} --help)")


def _whole(text):
    """Return a whole number; what is none stays as it is, for the check that names the limits."""
    try:
        return int(text)
    except ValueError:
        return text


def _decimal(text):
    """Return a number; what is none stays as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def _flag(name):
    """Return the option for a name in Python."""
    return "RUN" if name == "run_dir" else "--" + name.replace("_", "-")


def _chosen(options, names):
    return {name: getattr(options, name) for name in names}


def _given(options, names):
    """Return the options among some that were given."""
    return {name: value for name, value in _chosen(options, names).items() if value is not None}


def _parser():
    parser = _Parser(prog="charlm", description="Character-level language models.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="|".join(_COMMANDS), parser_class=_Parser)
    for name, (add_options, run) in _COMMANDS.items():
        purpose = run.__doc__.rstrip(".")
        command = commands.add_parser(name, help=purpose, description=purpose + ".", allow_abbrev=False)
        add_options(command)
        command.set_defaults(run=run)
    return parser


def _add_fields(parser, kind, **helps):
    """Add an option for some fields of a dataclass; where it is not given, the dataclass's own default holds."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name, help_text in helps.items():
        parse = _whole if int in (hints[name], *typing.get_args(hints[name])) else _decimal
        default = fields[name].default
        if default not in (None, dataclasses.MISSING):
            help_text += f" (default: {default})"
        parser.add_argument(_flag(name), type=parse, metavar=parse.__name__[1:].upper(), help=help_text)


def _add_text(parser):
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument(
        "--text",
        action="append",
        metavar="PATH",
        help="a text file, a folder (all *.txt below it), an address (https://...) or - (standard input); can be given "
        "several times",
    )
    text.add_argument("--corpus", choices=list_corpora(), help="a corpus of the book")
    parser.add_argument("--encoding", help="of the files, as Python calls it (default: utf-8)")


def _add_out(parser, help_text, required):
    parser.add_argument("--out", metavar="FOLDER", required=required, help=help_text)


def _add_train(parser):
    _add_text(parser)
    _add_out(parser, "folder to write the run to; a training that was stopped goes on there", required=True)
    parser.add_argument("--init-from", metavar="RUN", help="begin with the weights and the sizes of a run")
    parser.add_argument("--cell", choices=list(CELLS), help=f"kind of recurrent layer (default: {ModelSettings.cell})")
    _add_fields(
        parser,
        ModelSettings,
        units="width of a recurrent layer",
        num_layers="number of recurrent layers",
        embedding_dim="width of the embedding",
        dropout="share of outputs dropped in training",
    )
    parser.add_argument("--fast", action="store_true", default=None, help="layers that are faster on a CPU")
    for name, (default, help_text) in _TRAINING_DEFAULTS.items():
        parse = _whole if isinstance(default, int) else _decimal
        metavar = parse.__name__[1:].upper()
        parser.add_argument(
            _flag(name), type=parse, default=default, metavar=metavar, help=f"{help_text} (default: {default})"
        )
    _add_fields(
        parser,
        Stream,
        clip_norm="largest global norm of the gradients",
        patience="stop after so many epochs without a lower held-out loss",
        held_out="share of the text that is held out, at its end",
    )
    parser.add_argument(
        "--min-count",
        type=_whole,
        metavar="WHOLE",
        help="characters rarer than this in what is learned become one unknown symbol",
    )
    parser.add_argument("--seed", type=_whole, default=0, metavar="WHOLE", help="makes the run repeatable (default: 0)")


_TRAINING_DEFAULTS = {
    "batch_size": (32, "stretches of text side by side"),
    "time": (64, "characters per window"),
    "epochs": (5, "passes over the text"),
    "learning_rate": (0.003, "Adam's, falling to 0 along a cosine"),
}


def _add_run(parser):
    parser.add_argument("run_dir", metavar="RUN", help="folder that train wrote")


def _add_unknown(parser, what):
    parser.add_argument(
        "--unknown",
        choices=("error", "skip", "replace"),
        default="error",
        help=f"characters of {what} that the run does not know are an error, left out, or read as its unknown symbol "
        "(default: error)",
    )


def _add_evaluate(parser):
    _add_run(parser)
    _add_text(parser)
    scored = parser.add_mutually_exclusive_group()
    scored.add_argument("--all", action="store_true", help="score the whole text, not its last part")
    scored.add_argument(
        "--held-out",
        type=_decimal,
        metavar="DECIMAL",
        help="share of the text that is scored, at its end (default: the run's)",
    )
    _add_unknown(parser, "the text")


def _add_sample(parser):
    _add_run(parser)
    prime = parser.add_mutually_exclusive_group(required=True)
    prime.add_argument("--prime", metavar="TEXT", help="text to continue")
    prime.add_argument("--prime-file", metavar="PATH", help="a file with the text to continue, or - (standard input)")
    parser.add_argument("--encoding", help="of the file, as Python calls it (default: utf-8)")
    parser.add_argument(
        "--length", type=_whole, default=500, metavar="WHOLE", help="characters to write (default: 500)"
    )
    for field in dataclasses.fields(DrawSettings):
        setting = field.metadata["setting"]
        parse = _whole if setting.kind is int else _decimal
        default = 0.8 if field.name == "temperature" else field.default
        shown = f" (default: {default})" if default is not None else ""
        metavar = parse.__name__[1:].upper()
        parser.add_argument(_flag(field.name), type=parse, default=default, metavar=metavar, help=setting.help + shown)
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="end after this text was drawn; can be given several times",
    )
    parser.add_argument(
        "--seed", type=_whole, metavar="WHOLE", help="makes the text repeatable; the next text has the next seed"
    )
    parser.add_argument(
        "--num-samples",
        type=_whole,
        default=1,
        metavar="WHOLE",
        help="number of texts, with a line between two (default: 1)",
    )
    _add_unknown(parser, "the prime")


def _add_reproduce(parser):
    parser.add_argument("name", choices=RECIPES, metavar="NAME", help=", ".join(RECIPES))
    _add_out(parser, "folder to write the run to (default: NAME, here)", required=False)


_COMMANDS = {
    "train": (_add_train, Command.train),
    "evaluate": (_add_evaluate, Command.evaluate),
    "sample": (_add_sample, Command.sample),
    "reproduce": (_add_reproduce, Command.reproduce),
}


# TensorFlow


@contextlib.contextmanager
def _quiet_import():
    """Import TensorFlow without a word of its log, which it begins to write before it can be asked not to."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
