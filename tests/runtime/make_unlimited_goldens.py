"""Makes the reference values of Unlimited-OCR by running the released code on the CPU in float32.

    python -m tests.runtime.make_unlimited_goldens RELEASED_FOLDER PARTS...

The folder holds the hub's Python files; parts are decoder, e2e and preprocess. It needs
transformers 4.46.3 with tokenizers 0.20.3, addict, einops and easydict. `preprocess` adds the
values of the installed Pillow to those of others.

How the run differs from one on a GPU: `.cuda()` does nothing, autocast is off, pixels stay float32,
and the tower's sizes, which the released code has as literals, are those of the tiny config. The
weights are the recipe's, the same as of the tiny DeepSeek-OCR.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import random
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.runtime.goldens import GOLDENS, genuine_tokenizer, golden_image, golden_json
from tests.runtime.recipe import make_tensor

OUT = GOLDENS / "unlimited"
PROMPT = "<image>document parsing."
MODES = {
    "gundam": {"base_size": 1024, "image_size": 640, "crop_mode": True},
    "base": {"base_size": 1024, "image_size": 1024, "crop_mode": False},
}
GUARDS = ((35, 128), (4, 90), (20, 0), (1, 4))
"""n and window; window 0: over everything."""
NUM_FORCED, NUM_GENERATED, NUM_READ = 300, 180, 150
PAGES = (
    ("a01_a4_1240x1754.png", "gundam"),
    ("a03_tie_1600x1280.png", "base"),
    ("a10_rgba_900x700.png", "base"),
    ("a12_ptrans_700x500.png", "base"),
    ("a08_5000x200.png", "gundam"),
    ("a17_i16_400x900.png", "gundam"),
)
SAFE_MARGIN = 1e-3


class _Compose:
    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps

    def __call__(self, value: Any) -> Any:
        for step in self.steps:
            value = step(value)
        return value


def _to_tensor() -> Any:
    return lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)


def _normalize(mean: Any, std: Any) -> Any:
    shift, scale = (torch.tensor(part)[:, None, None] for part in (mean, std))
    return lambda pixels: (pixels - shift) / scale


class _Torch:
    """torch as the released model file sees it: no autocast, and pixels keep their precision."""

    bfloat16 = torch.float32

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    @staticmethod
    def autocast(*_: Any, **__: Any) -> Any:
        return contextlib.nullcontext()


def load_released(folder: Path) -> tuple[Any, Any]:
    """The released model file and its file of towers; torchvision's transforms are replaced."""
    vision, transforms = types.ModuleType("torchvision"), types.ModuleType("transforms")
    functional: Any = types.ModuleType("functional")
    functional.InterpolationMode = object
    vars(transforms).update(Compose=_Compose, ToTensor=_to_tensor, Normalize=_normalize)
    vars(vision).update(transforms=transforms)
    sys.modules |= {
        "torchvision": vision,
        "torchvision.transforms": transforms,
        "torchvision.transforms.functional": functional,
    }
    package = types.ModuleType("released")
    package.__path__ = [str(folder)]
    sys.modules["released"] = package
    model = importlib.import_module("released.modeling_unlimitedocr")
    vars(model)["torch"] = _Torch()
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    return model, importlib.import_module("released.deepencoder")


def tiny_config() -> dict[str, Any]:
    """That of the tiny DeepSeek-OCR with the fields in which the released configs differ."""
    config: dict[str, Any] = golden_json("tiny/config.json")
    config |= {"architectures": ["UnlimitedOCRForCausalLM"], "model_type": "unlimited-ocr"}
    for part in (config, config["language_config"]):
        part |= {"max_position_embeddings": 32768, "v_head_dim": 16, "sliding_window_size": 128}
    return config | {"sliding_window": 128}


