"""A training in a file: the same keys, types and complaints as the command line's."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from dubito.cli.train import add_arguments
from dubito.cli.training_flags import DEFAULTS, settle
from dubito.errors import UsageError
from tests.service import command, command_here


def settled(file: Path, *words: str) -> dict[str, Any]:
    """Arguments of `dubito train --config FILE` and more words."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args(["--config", str(file), *words])
    settle(arguments)
    return vars(arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.toml"


def test_a_file_says_what_flags_say(file: Path) -> None:
    """Numbers, lists, words and switches, with hyphens or underscores."""
    file.write_text(
        'architecture = "study"\nwidths = [32, 16]\nlearning-rate = 3e-3\nweight_decay = 0.01\n'
        'batch-norm = true\nl1 = 0.001\nplacement = "output"\nseed = 4\nseeds = 3\n'
        'data = "loans.csv"\nactivation = "selu"\noptimizer = "sgd"\n'
    )
    words = "--architecture study --widths 32,16 --learning-rate 3e-3 --weight-decay 0.01"
    words += " --batch-norm --l1 0.001 --placement output --seed 4 --seeds 3 --data loans.csv"
    words += " --activation selu --optimizer sgd"
    empty = file.with_name("empty.toml")
    empty.write_text("")
    ignored = {"config": None}
    assert settled(empty, *words.split()) | ignored == settled(file) | ignored


def test_flags_win_over_the_file_and_the_file_over_defaults(file: Path) -> None:
    """What is given here counts first, even where it is the default."""
    file.write_text('seed = 4\nsplit-seed = 5\nbatch-norm = true\nname = "mine"\n')
    found = settled(file, "--seed", "0", "--no-batch-norm")
    assert (0, 5, False, "mine") == tuple(
        found[name] for name in ("seed", "split_seed", "batch_norm", "name")
    )
    assert DEFAULTS["out"] == found["out"]
    assert found["epochs"] is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch = 3", "small.toml: there is no flag --epoch"),
        ("config = 'x'", "small.toml: there is no flag --config"),
        ("epochs = 0", "small.toml: epochs: must be at least 1"),
        ("epochs = true", "small.toml: epochs: expected one argument"),
        ("epochs = false", "small.toml: unrecognized arguments: --no-epochs"),
        ("rate = 'high'", "small.toml: rate: invalid float value: 'high'"),
        ("placement = 'nowhere'", "small.toml: placement: invalid choice: 'nowhere'"),
        ("widths = []", "small.toml: widths: must be a whole number"),
        ("seeds = 1", "small.toml: seeds: must be at least 2: one seed has no spread"),
        ("[rate]\nlow = 1", "small.toml: rate is neither a number nor text"),
        ("seed = 4294967295\nseeds = 2", "the last of the seeds must be at most 4294967295"),
        ("rate =", "small.toml is not TOML: "),
    ],
)
def test_what_a_file_may_not_say(file: Path, text: str, sentence: str) -> None:
    """One sentence with the file and the key."""
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        settled(file)
    assert str(caught.value).startswith(sentence)
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize("content", [None, b"\xff\xfex", b"\xffx"])
def test_a_file_that_cannot_be_read(file: Path, content: bytes | None) -> None:
    """It is named; what is in it is not guessed."""
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"^small\.toml (cannot be read|is not TOML): "):
        settled(file)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_skipped(file: Path, encoding: str) -> None:
    """What Windows editors write before the text is no part of it."""
    file.write_bytes('architecture = "study"\n'.encode(encoding))
    assert "study" == settled(file)["architecture"]


def test_a_file_trains(file: Path, tmp_path: Path) -> None:
    """`--config` on the command line: two seeds, their curves, a bundle whose command is whole."""
    file.write_text('architecture = "study"\nwidths = [8]\nepochs = 9\nbatch = 512\nseeds = 2\n')
    words = ("--epochs", "1", "--tensorboard", str(tmp_path / "logs"), "--out", str(tmp_path))
    done = command_here("train", "--config", str(file), *words, "--json")
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    figures = told["seeds"]["mc"]["nll"]
    assert [0, 1] == told["seeds"]["seeds"]
    assert figures["sd"] > 0
    assert abs(told["metrics"]["nll"] - figures["mean"]) == pytest.approx(figures["sd"] / 2**0.5)
    assert {"run-1-seed-0", "run-2-seed-1"} == {path.name for path in (tmp_path / "logs").iterdir()}
    assert ["1"] == [path.name for path in (tmp_path / "loan-grade").iterdir()]
    manifest = json.loads((Path(told["bundle"]) / "bundle.json").read_text())
    expected = "dubito train --architecture study --batch 512 --epochs 1 --seed 0 --split-seed 0"
    assert f"{expected} --widths 8" == manifest["trained"]["command"]


def test_a_files_fault_is_one_line(file: Path) -> None:
    """Exit code 2, before anything is read or trained."""
    file.write_text("wide = 1")
    done = command("train", "--config", str(file))
    assert (2, b"dubito: small.toml: there is no flag --wide\n") == (done.returncode, done.stderr)
