"""TrainingArguments beside the reference's; HfArgumentParser."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from minitransformers import HfArgumentParser, Seq2SeqTrainingArguments, TrainingArguments
from minitransformers.training.options import HubStrategy, IntervalStrategy, OptimizerNames

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import arguments_cases

GOLDEN = json.loads((HERE.parent / "golden" / "arguments.json").read_text())


@pytest.mark.parametrize(
    ("kind", "name"), [(TrainingArguments, "defaults"), (Seq2SeqTrainingArguments, "seq2seq")]
)
def test_defaults(kind: Any, name: str) -> None:
    assert arguments_cases.defaults(kind) == GOLDEN[name]


@pytest.mark.parametrize("index", range(len(arguments_cases.CASES)))
def test_case(index: int) -> None:
    ours = arguments_cases.describe(TrainingArguments, arguments_cases.CASES[index])
    theirs = GOLDEN["cases"][index]
    if isinstance(theirs, dict):
        for told in (ours, theirs):
            assert told.pop("logging_dir", "out/runs/").startswith(("out/runs/", "logs"))
    assert ours == theirs, arguments_cases.CASES[index]


def test_multiples_of_ratios() -> None:
    # the reference refuses these, by a rounding error that it means to work around
    both = dict(eval_strategy="steps", eval_steps=0.1, save_steps=0.3, load_best_model_at_end=True)
    assert TrainingArguments("out", **both).save_steps == 0.3


def test_printed_as_tutorials_show() -> None:
    args = TrainingArguments("test_trainer")
    assert repr(args.__dict__["lr_scheduler_type"]) == "<SchedulerType.LINEAR: 'linear'>"
    assert repr(args.optim) == "<OptimizerNames.ADAMW_TORCH: 'adamw_torch'>"
    assert repr(args.hub_strategy) == "<HubStrategy.EVERY_SAVE: 'every_save'>"
    assert str(args.eval_strategy) == f"{args.eval_strategy}" == "IntervalStrategy.NO"
    assert args.eval_strategy == "no"


def test_later_fields() -> None:
    args = TrainingArguments("out", hub_revision="dev", liger_kernel_config={}, project="p")
    assert args.hub_revision == "dev"
    assert "hub_revision" not in args.to_dict()
    assert Seq2SeqTrainingArguments("out", hub_revision="dev").hub_revision == "dev"


def test_setters() -> None:
    args = TrainingArguments("out")
    assert args.set_training(learning_rate=1e-4, batch_size=32) is args
    args.set_evaluate("epoch", batch_size=4).set_save("steps", steps=50, total_limit=2)
    args.set_logging("steps", steps=10).set_optimizer("adafactor", beta1=0.8).set_testing()
    args.set_lr_scheduler("cosine", warmup_ratio=0.05).set_push_to_hub("me/model", strategy="end")
    args.set_dataloader(train_batch_size=16, eval_batch_size=64, sampler_seed=3)
    assert (args.do_train, args.do_eval, args.do_predict, args.push_to_hub) == (True,) * 4
    assert args.learning_rate == 5e-5  # set_optimizer sets it again, as in the reference
    assert args.optim is OptimizerNames.ADAFACTOR
    assert args.hub_strategy is HubStrategy.END
    assert args.eval_strategy is IntervalStrategy.EPOCH
    assert (args.train_batch_size, args.eval_batch_size, args.data_seed) == (16, 64, 3)
    for setter in (args.set_evaluate, args.set_save, args.set_logging):
        with pytest.raises(ValueError, match="positive value for `steps`"):
            setter("steps", steps=0)


def test_one_process() -> None:
    args = TrainingArguments("out")
    assert (args.device, args.n_gpu, args.world_size, args.process_index) == ("cpu", 0, 1, 0)
    assert args.should_save
    assert args.parallel_mode.value == "not_parallel"
    with args.main_process_first():
        pass


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Options:
    name: str
    count: int = 3
    rate: Optional[float] = None  # noqa: UP045, both forms are read
    quiet: bool = False
    safe: bool = True
    maybe: bool | None = None
    sizes: list[int] = field(default_factory=lambda: [1, 2])
    level: Literal["low", 2] = "low"
    colour: Colour = "red"  # type: ignore[assignment]
    words: list[str] | None = field(default=None, metadata={"aliases": "-w", "help": "words"})


def parse(line: str, **kwargs: Any) -> Any:
    parser = HfArgumentParser(Options)
    return parser.parse_args_into_dataclasses(line.split(), look_for_args_file=False, **kwargs)


def test_command_line() -> None:
    line = "--name q --count 7 --quiet --no_safe --sizes 4 5 --level 2 --colour blue -w a b"
    (options,) = parse(f"{line} --maybe yes --rate 0.5")
    assert options == Options("q", 7, 0.5, True, False, True, [4, 5], 2, "blue", ["a", "b"])  # type: ignore[arg-type]
    assert parse("--name q --quiet false --no-safe")[0] == Options("q", safe=False)


def test_unknown_strings() -> None:
    assert parse("--name q --x 1", return_remaining_strings=True) == (Options("q"), ["--x", "1"])
    with pytest.raises(ValueError, match=r"not used by the HfArgumentParser: \['--x'\]"):
        parse("--name q --x")
    with pytest.raises(SystemExit):
        parse("--name q --count many")


def test_several_dataclasses_and_files(tmp_path: Path) -> None:
    parser = HfArgumentParser((Options, TrainingArguments))
    parser.add_argument("--extra", type=int, default=1)
    line = "--name q --output_dir o --learning-rate 1e-3 --label_names a b --eval_strategy epoch"
    options, args, rest = parser.parse_args_into_dataclasses([*line.split(), "--report_to", "none"])
    assert (options.name, args.output_dir, args.learning_rate, rest.extra) == ("q", "o", 1e-3, 1)
    assert args.label_names == ["a", "b"]
    assert args.eval_strategy is IntervalStrategy.EPOCH
    file = tmp_path / "more.args"
    file.write_text("--name from_file --count 9")
    parser = HfArgumentParser(Options)
    (options,) = parser.parse_args_into_dataclasses(["--count", "1"], args_filename=str(file))
    assert (options.name, options.count) == ("from_file", 1)
    (options,) = parser.parse_args_into_dataclasses(
        ["--cfg", str(file), "--quiet"], args_file_flag="--cfg"
    )
    assert (options.name, options.quiet) == ("from_file", True)


def test_dictionaries(tmp_path: Path) -> None:
    parser = HfArgumentParser(Options)
    content = {"name": "q", "count": 5}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "a.yaml").write_text("name: q\ncount: 5\n")
    expected = (Options("q", 5),)
    assert parser.parse_dict(content) == expected
    assert parser.parse_json_file(tmp_path / "a.json") == expected
    assert parser.parse_yaml_file(tmp_path / "a.yaml") == expected
    assert parser.parse_dict(content | {"x": 1}, allow_extra_keys=True) == expected
    with pytest.raises(ValueError, match=r"Some keys are not used.*\['x'\]"):
        parser.parse_dict(content | {"x": 1})


def test_help_and_impossible_unions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        HfArgumentParser(TrainingArguments).parse_args(["--help"])
    assert "The peak learning rate." in capsys.readouterr().out

    @dataclass
    class Either:
        x: int | float = 1

    with pytest.raises(ValueError, match="one type only"):
        HfArgumentParser(Either)