def build(model_file: Any, towers: Any, config: dict[str, Any]) -> Any:
    """The released class with the tiny sizes and the recipe's weights."""
    sam, clip = (config["vision_config"]["width"][name] for name in ("sam_vit_b", "clip-l-14-224"))
    net_2, net_3 = sam["downsample_channels"]
    hidden, channels = config["language_config"]["hidden_size"], config["projector_config"]

    def small_sam() -> Any:
        tower = towers._build_sam(
            sam["width"], sam["layers"], sam["heads"], sam["global_attn_indexes"]
        )
        tower.net_2 = nn.Conv2d(256, net_2, kernel_size=3, stride=2, padding=1, bias=False)
        tower.net_3 = nn.Conv2d(net_2, net_3, kernel_size=3, stride=2, padding=1, bias=False)
        return tower

    def small_clip() -> Any:
        sizes = dict(towers.vit_model_cfg)
        sizes |= {"num_layers": clip["layers"], "hidden_size": clip["width"]}
        sizes |= {"num_attention_heads": clip["heads"], "ffn_hidden_size": 4 * clip["width"]}
        return towers.VitModel(cfg=model_file.Dict(sizes))

    def small_projector(_: Any) -> Any:
        sizes = {"projector_type": "linear", "input_dim": channels["input_dim"], "n_embed": hidden}
        return towers.MlpProjector(model_file.Dict(sizes))

    vars(model_file).update(build_sam_vit_b=small_sam, build_clip_l=small_clip)
    vars(model_file).update(MlpProjector=small_projector)
    known = model_file.UnlimitedOCRConfig(**config)
    known._attn_implementation = "eager"
    with contextlib.redirect_stdout(io.StringIO()):
        model = model_file.UnlimitedOCRForCausalLM(known)
    for name in ("image_newline", "view_seperator"):
        setattr(model.model, name, nn.Parameter(torch.zeros(hidden)))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(make_tensor(name, tuple(tensor.shape)).to(tensor.dtype))
    known._ring_window, known.sliding_window = known.sliding_window_size, None  # as `infer` does
    return model.eval()


@torch.no_grad()
def forced(model: Any, prompt: list[int], then: list[int]) -> Tensor:
    """Hidden states after the final norm (len(then), hidden), each token decoded by itself."""
    out = model.model(torch.tensor([prompt]), use_cache=True)
    rows = []
    for position, token in enumerate(then, len(prompt)):
        out = model.model(
            torch.tensor([[token]]),
            position_ids=torch.tensor([[position]]),
            past_key_values=out.past_key_values,
            use_cache=True,
        )
        rows.append(out.last_hidden_state[0, -1])
    return torch.stack(rows)


@torch.no_grad()
def generated(
    file: Any,
    model: Any,
    ids: list[int],
    count: int,
    guard: tuple[int, int] = (0, 0),
    *,
    allowed: list[int] | None = None,
    **images: Any,
) -> dict[str, Any]:
    """Greedy tokens by the released generation, of all or of the allowed ones; the safe prefix ends
    where two tokens score almost alike."""
    ngram, window = guard
    rules: list[Any] = []
    if allowed:
        rules.append(lambda _, scores: only(scores, allowed))
    if ngram and window:
        rules.append(file.SlidingWindowNoRepeatNgramProcessor(ngram, window))
    out = model.generate(
        input_ids=torch.tensor([ids]),
        do_sample=False,
        eos_token_id=None,
        pad_token_id=1,
        max_new_tokens=count,
        use_cache=True,
        return_dict_in_generate=True,
        output_scores=True,
        logits_processor=rules,
        no_repeat_ngram_size=ngram if not window else 0,
        **images,
    )
    best = torch.cat(out.scores).topk(2).values
    close = (best[:, 0] - best[:, 1] < SAFE_MARGIN).nonzero()
    return {
        "input_ids": ids if not images else None,
        "allowed_ids": allowed,
        "ngram": ngram,
        "window": window,
        "safe_prefix_len": int(close[0]) if len(close) else count,
        "output_ids": out.sequences[0, len(ids) :].tolist(),
    }


def only(scores: Tensor, allowed: list[int]) -> Tensor:
    kept = torch.full_like(scores, float("-inf"))
    kept[:, allowed] = scores[:, allowed]
    return kept


def decoder_part(file: Any, model: Any) -> None:
    known = golden_json("tiny/decoder.json")
    dice = random.Random(7)
    prompt = known["input_ids"]
    then = [dice.randrange(3, 128_000) for _ in range(NUM_FORCED)]
    save_file({"hidden": forced(model, prompt, then)}, OUT / "decoder.safetensors")
    others = [prompt[:5], known["repeated_prompt"]["input_ids"]]
    allowed = known["restricted_vocab"]["allowed_ids"]
    cases = [generated(file, model, ids, NUM_GENERATED) for ids in (prompt, *others)]
    cases += [
        generated(file, model, ids, NUM_GENERATED, guard, allowed=allowed)
        for ids in (prompt, others[1])
        for guard in GUARDS
    ]
    write("decoder.json", {"input_ids": prompt, "forced_ids": then, "generations": cases})


