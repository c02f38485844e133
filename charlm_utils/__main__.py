"""Train, evaluate, sample and reproduce without a notebook: ``python -m charlm_utils --help``."""

import argparse
import sys
from pathlib import Path

from charlm_utils.corpora import list_corpora, load_corpus, read_text, split_corpus
from charlm_utils.reproduce import RECIPES


def main(arguments=None):
    """Run the command line; errors in the input end it with one line on standard error and status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (OSError, ValueError) as error:
        print(f"charlm_utils: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"charlm_utils: stopped; {_what_is_kept(options)}", file=sys.stderr)
        return 130
    return 0


def _what_is_kept(options):
    """Say what a stopped command leaves: the checkpoint of `reproduce`, or nothing."""
    checkpoint = options.out / "checkpoint.npz" if "out" in options else None
    if checkpoint and checkpoint.exists():
        return f"the same command goes on from {checkpoint}"
    return "nothing was written"


def _train(options):
    from charlm_utils import models, runs, sampling, training, vocabulary

    if options.out.is_file() or (options.out / "run.json").exists():
        raise ValueError(f"{options.out} already holds a run or is a file; choose another folder")
    text = _text(options)
    train_text, held_out = split_corpus(text, batch_size=options.batch_size, time=options.time)
    chars = vocabulary.Vocabulary.from_text(text)
    training.set_seed(options.seed)
    shape = _chosen(options, "cell", "units", "num_layers", "embedding_dim", "dropout")
    settings = _chosen(options, "batch_size", "time", "epochs", "clip_norm")
    model = models.build_model(len(chars), **shape)
    ids, optimizer = chars.encode(train_text), _optimizer(options, len(train_text))
    history = training.train(model, ids, validation_ids=chars.encode(held_out), optimizer=optimizer, **settings)
    record = {
        "corpus": options.corpus or options.text.name,
        "model": shape,
        "training": settings | _chosen(options, "learning_rate", "seed"),
        "history": history,
        "held_out_nats": history["validation"][-1],
        "sample": sampling.generate(model, chars, text[0], 400, temperature=0.8, seed=options.seed),
    }
    runs.save_run(options.out, model, chars, record)
    print(f"held-out: {record['held_out_nats']:.4f} nats per character; run written to {options.out}")


def _optimizer(options, characters):
    """Return Adam with a learning rate that falls to 0 along a cosine, over all steps of the training."""
    import keras

    steps = options.epochs * ((characters - 1) // (options.batch_size * options.time))
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(options.learning_rate, max(steps, 1)))


def _evaluate(options):
    from charlm_utils import metrics, runs, training

    run = runs.load_run(options.run_dir.name, options.run_dir.parent)
    text = _text(options)
    scored = text if options.all else split_corpus(text)[1]
    nats = training.evaluate(run.model, run.vocabulary.encode(scored))
    print(
        f"{len(scored) - 1:,} characters: {nats:.4f} nats per character, {metrics.bits_per_char(nats):.4f} bits, "
        f"perplexity {metrics.perplexity(nats):.3f}"
    )


def _sample(options):
    from charlm_utils import runs, sampling

    run = runs.load_run(options.run_dir.name, options.run_dir.parent)
    settings = _chosen(options, "temperature", "top_k", "top_p", "seed", "num_samples", "unknown")
    for text in sampling.generate(run.model, run.vocabulary, options.prime, options.length, **settings):
        print(text)


def _reproduce(options):
    from charlm_utils import reproduce

    options.out = options.out or Path(options.name)
    record = reproduce.reproduce(options.name, options.out)
    print(f"held-out: {record['held_out_nats']:.4f} nats per character; run written to {options.out}")


def _text(options):
    return read_text(options.text) if options.text else load_corpus(options.corpus)


def _chosen(options, *names):
    return {name: getattr(options, name) for name in names}


def _parser():
    parser = argparse.ArgumentParser(prog="charlm_utils", description="Character-level language models.")
    commands = parser.add_subparsers(required=True, metavar="train|evaluate|sample|reproduce")
    _add_train(commands.add_parser("train", help="train on a text and write a run", formatter_class=_Help))
    _add_evaluate(commands.add_parser("evaluate", help="score a text with a run", formatter_class=_Help))
    _add_sample(commands.add_parser("sample", help="write text with a run", formatter_class=_Help))
    _add_reproduce(commands.add_parser("reproduce", help="train a run of the book again", formatter_class=_Help))
    return parser


_Help = argparse.ArgumentDefaultsHelpFormatter


def _add_text(parser):
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument("--text", type=Path, help="a UTF-8 text file")
    text.add_argument("--corpus", choices=list_corpora(), help="a corpus of the book")


def _add_train(parser):
    _add_text(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the run to")
    parser.add_argument("--cell", choices=("gru", "lstm", "rnn"), default="gru", help="kind of recurrent layer")
    parser.add_argument("--units", type=int, default=256, help="width of a recurrent layer")
    parser.add_argument("--num-layers", type=int, default=1, help="number of recurrent layers")
    parser.add_argument("--embedding-dim", type=int, default=64, help="width of the embedding")
    parser.add_argument("--dropout", type=float, default=0.0, help="share of outputs dropped in training")
    parser.add_argument("--batch-size", type=int, default=32, help="stretches of text side by side")
    parser.add_argument("--time", type=int, default=64, help="characters per window")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the text")
    parser.add_argument("--learning-rate", type=float, default=0.003, help="Adam's, falling to 0 along a cosine")
    parser.add_argument("--clip-norm", type=float, default=5.0, help="largest global norm of the gradients")
    parser.add_argument("--seed", type=int, default=0, help="makes the run repeatable")
    parser.set_defaults(run=_train)


def _add_evaluate(parser):
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="folder that train wrote")
    _add_text(parser)
    parser.add_argument("--all", action="store_true", help="score the whole text, not the last tenth")
    parser.set_defaults(run=_evaluate)


def _add_sample(parser):
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="folder that train wrote")
    parser.add_argument("--prime", required=True, help="text to continue")
    parser.add_argument("--length", type=int, default=500, help="characters to write")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy, 1 is the model's own")
    parser.add_argument("--top-k", type=int, help="draw from the k likeliest characters")
    parser.add_argument("--top-p", type=float, help="draw from the likeliest characters that make up p")
    parser.add_argument("--seed", type=int, help="makes the text repeatable")
    parser.add_argument("--num-samples", type=int, default=1, help="number of texts")
    parser.add_argument("--unknown", choices=("error", "skip"), default="error", help="unknown characters of the prime")
    parser.set_defaults(run=_sample)


def _add_reproduce(parser):
    parser.add_argument("name", choices=RECIPES, metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--out", type=Path, help="folder to write the run to; by default NAME, here")
    parser.set_defaults(run=_reproduce)


if __name__ == "__main__":
    sys.exit(main())
