"""The vision tower against transformers' CLIPVisionModelWithProjection, with random weights.

The reference runs in fp64 where that is affordable (tiny shapes) and in fp32 for B/32 and L/14.
Relative error and the rule for k_proj.bias: docs/MODELS.md.
"""
import json
import os
import pathlib
import subprocess

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "model_tool"
SHAPES = {
    "tiny": dict(hidden_size=64, intermediate_size=192, num_hidden_layers=3, num_attention_heads=4, image_size=32,
                 patch_size=8, projection_dim=40, hidden_act="quick_gelu"),
    "tiny_gelu": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, image_size=24,
                      patch_size=6, projection_dim=16, hidden_act="gelu"),
    "b32": dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, image_size=224,
                patch_size=32, projection_dim=512, hidden_act="quick_gelu"),
    "l14": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=224,
                patch_size=14, projection_dim=768, hidden_act="quick_gelu"),
}


def make_reference(name, double):
    torch.manual_seed(11)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**SHAPES[name])).eval()
    with torch.no_grad():  # zero biases and unit scales would hide mistakes
        for key, value in model.named_parameters():
            if value.ndim == 1 and "class_embedding" not in key:
                value.add_(0.1 * torch.randn_like(value))
    return model.double() if double else model


def make_input(name, batch):
    shape = SHAPES[name]
    tokens = (shape["image_size"] // shape["patch_size"]) ** 2 + 1
    return {"pixel_values": torch.randn(batch, 3, shape["image_size"], shape["image_size"]),
            "d_last": torch.randn(batch, tokens, shape["hidden_size"]) / tokens,
            "d_pooler": torch.randn(batch, shape["hidden_size"]),
            "d_embeds": torch.randn(batch, shape["projection_dim"])}


def run_reference(model, inputs):
    dtype = next(model.parameters()).dtype
    inputs = {key: value.to(dtype) for key, value in inputs.items()}
    vision = model.vision_model(pixel_values=inputs["pixel_values"])
    embeds = model.visual_projection(vision.pooler_output)
    torch.autograd.backward([vision.last_hidden_state, vision.pooler_output, embeds],
                            [inputs["d_last"], inputs["d_pooler"], inputs["d_embeds"]])
    results = {"last_hidden_state": vision.last_hidden_state, "pooler_output": vision.pooler_output, "image_embeds": embeds}
    results = {key: value.detach() for key, value in results.items()}
    results.update({"grad." + key: value.grad for key, value in model.named_parameters()})
    return results


def run_tool(directory, inputs, tmp_path, *options):
    save_file(inputs, tmp_path / "in.safetensors")
    subprocess.run([TOOL, directory, tmp_path / "in.safetensors", tmp_path / "out.safetensors", *options], check=True)
    return load_file(tmp_path / "out.safetensors")


def worst_errors(ours, theirs):
    """(worst forward, worst gradient, worst k_proj.bias), relative."""
    grads = [value.double() for key, value in theirs.items() if key.startswith("grad.")]
    floor = 1e-6 * torch.sqrt(sum(g.square().sum() for g in grads)).item()
    forward, gradient, key_bias = 0.0, 0.0, 0.0
    assert ours.keys() == theirs.keys()
    for key, expected in theirs.items():
        expected, found = expected.double(), ours[key].double()
        if key.endswith("k_proj.bias"):  # its true gradient is zero
            key_bias = max(key_bias, found.norm().item() / (floor * 1e6))
        elif key.startswith("grad."):
            gradient = max(gradient, ((found - expected).norm() / max(expected.norm().item(), floor)).item())
        else:
            forward = max(forward, ((found - expected).norm() / expected.norm()).item())
    return forward, gradient, key_bias


@pytest.mark.parametrize("name,batch,options", [
    ("tiny", 5, []), ("tiny", 5, ["recompute"]), ("tiny_gelu", 3, []), ("tiny_gelu", 3, ["recompute"]),
    ("b32", 2, []), ("b32", 2, ["recompute"]), ("l14", 1, ["recompute"])])
def test_forward_and_gradients(name, batch, options, tmp_path):
    model = make_reference(name, double=False)
    model.save_pretrained(tmp_path / "model")
    torch.manual_seed(12)
    inputs = make_input(name, batch)
    ours = run_tool(tmp_path / "model", inputs, tmp_path, *options)
    for key in (tmp_path / "model").iterdir():
        key.unlink()
    theirs = run_reference(model.double() if name.startswith("tiny") else model, inputs)
    forward, gradient, key_bias = worst_errors(ours, theirs)
    print(f"{name} {options}: forward {forward:.2e} gradient {gradient:.2e} k_proj.bias {key_bias:.2e}")
    assert forward <= 1e-5 and gradient <= 1e-4 and key_bias <= 1e-6


def test_bf16_stays_close(tmp_path):
    model = make_reference("tiny", double=False)
    model.save_pretrained(tmp_path / "model")
    torch.manual_seed(13)
    inputs = make_input("tiny", 4)
    for options in (["bf16"], ["bf16", "recompute"]):
        ours = run_tool(tmp_path / "model", inputs, tmp_path, *options)
        theirs = run_reference(make_reference("tiny", double=True), inputs)
        forward, gradient, _ = worst_errors(ours, theirs)
        print(f"bf16 {options}: forward {forward:.2e} gradient {gradient:.2e}")
        assert 1e-5 < forward < 2e-2 and gradient < 6e-2  # bf16 it is, and not more wrong than bf16


def test_export_loads_with_from_pretrained(tmp_path):
    model = make_reference("tiny_gelu", double=False)
    model.save_pretrained(tmp_path / "model")
    inputs = make_input("tiny_gelu", 4)
    ours = run_tool(tmp_path / "model", inputs, tmp_path, f"export={tmp_path / 'export'}")
    loaded, report = CLIPVisionModelWithProjection.from_pretrained(tmp_path / "export", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    assert loaded.config.hidden_act == "gelu"
    with torch.no_grad():
        embeds = loaded(pixel_values=inputs["pixel_values"]).image_embeds
    assert ((embeds - ours["image_embeds"]).norm() / embeds.norm()).item() <= 1e-5
    for key, value in load_file(tmp_path / "export" / "model.safetensors").items():
        assert torch.equal(value, model.state_dict()[key]), key
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=tmp_path / "export", check=True)
    from transformers import CLIPImageProcessor
    assert CLIPImageProcessor.from_pretrained(tmp_path / "export").crop_size == {"height": 24, "width": 24}


def whole_clip(tmp_path):
    shape = dict(SHAPES["tiny"])
    text = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=99,
                projection_dim=shape["projection_dim"])
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=shape, projection_dim=shape["projection_dim"])).eval()
    model.save_pretrained(tmp_path / "clip")
    return model


