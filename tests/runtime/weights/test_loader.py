"""Reading checkpoints in the forms they come in, and naming what is wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr_spec import DeepseekOcrSpec
from dsocr.runtime.models.registry import parse_config, read_spec
from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.weights.headers import INDEX
from dsocr.runtime.weights.loader import check_checkpoint, load_model
from tests.runtime.recipe import GOLDENS, tiny_tensors

CPU = torch.device("cpu")
ONE_FILE = "model-00001-of-000001.safetensors"


@pytest.fixture(scope="session")
def tensors(tiny_checkpoint: Path) -> dict[str, Tensor]:
    return load_file(tiny_checkpoint / ONE_FILE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(GOLDENS / "tiny" / "config.json", tmp_path)
    return tmp_path


def load(path: Path, dtype: torch.dtype = torch.float32) -> DeepseekOcr:
    return load_model(path, device=CPU, dtype=dtype, attention="sdpa")


def same_weights(one: DeepseekOcr, other: DeepseekOcr) -> bool:
    pairs = zip(one.checkpoint_tensors(), other.checkpoint_tensors(), strict=True)
    return all(name == name2 and torch.equal(a, b) for (name, a), (name2, b) in pairs)


def test_the_recipe_gives_the_goldens_weights() -> None:
    listed = json.loads((GOLDENS / "tiny" / "tensors.json").read_text("utf-8"))["tensors"]
    for name, tensor in tiny_tensors().items():
        digest = hashlib.sha256(tensor.view(torch.int16).numpy().tobytes()).hexdigest()
        assert digest == listed[name]["sha256_bf16_le"], name


def test_the_released_index_names_what_the_model_asks_for() -> None:
    released = GOLDENS / "checkpoint-files"
    index = gzip.decompress((released / f"{INDEX}.gz").read_bytes())
    names = set(json.loads(index)["weight_map"])
    with torch.device("meta"):
        model = DeepseekOcr(read_spec(released), attention="sdpa")
    wanted = dict(model.checkpoint_tensors())
    assert len(names) == 2710
    assert names - model.ignored_tensors == wanted.keys()
    assert sum(tensor.numel() for tensor in wanted.values()) == 3_336_106_240 - 602_112


def test_every_tensor_has_memory_of_its_own(tiny_model: DeepseekOcr) -> None:
    filled = sum(tensor.numel() for _, tensor in tiny_model.checkpoint_tensors())
    assert filled == sum(parameter.numel() for parameter in tiny_model.parameters())


def test_weights_arrive_bit_for_bit(tiny_model: DeepseekOcr, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tiny_model.checkpoint_tensors():
        assert torch.equal(tensor, tensors[name].float()), name


@pytest.mark.parametrize("indexed", [True, False])
def test_several_shards_load_like_one(
    folder: Path, tensors: dict[str, Tensor], tiny_model: DeepseekOcr, indexed: bool
) -> None:
    shards: list[dict[str, Tensor]] = [{}, {}, {}]
    for number, (name, tensor) in enumerate(tensors.items()):
        shards[number % 3][name] = tensor
    weight_map = {}
    for number, shard in enumerate(shards):
        save_file(shard, folder / f"part{number}.safetensors")
        weight_map |= dict.fromkeys(shard, f"part{number}.safetensors")
    if indexed:
        (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
        (folder / "leftover.safetensors").write_bytes(b"not named by the index")
    assert same_weights(load(folder), tiny_model)


def test_loading_does_not_import_torchs_compiler_nor_its_algebra(tiny_checkpoint: Path) -> None:
    program = (
        "import sys, torch; from pathlib import Path;"
        "from dsocr.runtime.weights.loader import load_model;"
        "load_model(Path(sys.argv[1]), device=torch.device('cpu'), dtype=torch.float32,"
        " attention='sdpa'); sys.exit(bool({'torch._dynamo', 'sympy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tiny_checkpoint)]).returncode == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_other_float_types_are_cast(
    folder: Path, tensors: dict[str, Tensor], dtype: torch.dtype
) -> None:
    save_file({name: t.to(dtype) for name, t in tensors.items()}, folder / ONE_FILE)
    model = load(folder, torch.bfloat16)
    cast = tensors["model.norm.weight"].to(dtype).bfloat16()
    assert torch.equal(model.decoder.norm.weight, cast)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_unused_tensors_may_be_present_or_absent(
    folder: Path, tensors: dict[str, Tensor], tiny_model: DeepseekOcr
) -> None:
    buffer = "model.vision_model.embeddings.position_ids"
    patches = "model.vision_model.embeddings.patch_embedding.weight"
    changed = {name: t for name, t in tensors.items() if name != patches}
    save_file({**changed, buffer: torch.arange(257).unsqueeze(0)}, folder / ONE_FILE)
    assert check_checkpoint(folder).ignored == (buffer,)
    assert same_weights(load(folder), tiny_model)


def test_all_faults_are_named_in_one_error(folder: Path, tensors: dict[str, Tensor]) -> None:
    changed = dict(tensors)
    del changed["model.norm.weight"]
    del changed["model.layers.1.mlp.experts.3.up_proj.weight"]
    changed["model.layers.3.surprise"] = torch.zeros(2)
    changed["model.image_newline"] = torch.zeros(63)
    changed["model.view_seperator"] = torch.zeros(64, dtype=torch.int64)
    save_file(changed, folder / ONE_FILE)
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    text = str(caught.value)
    assert "2 missing: model.layers.1.mlp.experts.3.up_proj.weight, model.norm.weight" in text
    assert "1 extra: model.layers.3.surprise" in text
    assert "model.image_newline [63] F32, not [64]" in text
    assert "model.view_seperator [64] I64, not [64]" in text


def test_a_long_list_of_faults_is_shortened(folder: Path, tensors: dict[str, Tensor]) -> None:
    kept = {name: t for name, t in tensors.items() if "sam_model" not in name}
    save_file(kept, folder / ONE_FILE)
    report = check_checkpoint(folder)
    assert len(report.missing) == len(tensors) - len(kept)
    assert f"and {len(report.missing) - 8} more" in report.problems


@pytest.mark.parametrize("keep", [0, 5, 2000, -100])
def test_a_truncated_file_is_named(folder: Path, tiny_checkpoint: Path, keep: int) -> None:
    whole = (tiny_checkpoint / ONE_FILE).read_bytes()
    (folder / ONE_FILE).write_bytes(whole[:keep])
    with pytest.raises(CheckpointError, match=f"unreadable: {ONE_FILE}"):
        load(folder)


def test_a_shard_the_index_names_must_be_there(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, folder / "a.safetensors")
    weight_map = {**dict.fromkeys(tensors, "a.safetensors"), "more": "b.safetensors"}
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(CheckpointError, match=r"1 unreadable: b\.safetensors"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", '{"weight_map": 1}', '{"weight_map": {}}'])
def test_a_broken_index_is_named(folder: Path, tensors: dict[str, Tensor], text: str) -> None:
    save_file({"a": torch.zeros(1)}, folder / ONE_FILE)
    (folder / INDEX).write_text(text)
    with pytest.raises(CheckpointError, match="safetensors"):
        check_checkpoint(folder)


def test_a_folder_without_weights_says_so(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no"):
        check_checkpoint(folder)


def test_the_report_counts_what_is_there(tiny_checkpoint: Path) -> None:
    report = check_checkpoint(tiny_checkpoint)
    assert (report.num_files, report.num_tensors) == (1, 180)
    assert report.dtypes == ("BF16",)
    assert report.problems == ""


def config(**changes: object) -> dict[str, object]:
    text = (GOLDENS / "checkpoint-files" / "config.json").read_text("utf-8")
    return {**json.loads(text), **changes}


def released() -> DeepseekOcrSpec:
    return parse_config(config())


def test_sizes_come_from_the_top_level_or_from_the_language_config() -> None:
    both = config()
    nested = both["language_config"]
    assert isinstance(nested, dict)
    only_nested = {name: value for name, value in both.items() if name not in nested}
    only_top = {name: value for name, value in both.items() if name != "language_config"}
    assert parse_config(only_nested) == parse_config(only_top) == released()
    assert released().decoder.shared_width == 1792


def test_a_field_that_is_null_counts_as_absent() -> None:
    assert parse_config(config(vocab_size=None, rope_theta=None)) == released()


def test_fields_of_the_config_override_defaults() -> None:
    assert released().decoder.rope_theta == 10000.0
    assert parse_config(config(rope_theta=500.0)).decoder.rope_theta == 500.0


@pytest.mark.parametrize(
    "change",
    [
        {"use_mla": True},
        {"num_key_value_heads": 5},
        {"scoring_func": "sigmoid"},
        {"rope_scaling": {"type": "yarn"}},
        {"sliding_window": 128},
        {"sliding_window_size": 128},
    ],
)
def test_what_is_not_computed_is_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=next(iter(change))):
        parse_config(config(**change))


@pytest.mark.parametrize("field", ["sliding_window", "sliding_window_size"])
def test_a_sliding_window_is_refused_in_the_language_config_too(field: str) -> None:
    nested = config()["language_config"]
    assert isinstance(nested, dict)
    with pytest.raises(CheckpointError, match=rf"{field} = 128 \(only None\)"):
        parse_config(config(language_config={**nested, field: 128}))
    with_nulls = {**nested, "sliding_window": None, "sliding_window_size": None}
    assert parse_config(config(language_config=with_nulls)) == released()


@pytest.mark.parametrize(
    "name",
    [
        "DeepseekV2ForCausalLM",
        "Qwen2VLForConditionalGeneration",
    ],
)
def test_a_folder_of_another_model_class_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config(architectures=[name])))
    with pytest.raises(CheckpointError, match=rf"{name}.*only DeepseekOCRForCausalLM"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    "name", ["UnlimitedOcrForConditionalGeneration", "DeepseekOcr2ForConditionalGeneration"]
)
def test_the_layout_of_the_transformers_library_is_refused_by_name(name: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{name}.*layout of the transformers library"):
        parse_config(config(architectures=[name]))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, r"awq, 4 bits"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "8 bits"),
        ({"quantization_config": {"quant_method": "fp8"}}, r"\(fp8 in"),
        ({"quantization": {"group_size": 64, "bits": 4}}, r"\(4 bits in"),
    ],
)
def test_quantized_weights_are_refused_with_how_they_are_quantized(
    change: dict[str, object], named: str
) -> None:
    with pytest.raises(CheckpointError, match=f"quantized .*{named}.*EXPERT_DTYPE=int8"):
        parse_config(config(**change))


@pytest.mark.parametrize("named", [["DeepseekOCRForCausalLM", "Other"], "Other", {"Other": 1}])
def test_architectures_hold_the_released_class_and_no_other(named: object) -> None:
    with pytest.raises(CheckpointError, match="Other"):
        parse_config(config(architectures=named))


def test_a_config_without_architectures_is_read() -> None:
    without = {name: value for name, value in config().items() if name != "architectures"}
    assert parse_config(without) == parse_config(config(architectures=None)) == released()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"vision_config": {"width": 3}}'])
def test_a_broken_config_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_spec(tmp_path)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="missing"):
        read_spec(tmp_path)
