#!/usr/bin/env python3
"""Write the reference numbers of tests/vectors/model with the published code.

    make_fixture.py OUT           the vectors that the tests read
    make_fixture.py --extra OUT   other shapes with stored weights, for checks
    make_fixture.py --selfcheck   what needs neither torch nor transformers

Needs transformers 5.17, torch, torchvision, safetensors, numpy and pillow. The
weights are a function of the tensors' released names (see `values`), so that
none are stored: tests/model/checkpoint.c makes the same ones. All arithmetic is
float32 on the CPU with eager attention and eager experts. The vision rotary of
transformers 5.17.0 lacks the third axis; it is repaired before anything runs.
"""
import argparse
import copy
import hashlib
import importlib
import json
import os
import struct
import sys
import tempfile
import time
import traceback

import numpy as np

MASK = (1 << 64) - 1
PACKAGE = "transformers.models.minimax_m3_vl."
START = time.time()
VERSIONS = {}

BASE = json.loads("""{
 "architectures": ["MiniMaxM3SparseForConditionalGeneration"],
 "model_type": "minimax_m3_vl", "torch_dtype": "float32",
 "image_token_index": 250, "video_token_index": 251,
 "projector_hidden_size": 48, "projector_hidden_act": "gelu",
 "multimodal_projector_bias": true, "vision_feature_layer": -1,
 "img_token_compression_config": {
  "image_token_compression_method": "patch_merge",
  "spatial_merge_size": 2, "temporal_patch_size": 2},
 "text_config": {
  "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 8,
  "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256,
  "max_position_embeddings": 4096, "rms_norm_eps": 1e-06,
  "use_gemma_norm": true, "attention_output_gate": false,
  "rope_theta": 5000000, "rotary_dim": 8, "partial_rotary_factor": 0.5,
  "hidden_act": "swigluoai", "swiglu_alpha": 1.702, "swiglu_limit": 7.0,
  "use_qk_norm": true, "qk_norm_type": "per_head",
  "tie_word_embeddings": false, "intermediate_size": 32,
  "dense_intermediate_size": 96, "shared_intermediate_size": 40,
  "num_local_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1,
  "scoring_func": "sigmoid", "use_routing_bias": true,
  "routed_scaling_factor": 2.0, "bos_token_id": 1, "eos_token_id": 2,
  "moe_layer_freq": [0, 0, 1, 1, 1, 1],
  "sparse_attention_config": {
   "use_sparse_attention": true, "sparse_index_dim": 16,
   "sparse_num_index_heads": 2, "sparse_topk_blocks": 4,
   "sparse_block_size": 4, "sparse_score_type": "max",
   "sparse_init_block": 0, "sparse_local_block": 1,
   "sparse_disable_index_value": [0, 0, 1, 1, 1, 1],
   "sparse_attention_freq": [0, 0, 1, 1, 1, 1]}},
 "vision_config": {
  "model_type": "clip_vision_model", "hidden_size": 40,
  "num_hidden_layers": 2, "num_attention_heads": 2,
  "intermediate_size": 80, "num_channels": 3, "patch_size": 4,
  "image_size": 64, "projection_dim": 64, "hidden_act": "gelu",
  "layer_norm_eps": 1e-05, "attention_dropout": 0.0,
  "position_embedding_type": "rope", "rope_mode": "3d",
  "rope_theta": 10000.0, "vision_segment_max_frames": 4,
  "img_token_compression_config": {
   "image_token_compression_method": "patch_merge",
   "spatial_merge_size": 2, "temporal_patch_size": 2}}}""")

PREPROCESSOR = {
    "image_processor_type": "MiniMaxM3VLImageProcessor",
    "do_resize": True, "do_rescale": True, "do_normalize": True,
    "do_convert_rgb": True, "resample": 3, "rescale_factor": 1 / 255,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "patch_size": 4, "temporal_patch_size": 2, "merge_size": 2,
    "size": {"shortest_edge": 64, "longest_edge": 4096},
}


def say(*what):
    print(f"[{time.time() - START:6.1f} s]", *what, flush=True)


# --- weights: a function of the released name ------------------------------

def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def unit(name, n):
    """n numbers in [-1, 1), 24 bits each."""
    with np.errstate(over="ignore"):
        k = np.arange(1, n + 1, dtype=np.uint64)
        z = np.uint64(fnv(name.encode())) + k * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 8388608.0 - 1.0


def scale_of(name):
    """(offset, scale) of a tensor by its released name."""
    vision = name.startswith(("vision_tower.", "multi_modal_projector.",
                              "patch_merge_mlp."))
    if vision:
        if "norm" in name:
            return (1.0, 0.3) if name.endswith(".weight") else (0.0, 0.1)
        return 0.0, 0.2 if name.endswith(".weight") else 0.1
    if name.endswith("norm.weight"):
        return 0.0, 0.3
    for part, s in (("embed_tokens", 1.0), ("lm_head", 0.3),
                    ("e_score_correction_bias", 0.2),
                    ("index_q_proj", 0.35), ("index_k_proj", 0.35),
                    ("q_proj", 0.35), ("k_proj", 0.35), ("v_proj", 0.2),
                    ("o_proj", 0.2), ("gate_proj", 0.9), ("up_proj", 0.9),
                    ("down_proj", 0.12), (".w1.", 0.9), (".w3.", 0.9),
                    (".w2.", 0.12), ("block_sparse_moe.gate.", 0.5)):
        if part in name:
            return 0.0, s
    raise ValueError(name)


def values(name, shape):
    offset, scale = scale_of(name)
    n = int(np.prod(shape))
    return (offset + unit(name, n) * scale).astype(np.float32).reshape(shape)


