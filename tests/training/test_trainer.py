"""The Trainer as people use it: datasets, hooks, callbacks, results, errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tiny
from trainer_cases import BERT, GPT2, accuracy, pads, rows_of

from minitransformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DefaultFlowCallback,
    EarlyStoppingCallback,
    GPT2Config,
    GPT2LMHeadModel,
    LoraConfig,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    get_peft_model,
    optimization,
)
from minitransformers.core import ops
from minitransformers.core.module import Module
from minitransformers.core.random import default_generator
from minitransformers.training import optim

ROWS = rows_of("classes", 10, False, 0)


def classifier() -> Any:
    return tiny.fill(BertForSequenceClassification(BertConfig(**BERT)))


def build(folder: Path, kind: Any = Trainer, model: Any = None, **kwargs: Any) -> Any:
    """A Trainer of two updates; keywords are its own, or else options of the arguments"""
    names = Trainer.__init__.__code__.co_varnames
    own = {name: kwargs.pop(name) for name in list(kwargs) if name in names}
    options = dict(max_steps=2, per_device_train_batch_size=4, report_to="none", disable_tqdm=True)
    args = TrainingArguments(str(folder), **(options | kwargs))
    own.setdefault("train_dataset", ROWS)
    if "model_init" not in own:
        model = model or classifier()
    return kind(model, args, **own)


def weights(model: Any) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in model.state_dict().items()}


# datasets


class Table:
    """What a datasets.Dataset is to a Trainer."""

    def __init__(self, columns: dict[str, list]):
        self.columns = columns

    @property
    def column_names(self) -> list[str]:
        return list(self.columns)

    def remove_columns(self, names: list[str]) -> Table:
        return Table({name: c for name, c in self.columns.items() if name not in names})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.columns[key]
        return {name: column[key] for name, column in self.columns.items()}


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table({name: [row[name] for row in ROWS] for name in ROWS[0]})
    table.columns["length"] = [9] * 10
    ours = build(tmp_path, train_dataset=table).train()
    assert ours.training_loss == build(tmp_path).train().training_loss
    grouped = build(tmp_path, train_dataset=table, group_by_length=True)
    assert grouped.get_train_dataloader().sampler.lengths == [9] * 10
    with pytest.raises(ValueError, match="No columns in the dataset match"):
        build(tmp_path, train_dataset=Table({"text": ["a"], "title": ["b"]})).train()


def test_rows_without_columns_of_use(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No columns in the dataset match.*Tokenize the texts"):
        build(tmp_path, train_dataset=[{"text": "a"}] * 3).train()


def test_generators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = build(tmp_path, train_dataset=(row for row in ROWS), max_steps=50).train()
    assert output.global_step == 3  # there is nothing left after one pass
    with pytest.raises(ValueError, match="max_steps has to be specified"):
        build(tmp_path, train_dataset=iter(ROWS), max_steps=-1)
    with pytest.raises(ValueError, match="group_by_length needs"):
        build(tmp_path, train_dataset=iter(ROWS), group_by_length=True)


def test_loaders(tmp_path: Path) -> None:
    trainer = build(tmp_path, eval_dataset=ROWS[:5], dataloader_drop_last=True)
    loader = trainer.get_train_dataloader()
    assert (len(loader), trainer.num_examples(loader)) == (2, 10)
    assert trainer.num_tokens(loader) == 8 * 9
    assert trainer.num_tokens(loader, max_steps=3) == 3 * 4 * 9
    assert len(trainer.get_eval_dataloader()) == 0
    assert len(build(tmp_path).get_test_dataloader(ROWS)) == 2
    missing = build(tmp_path, train_dataset=None)
    with pytest.raises(ValueError, match="training requires a train_dataset"):
        missing.train()
    with pytest.raises(ValueError, match="evaluation requires an eval_dataset"):
        missing.evaluate()


def test_torchs_own_shuffle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = build(tmp_path, accelerator_config={"use_seedable_sampler": False})
    orders = [list(trainer.get_train_dataloader().sampler) for _ in range(2)]
    assert sorted(orders[0]) == list(range(10)) != orders[0] != orders[1]
    assert trainer.train().global_step == 2


# hooks


def test_own_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Weighted(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            labels = inputs.pop("labels")
            outputs = model(**inputs)
            loss = ops.cross_entropy(outputs.logits, labels=labels) * 2.0
            return (loss, outputs) if return_outputs else loss

    evaluated, trained = [], []
    for kind in (Trainer, Weighted):
        trainer = build(tmp_path, kind, max_steps=1, eval_dataset=ROWS)
        evaluated.append(trainer.evaluate()["eval_loss"])
        trained.append(trainer.train().training_loss)
    assert evaluated[1] == pytest.approx(2 * evaluated[0])
    assert trained[1] == pytest.approx(2 * trained[0])


def test_loss_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def loss(outputs: Any, labels: np.ndarray, num_items_in_batch: int | None = None) -> Any:
        seen.append((labels.shape, num_items_in_batch, "loss" in outputs))
        return ops.cross_entropy(outputs.logits, labels=labels)

    own = build(tmp_path, compute_loss_func=loss).train()
    assert own.training_loss == build(tmp_path).train().training_loss
    assert seen == [((4,), None, False)] * 2


def test_step_for_several_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Own(Trainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            model.train()
            with self.compute_loss_context_manager():
                loss = self.compute_loss(self.accelerator.unwrap_model(model), inputs)
            self.accelerator.backward(loss)
            return self.accelerator.gather(loss.detach()) / self.args.gradient_accumulation_steps

    own = build(tmp_path, Own).train()
    assert own.training_loss == build(tmp_path).train().training_loss


def test_model_without_loss(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "label"} for row in ROWS]
    with pytest.raises(ValueError, match="did not return a loss from the inputs"):
        build(tmp_path, train_dataset=rows).train()
    with pytest.raises(ValueError, match=r"BertModel\) cannot be used as is for training"):
        build(tmp_path, model=tiny.fill(BertModel(BertConfig(**BERT))))
    with pytest.raises(RuntimeError, match="requires either a `model` or `model_init`"):
        Trainer(args=TrainingArguments(str(tmp_path)))


def test_own_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Line(Module):
        def __init__(self) -> None:
            self.slope = np.zeros((1, 1), np.float32)

        def __call__(self, x: np.ndarray, labels: np.ndarray | None = None) -> Any:
            y = ops.linear(x, self.slope, None)
            return {"logits": y} if labels is None else {"loss": ops.mse(y, target=labels), "y": y}

    rows = [{"x": np.float32([i]), "labels": np.float32([3 * i])} for i in range(4)]
    rows *= 8
    trainer = build(tmp_path, model=Line(), train_dataset=rows, max_steps=40, learning_rate=0.3)
    trainer.train()
    assert trainer.model.slope[0, 0] == pytest.approx(3.0, abs=0.2)
    assert trainer.predict(rows[:4]).predictions.shape == (4, 1)
    assert (tmp_path / "checkpoint-40" / "model.safetensors").exists()


def test_given_optimizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = classifier()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    schedule = optimization.get_constant_schedule(optimizer)
    trainer = build(tmp_path, model=model, optimizers=(optimizer, schedule), logging_steps=1)
    trainer.train()
    assert trainer.optimizer is optimizer
    assert trainer.get_learning_rates() == [0.5]
    assert trainer.state.log_history[0]["learning_rate"] == 0.5
    assert trainer.get_optimizer_group() == [list(model.parameters())]
    parameter = next(model.parameters())
    assert trainer.get_optimizer_group(parameter) is optimizer.param_groups[0]


def test_decay_is_for_matrices(tmp_path: Path) -> None:
    trainer = build(tmp_path, weight_decay=0.1)
    trainer.create_optimizer_and_scheduler(10)
    decayed, others = trainer.optimizer.param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert {p.name for p in others["params"]} == {
        name
        for name, _ in trainer.model.named_parameters()
        if name.endswith("bias") or "LayerNorm" in name
    }
    assert trainer.get_num_trainable_parameters() == trainer.model.num_parameters()


def test_frozen_parameters_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = classifier()
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    before = weights(model)
    build(tmp_path, model=model, optim="sgd", learning_rate=1.0).train()
    changed = {name for name, array in weights(model).items() if (array != before[name]).any()}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_model_init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def make() -> Any:
        return AutoModelForSequenceClassification.from_config(BertConfig(**BERT))

    trainer = build(tmp_path, model_init=make)
    first, made = trainer.train(), trainer.model
    assert trainer.train().training_loss == first.training_loss
    assert trainer.model is not made
    with pytest.raises(RuntimeError, match="0 or 1 argument"):
        build(tmp_path, model_init=lambda a, b: None)
    with pytest.raises(RuntimeError, match="should not return None"):
        build(tmp_path, model_init=lambda: None)
    with pytest.raises(RuntimeError, match="incompatible with providing the `optimizers`"):
        build(tmp_path, model_init=make, optimizers=(object(), None))


def test_memory_runs_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Greedy(Trainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            if len(inputs["labels"]) > 2:
                raise MemoryError
            return super().training_step(model, inputs, num_items_in_batch)

    trainer = build(tmp_path, Greedy, auto_find_batch_size=True)
    trainer.train()
    assert trainer.state.train_batch_size == 2
    with pytest.raises(MemoryError):
        build(tmp_path, Greedy).train()


def test_checkpointed_gradients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = build(tmp_path)
    loss = whole.train().training_loss
    halved = build(tmp_path, gradient_checkpointing=True)
    assert halved.train().training_loss == loss
    for name, array in weights(whole.model).items():
        np.testing.assert_allclose(halved.model.state_dict()[name], array, rtol=1e-5, atol=1e-7)


# callbacks


class Recorder(TrainerCallback):
    def __init__(self) -> None:
        self.events: list[str] = []


def _record(event: str) -> Any:
    def tell(self: Recorder, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        assert kwargs["model"] is not None
        self.events.append(event[3:])

    return tell


for _event in [name for name in vars(TrainerCallback) if name.startswith("on_")]:
    setattr(Recorder, _event, _record(_event))


def test_order_of_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    trainer = build(
        tmp_path, callbacks=[recorder], gradient_accumulation_steps=2, max_steps=1,
        logging_steps=1, eval_strategy="steps", eval_dataset=ROWS[:8],
    )  # fmt: skip
    trainer.train()
    trainer.predict(ROWS[:8])
    assert recorder.events == [
        *("init_end", "train_begin", "epoch_begin", "step_begin", "substep_end"),
        *("pre_optimizer_step", "optimizer_step", "step_end", "log"),
        *("prediction_step", "log", "evaluate", "save", "epoch_end", "log", "train_end"),
        *("prediction_step", "predict"),
    ]


def test_controls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Once(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_save = control.should_log = state.global_step == 1
            control.should_epoch_stop = state.global_step == 2
            return control

    trainer = build(tmp_path, callbacks=[Once], num_train_epochs=2, max_steps=-1)
    output = trainer.train()
    assert output.global_step == 5  # two of the first epoch, three of the second
    assert [log.get("step") for log in trainer.state.log_history if "loss" in log] == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]


def test_callbacks_come_and_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    trainer = build(tmp_path)
    handler = trainer.callback_handler
    assert handler.callback_list == "DefaultFlowCallback\nPrinterCallback"
    trainer.add_callback(Recorder)
    recorder = trainer.pop_callback(Recorder)
    assert isinstance(recorder, Recorder)
    assert trainer.pop_callback(Recorder) is None
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="is not among the callbacks"):
        trainer.remove_callback(recorder)
    with pytest.raises(AttributeError, match="there is no event 'on_holiday'"):
        handler.on_holiday()
    trainer.add_callback(DefaultFlowCallback)
    assert "now there are two" in caplog.text


def test_progress_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = build(tmp_path, disable_tqdm=False, eval_dataset=ROWS, logging_steps=1)
    assert isinstance(trainer.callback_handler.callbacks[-1], ProgressCallback)
    output = trainer.train()
    trainer.evaluate()
    captured = capsys.readouterr()
    assert "2/2" in captured.err
    assert "{'loss': " in captured.out
    assert "total_flos" in output.metrics
    assert "total_flos" not in captured.out


def test_early_stopping_needs(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="requires load_best_model_at_end = True"):
        build(tmp_path, callbacks=[EarlyStoppingCallback()]).train()


def test_callback_state_returns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = dict(
        eval_strategy="steps", eval_steps=1, save_steps=1, load_best_model_at_end=True,
        eval_dataset=ROWS, restore_callback_states_from_checkpoint=True,
    )  # fmt: skip
    stopping = EarlyStoppingCallback(5, 0.25)
    build(tmp_path, callbacks=[stopping], **options).train()
    assert stopping.early_stopping_patience_counter > 0
    trainer = build(tmp_path, callbacks=[EarlyStoppingCallback(1)], max_steps=3, **options)
    trainer.train(resume_from_checkpoint=True)
    restored = trainer.callback_handler.pop_callback(EarlyStoppingCallback)
    assert (restored.early_stopping_patience, restored.early_stopping_threshold) == (5, 0.25)


# results


def test_returns_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = build(tmp_path, eval_dataset=ROWS, compute_metrics=accuracy, save_strategy="no")
    output = trainer.train()
    step, loss, metrics = output
    assert (step, loss) == (2, metrics["train_loss"])
    trainer.save_model()
    trainer.save_state()
    trainer.log_metrics("train", metrics | {"train_runtime": 61.25, "total_flos": 2.0**31})
    printed = capsys.readouterr().out
    assert "***** train metrics *****\n  epoch                    =     0.6667\n" in printed
    assert "  train_runtime            = 0:01:01.25\n" in printed
    assert "  total_flos               =        2GF\n" in printed
    trainer.save_metrics("train", metrics)
    trainer.save_metrics("eval", trainer.evaluate())
    together = json.loads((tmp_path / "all_results.json").read_text())
    assert {"train_loss", "eval_loss", "eval_accuracy", "epoch"} <= set(together)
    assert json.loads((tmp_path / "train_results.json").read_text()) == metrics
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    batch = pads(np.array)([{k: v for k, v in row.items() if k != "text"} for row in ROWS])
    # kernels, and with them the last bits, depend on the number of rows
    predicted = trainer.predict(ROWS).predictions
    np.testing.assert_allclose(loaded(**batch).logits, predicted, atol=1e-5)
    assert json.loads((tmp_path / "trainer_state.json").read_text())["global_step"] == 2


def test_prediction(tmp_path: Path) -> None:
    trainer = build(tmp_path, eval_dataset=ROWS, compute_metrics=accuracy)
    predictions, labels, metrics = trainer.predict(ROWS)
    assert predictions.shape == (10, 2)
    assert labels.tolist() == [row["label"] for row in ROWS]
    assert set(metrics) >= {"test_loss", "test_accuracy", "test_runtime"}
    bare = [{k: v for k, v in row.items() if k != "label"} for row in ROWS]
    output = trainer.predict(bare, metric_key_prefix="final")
    assert output.label_ids is None
    np.testing.assert_array_equal(output.predictions, predictions)
    assert "final_loss" not in output.metrics
    assert "final_samples_per_second" in output.metrics


def test_shortened_and_separate_predictions(tmp_path: Path) -> None:
    def shorten(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        assert len(logits) == len(labels)
        return logits.argmax(-1)

    trainer = build(
        tmp_path, preprocess_logits_for_metrics=shorten, per_device_eval_batch_size=4,
        eval_do_concat_batches=False,
    )  # fmt: skip
    predictions = trainer.predict(ROWS).predictions
    assert [part.shape for part in predictions] == [(4,), (4,), (2,)]


def test_cache_is_no_prediction(tmp_path: Path) -> None:
    model = tiny.fill(GPT2LMHeadModel(GPT2Config(**GPT2)))
    rows = rows_of("causal", 3, False, 0)
    trainer = build(tmp_path, model=model, train_dataset=rows)
    assert trainer.predict(rows).predictions.shape == (3, 9, 37)
    states = trainer.predict(rows, ignore_keys=["past_key_values", "logits"])
    assert states.predictions == ()
    logits, layers = trainer.predict(rows, ignore_keys=[]).predictions
    assert logits.shape == (3, 9, 37)
    assert {part.shape[:1] for layer in layers for part in layer} == {(3,)}


def test_metric_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = build(
        tmp_path, eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True,
        metric_for_best_model="f1", eval_dataset=ROWS,
    )  # fmt: skip
    with pytest.raises(KeyError, match="metric_for_best_model is 'eval_f1', but evaluation gives"):
        trainer.train()


def test_two_trainings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = build(tmp_path)
    trainer.train()
    first = weights(trainer.model)
    assert trainer.train().global_step == 2
    assert any((array != first[name]).any() for name, array in weights(trainer.model).items())


def test_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loss = {seed: build(tmp_path, seed=seed).train().training_loss for seed in (1, 2)}
    default_generator.words(7)
    assert build(tmp_path, seed=1).train().training_loss == loss[1] != loss[2]


def test_tokens_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = build(tmp_path, include_tokens_per_second=True).train().metrics
    rate = metrics["train_tokens_per_second"] / metrics["train_samples_per_second"]
    assert rate == pytest.approx(9, rel=1e-3)
    endless = build(tmp_path, include_tokens_per_second=True, max_steps=-1, num_train_epochs=0.5)
    assert "train_tokens_per_second" in endless.train().metrics


def test_losses_that_are_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Trainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            loss = super().training_step(model, inputs, num_items_in_batch)
            return np.float32("nan") if self.state.global_step == 1 else loss

    trainer = build(tmp_path, Broken, max_steps=3, logging_steps=3)
    trainer.train()
    filtered = trainer.state.log_history[0]["loss"]
    assert 0.5 < filtered < 1.5
    trainer = build(tmp_path, Broken, max_steps=3, logging_steps=3, logging_nan_inf_filter=False)
    trainer.train()
    assert np.isnan(trainer.state.log_history[0]["loss"])


def test_tensorboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = build(
        tmp_path, report_to="tensorboard", logging_steps=1, logging_dir=str(tmp_path / "runs")
    )
    trainer.train()
    (file,) = (tmp_path / "runs").iterdir()
    content = file.read_bytes()
    assert content.count(b"train/loss") == 2
    for part in (b"brain.Event:2", b"train/learning_rate", b"args/text_summary", b"model_config"):
        assert part in content
    with pytest.raises(ValueError, match="report_to='wandb' is not supported"):
        build(tmp_path, report_to="wandb")


# refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(fp16=True), "fp16=True asks for half precision training"),
        (dict(bf16_full_eval=True), "half precision evaluation"),
        (dict(deepspeed="ds.json"), "DeepSpeed"),
        (dict(fsdp="full_shard"), "FSDP"),
        (dict(tf32=True), "TF32"),
        (dict(eval_strategy="epoch"), "there is no eval_dataset"),
        (dict(data_collator=[]), "simple callable"),
        (
            dict(batch_eval_metrics=True, compute_metrics=accuracy),
            "must take a boolean `compute_result`",
        ),
    ],
)
def test_refusals(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        build(tmp_path, **options)


def test_other_errors(tmp_path: Path) -> None:
    trainer = build(tmp_path)
    with pytest.raises(ValueError, match="there is no optimizer yet"):
        trainer.get_learning_rates()
    with pytest.raises(RuntimeError, match="there is no hyperparameter search: call train"):
        trainer.hyperparameter_search(direction="maximize")
    with pytest.raises(TypeError, match="unexpected keyword arguments: speed"):
        trainer.train(speed="fast")
    with pytest.raises(ValueError, match="optim='lion_32bit' does not exist here"):
        build(tmp_path, optim="lion_32bit").train()
    with pytest.raises(ValueError, match="two names of one thing"):
        build(tmp_path, tokenizer=object(), processing_class=object())
    with pytest.raises(ValueError, match="batch received was empty"):
        build(tmp_path, data_collator=lambda rows: {}).train()


def test_quantised_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    tiny.fill(GPT2LMHeadModel(GPT2Config(**GPT2))).save_pretrained(source)
    rows = rows_of("causal", 8, False, 0)

    def load() -> Any:
        return GPT2LMHeadModel.from_pretrained(source, load_in_8bit=True)

    with pytest.raises(ValueError, match="cannot perform fine-tuning on purely quantized models"):
        build(tmp_path, model=load(), train_dataset=rows)
    adapted = get_peft_model(load(), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"]))
    assert build(tmp_path, model=adapted, train_dataset=rows).train().global_step == 2
    halved = tiny.fill(GPT2LMHeadModel(GPT2Config(**GPT2))).half()
    trainer = build(tmp_path, model=halved, train_dataset=rows)
    trainer.train()
    assert trainer.get_num_trainable_parameters() == halved.num_parameters()


def test_without_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Trainer(classifier()).args.output_dir == "tmp_trainer"