def embeds_of(directory, pixels, tmp_path):
    return run_tool(directory, {"pixel_values": pixels}, tmp_path, "no-grad")["image_embeds"]


def test_whole_clip_gives_its_vision_half(tmp_path):
    model = whole_clip(tmp_path)
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=pixels)
    found = embeds_of(tmp_path / "clip", pixels, tmp_path)
    assert ((found - expected).norm() / expected.norm()).item() <= 1e-5


@pytest.mark.parametrize("dtype,tolerance", [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_key_variants_and_half_precision(dtype, tolerance, tmp_path):
    model = whole_clip(tmp_path)
    state = {("module._orig_mod." + key.removeprefix("vision_model.") if key.startswith("vision_model.") else
              "module._orig_mod." + key): value.to(dtype).contiguous()
             for key, value in model.state_dict().items() if not key.startswith("text_") and key != "logit_scale"}
    state["module._orig_mod.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(state, tmp_path / "clip" / "model.safetensors", metadata={"format": "pt"})
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=pixels)
    found = embeds_of(tmp_path / "clip", pixels, tmp_path)
    assert ((found - expected).norm() / expected.norm()).item() <= tolerance


def test_openclip_layout(tmp_path):
    import open_clip
    vision = dict(image_size=32, layers=2, width=128, patch_size=8)
    text = dict(context_length=8, vocab_size=64, width=64, heads=1, layers=1)
    for quick in (True, False):
        torch.manual_seed(3)
        model = open_clip.model.CLIP(embed_dim=48, vision_cfg=vision, text_cfg=text, quick_gelu=quick).eval()
        directory = tmp_path / f"oc_{quick}"
        directory.mkdir()
        save_file(model.state_dict(), directory / "open_clip_model.safetensors")
        (directory / "open_clip_config.json").write_text(json.dumps(
            {"model_cfg": {"embed_dim": 48, "quick_gelu": quick, "vision_cfg": vision, "text_cfg": text}}))
        pixels = torch.randn(3, 3, 32, 32)
        with torch.no_grad():
            expected = model.encode_image(pixels, normalize=False)
        found = embeds_of(directory, pixels, tmp_path)
        assert ((found - expected).norm() / expected.norm()).item() <= 1e-5


def broken(state, how):
    if how == "missing":
        del state["vision_model.post_layernorm.bias"]
    elif how == "unexpected":
        state["vision_model.surprise"] = torch.zeros(1)
    elif how == "shape":
        state["vision_model.encoder.layers.1.mlp.fc1.bias"] = torch.zeros(7)
    elif how == "integer":
        state["vision_model.pre_layrnorm.weight"] = torch.zeros(64, dtype=torch.int64)
    return state


@pytest.mark.parametrize("how,needle", [
    ("missing", "vision_model.post_layernorm.bias"), ("unexpected", "vision_model.surprise"),
    ("shape", "vision_model.encoder.layers.1.mlp.fc1.bias has shape [7], expected [192]"),
    ("integer", "vision_model.pre_layrnorm.weight is I64"), ("truncated", "model.safetensors"),
    ("header", "model.safetensors"), ("no_metadata", "activation"), ("activation", "hidden_act")])
def test_bad_files_are_refused_with_one_message(how, needle, tmp_path):
    directory = tmp_path / "model"
    make_reference("tiny", double=False).save_pretrained(directory)
    file = directory / "model.safetensors"
    save_file(broken(load_file(file), how), file, metadata={"format": "pt"})
    if how == "truncated":
        file.write_bytes(file.read_bytes()[:-5])
    elif how == "header":
        file.write_bytes(b"\xff" * 8 + file.read_bytes()[8:])
    elif how == "no_metadata":
        (directory / "config.json").unlink()
    elif how == "activation":
        config = json.loads((directory / "config.json").read_text())
        config["hidden_act"] = "relu"
        (directory / "config.json").write_text(json.dumps(config))
    save_file({"pixel_values": torch.zeros(1, 3, 32, 32)}, tmp_path / "in.safetensors")
    run = subprocess.run([TOOL, directory, tmp_path / "in.safetensors", tmp_path / "out.safetensors", "no-grad"],
                         capture_output=True, text=True)
    assert run.returncode == 3, run.stderr
    assert needle in run.stderr and run.stderr.count("\n") <= 3, run.stderr