def released_shapes(cfg):
    """Released names and shapes of all tensors, in order."""
    t, v = cfg["text_config"], cfg["vision_config"]
    sac = t["sparse_attention_config"]
    h, d = t["hidden_size"], t["head_dim"]
    q, kv = t["num_attention_heads"] * d, t["num_key_value_heads"] * d
    yield "language_model.model.embed_tokens.weight", (t["vocab_size"], h)
    yield "language_model.model.norm.weight", (h,)
    yield "language_model.lm_head.weight", (t["vocab_size"], h)
    for i in range(t["num_hidden_layers"]):
        p = f"language_model.model.layers.{i}."
        a = p + "self_attn."
        yield p + "input_layernorm.weight", (h,)
        yield p + "post_attention_layernorm.weight", (h,)
        yield a + "q_proj.weight", (q, h)
        yield a + "k_proj.weight", (kv, h)
        yield a + "v_proj.weight", (kv, h)
        yield a + "o_proj.weight", (h, q)
        yield a + "q_norm.weight", (d,)
        yield a + "k_norm.weight", (d,)
        if sac["sparse_attention_freq"][i]:
            di = sac["sparse_index_dim"]
            yield a + "index_q_proj.weight", (sac["sparse_num_index_heads"] * di, h)
            yield a + "index_k_proj.weight", (di, h)
            yield a + "index_q_norm.weight", (di,)
            yield a + "index_k_norm.weight", (di,)

        def mlp(prefix, names, width):
            yield f"{prefix}{names[0]}.weight", (width, h)
            yield f"{prefix}{names[1]}.weight", (width, h)
            yield f"{prefix}{names[2]}.weight", (h, width)

        linear = ("gate_proj", "up_proj", "down_proj")
        if not t["moe_layer_freq"][i]:
            yield from mlp(p + "mlp.", linear, t["dense_intermediate_size"])
            continue
        m = p + "block_sparse_moe."
        yield m + "gate.weight", (t["num_local_experts"], h)
        yield m + "e_score_correction_bias", (t["num_local_experts"],)
        for e in range(t["num_local_experts"]):
            yield from mlp(f"{m}experts.{e}.", ("w1", "w3", "w2"),
                           t["intermediate_size"])
        yield from mlp(m + "shared_experts.", linear,
                       t["shared_intermediate_size"])
    d, i = v["hidden_size"], v["intermediate_size"]
    n = v["patch_size"]
    tps = v["img_token_compression_config"]["temporal_patch_size"]
    merge = v["img_token_compression_config"]["spatial_merge_size"]
    e = "vision_tower.vision_model."
    yield e + "embeddings.patch_embedding.weight", (d, v["num_channels"], tps, n, n)

    def pair(name, *shape):
        yield name + ".weight", shape
        yield name + ".bias", shape[:1]

    yield from pair(e + "pre_layrnorm", d)
    for j in range(v["num_hidden_layers"]):
        p = f"{e}encoder.layers.{j}."
        yield from pair(p + "layer_norm1", d)
        yield from pair(p + "layer_norm2", d)
        for x in "qkv":
            yield from pair(p + f"self_attn.{x}_proj", d, d)
        yield from pair(p + "self_attn.out_proj", d, d)
        yield from pair(p + "mlp.fc1", i, d)
        yield from pair(p + "mlp.fc2", d, i)
    w = cfg["projector_hidden_size"]
    yield from pair("multi_modal_projector.linear_1", w, d)
    yield from pair("multi_modal_projector.linear_2", h, w)
    yield from pair("patch_merge_mlp.linear_1", w, h * merge * merge)
    yield from pair("patch_merge_mlp.linear_2", h, w)


DTYPES = {"float32": "F32", "int32": "I32", "uint8": "U8"}