def infer_inputs(file: Any, tokenizer: Any, name: str, mode: str) -> dict[str, Any]:
    """What the released `infer` would hand to `generate`."""
    caught: dict[str, Any] = {}

    def catch(input_ids: Tensor, **kwargs: Any) -> Tensor:
        caught.update(kwargs, input_ids=input_ids)
        return torch.cat([input_ids, torch.tensor([[1]])], 1)

    stand_in = types.SimpleNamespace(
        disable_torch_init=lambda: None, generate=catch, config=types.SimpleNamespace()
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file.UnlimitedOCRForCausalLM.infer(
            *(stand_in, tokenizer),
            prompt=PROMPT,
            image_file=str(golden_image(name)),
            output_path=folder,
            eval_mode=True,
            **MODES[mode],
        )
    return caught


def e2e_part(file: Any, model: Any, tokenizer: Any) -> None:
    cases, rows = [], {}
    for number, (name, mode) in enumerate(PAGES):
        caught = infer_inputs(file, tokenizer, name, mode)
        ids = caught.pop("input_ids")[0].tolist()
        images = {key: value for key, value in caught.items() if key.startswith("images")}
        read = generated(file, model, ids, NUM_READ, (4, 90), **images)
        cases.append({"image": name, "mode": mode, "n_input_ids": len(ids), **read})
        rows[f"case{number}"] = features(model, ids, images)[:: len(ids) // 16].contiguous()
    write("e2e.json", {"prompt": PROMPT, "cases": cases})
    save_file(rows, OUT / "e2e.safetensors")


@torch.no_grad()
def features(model: Any, ids: list[int], images: dict[str, Any]) -> Tensor:
    """The image tokens (N, hidden) that replace the placeholders."""
    seen: list[Tensor] = []
    hook = model.model.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.tensor([ids]), use_cache=False, **images)
    hook.remove()
    return seen[0][0, images["images_seq_mask"][0]]


def preprocess_part(file: Any, tokenizer: Any) -> None:
    """Of every page: tiles, ids, and the pixels of the views as bytes."""
    path = OUT / "preprocess.json"
    told = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    told[f"Pillow {PIL.__version__.partition('.')[0]}"] = {
        f"{page.name.replace('webp', 'png')} {mode}": view_digests(
            infer_inputs(file, tokenizer, page.name, mode)
        )
        for page in sorted((GOLDENS / "images").glob("a*"))
        for mode in MODES
    }
    write(path.name, told)


def view_digests(caught: dict[str, Any]) -> dict[str, Any]:
    ids = caught["input_ids"][0].tolist()
    tiles, views = caught["images"][0]
    return {
        "grid_w_h": caught["images_spatial_crop"][0].tolist(),
        "sha256_input_ids_int64le": hashlib.sha256(np.array(ids, "<i8").tobytes()).hexdigest(),
        "global": bytes_digest(views),
        "local": bytes_digest(tiles) if bool(tiles.any()) else None,
    }


def bytes_digest(pixels: Tensor) -> str:
    """SHA-256 of views (B, 3, S, S) as uint8 (B, S, S, 3)."""
    views = ((pixels.double() * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return hashlib.sha256(views.contiguous().numpy().tobytes()).hexdigest()


def write(name: str, data: Any) -> None:
    (OUT / name).write_text(json.dumps(data, separators=(",", ":")) + "\n", "utf-8")


def main(folder: Path, parts: list[str]) -> None:
    transformers: Any = importlib.import_module("transformers")
    with tempfile.TemporaryDirectory() as files:
        (Path(files) / "tokenizer.json").write_bytes(genuine_tokenizer())
        make_tokenizer = transformers.LlamaTokenizerFast  # before torchvision is replaced
        tokenizer = make_tokenizer(tokenizer_file=f"{files}/tokenizer.json", legacy=True)
    file, towers = load_released(folder)
    OUT.mkdir(exist_ok=True)
    if "preprocess" in parts:
        preprocess_part(file, tokenizer)
    if not {"decoder", "e2e"} & {*parts}:
        return
    config = tiny_config()
    (OUT / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    model = build(file, towers, config)
    if "decoder" in parts:
        decoder_part(file, model)
    if "e2e" in parts:
        e2e_part(file, model, tokenizer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