def write_safetensors(path, tensors, meta=None):
    header, at = {}, 0
    if meta:
        header["__metadata__"] = {k: str(v) for k, v in meta.items()}
    for name, a in tensors.items():
        a = np.ascontiguousarray(a)
        tensors[name] = a
        header[name] = {"dtype": DTYPES[str(a.dtype)], "shape": list(a.shape),
                        "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(a.tobytes())


def write_json(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


# --- inputs ----------------------------------------------------------------

def token_ids(seed, n, top=240):
    return [3 + int(abs(u) * (top - 3)) for u in unit(f"ids {seed}", n)]


def picture(seed, w, h):
    """A smooth picture with edges and some noise, RGB uint8 [h, w, 3]."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    out = np.zeros((h, w, 3))
    for c in range(3):
        a = unit(f"picture {seed} {c}", 4)
        out[..., c] = 127 + 90 * np.sin(a[0] * x + 2 * a[1] * y + 3 * a[2])
    out[h // 4: h // 2, w // 3: 2 * w // 3] = [250, 20, 60]
    out += 20 * unit(f"noise {seed}", h * w * 3).reshape(h, w, 3)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def formula_picture(w, h):
    """Uses integers only, so that any language makes the same one."""
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    c = np.arange(3, dtype=np.int64)
    v = (17 * x * x + 31 * y + 7 * x * y)[..., None] // 64 + 53 * c
    return (v % 256).astype(np.uint8)


def save_png(path, rgb):
    from PIL import Image
    Image.fromarray(rgb, "RGB").save(path, optimize=True)


# --- the published code ----------------------------------------------------

class Oracle:
    """torch and transformers, imported late; the rotary repair."""

    def __init__(self):
        import torch
        import transformers
        m = importlib.import_module(PACKAGE + "modeling_minimax_m3_vl")
        self.torch, self.m, self.repaired = torch, m, True
        torch.manual_seed(0)
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True, warn_only=True)
        VERSIONS.update(transformers=transformers.__version__,
                        torch=torch.__version__, numpy=np.__version__,
                        python=sys.version.split()[0])
        try:
            import torchvision
            VERSIONS["torchvision"] = torchvision.__version__
        except ImportError:
            pass
        say("versions", VERSIONS)
        if hasattr(m, "MiniMaxM3VLVisionRotaryEmbedding"):
            self.repair(m)
            VERSIONS["vision_rotary"] = "three axes (repaired)"
        else:
            VERSIONS["vision_rotary"] = "as released"

    def repair(self, m):
        torch, oracle = self.torch, self

        class Rotary(m.MiniMaxM3VLVisionRotaryEmbedding):
            def forward(self, x, position_ids, *a, **k):
                if not oracle.repaired:
                    return super().forward(x, position_ids, *a, **k)
                c = self.config
                head_dim = c.hidden_size // c.num_attention_heads
                axis = 2 * ((2 * (head_dim // 2) // 3) // 2)
                theta = c.rope_parameters["rope_theta"]
                inv = 1.0 / (theta ** (torch.arange(0, axis, 2).float() / axis))
                pos = position_ids.reshape(-1, 3).float()
                angle = (pos[:, :, None] * inv).flatten(1)
                angle = torch.cat((angle, angle), -1)
                return angle.cos().to(x.dtype), angle.sin().to(x.dtype)

        m.MiniMaxM3VLVisionRotaryEmbedding = Rotary

    def load(self, folder, text_only=False):
        cls = (self.m.MiniMaxM3VLForCausalLM if text_only
               else self.m.MiniMaxM3SparseForConditionalGeneration)
        kw = dict(attn_implementation="eager", output_loading_info=True)
        model = None
        for extra in ({"dtype": self.torch.float32, "experts_implementation": "eager"},
                      {"dtype": self.torch.float32},
                      {"torch_dtype": self.torch.float32}):
            try:
                model, info = cls.from_pretrained(folder, **kw, **extra)
                break
            except (TypeError, ValueError) as e:
                say("  from_pretrained with", sorted(extra), "failed:", str(e)[:200])
        if model is None:
            raise RuntimeError("could not load")
        for c in (model.config, getattr(model.config, "text_config", None)):
            if c is not None and getattr(c, "_experts_implementation", None) != "eager":
                try:
                    c._experts_implementation = "eager"
                except Exception as e:  # an older transformers: eager is all it has
                    say("  experts implementation:", e)
        info = info.items() if hasattr(info, "items") else vars(info).items()
        bad = {k: list(v)[:6] for k, v in info
               if k in ("missing_keys", "mismatched_keys", "unexpected_keys") and v}
        say("  loaded", cls.__name__, "problems:", bad or "none")
        if "missing_keys" in bad or "mismatched_keys" in bad:
            raise RuntimeError(f"the conversion of names failed: {bad}")
        return model.eval().float()


def find_class(oracle):
    """The name of the whole model changed between versions."""
    m = oracle.m
    for name in ("MiniMaxM3SparseForConditionalGeneration",
                 "MiniMaxM3VLForConditionalGeneration"):
        if hasattr(m, name):
            m.MiniMaxM3SparseForConditionalGeneration = getattr(m, name)
            return
    names = [n for n in dir(m) if n.endswith("ForConditionalGeneration")]
    m.MiniMaxM3SparseForConditionalGeneration = getattr(m, names[0])


def numpy_of(x):
    return x.detach().to("cpu").float().numpy()


def tensors_in(x):
    if hasattr(x, "shape"):
        yield x
    elif isinstance(x, dict) or hasattr(x, "items"):
        for v in x.values():
            yield from tensors_in(v)
    elif isinstance(x, (tuple, list)):
        for v in x:
            yield from tensors_in(v)


class Tap:
    """Forward hooks that keep what each module of the text model returned."""

    def __init__(self, oracle, text):
        self.t, self.data, self.handles = oracle.torch, {}, []
        for i, layer in enumerate(text.layers):
            self.on(f"hidden.{i}", layer)
            self.on(f"attn.{i}", layer.self_attn)
            self.on(f"mlp.{i}", layer.mlp)
            if getattr(layer.self_attn, "indexer", None) is not None:
                self.on(f"blocks.{i}", layer.self_attn.indexer, whole=True)
            if hasattr(layer.mlp, "gate"):
                self.on(f"experts.{i}", layer.mlp.gate, whole=True)
            if hasattr(layer.mlp, "gate_up_proj"):
                self.on(f"gate_up.{i}", layer.mlp.gate_up_proj)
        self.on("norm", text.norm)

    def on(self, name, module, whole=False):
        def keep(_m, _in, out):
            self.data[name] = list(tensors_in(out)) if whole else next(tensors_in(out))
        self.handles.append(module.register_forward_hook(keep))

    def close(self):
        for h in self.handles:
            h.remove()


def blocks_of(found, n, heads):
    """[n, heads, k] int32: kept blocks in rising order, -1 at the end."""
    ints = [x for x in found if "int" in str(x.dtype)]
    if not ints:
        raise RuntimeError(f"the indexer returned {[tuple(x.shape) for x in found]}")
    a = ints[0].detach().cpu().numpy()
    a = a.reshape(a.shape[-3:]) if a.ndim > 3 else a
    if a.ndim == 3 and a.shape[0] == heads and a.shape[1] == n:
        a = a.transpose(1, 0, 2)
    if a.shape[:2] != (n, heads):
        raise RuntimeError(f"blocks of shape {a.shape}")
    a = np.where(a < 0, 1 << 30, a)
    a = np.sort(a, axis=-1)
    return np.where(a == 1 << 30, -1, a).astype(np.int32)


def experts_of(found):
    """Chosen experts [n, k] in rising order and their weights before scaling."""
    ids = [x for x in found if "int" in str(x.dtype)][0].cpu().numpy()
    weights = [x for x in found if x.is_floating_point() and x.shape == ids.shape]
    order = np.argsort(ids, axis=-1)
    out = [np.take_along_axis(ids, order, -1).astype(np.int32)]
    if weights:
        w = numpy_of(weights[-1])
        w = w / w.sum(-1, keepdims=True)
        out.append(np.take_along_axis(w, order, -1).astype(np.float32))
    return out


class Runner:
    def __init__(self, oracle, model, cfg, text_only=False):
        self.o, self.torch, self.model, self.cfg = oracle, oracle.torch, model, cfg
        self.core = model.model
        self.text = model.model if text_only else model.model.language_model
        self.tcfg = cfg["text_config"]

    def embeds(self, ids, features):
        """features: [(token id, array)] in order."""
        t = self.torch
        x = self.text.embed_tokens(t.tensor([ids])).clone()
        for token, rows in features:
            at = [i for i, v in enumerate(ids) if v == token]
            done = getattr(self, "_used", {}).get(token, 0)
            x[0, at[done:done + len(rows)]] = t.from_numpy(rows)
            self._used[token] = done + len(rows)
        return x

    def logits(self, ids, features=()):
        self._used = {}
        out = self.text(inputs_embeds=self.embeds(ids, features), use_cache=False)
        return self.model.lm_head(out.last_hidden_state)[0]

    def greedy(self, ids, features, n):
        ids, out = list(ids), []
        for _ in range(n):
            out.append(int(self.logits(ids, features)[-1].argmax()))
            ids.append(out[-1])
        return out

    def vision(self, rows, grid, stages=None):
        """Merged tokens of one picture, alone in its call."""
        t = self.torch
        px, g = t.from_numpy(rows), t.tensor([list(grid)])
        handles = []
        if stages is not None:
            tower = self.core.vision_tower
            tower = getattr(tower, "vision_model", tower)
            layers = getattr(tower, "layers", None)
            layers = layers if layers is not None else tower.encoder.layers

            def keep(name):
                def hook(_m, _in, out):
                    a = numpy_of(next(tensors_in(out)))
                    stages[name] = a.reshape(-1, a.shape[-1])
                return hook
            handles = [tower.pre_layrnorm.register_forward_hook(keep("vit.pre"))]
            handles += [x.register_forward_hook(keep(f"vit.{j}"))
                        for j, x in enumerate(layers)]
            p = self.core.multi_modal_projector
            handles.append(p.linear_2.register_forward_hook(keep("projected")))
        out = self.core.get_image_features(pixel_values=px, image_grid_thw=g)
        for h in handles:
            h.remove()
        f = out.pooler_output if hasattr(out, "pooler_output") else out
        if isinstance(f, (list, tuple)):
            f = self.torch.cat(list(f))
        return numpy_of(f).reshape(-1, self.tcfg["hidden_size"])


def run_text_case(r, name, ids, features, greedy, keep_rows, out, detail):
    n = len(ids)
    heads = r.tcfg["sparse_attention_config"]["sparse_num_index_heads"]
    tap = Tap(r.o, r.text)
    logits = numpy_of(r.logits(ids, features))
    tap.close()
    out[f"{name}.ids"] = np.array(ids, np.int32)
    out[f"{name}.rows"] = np.array(keep_rows, np.int32)
    out[f"{name}.logits"] = logits[keep_rows]
    h = r.tcfg["hidden_size"]
    for key, value in tap.data.items():
        kind = key.split(".")[0]
        try:
            if kind in ("hidden", "attn", "mlp", "norm"):
                a = numpy_of(value).reshape(n, h)
                if kind in ("hidden", "norm") or detail:
                    out[f"{name}.{key}"] = a[-8:]
                if kind == "hidden":
                    p = out["projection"]
                    out[f"{name}.proj.{key.split('.')[1]}"] = \
                        (a.astype(np.float64) @ p.T.astype(np.float64)).astype(np.float32)
            elif kind == "blocks":
                out[f"{name}.{key}"] = blocks_of(value, n, heads)
            elif kind == "experts":
                got = experts_of(value)
                out[f"{name}.{key}"] = got[0]
                if len(got) > 1:
                    out[f"{name}.weights.{key.split('.')[1]}"] = got[1]
            elif kind == "gate_up":
                g, u = np.split(numpy_of(value).reshape(n, -1), 2, -1)
                say(f"  {name} {key}: gate > 7 {np.mean(g > 7):.3f}, "
                    f"|up| > 7 {np.mean(np.abs(u) > 7):.3f}, gate < -7 {np.mean(g < -7):.3f}")
        except Exception as e:
            say(f"  {name}.{key} left out: {e}")
    gap = np.sort(logits, -1)
    say(f"  {name}: {n} tokens, logits rms {logits.std():.3f}, "
        f"least top-2 gap {np.min(gap[:, -1] - gap[:, -2]):.2e}")
    if greedy:
        out[f"{name}.greedy"] = np.array(r.greedy(ids, features, greedy), np.int32)


def processor_of(oracle, conf):
    ip = importlib.import_module(PACKAGE + "image_processing_minimax_m3_vl")
    cls = ip.MiniMaxM3VLImageProcessor
    conf = {k: v for k, v in conf.items() if k != "image_processor_type"}
    p = cls(**conf)
    say("  image processor size:", p.size)
    return p


def pixels_of(processor, rgb):
    from PIL import Image
    b = processor(images=[Image.fromarray(rgb, "RGB")], return_tensors="pt")
    return (b["pixel_values"].float().numpy(),
            [int(x) for x in b["image_grid_thw"][0]])


def patchify_video(frames, patch, merge, mean, std):
    """Rows of a video, frames [n, h, w, 3] uint8, in the processor's order."""
    m = np.float32(mean) * np.float32(255)
    s = np.float32(std) * np.float32(255)
    x = (frames.astype(np.float32) - m) / s
    if len(x) % 2:
        x = np.concatenate([x, x[-1:]])
    n, h, w, _ = x.shape
    gh, gw = h // patch, w // patch
    x = x.reshape(n // 2, 2, gh // merge, merge, patch, gw // merge, merge, patch, 3)
    x = x.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return np.ascontiguousarray(x.reshape(n // 2 * gh * gw, -1)), [n // 2, gh, gw]


# --- variants --------------------------------------------------------------

def edited(**changes):
    cfg = copy.deepcopy(BASE)
    for path, value in changes.items():
        at, keys = cfg, path.split("__")
        for k in keys[:-1]:
            at = at[k]
        at[keys[-1]] = value
    return cfg


S = "text_config__sparse_attention_config__"


def variants():
    yield "a", BASE
    yield "b", edited(**{S + "sparse_local_block": 2})
    yield "c", edited(**{S + "sparse_topk_blocks": 1})
    yield "d", edited(**{S + "sparse_index_dim": 24})
    yield "e", edited(**{S + "sparse_attention_freq": [1] * 6,
                         S + "sparse_disable_index_value": [1] * 6})
    yield "f", edited(text_config__num_experts_per_tok=8)
    one = [0, 1, 1]
    yield "i", edited(text_config__num_hidden_layers=3,
                      text_config__moe_layer_freq=one,
                      **{S + "sparse_block_size": 128, S + "sparse_topk_blocks": 16,
                         S + "sparse_disable_index_value": one,
                         S + "sparse_attention_freq": one})


def with_pictures(seed, n, counts, token=250):
    """n ids with runs of a placeholder, brackets 252 and 253 around each."""
    text = n - sum(counts) - 2 * len(counts)
    ids, cut = token_ids(seed, text), text // (len(counts) + 1)
    out = []
    for i, c in enumerate(counts):
        out += ids[i * cut:(i + 1) * cut] + [252] + [token] * c + [253]
    return out + ids[len(counts) * cut:]


def sparse_rows(n, step):
    return sorted(set(range(0, n, step)) | set(range(max(0, n - 8), n)))


def write_model(folder, cfg, weights):
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "config.json"), cfg)
    write_safetensors(os.path.join(folder, "model.safetensors"), weights,
                      {"format": "pt"})


def run_variant(oracle, name, cfg, folder, weights=None, extra=False):
    os.makedirs(os.path.join(folder, "expected"), exist_ok=True)
    weights = weights or {k: values(k, s) for k, s in released_shapes(cfg)}
    h = cfg["text_config"]["hidden_size"]
    out = {"projection": unit("projection", 4 * h).astype(np.float32).reshape(4, h)}
    meta, cases = dict(VERSIONS), []
    with tempfile.TemporaryDirectory() as tmp:
        write_model(tmp, cfg, weights)
        model = oracle.load(tmp)
        r = Runner(oracle, model, cfg)
        if name == "i":
            ids = token_ids("i", 2600)
            rows = sorted(set(range(0, 2600, 97)) | set(range(2040, 2060))
                          | set(range(2568, 2600)))
            run_text_case(r, "case0", ids, (), 8, rows, out, False)
            for k in [k for k in out if ".weights." in k or ".experts." in k
                      or ".blocks." in k or ".proj." in k]:
                out[k] = out[k][rows]
            cases.append({"ids": ids, "images": [], "greedy": 8})
        else:
            small_variant(oracle, r, name, cfg, folder, out, cases)
        if name == "a":
            base_extras(oracle, r, out)
            saved_variants(oracle, r, cfg, os.path.dirname(folder), out)
    if extra:
        write_model(folder, cfg, weights)
    write_json(os.path.join(folder, "config.json"), cfg)
    write_json(os.path.join(folder, "preprocessor_config.json"),
               dict(PREPROCESSOR, patch_size=cfg["vision_config"]["patch_size"]))
    with open(os.path.join(folder, "cases.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    write_safetensors(os.path.join(folder, "expected", "model.safetensors"), out, meta)


def small_variant(oracle, r, name, cfg, folder, out, cases):
    whole = name == "a" or name.startswith("x")
    step = 1 if whole else 7
    ids = token_ids(f"{name} text", 113)
    run_text_case(r, "case0", ids, (), 24, sparse_rows(113, step), out, whole)
    cases.append({"ids": ids, "images": [], "greedy": 24})

    conf = dict(PREPROCESSOR, patch_size=cfg["vision_config"]["patch_size"])
    try:
        processor = processor_of(oracle, conf)
    except Exception as e:
        say("  the image processor failed:", e)
        return
    features, files, counts = [], [], []
    for k, (w, hh) in enumerate(((24, 16), (35, 29))):
        rgb = picture(f"{name} {k}", w, hh)
        files.append(f"picture{k}.png")
        save_png(os.path.join(folder, files[-1]), rgb)
        rows, grid = pixels_of(processor, rgb)
        stages = {} if whole else None
        merged = r.vision(rows, grid, stages)
        out[f"image{k}.grid"] = np.array(grid, np.int32)
        out[f"image{k}.pixels"] = rows
        out[f"image{k}.merged"] = merged
        for key, a in (stages or {}).items():
            out[f"image{k}.{key}"] = a
        features.append((cfg["image_token_index"], merged))
        counts.append(len(merged))
    ids = with_pictures(f"{name} pictures", 113, counts)
    run_text_case(r, "case1", ids, features, 24, sparse_rows(113, step), out, whole)
    cases.append({"ids": ids, "images": files, "greedy": 24})
    if whole:
        ids = token_ids(f"{name} decode", 60)
        run_text_case(r, "case2", ids, (), 24, sparse_rows(60, 1), out, False)
        cases.append({"ids": ids, "images": [], "greedy": 24})


def base_extras(oracle, r, out):
    t = oracle.torch
    # One picture through the model's own forward: the way above is the same.
    try:
        n = len(out["image0.merged"])
        ids = with_pictures("one", 40, [n])
        g = t.tensor([out["image0.grid"].tolist()])
        whole = r.model(input_ids=t.tensor([ids]), image_grid_thw=g,
                        pixel_values=t.from_numpy(out["image0.pixels"])).logits[0]
        mine = r.logits(ids, [(250, out["image0.merged"])])
        say(f"  own embedding against the model's: {float((whole - mine).abs().max()):.2e}")
    except Exception as e:
        say("  the model's own forward with a picture failed:", e)
    # A video of 12 frames: six groups in segments of four and two.
    frames = np.stack([picture(f"video {k}", 16, 16) for k in range(12)])
    rows, grid = patchify_video(frames, 4, 2, PREPROCESSOR["image_mean"],
                                PREPROCESSOR["image_std"])
    per = grid[1] * grid[2]
    parts = [r.vision(rows[:4 * per], [4, grid[1], grid[2]]),
             r.vision(rows[4 * per:], [2, grid[1], grid[2]])]
    merged = np.concatenate(parts)
    out["video.frames"] = frames
    out["video.grid"] = np.array(grid, np.int32)
    out["video.pixels"] = rows
    out["video.merged"] = merged
    ids = with_pictures("video", 113, [per // 4] * grid[0], token=251)
    run_text_case(r, "video", ids, [(251, merged)], 8, sparse_rows(113, 1), out, False)
    # Text angles, positions far beyond the cache.
    pos = [0, 1, 2047, 131071, 1048575]
    try:
        cos, sin = r.text.rotary_emb(t.zeros(1, 1, r.tcfg["hidden_size"]), t.tensor([pos]))
        out["rope.positions"] = np.array(pos, np.int32)
        out["rope.cos"], out["rope.sin"] = numpy_of(cos)[0], numpy_of(sin)[0]
    except Exception as e:
        say("  rope table:", e)
    try:
        oracle.repaired = False
        out["image0.merged_5_17_unrepaired"] = r.vision(
            out["image0.pixels"], out["image0.grid"].tolist())
    except Exception as e:
        say("  unrepaired rotary:", e)
    finally:
        oracle.repaired = True


def saved_variants(oracle, r, cfg, root, out):
    """g: what save_pretrained writes. h: the text model alone."""
    keep = {k: v for k, v in out.items() if k.startswith("case0.") or k == "projection"}
    case = [{"ids": out["case0.ids"].tolist(), "images": [], "greedy": 24}]

    def store(name, folder, ok):
        to = os.path.join(root, name)
        os.makedirs(os.path.join(to, "expected"), exist_ok=True)
        with open(os.path.join(folder, "config.json")) as f:
            write_json(os.path.join(to, "config.json"), json.load(f))
        names = {}
        for file in sorted(os.listdir(folder)):
            if file.endswith(".safetensors"):
                with open(os.path.join(folder, file), "rb") as f:
                    head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
                names.update({k: v["shape"] for k, v in head.items()
                              if k != "__metadata__"})
        with open(os.path.join(to, "saved_names.json"), "w") as f:
            f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(names[k])}"
                                       for k in sorted(names)) + "\n}\n")
        write_json(os.path.join(to, "cases.json"), case)
        write_safetensors(os.path.join(to, "expected", "model.safetensors"),
                          dict(keep), dict(VERSIONS, reload=ok))
        say(f"  variant {name}: {len(names)} saved tensors, reload {ok}")

    want = out["case0.logits"]
    ids = out["case0.ids"].tolist()
    with tempfile.TemporaryDirectory() as tmp:
        try:
            try:
                r.model.save_pretrained(tmp, save_original_format=False)
            except TypeError:
                r.model.save_pretrained(tmp)
            again = Runner(oracle, oracle.load(tmp), cfg)
            diff = np.abs(numpy_of(again.logits(ids)) - want).max()
            store("g", tmp, f"{diff:.1e}")
        except Exception:
            say("  variant g failed:", traceback.format_exc(limit=3))
    with tempfile.TemporaryDirectory() as tmp:
        try:
            text = oracle.m.MiniMaxM3VLForCausalLM(copy.deepcopy(r.text.config))
            state = {("model." + k): v for k, v in r.text.state_dict().items()}
            state["lm_head.weight"] = r.model.lm_head.weight
            print("  text only:", text.load_state_dict(state, strict=False))
            try:
                text.save_pretrained(tmp, save_original_format=False)
            except TypeError:
                text.save_pretrained(tmp)
            again = Runner(oracle, oracle.load(tmp, text_only=True), cfg, text_only=True)
            diff = np.abs(numpy_of(again.logits(ids)) - want).max()
            store("h", tmp, f"{diff:.1e}")
        except Exception:
            say("  variant h failed:", traceback.format_exc(limit=3))


# --- pictures in -----------------------------------------------------------

def preprocess_vectors(oracle, folder):
    os.makedirs(folder, exist_ok=True)
    ip = importlib.import_module(PACKAGE + "image_processing_minimax_m3_vl")
    sides = [15, 27, 28, 42, 56, 70, 98, 100, 333, 480, 600, 672, 720, 768, 1000,
             1024, 1050, 1080, 1200, 1366, 1440, 1920, 2160]
    tops = (451584, 1003520, 3686400)
    asked = [(w, h, tops[(h + w) % 3]) for h in sides for w in sides]
    asked += [(w, h, top) for top in tops for w, h in (
        (1280, 720), (2560, 1440), (1920, 1080), (3840, 2160), (20, 3000),
        (10, 1000), (1024, 768), (640, 480), (3440, 1440))]
    rows = []
    for w, h, top in asked:
        try:
            rh, rw = ip.smart_resize(h, w, 28, 3136, top)
        except ValueError:
            rh, rw = 0, 0  # refused
        rows.append([w, h, top, rw, rh])
    with open(os.path.join(folder, "smart_resize.json"), "w") as f:
        f.write('{"versions": ' + json.dumps(VERSIONS) + ',\n"columns": '
                '["width", "height", "max_pixels", "out_width", "out_height"],\n'
                '"rows": [\n' + ",\n".join(json.dumps(x) for x in rows) + "\n]}\n")
    say("  smart_resize:", len(rows), "sizes")

    conf = dict(PREPROCESSOR, patch_size=14, size=[672, 672])
    try:
        p = processor_of(oracle, conf)
    except Exception as e:
        say("  processor with size [672, 672]:", e, "- taking the defaults")
        p = ip.MiniMaxM3VLImageProcessor()
    # uint8 pictures through the processor with patches of one pixel's resize:
    # undo the normalisation, which is monotonic in 256 values.
    ramp = np.arange(256, dtype=np.uint8)
    resize = [("noise", 70, 50), ("gradient", 200, 130), ("lines", 100, 61),
              ("up", 30, 20), ("same", 84, 56), ("oneaxis", 84, 90)]
    table = normalise_table(p, ramp)
    table.astype("<f4").tofile(os.path.join(folder, "normalise.f32"))
    report = {"versions": VERSIONS, "resize": [], "normalise":
              "normalise.f32: float32 [3][256], channel R, G, B"}
    for k, (kind, w, h) in enumerate(resize):
        rgb = resize_picture(kind, w, h)
        rows, grid = pixels_of(p, rgb)
        got = unpatch(rows, grid, table)
        save_png(os.path.join(folder, f"resize{k}_in.png"), rgb)
        save_png(os.path.join(folder, f"resize{k}_out.png"), got)
        report["resize"].append({"kind": kind, "in": [w, h],
                                 "out": [got.shape[1], got.shape[0]]})
        say(f"  resize {kind}: {w}x{h} -> {got.shape[1]}x{got.shape[0]}")
    rgb = formula_picture(1024, 768)
    rows, grid = pixels_of(p, rgb)
    got = unpatch(rows, grid, table)
    report["real"] = {
        "picture": "v(x,y,c) = ((17*x*x + 31*y + 7*x*y) / 64 + 53*c) mod 256, 1024x768",
        "grid": grid, "resized": [got.shape[1], got.shape[0]],
        "rgb_fnv1a64": f"{fnv(got.tobytes()):016x}",
        "rgb_sha256": hashlib.sha256(got.tobytes()).hexdigest(),
        "pixels_fnv1a64": f"{fnv(rows[::37].astype('<f4').tobytes()):016x}",
        "pixels_rows": "every 37th row, float32 little-endian",
        "row_37_head": [float(x) for x in rows[37][:16]]}
    write_json(os.path.join(folder, "expected.json"), report)


def normalise_table(p, ramp):
    """All 256 values of each channel, read off a picture of one patch row."""
    out = np.zeros((3, 256), np.float32)
    for start in range(0, 256, 64):
        # 112 x 112: values in blocks that survive without a resize.
        rgb = np.zeros((112, 112, 3), np.uint8)
        cell = rgb.reshape(8, 14, 8, 14, 3)
        cell[:] = ramp[start:start + 64].reshape(8, 1, 8, 1, 1)
        rows, grid = pixels_of(p, rgb)
        assert grid == [1, 8, 8], grid
        flat = rows.reshape(4, 4, 2, 2, 3, 2, 14 * 14)
        for by in range(4):
            for bx in range(4):
                for dy in range(2):
                    for dx in range(2):
                        v = start + (2 * by + dy) * 8 + 2 * bx + dx
                        out[:, v] = flat[by, bx, dy, dx, :, 0, 0]
    return out


def unpatch(rows, grid, table):
    """uint8 RGB of patch rows through the exact inverse of the table."""
    _, gh, gw = grid
    x = rows.reshape(gh // 2, gw // 2, 2, 2, 3, 2, 14, 14)[:, :, :, :, :, 0]
    x = x.transpose(0, 2, 5, 1, 3, 6, 4).reshape(gh * 14, gw * 14, 3)
    out = np.zeros(x.shape, np.uint8)
    for c in range(3):
        at = np.searchsorted(table[c], x[..., c])
        at = np.clip(at, 0, 255)
        if not np.array_equal(table[c][at], x[..., c]):
            raise RuntimeError("a pixel is not in the table")
        out[..., c] = at
    return out


def resize_picture(kind, w, h):
    if kind == "noise":
        u = unit("resize noise", w * h * 3)
        return ((u + 1) * 128).astype(np.uint8).reshape(h, w, 3)
    if kind == "gradient":
        y, x = np.mgrid[0:h, 0:w]
        return np.stack([x * 255 // w, y * 255 // h, (x + y) % 256], -1).astype(np.uint8)
    if kind == "lines":
        a = np.full((h, w, 3), 255, np.uint8)
        a[::5] = 0
        a[:, ::7] = [200, 0, 30]
        return a
    return picture(kind, w, h)


# --- other shapes, weights stored -----------------------------------------

def extra_variants():
    yield "x1", edited(
        text_config__hidden_size=96, text_config__num_attention_heads=6,
        text_config__num_key_value_heads=3, text_config__head_dim=32,
        text_config__rotary_dim=16, text_config__num_hidden_layers=4,
        text_config__moe_layer_freq=[0, 1, 1, 0], text_config__num_local_experts=5,
        text_config__num_experts_per_tok=3, text_config__rope_theta=50000,
        **{S + "sparse_num_index_heads": 3, S + "sparse_index_dim": 32,
           S + "sparse_block_size": 8, S + "sparse_topk_blocks": 3,
           S + "sparse_attention_freq": [0, 1, 0, 1],
           S + "sparse_disable_index_value": [0, 1, 0, 1]})
    yield "x2", edited(
        text_config__num_attention_heads=4, text_config__num_key_value_heads=4,
        text_config__head_dim=24, text_config__rotary_dim=12,
        text_config__num_hidden_layers=3, text_config__moe_layer_freq=[1, 1, 1],
        vision_config__hidden_size=64, vision_config__num_attention_heads=4,
        vision_config__num_hidden_layers=3, projector_hidden_size=72,
        **{S + "sparse_num_index_heads": 4, S + "sparse_index_dim": 20,
           S + "sparse_block_size": 5, S + "sparse_topk_blocks": 6,
           S + "sparse_local_block": 3,
           S + "sparse_attention_freq": [1, 0, 1],
           S + "sparse_disable_index_value": [1, 0, 1]})


def random_weights(cfg, seed):
    rng = np.random.default_rng(seed)
    out = {}
    for name, shape in released_shapes(cfg):
        offset, scale = scale_of(name)
        out[name] = (offset + scale * 0.6 * rng.standard_normal(shape)).astype(np.float32)
    return out


def selfcheck():
    names = [n for n, _ in released_shapes(BASE)]
    assert len(names) == len(set(names)), "duplicate names"
    for n, s in released_shapes(BASE):
        a = values(n, s)
        assert a.shape == s and np.isfinite(a).all(), n
    u = unit("language_model.lm_head.weight", 4)
    say("lm_head, first numbers before scaling:", [f"{x:.9f}" for x in u])
    assert all(abs(x) <= 1 for x in u)
    for _, cfg in list(variants()) + list(extra_variants()):
        assert sum(int(np.prod(s)) for _, s in released_shapes(cfg)) > 0
    ids = with_pictures("t", 113, [6, 16])
    assert len(ids) == 113 and ids.count(250) == 22
    f = formula_picture(8, 8)
    assert f.shape == (8, 8, 3)
    rows, grid = patchify_video(np.stack([picture(k, 16, 16) for k in range(3)]), 4, 2,
                                PREPROCESSOR["image_mean"], PREPROCESSOR["image_std"])
    assert grid == [2, 4, 4] and rows.shape == (32, 96)
    with tempfile.TemporaryDirectory() as tmp:
        save_png(os.path.join(tmp, "a.png"), picture("a", 24, 16))
        write_model(tmp, BASE, {n: values(n, s) for n, s in released_shapes(BASE)})
        say("model.safetensors:", os.path.getsize(os.path.join(tmp, "model.safetensors")))
    table = np.sort(unit("t", 3 * 256).reshape(3, 256).astype(np.float32), -1)
    img = resize_picture("noise", 28, 56)
    px = np.stack([table[c][img[..., c]] for c in range(3)], -1)
    p = px.reshape(2, 2, 14, 1, 2, 14, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    p = np.repeat(p.reshape(2, 1, 2, 2, 3, 1, 14, 14), 2, 5).reshape(8, -1)
    assert np.array_equal(unpatch(p, [1, 4, 2], table), img)
    say("self-check passed")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out", nargs="?")
    ap.add_argument("--extra", action="store_true")
    ap.add_argument("--selfcheck", action="store_true")
    ap.add_argument("--only", help="names of variants, e.g. a,i")
    a = ap.parse_args()
    if a.selfcheck:
        selfcheck()
        return 0
    if not a.out:
        ap.error("an output folder is needed")
    oracle = Oracle()
    find_class(oracle)
    failed = []
    only = a.only.split(",") if a.only else None
    jobs = list(extra_variants() if a.extra else variants())
    for name, cfg in jobs:
        if only and name not in only:
            continue
        say("variant", name)
        try:
            weights = random_weights(cfg, len(name) + ord(name[-1])) if a.extra else None
            run_variant(oracle, name, cfg, os.path.join(a.out, name), weights, a.extra)
        except Exception:
            failed.append(name)
            say(traceback.format_exc())
    if not a.extra and not (only and "preprocess" not in only):
        say("preprocessing")
        try:
            preprocess_vectors(oracle, os.path.join(a.out, "preprocess"))
        except Exception:
            failed.append("preprocess")
            say(traceback.format_exc())
    total = sum(os.path.getsize(os.path.join(d, f))
                for d, _, fs in os.walk(a.out) for f in fs)
    say(f"{total / 1e6:.2f} MB written; failed: {failed or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
